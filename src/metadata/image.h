// Image: everything the metadata log says, as of one offset. The metadata loader builds one after
// each committed batch and hands it to the publishers; anybody may keep a `shared_ptr<const Image>`
// and read it on any thread without locks, for as long as they like.
//
// All parts are persistent maps: an image and its successor share whatever did not change. Ids,
// epochs and codes are plain integers of the same width as in the records they come from. Every
// record type of the log has a place here, those that nothing acts on yet included: a snapshot
// written from an image loses nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/types.h"
#include "base/uuid.h"
#include "metadata/persistent_map.h"

namespace moldau::metadata {

// The log position that an image reflects: that of the last record it includes.
struct Provenance {
    int64_t offset = -1;  // -1: before the first record
    int32_t epoch = -1;
    int64_t timestamp_ms = -1;  // of the last batch

    friend bool operator==(const Provenance&, const Provenance&) = default;
};

struct FeatureRange {
    int16_t min = 0;
    int16_t max = 0;

    friend bool operator==(const FeatureRange&, const FeatureRange&) = default;
};

// Finalized levels; a feature that is absent is at level 0. `metadata.version` is one of them once
// a record finalized it, `kraft.version` never is: that one lives in control records.
struct Features {
    PersistentMap<std::string, int16_t> levels;

    int16_t level(std::string_view feature) const {
        const int16_t* found = levels.find(feature);
        return found == nullptr ? int16_t{0} : *found;
    }
    // The finalized metadata.version, or the oldest one known while none is finalized.
    int16_t metadata_version() const;
    bool eligible_leader_replicas_enabled() const {
        return level("eligible.leader.replicas.version") >= 1;
    }

    friend bool operator==(const Features&, const Features&) = default;
};

inline constexpr int16_t kSecurityProtocolMax = 3;

struct Endpoint {
    std::string name;  // of the listener, as configured: "PLAINTEXT"
    std::string host;
    uint16_t port = 0;
    int16_t security_protocol = 0;  // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Broker {
    int32_t id = -1;
    int64_t epoch = -1;  // offset of its registration record
    Uuid incarnation_id;
    std::vector<Endpoint> endpoints;
    std::map<std::string, FeatureRange> supported_features;
    std::optional<std::string> rack;
    bool fenced = true;
    bool in_controlled_shutdown = false;
    bool is_migrating_zk_broker = false;
    std::vector<Uuid> directories;  // online ones; empty: registered before directories had ids
    std::optional<std::vector<Uuid>> cordoned_directories;

    // May lead and be in ISRs.
    bool active() const { return !fenced && !in_controlled_shutdown; }
    // With no directories known, every one counts as online.
    bool has_online_directory(const Uuid& directory) const;
    const Endpoint* endpoint(std::string_view listener) const;

    friend bool operator==(const Broker&, const Broker&) = default;
};

struct Controller {
    int32_t id = -1;
    Uuid incarnation_id;
    bool zk_migration_ready = false;
    std::vector<Endpoint> endpoints;
    std::map<std::string, FeatureRange> supported_features;

    friend bool operator==(const Controller&, const Controller&) = default;
};

struct Cluster {
    PersistentMap<int32_t, Broker> brokers;
    PersistentMap<int32_t, Controller> controllers;

    const Broker* broker(int32_t id) const { return brokers.find(id); }
    bool is_alive(int32_t id) const {
        const Broker* found = broker(id);
        return found != nullptr && !found->fenced;
    }

    friend bool operator==(const Cluster&, const Cluster&) = default;
};

inline constexpr int32_t kNoLeader = -1;

enum class LeaderRecoveryState : int8_t { Recovered = 0, Recovering = 1 };

struct Partition {
    std::vector<int32_t> replicas;
    std::vector<Uuid> directories;  // one for each replica, in the same order
    std::vector<int32_t> isr;
    std::vector<int32_t> removing_replicas;
    std::vector<int32_t> adding_replicas;
    std::vector<int32_t> elr;
    std::vector<int32_t> last_known_elr;
    int32_t leader = kNoLeader;
    LeaderRecoveryState leader_recovery_state = LeaderRecoveryState::Recovered;
    int32_t leader_epoch = 0;
    int32_t partition_epoch = 0;

    bool has_leader() const { return leader != kNoLeader; }
    bool is_reassigning() const { return !removing_replicas.empty() || !adding_replicas.empty(); }
    int32_t preferred_replica() const { return replicas.empty() ? kNoLeader : replicas.front(); }
    bool is_replica(int32_t broker) const;
    bool in_isr(int32_t broker) const;
    // The directory assigned to that replica; kMigratingDirectory when the broker is no replica.
    Uuid directory(int32_t broker) const;

