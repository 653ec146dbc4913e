// The five codecs of record batches, in the framing each has on Kafka's wire:
// gzip members, xerial blocks of snappy, LZ4 frames, zstd frames.
//
// Decompression always streams with an output bound: no buffer is sized by what the input claims.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "record/batch.h"

namespace moldau::record {

// A codec with its level. Level ranges: gzip 1-9, lz4 1-17, zstd -131072-22; nullopt is the
// default.
struct Compression {
    Codec codec = Codec::None;
    std::optional<int> level = std::nullopt;

    friend bool operator==(const Compression&, const Compression&) = default;
};

// Pulls uncompressed bytes out of a compressed payload, a piece at a time.
class Decompressor {
 public:
    virtual ~Decompressor() = default;

    // Fills at most `into.size()` bytes and returns how many; 0 only at the end.
    // Errors: CorruptMessage.
    virtual Result<size_t> read(std::span<uint8_t> into) = 0;

    // `payload` must outlive the decompressor. Errors: UnsupportedCompressionType for a number that
    // names no codec. Codec number 0 passes the bytes through.
    static Result<std::unique_ptr<Decompressor>> open(int8_t codec_number,
                                                      std::span<const uint8_t> payload);
};

// Everything at once. Errors: as Decompressor, and CorruptMessage when the output exceeds
// `bytes_max`.
Result<Bytes> decompress(int8_t codec_number, std::span<const uint8_t> payload, size_t bytes_max);

// Compresses `payload`. The result of Codec::None is a copy.
Bytes compress(const Compression& compression, std::span<const uint8_t> payload);

}  // namespace moldau::record
