#include "record/batch.h"

#include <gtest/gtest.h>

#include "base/endian.h"
#include "record/builder.h"
#include "record/compression.h"

namespace moldau::record {
namespace {

constexpr Codec kAllCodecs[] = {Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd};

Bytes three_records(Codec codec) {
    BatchBuilder builder({.compression = {codec}, .base_offset = Offset(5)});
    RecordHeader headers[] = {{"h", "1"}, {"n", std::nullopt}};
    std::string big(70'000, 'v');
    builder.append(1000, "k1", "v1", headers);
    builder.append(900, std::nullopt, std::nullopt);
    builder.append(1100, "", big);
    return builder.build();
}

TEST(Batch, every_codec_gives_back_what_was_built) {
    for (Codec codec : kAllCodecs) {
        SCOPED_TRACE(codec_name(codec));
        BatchView batch = BatchView::parse(three_records(codec)).value();
        ASSERT_TRUE(batch.check_crc().has_value());
        EXPECT_EQ(batch.header().codec(), codec);
        EXPECT_EQ(batch.header().last_offset(), Offset(7));
        EXPECT_EQ(batch.header().max_timestamp, 1100);
        Bytes payload = batch.uncompressed_payload().value();
        RecordReader reader(batch.header(), payload);
        ASSERT_TRUE(reader.next());
        EXPECT_EQ(reader.record().offset, Offset(5));
        EXPECT_EQ(reader.record().timestamp, 1000);
        EXPECT_EQ(reader.record().key, "k1");
        EXPECT_EQ(reader.record().headers(),
                  (std::vector<RecordHeader>{{"h", "1"}, {"n", std::nullopt}}));
        ASSERT_TRUE(reader.next());
        EXPECT_EQ(reader.record().timestamp, 900);
        EXPECT_FALSE(reader.record().key.has_value());
        EXPECT_FALSE(reader.record().value.has_value());
        ASSERT_TRUE(reader.next());
        EXPECT_EQ(reader.record().key, "");
        EXPECT_EQ(reader.record().value->size(), 70'000u);
        EXPECT_FALSE(reader.next());
        EXPECT_TRUE(reader.status().has_value());
    }
}

TEST(Batch, a_changed_byte_anywhere_under_the_checksum_is_noticed) {
    Bytes good = three_records(Codec::Lz4);
    for (size_t at = kCrcFromPosition; at < good.size(); ++at) {
        Buffer bad;
        bad.append(good.span());
        bad.data()[at] ^= 0x10;
        BatchView view = BatchView::parse(std::move(bad).freeze()).value();
        EXPECT_EQ(view.check_crc().error().code, ErrorCode::CorruptMessage) << at;
    }
}

TEST(Batch, a_cut_off_batch_is_refused_and_ends_an_iteration) {
    Bytes batch = three_records(Codec::None);
    for (size_t size : {size_t{0}, size_t{11}, size_t{20}, batch.size() - 1}) {
        EXPECT_FALSE(BatchView::parse(batch.slice(0, size)).has_value()) << size;
    }
    Buffer two;
    two.append(batch.span());
    two.append(batch.span().first(100));
    BatchIterator batches(std::move(two).freeze());
    EXPECT_TRUE(batches.next().value().has_value());
    EXPECT_FALSE(batches.next().value().has_value());
    EXPECT_EQ(batches.rest().size(), 100u);
}

TEST(Batch, malformed_records_end_the_walk_with_an_error) {
    BatchBuilder builder;
    builder.append(1, "key", "value");
    Bytes good = builder.build();
    // Each byte of the record in turn takes every value: no walk may leave the payload or crash.
    for (size_t at = kBatchHeaderBytes; at < good.size(); ++at) {
        for (int value = 0; value < 256; ++value) {
            Buffer bad;
            bad.append(good.span());
            bad.data()[at] = static_cast<uint8_t>(value);
            BatchView view = BatchView::parse(std::move(bad).freeze()).value();
            Bytes payload = view.payload();
            RecordReader reader(view.header(), payload);
            while (reader.next()) {
                reader.record().headers();
            }
        }
    }
    BatchHeader header = BatchHeader::read(good.data());
    header.record_count = 2;
    Bytes payload = good.slice(kBatchHeaderBytes);
    RecordReader reader(header, payload);
    while (reader.next()) {
    }
    EXPECT_EQ(reader.status().error().code, ErrorCode::InvalidRecord);
}

TEST(Batch, a_negative_record_count_is_malformed_not_empty) {
    BatchHeader header;
    header.record_count = -1;
    RecordReader reader(header, {});
    EXPECT_FALSE(reader.next());
    EXPECT_EQ(reader.status().error().code, ErrorCode::InvalidRecord);
}

TEST(Batch, sequences_wrap_to_zero) {
    EXPECT_EQ(advance_sequence(0x7fffffff, 1), 0);
    EXPECT_EQ(advance_sequence(0x7ffffffe, 3), 1);
    BatchHeader header;
    header.base_sequence = 0x7fffffff;
    header.last_offset_delta = 1;
    EXPECT_EQ(header.last_sequence(), 0);
}

TEST(Compression, a_bomb_is_stopped_at_the_bound) {
    Bytes zeros = Bytes::copy_of(std::string(10'000'000, '\0'));
    for (Codec codec : kAllCodecs) {
        if (codec == Codec::None) {
            continue;
        }
        Bytes bomb = compress({codec}, zeros);
        EXPECT_EQ(decompress(static_cast<int8_t>(codec), bomb, 1'000'000).error().code,
                  ErrorCode::CorruptMessage)
            << codec_name(codec);
        EXPECT_EQ(decompress(static_cast<int8_t>(codec), bomb, 10'000'000).value(), zeros);
    }
}

TEST(Compression, every_truncation_and_bit_flip_is_survived) {
    Bytes plain = Bytes::copy_of("some text some text some text, and a little more of some text");
    for (Codec codec : kAllCodecs) {
        Bytes good = compress({codec}, plain);
        for (size_t size = 0; size < good.size(); ++size) {
            auto out = decompress(static_cast<int8_t>(codec), good.slice(0, size), 1 << 20);
            if (codec == Codec::Lz4 || codec == Codec::Gzip) {
                EXPECT_FALSE(size > 0 && out.has_value()) << codec_name(codec) << size;
            }
        }
        for (size_t at = 0; at < good.size(); ++at) {
            for (int bit = 0; bit < 8; ++bit) {
                Buffer bad;
                bad.append(good.span());
                bad.data()[at] ^= static_cast<uint8_t>(1 << bit);
                Bytes frozen = std::move(bad).freeze();
                auto out = decompress(static_cast<int8_t>(codec), frozen, 1 << 20);
                EXPECT_TRUE(!out || out->size() <= 1 << 20);
            }
        }
    }
    EXPECT_EQ(decompress(7, plain, 100).error().code, ErrorCode::UnsupportedCompressionType);
}

TEST(Compression, levels_are_taken) {
    Bytes plain = three_records(Codec::None);
    for (int level : {1, 9, 17}) {
        EXPECT_EQ(decompress(3, compress({Codec::Lz4, level}, plain), 1 << 20).value(), plain);
    }
    for (int level : {-5, 1, 22}) {
        EXPECT_EQ(decompress(4, compress({Codec::Zstd, level}, plain), 1 << 20).value(), plain);
    }
    for (int level : {1, 9}) {
        EXPECT_EQ(decompress(1, compress({Codec::Gzip, level}, plain), 1 << 20).value(), plain);
    }
}

}  // namespace
}  // namespace moldau::record
