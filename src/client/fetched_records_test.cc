#include "client/fetched_records.h"

#include <gtest/gtest.h>

#include "client/consumer_config.h"
#include "record/builder.h"

namespace moldau::client {
namespace {

const TopicPartition kOrders{"orders", 0};

Bytes batch(int64_t offset, std::vector<std::string> values, int64_t producer_id = -1,
            bool transactional = false) {
    record::BatchOptions options;
    options.base_offset = Offset(offset);
    options.producer_id = producer_id;
    options.transactional = transactional;
    record::BatchBuilder builder(options);
    for (const std::string& value : values) {
        builder.append(1000, std::nullopt, value);
    }
    return builder.build();
}

Bytes marker(int64_t offset, int64_t producer_id, record::ControlType type) {
    record::BatchOptions options;
    options.base_offset = Offset(offset);
    options.producer_id = producer_id;
    options.transactional = true;
    options.control = true;
    record::BatchBuilder builder(options);
    auto key = record::control_key(type);
    builder.append(1000, std::string_view(reinterpret_cast<const char*>(key.data()), key.size()),
                   std::string_view("\0\0\0\0\0\0", 6));
    return builder.build();
}

Bytes joined(std::vector<Bytes> parts) {
    Buffer buffer;
    for (const Bytes& part : parts) {
        buffer.append(part.span());
    }
    return std::move(buffer).freeze();
}

std::vector<std::string> values(const FetchedRecords& fetched) {
    std::vector<std::string> all;
    for (const ConsumedRecord& record : fetched.records) {
        all.push_back(*record.value);
    }
    return all;
}

TEST(FetchedRecords, starts_inside_a_batch_and_says_where_to_go_on) {
    auto fetched =
        read_fetched(kOrders, joined({batch(0, {"a", "b"}), batch(2, {"c"})}), 1, false, {}, true);
    EXPECT_EQ(values(*fetched), (std::vector<std::string>{"b", "c"}));
    EXPECT_EQ(fetched->next_offset, 3);
    EXPECT_EQ(fetched->records[0].offset, 1);
}

TEST(FetchedRecords, a_cut_off_batch_is_left_for_the_next_fetch) {
    Bytes whole = joined({batch(0, {"a"}), batch(1, {"b"})});
    auto fetched = read_fetched(kOrders, whole.slice(0, whole.size() - 3), 0, false, {}, true);
    EXPECT_EQ(values(*fetched), std::vector<std::string>{"a"});
    EXPECT_EQ(fetched->next_offset, 1);
}

TEST(FetchedRecords, a_flipped_bit_is_an_error) {
    Bytes good = batch(0, {"aaaa"});
    Buffer bad;
    bad.append(good.span());
    bad.data()[bad.size() - 2] ^= 1;
    auto fetched = read_fetched(kOrders, std::move(bad).freeze(), 0, false, {}, true);
    EXPECT_EQ(fetched.error().code, ErrorCode::CorruptMessage);
}

TEST(FetchedRecords, read_committed_hides_aborted_records_up_to_their_marker) {
    Bytes log = joined({batch(0, {"aborted"}, 7, true), batch(1, {"other"}, 8, true),
                        marker(2, 7, record::ControlType::Abort), batch(3, {"later"}, 7, true)});
    auto committed = read_fetched(kOrders, log, 0, true, {{7, 0}}, true);
    EXPECT_EQ(values(*committed), (std::vector<std::string>{"other", "later"}));
    EXPECT_EQ(committed->next_offset, 4);
    auto all = read_fetched(kOrders, log, 0, false, {}, true);
    EXPECT_EQ(all->records.size(), 3u);
}

TEST(ConsumerConfig, durations_and_resets_are_read) {
    EXPECT_EQ(parse_iso_duration("PT1H30M"), 5'400'000);
    EXPECT_EQ(parse_iso_duration("P1DT2S"), 86'402'000);
    EXPECT_EQ(parse_iso_duration("PT0.5S"), 500);
    EXPECT_EQ(parse_iso_duration("1H"), std::nullopt);
    EXPECT_EQ(OffsetReset::parse("by_duration:PT1M")->value, 60'000);
    EXPECT_FALSE(OffsetReset::parse("smallest").has_value());
}

}  // namespace
}  // namespace moldau::client
