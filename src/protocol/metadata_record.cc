// Framing of metadata records: unsigned varints for frame version, type and version, then the body.
#include <limits>

#include "protocol/records/metadata.h"

namespace moldau::protocol {

namespace {

constexpr uint32_t kFrameVersion = 1;

}  // namespace

Bytes encode_metadata_record(const MetadataRecord& record, int16_t version) {
    Writer writer;
    writer.write_unsigned_varint(kFrameVersion);
    writer.write_unsigned_varint(static_cast<uint32_t>(metadata_record_type(record)));
    writer.write_unsigned_varint(static_cast<uint32_t>(version));
    std::visit([&](const auto& body) { body.write(writer, version); }, record);
    // The caller picks a version that the finalised features allow and the record fits in.
    MOLDAU_ASSERT(writer.ok());
    return join(writer.take());
}

Result<VersionedMetadataRecord> decode_versioned_metadata_record(Bytes frame) {
    Reader reader(std::move(frame));
    uint32_t frame_version = reader.read_unsigned_varint();
    uint32_t type = reader.read_unsigned_varint();
    uint32_t version = reader.read_unsigned_varint();
    if (!reader.ok()) {
        return fail(reader.error());
    }
    if (frame_version != kFrameVersion) {
        return fail(ErrorCode::UnsupportedVersion,
                    "Could not deserialize metadata record due to unknown frame version {}(only "
                    "frame version {} is supported)",
                    frame_version, kFrameVersion);
    }
    constexpr uint32_t kInt16Max = std::numeric_limits<int16_t>::max();
    if (type > kInt16Max || version > kInt16Max) {
        return fail(ErrorCode::UnsupportedVersion, "unknown metadata record: type={} version={}",
                    type, version);
    }
    auto record =
        read_metadata_body(reader, static_cast<int16_t>(type), static_cast<int16_t>(version));
    if (!record) {
        return fail(std::move(record).error());
    }
    if (!reader.ok()) {
        return fail(reader.error());
    }
    if (reader.remaining() != 0) {
        return fail(ErrorCode::CorruptMessage,
                    "bytes left over after a metadata record: type={} version={} left={}", type,
                    version, reader.remaining());
    }
    return VersionedMetadataRecord{std::move(*record), static_cast<int16_t>(version)};
}

Result<MetadataRecord> decode_metadata_record(Bytes frame) {
    MOLDAU_TRY(VersionedMetadataRecord decoded, decode_versioned_metadata_record(std::move(frame)));
    return std::move(decoded.record);
}

int16_t metadata_record_type(const MetadataRecord& record) {
    return std::visit([](const auto& body) { return body.kApiKey; }, record);
}

int16_t metadata_record_version_max(const MetadataRecord& record) {
    return std::visit([](const auto& body) { return body.kVersions.last; }, record);
}

std::string metadata_record_json(const MetadataRecord& record, int16_t version) {
    JsonWriter json;
    json.open_object();
    json.name("type");
    json.string(metadata_record_type_name(metadata_record_type(record)));
    json.name("version");
    json.integer(version);
    json.name("data");
    std::visit([&](const auto& body) { body.write_json(json, version); }, record);
    json.close_object();
    return std::move(json).take();
}

}  // namespace moldau::protocol
