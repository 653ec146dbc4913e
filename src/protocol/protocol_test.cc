// The generated messages and what stands around them.
#include <gtest/gtest.h>

#include "protocol/api_keys.h"
#include "protocol/header.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/metadata.h"
#include "protocol/records/group.h"
#include "protocol/records/metadata.h"
#include "protocol/views/fetch.h"
#include "protocol/views/produce.h"

namespace moldau::protocol {
namespace {

TEST(Messages, fetch_request_survives_every_version) {
    for (int16_t version = FetchRequest::kVersions.first; version <= FetchRequest::kVersions.last;
         ++version) {
        FetchRequest request;
        request.max_wait_ms = 500;
        auto& topic = request.topics.emplace_back();
        if (version >= 13) {
            topic.topic_id = {1, 2};
        } else {
            topic.topic = "orders";
        }
        auto& partition = topic.partitions.emplace_back();
        partition.partition = 3;
        partition.fetch_offset = 17;
        auto back = decode<FetchRequest>(encode(request, version), version);
        ASSERT_TRUE(back.has_value()) << version << back.error().message;
        EXPECT_EQ(*back, request) << version;
    }
}

TEST(Messages, null_where_the_version_has_none_is_refused) {
    // Metadata version 0 has an array that cannot be null; -1 means "all topics" from version 1 on.
    auto null_array = Bytes::copy_of(std::string_view("\xff\xff\xff\xff", 4));
    EXPECT_FALSE(decode<MetadataRequest>(null_array, 0).has_value());
    auto all = decode<MetadataRequest>(null_array, 1);
    ASSERT_TRUE(all.has_value());
    EXPECT_FALSE(all->topics.has_value());
}

TEST(Messages, a_count_beyond_the_message_is_refused) {
    auto huge = Bytes::copy_of(std::string_view("\x7f\xff\xff\xff", 4));
    EXPECT_FALSE(decode<MetadataRequest>(huge, 0).has_value());
}

TEST(Messages, a_field_the_version_lacks_fails_the_write_unless_ignorable) {
    Writer writer;
    FetchRequest request;
    request.topics.emplace_back().partitions.emplace_back().last_fetched_epoch = 7;
    request.write(writer, 11);
    EXPECT_FALSE(writer.ok());

    Writer other;
    FetchRequest ignorable;
    ignorable.rack_id = "r1";
    ignorable.write(other, 10);
    EXPECT_TRUE(other.ok());
}

TEST(Views, produce_is_walked_in_place) {
    ProduceRequest request;
    request.acks = -1;
    auto& topic = request.topic_data.emplace_back();
    topic.name = "orders";
    auto& first = topic.partition_data.emplace_back();
    first.index = 3;
    first.records = Bytes::copy_of(std::string_view("batch"));
    topic.partition_data.emplace_back().index = 4;
    Bytes body = encode(request, 9);

    auto view = ProduceRequestView::parse(body, 9);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->acks, -1);
    ASSERT_EQ(view->topic_data.size(), 1u);
    std::vector<int32_t> partitions;
    for (const auto& data : view->topic_data) {
        EXPECT_EQ(data.name, "orders");
        for (const auto& partition : data.partition_data) {
            partitions.push_back(partition.index);
            if (partition.records) {
                Bytes records = share(body, *partition.records);
                EXPECT_EQ(records.view(), "batch");
                EXPECT_GE(records.data(), body.data());
                EXPECT_LE(records.data() + records.size(), body.data() + body.size());
            }
        }
    }
    EXPECT_EQ(partitions, (std::vector<int32_t>{3, 4}));
    EXPECT_EQ(view->copy(), request);
}

TEST(Views, a_cut_off_request_does_not_parse) {
    FetchRequest request;
    request.topics.emplace_back().partitions.resize(3);
    Bytes body = encode(request, 13);
    for (size_t size = 0; size < body.size(); ++size) {
        EXPECT_FALSE(FetchRequestView::parse(body.slice(0, size), 13).has_value()) << size;
    }
    auto whole = FetchRequestView::parse(body, 13);
    ASSERT_TRUE(whole.has_value());
    EXPECT_EQ(whole->copy(), request);
}

TEST(MetadataRecords, frame_is_strict) {
    TopicRecord topic;
    topic.name = "orders";
    topic.topic_id = {1, 2};
    Bytes frame = encode_metadata_record(topic, 0);
    auto back = decode_metadata_record(frame);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(std::get<TopicRecord>(*back), topic);
    EXPECT_EQ(metadata_record_json(topic, 0),
              R"({"type":"TOPIC_RECORD","version":0,"data":{"name":"orders","topicId":")" +
                  topic.topic_id.str() + "\"}}");

    Buffer longer;
    longer.append(frame.span());
    longer.push_back(0);
    EXPECT_FALSE(decode_metadata_record(std::move(longer).freeze()).has_value());
    EXPECT_FALSE(decode_metadata_record(frame.slice(0, frame.size() - 1)).has_value());
    EXPECT_FALSE(
        decode_metadata_record(Bytes::copy_of(std::string_view("\x01\x7f\x00", 3))).has_value());
    EXPECT_FALSE(decode_metadata_record(Bytes()).has_value());
}

TEST(ApiTable, keys_are_their_own_index) {
    for (size_t i = 0; i < all_apis().size(); ++i) {
        EXPECT_EQ(static_cast<size_t>(all_apis()[i].key), i);
    }
    EXPECT_EQ(find_api(4), nullptr);
    EXPECT_EQ(find_api(-1), nullptr);
    EXPECT_EQ(find_api(93), nullptr);
    ASSERT_NE(find_api(1), nullptr);
    EXPECT_EQ(find_api(1)->name, "Fetch");
    EXPECT_EQ(api_info(ApiKey::Produce).advertised().first, 0);
    EXPECT_EQ(api_info(ApiKey::InitProducerId).advertised().last, 5);
    EXPECT_EQ(api_info(ApiKey::ApiVersions).response_header_version(4), 0);
    EXPECT_EQ(api_info(ApiKey::Fetch).response_header_version(12), 1);
    EXPECT_EQ(api_info(ApiKey::Fetch).request_header_version(11), 1);
}

TEST(Headers, client_id_keeps_the_old_form_in_flexible_headers) {
    RequestHeader header;
    header.request_api_key = 1;
    header.request_api_version = 17;
    header.correlation_id = 9;
    header.client_id = "c";
    Writer writer;
    write_request_header(writer, header);
    Bytes bytes = join(writer.take());
    EXPECT_EQ(bytes.view(), std::string_view("\0\x01\0\x11\0\0\0\x09\0\x01"
                                             "c\0",
                                             12));
    Reader reader(bytes);
    auto back = read_request_header(reader);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, header);
    EXPECT_EQ(reader.remaining(), 0u);
}

TEST(Headers, api_versions_of_any_version_is_read) {
    Reader reader(Bytes::copy_of(std::string_view("\0\x12\0\x63\0\0\0\x09\xff\xff\0", 11)));
    auto header = read_request_header(reader);
    ASSERT_TRUE(header.has_value()) << header.error().message;
    EXPECT_EQ(header->request_api_version, 99);
}

}  // namespace
}  // namespace moldau::protocol
