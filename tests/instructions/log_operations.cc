// Produce and Fetch: from the request's bytes through batch checks and the Log to the answer's.
#include <string>

#include <stdlib.h>

#include "operation.h"
#include "protocol/views/fetch.h"
#include "protocol/views/produce.h"
#include "record/builder.h"
#include "runtime/file_system.h"
#include "storage/file_cache.h"
#include "storage/log.h"

namespace moldau::instructions {
namespace {

constexpr int16_t kProduceVersion = 12;
constexpr int16_t kFetchVersion = 12;
constexpr TimestampMs kNow = 1'700'000'000'000;
constexpr int kLargeBatchRecords = 126;  // of 1 KiB: a batch of just under 128 KiB
constexpr int32_t kFetchBytesMax = 1 << 20;

Bytes batch_of(int records, size_t value_bytes) {
    record::BatchBuilder builder({});
    for (int i = 0; i < records; ++i) {
        builder.append(kNow, std::nullopt, std::string(value_bytes, 'v'));
    }
    return builder.build();
}

// A Log in a directory of its own, on the machine's file system: what the kernel does is not
// counted, and a file system in memory would count its own work.
class LogOnDesk {
 public:
    LogOnDesk() {
        char name[] = "/tmp/moldau_instructions_XXXXXX";
        root_ = ::mkdtemp(name);
        storage::LogOptions options;
        options.dir = root_ + "/orders-0";
        options.topic_partition = {"orders", 0};
        options.config = std::make_shared<const config::LogConfig>();
        auto log = storage::Log::open({&cache_, [](const Error&) {}}, options, kNow);
        must(log.has_value(), "a log that opens");
        log_ = std::move(*log);
    }
    ~LogOnDesk() {
        log_.reset();
        (void)files_.remove_all(root_);
    }

    Offset append(const Bytes& records) {
        auto appended = log_->append_as_leader(records, {.leader_epoch = LeaderEpoch(0)}, kNow);
        must(appended.has_value(), "an append that succeeds");
        log_->set_high_watermark(appended->log_end_offset);
        return appended->base_offset;
    }
    storage::LogRead read(Offset start, int64_t bytes_max) {
        auto read = log_->read(start, bytes_max, storage::ReadBound::HighWatermark, true);
        must(read && !read->records.empty(), "a read that finds records");
        return std::move(*read);
    }

 private:
    runtime::FileSystem& files_ = runtime::real_file_system();
    storage::FileCache cache_{files_, 16};
    std::string root_;
    std::unique_ptr<storage::Log> log_;
};

class Produce {
 public:
    explicit Produce(Bytes batch) {
        protocol::ProduceRequest request;
        request.acks = -1;
        request.timeout_ms = 30000;
        auto& topic = request.topic_data.emplace_back();
        topic.name = "orders";
        topic.partition_data.emplace_back().records = std::move(batch);
        body_ = protocol::encode(request, kProduceVersion);
    }

    void once() {
        auto request = protocol::ProduceRequestView::parse(body_, kProduceVersion);
        must(request.has_value(), "a produce request that can be read");
        protocol::ProduceResponse response;
        for (const auto& topic : request->topic_data) {
            auto& topic_out = response.responses.emplace_back();
            topic_out.name = topic.name;
            for (const auto& data : topic.partition_data) {
                auto& out = topic_out.partition_responses.emplace_back();
                out.index = data.index;
                out.base_offset = log_.append(protocol::share(body_, *data.records)).value();
            }
        }
        (void)framed(response, kProduceVersion);
    }

 private:
    Bytes body_;
    LogOnDesk log_;
};

struct ProduceOneRecord : Produce {
    ProduceOneRecord() : Produce(batch_of(1, 100)) {}
};
struct ProduceLargeBatch : Produce {
    ProduceLargeBatch() : Produce(batch_of(kLargeBatchRecords, 1024)) {}
};

class Fetch {
 public:
    explicit Fetch(const Bytes& batch) {
        log_.append(batch);
        protocol::FetchRequest request;
        request.max_wait_ms = 500;
        request.min_bytes = 1;
        auto& topic = request.topics.emplace_back();
        topic.topic = "orders";
        topic.partitions.emplace_back().partition_max_bytes = kFetchBytesMax;
        body_ = protocol::encode(request, kFetchVersion);
    }

    void once() {
        auto request = protocol::FetchRequestView::parse(body_, kFetchVersion);
        must(request.has_value(), "a fetch request that can be read");
        protocol::FetchResponse response;
        for (const auto& topic : request->topics) {
            auto& topic_out = response.responses.emplace_back();
            topic_out.topic = topic.topic;
            for (const auto& wanted : topic.partitions) {
                auto& out = topic_out.partitions.emplace_back();
                storage::LogRead read =
                    log_.read(Offset(wanted.fetch_offset), wanted.partition_max_bytes);
                out.partition_index = wanted.partition;
                out.high_watermark = read.high_watermark.value();
                out.last_stable_offset = read.last_stable_offset.value();
                out.log_start_offset = read.log_start_offset.value();
                out.records = std::move(read.records);
            }
        }
        (void)framed(response, kFetchVersion);
    }

 private:
    Bytes body_;
    LogOnDesk log_;
};

struct FetchOneRecord : Fetch {
    FetchOneRecord() : Fetch(batch_of(1, 100)) {}
};
struct FetchLargeBatch : Fetch {
    FetchLargeBatch() : Fetch(batch_of(kLargeBatchRecords, 1024)) {}
};

}  // namespace

void drive_log() {
    drive<ProduceOneRecord>("ProduceOneRecord", 1000);
    drive<ProduceLargeBatch>("ProduceLargeBatch", 100);
    drive<FetchOneRecord>("FetchOneRecord", 1000);
    drive<FetchLargeBatch>("FetchLargeBatch", 200);
}

}  // namespace moldau::instructions
