#include "config/describe.h"

#include <set>

namespace moldau::config {
namespace {

// The broker keys whose values stand for one another, first one first. flush.ms is the odd one: the
// scheduler's interval stands in for log.flush.interval.ms, not the other way round.
std::vector<std::string_view> broker_synonyms(std::string_view name) {
    std::vector<std::string_view> names;
    if (const ConfigKey* key = broker_config_def().find(name); key != nullptr) {
        for (const Synonym& synonym : key->synonyms) {
            names.push_back(synonym.name);
        }
    }
    if (names.empty()) {
        names.push_back(name);
    }
    return names;
}

// Everything that would give broker key `name` a value, strongest first, from the key itself on.
std::vector<DescribedSynonym> synonyms_of(const ServerConfig& server, std::string_view name,
                                          bool sensitive) {
    std::vector<DescribedSynonym> found;
    auto names = broker_synonyms(name);
    auto add_from = [&](const ConfigMap& layer, ConfigSource source) {
        for (std::string_view synonym : names) {
            if (auto it = layer.find(synonym); it != layer.end()) {
                auto value = sensitive ? std::nullopt : std::optional(it->second);
                found.push_back({std::string(synonym), value, source});
            }
        }
    };
    add_from(server.dynamic_overrides(), ConfigSource::DynamicBroker);
    add_from(server.dynamic_defaults(), ConfigSource::DynamicDefaultBroker);
    add_from(server.static_configs(), ConfigSource::StaticBroker);
    for (std::string_view synonym : names) {
        const ConfigKey* key = broker_config_def().find(synonym);
        if (key != nullptr && key->default_value) {
            auto value = sensitive ? std::nullopt : format_value(default_value(*key));
            found.push_back({std::string(synonym), value, ConfigSource::Default});
        }
    }
    auto first = std::ranges::find(found, name, &DescribedSynonym::name);
    found.erase(found.begin(), first);
    return found;
}

void finish(DescribedConfig& config) {
    config.source =
        config.synonyms.empty() ? ConfigSource::Default : config.synonyms.front().source;
}

// The text of an override in the form of its type: "true" for " TRUE", lists without blanks.
std::optional<std::string> canonical(const ConfigKey& key, const std::string& text) {
    auto value = parse_type(key, text);
    return value ? format_value(*value) : std::optional(text);
}

DescribedConfig describe_broker_key(const ServerConfig& server, const std::string& name) {
    DescribedConfig config;
    config.name = name;
    config.read_only = true;
    const ConfigKey* key = broker_config_def().find(name);
    if (key == nullptr) {
        key = broker_dynamic_only_def().find(name);
    }
    if (key != nullptr) {
        config.type = key->type;
        config.read_only = key->dynamic == DynamicMode::ReadOnly;
    }
    // A key of unknown type may hold a secret.
    config.sensitive = key == nullptr || key->sensitive();
    config.synonyms = synonyms_of(server, name, config.sensitive);
    if (!config.sensitive) {
        if (broker_config_def().find(name) != nullptr) {
            config.value = format_value(server.value(name));
        } else if (!config.synonyms.empty()) {
            config.value = config.synonyms.front().value;
        }
    }
    finish(config);
    return config;
}

}  // namespace

std::vector<DescribedConfig> describe_topic(const ServerConfig& server,
                                            const ConfigMap& overrides) {
    std::vector<DescribedConfig> out;
    for (const ConfigKey& key : topic_config_def().keys()) {
        auto given = overrides.find(key.name);
        if (key.internal && given == overrides.end()) {
            continue;
        }
        DescribedConfig config;
        config.name = key.name;
        config.type = key.type;
        if (!key.synonyms.empty()) {
            config.synonyms = synonyms_of(server, key.synonyms.front().name, false);
        }
        if (given != overrides.end()) {
            config.value = canonical(key, given->second);
            config.synonyms.insert(config.synonyms.begin(),
                                   {config.name, config.value, ConfigSource::Topic});
        } else if (key.type == ConfigType::List && !key.synonyms.empty()) {
            config.value = format_value(server.value(key.synonyms.front().name));
        } else {
            config.value = format_value(server.log_config().get(key.name));
        }
        finish(config);
        out.push_back(std::move(config));
    }
    return out;
}

std::vector<DescribedConfig> describe_broker(const ServerConfig& server) {
    std::set<std::string> names;
    for (const ConfigKey& key : broker_config_def().keys()) {
        if (!key.internal) {
            names.emplace(key.name);
        }
    }
    for (const ConfigMap* layer :
         {&server.static_configs(), &server.dynamic_defaults(), &server.dynamic_overrides()}) {
        for (const auto& [name, text] : *layer) {
            names.insert(name);
        }
    }
    std::vector<DescribedConfig> out;
    for (const std::string& name : names) {
        out.push_back(describe_broker_key(server, name));
    }
    return out;
}

std::vector<DescribedConfig> describe_broker_defaults(const ServerConfig& server) {
    std::vector<DescribedConfig> out;
    for (const auto& [name, text] : server.dynamic_defaults()) {
        DescribedConfig config = describe_broker_key(server, name);
        config.value = config.sensitive ? std::nullopt : std::optional(text);
        std::erase_if(config.synonyms, [](const DescribedSynonym& synonym) {
            return synonym.source != ConfigSource::DynamicDefaultBroker;
        });
        finish(config);
        out.push_back(std::move(config));
    }
    return out;
}

std::vector<DescribedConfig> describe_group(const ServerConfig& server,
                                            const ConfigMap& overrides) {
    ConfigMap defaults = server.group_defaults();
    std::vector<DescribedConfig> out;
    for (const ConfigKey& key : group_config_def().keys()) {
        DescribedConfig config;
        config.name = key.name;
        config.type = key.type;
        if (!key.synonyms.empty()) {
            config.synonyms = synonyms_of(server, key.synonyms.front().name, false);
        } else if (key.default_value) {
            config.synonyms.push_back(
                {config.name, format_value(default_value(key)), ConfigSource::Default});
        }
        auto given = overrides.find(key.name);
        if (given != overrides.end()) {
            config.value = canonical(key, given->second);
            config.synonyms.insert(config.synonyms.begin(),
                                   {config.name, config.value, ConfigSource::Group});
        } else if (auto it = defaults.find(key.name); it != defaults.end()) {
            config.value = it->second;
        }
        finish(config);
        out.push_back(std::move(config));
    }
    return out;
}

std::vector<DescribedConfig> describe_client_metrics(const ConfigMap& overrides) {
    std::vector<DescribedConfig> out;
    for (const ConfigKey& key : client_metrics_config_def().keys()) {
        DescribedConfig config;
        config.name = key.name;
        config.type = key.type;
        config.value = format_value(default_value(key));
        if (auto given = overrides.find(key.name); given != overrides.end()) {
            config.value = canonical(key, given->second);
            config.synonyms.push_back({config.name, config.value, ConfigSource::ClientMetrics});
        }
        finish(config);
        out.push_back(std::move(config));
    }
    return out;
}

}  // namespace moldau::config
