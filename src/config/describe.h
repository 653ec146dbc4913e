// What DescribeConfigs says about each key of a resource: value, where it comes from, and every
// value that would apply below it. Pure functions over a ServerConfig and a resource's own entries.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/server_config.h"

namespace moldau::config {

struct DescribedSynonym {
    std::string name;
    std::optional<std::string> value;
    ConfigSource source = ConfigSource::Unknown;

    friend bool operator==(const DescribedSynonym&, const DescribedSynonym&) = default;
};

struct DescribedConfig {
    std::string name;
    std::optional<std::string> value;  // null for a sensitive key
    ConfigSource source = ConfigSource::Default;
    ConfigType type = ConfigType::Unknown;
    bool sensitive = false;
    bool read_only = false;
    std::vector<DescribedSynonym> synonyms;  // the one that acts first
};

// Every key of the topic in name order. `overrides` is what the topic itself sets.
std::vector<DescribedConfig> describe_topic(const ServerConfig& server, const ConfigMap& overrides);

// A broker by id: every key. Cluster-wide defaults (the empty resource name): only what is set
// there.
std::vector<DescribedConfig> describe_broker(const ServerConfig& server);
std::vector<DescribedConfig> describe_broker_defaults(const ServerConfig& server);

std::vector<DescribedConfig> describe_group(const ServerConfig& server, const ConfigMap& overrides);
std::vector<DescribedConfig> describe_client_metrics(const ConfigMap& overrides);

}  // namespace moldau::config
