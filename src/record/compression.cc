#include "record/compression.h"

#include <algorithm>
#include <array>

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include "base/endian.h"

namespace moldau::record {
namespace {

std::unexpected<Error> corrupt(std::string_view codec, std::string_view why) {
    return fail(ErrorCode::CorruptMessage, "records do not decompress: codec={} reason={}", codec,
                why);
}

class PassThrough : public Decompressor {
 public:
    explicit PassThrough(std::span<const uint8_t> input) : input_(input) {}

    Result<size_t> read(std::span<uint8_t> into) override {
        size_t count = std::min(into.size(), input_.size());
        std::copy_n(input_.begin(), count, into.begin());
        input_ = input_.subspan(count);
        return count;
    }

 private:
    std::span<const uint8_t> input_;
};

class GzipDecompressor : public Decompressor {
 public:
    explicit GzipDecompressor(std::span<const uint8_t> input) {
        stream_.next_in = const_cast<Bytef*>(input.data());
        stream_.avail_in = static_cast<uInt>(input.size());
        open_ = inflateInit2(&stream_, kGzipOnly) == Z_OK;
    }
    ~GzipDecompressor() override { inflateEnd(&stream_); }

    Result<size_t> read(std::span<uint8_t> into) override {
        if (!open_) {
            return corrupt("gzip", "cannot start");
        }
        stream_.next_out = into.data();
        stream_.avail_out = static_cast<uInt>(into.size());
        while (stream_.avail_out > 0 && !ended_) {
            int code = inflate(&stream_, Z_NO_FLUSH);
            if (code == Z_STREAM_END) {
                // A payload may hold several members, as GZIPInputStream reads them.
                ended_ = stream_.avail_in == 0 || inflateReset(&stream_) != Z_OK;
            } else if (code != Z_OK) {
                return corrupt("gzip", stream_.msg != nullptr ? stream_.msg : "cut off");
            }
        }
        return into.size() - stream_.avail_out;
    }

 private:
    static constexpr int kGzipOnly = 15 + 16;

    z_stream stream_{};
    bool open_ = false;
    bool ended_ = false;
};

// Xerial framing: a 16-byte head, then blocks of [i32 length][snappy]. Without the head the whole
// payload is one raw block, which some clients send.
class SnappyDecompressor : public Decompressor {
 public:
    explicit SnappyDecompressor(std::span<const uint8_t> input) : input_(input) {
        framed_ =
            input.size() >= kHeadBytes && std::equal(kMagic.begin(), kMagic.end(), input.begin());
        if (framed_) {
            input_ = input.subspan(kHeadBytes);
        }
    }

    Result<size_t> read(std::span<uint8_t> into) override {
        size_t filled = 0;
        while (filled < into.size()) {
            if (at_ == block_.size()) {
                MOLDAU_TRY(bool more, next_block());
                if (!more) {
                    break;
                }
                continue;
            }
            size_t count = std::min(into.size() - filled, block_.size() - at_);
            std::copy_n(block_.data() + at_, count, into.data() + filled);
            at_ += count;
            filled += count;
        }
        return filled;
    }

    static constexpr std::array<uint8_t, 8> kMagic = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
    static constexpr size_t kHeadBytes = 16;
    static constexpr size_t kBlockBytes = 32 * 1024;

 private:
    // Snappy's densest element turns 3 bytes into 64: a block that claims more lies.
    static constexpr size_t kExpansionMax = 22;

    Result<bool> next_block() {
        if (input_.empty()) {
            return false;
        }
        std::span<const uint8_t> compressed = input_;
        if (framed_) {
            if (input_.size() < 4) {
                return corrupt("snappy", "cut off");
            }
            auto length = load_big<int32_t>(input_.data());
            if (length < 0 || static_cast<size_t>(length) > input_.size() - 4) {
                return corrupt("snappy", "block longer than the payload");
            }
            compressed = input_.subspan(4, static_cast<size_t>(length));
            input_ = input_.subspan(4 + static_cast<size_t>(length));
        } else {
            input_ = {};
        }
        const auto* data = reinterpret_cast<const char*>(compressed.data());
        size_t size = 0;
        if (!snappy::GetUncompressedLength(data, compressed.size(), &size) ||
            size > (compressed.size() + 1) * kExpansionMax) {
            return corrupt("snappy", "bad block length");
        }
        block_.resize(size);
        at_ = 0;
        if (!snappy::RawUncompress(data, compressed.size(),
                                   reinterpret_cast<char*>(block_.data()))) {
            return corrupt("snappy", "bad block");
        }
        return true;
    }

