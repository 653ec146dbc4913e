#include "broker/producer_id_manager.h"

#include "protocol/messages/allocate_producer_ids.h"
#include "quorum/controller_channel.h"
#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.coordinator.transaction.ProducerIdManager");

// Share of a block that is used before the next is asked for.
constexpr int64_t kPrefetchTenths = 9;

}  // namespace

void ProducerIdManager::next(Done done) {
    bool ask = false;
    Result<int64_t> id = fail(ErrorCode::CoordinatorLoadInProgress, "no producer id at hand");
    {
        MutexLock lock(mutex_);
        if (next_ == block_end_ && spare_begin_ != spare_end_) {
            next_ = spare_begin_;
            block_end_ = spare_end_;
            spare_begin_ = spare_end_ = 0;
            prefetch_at_ = next_ + (block_end_ - next_) * kPrefetchTenths / 10;
        }
        bool have = next_ < block_end_;
        if (have) {
            id = next_++;
        }
        bool low = !have || (next_ >= prefetch_at_ && spare_begin_ == spare_end_);
        ask = low && !asking_;
        asking_ = asking_ || ask;
        if (!have && waiters_.size() < kWaitersMax) {
            waiters_.push_back(std::move(done));
            done = nullptr;
        }
    }
    if (ask) {
        request_block();
    }
    if (done != nullptr) {
        done(std::move(id));
    }
}

void ProducerIdManager::request_block() {
    protocol::AllocateProducerIdsRequest request;
    request.broker_id = broker_id_;
    request.broker_epoch = broker_epoch_.load();
    controller_->call<protocol::AllocateProducerIdsResponse>(
        request, 0, [this](Result<protocol::AllocateProducerIdsResponse> response) {
            if (!response) {
                return block_arrived(fail(response.error()));
            }
            if (response->error_code != 0) {
                return block_arrived(fail(static_cast<ErrorCode>(response->error_code),
                                          "the controller gave no producer ids: error={}",
                                          response->error_code));
            }
            block_arrived(std::pair(response->producer_id_start, response->producer_id_len));
        });
}

void ProducerIdManager::block_arrived(Result<std::pair<int64_t, int32_t>> block) {
    std::vector<Done> waiters;
    {
        MutexLock lock(mutex_);
        asking_ = false;
        waiters.swap(waiters_);
        if (block) {
            spare_begin_ = block->first;
            spare_end_ = block->first + block->second;
        }
    }
    if (!block) {
        MOLDAU_LOG_WARN(log, "Cannot allocate a block of producer ids: {}", block.error().message);
        for (Done& done : waiters) {
            done(fail(ErrorCode::CoordinatorLoadInProgress, "no producer id at hand"));
        }
        return;
    }
    for (Done& done : waiters) {
        next(std::move(done));
    }
}

}  // namespace moldau::broker
