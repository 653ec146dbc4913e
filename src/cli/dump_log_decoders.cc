#include "cli/dump_log_decoders.h"

#include <fmt/format.h>

#include "base/endian.h"
#include "protocol/json.h"
#include "protocol/records/consumer_protocol.h"
#include "protocol/records/control.h"
#include "protocol/records/group.h"
#include "protocol/records/metadata.h"
#include "protocol/records/share.h"
#include "protocol/records/transaction.h"
#include "protocol/wire.h"
#include "record/builder.h"

namespace moldau::cli {
namespace {

// Decoding never outlives the record, so its bytes are borrowed.
Bytes borrow(std::string_view text) {
    return Bytes::borrowed_forever({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

int16_t leading_int16(std::string_view text) {
    return load_big<int16_t>(reinterpret_cast<const uint8_t*>(text.data()));
}

template <typename T>
Result<std::string> json_of(std::string_view text, int16_t version) {
    if (!T::kVersions.contains(version)) {
        return fail(ErrorCode::InvalidRecord, "Unknown version {}", version);
    }
    MOLDAU_TRY(T message, protocol::decode<T>(borrow(text), version));
    return protocol::to_json(message, version);
}

// Puts `json` in place of the bytes that `field` shows as base64, searching from `at` on.
void replace_bytes(std::string& text, size_t& at, std::string_view field, const Bytes& bytes,
                   const std::string& json) {
    protocol::JsonWriter writer;
    writer.bytes(bytes);
    std::string shown = fmt::format("\"{}\":{}", field, std::move(writer).take());
    size_t found = text.find(shown, at);
    if (found == std::string::npos) {
        return;
    }
    std::string replacement = fmt::format("\"{}\":{}", field, json);
    text.replace(found, shown.size(), replacement);
    at = found + replacement.size();
}

template <typename T>
std::optional<std::string> embedded_json(const Bytes& bytes) {
    if (bytes.size() < 2) {
        return std::nullopt;
    }
    auto json = json_of<T>(bytes.view().substr(2), leading_int16(bytes.view()));
    return json ? std::optional(*json) : std::nullopt;
}

// Members of a consumer group carry two more messages as bytes; Kafka shows what is in them.
Result<std::string> group_metadata_json(std::string_view text, int16_t version) {
    using Value = protocol::GroupMetadataValue;
    if (!Value::kVersions.contains(version)) {
        return fail(ErrorCode::InvalidRecord, "Unknown version {}", version);
    }
    MOLDAU_TRY(Value value, protocol::decode<Value>(borrow(text), version));
    std::string json = protocol::to_json(value, version);
    if (value.protocol_type != "consumer") {
        return json;
    }
    size_t at = 0;
    for (const auto& member : value.members) {
        if (auto shown =
                embedded_json<protocol::ConsumerProtocolSubscription>(member.subscription)) {
            replace_bytes(json, at, "subscription", member.subscription, *shown);
        }
        if (auto shown = embedded_json<protocol::ConsumerProtocolAssignment>(member.assignment)) {
            replace_bytes(json, at, "assignment", member.assignment, *shown);
        }
    }
    return json;
}

using JsonOf = Result<std::string> (*)(std::string_view, int16_t);

// Key and value of a coordinator record both begin with an int16: the record type, and the version.
struct CoordinatorRecord {
    int16_t type;
    JsonOf key;
    JsonOf value;
};

#define MOLDAU_RECORD(name) \
    {protocol::name##Key::kRecordType, json_of<protocol::name##Key>, json_of<protocol::name##Value>}

constexpr CoordinatorRecord kGroupRecords[] = {
    MOLDAU_RECORD(LegacyOffsetCommit),
    MOLDAU_RECORD(OffsetCommit),
    {protocol::GroupMetadataKey::kRecordType, json_of<protocol::GroupMetadataKey>,
     group_metadata_json},
    MOLDAU_RECORD(ConsumerGroupMetadata),
    MOLDAU_RECORD(ConsumerGroupPartitionMetadata),
    MOLDAU_RECORD(ConsumerGroupMemberMetadata),
    MOLDAU_RECORD(ConsumerGroupTargetAssignmentMetadata),
    MOLDAU_RECORD(ConsumerGroupTargetAssignmentMember),
    MOLDAU_RECORD(ConsumerGroupCurrentMemberAssignment),
    MOLDAU_RECORD(ShareGroupMemberMetadata),
    MOLDAU_RECORD(ShareGroupMetadata),
    MOLDAU_RECORD(ShareGroupTargetAssignmentMetadata),
    MOLDAU_RECORD(ShareGroupTargetAssignmentMember),
    MOLDAU_RECORD(ShareGroupCurrentMemberAssignment),
    MOLDAU_RECORD(ShareGroupStatePartitionMetadata),
    MOLDAU_RECORD(ConsumerGroupRegularExpression),
    MOLDAU_RECORD(StreamsGroupMetadata),
    MOLDAU_RECORD(StreamsGroupMemberMetadata),
    MOLDAU_RECORD(StreamsGroupTargetAssignmentMetadata),
    MOLDAU_RECORD(StreamsGroupTargetAssignmentMember),
    MOLDAU_RECORD(StreamsGroupCurrentMemberAssignment),
    MOLDAU_RECORD(StreamsGroupTopology),
};
constexpr CoordinatorRecord kTransactionRecords[] = {MOLDAU_RECORD(TransactionLog)};
constexpr CoordinatorRecord kShareRecords[] = {MOLDAU_RECORD(ShareSnapshot),
                                               MOLDAU_RECORD(ShareUpdate)};

#undef MOLDAU_RECORD

Result<ShownRecord> show_coordinator_record(const record::RecordView& record,
                                            std::span<const CoordinatorRecord> known) {
    if (!record.key) {
        return fail(ErrorCode::InvalidRecord,
                    "java.lang.RuntimeException: Failed to decode message at offset {} using the "
                    "specified decoder (message had a missing key)",
                    record.offset);
    }
    auto skipped = [&](std::string_view why) {
        return ShownRecord{fmt::format("Error at offset {}, skipping. {}", record.offset, why), {}};
    };
    if (record.key->size() < 2) {
        return skipped("Could not read record with version from key's buffer due to: null.");
    }
    int16_t type = leading_int16(*record.key);
    const CoordinatorRecord* form = nullptr;
    for (const CoordinatorRecord& candidate : known) {
        if (candidate.type == type) {
            form = &candidate;
        }
    }
    if (form == nullptr) {
        return ShownRecord{
            fmt::format("Unknown record type {} at offset {}, skipping.", type, record.offset), {}};
    }
    auto key = form->key(record.key->substr(2), 0);
    if (!key) {
        return skipped(key.error().message);
    }
    ShownRecord shown;
    shown.key = fmt::format("{{\"type\":\"{}\",\"data\":{}}}", type, *key);
    if (!record.value) {
        shown.value = "<DELETE>";
        return shown;
    }
    if (record.value->size() < 2) {
        return skipped("Could not read version from value's buffer due to: null.");
    }
    int16_t version = leading_int16(*record.value);
    auto value = form->value(record.value->substr(2), version);
    if (!value) {
        return skipped(value.error().message);
    }
    shown.value = fmt::format("{{\"version\":\"{}\",\"data\":{}}}", version, *value);
    return shown;
}

std::string show_string(std::string_view bytes) {
    return std::string(bytes);
}

std::string show_long(std::string_view bytes) {
    return bytes.size() < 8
               ? std::string("0")
               : std::to_string(load_big<int64_t>(reinterpret_cast<const uint8_t*>(bytes.data())));
}

std::string show_integer(std::string_view bytes) {
    return bytes.size() < 4
               ? std::string("0")
               : std::to_string(load_big<int32_t>(reinterpret_cast<const uint8_t*>(bytes.data())));
}

// Java shows a byte array by its identity, which says nothing; the length says a little.
std::string show_bytes(std::string_view bytes) {
    return fmt::format("[B@{:x}", bytes.size());
}

template <typename T>
std::string control_json(std::string_view name, const record::RecordView& record) {
    std::string_view value = record.value.value_or(std::string_view());
    // The first field of each is its version.
    int16_t version = value.size() < 2 ? int16_t{0} : leading_int16(value);
    version = std::min(version, T::kVersions.last);
    auto json = json_of<T>(value, version);
    return fmt::format(" {} {}", name, json ? *json : json.error().message);
}

}  // namespace

Result<ShownRecord> show_group_record(const record::RecordView& record) {
    return show_coordinator_record(record, kGroupRecords);
}

Result<ShownRecord> show_transaction_record(const record::RecordView& record) {
    return show_coordinator_record(record, kTransactionRecords);
}

Result<ShownRecord> show_share_record(const record::RecordView& record) {
    return show_coordinator_record(record, kShareRecords);
}

Result<ShownRecord> show_metadata_record(const record::RecordView& record) {
    auto decoded = protocol::decode_versioned_metadata_record(borrow(record.value.value_or("")));
    ShownRecord shown;
    if (!decoded) {
        shown.value =
            fmt::format("Error at {}, skipping. {}", record.offset, decoded.error().message);
        return shown;
    }
    shown.value = protocol::metadata_record_json(decoded->record, decoded->version);
    return shown;
}

Result<BytesDecoder> find_bytes_decoder(std::string_view class_name) {
    constexpr std::string_view kPackage = "org.apache.kafka.tools.api.";
    std::string_view name = class_name;
    if (name.starts_with(kPackage)) {
        name.remove_prefix(kPackage.size());
        if (name == "StringDecoder") {
            return show_string;
        }
        if (name == "LongDecoder") {
            return show_long;
        }
        if (name == "IntegerDecoder") {
            return show_integer;
        }
        if (name == "DefaultDecoder") {
            return show_bytes;
        }
    }
    return fail(ErrorCode::InvalidRequest,
                "java.lang.RuntimeException: Failed to load decoder class");
}

std::string show_control_record(const record::RecordView& record) {
    auto type = record::control_type_of_key(record.key);
    if (!type) {
        return " controlType: UNKNOWN(-1)";
    }
    switch (static_cast<record::ControlType>(*type)) {
        case record::ControlType::Abort:
        case record::ControlType::Commit: {
            std::string_view value = record.value.value_or(std::string_view());
            int32_t epoch =
                value.size() < 6
                    ? -1
                    : load_big<int32_t>(reinterpret_cast<const uint8_t*>(value.data()) + 2);
            return fmt::format(" endTxnMarker: {} coordinatorEpoch: {}",
                               *type == 0 ? "ABORT" : "COMMIT", epoch);
        }
        case record::ControlType::LeaderChange:
            return control_json<protocol::LeaderChangeMessage>("LeaderChange:", record);
        case record::ControlType::SnapshotHeader:
            return control_json<protocol::SnapshotHeaderRecord>("SnapshotHeader", record);
        case record::ControlType::SnapshotFooter:
            return control_json<protocol::SnapshotFooterRecord>("SnapshotFooter", record);
        case record::ControlType::KRaftVersion:
            return control_json<protocol::KRaftVersionRecord>("KRaftVersion", record);
        case record::ControlType::KRaftVoters:
            return control_json<protocol::VotersRecord>("KRaftVoters", record);
    }
    return fmt::format(" controlType: UNKNOWN({})", *type);
}

}  // namespace moldau::cli
