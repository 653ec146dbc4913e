#include "client/partition_balancer.h"

#include <algorithm>
#include <numeric>

namespace moldau::client {

PartitionBalancer::PartitionBalancer(const std::vector<AssignorMember>& members,
                                     const PartitionCounts& counts)
    : members_(members), counts_(counts), held_(members.size()), load_(members.size()) {
    for (size_t member = 0; member < members.size(); ++member) {
        for (const std::string& topic : members[member].topics) {
            if (counts.contains(topic)) {
                subscribers_[topic].push_back(member);
            }
        }
    }
}

void PartitionBalancer::keep(const TopicPartition& tp, size_t member) {
    kept_by_[tp] = member;
    held_[member][tp.topic].insert(tp.partition);
    ++load_[member];
}

std::vector<std::vector<TopicPartition>> PartitionBalancer::share() {
    place_the_rest();
    // New partitions find their place before anything that is in use has to move.
    even_out(false);
    even_out(true);
    std::vector<std::vector<TopicPartition>> shares(members_.size());
    for (size_t member = 0; member < members_.size(); ++member) {
        for (const auto& [topic, partitions] : held_[member]) {
            for (int32_t partition : partitions) {
                shares[member].push_back({topic, partition});
            }
        }
    }
    return shares;
}

// Those that few may have come first: the others can still even out what they cause.
void PartitionBalancer::place_the_rest() {
    std::vector<const std::pair<const std::string, std::vector<size_t>>*> topics;
    for (const auto& entry : subscribers_) {
        topics.push_back(&entry);
    }
    std::ranges::sort(topics, {}, [](const auto* entry) {
        return std::pair(entry->second.size(), std::string_view(entry->first));
    });
    for (const auto* entry : topics) {
        const auto& [topic, subscribers] = *entry;
        for (int32_t partition = 0; partition < counts_.at(topic); ++partition) {
            if (kept_by_.contains({topic, partition})) {
                continue;
            }
            size_t least =
                *std::ranges::min_element(subscribers, {}, [&](size_t m) { return load_[m]; });
            held_[least][topic].insert(partition);
            ++load_[least];
        }
    }
}

void PartitionBalancer::even_out(bool kept_may_move) {
    std::vector<size_t> order(members_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    // Always from the fullest that can give, lest a member gives more than it has to. Each path
    // lowers the sum of the squares of the loads, so this ends.
    Path path;
    do {
        std::ranges::sort(order, {}, [&](size_t m) { return std::pair(-load_[m], m); });
        path.clear();
        for (size_t i = 0; i < order.size() && path.empty(); ++i) {
            path = evening_path(order[i], kept_may_move);
        }
        std::ranges::for_each(path, [&](const Step& step) { move_one(step); });
    } while (!path.empty());
}

// Level by level from the source; each topic is walked through once, as it leads to the same
// members whoever gives one of its partitions. Empty when there is none.
PartitionBalancer::Path PartitionBalancer::evening_path(size_t source, bool kept_may_move) const {
    if (load_[source] < 2) {
        return {};
    }
    std::vector<std::optional<Step>> reached_by(members_.size());
    std::set<std::string_view> walked;
    std::vector<size_t> level = {source};
    std::optional<size_t> target;
    while (!level.empty() && !target) {
        std::vector<size_t> next;
        for (size_t member : level) {
            for (const auto& [topic, partitions] : held_[member]) {
                if (walked.contains(topic) || !may_give(member, topic, kept_may_move)) {
                    continue;
                }
                walked.insert(topic);
                for (size_t taker : subscribers_.at(topic)) {
                    if (taker == source || reached_by[taker]) {
                        continue;
                    }
                    reached_by[taker] = Step{member, &topic, taker};
                    next.push_back(taker);
                    bool evens = load_[taker] + 2 <= load_[source];
                    if (evens && (!target || load_[taker] < load_[*target])) {
                        target = taker;
                    }
                }
            }
        }
        level = std::move(next);
    }
    Path path;
    for (auto at = target; at && *at != source; at = path.back().from) {
        path.push_back(*reached_by[*at]);
    }
    return path;
}

bool PartitionBalancer::may_give(size_t member, const std::string& topic,
                                 bool kept_may_move) const {
    return std::ranges::any_of(held_[member].at(topic), [&](int32_t partition) {
        auto kept = kept_by_.find({topic, partition});
        return kept_may_move || kept == kept_by_.end() || kept->second != member;
    });
}

// Gives back what the taker had, else what the giver did not have, else the highest partition.
void PartitionBalancer::move_one(const Step& step) {
    std::set<int32_t>& partitions = held_[step.from].at(*step.topic);
    auto rank = [&](int32_t partition) {
        auto kept = kept_by_.find({*step.topic, partition});
        if (kept == kept_by_.end()) {
            return 1;
        }
        return kept->second == step.to ? 2 : (kept->second == step.from ? -1 : 0);
    };
    int32_t chosen = *std::ranges::max_element(
        partitions, {}, [&](int32_t partition) { return std::pair(rank(partition), partition); });
    held_[step.to][*step.topic].insert(chosen);
    partitions.erase(chosen);
    --load_[step.from];
    ++load_[step.to];
}

}  // namespace moldau::client
