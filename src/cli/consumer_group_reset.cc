#include "cli/consumer_group_reset.h"

#include <ctime>

#include "cli/text.h"
#include "cli/tool_log.h"
#include "client/consumer_config.h"
#include "runtime/clock.h"
#include "runtime/file_system.h"

namespace moldau::cli {
namespace {

constexpr std::string_view kLogger = "org.apache.kafka.tools.OffsetsUtils";

std::string unquoted(std::string_view field) {
    while (!field.empty() && (field.front() == ' ' || field.front() == '"')) {
        field.remove_prefix(1);
    }
    while (!field.empty() && (field.back() == ' ' || field.back() == '"' || field.back() == '\r')) {
        field.remove_suffix(1);
    }
    return std::string(field);
}

}  // namespace

ToolResult<std::vector<TopicPartition>> parse_topic_partitions(const std::string& argument) {
    std::vector<std::string_view> halves = split(argument, ':');
    if (halves.size() != 2 || halves[1].empty()) {
        return illegal_argument(
            fmt::format("Invalid topic arg '{}', expected topic name and partitions", argument));
    }
    std::vector<TopicPartition> partitions;
    for (std::string_view part : split(halves[1], ',')) {
        auto index = parse_number<int32_t>(part);
        if (!index) {
            return illegal_argument(
                fmt::format("Invalid partition '{}' specified in topic arg '{}''", part, argument));
        }
        partitions.push_back({std::string(halves[0]), *index});
    }
    return partitions;
}

std::optional<int64_t> parse_datetime(std::string_view text) {
    std::string copy(text);
    std::tm parts{};
    const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == nullptr) {
        return std::nullopt;
    }
    int64_t ms = static_cast<int64_t>(timegm(&parts)) * 1000;
    if (*rest == '.') {
        int64_t unit = 100;
        for (++rest; *rest >= '0' && *rest <= '9'; ++rest) {
            ms += (*rest - '0') * unit;
            unit /= 10;
        }
    }
    std::string_view zone = rest;
    if (zone.empty() || zone == "Z") {
        return ms;
    }
    if (zone[0] != '+' && zone[0] != '-') {
        return std::nullopt;
    }
    std::string digits;
    for (char c : zone.substr(1)) {
        if (c >= '0' && c <= '9') {
            digits += c;
        } else if (c != ':') {
            return std::nullopt;
        }
    }
    digits.resize(4, '0');
    int64_t minutes = (digits[0] - '0') * 600 + (digits[1] - '0') * 60 + (digits[2] - '0') * 10 +
                      (digits[3] - '0');
    return ms + (zone[0] == '+' ? -minutes : minutes) * 60'000;
}

Result<NewOffsets> parse_reset_plan(std::string_view csv, std::span<const std::string> groups) {
    NewOffsets plan;
    for (std::string_view line : split(csv, '\n')) {
        if (line.empty() || line == "\r") {
            continue;
        }
        std::vector<std::string_view> fields = split(line, ',');
        bool with_group = fields.size() == 4;
        if (!with_group && (fields.size() != 3 || groups.size() != 1)) {
            return fail(ErrorCode::InvalidRequest, "reset plan line is malformed: line={}", line);
        }
        size_t first = with_group ? 1 : 0;
        auto partition = parse_number<int32_t>(unquoted(fields[first + 1]));
        auto offset = parse_number<int64_t>(unquoted(fields[first + 2]));
        if (!partition || !offset) {
            return fail(ErrorCode::InvalidRequest, "reset plan line is malformed: line={}", line);
        }
        std::string group = with_group ? unquoted(fields[0]) : groups.front();
        plan[group][{unquoted(fields[first]), *partition}] = *offset;
    }
    return plan;
}

