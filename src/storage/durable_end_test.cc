#include "storage/durable_end.h"

#include <gtest/gtest.h>

namespace moldau::storage {
namespace {

TEST(DurableEnd, what_the_journal_holds_counts_once_its_group_is_written) {
    DurableEnd end;
    end.reset(Offset(10));
    end.journaled(1, Offset(12));
    end.journaled(1, Offset(15));
    end.journaled(2, Offset(20));
    EXPECT_EQ(end.advance(0, Offset(0)), Offset(10));
    EXPECT_EQ(end.advance(1, Offset(0)), Offset(15));
    EXPECT_EQ(end.advance(2, Offset(0)), Offset(20));
}

TEST(DurableEnd, a_journaled_append_waits_for_the_sync_of_a_large_one_before_it) {
    DurableEnd end;
    end.journaled(1, Offset(5));
    end.needs_sync(Offset(8));
    end.journaled(2, Offset(9));
    EXPECT_EQ(end.advance(2, Offset(0)), Offset(5));
    EXPECT_EQ(end.sync_wanted(Offset(0)), Offset(8));
    EXPECT_EQ(end.advance(2, Offset(7)), Offset(7));
    EXPECT_EQ(end.advance(2, Offset(8)), Offset(9));
    EXPECT_EQ(end.sync_wanted(Offset(8)), std::nullopt);
}

TEST(DurableEnd, a_sync_overtakes_the_journal) {
    DurableEnd end;
    end.journaled(1, Offset(5));
    end.journaled(2, Offset(9));
    EXPECT_EQ(end.advance(0, Offset(9)), Offset(9));
}

TEST(DurableEnd, under_memory_everything_counts_at_once_but_not_before_what_waits) {
    DurableEnd end;
    end.unsecured(Offset(3));
    EXPECT_EQ(end.advance(0, Offset(0)), Offset(3));
    EXPECT_TRUE(end.gap_below(Offset(3), Offset(0)));
    EXPECT_FALSE(end.gap_below(Offset(3), Offset(3)));
    end.journaled(1, Offset(4));
    end.unsecured(Offset(6));
    EXPECT_EQ(end.advance(0, Offset(0)), Offset(3));
    EXPECT_EQ(end.advance(1, Offset(0)), Offset(6));
}

TEST(DurableEnd, after_a_truncation_old_groups_prove_nothing_about_new_records) {
    DurableEnd end;
    end.journaled(1, Offset(10));
    end.truncated(Offset(5), 2);
    end.journaled(3, Offset(8));
    EXPECT_EQ(end.advance(1, Offset(0)), Offset(0)) << "the truncation itself is not durable";
    EXPECT_EQ(end.advance(2, Offset(0)), Offset(5));
    EXPECT_EQ(end.advance(3, Offset(0)), Offset(8));
    end.truncated(Offset(2), 4);
    EXPECT_EQ(end.end(), Offset(2));
    EXPECT_FALSE(end.gap_below(Offset(2), Offset(0)));
}

}  // namespace
}  // namespace moldau::storage
