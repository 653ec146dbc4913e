// Record batches as a produce request brings them: structure, decompression, the walk over records.
#include <algorithm>

#include "fuzz.h"
#include "record/batch.h"

using namespace moldau;

namespace {

constexpr size_t kUncompressedBytesMax = 1 << 20;

void walk(const record::BatchView& batch) {
    (void)batch.check_crc();
    auto payload = batch.uncompressed_payload(kUncompressedBytesMax);
    if (!payload) {
        return;
    }
    MOLDAU_ASSERT(payload->size() <= std::max(kUncompressedBytesMax, batch.size_in_bytes()));
    record::RecordReader reader(batch.header(), payload->span());
    int32_t records = 0;
    while (reader.next()) {
        ++records;
        MOLDAU_ASSERT(reader.record().headers().size() ==
                      static_cast<size_t>(reader.record().header_count));
    }
    MOLDAU_ASSERT(!reader.status().has_value() || records == batch.header().record_count);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    record::BatchIterator batches(fuzz::Input(data, size).rest());
    while (true) {
        auto batch = batches.next();
        if (!batch || !batch->has_value()) {
            return 0;
        }
        walk(**batch);
    }
}