    std::span<const uint8_t> input_;
    bool framed_ = false;
    Buffer block_;
    size_t at_ = 0;
};

class Lz4Decompressor : public Decompressor {
 public:
    explicit Lz4Decompressor(std::span<const uint8_t> input) : input_(input) {
        if (LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)) != 0) {
            context_ = nullptr;
        }
    }
    ~Lz4Decompressor() override { LZ4F_freeDecompressionContext(context_); }

    Result<size_t> read(std::span<uint8_t> into) override {
        if (context_ == nullptr) {
            return corrupt("lz4", "cannot start");
        }
        size_t filled = 0;
        while (filled < into.size() && !ended_) {
            size_t out = into.size() - filled;
            size_t in = input_.size();
            size_t hint =
                LZ4F_decompress(context_, into.data() + filled, &out, input_.data(), &in, nullptr);
            if (LZ4F_isError(hint) != 0) {
                return corrupt("lz4", LZ4F_getErrorName(hint));
            }
            input_ = input_.subspan(in);
            filled += out;
            ended_ = hint == 0;
            if (!ended_ && in == 0 && out == 0) {
                return corrupt("lz4", "cut off");
            }
        }
        return filled;
    }

 private:
    std::span<const uint8_t> input_;
    LZ4F_dctx* context_ = nullptr;
    bool ended_ = false;
};

class ZstdDecompressor : public Decompressor {
 public:
    explicit ZstdDecompressor(std::span<const uint8_t> input)
        : context_(ZSTD_createDCtx()), input_{input.data(), input.size(), 0} {}
    ~ZstdDecompressor() override { ZSTD_freeDCtx(context_); }

    Result<size_t> read(std::span<uint8_t> into) override {
        ZSTD_outBuffer out{into.data(), into.size(), 0};
        // Between frames there is nothing to ask the library for, once the input is used up.
        while (out.pos < out.size && (frame_open_ || input_.pos < input_.size)) {
            size_t before = out.pos + input_.pos;
            size_t hint = ZSTD_decompressStream(context_, &out, &input_);
            if (ZSTD_isError(hint) != 0) {
                return corrupt("zstd", ZSTD_getErrorName(hint));
            }
            frame_open_ = hint != 0;
            if (frame_open_ && out.pos + input_.pos == before) {
                return corrupt("zstd", "cut off");
            }
        }
        return out.pos;
    }

 private:
    ZSTD_DCtx* context_;
    ZSTD_inBuffer input_;
    bool frame_open_ = false;
};

