#include "protocol/wire.h"

#include <gtest/gtest.h>

namespace moldau::protocol {
namespace {

Bytes bytes_of(std::initializer_list<int> values) {
    Buffer buffer;
    for (int value : values) {
        buffer.push_back(static_cast<uint8_t>(value));
    }
    return std::move(buffer).freeze();
}

Bytes written(Writer& writer) {
    return join(writer.take());
}

TEST(Writer, primitives_are_big_endian) {
    Writer writer;
    writer.write_bool(true);
    writer.write_int16(-2);
    writer.write_uint16(0xfffe);
    writer.write_int32(1);
    writer.write_uint32(0xfffffffe);
    writer.write_int64(-1);
    writer.write_unsigned_varint(300);
    EXPECT_EQ(written(writer),
              bytes_of({1,    0xff, 0xfe, 0xff, 0xfe, 0,    0,    0,    1,    0xff, 0xff, 0xff,
                        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xac, 0x02}));
}

TEST(Writer, large_slices_travel_by_reference) {
    Buffer big(Writer::kReferenceBytesMin);
    big.resize(Writer::kReferenceBytesMin);
    Bytes payload = std::move(big).freeze();
    Writer writer;
    writer.write_bytes(payload, false);
    writer.write_int8(7);
    EXPECT_EQ(writer.size(), 4 + payload.size() + 1);
    Chain chain = writer.take();
    ASSERT_EQ(chain.size(), 3u);
    EXPECT_EQ(chain[1].data(), payload.data());
    EXPECT_EQ(chain_bytes(chain), 4 + payload.size() + 1);
}

TEST(Writer, a_string_too_long_for_the_old_form_fails) {
    Writer writer;
    writer.write_string(std::string(0x8000, 'x'), false);
    EXPECT_FALSE(writer.ok());
}

TEST(Reader, null_and_empty_are_told_apart) {
    Reader classic(bytes_of({0xff, 0xff, 0, 0}));
    EXPECT_EQ(classic.read_nullable_string(false), std::nullopt);
    EXPECT_EQ(classic.read_nullable_string(false), "");
    Reader compact(bytes_of({0, 1}));
    EXPECT_EQ(compact.read_nullable_string(true), std::nullopt);
    EXPECT_EQ(compact.read_nullable_string(true), "");
    EXPECT_TRUE(classic.ok());
    EXPECT_TRUE(compact.ok());
}

// Kafka takes any negative length for null; a compact one of 32 bits wraps around to it.
TEST(Reader, every_negative_length_is_null) {
    Reader classic(bytes_of({0xff, 0xfe}));
    EXPECT_EQ(classic.read_nullable_string(false), std::nullopt);
    EXPECT_TRUE(classic.ok());
    Reader compact(bytes_of({0xff, 0xff, 0xff, 0xff, 0x0f}));
    EXPECT_EQ(compact.read_nullable_string(true), std::nullopt);
    EXPECT_TRUE(compact.ok());
}

TEST(Reader, null_where_none_may_be_fails) {
    Reader string(bytes_of({0xff, 0xff}));
    string.read_string(false);
    EXPECT_FALSE(string.ok());
    Reader data(bytes_of({0}));
    data.read_bytes(true);
    EXPECT_FALSE(data.ok());
}

TEST(Reader, the_first_failure_sticks_and_later_reads_are_zero) {
    Reader reader(bytes_of({0, 0, 0}));
    EXPECT_EQ(reader.read_int32(), 0);
    EXPECT_EQ(reader.read_int8(), 0);
    EXPECT_EQ(reader.read_string(false), "");
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.error().message, "malformed message: cut off at byte 0 of 3");
}

TEST(Reader, lengths_beyond_the_input_fail) {
    Reader string(bytes_of({0x7f, 0xff, 'a'}));
    string.read_string(false);
    EXPECT_FALSE(string.ok());
    Reader data(bytes_of({0x7f, 0xff, 0xff, 0xff, 'a'}));
    data.read_bytes(false);
    EXPECT_FALSE(data.ok());
    Reader compact(bytes_of({0xff, 0xff, 0xff, 0xff, 0x0f, 'a'}));
    compact.read_bytes(true);
    EXPECT_FALSE(compact.ok());
}

TEST(Reader, varints_beyond_32_bits_fail) {
    for (Bytes bad : {bytes_of({0x80}), bytes_of({0xff, 0xff, 0xff, 0xff, 0x1f}),
                      bytes_of({0x80, 0x80, 0x80, 0x80, 0x80, 0x01})}) {
        Reader reader(bad);
        reader.read_unsigned_varint();
        EXPECT_FALSE(reader.ok());
    }
}

TEST(Reader, an_array_is_believed_only_as_far_as_bytes_remain) {
    Reader fits(bytes_of({0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(fits.read_array_length(false, 4), 2);
    Reader too_many(bytes_of({0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(too_many.read_array_length(false, 4), 0);
    EXPECT_FALSE(too_many.ok());
}

TEST(Reader, bytes_share_the_memory_of_the_input) {
    Bytes input = bytes_of({0, 0, 0, 2, 8, 9});
    Reader reader(input);
    Bytes slice = reader.read_bytes(false);
    EXPECT_EQ(slice.data(), input.data() + 4);
    EXPECT_EQ(slice, bytes_of({8, 9}));
}

TEST(TaggedFields, unknown_ones_are_skipped) {
    Reader reader(bytes_of({2, 1, 1, 0xaa, 5, 2, 0xbb, 0xcc, 42}));
    reader.skip_tagged_fields();
    EXPECT_EQ(reader.read_int8(), 42);
    EXPECT_TRUE(reader.ok());
}

TEST(TaggedFields, a_field_must_fill_its_declared_size) {
    Reader reader(bytes_of({1, 0, 3, 1, 2, 3}));
    reader.read_tagged_fields([&](uint32_t) {
        reader.read_int16();
        return true;
    });
    EXPECT_FALSE(reader.ok());
}

TEST(TaggedFields, a_field_cannot_read_past_its_declared_size) {
    Reader reader(bytes_of({1, 0, 1, 1, 2, 3, 4}));
    reader.read_tagged_fields([&](uint32_t) {
        reader.read_int32();
        return true;
    });
    EXPECT_FALSE(reader.ok());
}

// Writers sort them, but Kafka's readers do not insist.
TEST(TaggedFields, tags_come_in_any_order_and_any_number) {
    Reader reader(bytes_of({3, 5, 0, 1, 1, 7, 1, 1, 8}));
    std::vector<int8_t> found;
    reader.read_tagged_fields([&](uint32_t tag) {
        if (tag == 1) {
            found.push_back(reader.read_int8());
        }
        return tag == 1;
    });
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(found, (std::vector<int8_t>{7, 8}));
}

TEST(TaggedFields, content_written_apart_keeps_its_size) {
    Writer content;
    content.write_string("abc", true);
    Writer writer;
    writer.write_tagged(3, std::move(content));
    EXPECT_EQ(written(writer), bytes_of({3, 4, 4, 'a', 'b', 'c'}));
}

}  // namespace
}  // namespace moldau::protocol