ToolResult<ResetPlanner::Partitions> ResetPlanner::partitions_in_scope(const std::string& group) {
    Partitions partitions;
    if (options_.has("all-topics")) {
        MOLDAU_TRY(auto committed, admin_.committed_offsets(group));
        for (const auto& [tp, offset] : committed) {
            partitions.push_back(tp);
        }
        return partitions;
    }
    if (!options_.has("topic")) {
        if (!options_.has("from-file")) {
            return illegal_argument(
                "One of the reset scopes should be defined: --all-topics, --topic.");
        }
        return partitions;
    }
    std::vector<std::string> whole_topics;
    for (const std::string& argument : options_.values("topic")) {
        if (argument.find(':') == std::string::npos) {
            whole_topics.push_back(argument);
            continue;
        }
        MOLDAU_TRY(auto some, parse_topic_partitions(argument));
        partitions.insert(partitions.end(), some.begin(), some.end());
    }
    if (!whole_topics.empty()) {
        MOLDAU_TRY(auto described, admin_.describe_topics(whole_topics));
        for (const auto& topic : described) {
            for (const auto& partition : topic.partitions) {
                partitions.push_back({topic.name, partition.partition});
            }
        }
    }
    return partitions;
}

ToolResult<void> ResetPlanner::check_exist(const Partitions& partitions) {
    std::set<std::string> topics;
    for (const TopicPartition& tp : partitions) {
        topics.insert(tp.topic);
    }
    std::vector<std::string> names(topics.begin(), topics.end());
    MOLDAU_TRY(auto cluster, admin_.client().fetch_metadata(names, false, "describeTopics"));
    std::vector<std::string> missing;
    std::vector<std::string> leaderless;
    for (const TopicPartition& tp : partitions) {
        if (cluster->partition(tp) == nullptr) {
            missing.push_back(tp.str());
        } else if (cluster->leader(tp) == nullptr) {
            leaderless.push_back(tp.str());
        }
    }
    if (!missing.empty()) {
        return std::unexpected(ToolError(
            Error{ErrorCode::UnknownTopicOrPartition,
                  fmt::format("The partitions \"{}\" do not exist", fmt::join(missing, ","))}));
    }
    if (!leaderless.empty()) {
        return std::unexpected(ToolError(Error{
            ErrorCode::LeaderNotAvailable,
            fmt::format("The partitions \"{}\" have no leader", fmt::join(leaderless, ","))}));
    }
    return {};
}

ToolResult<ResetPlanner::Offsets> ResetPlanner::offsets_at(const Partitions& partitions,
                                                           int64_t spec) {
    std::map<TopicPartition, int64_t> specs;
    for (const TopicPartition& tp : partitions) {
        specs[tp] = spec;
    }
    MOLDAU_TRY(auto listed, admin_.list_offsets(specs));
    Offsets offsets;
    for (auto& [tp, result] : listed) {
        if (!result) {
            return std::unexpected(ToolError(result.error()));
        }
        offsets[tp] = result->offset;
    }
    return offsets;
}

ToolResult<ResetPlanner::Offsets> ResetPlanner::offsets_at_time(const Partitions& partitions,
                                                                int64_t timestamp) {
    MOLDAU_TRY(Offsets offsets, offsets_at(partitions, timestamp));
    Partitions none_that_young;
    for (const auto& [tp, offset] : offsets) {
        if (offset < 0) {
            say(streams_.out,
                "\nWarn: Partition {} from topic {} is empty. Falling back to latest known "
                "offset.\n",
                tp.partition, tp.topic);
            none_that_young.push_back(tp);
        }
    }
    MOLDAU_TRY(Offsets ends, offsets_at(none_that_young, client::offset_spec::kLatest));
    for (const auto& [tp, offset] : ends) {
        offsets[tp] = offset;
    }
    return offsets;
}

