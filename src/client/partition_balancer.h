// PartitionBalancer shares partitions among members that may each have only some of the topics, as
// evenly as their subscriptions allow, and moves as little as it can of what they already have.
// Used by the sticky assignors on one thread; same input, same output.
//
// It looks at members and topics as a graph: a member leads to the members that may take one of its
// partitions. A shortest path from a member to one that has at least two less is a chain of moves
// that evens out the ends and leaves those between as they were; when there is none, no other
// sharing is more even.
#pragma once

#include <set>
#include <vector>

#include "client/assignor.h"

namespace moldau::client {

class PartitionBalancer {
 public:
    // Borrows both for its life. Members are in order of their ids.
    PartitionBalancer(const std::vector<AssignorMember>& members, const PartitionCounts& counts);

    // The member has the partition already. Each partition at most once, of a topic it subscribes
    // to.
    void keep(const TopicPartition& partition, size_t member);
    // What each member gets, by its index. Topics nobody subscribes to stay out.
    std::vector<std::vector<TopicPartition>> share();

 private:
    struct Step {
        size_t from;
        const std::string* topic;
        size_t to;
    };
    using Path = std::vector<Step>;

    void place_the_rest();
    void even_out(bool kept_may_move);
    Path evening_path(size_t source, bool kept_may_move) const;
    void move_one(const Step& step);
    bool may_give(size_t member, const std::string& topic, bool kept_may_move) const;

    const std::vector<AssignorMember>& members_;
    const PartitionCounts& counts_;
    std::map<std::string, std::vector<size_t>> subscribers_;
    std::map<TopicPartition, size_t> kept_by_;
    std::vector<std::map<std::string, std::set<int32_t>>> held_;  // by member
    std::vector<int64_t> load_;
};

}  // namespace moldau::client
