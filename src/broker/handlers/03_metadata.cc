#include "broker/handlers/03_metadata.h"

#include "broker/auto_topic_creator.h"
#include "broker/broker.h"
#include "broker/metadata_answers.h"
#include "broker/metadata_cache.h"

namespace moldau::broker {
namespace {

AnswerContext context_of(const Broker& broker, const Request& request) {
    return {broker.cluster_id, request.listener_name(), request.version()};
}

// Only explicit topics can be wrong in a request, so each of them carries the error.
protocol::MetadataResponse refusal_of(const protocol::MetadataRequest& asked, ErrorCode code) {
    protocol::MetadataResponse response;
    response.error_code = to_wire(code);
    for (const auto& topic : *asked.topics) {
        auto& out = response.topics.emplace_back();
        out.name = topic.name.value_or("");
        out.topic_id = topic.topic_id;
        out.error_code = to_wire(code);
    }
    return response;
}

}  // namespace

void handle_metadata(Broker& broker, Request request) {
    auto asked = request.read<protocol::MetadataRequest>();
    if (!asked) {
        return;
    }
    auto answer = answer_metadata(*broker.metadata->image(), *asked, context_of(broker, request));
    if (!answer) {
        return request.respond(refusal_of(*asked, answer.error().code));
    }
    bool may_create = asked->allow_auto_topic_creation &&
                      broker.config->get().get_bool("auto.create.topics.enable");
    if (answer->missing.empty() || !may_create) {
        return request.respond(answer->response);
    }
    // Topics whose creation failed keep UnknownTopicOrPartition: the client will ask again.
    std::string principal = request.principal();
    broker.auto_topics->create(
        answer->missing, principal,
        [&broker, asked = *std::move(asked), request = std::move(request)](const auto&) mutable {
            auto again =
                answer_metadata(*broker.metadata->image(), asked, context_of(broker, request));
            request.respond(again->response);
        });
}

}  // namespace moldau::broker