    friend bool operator==(const Partition&, const Partition&) = default;
};

struct Topic {
    std::string name;
    Uuid id;
    PersistentMap<int32_t, Partition> partitions;  // indexes 0 .. size-1

    friend bool operator==(const Topic&, const Topic&) = default;
};

struct Topics {
    PersistentMap<Uuid, Topic> by_id;
    PersistentMap<std::string, Uuid> ids;  // by name, in name order

    const Topic* find(const Uuid& id) const { return by_id.find(id); }
    const Topic* find(std::string_view name) const {
        const Uuid* id = ids.find(name);
        return id == nullptr ? nullptr : by_id.find(*id);
    }
    const Partition* partition(const Uuid& id, int32_t index) const {
        const Topic* topic = find(id);
        return topic == nullptr ? nullptr : topic->partitions.find(index);
    }
    const Partition* partition(std::string_view name, int32_t index) const {
        const Topic* topic = find(name);
        return topic == nullptr ? nullptr : topic->partitions.find(index);
    }

    friend bool operator==(const Topics&, const Topics&) = default;
};

// Kafka's numbers for what a configuration belongs to.
enum class ConfigResourceType : int8_t {
    Unknown = 0,
    Topic = 2,
    Broker = 4,  // the empty name is the cluster-wide default
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
};

struct ConfigResource {
    ConfigResourceType type = ConfigResourceType::Unknown;
    std::string name;

    friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};

using ConfigMap = std::map<std::string, std::string, std::less<>>;

struct Configs {
    PersistentMap<ConfigResource, ConfigMap> by_resource;

    // Overrides of that resource alone; an empty map when it has none.
    const ConfigMap& of(const ConfigResource& resource) const;
    const ConfigMap& of_topic(std::string_view name) const;
    const ConfigMap& of_broker(int32_t id) const;
    const ConfigMap& cluster_default() const;

    friend bool operator==(const Configs&, const Configs&) = default;
};

// Entity type ("user", "client-id", "ip") to its name; nullopt is that type's default entity.
using QuotaEntity = std::map<std::string, std::optional<std::string>>;

struct ClientQuotas {
    PersistentMap<QuotaEntity, std::map<std::string, double>> by_entity;

    friend bool operator==(const ClientQuotas&, const ClientQuotas&) = default;
};

struct ProducerIds {
    int64_t next_producer_id = -1;  // first id of the next block; -1: none was ever allocated

    friend bool operator==(const ProducerIds&, const ProducerIds&) = default;
};

struct Acl {
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t pattern_type = 0;
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission_type = 0;

    friend auto operator<=>(const Acl&, const Acl&) = default;
};

struct Acls {
    PersistentMap<Uuid, Acl> by_id;

    friend bool operator==(const Acls&, const Acls&) = default;
};

struct ScramCredential {
    Bytes salt;
    Bytes stored_key;
    Bytes server_key;
    int32_t iterations = 0;

    friend bool operator==(const ScramCredential&, const ScramCredential&) = default;
};

struct ScramKey {
    int8_t mechanism = 0;  // 1 SCRAM-SHA-256, 2 SCRAM-SHA-512
    std::string user;

    friend auto operator<=>(const ScramKey&, const ScramKey&) = default;
};

struct Scram {
    PersistentMap<ScramKey, ScramCredential> credentials;

    friend bool operator==(const Scram&, const Scram&) = default;
};

struct DelegationToken {
    std::string owner;
    std::string requester;
    std::vector<std::string> renewers;
    int64_t issue_timestamp_ms = 0;
    int64_t max_timestamp_ms = 0;
    int64_t expiration_timestamp_ms = 0;

    friend bool operator==(const DelegationToken&, const DelegationToken&) = default;
};

struct DelegationTokens {
    PersistentMap<std::string, DelegationToken> by_id;

    friend bool operator==(const DelegationTokens&, const DelegationTokens&) = default;
};

struct Image {
    Provenance provenance;
    Features features;
    Cluster cluster;
    Topics topics;
    Configs configs;
    ClientQuotas client_quotas;
    ProducerIds producer_ids;
    Acls acls;
    Scram scram;
    DelegationTokens delegation_tokens;

    // Compares the content, not the position in the log.
    bool same_content(const Image& other) const;
};

using ImagePtr = std::shared_ptr<const Image>;

// The image before the first record.
ImagePtr empty_image();

}  // namespace moldau::metadata
