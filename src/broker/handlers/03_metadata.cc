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
    auto asked = request.view<protocol::MetadataRequestView>();
    if (!asked) {
        return;
    }
    metadata::ImagePtr image = broker.metadata->image();
    auto answer = MetadataAnswer::find(*image, *asked, context_of(broker, request));
    if (!answer) {
        return request.respond(refuse_metadata(*asked, answer.error().code));
    }
    std::vector<std::string> wanted =
        answer->topics_to_create(broker.config->get().get_bool("auto.create.topics.enable"));
    if (wanted.empty()) {
        return request.respond(*answer);
    }
    // Topics whose creation failed keep UnknownTopicOrPartition: the client will ask again. The
    // view stays good, because the request keeps its body where it is.
    std::string principal = request.principal();
    broker.auto_topics->create(
        wanted, principal,
        [&broker, asked = *asked, request = std::move(request)](const auto&) mutable {
            metadata::ImagePtr now = broker.metadata->image();
            request.respond(*MetadataAnswer::find(*now, asked, context_of(broker, request)));
        });
}

}  // namespace moldau::broker
