#include "record/validator.h"

#include <gtest/gtest.h>

#include "base/endian.h"
#include "record/builder.h"

namespace moldau::record {
namespace {

constexpr TimestampMs kNow = 1'700'000'000'000;

// Changes a built batch by its header and mends the checksum.
template <typename Change>
Bytes with_header(const Bytes& batch, Change&& change) {
    Buffer copy;
    copy.append(batch.span());
    BatchHeader header = BatchHeader::read(copy.data());
    change(header);
    header.write(copy.data());
    header.crc = batch_crc(copy.data(), copy.span().subspan(kBatchHeaderBytes));
    header.write(copy.data());
    return std::move(copy).freeze();
}

Bytes batch_of(Codec codec, std::optional<std::string_view> key = "k") {
    BatchBuilder builder({.compression = {codec}});
    builder.append(kNow - 5, key, "one");
    builder.append(kNow - 3, key, "two");
    builder.append(kNow - 4, key, std::string(1000, 'x'));
    return builder.build();
}

auto validate(const Bytes& records, const AppendRules& rules = {}) {
    return validate_for_append(records, Offset(40), kNow, rules, "t-0");
}

ErrorCode code_of(const Bytes& records, const AppendRules& rules = {}) {
    auto result = validate(records, rules);
    return result ? ErrorCode::None : result.error().error.code;
}

// The batch as it would lie in the log.
BatchView stored(const AppendableBatch& batch) {
    Buffer whole;
    whole.append(batch.header_bytes.data(), batch.header_bytes.size());
    whole.append(batch.payload.span());
    BatchView view = BatchView::parse(std::move(whole).freeze()).value();
    EXPECT_TRUE(view.check_crc().has_value());
    return view;
}

std::vector<std::string> values_of(const BatchView& batch) {
    Bytes payload = batch.uncompressed_payload().value();
    RecordReader reader(batch.header(), payload);
    std::vector<std::string> values;
    while (reader.next()) {
        values.emplace_back(reader.record().value.value_or("null"));
    }
    EXPECT_TRUE(reader.status().has_value());
    return values;
}

TEST(Validator, assigns_offset_and_epoch_without_touching_the_payload) {
    for (Codec codec : {Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd}) {
        Bytes records = batch_of(codec);
        auto batch = validate(records, {.leader_epoch = LeaderEpoch(7)}).value();
        EXPECT_EQ(batch.payload.data(), records.data() + kBatchHeaderBytes);
        BatchView view = stored(batch);
        EXPECT_EQ(view.header().first_offset(), Offset(40));
        EXPECT_EQ(view.header().last_offset(), Offset(42));
        EXPECT_EQ(view.header().leader_epoch, 7);
        EXPECT_EQ(view.header().max_timestamp, kNow - 3);
    }
}

TEST(Validator, a_wrong_max_timestamp_is_corrected) {
    Bytes records =
        with_header(batch_of(Codec::None), [](auto& header) { header.max_timestamp = 1; });
    EXPECT_EQ(stored(validate(records).value()).header().max_timestamp, kNow - 3);
}

TEST(Validator, log_append_time_stamps_the_batch) {
    auto batch =
        validate(batch_of(Codec::Lz4), {.timestamp_type = TimestampType::LogAppendTime}).value();
    EXPECT_EQ(batch.log_append_time, kNow);
    BatchView view = stored(batch);
    EXPECT_EQ(view.header().timestamp_type(), TimestampType::LogAppendTime);
    EXPECT_EQ(view.header().max_timestamp, kNow);
}

TEST(Validator, recompresses_to_the_topics_codec) {
    for (Codec from : {Codec::None, Codec::Gzip, Codec::Zstd}) {
        for (Codec to : {Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd}) {
            auto batch = validate(batch_of(from), {.recompress = Compression{to}}).value();
            BatchView view = stored(batch);
            EXPECT_EQ(view.header().codec(), to);
            EXPECT_EQ(values_of(view),
                      (std::vector<std::string>{"one", "two", std::string(1000, 'x')}));
        }
    }
}

TEST(Validator, a_keyless_record_is_named_on_a_compacted_topic) {
    auto rejected = validate(batch_of(Codec::Snappy, std::nullopt), {.compacted = true});
    ASSERT_FALSE(rejected.has_value());
    EXPECT_EQ(rejected.error().error.code, ErrorCode::InvalidRecord);
    ASSERT_EQ(rejected.error().records.size(), 3u);
    EXPECT_EQ(rejected.error().records[1].index, 1);
    EXPECT_EQ(rejected.error().records[1].message,
              "Compacted topic cannot accept message without key in topic partition t-0");
}

TEST(Validator, timestamps_out_of_range_are_refused) {
    EXPECT_EQ(code_of(batch_of(Codec::None), {.timestamp_before_ms_max = 4}),
              ErrorCode::InvalidTimestamp);
    BatchBuilder future;
    future.append(kNow + 100, "k", "v");
    EXPECT_EQ(code_of(future.build(), {.timestamp_after_ms_max = 99}), ErrorCode::InvalidTimestamp);
    BatchBuilder none;
    none.append(kNoTimestamp, "k", "v");
    EXPECT_EQ(code_of(none.build(), {.timestamp_before_ms_max = 1}), ErrorCode::None);
    Bytes append_time = with_header(batch_of(Codec::None), [](auto& header) {
        header.set_timestamp_type(TimestampType::LogAppendTime);
    });
    EXPECT_EQ(
        code_of(append_time, {.timestamp_before_ms_max = std::numeric_limits<int64_t>::max()}),
        ErrorCode::None);
}

TEST(Validator, client_rules_do_not_bind_the_coordinator) {
    Bytes control =
        with_header(batch_of(Codec::None), [](auto& header) { header.attributes |= 0x20; });
    EXPECT_EQ(code_of(control), ErrorCode::InvalidRecord);
    EXPECT_EQ(code_of(control, {.origin = AppendOrigin::Coordinator}), ErrorCode::None);
}

TEST(Validator, refuses_what_does_not_add_up) {
    Bytes good = batch_of(Codec::None);
    EXPECT_EQ(code_of(with_header(good, [](auto& h) { h.record_count = 2; })),
              ErrorCode::InvalidRecord);
    EXPECT_EQ(code_of(with_header(good, [](auto& h) { h.record_count = 0; })),
              ErrorCode::InvalidRecord);
    EXPECT_EQ(code_of(with_header(good, [](auto& h) { h.last_offset_delta = -1; })),
              ErrorCode::InvalidRecord);
    EXPECT_EQ(code_of(with_header(good, [](auto& h) { h.producer_id = 5; })),
              ErrorCode::InvalidRecord);
    EXPECT_EQ(code_of(with_header(good, [](auto& h) { h.attributes |= 7; })),
              ErrorCode::UnknownServerError);
    EXPECT_EQ(code_of(with_header(good, [](auto& h) { h.magic = 1; })),
              ErrorCode::UnsupportedForMessageFormat);
    EXPECT_EQ(code_of(with_header(good,
                                  [](auto& h) {
                                      h.record_count = 1000;
                                      h.last_offset_delta = 999;
                                  })),
              ErrorCode::InvalidRecord);
    Buffer twice;
    twice.append(good.span());
    twice.append(good.span());
    EXPECT_EQ(code_of(std::move(twice).freeze()), ErrorCode::InvalidRecord);
    EXPECT_EQ(code_of(good, {.batch_bytes_max = good.size() - 1}), ErrorCode::MessageTooLarge);
    Buffer flipped;
    flipped.append(good.span());
    flipped.data()[good.size() - 1] ^= 1;
    EXPECT_EQ(code_of(std::move(flipped).freeze()), ErrorCode::CorruptMessage);
    EXPECT_EQ(code_of(Bytes()), ErrorCode::CorruptMessage);
}

// A client must count from 0; the leader gives the offsets.
TEST(Validator, a_client_may_not_choose_offsets) {
    Bytes chosen = with_header(batch_of(Codec::None), [](auto& h) { h.base_offset = 5; });
    EXPECT_EQ(code_of(chosen), ErrorCode::InvalidRecord);
    EXPECT_EQ(code_of(chosen, {.origin = AppendOrigin::Coordinator}), ErrorCode::None);
}

// CorruptMessage would make the producer send the same bytes again.
TEST(Validator, what_does_not_decompress_is_refused_for_good) {
    for (Codec codec : {Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd}) {
        Bytes plain = batch_of(Codec::None);
        EXPECT_EQ(code_of(with_header(plain, [&](auto& h) { h.set_codec(codec); })),
                  ErrorCode::UnknownServerError);
    }
}

TEST(Validator, a_bomb_is_walked_in_constant_memory) {
    BatchBuilder builder({.compression = {Codec::Zstd}});
    std::string big(200'000'000, '\0');
    builder.append(kNow, "k", big);
    Bytes bomb = builder.build();
    EXPECT_LT(bomb.size(), 100'000u);
    EXPECT_EQ(code_of(bomb), ErrorCode::None);
}

TEST(Validator, badly_numbered_compressed_records_are_renumbered) {
    BatchBuilder builder;
    builder.append_at(Offset(0), kNow, "k", "a");
    builder.append_at(Offset(2), kNow, "k", "b");
    Bytes gapped = builder.build();
    Bytes payload = compress({Codec::Gzip}, gapped.slice(kBatchHeaderBytes));
    Buffer records;
    records.append(gapped.span().first(kBatchHeaderBytes));
    records.append(payload.span());
    Bytes batch = with_header(std::move(records).freeze(), [&](auto& h) {
        h.set_codec(Codec::Gzip);
        h.last_offset_delta = 1;
        h.batch_length =
            static_cast<int32_t>(kBatchHeaderBytes - kBatchPrefixBytes + payload.size());
    });
    BatchView view = stored(validate(batch).value());
    Bytes plain = view.uncompressed_payload().value();
    RecordReader reader(view.header(), plain);
    ASSERT_TRUE(reader.next());
    ASSERT_TRUE(reader.next());
    EXPECT_EQ(reader.record().offset, Offset(41));
    EXPECT_EQ(reader.record().value, "b");
}

TEST(Validator, any_changed_byte_ends_in_an_answer) {
    for (Codec codec : {Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd}) {
        Bytes good = batch_of(codec);
        for (size_t at = 0; at < good.size(); at += 3) {
            for (int bit = 0; bit < 8; ++bit) {
                Buffer bad;
                bad.append(good.span());
                bad.data()[at] ^= static_cast<uint8_t>(1 << bit);
                // With the checksum mended, the walk itself meets the damage.
                if (at >= kMagicPosition + 5) {
                    store_big(bad.data() + 17,
                              batch_crc(bad.data(), bad.span().subspan(kBatchHeaderBytes)));
                }
                validate(std::move(bad).freeze());
            }
        }
    }
}

}  // namespace
}  // namespace moldau::record
