#include "storage/journal_format.h"

#include <gtest/gtest.h>

#include "record/builder.h"

namespace moldau::storage {
namespace {

const JournalKey kOrders{{1, 2}, 0};
const JournalKey kBills{{3, 4}, 7};

class JournalFormatTest : public testing::Test {
 protected:
    Bytes batch(int64_t base, int records = 1) {
        record::BatchOptions options;
        options.base_offset = Offset(base);
        record::BatchBuilder builder(options);
        for (int i = 0; i < records; ++i) {
            builder.append(0, std::nullopt, "value");
        }
        return builder.build();
    }
    GroupBuilder& begin(uint64_t number) {
        builder_.reset(number, memory_.size());
        return builder_;
    }
    void append(const JournalKey& key, const Bytes& batch) {
        builder_.append(key, std::span(&batch, 1));
    }
    // A group with one append.
    void add_group(Buffer& file, uint64_t number, int64_t base) {
        begin(number);
        append(kOrders, batch(base));
        file.append(builder_.finish());
    }
    static std::vector<uint64_t> numbers(const std::vector<JournalGroup>& groups) {
        std::vector<uint64_t> all;
        for (const auto& group : groups) {
            all.push_back(group.number);
        }
        return all;
    }
    static std::vector<JournalGroup> read(const Buffer& file) {
        return read_journal_file(Bytes::copy_of(file.span()));
    }
    static std::vector<int64_t> bases(const JournalReplay& replay, const JournalKey& key) {
        std::vector<int64_t> all;
        auto found = replay.find(key);
        if (found != replay.end()) {
            for (const Bytes& each : found->second) {
                all.push_back(record::BatchHeader::read(each.data()).base_offset);
            }
        }
        return all;
    }

    std::vector<uint8_t> memory_ = std::vector<uint8_t>(64 << 10);
    GroupBuilder builder_{memory_};
};

TEST_F(JournalFormatTest, groups_come_back_as_they_were_packed) {
    Buffer file;
    begin(5);
    Bytes whole = batch(10, 3);
    Bytes pieces[] = {whole.slice(0, 61), whole.slice(61)};
    builder_.append(kOrders, pieces);
    builder_.truncate(kBills, Offset(99));
    file.append(builder_.finish());
    EXPECT_EQ(file.size() % kJournalAlignment, 0u);
    add_group(file, 6, 13);
    auto groups = read(file);
    ASSERT_EQ(numbers(groups), (std::vector<uint64_t>{5, 6}));
    ASSERT_EQ(groups[0].entries.size(), 2u);
    EXPECT_EQ(groups[0].entries[0].key, kOrders);
    EXPECT_EQ(groups[0].entries[0].batches, whole);
    EXPECT_EQ(groups[0].entries[1].kind, JournalKind::Truncate);
    EXPECT_EQ(groups[0].entries[1].key, kBills);
    EXPECT_EQ(groups[0].entries[1].offset, Offset(99));
}

TEST_F(JournalFormatTest, a_torn_group_counts_for_nothing_wherever_it_is_torn) {
    Buffer file;
    add_group(file, 1, 0);
    size_t first = file.size();
    begin(2);
    append(kOrders, batch(1, 200));
    append(kBills, batch(0));
    size_t used = kGroupHeaderBytes;
    for (auto& group : {batch(1, 200), batch(0)}) {
        used += kEntryHeaderBytes + group.size();
    }
    file.append(builder_.finish());
    for (size_t at = 0; at < used; ++at) {
        file.data()[first + at] ^= 0x40;
        EXPECT_EQ(numbers(read(file)), (std::vector<uint64_t>{1})) << at;
        file.data()[first + at] ^= 0x40;
    }
    EXPECT_EQ(numbers(read(file)), (std::vector<uint64_t>{1, 2}));
}

TEST_F(JournalFormatTest, what_an_earlier_use_of_the_file_left_is_not_read) {
    Buffer file;
    add_group(file, 9, 100);
    add_group(file, 4, 50);  // whole, and of an earlier round
    EXPECT_EQ(numbers(read(file)), (std::vector<uint64_t>{9}));
    Buffer zeros(1 << 16);
    zeros.resize(1 << 16);
    std::memset(zeros.data(), 0, zeros.size());
    EXPECT_TRUE(read(zeros).empty());
}

TEST_F(JournalFormatTest, files_are_replayed_by_number_from_the_last_gap_on) {
    Buffer first;
    Buffer second;
    Buffer old;
    add_group(old, 2, 0);
    add_group(first, 7, 20);
    add_group(first, 8, 21);
    add_group(second, 9, 22);
    auto replay = plan_replay({read(second), read(old), {}, read(first)});
    EXPECT_EQ(bases(replay, kOrders), (std::vector<int64_t>{20, 21, 22}));
}

TEST_F(JournalFormatTest, a_truncation_takes_what_was_appended_before_it) {
    begin(1);
    append(kOrders, batch(0, 5));
    append(kOrders, batch(5, 5));
    append(kBills, batch(0, 5));
    builder_.truncate(kOrders, Offset(7));
    append(kOrders, batch(5, 2));
    Buffer file;
    file.append(builder_.finish());
    auto replay = plan_replay({read(file)});
    EXPECT_EQ(bases(replay, kOrders), (std::vector<int64_t>{0, 5}));
    EXPECT_EQ(replay[kOrders][1], batch(5, 2));
    EXPECT_EQ(bases(replay, kBills), (std::vector<int64_t>{0}));
}

TEST_F(JournalFormatTest, file_names_tell_their_number) {
    EXPECT_EQ(journal_file_name(7), "moldau-journal-00000007.log");
    EXPECT_EQ(number_of_journal_file("moldau-journal-00000007.log"), 7u);
    for (auto other : {"moldau-journal-.log", "moldau-journal-7.tmp", "00000000000000000007.log",
                       "moldau-journal-7x.log"}) {
        EXPECT_EQ(number_of_journal_file(other), std::nullopt) << other;
    }
}

}  // namespace
}  // namespace moldau::storage
