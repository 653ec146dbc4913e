#include "broker/replica_manager.h"

#include <algorithm>

#include "metadata/features.h"
#include "runtime/disk_pool.h"
#include "runtime/logging.h"
#include "storage/log_manager.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.server.ReplicaManager");

std::vector<BrokerId> ids_of(const std::vector<int32_t>& numbers) {
    std::vector<BrokerId> ids;
    ids.reserve(numbers.size());
    for (int32_t number : numbers) {
        ids.emplace_back(number);
    }
    return ids;
}

}  // namespace

ReplicaManager::ReplicaManager(PartitionContext context) : context_(std::move(context)) {}

ReplicaManager::~ReplicaManager() = default;

std::shared_ptr<Partition> ReplicaManager::find(std::string_view topic, int32_t partition) const {
    MutexLock lock(mutex_);
    auto id = ids_.find(topic);
    if (id == ids_.end()) {
        return nullptr;
    }
    const auto& partitions = topics_.at(id->second).partitions;
    auto found = partitions.find(partition);
    return found == partitions.end() ? nullptr : found->second;
}

std::shared_ptr<Partition> ReplicaManager::find(const Uuid& topic_id, int32_t partition) const {
    MutexLock lock(mutex_);
    auto topic = topics_.find(topic_id);
    if (topic == topics_.end()) {
        return nullptr;
    }
    auto found = topic->second.partitions.find(partition);
    return found == topic->second.partitions.end() ? nullptr : found->second;
}

void ReplicaManager::apply(const metadata::Delta& delta, const metadata::Image& image) {
    for (const auto& [topic_id, name] : delta.deleted_topics()) {
        remove_topic(topic_id);
    }
    if (std::exchange(first_, false)) {
        set_aside_strays(image);
    }
    for (const auto& [topic_id, change] : delta.changed_topics()) {
        const metadata::Topic* topic = image.topics.find(topic_id);
        if (topic == nullptr) {
            continue;
        }
        for (int32_t index : change.partitions) {
            const metadata::Partition* state = topic->partitions.find(index);
            if (state != nullptr) {
                apply_partition(topic_id, topic->name, index, *state);
                if (metadata::is_directory_assignment_supported(
                        image.features.metadata_version())) {
                    report_directory(topic_id, {topic->name, index}, *state);
                }
            }
        }
    }
    MutexLock lock(mutex_);
    if (!homeless_.empty() && !std::exchange(making_directories_, true)) {
        context_.disk->submit([this] { make_directories(); });
    }
}

void ReplicaManager::apply_partition(const Uuid& topic_id, const std::string& name, int32_t index,
                                     const metadata::Partition& state) {
    int32_t local = context_.local.value();
    if (!state.is_replica(local)) {
        std::shared_ptr<Partition> gone;
        {
            MutexLock lock(mutex_);
            auto topic = topics_.find(topic_id);
            if (topic == topics_.end()) {
                return;
            }
            auto found = topic->second.partitions.find(index);
            if (found == topic->second.partitions.end()) {
                return;
            }
            gone = std::move(found->second);
            topic->second.partitions.erase(found);
        }
        return remove(*gone);
    }
    std::shared_ptr<Partition> partition;
    {
        MutexLock lock(mutex_);
        Topic& topic = topics_[topic_id];
        if (topic.name.empty()) {
            topic.name = name;
            ids_.insert_or_assign(name, topic_id);
        }
        auto& slot = topic.partitions[index];
        if (slot == nullptr) {
            slot = std::make_shared<Partition>(context_, TopicPartition{name, index}, topic_id);
            if (context_.logs->directory_id_of(slot->topic_partition()) == kUnassignedDirectory) {
                // Where it will be is known at once, for the controller.
                (void)context_.logs->place(slot->topic_partition(), topic_id,
                                           state.directory(local));
                homeless_.push_back(slot);
            }
        }
        partition = slot;
    }
    replication::Registration registration{
        .replicas = ids_of(state.replicas),
        .isr = ids_of(state.isr),
        .leader_epoch = LeaderEpoch(state.leader_epoch),
        .partition_epoch = state.partition_epoch,
        .recovering = state.leader_recovery_state == metadata::LeaderRecoveryState::Recovering,
    };
    partition->metadata_changed(BrokerId(state.leader), std::move(registration),
                                state.directory(local));
}

