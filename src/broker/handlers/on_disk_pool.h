// What handlers do when an answer may have to wait for a disk: the work goes to the disk pool, and
// is a request in the queue (queued.max.requests) until it starts there.
#pragma once

#include <utility>

#include "broker/broker.h"
#include "broker/request.h"
#include "broker/request_queue.h"
#include "runtime/disk_pool.h"

namespace moldau::broker {

inline void run_on_disk_pool(Broker& broker, runtime::Task work) {
    broker.disk->submit(broker.request_queue->queued(std::move(work)));
}

// `answer` answers the request, from the pool.
template <typename Message>
void answer_on_disk_pool(Broker& broker, Request request, Message message,
                         void (*answer)(Broker&, Request&, const Message&)) {
    run_on_disk_pool(
        broker, [&broker, answer, request = std::move(request),
                 message = std::move(message)]() mutable { answer(broker, request, message); });
}

}  // namespace moldau::broker
