// Admin: the calls of Kafka's AdminClient that tools need, blocking, over a Client. Each answers
// with what the cluster said, or with the first error; item errors stay with their item where a
// caller needs them all. Not for the loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "client/client.h"

namespace moldau::client {

struct NewTopic {
    std::string name;
    std::optional<int32_t> partitions;  // unset: the cluster's default
    std::optional<int16_t> replication_factor;
    std::map<int32_t, std::vector<int32_t>> assignment;  // excludes the two above
    std::map<std::string, std::string> configs;
};

struct TopicListing {
    std::string name;
    Uuid id;
    bool is_internal = false;
};

struct PartitionDescription {
    int32_t partition = 0;
    int32_t leader = -1;
    std::vector<int32_t> replicas;
    std::vector<int32_t> isr;
    std::optional<std::vector<int32_t>> eligible_leader_replicas;
    std::optional<std::vector<int32_t>> last_known_elr;
};

struct TopicDescription {
    std::string name;
    Uuid id;
    bool is_internal = false;
    std::vector<PartitionDescription> partitions;  // ascending
};

enum class ConfigResourceType : int8_t {
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
};

struct ConfigSynonym {
    std::string name;
    std::optional<std::string> value;
    int8_t source = 0;
};

struct ConfigEntry {
    std::string name;
    std::optional<std::string> value;  // unset when sensitive
    bool read_only = false;
    bool sensitive = false;
    int8_t source = 0;
    std::vector<ConfigSynonym> synonyms;

    static constexpr int8_t kDefaultSource = 5;
    bool is_default() const { return source == kDefaultSource; }
};

struct ConfigResource {
    ConfigResourceType type;
    std::string name;

    friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};

enum class AlterOperation : int8_t { Set = 0, Delete = 1, Append = 2, Subtract = 3 };

struct ConfigChange {
    std::string name;
    std::optional<std::string> value;
    AlterOperation operation = AlterOperation::Set;
};

struct Reassignment {
    std::vector<int32_t> replicas;
    std::vector<int32_t> adding;
    std::vector<int32_t> removing;
};

// Which offset ListOffsets asks for: these, or a timestamp in milliseconds.
namespace offset_spec {
inline constexpr int64_t kLatest = -1;
inline constexpr int64_t kEarliest = -2;
inline constexpr int64_t kMaxTimestamp = -3;
inline constexpr int64_t kEarliestLocal = -4;
inline constexpr int64_t kLatestTiered = -5;
inline constexpr int64_t kEarliestPendingUpload = -6;
}  // namespace offset_spec

struct ListedOffset {
    int64_t offset = -1;
    int64_t timestamp = -1;
    int32_t leader_epoch = -1;
};

enum class Isolation : int8_t { ReadUncommitted = 0, ReadCommitted = 1 };

struct GroupListing {
    std::string id;
    std::string protocol_type;
    std::string state;
    std::string type;  // "Classic", "Consumer"; empty from old brokers
};

struct MemberDescription {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string host;
    std::set<TopicPartition> assignment;
    std::optional<std::set<TopicPartition>> target_assignment;
    std::optional<int32_t> epoch;
    std::optional<bool> upgraded;  // consumer groups: speaks the consumer protocol
};

struct GroupDescription {
    std::string id;
    std::string type;  // "Classic" or "Consumer"
    std::string protocol_type;
    std::string state;
    std::string assignor;
    std::optional<int32_t> group_epoch;
    std::optional<int32_t> target_epoch;
    std::vector<MemberDescription> members;
    Node coordinator;
};

struct OffsetAndMetadata {
    int64_t offset = -1;
    int32_t leader_epoch = -1;
    std::string metadata;
};

class Admin {
 public:
    explicit Admin(Client& client) : client_(client) {}

    Client& client() { return client_; }

    // Sorted by name.
    Result<std::vector<TopicListing>> list_topics();
    Status create_topic(const NewTopic& topic);
    Status delete_topics(std::span<const std::string> names);
    Status create_partitions(
        const std::map<std::string, int32_t>& totals,
        const std::map<std::string, std::vector<std::vector<int32_t>>>& assignments);
    Result<std::vector<TopicDescription>> describe_topics(std::span<const std::string> names,
                                                          int32_t partitions_per_response = 2000);
    Result<std::map<ConfigResource, std::vector<ConfigEntry>>> describe_configs(
        std::span<const ConfigResource> resources, bool synonyms = false);
    Status alter_configs(const ConfigResource& resource, std::span<const ConfigChange> changes,
                         bool validate_only = false);
    // Names of the resources of that type that have a configuration of their own.
    Result<std::vector<std::string>> list_config_resources(ConfigResourceType type);
    // Empty when the cluster does not tell.
    Result<std::map<TopicPartition, Reassignment>> list_reassignments();
    // Brokers; controllers when the client's bootstrap addresses are those of controllers.
    Result<std::vector<Node>> describe_cluster();

    // Errors stay with their partition.
    Result<std::map<TopicPartition, Result<ListedOffset>>> list_offsets(
        const std::map<TopicPartition, int64_t>& specs,
        Isolation isolation = Isolation::ReadUncommitted);
    // Answers the new log start offsets.
    Result<std::map<TopicPartition, Result<int64_t>>> delete_records(
        const std::map<TopicPartition, int64_t>& before);

    // Of every broker.
    Result<std::vector<GroupListing>> list_groups(std::span<const std::string> states = {},
                                                  std::span<const std::string> types = {});
    // Errors: GroupIdNotFound when there is no such group.
    Result<GroupDescription> describe_group(const std::string& group);
    // What the group committed; partitions without a commit are left out.
    Result<std::map<TopicPartition, OffsetAndMetadata>> committed_offsets(const std::string& group);
    Result<std::map<TopicPartition, Status>> alter_offsets(
        const std::string& group, const std::map<TopicPartition, OffsetAndMetadata>& offsets);
    Status delete_group(const std::string& group);
    // The group's error, or one per partition.
    Result<std::map<TopicPartition, Status>> delete_offsets(const std::string& group,
                                                            const std::set<TopicPartition>& of);

 private:
    Target target_of(const ConfigResource& resource) const;

    Client& client_;
};

// An error of the wire with the broker's words, or a general sentence when it sent none.
Error wire_error(int16_t code, const std::optional<std::string>& message);

}  // namespace moldau::client
