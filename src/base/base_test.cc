#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/hash.h"
#include "base/result.h"
#include "base/timeline.h"
#include "base/types.h"
#include "base/uuid.h"
#include "base/varint.h"

namespace moldau {
namespace {

std::span<const uint8_t> octets(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(Crc32c, matches_the_published_check_value_on_both_paths) {
    EXPECT_EQ(crc32c(octets("123456789")), 0xe3069283u);
    std::string big(100'000, 'x');
    uint32_t parts = crc32c(octets(big.substr(300)), crc32c(octets(big.substr(0, 300))));
    EXPECT_EQ(crc32c(octets(big)), parts);
}

TEST(Murmur2, equals_the_values_of_the_java_client) {
    EXPECT_EQ(static_cast<int32_t>(murmur2(octets("21"))), -973932308);
    EXPECT_EQ(static_cast<int32_t>(murmur2(octets("foobar"))), -790332482);
    EXPECT_EQ(static_cast<int32_t>(murmur2(octets("a-little-bit-long-string"))), -985981536);
    EXPECT_EQ(static_cast<int32_t>(murmur2(octets("abc"))), 479470107);
}

TEST(JavaStringHash, counts_utf16_units) {
    EXPECT_EQ(java_string_hash(""), 0);
    EXPECT_EQ(java_string_hash("hello"), 99162322);
    EXPECT_EQ(java_string_hash("\xF0\x9F\x98\x80"), 0xd83d * 31 + 0xde00);
}

TEST(Uuid, text_form_goes_both_ways) {
    EXPECT_EQ(kMetadataTopicId.str(), "AAAAAAAAAAAAAAAAAAAAAQ");
    EXPECT_EQ(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ").value(), kMetadataTopicId);
    uint64_t state = 1;
    auto draw = [&] { return state = state * 6364136223846793005ULL + 1442695040888963407ULL; };
    for (int i = 0; i < 100; ++i) {
        Uuid id = Uuid::random(draw);
        EXPECT_EQ(Uuid::parse(id.str()).value(), id);
        EXPECT_NE(id.str().front(), '-');
    }
    EXPECT_FALSE(Uuid::parse("short").has_value());
    EXPECT_FALSE(Uuid::parse("AAAAAAAAAAAAAAAAAAAA!Q").has_value());
}

TEST(Varint, refuses_what_does_not_fit) {
    const uint8_t too_long[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    uint32_t n = 0;
    EXPECT_EQ(get_varint(too_long, too_long + 6, n), nullptr);
    const uint8_t cut[] = {0x80};
    EXPECT_EQ(get_varint(cut, cut + 1, n), nullptr);
    uint8_t buffer[kVarlongBytesMax];
    for (uint32_t value : {0u, 1u, 127u, 128u, 16384u, 0xffffffffu}) {
        const uint8_t* end = put_varint(buffer, value);
        EXPECT_EQ(get_varint(buffer, end, n), end);
        EXPECT_EQ(n, value);
        EXPECT_EQ(static_cast<size_t>(end - buffer), varint_bytes(value));
    }
}

TEST(Bytes, slices_share_the_buffer_and_outlive_it) {
    Buffer buffer;
    buffer.append("hello world");
    Bytes whole = std::move(buffer).freeze();
    Bytes word = whole.slice(6);
    whole = {};
    EXPECT_EQ(word.view(), "world");
}

TEST(Timeline, revert_restores_the_state_of_the_snapshot) {
    SnapshotRegistry registry;
    TimelineMap<std::string, int> map(registry);
    TimelineValue<int> value(registry, 0);
    map.put("a", 1);
    registry.snapshot(10);
    map.put("a", 2);
    map.put("b", 3);
    value.set(7);
    registry.snapshot(11);
    map.erase("a");
    registry.revert(10);
    EXPECT_EQ(*map.find("a"), 1);
    EXPECT_EQ(map.find("b"), nullptr);
    EXPECT_EQ(value.get(), 0);
    map.put("c", 4);
    registry.snapshot(12);
    registry.release_up_to(12);
    map.put("d", 5);
    registry.revert(12);
    EXPECT_NE(map.find("c"), nullptr);
    EXPECT_EQ(map.find("d"), nullptr);
}

Result<int> half(int n) {
    if (n % 2 != 0) {
        return fail(ErrorCode::InvalidRequest, "not even: n={}", n);
    }
    return n / 2;
}
Result<int> quarter(int n) {
    MOLDAU_TRY(int once, half(n));
    MOLDAU_TRY(int twice, half(once));
    return twice;
}

TEST(Result, try_passes_the_error_on_unchanged) {
    EXPECT_EQ(quarter(8).value(), 2);
    EXPECT_EQ(quarter(6).error().code, ErrorCode::InvalidRequest);
    EXPECT_EQ(quarter(6).error().message, "not even: n=3");
    EXPECT_EQ(error_name(ErrorCode::UnknownTopicOrPartition), "UNKNOWN_TOPIC_OR_PARTITION");
}

}  // namespace
}  // namespace moldau