Bytes compress_gzip(std::span<const uint8_t> payload, int level) {
    constexpr int kGzip = 15 + 16;
    constexpr int kMemoryLevel = 8;
    z_stream stream{};
    int code = deflateInit2(&stream, level, Z_DEFLATED, kGzip, kMemoryLevel, Z_DEFAULT_STRATEGY);
    MOLDAU_ASSERT(code == Z_OK);
    Buffer out;
    out.resize(deflateBound(&stream, payload.size()));
    stream.next_in = const_cast<Bytef*>(payload.data());
    stream.avail_in = static_cast<uInt>(payload.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    code = deflate(&stream, Z_FINISH);
    MOLDAU_ASSERT(code == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return std::move(out).freeze();
}

Bytes compress_snappy(std::span<const uint8_t> payload) {
    constexpr int32_t kVersion = 1;
    Buffer out;
    out.append(SnappyDecompressor::kMagic.data(), SnappyDecompressor::kMagic.size());
    std::array<uint8_t, 8> versions{};
    store_big(versions.data(), kVersion);
    store_big(versions.data() + 4, kVersion);
    out.append(versions.data(), versions.size());
    while (!payload.empty()) {
        auto block = payload.first(std::min(payload.size(), SnappyDecompressor::kBlockBytes));
        payload = payload.subspan(block.size());
        size_t at = out.size();
        out.resize(at + 4 + snappy::MaxCompressedLength(block.size()));
        size_t length = 0;
        snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(),
                            reinterpret_cast<char*>(out.data() + at + 4), &length);
        store_big(out.data() + at, static_cast<int32_t>(length));
        out.resize(at + 4 + length);
    }
    return std::move(out).freeze();
}

Bytes compress_lz4(std::span<const uint8_t> payload, std::optional<int> level) {
    // Kafka's level 9 is its name for the fast compressor; the library's best is 12.
    constexpr int kKafkaDefaultLevel = 9;
    LZ4F_preferences_t preferences{};
    preferences.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    int wanted = level.value_or(kKafkaDefaultLevel);
    preferences.compressionLevel =
        wanted == kKafkaDefaultLevel ? 0 : std::min(wanted, LZ4F_compressionLevel_max());
    Buffer out;
    out.resize(LZ4F_compressFrameBound(payload.size(), &preferences));
    size_t size =
        LZ4F_compressFrame(out.data(), out.size(), payload.data(), payload.size(), &preferences);
    MOLDAU_ASSERT(LZ4F_isError(size) == 0);
    out.resize(size);
    return std::move(out).freeze();
}

Bytes compress_zstd(std::span<const uint8_t> payload, std::optional<int> level) {
    constexpr int kDefaultLevel = 3;
    Buffer out;
    out.resize(ZSTD_compressBound(payload.size()));
    size_t size = ZSTD_compress(out.data(), out.size(), payload.data(), payload.size(),
                                level.value_or(kDefaultLevel));
    MOLDAU_ASSERT(ZSTD_isError(size) == 0);
    out.resize(size);
    return std::move(out).freeze();
}

}  // namespace

Result<std::unique_ptr<Decompressor>> Decompressor::open(int8_t codec_number,
                                                         std::span<const uint8_t> payload) {
    switch (static_cast<Codec>(codec_number)) {
        case Codec::None:
            return std::make_unique<PassThrough>(payload);
        case Codec::Gzip:
            return std::make_unique<GzipDecompressor>(payload);
        case Codec::Snappy:
            return std::make_unique<SnappyDecompressor>(payload);
        case Codec::Lz4:
            return std::make_unique<Lz4Decompressor>(payload);
        case Codec::Zstd:
            return std::make_unique<ZstdDecompressor>(payload);
    }
    return fail(ErrorCode::UnsupportedCompressionType, "unknown compression codec: number={}",
                codec_number);
}

Result<Bytes> decompress(int8_t codec_number, std::span<const uint8_t> payload, size_t bytes_max) {
    constexpr size_t kFirstGuess = 4;
    constexpr size_t kChunkBytesMin = 4096;
    MOLDAU_TRY(auto source, Decompressor::open(codec_number, payload));
    Buffer out(std::min(bytes_max, payload.size() * kFirstGuess + kChunkBytesMin));
    while (true) {
        size_t at = out.size();
        // One byte more than allowed is enough to know that there is too much.
        size_t room = std::min(std::max(out.capacity() - at, kChunkBytesMin), bytes_max + 1 - at);
        if (room == 0) {
            return corrupt("any", "more bytes than allowed");
        }
        if (at + room > out.capacity()) {
            out.reserve(std::max(out.capacity() * 2, at + room));
        }
        out.resize(at + room);
        MOLDAU_TRY(size_t count, source->read(out.span().subspan(at)));
        out.resize(at + count);
        if (out.size() > bytes_max) {
            return corrupt("any", "more bytes than allowed");
        }
        if (count == 0) {
            return std::move(out).freeze();
        }
    }
}

Bytes compress(const Compression& compression, std::span<const uint8_t> payload) {
    switch (compression.codec) {
        case Codec::None:
            return Bytes::copy_of(payload);
        case Codec::Gzip:
            return compress_gzip(payload, compression.level.value_or(Z_DEFAULT_COMPRESSION));
        case Codec::Snappy:
            return compress_snappy(payload);
        case Codec::Lz4:
            return compress_lz4(payload, compression.level);
        case Codec::Zstd:
            return compress_zstd(payload, compression.level);
    }
    MOLDAU_ASSERT(false);
    return {};
}

}  // namespace moldau::record
