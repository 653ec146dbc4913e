// ServerConfig: the configuration of one node: its properties file, the dynamic broker configs of
// the metadata log above it, Kafka's defaults below it. Checked as KafkaConfig checks it. Made at
// start by load(); with_dynamic() makes a new one when the metadata changes. A value type with
// shared innards: copies are cheap, never change, and may be read on any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config_def.h"
#include "config/log_config.h"

namespace moldau::config {

enum class SecurityProtocol : int16_t { Plaintext = 0, Ssl = 1, SaslPlaintext = 2, SaslSsl = 3 };
std::string_view security_protocol_name(SecurityProtocol protocol);  // "SASL_SSL"

// One entry of listeners or advertised.listeners.
struct Endpoint {
    std::string listener_name;  // upper case: "PLAINTEXT", "CONTROLLER", "EXTERNAL"
    SecurityProtocol protocol = SecurityProtocol::Plaintext;
    std::string host;  // empty: every address
    int32_t port = 0;  // 0: any free one

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct HostAndPort {
    std::string host;
    int32_t port = 0;

    friend bool operator==(const HostAndPort&, const HostAndPort&) = default;
};

// One entry of controller.quorum.voters.
struct Voter {
    int32_t id = -1;
    HostAndPort address;

    friend bool operator==(const Voter&, const Voter&) = default;
};

// Where a value comes from; numbers are those of DescribeConfigs' config_source.
enum class ConfigSource : int8_t {
    Unknown = 0,
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    DynamicBrokerLogger = 6,
    ClientMetrics = 7,
    Group = 8,
};

// What load() found to say; each entry is one line for the operator, without a level.
struct ConfigReport {
    std::vector<std::string> errors;    // the node must not start
    std::vector<std::string> warnings;  // unknown keys with the nearest known one, doubtful values
    std::vector<std::string> notices;   // known keys whose feature this build does not have
};

struct ServerState;

class ServerConfig {
 public:
    // Kafka's defaults as a combined node with node.id=0; for tests.
    static ServerConfig for_tests(const ConfigMap& extra = {});

    // The configuration of `properties`, or the first error. `report`, when given, gets every
    // error, warning and notice. Errors: InvalidConfig with Kafka's text.
    static Result<ServerConfig> load(const ConfigMap& properties, ConfigReport* report = nullptr);

    // This configuration with dynamic values: the cluster-wide defaults and this broker's own.
    // Entries that do not parse are left out, as Kafka does, and named in `report`.
    ServerConfig with_dynamic(const ConfigMap& cluster_defaults, const ConfigMap& broker_overrides,
                              ConfigReport* report = nullptr) const;

    // What a dynamic change must satisfy (IncrementalAlterConfigs on a broker; empty name: all).
    // `proposed` is the whole set that resource would have. Errors: InvalidConfig.
    Status validate_dynamic(const ConfigMap& proposed, bool per_broker) const;

    // What a change of a group's configs must satisfy, within this broker's bounds. Errors:
    // InvalidConfig.
    Status validate_group_configs(const ConfigMap& configs) const;

    // --- Any key by name. The name must exist with that type (asserted).
    bool get_bool(std::string_view name) const;
    int32_t get_int(std::string_view name) const;   // INT and SHORT
    int64_t get_long(std::string_view name) const;  // LONG, INT and SHORT
    double get_double(std::string_view name) const;
    std::string get_string(std::string_view name) const;  // empty for null
    std::vector<std::string> get_list(std::string_view name) const;
    bool is_null(std::string_view name) const;
    const ConfigValue& value(std::string_view name) const;

    // The layers as given: only what somebody set.
    const ConfigMap& static_configs() const;
    const ConfigMap& dynamic_defaults() const;
    const ConfigMap& dynamic_overrides() const;

    // --- Identity and roles
    int32_t node_id() const;
    bool is_broker() const;
    bool is_controller() const;
    std::optional<std::string> rack() const;

    // --- Listeners
    const std::vector<Endpoint>& listeners() const;  // all, in file order
    std::vector<Endpoint> broker_listeners() const;  // without the controller's
    std::vector<Endpoint> controller_listeners() const;
    const std::vector<Endpoint>& advertised_broker_listeners() const;
    const std::vector<Endpoint>& advertised_controller_listeners() const;
    std::vector<std::string> controller_listener_names() const;
    std::string inter_broker_listener_name() const;
    SecurityProtocol inter_broker_protocol() const;
    SecurityProtocol protocol_of(std::string_view listener_name) const;  // Plaintext when unknown

    // --- Quorum
    const std::vector<Voter>& quorum_voters() const;  // empty: dynamic quorum
    const std::vector<HostAndPort>& quorum_bootstrap_servers() const;
    int32_t quorum_election_timeout_ms() const {
        return get_int("controller.quorum.election.timeout.ms");
    }
    int32_t quorum_election_backoff_max_ms() const {
        return get_int("controller.quorum.election.backoff.max.ms");
    }
    int32_t quorum_fetch_timeout_ms() const {
        return get_int("controller.quorum.fetch.timeout.ms");
    }
    int32_t quorum_request_timeout_ms() const {
        return get_int("controller.quorum.request.timeout.ms");
    }
    int32_t quorum_retry_backoff_ms() const {
        return get_int("controller.quorum.retry.backoff.ms");
    }
    int32_t quorum_append_linger_ms() const {
        return get_int("controller.quorum.append.linger.ms");
    }

