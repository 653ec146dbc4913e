// Framed records of the metadata log, as batches and snapshots carry them.
#include "fuzz.h"
#include "protocol/records/metadata.h"

using namespace moldau;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    auto decoded = protocol::decode_versioned_metadata_record(fuzz::Input(data, size).rest());
    if (!decoded) {
        return 0;
    }
    Bytes frame = protocol::encode_metadata_record(decoded->record, decoded->version);
    auto again = protocol::decode_versioned_metadata_record(frame);
    MOLDAU_ASSERT(again.has_value());
    MOLDAU_ASSERT(protocol::encode_metadata_record(again->record, again->version) == frame);
    MOLDAU_ASSERT(!protocol::metadata_record_json(decoded->record, decoded->version).empty());
    return 0;
}
