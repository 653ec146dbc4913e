// The tables that kafka-consumer-groups prints for --describe: offsets, members, state. Pure text;
// column widths and blanks are Kafka's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/admin.h"

namespace moldau::cli {

// One row of the offsets table; unset values show as "-".
struct OffsetRow {
    std::string group;
    std::optional<TopicPartition> partition;
    std::optional<int64_t> offset;
    std::optional<int32_t> leader_epoch;
    std::optional<int64_t> log_end_offset;
    std::string consumer_id = "-";
    std::string host = "-";
    std::string client_id = "-";
};

// Rows of one group: members with the most partitions first, then partitions without a member.
std::vector<OffsetRow> offset_rows(
    const client::GroupDescription& group,
    const std::map<TopicPartition, client::OffsetAndMetadata>& committed,
    const std::map<TopicPartition, int64_t>& log_end_offsets);

std::string offsets_table(const std::vector<OffsetRow>& rows, bool verbose);
std::string members_table(const client::GroupDescription& group, bool verbose, bool any_rows);
std::string state_table(const client::GroupDescription& group, bool verbose);

// "NEW-OFFSET" of each partition, by group.
using NewOffsets = std::map<std::string, std::map<TopicPartition, int64_t>>;
std::string new_offsets_table(const NewOffsets& offsets);

}  // namespace moldau::cli
