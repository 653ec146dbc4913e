// ReplicaManager: the partitions that this broker hosts, by name and by id. The metadata publisher
// makes and stops them on the control loop; handlers look them up on any thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.h"
#include "base/result.h"
#include "broker/partition.h"
#include "metadata/delta.h"
#include "metadata/image.h"

namespace moldau::broker {

class ReplicaManager {
 public:
    explicit ReplicaManager(PartitionContext context);
    ~ReplicaManager();

    // nullptr: this broker hosts no such partition.
    std::shared_ptr<Partition> find(std::string_view topic, int32_t partition) const;
    std::shared_ptr<Partition> find(const Uuid& topic_id, int32_t partition) const;
    std::shared_ptr<Partition> find(const TopicPartition& topic_partition) const {
        return find(topic_partition.topic, topic_partition.partition);
    }

    // Makes, changes and stops partitions as the image asks. On the first call, directories that
    // belong to no partition of ours are set aside. Directories of new partitions are made on the
    // disk pool a while later; whoever uses a partition before makes its own.
    void apply(const metadata::Delta& delta, const metadata::Image& image);
    // min.insync.replicas may have changed.
    void config_changed(std::string_view topic);

    // Visits every partition, under no lock of ours.
    void for_each(const std::function<void(Partition&)>& visit) const;
    size_t partition_count() const;
    size_t leader_count() const;

    // Everything that waits is woken and fails.
    void stop();

 private:
    struct Topic {
        std::string name;
        std::map<int32_t, std::shared_ptr<Partition>> partitions;
    };
    struct NameHash {
        using is_transparent = void;
        size_t operator()(std::string_view name) const {
            return std::hash<std::string_view>()(name);
        }
    };

    void apply_partition(const Uuid& topic_id, const std::string& name, int32_t index,
                         const metadata::Partition& state);
    void report_directory(const Uuid& topic_id, const TopicPartition& name,
                          const metadata::Partition& state);
    void remove(Partition& partition);
    void make_directories();
    void remove_topic(const Uuid& topic_id);
    void set_aside_strays(const metadata::Image& image);

    const PartitionContext context_;
    bool first_ = true;  // control loop only

    mutable Mutex mutex_;
    std::unordered_map<Uuid, Topic> topics_ GUARDED_BY(mutex_);
    std::unordered_map<std::string, Uuid, NameHash, std::equal_to<>> ids_ GUARDED_BY(mutex_);
    // Their directories are not made yet; a task on the disk pool works while there are any.
    std::deque<std::shared_ptr<Partition>> homeless_ GUARDED_BY(mutex_);
    bool making_directories_ GUARDED_BY(mutex_) = false;
};

}  // namespace moldau::broker
