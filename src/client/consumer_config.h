// ConsumerConfig: what a consumer fetches and commits, by Kafka's consumer properties.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/admin.h"
#include "client/client_config.h"
#include "client/group_member.h"

namespace moldau::client {

// Where a partition without a committed offset starts: a ListOffsets spec, a duration back from
// now, or nowhere ("none": an error).
struct OffsetReset {
    enum class Kind { Spec, Duration, None };
    Kind kind = Kind::Spec;
    int64_t value = offset_spec::kLatest;  // spec, or milliseconds back

    // "earliest", "latest", "none", "by_duration:PT1H".
    static Result<OffsetReset> parse(std::string_view text);
};

// "PT1H30M", "P1DT2H": milliseconds. Nothing when it is no ISO-8601 duration of days and less.
std::optional<int64_t> parse_iso_duration(std::string_view text);

struct ConsumerConfig {
    std::optional<std::string> group_id;
    GroupMemberConfig member;
    OffsetReset reset;
    Isolation isolation = Isolation::ReadUncommitted;
    bool auto_commit = true;
    bool check_crcs = true;
    bool auto_create_topics = true;
    Duration auto_commit_interval = seconds(5);
    int32_t fetch_bytes_min = 1;
    int32_t fetch_bytes_max = 52'428'800;
    int32_t partition_bytes_max = 1'048'576;
    Duration fetch_wait_max = milliseconds(500);
    size_t poll_records_max = 500;
    Duration retry_backoff = milliseconds(100);
    std::string client_rack;

    static Result<ConsumerConfig> from_properties(const Properties& properties);
};

}  // namespace moldau::client
