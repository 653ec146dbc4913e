#include <random>

#include <gtest/gtest.h>

#include "storage/offset_index.h"
#include "storage/time_index.h"
#include "storage/transaction_index.h"

namespace moldau::storage {
namespace {

Bytes grown(const Bytes& content, size_t zeros) {
    Buffer all;
    all.append(content.span());
    all.resize(content.size() + zeros);
    std::fill(all.data() + content.size(), all.data() + all.size(), 0);
    return std::move(all).freeze();
}

TEST(OffsetIndex, finds_what_a_walk_over_all_entries_finds) {
    for (unsigned seed = 1; seed <= 50; ++seed) {
        std::mt19937 random(seed);
        Offset base(random() % 1000);
        OffsetIndex index(base, 8 * 200);
        std::vector<OffsetPosition> all;
        Offset offset = base;
        int32_t position = 0;
        for (int i = 0; i < 150; ++i) {
            offset += 1 + random() % 5;
            index.append(offset, position);
            all.push_back({offset, position});
            position += 1 + static_cast<int32_t>(random() % 100);
        }
        auto parsed = OffsetIndex::parse(base, 8 * 200, index.encode().span(), position);
        ASSERT_TRUE(parsed) << seed;
        for (int64_t target = base.value() - 2; target < offset.value() + 3; ++target) {
            OffsetPosition expected{base, 0};
            for (const OffsetPosition& entry : all) {
                if (entry.offset.value() <= target) {
                    expected = entry;
                }
            }
            EXPECT_EQ(index.lookup(Offset(target)), expected) << "seed " << seed;
            EXPECT_EQ(parsed->lookup(Offset(target)), expected) << "seed " << seed;
        }
    }
}

TEST(OffsetIndex, preallocated_zeros_are_no_entries) {
    OffsetIndex index(Offset(10), 800);
    EXPECT_EQ(OffsetIndex::parse(Offset(10), 800, grown({}, 80).span(), 1000)->size(), 0u);
    index.append(Offset(12), 0);
    index.append(Offset(14), 100);
    EXPECT_EQ(OffsetIndex::parse(Offset(10), 800, grown(index.encode(), 80).span(), 1000)->size(),
              2u);
}

TEST(OffsetIndex, damage_is_recognised) {
    OffsetIndex index(Offset(0), 800);
    index.append(Offset(5), 0);
    index.append(Offset(9), 100);
    Bytes good = index.encode();
    EXPECT_FALSE(OffsetIndex::parse(Offset(0), 800, good.span().first(13), 1000));
    EXPECT_FALSE(OffsetIndex::parse(Offset(0), 800, good.span(), 100));  // beyond the segment
    Buffer swapped;
    swapped.append(good.span().subspan(8));
    swapped.append(good.span().first(8));
    EXPECT_FALSE(OffsetIndex::parse(Offset(0), 800, swapped.span(), 1000));
}

TEST(OffsetIndex, truncation_drops_entries_at_and_above) {
    OffsetIndex index(Offset(0), 24);
    index.append(Offset(5), 0);
    index.append(Offset(9), 100);
    index.append(Offset(12), 200);
    EXPECT_TRUE(index.full());
    index.truncate_to(Offset(9));
    EXPECT_EQ(index.last(), (OffsetPosition{Offset(5), 0}));
    EXPECT_FALSE(index.full());
}

TEST(TimeIndex, keeps_only_younger_entries_and_a_slot_for_the_last) {
    TimeIndex index(Offset(0), 36);
    index.maybe_append(100, Offset(1));
    index.maybe_append(100, Offset(2));
    index.maybe_append(90, Offset(3));
    EXPECT_EQ(index.size(), 1u);
    index.maybe_append(110, Offset(4));
    EXPECT_TRUE(index.full());
    index.maybe_append(120, Offset(5));
    EXPECT_EQ(index.size(), 2u);
    index.maybe_append(120, Offset(5), true);
    EXPECT_EQ(index.last(), (TimestampOffset{120, Offset(5)}));
    EXPECT_EQ(index.lookup(99), (TimestampOffset{kNoTimestamp, Offset(0)}));
    EXPECT_EQ(index.lookup(115), (TimestampOffset{110, Offset(4)}));
    auto parsed = TimeIndex::parse(Offset(0), 36, grown(index.encode(), 24).span());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->size(), 3u);
    EXPECT_FALSE(TimeIndex::parse(Offset(0), 36, index.encode().span().first(13)));
}

TEST(TransactionIndex, collects_what_overlaps_and_knows_when_to_stop) {
    TransactionIndex index;
    index.append({ProducerId(1), Offset(0), Offset(10), Offset(5)});
    index.append({ProducerId(2), Offset(5), Offset(20), Offset(15)});
    index.append({ProducerId(3), Offset(15), Offset(40), Offset(41)});
    std::vector<AbortedTxn> found;
    EXPECT_FALSE(index.collect(Offset(11), Offset(100), found));
    EXPECT_EQ(found.size(), 2u);
    found.clear();
    EXPECT_TRUE(index.collect(Offset(0), Offset(12), found));
    EXPECT_EQ(found.size(), 2u);
    auto parsed = TransactionIndex::parse(Offset(0), index.encode().span());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->entries(), index.entries());
    EXPECT_FALSE(TransactionIndex::parse(Offset(0), index.encode().span().first(33)));
    index.truncate_to(Offset(20));
    EXPECT_EQ(index.entries().size(), 1u);
}

}  // namespace
}  // namespace moldau::storage
