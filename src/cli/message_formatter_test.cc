#include "cli/message_formatter.h"

#include <gtest/gtest.h>

#include "protocol/records/group.h"
#include "protocol/wire.h"

namespace moldau::cli {
namespace {

client::ConsumedRecord record() {
    client::ConsumedRecord record;
    record.partition = {"orders", 2};
    record.offset = 7;
    record.timestamp = 1234;
    record.key = "k";
    record.value = "v";
    return record;
}

std::string format(const client::ConsumedRecord& record, MessageFormatter::Properties properties,
                   std::string_view java_class = MessageFormatter::kDefaultClass) {
    std::string out;
    auto formatter = MessageFormatter::create(java_class, properties);
    auto status = (*formatter)->write(record, out);
    return status ? out : "error: " + status.error().message;
}

TEST(MessageFormatter, prints_the_value_alone_by_default) {
    EXPECT_EQ(format(record(), {}), "v\n");
}

TEST(MessageFormatter, prints_columns_in_kafkas_order) {
    auto one = record();
    one.headers = {{"h1", "a"}, {"h2", std::nullopt}};
    EXPECT_EQ(format(one, {{"print.timestamp", "true"},
                           {"print.partition", "true"},
                           {"print.offset", "true"},
                           {"print.delivery", "true"},
                           {"print.epoch", "true"},
                           {"print.headers", "true"},
                           {"print.key", "true"}}),
              "CreateTime:1234\tPartition:2\tOffset:7\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\t"
              "h1:a,h2:null\tk\tv\n");
}

TEST(MessageFormatter, separators_and_the_null_literal_can_be_chosen) {
    auto one = record();
    one.value.reset();
    EXPECT_EQ(format(one, {{"print.key", "true"},
                           {"print.headers", "true"},
                           {"key.separator", " | "},
                           {"line.separator", ";"},
                           {"null.literal", "NIL"}}),
              "NO_HEADERS | k | NIL;");
}

TEST(MessageFormatter, the_last_column_ends_the_line) {
    EXPECT_EQ(format(record(), {{"print.key", "true"}, {"print.value", "false"}}), "k\n");
}

TEST(MessageFormatter, numbers_are_read_by_their_deserializer) {
    auto one = record();
    one.value = std::string("\0\0\0\0\0\0\1\2", 8);
    EXPECT_EQ(format(one, {{"value.deserializer",
                            "org.apache.kafka.common.serialization.LongDeserializer"}}),
              "258\n");
    EXPECT_EQ(format(record(), {{"value.deserializer",
                                 "org.apache.kafka.common.serialization.LongDeserializer"}}),
              "error: Size of data received by LongDeserializer is not 8");
}

TEST(MessageFormatter, committed_offsets_become_json_without_a_line_end) {
    protocol::OffsetCommitKey key;
    key.group = "g";
    key.topic = "orders";
    key.partition = 0;
    protocol::OffsetCommitValue value;
    value.offset = 2;
    value.commit_timestamp = 99;
    auto versioned = [](int16_t version, Bytes message) {
        std::string text{static_cast<char>(version >> 8), static_cast<char>(version)};
        return text + message.str();
    };
    auto one = record();
    one.key = versioned(1, protocol::encode(key, 0));
    one.value = versioned(3, protocol::encode(value, 3));
    std::string_view offsets = "org.apache.kafka.tools.consumer.OffsetsMessageFormatter";
    EXPECT_EQ(
        format(one, {}, offsets),
        "{\"key\":{\"type\":1,\"data\":{\"group\":\"g\",\"topic\":\"orders\",\"partition\":0}},"
        "\"value\":{\"version\":3,\"data\":{\"offset\":2,\"leaderEpoch\":-1,\"metadata\":\"\","
        "\"commitTimestamp\":99}}}");
    one.value.reset();
    EXPECT_THAT(format(one, {}, offsets), testing::EndsWith("\"value\":null}"));
    EXPECT_EQ(format(one, {}, "org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter"), "");
}

TEST(MessageFormatter, unknown_class_is_named) {
    EXPECT_EQ(MessageFormatter::create("kafka.tools.DefaultMessageFormatter", {}).error().message,
              "kafka.tools.DefaultMessageFormatter");
}

}  // namespace
}  // namespace moldau::cli
