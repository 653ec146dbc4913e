#include "client/sticky_assignor.h"

#include <algorithm>
#include <deque>

#include "client/partition_balancer.h"
#include "protocol/wire.h"

namespace moldau::client {
namespace {

// Who rightly owns which partition when the group rebalances.
struct Ownership {
    std::map<TopicPartition, size_t> owner;  // index of the member
    // Claimed twice in one generation: nobody's, yet somebody may still read it.
    std::set<TopicPartition> contested;
};

// A member that missed a generation may claim what has moved on: the youngest claim counts.
Ownership settle_claims(const std::vector<AssignorMember>& members, const PartitionCounts& counts) {
    std::map<TopicPartition, int32_t> youngest;
    Ownership settled;
    for (size_t i = 0; i < members.size(); ++i) {
        for (const TopicPartition& tp : members[i].owned) {
            auto count = counts.find(tp.topic);
            if (count == counts.end() || tp.partition >= count->second) {
                continue;
            }
            auto [claim, first] = youngest.emplace(tp, members[i].generation);
            if (!first && members[i].generation < claim->second) {
                continue;
            }
            bool same = !first && members[i].generation == claim->second;
            claim->second = members[i].generation;
            if (same) {
                settled.contested.insert(tp);
                settled.owner.erase(tp);
            } else {
                settled.contested.erase(tp);
                settled.owner[tp] = i;
            }
        }
    }
    return settled;
}

using Shares = std::vector<std::vector<TopicPartition>>;  // by index of the member

// Everybody may have everything: each keeps what it owns up to its quota, the rest is dealt out in
// turn. A few members get one more than others when it does not divide; those who own enough for
// that come first.
class EqualShares {
 public:
    EqualShares(size_t members, const PartitionCounts& counts) : counts_(counts), shares_(members) {
        size_t total = 0;
        for (const auto& [topic, count] : counts) {
            total += static_cast<size_t>(count);
        }
        quota_ = total / members;
        extras_ = total % members;
    }

    Shares share(const Ownership& ownership) {
        keep(ownership);
        deal();
        return std::move(shares_);
    }

 private:
    void keep(const Ownership& ownership) {
        Shares owned(shares_.size());
        for (const auto& [tp, member] : ownership.owner) {
            owned[member].push_back(tp);
        }
        for (size_t member = 0; member < shares_.size(); ++member) {
            std::vector<TopicPartition>& mine = owned[member];
            // The highest partitions of every topic go first when some have to go.
            std::ranges::sort(mine, {}, [](const TopicPartition& tp) {
                return std::pair(tp.partition, std::string_view(tp.topic));
            });
            if (mine.size() < quota_) {
                below_quota_.push_back(member);
            } else if (mine.size() > quota_ && extras_ > 0) {
                --extras_;
                mine.resize(quota_ + 1);
            } else {
                at_quota_.push_back(member);
                mine.resize(quota_);
            }
            kept_.insert(mine.begin(), mine.end());
            shares_[member] = std::move(mine);
        }
    }

    void deal() {
        size_t turn = 0;
        for (const auto& [topic, count] : counts_) {
            for (int32_t partition = 0; partition < count; ++partition) {
                TopicPartition tp{topic, partition};
                if (kept_.contains(tp)) {
                    continue;
                }
                if (below_quota_.empty()) {
                    // As many are left as members may have one more.
                    shares_[at_quota_.front()].push_back(std::move(tp));
                    at_quota_.pop_front();
                    continue;
                }
                turn = turn < below_quota_.size() ? turn : 0;
                size_t member = below_quota_[turn];
                shares_[member].push_back(std::move(tp));
                if (shares_[member].size() < quota_) {
                    ++turn;
                } else {
                    below_quota_.erase(below_quota_.begin() + static_cast<ptrdiff_t>(turn));
                    at_quota_.push_back(member);
                }
            }
        }
    }

