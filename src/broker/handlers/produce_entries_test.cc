#include "broker/handlers/produce_entries.h"

#include <utility>

#include <gtest/gtest.h>

#include "record/builder.h"

namespace moldau::broker {
namespace {

using Topics = std::vector<std::pair<std::string, std::vector<int32_t>>>;

class Produce {
 public:
    explicit Produce(const Topics& topics) {
        for (const auto& [name, partitions] : topics) {
            auto& topic = request.topic_data.emplace_back();
            topic.name = name;
            for (int32_t index : partitions) {
                topic.partition_data.emplace_back().index = index;
            }
        }
    }
    ProduceEntries entries(int16_t version = 9) {
        body_ = protocol::encode(request, version);
        return entries_of(*protocol::ProduceRequestView::parse(body_, version));
    }

    protocol::ProduceRequest request;

 private:
    Bytes body_;
};

TEST(ProduceEntries, of_what_is_named_once_every_entry_counts_where_it_stands) {
    for (const Topics& topics : {Topics{}, Topics{{"a", {}}}, Topics{{"a", {0, 1, 7}}},
                                 Topics{{"a", {7, 0, 1}}}, Topics{{"b", {0}}, {"a", {0, 1}}}}) {
        ProduceEntries entries = Produce(topics).entries();
        EXPECT_TRUE(entries.topic_in_answer.empty());
        EXPECT_TRUE(entries.replaced.empty());
    }
}

// Appended twice, the first batch would stand in a log where Kafka's has only the second.
TEST(ProduceEntries, the_last_entry_of_a_partition_takes_the_place_of_those_before) {
    EXPECT_EQ((Produce({{"a", {0, 0}}}).entries().replaced), (std::vector<bool>{true, false}));
    EXPECT_EQ((Produce({{"a", {2, 1, 2, 1, 2}}, {"b", {1}}}).entries().replaced),
              (std::vector<bool>{true, true, true, false, false, false}));
}

TEST(ProduceEntries, a_topic_named_again_is_answered_where_it_was_named_first) {
    ProduceEntries entries =
        Produce({{"b", {0, 1}}, {"a", {0}}, {"b", {1, 2}}, {"c", {}}, {"a", {0}}}).entries();
    EXPECT_EQ(entries.topic_in_answer, (std::vector<size_t>{0, 1, 0, 2, 1}));
    EXPECT_EQ(entries.replaced, (std::vector<bool>{false, true, true, false, false, false}));
}

TEST(ProduceEntries, topics_are_told_apart_by_id_where_they_have_no_name) {
    Produce produce({{"", {0}}, {"", {0}}, {"", {0}}});
    for (uint64_t i = 0; i < 3; ++i) {
        produce.request.topic_data[i].topic_id = Uuid{1, i % 2};
    }
    ProduceEntries entries = produce.entries(13);
    EXPECT_EQ(entries.topic_in_answer, (std::vector<size_t>{0, 1, 0}));
    EXPECT_EQ(entries.replaced, (std::vector<bool>{true, false, false}));
}

TEST(ProduceEntries, one_transactional_batch_anywhere_is_noticed) {
    record::BatchBuilder builder;
    builder.append(0, std::nullopt, "v");
    Bytes plain = builder.build();
    Produce produce({{"a", {0, 1}}});
    produce.request.topic_data[0].partition_data[0].records = plain;
    EXPECT_FALSE(produce.entries().transactional);
    constexpr size_t kAttributes = 21;
    Buffer marked;
    marked.append(plain.span());
    marked.data()[kAttributes + 1] |= 0x10;
    produce.request.topic_data[0].partition_data[1].records = std::move(marked).freeze();
    EXPECT_TRUE(produce.entries().transactional);
}

}  // namespace
}  // namespace moldau::broker
