// How kafka-dump-log shows the key and the value of a record: as text, or decoded as records of one
// of the internal topics. Pure functions of bytes; the output is that of Kafka's DumpLogSegments.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/batch.h"

namespace moldau::cli {

// What is printed after `key: ` and `payload: `; nothing when the record has none.
struct ShownRecord {
    std::optional<std::string> key;
    std::optional<std::string> value;
};

// Errors stop the tool, as an exception would.
using RecordDecoder = Result<ShownRecord> (*)(const record::RecordView& record);

Result<ShownRecord> show_group_record(const record::RecordView& record);
Result<ShownRecord> show_transaction_record(const record::RecordView& record);
Result<ShownRecord> show_share_record(const record::RecordView& record);
Result<ShownRecord> show_metadata_record(const record::RecordView& record);

// Text of one key or value by the class that --key-decoder-class or --value-decoder-class names.
// Errors: InvalidRequest for a class that is none of Kafka's own.
using BytesDecoder = std::string (*)(std::string_view bytes);
Result<BytesDecoder> find_bytes_decoder(std::string_view class_name);

// ` endTxnMarker: COMMIT coordinatorEpoch: 0` and the like.
std::string show_control_record(const record::RecordView& record);

}  // namespace moldau::cli