void ReplicaManager::make_directories() {
    // A few at a time, so that other work of the disk pool comes in between.
    constexpr int kAtOnce = 64;
    for (int i = 0; i < kAtOnce; ++i) {
        std::shared_ptr<Partition> next;
        {
            MutexLock lock(mutex_);
            if (homeless_.empty()) {
                making_directories_ = false;
                return;
            }
            next = std::move(homeless_.front());
            homeless_.pop_front();
        }
        if (Status made = next->make_directory(); !made) {
            MOLDAU_LOG_ERROR(log, "Cannot make the directory of {}: {}", next->topic_partition(),
                             made.error().message);
        }
    }
    context_.disk->submit([this] { make_directories(); });
}

// Where a broker has several directories, it chooses, and the controller must hear of it.
void ReplicaManager::report_directory(const Uuid& topic_id, const TopicPartition& name,
                                      const metadata::Partition& state) {
    int32_t local = context_.local.value();
    Uuid actual = context_.logs->directory_id_of(name);
    if (state.is_replica(local) && actual != kUnassignedDirectory &&
        actual != state.directory(local)) {
        context_.directory_chosen(topic_id, name.partition, actual);
    }
}

void ReplicaManager::remove_topic(const Uuid& topic_id) {
    Topic gone;
    {
        MutexLock lock(mutex_);
        auto topic = topics_.find(topic_id);
        if (topic == topics_.end()) {
            return;
        }
        gone = std::move(topic->second);
        topics_.erase(topic);
        // A topic of the same name may have been made already.
        auto id = ids_.find(gone.name);
        if (id != ids_.end() && id->second == topic_id) {
            ids_.erase(id);
        }
    }
    for (const auto& [index, partition] : gone.partitions) {
        remove(*partition);
    }
}

void ReplicaManager::remove(Partition& partition) {
    partition.stop();
    if (Status removed = context_.logs->remove(partition.topic_partition()); !removed) {
        MOLDAU_LOG_ERROR(log, "Cannot remove the log of {}: {}", partition.topic_partition(),
                         removed.error().message);
    }
}

void ReplicaManager::set_aside_strays(const metadata::Image& image) {
    for (const storage::LogSummary& summary : context_.logs->list()) {
        const TopicPartition& name = summary.topic_partition;
        const metadata::Topic* topic = image.topics.find(name.topic);
        const metadata::Partition* state =
            topic == nullptr ? nullptr : topic->partitions.find(name.partition);
        bool same_topic =
            topic != nullptr && (summary.topic_id.is_zero() || summary.topic_id == topic->id);
        if (same_topic && state != nullptr && state->is_replica(context_.local.value())) {
            continue;
        }
        MOLDAU_LOG_WARN(log, "Found stray log dir {}-{} in {}: topic id {} is not hosted here",
                        name.topic, name.partition, summary.dir, summary.topic_id);
        if (Status aside = context_.logs->set_aside_stray(name); !aside) {
            MOLDAU_LOG_ERROR(log, "Cannot set aside the stray log of {}: {}", name,
                             aside.error().message);
        }
    }
}

void ReplicaManager::config_changed(std::string_view topic) {
    std::vector<std::shared_ptr<Partition>> partitions;
    {
        MutexLock lock(mutex_);
        auto id = ids_.find(topic);
        if (id == ids_.end()) {
            return;
        }
        for (const auto& [index, partition] : topics_.at(id->second).partitions) {
            partitions.push_back(partition);
        }
    }
    for (const auto& partition : partitions) {
        partition->config_changed();
    }
}

void ReplicaManager::for_each(const std::function<void(Partition&)>& visit) const {
    std::vector<std::shared_ptr<Partition>> partitions;
    {
        MutexLock lock(mutex_);
        for (const auto& [id, topic] : topics_) {
            for (const auto& [index, partition] : topic.partitions) {
                partitions.push_back(partition);
            }
        }
    }
    for (const auto& partition : partitions) {
        visit(*partition);
    }
}

size_t ReplicaManager::partition_count() const {
    MutexLock lock(mutex_);
    size_t count = 0;
    for (const auto& [id, topic] : topics_) {
        count += topic.partitions.size();
    }
    return count;
}

size_t ReplicaManager::leader_count() const {
    size_t count = 0;
    for_each([&](Partition& partition) { count += partition.is_leader() ? 1 : 0; });
    return count;
}

void ReplicaManager::stop() {
    {
        MutexLock lock(mutex_);
        homeless_.clear();
    }
    for_each([](Partition& partition) { partition.stop(); });
}

}  // namespace moldau::broker
