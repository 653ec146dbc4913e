#include "coordinator/runtime/timer_table.h"

#include <string>

#include <gtest/gtest.h>

namespace moldau::coordinator {
namespace {

MonotonicTime at(int ms) {
    return MonotonicTime(milliseconds(ms));
}

TEST(TimerTable, fires_in_order_of_deadline_then_of_setting) {
    TimerTable<std::string> timers;
    timers.schedule("late", at(20));
    timers.schedule("first", at(10));
    timers.schedule("second", at(10));
    EXPECT_EQ(timers.take_due(at(5)), std::nullopt);
    EXPECT_EQ(timers.take_due(at(20)), "first");
    EXPECT_EQ(timers.take_due(at(20)), "second");
    EXPECT_EQ(timers.take_due(at(20)), "late");
    EXPECT_EQ(timers.take_due(at(99)), std::nullopt);
}

TEST(TimerTable, a_deadline_moves_later_and_earlier) {
    TimerTable<std::string> timers;
    timers.schedule("a", at(10));
    timers.schedule("a", at(30));
    EXPECT_EQ(timers.take_due(at(20)), std::nullopt);
    EXPECT_EQ(timers.next(), at(30));
    timers.schedule("a", at(15));
    EXPECT_EQ(timers.next(), at(15));
    EXPECT_EQ(timers.take_due(at(15)), "a");
    EXPECT_EQ(timers.size(), 0u);
}

TEST(TimerTable, a_cancelled_timer_does_not_fire) {
    TimerTable<std::string> timers;
    timers.schedule("a", at(10));
    timers.schedule("a", at(12));
    timers.cancel("a");
    timers.cancel("never set");
    EXPECT_EQ(timers.take_due(at(99)), std::nullopt);
    EXPECT_EQ(timers.next(), std::nullopt);
}

}  // namespace
}  // namespace moldau::coordinator
