#include "coordinator/group/records.h"

#include <utility>

#include "base/endian.h"
#include "base/time.h"
#include "protocol/wire.h"

namespace moldau::coordinator {

namespace {

constexpr int16_t kLegacyOffsetCommitType = 0;
constexpr int16_t kOffsetCommitType = 1;
constexpr int16_t kGroupMetadataType = 2;
constexpr int16_t kKeyVersion = 0;
constexpr int16_t kOffsetCommitValueVersion = 4;
constexpr int16_t kOffsetCommitWithExpiryValueVersion = 1;
constexpr int16_t kGroupMetadataValueVersion = 3;

// Keys and values alike: a number (type or version), then the message.
template <typename Message>
Bytes framed(int16_t number, const Message& message, int16_t version) {
    protocol::Writer writer;
    writer.write_int16(number);
    message.write(writer, version);
    return protocol::join(writer.take());
}

template <typename Message>
Result<Message> decode_key(const Bytes& key) {
    auto decoded = protocol::decode<Message>(key.slice(sizeof(int16_t)), kKeyVersion);
    if (!decoded) {
        return fail(ErrorCode::CorruptMessage, "{}", decoded.error().message);
    }
    return decoded;
}

template <typename Message>
Result<std::optional<Message>> decode_value(const std::optional<Bytes>& value) {
    if (!value) {
        return std::optional<Message>();
    }
    if (value->size() < sizeof(int16_t)) {
        return fail(ErrorCode::CorruptMessage, "record value too short: bytes={}", value->size());
    }
    int16_t version = load_big<int16_t>(value->data());
    if (!Message::kVersions.contains(version)) {
        return fail(ErrorCode::CorruptMessage, "record value of unknown version: version={}",
                    version);
    }
    auto decoded = protocol::decode<Message>(value->slice(sizeof(int16_t)), version);
    if (!decoded) {
        return fail(ErrorCode::CorruptMessage, "{}", decoded.error().message);
    }
    return std::optional<Message>(std::move(*decoded));
}

template <typename Record, typename Key, typename Value>
Result<std::optional<GroupRecord>> decode_as(const Bytes& key, const std::optional<Bytes>& value) {
    Record record;
    MOLDAU_TRY(record.key, decode_key<Key>(key));
    MOLDAU_TRY(record.value, decode_value<Value>(value));
    return std::optional<GroupRecord>(std::move(record));
}

}  // namespace

OffsetCommitRecord offset_tombstone(std::string group, std::string topic, int32_t partition) {
    OffsetCommitRecord record;
    record.key.group = std::move(group);
    record.key.topic = std::move(topic);
    record.key.partition = partition;
    return record;
}

GroupMetadataRecord group_tombstone(std::string group) {
    GroupMetadataRecord record;
    record.key.group = std::move(group);
    return record;
}

EncodedRecord encode_group_record(const GroupRecord& record) {
    EncodedRecord encoded;
    if (const auto* commit = std::get_if<OffsetCommitRecord>(&record)) {
        encoded.key = framed(kOffsetCommitType, commit->key, kKeyVersion);
        if (commit->value) {
            int16_t version = commit->value->expire_timestamp == kNoTimestamp
                                  ? kOffsetCommitValueVersion
                                  : kOffsetCommitWithExpiryValueVersion;
            encoded.value = framed(version, *commit->value, version);
        }
    } else {
        const auto& group = std::get<GroupMetadataRecord>(record);
        encoded.key = framed(kGroupMetadataType, group.key, kKeyVersion);
        if (group.value) {
            encoded.value =
                framed(kGroupMetadataValueVersion, *group.value, kGroupMetadataValueVersion);
        }
    }
    return encoded;
}

Result<std::optional<GroupRecord>> decode_group_record(const Bytes& key,
                                                       const std::optional<Bytes>& value) {
    if (key.size() < sizeof(int16_t)) {
        return fail(ErrorCode::CorruptMessage, "record key too short: bytes={}", key.size());
    }
    switch (load_big<int16_t>(key.data())) {
        case kLegacyOffsetCommitType:
        case kOffsetCommitType:
            return decode_as<OffsetCommitRecord, protocol::OffsetCommitKey,
                             protocol::OffsetCommitValue>(key, value);
        case kGroupMetadataType:
            return decode_as<GroupMetadataRecord, protocol::GroupMetadataKey,
                             protocol::GroupMetadataValue>(key, value);
        default:
            return std::optional<GroupRecord>();
    }
}

}  // namespace moldau::coordinator
