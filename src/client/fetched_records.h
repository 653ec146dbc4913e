// What a consumer makes of the bytes of one partition in a Fetch answer: records from the asked
// offset on, without control records and, for read_committed, without those of aborted
// transactions. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/cluster.h"
#include "client/producer_core.h"
#include "record/batch.h"

namespace moldau::client {

struct ConsumedRecord {
    TopicPartition partition;
    int64_t offset = -1;
    int32_t leader_epoch = -1;
    TimestampMs timestamp = kNoTimestamp;
    record::TimestampType timestamp_type = record::TimestampType::CreateTime;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<RecordHeaderData> headers;
};

struct AbortedTransaction {
    int64_t producer_id = -1;
    int64_t first_offset = -1;
};

struct FetchedRecords {
    std::vector<ConsumedRecord> records;
    int64_t next_offset = -1;   // where to fetch next
    int32_t leader_epoch = -1;  // of the last batch
};

// Errors: CorruptMessage, InvalidRecord with the partition and offset. A first batch that was cut
// off leaves next_offset at `from`.
Result<FetchedRecords> read_fetched(const TopicPartition& partition, Bytes bytes, int64_t from,
                                    bool read_committed, std::vector<AbortedTransaction> aborted,
                                    bool check_crcs);

}  // namespace moldau::client
