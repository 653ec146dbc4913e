#include "quorum/controller_apis.h"

#include <algorithm>
#include <array>

#include "controller/brokers.h"
#include "controller/configs.h"
#include "controller/features.h"
#include "controller/leaders.h"
#include "controller/producer_ids.h"
#include "controller/topics.h"
#include "protocol/api_keys.h"
#include "protocol/messages/describe_quorum.h"
#include "quorum/encode_chain.h"
#include "quorum/quorum_driver.h"

namespace moldau::quorum {

namespace {

using namespace protocol;
using controller::Decision;

// An error without words is answered with a null message.
std::optional<std::string> message_of(const Error& error) {
    return error.message.empty() ? std::nullopt : std::optional(error.message);
}

// The response that says that the whole request failed: where it has one error code, there; where
// it answers item by item, at each of them.
template <typename Response, typename Request>
    requires requires(Response r) { r.error_code; }
Response error_response(const Request&, const Error& error) {
    Response response;
    response.error_code = to_wire(error.code);
    if constexpr (requires { response.error_message; }) {
        response.error_message = message_of(error);
    }
    return response;
}

template <typename Response>
CreateTopicsResponse error_response(const CreateTopicsRequest& request, const Error& error) {
    CreateTopicsResponse response;
    for (const auto& topic : request.topics) {
        auto& result = response.topics.emplace_back();
        result.name = topic.name;
        result.error_code = to_wire(error.code);
        result.error_message = message_of(error);
    }
    return response;
}

template <typename Response>
DeleteTopicsResponse error_response(const DeleteTopicsRequest& request, const Error& error) {
    DeleteTopicsResponse response;
    auto add = [&](std::optional<std::string> name, const Uuid& id) {
        auto& result = response.responses.emplace_back();
        result.name = std::move(name);
        result.topic_id = id;
        result.error_code = to_wire(error.code);
        result.error_message = message_of(error);
    };
    for (const std::string& name : request.topic_names) {
        add(name, kZeroUuid);
    }
    for (const auto& topic : request.topics) {
        add(topic.name, topic.topic_id);
    }
    return response;
}

template <typename Response>
ElectLeadersResponse error_response(const ElectLeadersRequest& request, const Error& error) {
    ElectLeadersResponse response;
    response.error_code = to_wire(error.code);
    if (!request.topic_partitions) {
        return response;
    }
    for (const auto& topic : *request.topic_partitions) {
        auto& results = response.replica_election_results.emplace_back();
        results.topic = topic.topic;
        for (int32_t index : topic.partitions) {
            auto& result = results.partition_result.emplace_back();
            result.partition_id = index;
            result.error_code = to_wire(error.code);
            result.error_message = message_of(error);
        }
    }
    return response;
}

template <typename Response>
AlterPartitionReassignmentsResponse error_response(
    const AlterPartitionReassignmentsRequest& request, const Error& error) {
    AlterPartitionReassignmentsResponse response;
    response.error_code = to_wire(error.code);
    response.error_message = message_of(error);
    for (const auto& topic : request.topics) {
        auto& topic_answer = response.responses.emplace_back();
        topic_answer.name = topic.name;
        for (const auto& partition : topic.partitions) {
            auto& answer = topic_answer.partitions.emplace_back();
            answer.partition_index = partition.partition_index;
            answer.error_code = to_wire(error.code);
            answer.error_message = message_of(error);
        }
    }
    return response;
}

template <typename Response>
CreatePartitionsResponse error_response(const CreatePartitionsRequest& request,
                                        const Error& error) {
    CreatePartitionsResponse response;
    for (const auto& topic : request.topics) {
        auto& result = response.results.emplace_back();
        result.name = topic.name;
        result.error_code = to_wire(error.code);
        result.error_message = message_of(error);
    }
    return response;
}

template <typename Response, typename Request>
    requires requires(Response r, Request q) {
        r.responses.front().resource_name;
        q.resources;
    }
Response error_response(const Request& request, const Error& error) {
    Response response;
    for (const auto& resource : request.resources) {
        auto& result = response.responses.emplace_back();
        result.resource_type = resource.resource_type;
        result.resource_name = resource.resource_name;
        result.error_code = to_wire(error.code);
        result.error_message = message_of(error);
    }
    return response;
}

// Kafka gives up a request whose own time limit has passed before it is looked at, which with a
// limit of zero is always. Requests that ask for nothing are answered before that.
template <typename Request>
bool is_out_of_time(const Request& request) {
    if constexpr (requires {
                      request.timeout_ms;
                      request.topic_partitions;
                  }) {
        return request.timeout_ms <= 0;
    } else if constexpr (requires {
                             request.timeout_ms;
                             request.topics.empty();
                             request.topic_names;
                         }) {
        return request.timeout_ms <= 0 && !(request.topics.empty() && request.topic_names.empty());
    } else if constexpr (requires {
                             request.timeout_ms;
                             request.topics.empty();
                         }) {
        return request.timeout_ms <= 0 && !request.topics.empty();
    } else {
        return false;
    }
}

// An error as the answer in one version.
template <typename Response, typename Request>
Result<protocol::Chain> encode_error(const Request& request, const Error& error, int16_t version) {
    auto response = error_response<Response>(request, error);
    if constexpr (std::is_same_v<Response, ElectLeadersResponse>) {
        if (version == 0) {
            response.error_code = 0;  // the partitions alone tell it there
        }
    }
    return encode_chain(response, version);
}

// One served API: reads the request, asks `decider(context, message, request)`, which returns a
// Decision or a Result of one, and encodes what comes back.
template <typename Request, typename Response, typename Decider>
Result<EncodedDecision> serve(const ControllerContext& context, const ControllerRequest& request,
                              Decider&& decider) {
    int16_t version = request.api_version;
    MOLDAU_TRY(Request message, decode<Request>(request.body, version));
    Result<Decision<Response>> decision =
        is_out_of_time(message)
            ? Result<Decision<Response>>(moldau::fail(Error{ErrorCode::RequestTimedOut, ""}))
            : decider(context, message, request);
    EncodedDecision encoded;
    if (!decision) {
        MOLDAU_TRY(encoded.response, encode_error<Response>(message, decision.error(), version));
        return encoded;
    }
    encoded.records = std::move(decision->records);
    encoded.atomic = decision->atomic;
    MOLDAU_TRY(encoded.response, encode_chain(decision->response, version));
    encoded.failed = [message = std::move(message), version](const Error& error) {
        return encode_error<Response>(message, error, version);
    };
    return encoded;
}

Result<EncodedDecision> serve_registration(const ControllerContext& context,
                                           const ControllerRequest& request) {
    std::optional<int32_t> forget;
    auto encoded = serve<BrokerRegistrationRequest, BrokerRegistrationResponse>(
        context, request, [&forget](const auto& c, const auto& message, const auto& asked) {
            auto decision =
                controller::register_broker(c.view, c.sessions, message, asked.api_version,
                                            c.quorum.kraft_version(), c.next_offset, c.now);
            const metadata::Broker* existing = c.view.state.broker(message.broker_id);
            if (decision &&
                (existing == nullptr || existing->incarnation_id != message.incarnation_id)) {
                forget = message.broker_id;
            }
            return decision;
        });
    if (encoded && forget) {
        encoded->afterwards = [id = *forget](controller::Sessions& sessions, int64_t) {
            sessions.remove(id);
        };
    }
    return encoded;
}

Result<EncodedDecision> serve_heartbeat(const ControllerContext& context,
                                        const ControllerRequest& request) {
    std::optional<BrokerHeartbeatRequest> accepted;
    bool stops = false;
    auto encoded = serve<BrokerHeartbeatRequest, BrokerHeartbeatResponse>(
        context, request,
        [&](const auto& c, const auto& message,
            const auto&) -> Result<Decision<BrokerHeartbeatResponse>> {
            MOLDAU_TRY(auto decision, controller::heartbeat(c.view, c.sessions, message));
            accepted = message;
            stops = decision.enters_controlled_shutdown;
            return std::move(decision.decision);
        });
    if (encoded && accepted) {
        encoded->afterwards = [heard = *accepted, stops, now = context.now](
                                  controller::Sessions& sessions, int64_t last_offset) {
            sessions.touch(heard.broker_id, heard.broker_epoch, heard.current_metadata_offset, now);
            if (stops) {
                sessions.set_controlled_shutdown_offset(heard.broker_id, last_offset);
            }
        };
    }
    return encoded;
}

bool asks_for_the_metadata_partition(const DescribeQuorumRequest& request) {
    return request.topics.size() == 1 && request.topics[0].topic_name == "__cluster_metadata" &&
           request.topics[0].partitions.size() == 1 &&
           request.topics[0].partitions[0].partition_index == 0;
}

void fill(std::vector<DescribeQuorumResponse::ReplicaState>& to,
          const std::vector<ReplicaInfo>& replicas, int16_t version) {
    for (const ReplicaInfo& replica : replicas) {
        auto& state = to.emplace_back();
        state.replica_id = replica.key.id.value();
        if (version >= 2) {
            state.replica_directory_id = replica.key.directory;
        }
        state.log_end_offset = replica.log_end_offset.value();
        state.last_fetch_timestamp = replica.last_fetch_timestamp;
        state.last_caught_up_timestamp = replica.last_caught_up_timestamp;
    }
}

void fill_nodes(DescribeQuorumResponse& response, const std::vector<consensus::Voter>& voters) {
    for (const consensus::Voter& voter : voters) {
        auto& node = response.nodes.emplace_back();
        node.node_id = voter.key.id.value();
        for (const consensus::Endpoint& endpoint : voter.endpoints) {
            auto& listener = node.listeners.emplace_back();
            listener.name = endpoint.listener;
            listener.host = endpoint.host;
            listener.port = endpoint.port;
        }
    }
}

// Asked for anything but the one metadata partition, every partition is unknown.
DescribeQuorumResponse describe_quorum(const ControllerContext& context,
                                       const DescribeQuorumRequest& request, int16_t version) {
    DescribeQuorumResponse response;
    bool known = asks_for_the_metadata_partition(request);
    Result<QuorumInfo> info = context.quorum.describe();
    for (const auto& topic : request.topics) {
        auto& topic_answer = response.topics.emplace_back();
        topic_answer.topic_name = topic.topic_name;
        for (const auto& partition : topic.partitions) {
            auto& answer = topic_answer.partitions.emplace_back();
            answer.partition_index = partition.partition_index;
            if (!known) {
                answer.error_code = to_wire(ErrorCode::UnknownTopicOrPartition);
                answer.error_message = "This server does not host this topic-partition.";
            } else if (!info) {
                answer.error_code = to_wire(info.error().code);
                answer.error_message = info.error().message;
            } else {
                answer.leader_id = info->leader.value();
                answer.leader_epoch = info->epoch.value();
                answer.high_watermark = info->high_watermark.value();
                fill(answer.current_voters, info->voters, version);
                fill(answer.observers, info->observers, version);
            }
        }
    }
    if (version >= 2 && known && info) {
        fill_nodes(response, info->nodes);
    }
    return response;
}

template <typename Response>
Decision<Response> read_only(Response response) {
    Decision<Response> decision;
    decision.response = std::move(response);
    return decision;
}

using Server = Result<EncodedDecision> (*)(const ControllerContext&, const ControllerRequest&);
using Refuser = Result<Chain> (*)(const ControllerRequest&, const Error&);

struct Entry {
    ApiKey key;
    Server server;
    Refuser refuser;
};

template <typename Request, typename Response>
Result<Chain> refuse(const ControllerRequest& request, const Error& error) {
    MOLDAU_TRY(Request message, decode<Request>(request.body, request.api_version));
    return encode_error<Response>(message, error, request.api_version);
}

template <typename Response>
Response response_of(const Decision<Response>&);
template <typename Response>
Response response_of(const Result<Decision<Response>>&);

template <typename Request>
constexpr Entry entry(Server server, Refuser refuser) {
    return {static_cast<ApiKey>(Request::kApiKey), server, refuser};
}

// `Decider` is a lambda without captures: (context, message, request) -> Decision or a Result of
// one.
template <typename Request, typename Decider>
constexpr Entry api(Decider) {
    using Response = decltype(response_of(Decider()(std::declval<const ControllerContext&>(),
                                                    std::declval<const Request&>(),
                                                    std::declval<const ControllerRequest&>())));
    return entry<Request>(
        [](const ControllerContext& context, const ControllerRequest& request) {
            return serve<Request, Response>(context, request, Decider());
        },
        refuse<Request, Response>);
}

using Context = ControllerContext;
using Asked = ControllerRequest;

constexpr std::array kApis = {
    api<CreateTopicsRequest>([](const Context& c, const auto& message, const Asked& asked) {
        return controller::create_topics(c.view, message, asked.forwarded, c.draw);
    }),
    api<DeleteTopicsRequest>([](const Context& c, const auto& message, const Asked& asked) {
        return controller::delete_topics(c.view, message, asked.api_version);
    }),
    api<CreatePartitionsRequest>([](const Context& c, const auto& message, const Asked&) {
        return controller::create_partitions(c.view, message, c.draw);
    }),
    api<AlterConfigsRequest>([](const Context& c, const auto& message, const Asked& asked) {
        return controller::alter_configs(c.view, message, asked.forwarded);
    }),
    api<IncrementalAlterConfigsRequest>(
        [](const Context& c, const auto& message, const Asked& asked) {
            return controller::incremental_alter_configs(c.view, message, asked.forwarded);
        }),
    api<ElectLeadersRequest>([](const Context& c, const auto& message, const Asked&) {
        return controller::elect_leaders(c.view, message);
    }),
    api<AlterPartitionReassignmentsRequest>(
        [](const Context& c, const auto& message, const Asked&) {
            return controller::alter_partition_reassignments(c.view, message);
        }),
    api<ListPartitionReassignmentsRequest>([](const Context& c, const auto& message, const Asked&) {
        return read_only(controller::list_partition_reassignments(c.view.state, message));
    }),
    api<DescribeQuorumRequest>([](const Context& c, const auto& message, const Asked& asked) {
        return read_only(describe_quorum(c, message, asked.api_version));
    }),
    api<AlterPartitionRequest>([](const Context& c, const auto& message, const Asked& asked) {
        return controller::alter_partition(c.view, message, asked.api_version);
    }),
    api<UpdateFeaturesRequest>([](const Context& c, const auto& message, const Asked& asked) {
        std::vector<int32_t> voters;
        for (BrokerId id : c.quorum.voters().ids()) {
            voters.push_back(id.value());
        }
        return controller::update_features(c.view, message, asked.api_version,
                                           c.quorum.kraft_version(), voters);
    }),
    entry<BrokerRegistrationRequest>(serve_registration,
                                     refuse<BrokerRegistrationRequest, BrokerRegistrationResponse>),
    entry<BrokerHeartbeatRequest>(serve_heartbeat,
                                  refuse<BrokerHeartbeatRequest, BrokerHeartbeatResponse>),
    api<UnregisterBrokerRequest>([](const Context& c, const auto& message, const Asked&) {
        return controller::unregister_broker(c.view, message);
    }),
    api<AllocateProducerIdsRequest>([](const Context& c, const auto& message, const Asked&) {
        return controller::allocate_producer_ids(c.view, message);
    }),
    api<ControllerRegistrationRequest>([](const Context& c, const auto& message, const Asked&) {
        return controller::register_controller(c.view, message);
    }),
    api<AssignReplicasToDirsRequest>([](const Context& c, const auto& message, const Asked&) {
        return controller::assign_replicas_to_directories(c.view, message);
    }),
};

// Errors: UnsupportedVersion.
Result<const Entry*> find_entry(const ControllerRequest& request) {
    auto at = std::ranges::find(kApis, static_cast<ApiKey>(request.api_key), &Entry::key);
    const ApiInfo* info = find_api(request.api_key);
    if (at == kApis.end() || info == nullptr || !info->served().contains(request.api_version)) {
        return moldau::fail(ErrorCode::UnsupportedVersion,
                            "the controller does not serve this: api_key={} version={}",
                            request.api_key, request.api_version);
    }
    return &*at;
}

}  // namespace

bool is_controller_api(int16_t api_key) {
    return std::ranges::find(kApis, static_cast<ApiKey>(api_key), &Entry::key) != kApis.end();
}

Result<EncodedDecision> decide(const ControllerContext& context, const ControllerRequest& request) {
    MOLDAU_TRY(const Entry* found, find_entry(request));
    return found->server(context, request);
}

Result<Chain> error_response_for(const ControllerRequest& request, const Error& error) {
    MOLDAU_TRY(const Entry* found, find_entry(request));
    return found->refuser(request, error);
}

}  // namespace moldau::quorum
