#include "client/assignor.h"

#include <algorithm>

#include "client/sticky_assignor.h"

namespace moldau::client {
namespace {

// Static members keep their place over restarts: they sort by instance id, before the dynamic ones.
std::vector<const AssignorMember*> in_order(const std::vector<AssignorMember>& members) {
    std::vector<const AssignorMember*> sorted;
    for (const AssignorMember& member : members) {
        sorted.push_back(&member);
    }
    std::ranges::sort(sorted, [](const AssignorMember* a, const AssignorMember* b) {
        if (a->group_instance_id && b->group_instance_id) {
            return *a->group_instance_id < *b->group_instance_id;
        }
        if (a->group_instance_id || b->group_instance_id) {
            return a->group_instance_id.has_value();
        }
        return a->member_id < b->member_id;
    });
    return sorted;
}

Assignments empty_for_all(const std::vector<AssignorMember>& members) {
    Assignments assignments;
    for (const AssignorMember& member : members) {
        assignments[member.member_id];
    }
    return assignments;
}

std::optional<Bytes> no_user_data(const std::vector<TopicPartition>&, int32_t) {
    return std::nullopt;
}

constexpr Assignor kAssignors[] = {
    {"range", "org.apache.kafka.clients.consumer.RangeAssignor", false, assign_range, no_user_data},
    {"roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor", false,
     assign_round_robin, no_user_data},
    {"sticky", "org.apache.kafka.clients.consumer.StickyAssignor", false, assign_sticky,
     sticky_user_data},
    {"cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor", true,
     assign_cooperative_sticky, cooperative_sticky_user_data},
};

}  // namespace

const Assignor* find_assignor(std::string_view name) {
    auto found = std::ranges::find_if(kAssignors, [&](const Assignor& assignor) {
        return assignor.protocol == name || assignor.java_class == name;
    });
    return found == std::end(kAssignors) ? nullptr : &*found;
}

Assignments assign_range(const std::vector<AssignorMember>& members,
                         const PartitionCounts& counts) {
    Assignments assignments = empty_for_all(members);
    std::vector<const AssignorMember*> sorted = in_order(members);
    for (const auto& [topic, count] : counts) {
        std::vector<const AssignorMember*> subscribed;
        std::ranges::copy_if(sorted, std::back_inserter(subscribed),
                             [&](const AssignorMember* m) { return m->topics.contains(topic); });
        if (subscribed.empty()) {
            continue;
        }
        int32_t size = static_cast<int32_t>(subscribed.size());
        int32_t next = 0;
        for (int32_t i = 0; i < size; ++i) {
            int32_t share = count / size + (i < count % size ? 1 : 0);
            for (int32_t n = 0; n < share; ++n) {
                assignments[subscribed[i]->member_id].push_back({topic, next++});
            }
        }
    }
    return assignments;
}

Assignments assign_round_robin(const std::vector<AssignorMember>& members,
                               const PartitionCounts& counts) {
    Assignments assignments = empty_for_all(members);
    std::vector<const AssignorMember*> sorted = in_order(members);
    size_t turn = 0;
    for (const auto& [topic, count] : counts) {
        bool anyone = std::ranges::any_of(
            sorted, [&](const AssignorMember* member) { return member->topics.contains(topic); });
        for (int32_t partition = 0; anyone && partition < count; ++partition) {
            while (!sorted[turn % sorted.size()]->topics.contains(topic)) {
                ++turn;
            }
            assignments[sorted[turn % sorted.size()]->member_id].push_back({topic, partition});
            ++turn;
        }
    }
    return assignments;
}

}  // namespace moldau::client
