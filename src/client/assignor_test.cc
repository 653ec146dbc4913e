// Compares the assignors with what Kafka's made of the same groups (testdata/assignor_cases.txt).
#include "client/assignor.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "client/sticky_assignor.h"

namespace moldau::client {
namespace {

struct Case {
    int line = 0;
    std::string strategy;
    PartitionCounts counts;
    std::vector<AssignorMember> members;
    Assignments kafkas;
};

TopicPartition partition_of(const std::string& text) {
    size_t dash = text.rfind('-');
    return {text.substr(0, dash), std::stoi(text.substr(dash + 1))};
}

std::vector<TopicPartition> partitions_of(std::istream& words) {
    std::vector<TopicPartition> partitions;
    for (std::string word; words >> word;) {
        partitions.push_back(partition_of(word));
    }
    return partitions;
}

AssignorMember member_of(std::istream& words, bool owns_by_user_data) {
    AssignorMember member;
    std::string instance;
    std::string topics;
    words >> member.member_id >> instance >> member.generation >> topics;
    if (instance != "-") {
        member.group_instance_id = instance;
    }
    std::istringstream names(topics);
    for (std::string topic; std::getline(names, topic, ',');) {
        member.topics.insert(topic);
    }
    member.owned = partitions_of(words);
    if (owns_by_user_data) {
        member.user_data = sticky_user_data(member.owned, member.generation);
    }
    return member;
}

std::vector<Case> read_cases() {
    std::ifstream file(CLIENT_TESTDATA "/assignor_cases.txt");
    std::vector<Case> cases;
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        std::istringstream words(line);
        std::string verb;
        std::string name;
        words >> verb;
        if (verb == "case") {
            words >> name;
            cases.push_back({number, name, {}, {}, {}});
        } else if (verb == "topic") {
            int32_t count = 0;
            words >> name >> count;
            cases.back().counts[name] = count;
        } else if (verb == "member") {
            cases.back().members.push_back(member_of(words, cases.back().strategy == "sticky"));
        } else if (verb == "gets") {
            words >> name;
            cases.back().kafkas[name] = partitions_of(words);
        }
    }
    for (Case& one : cases) {
        std::erase_if(one.counts, [&](const auto& topic) {
            return std::ranges::none_of(one.members, [&](const AssignorMember& member) {
                return member.topics.contains(topic.first);
            });
        });
    }
    return cases;
}

bool equal_subscriptions(const Case& one) {
    return std::ranges::all_of(one.members, [&](const AssignorMember& member) {
        return member.topics == one.members.front().topics;
    });
}

Assignments sorted(Assignments assignments) {
    for (auto& [member, partitions] : assignments) {
        std::ranges::sort(partitions);
    }
    return assignments;
}

size_t unevenness(const Assignments& assignments) {
    size_t squares = 0;
    for (const auto& [member, partitions] : assignments) {
        squares += partitions.size() * partitions.size();
    }
    return squares;
}

Assignments assign(const Case& one) {
    return sorted(find_assignor(one.strategy)->assign(one.members, one.counts));
}

TEST(Assignors, give_what_kafkas_give) {
    int compared = 0;
    for (const Case& one : read_cases()) {
        bool sticky = one.strategy.ends_with("sticky");
        if (sticky && !equal_subscriptions(one)) {
            continue;
        }
        EXPECT_EQ(assign(one), sorted(one.kafkas)) << one.strategy << ", line " << one.line;
        ++compared;
    }
    EXPECT_GT(compared, 100);
}

// How many partitions stay with who had them.
size_t kept(const Case& one, const Assignments& assignments) {
    size_t count = 0;
    for (const AssignorMember& member : one.members) {
        count += static_cast<size_t>(
            std::ranges::count_if(assignments.at(member.member_id), [&](const TopicPartition& tp) {
                return std::ranges::find(member.owned, tp) != member.owned.end();
            }));
    }
    return count;
}

// Kafka's sticky assignor lets a member keep a partition of a topic that it no longer subscribes to
// when what it tries instead is not more even.
bool only_to_subscribers(const Case& one, const Assignments& assignments) {
    return std::ranges::all_of(one.members, [&](const AssignorMember& member) {
        return std::ranges::all_of(assignments.at(member.member_id), [&](const TopicPartition& tp) {
            return member.topics.contains(tp.topic);
        });
    });
}

TEST(Assignors, share_as_evenly_as_kafkas_where_subscriptions_differ_and_move_no_more) {
    size_t mine_kept = 0;
    size_t kafkas_kept = 0;
    for (const Case& one : read_cases()) {
        if (one.strategy != "sticky" || equal_subscriptions(one) ||
            !only_to_subscribers(one, one.kafkas)) {
            continue;
        }
        Assignments mine = assign(one);
        EXPECT_LE(unevenness(mine), unevenness(one.kafkas)) << "line " << one.line;
        if (unevenness(mine) == unevenness(one.kafkas)) {
            mine_kept += kept(one, mine);
            kafkas_kept += kept(one, one.kafkas);
        }
    }
    EXPECT_GT(kafkas_kept, 100u);
    EXPECT_GE(mine_kept, kafkas_kept);
}

TEST(Assignors, assign_every_partition_once_to_a_subscriber) {
    for (const Case& one : read_cases()) {
        Assignments assigned = assign(one);
        std::set<TopicPartition> seen;
        for (const AssignorMember& member : one.members) {
            for (const TopicPartition& tp : assigned.at(member.member_id)) {
                EXPECT_TRUE(member.topics.contains(tp.topic)) << "line " << one.line;
                EXPECT_TRUE(seen.insert(tp).second) << "line " << one.line;
            }
        }
        size_t total = 0;
        for (const auto& [topic, count] : one.counts) {
            total += static_cast<size_t>(count);
        }
        if (one.strategy != "cooperative-sticky") {
            EXPECT_EQ(seen.size(), total) << "line " << one.line;
        }
    }
}

TEST(CooperativeStickyAssignor, withholds_what_another_member_still_reads) {
    for (const Case& one : read_cases()) {
        if (one.strategy != "cooperative-sticky") {
            continue;
        }
        std::map<TopicPartition, std::set<std::string>> readers;
        for (const AssignorMember& member : one.members) {
            for (const TopicPartition& tp : member.owned) {
                readers[tp].insert(member.member_id);
            }
        }
        for (const auto& [member, partitions] : assign(one)) {
            for (const TopicPartition& tp : partitions) {
                EXPECT_TRUE(!readers.contains(tp) || readers[tp].contains(member))
                    << tp.str() << " line " << one.line;
            }
        }
    }
}

TEST(CooperativeStickyAssignor, settles_in_a_second_rebalance) {
    std::vector<AssignorMember> members(2);
    members[0] = {"a", std::nullopt, {"t"}, {{"t", 0}, {"t", 1}, {"t", 2}, {"t", 3}}, 1, {}};
    members[1] = {"b", std::nullopt, {"t"}, {}, -1, {}};
    Assignments first = assign_cooperative_sticky(members, {{"t", 4}});
    EXPECT_EQ(first["a"].size(), 2u);
    EXPECT_EQ(first["b"].size(), 0u);
    for (AssignorMember& member : members) {
        member.owned = first[member.member_id];
        member.generation = 2;
    }
    Assignments second = assign_cooperative_sticky(members, {{"t", 4}});
    EXPECT_EQ(second["a"], first["a"]);
    EXPECT_EQ(second["b"].size(), 2u);
}

TEST(CooperativeStickyAssignor, believes_the_younger_of_two_claims) {
    std::vector<AssignorMember> members = {
        {"a", std::nullopt, {"t"}, {{"t", 0}}, 4, {}},
        {"b", std::nullopt, {"t"}, {{"t", 0}}, 5, {}},
    };
    Assignments assigned = assign_cooperative_sticky(members, {{"t", 2}});
    EXPECT_EQ(assigned["b"], (std::vector<TopicPartition>{{"t", 0}}));
    EXPECT_EQ(assigned["a"], (std::vector<TopicPartition>{{"t", 1}}));
}

TEST(CooperativeStickyAssignor, gives_a_contested_partition_to_nobody_until_it_is_free) {
    std::vector<AssignorMember> members = {
        {"a", std::nullopt, {"t"}, {{"t", 0}}, 4, {}},
        {"b", std::nullopt, {"t"}, {{"t", 0}}, 4, {}},
    };
    Assignments assigned = assign_cooperative_sticky(members, {{"t", 1}});
    EXPECT_TRUE(assigned["a"].empty());
    EXPECT_TRUE(assigned["b"].empty());
}

TEST(StickyAssignor, evens_out_over_a_chain_of_members) {
    // a can only give to b, and only b to c.
    std::vector<AssignorMember> members = {
        {"a", std::nullopt, {"t"}, {}, -1, sticky_user_data({{"t", 0}, {"t", 1}, {"t", 2}}, 3)},
        {"b", std::nullopt, {"t", "u"}, {}, -1, sticky_user_data({{"u", 0}, {"u", 1}}, 3)},
        {"c", std::nullopt, {"u"}, {}, -1, std::nullopt},
    };
    Assignments assigned = assign_sticky(members, {{"t", 3}, {"u", 2}});
    EXPECT_EQ(unevenness(assigned), 9u);  // 2, 2, 1
}

TEST(StickyAssignor, owns_nothing_by_user_data_it_cannot_read) {
    std::vector<AssignorMember> members = {
        {"a", std::nullopt, {"t"}, {}, -1, Bytes::copy_of("\x7f\xff\xff\xff")},
        {"b", std::nullopt, {"t"}, {}, -1, sticky_user_data({{"t", 0}}, 3)},
    };
    Assignments assigned = assign_sticky(members, {{"t", 2}});
    EXPECT_EQ(assigned["b"], (std::vector<TopicPartition>{{"t", 0}}));
    EXPECT_EQ(assigned["a"], (std::vector<TopicPartition>{{"t", 1}}));
}

TEST(FindAssignor, knows_protocol_names_and_java_classes) {
    EXPECT_EQ(find_assignor("sticky"),
              find_assignor("org.apache.kafka.clients.consumer.StickyAssignor"));
    EXPECT_TRUE(find_assignor("cooperative-sticky")->cooperative);
    EXPECT_EQ(find_assignor("com.example.Mine"), nullptr);
}

}  // namespace
}  // namespace moldau::client
