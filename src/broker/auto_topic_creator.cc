#include "broker/auto_topic_creator.h"

#include "broker/metadata_cache.h"
#include "metadata/topic_name.h"
#include "protocol/messages/create_topics.h"
#include "quorum/controller_channel.h"
#include "runtime/logging.h"

namespace moldau::broker {
namespace {

runtime::Logger log("kafka.server.DefaultAutoTopicCreationManager");

using protocol::CreateTopicsRequest;

constexpr int16_t kUseDefault = -1;

void add_config(CreateTopicsRequest::CreatableTopic& topic, std::string name, std::string value) {
    auto& config = topic.configs.emplace_back();
    config.name = std::move(name);
    config.value = std::move(value);
}

CreateTopicsRequest::CreatableTopic creatable_topic(const std::string& name,
                                                    const config::ServerConfig& config) {
    CreateTopicsRequest::CreatableTopic topic;
    topic.name = name;
    topic.num_partitions = kUseDefault;
    topic.replication_factor = kUseDefault;
    if (name == metadata::kGroupMetadataTopic) {
        topic.num_partitions = config.get_int("offsets.topic.num.partitions");
        topic.replication_factor =
            static_cast<int16_t>(config.get_int("offsets.topic.replication.factor"));
        add_config(topic, "cleanup.policy", "compact");
        add_config(topic, "compression.type", "producer");
        add_config(topic, "segment.bytes",
                   std::to_string(config.get_int("offsets.topic.segment.bytes")));
    }
    return topic;
}

std::map<std::string, ErrorCode> outcomes_of(
    const std::vector<std::string>& names, const Result<protocol::CreateTopicsResponse>& response) {
    std::map<std::string, ErrorCode> outcomes;
    if (!response) {
        MOLDAU_LOG_WARN(log, "Auto topic creation failed for {} with error '{}': {}",
                        fmt::join(names, ","), response.error().code, response.error().message);
        for (const std::string& name : names) {
            outcomes.emplace(name, response.error().code);
        }
        return outcomes;
    }
    for (const auto& result : response->topics) {
        ErrorCode code = error_code_from_wire(result.error_code);
        if (code == ErrorCode::TopicAlreadyExists) {
            code = ErrorCode::None;
        }
        if (code != ErrorCode::None) {
            MOLDAU_LOG_WARN(log, "Auto topic creation failed for {} with error '{}': {}",
                            result.name, code, result.error_message.value_or(""));
        }
        outcomes.emplace(result.name, code);
    }
    return outcomes;
}

}  // namespace

void AutoTopicCreator::create(const std::vector<std::string>& names, std::string_view principal,
                              Done done) {
    constexpr int16_t kVersion = 7;
    constexpr Duration kTimeout = seconds(30);
    config::ServerConfig config = config_.get();
    CreateTopicsRequest request;
    request.timeout_ms = static_cast<int32_t>(to_ms(kTimeout));
    for (const std::string& name : names) {
        request.topics.push_back(creatable_topic(name, config));
    }
    quorum::ControllerRequest sent;
    sent.api_key = CreateTopicsRequest::kApiKey;
    sent.api_version = kVersion;
    sent.body = protocol::encode(request, kVersion);
    sent.principal = std::string(principal);
    sent.forwarded = true;
    sent.timeout = kTimeout;
    controller_.send(std::move(sent), [names, done = std::move(done)](
                                          Result<protocol::Chain> body) mutable {
        Result<protocol::CreateTopicsResponse> response =
            body ? protocol::decode<protocol::CreateTopicsResponse>(protocol::join(*body), kVersion)
                 : Result<protocol::CreateTopicsResponse>(std::unexpected(std::move(body).error()));
        done(outcomes_of(names, response));
    });
}

}  // namespace moldau::broker