    const PartitionCounts& counts_;
    size_t quota_ = 0;
    size_t extras_ = 0;  // how many members may still get one more than the quota
    Shares shares_;
    std::set<TopicPartition> kept_;
    std::vector<size_t> below_quota_;
    std::deque<size_t> at_quota_;
};

Shares unequal_shares(const std::vector<AssignorMember>& members, const PartitionCounts& counts,
                      const Ownership& ownership) {
    PartitionBalancer balancer(members, counts);
    for (const auto& [tp, member] : ownership.owner) {
        if (members[member].topics.contains(tp.topic)) {
            balancer.keep(tp, member);
        }
    }
    return balancer.share();
}

struct Shared {
    Assignments assignments;
    std::set<TopicPartition> changing_hands;
};

Shared share(std::vector<AssignorMember> members, const PartitionCounts& counts) {
    Shared shared;
    if (members.empty()) {
        return shared;
    }
    std::ranges::sort(members, {}, &AssignorMember::member_id);
    Ownership ownership = settle_claims(members, counts);
    bool equal = std::ranges::all_of(members, [&](const AssignorMember& member) {
        return member.topics == members.front().topics;
    });
    Shares shares = equal ? EqualShares(members.size(), counts).share(ownership)
                          : unequal_shares(members, counts, ownership);
    for (size_t i = 0; i < members.size(); ++i) {
        for (const TopicPartition& tp : shares[i]) {
            auto owner = ownership.owner.find(tp);
            bool from_another = owner != ownership.owner.end() && owner->second != i;
            if (from_another || ownership.contested.contains(tp)) {
                shared.changing_hands.insert(tp);
            }
        }
        shared.assignments[members[i].member_id] = std::move(shares[i]);
    }
    return shared;
}

// Version 1 ends with the generation; version 0 had none. Unreadable data owns nothing.
void read_sticky_user_data(AssignorMember& member) {
    member.owned.clear();
    member.generation = -1;
    if (!member.user_data) {
        return;
    }
    protocol::Reader reader(*member.user_data);
    std::vector<TopicPartition> owned;
    int32_t topics = reader.read_array_length(false);
    for (int32_t i = 0; i < topics && reader.ok(); ++i) {
        std::string topic = reader.read_string(false);
        int32_t partitions = reader.read_array_length(false, sizeof(int32_t));
        for (int32_t n = 0; n < partitions && reader.ok(); ++n) {
            owned.push_back({topic, reader.read_int32()});
        }
    }
    if (!reader.ok()) {
        return;
    }
    member.owned = std::move(owned);
    int32_t generation = reader.read_int32();
    member.generation = reader.ok() ? generation : -1;
}

// Clients of before subscription version 2 put their generation here.
void read_cooperative_user_data(AssignorMember& member) {
    if (member.generation >= 0 || !member.user_data) {
        return;
    }
    protocol::Reader reader(*member.user_data);
    int32_t generation = reader.read_int32();
    member.generation = reader.ok() ? generation : -1;
}

}  // namespace

Assignments assign_sticky(const std::vector<AssignorMember>& members,
                          const PartitionCounts& counts) {
    std::vector<AssignorMember> owners = members;
    std::ranges::for_each(owners, read_sticky_user_data);
    return share(std::move(owners), counts).assignments;
}

Assignments assign_cooperative_sticky(const std::vector<AssignorMember>& members,
                                      const PartitionCounts& counts) {
    std::vector<AssignorMember> owners = members;
    std::ranges::for_each(owners, read_cooperative_user_data);
    Shared shared = share(std::move(owners), counts);
    for (auto& [member, partitions] : shared.assignments) {
        std::erase_if(partitions,
                      [&](const TopicPartition& tp) { return shared.changing_hands.contains(tp); });
    }
    return std::move(shared.assignments);
}

std::optional<Bytes> sticky_user_data(const std::vector<TopicPartition>& assigned,
                                      int32_t generation) {
    if (generation < 0) {
        return std::nullopt;  // never assigned anything
    }
    std::map<std::string, std::vector<int32_t>> by_topic;
    for (const TopicPartition& tp : assigned) {
        by_topic[tp.topic].push_back(tp.partition);
    }
    protocol::Writer writer;
    writer.write_array_length(static_cast<int32_t>(by_topic.size()), false);
    for (const auto& [topic, partitions] : by_topic) {
        writer.write_string(topic, false);
        writer.write_array_length(static_cast<int32_t>(partitions.size()), false);
        for (int32_t partition : partitions) {
            writer.write_int32(partition);
        }
    }
    writer.write_int32(generation);
    return protocol::join(writer.take());
}

std::optional<Bytes> cooperative_sticky_user_data(const std::vector<TopicPartition>&,
                                                  int32_t generation) {
    protocol::Writer writer;
    writer.write_int32(generation);
    return protocol::join(writer.take());
}

}  // namespace moldau::client
