#include "broker/handlers/alter_configs.h"

#include <algorithm>
#include <memory>

#include "broker/broker.h"
#include "broker/config_admin.h"
#include "broker/handlers/forward.h"
#include "broker/metadata_cache.h"

namespace moldau::broker {

namespace {

using namespace protocol;

template <typename Response, typename Resource>
void add_answer(Response& response, const Resource& resource, int16_t code,
                std::optional<std::string> message) {
    auto& answer = response.responses.emplace_back();
    answer.resource_type = resource.resource_type;
    answer.resource_name = resource.resource_name;
    answer.error_code = code;
    answer.error_message = std::move(message);
}

// The answers from here and from the controller, in the order of the request.
template <typename Response, typename Message>
Response reassemble(const Message& message, const Preprocessed& here, const Response& there) {
    Response response;
    for (size_t i = 0; i < message.resources.size(); ++i) {
        const auto& resource = message.resources[i];
        if (here[i]) {
            add_answer(
                response, resource, to_wire(here[i]->code),
                here[i]->code == ErrorCode::None ? std::nullopt : std::optional(here[i]->message));
            continue;
        }
        auto at = std::ranges::find_if(there.responses, [&](const auto& answer) {
            return answer.resource_type == resource.resource_type &&
                   answer.resource_name == resource.resource_name;
        });
        if (at == there.responses.end()) {
            add_answer(response, resource, to_wire(ErrorCode::UnknownServerError),
                       "The server experienced an unexpected error when processing the request.");
        } else {
            add_answer(response, resource, at->error_code, at->error_message);
        }
    }
    return response;
}

template <typename Message, typename Response>
void alter(Broker& broker, Request request) {
    auto message = request.read<Message>();
    if (!message) {
        return;
    }
    config::ServerConfig config = broker.config->get();
    metadata::ImagePtr image = broker.metadata->image();
    Preprocessed here = preprocess({broker.node_id, config, *image}, *message);

    Message remaining;
    remaining.validate_only = message->validate_only;
    for (size_t i = 0; i < here.size(); ++i) {
        if (!here[i]) {
            remaining.resources.push_back(message->resources[i]);
        }
    }
    if (remaining.resources.empty()) {
        request.respond(reassemble(*message, here, Response()));
        return;
    }
    int16_t version = request.version();
    Bytes body = encode(remaining, version);
    auto pending = std::make_shared<Request>(std::move(request));
    forward(broker, *pending, std::move(body),
            [pending, message = std::move(*message), here = std::move(here),
             version](Result<Chain> answer) mutable {
                Result<Response> there = answer ? decode<Response>(join(*answer), version)
                                                : Result<Response>(fail(answer.error()));
                if (!there && there.error().code != ErrorCode::RequestTimedOut) {
                    pending->refuse(there.error());
                    return;
                }
                if (!there) {
                    for (auto& entry : here) {
                        entry = entry ? entry : std::optional(there.error());
                    }
                    there = Response();
                }
                pending->respond(reassemble(message, here, *there));
            });
}

}  // namespace

void handle_alter_configs(Broker& broker, Request request) {
    alter<AlterConfigsRequest, AlterConfigsResponse>(broker, std::move(request));
}

void handle_incremental_alter_configs(Broker& broker, Request request) {
    alter<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(broker,
                                                                           std::move(request));
}

}  // namespace moldau::broker
