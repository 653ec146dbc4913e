// The tables of configuration keys: every key of Apache Kafka 4.3 for brokers and controllers,
// topics, groups, client metrics and quotas, with type, default, range and the way it may change.
// The tables are tables/*.tsv, compiled in by tables/generate.py; docs/configuration.md comes from
// the same files. Everything here is constant after start; any thread.
//
// Error texts are Kafka's, because operators and tools match on them:
// "Invalid value -5 for configuration retention.ms: Value must be at least -1".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/properties.h"

namespace moldau::config {

// Numbers are those of DescribeConfigs' config_type.
enum class ConfigType : int8_t {
    Unknown = 0,
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
};

std::string_view type_name(ConfigType type);  // Kafka's upper-case word: "LONG"

// How a broker key may change while the broker runs.
enum class DynamicMode : uint8_t { ReadOnly, PerBroker, ClusterWide };

// What a value must satisfy beyond its type; one per distinct check of Kafka.
enum class Rule : uint8_t {
    None,
    Range,                 // min <= value <= max
    GzipLevel,             // -1 or 1..9
    OneOf,                 // a string among `words`
    OneOfIgnoringCase,     // the same, upper-cased first
    NonNull,               // a string must be there
    NonEmpty,              // a string, when there, is not empty
    ListOf,                // entries distinct, not empty, and among `words` when there are any
    QuorumVoters,          // {id}@{host}:{port},...
    BootstrapServers,      // {host}:{port},...
    ThrottledReplicas,     // * or {partition}:{broker},...
    ShareAutoOffsetReset,  // latest, earliest or by_duration:<ISO 8601>
};

// A broker key that also gives a value, multiplied, when the first one is not set.
struct Synonym {
    std::string_view name;
    int64_t multiplier = 1;
};

struct ConfigKey {
    std::string_view name;
    ConfigType type = ConfigType::Unknown;
    bool required = false;                          // no default: must be given
    std::optional<std::string_view> default_value;  // nullopt: null (or required)
    Rule rule = Rule::None;
    std::optional<double> min;  // Rule::Range
    std::optional<double> max;
    std::span<const std::string_view> words;      // OneOf..., ListOf
    bool empty_allowed = true;                    // ListOf
    bool null_allowed = true;                     // ListOf
    std::string_view valid_values;                // the rule in Kafka's notation: "[0,...]"
    std::string_view importance;                  // "HIGH", "MEDIUM", "LOW"
    DynamicMode dynamic = DynamicMode::ReadOnly;  // broker keys
    bool internal = false;  // not shown unless set: internal to Kafka, or our own
    // Broker keys: the keys whose values stand for one another, first set wins; always holds at
    // least the key itself. Topic and group keys: the broker keys that give the default, first one
    // first.
    std::span<const Synonym> synonyms;
    std::string_view broker_min;  // group keys: the broker keys that bound it
    std::string_view broker_max;
    bool acts = false;  // this build does what the key says

    bool sensitive() const { return type == ConfigType::Password; }
};

// A value of a key's type: null, boolean, integer (int, short, long), double, string (also class
// and password) or list.
using ConfigValue =
    std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<std::string>>;

class ConfigDef {
 public:
    explicit ConfigDef(std::span<const ConfigKey> keys);

    const ConfigKey* find(std::string_view name) const;
    std::span<const ConfigKey> keys() const { return keys_; }  // in name order

    // The known name closest to `name` by edit distance, empty when none is close.
    std::string_view nearest(std::string_view name) const;

 private:
    std::span<const ConfigKey> keys_;
};

const ConfigDef& broker_config_def();        // static keys of brokers and controllers
const ConfigDef& broker_dynamic_only_def();  // replication throttles: exist only dynamically
const ConfigDef& topic_config_def();
const ConfigDef& group_config_def();
const ConfigDef& client_metrics_config_def();
const ConfigDef& user_client_quota_def();  // users and client ids; SCRAM credentials included
const ConfigDef& ip_quota_def();

// The text as a value of the key's type, checked against its rule. nullopt stands for null.
// Errors: InvalidConfig with Kafka's text.
Result<ConfigValue> parse_value(const ConfigKey& key, std::optional<std::string_view> text);

// Type only, no rule.
Result<ConfigValue> parse_type(const ConfigKey& key, std::optional<std::string_view> text);

// The key's default; null for a required key.
ConfigValue default_value(const ConfigKey& key);

// The way DescribeConfigs shows a value: lists joined by commas, null as nullopt.
std::optional<std::string> format_value(const ConfigValue& value);

// The entries of a comma-separated value, trimmed around the commas; no entry for an empty text.
std::vector<std::string> split_list(std::string_view text);

// Names known, values legal, cross-key rules kept. Errors: InvalidRequest or InvalidConfig, as
// Kafka's.
Status validate_client_metrics_configs(const ConfigMap& configs);

}  // namespace moldau::config
