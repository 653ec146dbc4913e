// What kafka-consumer-groups --reset-offsets would set: the partitions in scope and their new
// offsets, by the one scenario given. Reads the cluster, changes nothing.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "cli/client_tool.h"
#include "cli/consumer_group_tables.h"
#include "client/admin.h"

namespace moldau::cli {

// "orders" or "orders:0,2". Errors: IllegalArgument with Kafka's words.
ToolResult<std::vector<TopicPartition>> parse_topic_partitions(const std::string& argument);

// "2020-01-01T00:00:00.000", with an optional zone "Z" or "+02:00", as milliseconds UTC; without a
// zone it is UTC. Nothing when malformed.
std::optional<int64_t> parse_datetime(std::string_view text);

// Lines of "topic,partition,offset" (for `group`) or "group,topic,partition,offset".
Result<NewOffsets> parse_reset_plan(std::string_view csv, std::span<const std::string> groups);

class ResetPlanner {
 public:
    ResetPlanner(const ParsedOptions& options, client::Admin& admin, Streams& streams)
        : options_(options), admin_(admin), streams_(streams) {}

    // Errors: IllegalArgument is a usage error; the rest ends the command.
    ToolResult<std::map<TopicPartition, int64_t>> plan(const std::string& group);

 private:
    using Partitions = std::vector<TopicPartition>;
    using Offsets = std::map<TopicPartition, int64_t>;

    ToolResult<Partitions> partitions_in_scope(const std::string& group);
    ToolResult<void> check_exist(const Partitions& partitions);
    ToolResult<Offsets> offsets_at(const Partitions& partitions, int64_t spec);
    ToolResult<Offsets> offsets_at_time(const Partitions& partitions, int64_t timestamp);
    ToolResult<Offsets> within_range(Offsets wanted);

    const ParsedOptions& options_;
    client::Admin& admin_;
    Streams& streams_;
};

}  // namespace moldau::cli