ToolResult<ResetPlanner::Offsets> ResetPlanner::within_range(Offsets wanted) {
    Partitions partitions;
    for (const auto& [tp, offset] : wanted) {
        partitions.push_back(tp);
    }
    MOLDAU_TRY(Offsets starts, offsets_at(partitions, client::offset_spec::kEarliest));
    MOLDAU_TRY(Offsets ends, offsets_at(partitions, client::offset_spec::kLatest));
    for (auto& [tp, offset] : wanted) {
        auto correct = [&](std::string_view side, int64_t limit) {
            log_warn(
                streams_, kLogger,
                fmt::format("New offset ({}) is {} offset for topic partition {}. Value will be "
                            "set to {}",
                            offset, side, tp.str(), limit));
            offset = limit;
        };
        if (offset > ends[tp]) {
            correct("higher than latest", ends[tp]);
        } else if (offset < starts[tp]) {
            correct("lower than earliest", starts[tp]);
        }
    }
    return wanted;
}

ToolResult<ResetPlanner::Offsets> ResetPlanner::plan(const std::string& group) {
    MOLDAU_TRY(Partitions partitions, partitions_in_scope(group));
    if (auto valid = check_exist(partitions); !valid) {
        return std::unexpected(valid.error());
    }
    if (options_.has("to-offset")) {
        MOLDAU_TRY(auto offset, options_.int64("to-offset"));
        Offsets wanted;
        for (const TopicPartition& tp : partitions) {
            wanted[tp] = *offset;
        }
        return within_range(std::move(wanted));
    }
    if (options_.has("to-earliest")) {
        return offsets_at(partitions, client::offset_spec::kEarliest);
    }
    if (options_.has("to-latest")) {
        return offsets_at(partitions, client::offset_spec::kLatest);
    }
    if (options_.has("to-datetime")) {
        std::string text = *options_.value("to-datetime");
        auto timestamp = parse_datetime(text);
        if (!timestamp) {
            return std::unexpected(ToolError("java.text.ParseException",
                                             fmt::format("Unparseable date: \"{}\"", text)));
        }
        return offsets_at_time(partitions, *timestamp);
    }
    if (options_.has("by-duration")) {
        auto ms = client::parse_iso_duration(*options_.value("by-duration"));
        if (!ms) {
            return std::unexpected(ToolError("java.time.format.DateTimeParseException",
                                             "Text cannot be parsed to a Duration"));
        }
        return offsets_at_time(partitions, runtime::system_clock().wall_ms() - *ms);
    }
    if (auto path = options_.value("from-file")) {
        auto csv = runtime::real_file_system().read_file(*path);
        if (!csv) {
            return std::unexpected(ToolError("java.nio.file.NoSuchFileException", *path));
        }
        std::vector<std::string> groups = options_.values("group");
        MOLDAU_TRY(NewOffsets planned, parse_reset_plan(csv->view(), groups));
        auto found = planned.find(group);
        if (found == planned.end()) {
            say(streams_.out, "\nError: No reset plan for group {} found\n", group);
            return Offsets();
        }
        return within_range(found->second);
    }
    bool shift = options_.has("shift-by");
    if (!shift && !options_.has("to-current")) {
        return illegal_argument(
            "Option '[reset-offsets]' requires one of the following scenarios: [[to-earliest], "
            "[to-offset], [shift-by], [from-file], [to-datetime], [by-duration], [to-latest], "
            "[to-current]]");
    }
    MOLDAU_TRY(auto committed, admin_.committed_offsets(group));
    MOLDAU_TRY(auto by, options_.int64("shift-by"));
    Offsets wanted;
    Partitions uncommitted;
    for (const TopicPartition& tp : partitions) {
        auto current = committed.find(tp);
        if (current != committed.end()) {
            wanted[tp] = current->second.offset + by.value_or(0);
        } else if (shift) {
            return illegal_argument(
                fmt::format("Cannot shift offset for partition {} since there is no current "
                            "committed offset",
                            tp.str()));
        } else {
            uncommitted.push_back(tp);
        }
    }
    if (shift) {
        return within_range(std::move(wanted));
    }
    MOLDAU_TRY(Offsets ends, offsets_at(uncommitted, client::offset_spec::kLatest));
    wanted.merge(ends);
    return wanted;
}

}  // namespace moldau::cli
