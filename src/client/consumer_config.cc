#include "client/consumer_config.h"

#include <algorithm>
#include <cmath>

namespace moldau::client {

std::optional<int64_t> parse_iso_duration(std::string_view text) {
    bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) {
        text.remove_prefix(1);
    }
    if (!text.starts_with('P') && !text.starts_with('p')) {
        return std::nullopt;
    }
    text.remove_prefix(1);
    double total_ms = 0;
    bool in_time = false;
    bool any = false;
    while (!text.empty()) {
        if (text[0] == 'T' || text[0] == 't') {
            in_time = true;
            text.remove_prefix(1);
            continue;
        }
        char* end = nullptr;
        std::string copy(text);
        double number = std::strtod(copy.c_str(), &end);
        size_t used = static_cast<size_t>(end - copy.c_str());
        if (used == 0 || used >= text.size()) {
            return std::nullopt;
        }
        double unit_ms = 0;
        switch (text[used] & ~0x20) {
            case 'D':
                unit_ms = in_time ? 0 : 86'400'000.0;
                break;
            case 'H':
                unit_ms = in_time ? 3'600'000.0 : 0;
                break;
            case 'M':
                unit_ms = in_time ? 60'000.0 : 0;
                break;
            case 'S':
                unit_ms = in_time ? 1000.0 : 0;
                break;
            default:
                break;
        }
        if (unit_ms == 0) {
            return std::nullopt;
        }
        total_ms += number * unit_ms;
        any = true;
        text.remove_prefix(used + 1);
    }
    if (!any) {
        return std::nullopt;
    }
    return static_cast<int64_t>(std::llround(negative ? -total_ms : total_ms));
}

Result<OffsetReset> OffsetReset::parse(std::string_view text) {
    if (text == "earliest") {
        return OffsetReset{Kind::Spec, offset_spec::kEarliest};
    }
    if (text == "latest") {
        return OffsetReset{Kind::Spec, offset_spec::kLatest};
    }
    if (text == "none") {
        return OffsetReset{Kind::None, 0};
    }
    constexpr std::string_view prefix = "by_duration:";
    if (text.starts_with(prefix)) {
        auto ms = parse_iso_duration(text.substr(prefix.size()));
        if (ms && *ms >= 0) {
            return OffsetReset{Kind::Duration, *ms};
        }
    }
    return fail(ErrorCode::InvalidConfig,
                "Invalid value {} for configuration auto.offset.reset: Invalid value `{}` for "
                "configuration auto.offset.reset. The value must be either 'earliest', 'latest', "
                "'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.",
                text, text);
}

namespace {

constexpr std::string_view kDefaultStrategies =
    "org.apache.kafka.clients.consumer.RangeAssignor,"
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";

// Class names, or the names that librdkafka's users know.
Result<std::vector<const Assignor*>> parse_strategies(const std::string& list) {
    std::vector<const Assignor*> assignors;
    size_t at = 0;
    while (at <= list.size()) {
        size_t comma = std::min(list.find(',', at), list.size());
        std::string name = list.substr(at, comma - at);
        std::erase(name, ' ');
        at = comma + 1;
        if (name.empty()) {
            continue;
        }
        const Assignor* assignor = find_assignor(name);
        if (assignor == nullptr) {
            return fail(ErrorCode::InvalidConfig, "{} ClassNotFoundException exception occurred",
                        name);
        }
        if (std::ranges::find(assignors, assignor) == assignors.end()) {
            assignors.push_back(assignor);
        }
    }
    if (assignors.empty()) {
        return fail(ErrorCode::InvalidConfig,
                    "Must configure at least one partition assigner class name to "
                    "partition.assignment.strategy configuration property");
    }
    return assignors;
}

}  // namespace

Result<ConsumerConfig> ConsumerConfig::from_properties(const Properties& properties) {
    ConsumerConfig config;
    std::string protocol = string_property(properties, "group.protocol", "classic");
    if (protocol != "classic" && protocol != "CLASSIC") {
        return fail(ErrorCode::InvalidConfig,
                    "group.protocol is not available yet: value={} available=classic", protocol);
    }
    if (auto group = properties.find("group.id"); group != properties.end()) {
        config.group_id = group->second;
    }
    config.member.group_id = config.group_id.value_or("");
    if (auto instance = properties.find("group.instance.id"); instance != properties.end()) {
        config.member.group_instance_id = instance->second;
    }
    MOLDAU_TRY(config.reset,
               OffsetReset::parse(string_property(properties, "auto.offset.reset", "latest")));
    std::string isolation = string_property(properties, "isolation.level", "read_uncommitted");
    if (isolation == "read_committed") {
        config.isolation = Isolation::ReadCommitted;
    } else if (isolation != "read_uncommitted") {
        return fail(ErrorCode::InvalidConfig,
                    "Invalid value {} for configuration isolation.level: String must be one of: "
                    "read_committed, read_uncommitted",
                    isolation);
    }
    MOLDAU_TRY(config.auto_commit,
               bool_property(properties, "enable.auto.commit", config.group_id.has_value()));
    config.auto_commit = config.auto_commit && config.group_id.has_value();
    MOLDAU_TRY(config.check_crcs, bool_property(properties, "check.crcs", true));
    MOLDAU_TRY(config.auto_create_topics,
               bool_property(properties, "allow.auto.create.topics", true));
    struct Time {
        std::string_view key;
        Duration* target;
    };
    const Time times[] = {
        {"session.timeout.ms", &config.member.session_timeout},
        {"heartbeat.interval.ms", &config.member.heartbeat_interval},
        {"max.poll.interval.ms", &config.member.poll_interval_max},
        {"auto.commit.interval.ms", &config.auto_commit_interval},
        {"fetch.max.wait.ms", &config.fetch_wait_max},
        {"retry.backoff.ms", &config.retry_backoff},
    };
    for (const Time& time : times) {
        MOLDAU_TRY(int64_t ms, int_property(properties, time.key, to_ms(*time.target)));
        *time.target = milliseconds(ms);
    }
    config.member.retry_backoff = config.retry_backoff;
    struct Number {
        std::string_view key;
        int32_t* target;
    };
    const Number numbers[] = {
        {"fetch.min.bytes", &config.fetch_bytes_min},
        {"fetch.max.bytes", &config.fetch_bytes_max},
        {"max.partition.fetch.bytes", &config.partition_bytes_max},
    };
    for (const Number& number : numbers) {
        MOLDAU_TRY(int64_t value, int_property(properties, number.key, *number.target));
        *number.target = static_cast<int32_t>(value);
    }
    MOLDAU_TRY(int64_t poll_records, int_property(properties, "max.poll.records", 500));
    config.poll_records_max = static_cast<size_t>(std::max<int64_t>(poll_records, 1));
    config.client_rack = string_property(properties, "client.rack", "");
    config.member.rack = config.client_rack;
    MOLDAU_TRY(config.member.assignors,
               parse_strategies(string_property(properties, "partition.assignment.strategy",
                                                kDefaultStrategies)));
    return config;
}

}  // namespace moldau::client
