#include "broker/handlers/22_init_producer_id.h"

#include "broker/broker.h"
#include "broker/producer_id_manager.h"
#include "protocol/messages/init_producer_id.h"

namespace moldau::broker {
namespace {

void refuse(Request& request, ErrorCode code) {
    protocol::InitProducerIdResponse response;
    response.error_code = to_wire(code);
    response.producer_id = -1;
    response.producer_epoch = -1;
    request.respond(response);
}

}  // namespace

void handle_init_producer_id(Broker& broker, Request request) {
    auto message = request.read<protocol::InitProducerIdRequest>();
    if (!message) {
        return;
    }
    if ((message->producer_id == -1) != (message->producer_epoch == -1)) {
        return refuse(request, ErrorCode::InvalidRequest);
    }
    if (message->transactional_id) {
        return refuse(request, message->transactional_id->empty() ? ErrorCode::InvalidRequest
                                                                  : ErrorCode::UnsupportedVersion);
    }
    broker.producer_ids->next([request = std::move(request)](Result<int64_t> id) mutable {
        if (!id) {
            return refuse(request, id.error().code);
        }
        protocol::InitProducerIdResponse response;
        response.producer_id = *id;
        response.producer_epoch = 0;
        request.respond(response);
    });
}

}  // namespace moldau::broker
