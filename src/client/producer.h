// Producer: KafkaProducer for this house. send() may be called from any thread; deliveries run on
// the producer's loop, each exactly once, in order per partition. ProducerCore decides; this is its
// shell: metadata, connections, time, memory waits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "client/client.h"
#include "client/partitioner.h"
#include "client/producer_core.h"

namespace moldau::client {

struct ProducerRecord {
    std::string topic;
    std::optional<int32_t> partition;
    RecordData data;
};

class Producer {
 public:
    // Errors: those of the properties.
    static Result<std::unique_ptr<Producer>> create(const Properties& properties);
    // As close() with no time to wait.
    ~Producer();

    // Takes the record. Waits up to max.block.ms for the topic's partitions and for memory.
    // Errors (the delivery is then not called): RequestTimedOut "Topic x not present in metadata
    // after 60000 ms.", InvalidTopic "Invalid topics: [x]", MessageTooLarge, RequestTimedOut
    // "Failed to allocate memory within the configured max blocking time 60000 ms."
    Status send(ProducerRecord record, Delivery done);
    // Waits until everything sent so far was delivered or has failed, and each Delivery has run.
    // Not from within a Delivery.
    void flush();
    // Flushes for at most `timeout`, then fails what is left.
    void close(Duration timeout);

    Client& client() { return client_; }

 private:
    Producer(ClientConfig client, ProducerConfig config);

    Result<int32_t> choose_partition(const ProducerRecord& record, size_t bytes);
    Result<int32_t> partition_count(const std::string& topic, MonotonicTime deadline);
    void wake();
    void poll();  // on the loop
    void deliver(std::vector<ProducerCore::Completed> outcomes);
    void start(ProducerCore::Call call);
    void ask_producer_id();

    const ProducerConfig config_;
    Client client_;
    std::atomic<bool> wake_posted_ = false;
    std::atomic<uint64_t> random_ = 0x9e3779b97f4a7c15ULL;

    // On the loop.
    runtime::Timer timer_;
    bool asking_producer_id_ = false;
    bool stopped_ = false;

    Mutex mutex_;
    std::condition_variable_any changed_;  // metadata came, memory is free, all is delivered
    ProducerCore core_ GUARDED_BY(mutex_);
    std::map<std::string, StickyPartitioner> sticky_ GUARDED_BY(mutex_);
    uint64_t updates_ GUARDED_BY(mutex_) = 0;
    bool closed_ = false;
};

}  // namespace moldau::client