    // --- Directories
    std::vector<std::string> log_dirs() const;
    std::string metadata_log_dir() const;  // metadata.log.dir, else the first of log_dirs()
    std::vector<std::string> cordoned_log_dirs() const;

    // --- Topic defaults of this broker (log.*, synonyms resolved)
    const LogConfig& log_config() const;
    // Defaults for group configs, by group key.
    ConfigMap group_defaults() const;

    // --- Often used
    int32_t num_partitions() const { return get_int("num.partitions"); }
    int32_t default_replication_factor() const { return get_int("default.replication.factor"); }
    bool auto_create_topics() const { return get_bool("auto.create.topics.enable"); }
    bool delete_topic_enable() const { return get_bool("delete.topic.enable"); }
    int32_t num_network_threads() const { return get_int("num.network.threads"); }
    int32_t num_io_threads() const { return get_int("num.io.threads"); }
    int32_t recovery_threads_per_dir() const {
        return get_int("num.recovery.threads.per.data.dir");
    }
    int32_t socket_request_max_bytes() const { return get_int("socket.request.max.bytes"); }
    int32_t socket_send_buffer_bytes() const { return get_int("socket.send.buffer.bytes"); }
    int32_t socket_receive_buffer_bytes() const { return get_int("socket.receive.buffer.bytes"); }
    int32_t socket_listen_backlog() const { return get_int("socket.listen.backlog.size"); }
    int64_t connections_max_idle_ms() const { return get_long("connections.max.idle.ms"); }
    int32_t max_connections() const { return get_int("max.connections"); }
    int32_t max_connection_creation_rate() const { return get_int("max.connection.creation.rate"); }
    // Of one listener: its own (listener.name.NAME.KEY), or else the node's.
    int32_t max_connections(std::string_view listener) const;
    int32_t max_connection_creation_rate(std::string_view listener) const;
    int32_t max_connections_per_ip() const { return get_int("max.connections.per.ip"); }
    std::map<std::string, int32_t> max_connections_per_ip_overrides() const;
    int32_t fetch_max_bytes() const { return get_int("fetch.max.bytes"); }
    int32_t max_fetch_sessions() const {
        return get_int("max.incremental.fetch.session.cache.slots");
    }
    int32_t broker_heartbeat_interval_ms() const { return get_int("broker.heartbeat.interval.ms"); }
    int32_t broker_session_timeout_ms() const { return get_int("broker.session.timeout.ms"); }
    int32_t offsets_topic_partitions() const { return get_int("offsets.topic.num.partitions"); }
    int32_t offsets_topic_replication_factor() const {
        return get_int("offsets.topic.replication.factor");
    }
    int32_t offsets_topic_segment_bytes() const { return get_int("offsets.topic.segment.bytes"); }
    int64_t offsets_retention_ms() const {
        return get_int("offsets.retention.minutes") * int64_t{60'000};
    }
    int64_t offsets_retention_check_interval_ms() const {
        return get_long("offsets.retention.check.interval.ms");
    }
    int32_t offset_metadata_max_bytes() const { return get_int("offset.metadata.max.bytes"); }
    int32_t offsets_commit_timeout_ms() const { return get_int("offsets.commit.timeout.ms"); }
    int32_t group_min_session_timeout_ms() const { return get_int("group.min.session.timeout.ms"); }
    int32_t group_max_session_timeout_ms() const { return get_int("group.max.session.timeout.ms"); }
    int32_t group_initial_rebalance_delay_ms() const {
        return get_int("group.initial.rebalance.delay.ms");
    }
    int32_t group_max_size() const { return get_int("group.max.size"); }
    int32_t producer_id_expiration_ms() const { return get_int("producer.id.expiration.ms"); }
    int64_t log_retention_check_interval_ms() const {
        return get_long("log.retention.check.interval.ms");
    }
    int64_t log_initial_task_delay_ms() const { return get_long("log.initial.task.delay.ms"); }
    int32_t log_flush_offset_checkpoint_interval_ms() const {
        return get_int("log.flush.offset.checkpoint.interval.ms");
    }
    int64_t journal_bytes() const { return get_long("moldau.journal.bytes"); }
    int32_t journal_write_through_bytes() const {
        return get_int("moldau.journal.write.through.bytes");
    }
    int32_t log_flush_start_offset_checkpoint_interval_ms() const {
        return get_int("log.flush.start.offset.checkpoint.interval.ms");
    }
    int64_t log_dir_failure_timeout_ms() const { return get_long("log.dir.failure.timeout.ms"); }
    int64_t replica_lag_time_max_ms() const { return get_long("replica.lag.time.max.ms"); }
    int64_t high_watermark_checkpoint_interval_ms() const {
        return get_long("replica.high.watermark.checkpoint.interval.ms");
    }
    int32_t request_timeout_ms() const { return get_int("request.timeout.ms"); }
    int32_t metadata_max_idle_interval_ms() const {
        return get_int("metadata.max.idle.interval.ms");
    }
    int64_t metadata_max_bytes_between_snapshots() const {
        return get_long("metadata.log.max.record.bytes.between.snapshots");
    }
    int64_t metadata_max_snapshot_interval_ms() const {
        return get_long("metadata.log.max.snapshot.interval.ms");
    }

 private:
    explicit ServerConfig(std::shared_ptr<const ServerState> state) : state_(std::move(state)) {}

    int32_t listener_number(std::string_view listener, std::string_view key) const;

    std::shared_ptr<const ServerState> state_;
};

}  // namespace moldau::config
