#include "broker/handlers/09_offset_fetch.h"

#include <memory>
#include <utility>
#include <vector>

#include "broker/broker.h"
#include "broker/coordinator_host.h"
#include "broker/metadata_cache.h"

namespace moldau::broker {

namespace {

constexpr int16_t kGroupErrorVersionMin = 2;
constexpr int16_t kGroupsVersionMin = 8;
constexpr int16_t kTopicIdVersionMin = 10;

using Group = coordinator::OffsetFetchGroup;
using GroupResult = coordinator::FetchedOffsets;
using Topics = protocol::OffsetFetchRequest::OffsetFetchRequestTopics;
using TopicsResult = protocol::OffsetFetchResponse::OffsetFetchResponseTopics;

// The one group of an old request, in the newer form.
Group only_group(protocol::OffsetFetchRequest& request) {
    Group group;
    group.group_id = std::move(request.group_id);
    group.topics.reset();
    if (request.topics) {
        group.topics.emplace();
        for (auto& topic : *request.topics) {
            Topics& entry = group.topics->emplace_back();
            entry.name = std::move(topic.name);
            entry.partition_indexes = std::move(topic.partition_indexes);
        }
    }
    return group;
}

TopicsResult refused(const Topics& topic, ErrorCode error) {
    TopicsResult result;
    result.name = topic.name;
    result.topic_id = topic.topic_id;
    for (int32_t index : topic.partition_indexes) {
        auto& partition = result.partitions.emplace_back();
        partition.partition_index = index;
        partition.committed_offset = -1;
        partition.metadata = "";
        partition.error_code = to_wire(error);
    }
    return result;
}

// Puts names in the place of ids; topics without one are taken out and answered here.
std::vector<TopicsResult> resolve_ids(const metadata::Image& image, Group& group) {
    std::vector<TopicsResult> unknown;
    if (!group.topics) {
        return unknown;
    }
    std::erase_if(*group.topics, [&](Topics& topic) {
        const metadata::Topic* found = image.topics.find(topic.topic_id);
        if (found == nullptr) {
            unknown.push_back(refused(topic, ErrorCode::UnknownTopicId));
            return true;
        }
        topic.name = found->name;
        return false;
    });
    return unknown;
}

// An answer with all offsets names topics; from version 10 on it must give their ids, and leaves
// out those that are gone.
void add_ids(const metadata::Image& image, GroupResult& result) {
    std::erase_if(result.topics, [&](TopicsResult& topic) {
        if (topic.topic_id.is_zero()) {
            const metadata::Topic* found = image.topics.find(topic.name);
            topic.topic_id = found == nullptr ? kZeroUuid : found->id;
        }
        return topic.topic_id.is_zero();
    });
}

// Version 1 has no place for the error of a group, so every partition carries it.
std::vector<TopicsResult> spread_error(const Group& group, int16_t error) {
    std::vector<TopicsResult> topics;
    for (const Topics& topic : group.topics.value_or(std::vector<Topics>())) {
        topics.push_back(refused(topic, error_code_from_wire(error)));
    }
    return topics;
}

protocol::OffsetFetchResponse old_form(GroupResult result) {
    protocol::OffsetFetchResponse response;
    response.error_code = result.error_code;
    for (TopicsResult& topic : result.topics) {
        auto& entry = response.topics.emplace_back();
        entry.name = std::move(topic.name);
        for (auto& partition : topic.partitions) {
            auto& offset = entry.partitions.emplace_back();
            offset.partition_index = partition.partition_index;
            offset.committed_offset = partition.committed_offset;
            offset.committed_leader_epoch = partition.committed_leader_epoch;
            offset.metadata = std::move(partition.metadata);
            offset.error_code = partition.error_code;
        }
    }
    return response;
}

// The answers of all groups of one request; the last one sends it.
struct Gathering {
    explicit Gathering(Request asked) : request(std::move(asked)) {}

    void part_done() {
        if (--parts_left > 0) {
            return;
        }
        if (request.version() < kGroupsVersionMin) {
            request.respond(old_form(std::move(groups.front())));
        } else {
            protocol::OffsetFetchResponse response;
            response.groups = std::move(groups);
            request.respond(response);
        }
    }

    Request request;
    std::vector<GroupResult> groups;  // in the order of the request
    size_t parts_left = 0;
};

}  // namespace

void handle_offset_fetch(Broker& broker, Request request) {
    auto message = request.read<protocol::OffsetFetchRequest>();
    if (!message) {
        return;
    }
    int16_t version = request.version();
    if (version < kGroupsVersionMin) {
        message->groups = {only_group(*message)};
    }
    if (message->groups.empty()) {
        return request.respond(protocol::OffsetFetchResponse());
    }
    metadata::ImagePtr image = broker.metadata->image();
    bool by_id = version >= kTopicIdVersionMin;
    auto whole = std::make_shared<Gathering>(std::move(request));
    whole->groups.resize(message->groups.size());
    whole->parts_left = message->groups.size();
    for (size_t i = 0; i < message->groups.size(); ++i) {
        Group group = std::move(message->groups[i]);
        std::vector<TopicsResult> unknown;
        if (by_id) {
            unknown = resolve_ids(*image, group);
        }
        Group asked = version < kGroupErrorVersionMin ? group : Group();
        broker.coordinators->fetch_offsets(
            std::move(group), message->require_stable,
            [whole, i, version, by_id, image, asked = std::move(asked),
             unknown = std::move(unknown)](GroupResult result) mutable {
                if (result.error_code != to_wire(ErrorCode::None)) {
                    if (version < kGroupErrorVersionMin) {
                        result.topics = spread_error(asked, result.error_code);
                    }
                } else if (by_id) {
                    add_ids(*image, result);
                    std::ranges::move(unknown, std::back_inserter(result.topics));
                }
                whole->groups[i] = std::move(result);
                whole->part_done();
            });
    }
}

}  // namespace moldau::broker
