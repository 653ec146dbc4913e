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

}  // namespace

void handle_metadata(Broker& broker, Request request) {
    auto asked = request.read<protocol::MetadataRequest>();
    if (!asked) {
        return;
    }
    auto answer = answer_metadata(*broker.metadata->image(), *asked, context_of(broker, request));
    if (!answer) {
        return request.respond(refuse_metadata(*asked, answer.error().code));
    }
    std::vector<std::string> wanted = topics_to_create(
        *answer, *asked, broker.config->get().get_bool("auto.create.topics.enable"));
    if (wanted.empty()) {
        return request.respond(answer->response);
    }
    // Topics whose creation failed keep UnknownTopicOrPartition: the client will ask again.
    std::string principal = request.principal();
    broker.auto_topics->create(
        wanted, principal,
        [&broker, asked = *std::move(asked), request = std::move(request)](const auto&) mutable {
            auto again =
                answer_metadata(*broker.metadata->image(), asked, context_of(broker, request));
            request.respond(again->response);
        });
}

}  // namespace moldau::broker
