#include "broker/handlers/10_find_coordinator.h"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "broker/auto_topic_creator.h"
#include "broker/broker.h"
#include "broker/coordinator_host.h"
#include "broker/metadata_cache.h"
#include "metadata/topic_name.h"
#include "protocol/messages/find_coordinator.h"

namespace moldau::broker {

namespace {

constexpr int16_t kSeveralKeysVersionMin = 4;
constexpr int16_t kShareVersionMin = 6;
constexpr int8_t kGroupKey = 0;
constexpr int8_t kTransactionKey = 1;
constexpr int8_t kShareKey = 2;
constexpr const char* kNoTransactions = "transactions are not served by this node";
constexpr const char* kNotAvailable = "The coordinator is not available.";
constexpr const char* kMalformed =
    "This most likely occurs because of a request being malformed by the client library or the "
    "message was sent to an incompatible broker. See the broker logs for more details.";

using Coordinator = protocol::FindCoordinatorResponse::Coordinator;

Coordinator refusal(std::string key, ErrorCode error, std::string why = "") {
    Coordinator result;
    result.key = std::move(key);
    result.node_id = -1;
    result.port = -1;
    result.error_code = to_wire(error);
    result.error_message = std::move(why);
    return result;
}

// A share partition as a key: group:topicId:partition.
bool is_share_key(std::string_view key) {
    size_t second = key.rfind(':');
    size_t first = second == key.npos || second == 0 ? key.npos : key.rfind(':', second - 1);
    if (first == key.npos || first == 0 || key.find_first_not_of(' ') >= first) {
        return false;
    }
    int32_t partition = 0;
    const char* end = key.data() + key.size();
    auto parsed = std::from_chars(key.data() + second + 1, end, partition);
    return parsed.ec == std::errc() && parsed.ptr == end &&
           Uuid::parse(key.substr(first + 1, second - first - 1)).has_value();
}

// The answer about what is not a group.
Coordinator refuse_key(int16_t version, int8_t type, std::string key) {
    if (type == kTransactionKey) {
        return refusal(std::move(key), ErrorCode::UnsupportedVersion, kNoTransactions);
    }
    if (type == kShareKey && version >= kShareVersionMin && is_share_key(key)) {
        return refusal(std::move(key), ErrorCode::UnsupportedVersion);
    }
    // One key alone is refused with words; among several only a type that nobody knows is.
    bool has_words = type != kShareKey || version < kSeveralKeysVersionMin;
    return refusal(std::move(key), ErrorCode::InvalidRequest, has_words ? kMalformed : "");
}

// The leader of the group's partition, as the listener's clients reach it.
Coordinator locate(const metadata::Image& image, int32_t partition, std::string key,
                   std::string_view listener) {
    const metadata::Partition* state =
        image.topics.partition(metadata::kGroupMetadataTopic, partition);
    const metadata::Broker* leader =
        state != nullptr && state->has_leader() ? image.cluster.broker(state->leader) : nullptr;
    const metadata::Endpoint* endpoint =
        leader != nullptr && !leader->fenced ? leader->endpoint(listener) : nullptr;
    if (endpoint == nullptr) {
        return refusal(std::move(key), ErrorCode::CoordinatorNotAvailable, kNotAvailable);
    }
    Coordinator result;
    result.key = std::move(key);
    result.node_id = leader->id;
    result.host = endpoint->host;
    result.port = endpoint->port;
    return result;
}

void respond(Request& request, std::vector<Coordinator> coordinators) {
    protocol::FindCoordinatorResponse response;
    if (request.version() >= kSeveralKeysVersionMin) {
        response.coordinators = std::move(coordinators);
        return request.respond(response);
    }
    Coordinator& only = coordinators.front();
    response.error_code = only.error_code;
    response.node_id = only.node_id;
    response.host = std::move(only.host);
    response.port = only.port;
    // Kafka's word for success is in this field, too.
    bool is_found = only.error_code == to_wire(ErrorCode::None);
    response.error_message =
        is_found ? std::string(error_name(ErrorCode::None)) : std::move(only.error_message);
    request.respond(response);
}

void respond_with_groups(const Broker& broker, Request& request,
                         const std::vector<std::string>& keys) {
    metadata::ImagePtr image = broker.metadata->image();
    std::vector<Coordinator> coordinators;
    for (const std::string& key : keys) {
        coordinators.push_back(
            locate(*image, broker.coordinators->partition_for(key), key, request.listener_name()));
    }
    respond(request, std::move(coordinators));
}

}  // namespace

void handle_find_coordinator(Broker& broker, Request request) {
    auto message = request.read<protocol::FindCoordinatorRequest>();
    if (!message) {
        return;
    }
    std::vector<std::string> keys = std::move(message->coordinator_keys);
    if (request.version() < kSeveralKeysVersionMin) {
        keys = {std::move(message->key)};
    }
    if (message->key_type != kGroupKey) {
        std::vector<Coordinator> refusals;
        for (std::string& key : keys) {
            refusals.push_back(refuse_key(request.version(), message->key_type, std::move(key)));
        }
        return respond(request, std::move(refusals));
    }
    if (broker.metadata->image()->topics.find(metadata::kGroupMetadataTopic) != nullptr) {
        return respond_with_groups(broker, request, keys);
    }
    // The first group of a cluster: its topic is made on the way, which spares the client a retry.
    std::string principal = request.principal();
    broker.auto_topics->create(
        {std::string(metadata::kGroupMetadataTopic)}, principal,
        [&broker, keys = std::move(keys), request = std::move(request)](const auto&) mutable {
            respond_with_groups(broker, request, keys);
        });
}

}  // namespace moldau::broker
