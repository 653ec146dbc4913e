// CoordinatorLog: what a coordinator needs of the partitions of its own topic. PartitionLog answers
// from this broker's partitions; tests put a vector in its place. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/types.h"

namespace moldau::broker {

class Partition;
class ReplicaManager;

class CoordinatorLog {
 public:
    virtual ~CoordinatorLog() = default;

    struct Bounds {
        Offset start;
        Offset high_watermark;
        Offset end;
    };
    struct Appended {
        Offset end;              // of the log, after the append
        bool committed = false;  // everything below `end` is
    };

    // Errors of all: NotLeaderOrFollower, KafkaStorageError.
    virtual Result<Bounds> bounds(int32_t partition) = 0;
    // Whole batches from `from` on, up to the log end; at least one. May wait for the disk.
    virtual Result<Bytes> read(int32_t partition, Offset from, int32_t bytes_max) = 0;
    // Appends one batch under the given leadership. Errors also: those of an append with acks=all.
    virtual Result<Appended> append(int32_t partition, LeaderEpoch epoch, const Bytes& batch) = 0;
    // Calls `listener` with each new high watermark, on whatever thread moved it; null ends that.
    virtual void watch(int32_t partition, std::function<void(Offset)> listener) = 0;
    // max.message.bytes of the topic.
    virtual int32_t batch_bytes_max() const = 0;
};

class PartitionLog final : public CoordinatorLog {
 public:
    PartitionLog(const ReplicaManager& replicas, std::string topic,
                 std::function<int32_t()> batch_bytes_max)
        : replicas_(replicas),
          topic_(std::move(topic)),
          batch_bytes_max_(std::move(batch_bytes_max)) {}

    Result<Bounds> bounds(int32_t partition) override;
    Result<Bytes> read(int32_t partition, Offset from, int32_t bytes_max) override;
    Result<Appended> append(int32_t partition, LeaderEpoch epoch, const Bytes& batch) override;
    void watch(int32_t partition, std::function<void(Offset)> listener) override;
    int32_t batch_bytes_max() const override { return batch_bytes_max_(); }

 private:
    Result<std::shared_ptr<Partition>> find(int32_t partition) const;

    const ReplicaManager& replicas_;
    const std::string topic_;
    const std::function<int32_t()> batch_bytes_max_;
};

}  // namespace moldau::broker
