#include "runtime/receive_memory.h"

#include <vector>

#include <gtest/gtest.h>

namespace moldau::runtime {
namespace {

using Share = ReceiveMemory::Share;

// Shares as they are granted, by the number of the asker.
struct Askers {
    void wait(ReceiveMemory& memory, int number, int64_t bytes) {
        tickets.push_back(memory.wait(bytes, [this, number](Share share) {
            order.push_back(number);
            shares.push_back(std::move(share));
        }));
    }
    std::vector<uint64_t> tickets;
    std::vector<int> order;
    std::vector<Share> shares;
};

TEST(ReceiveMemory, lets_in_until_all_is_taken_and_one_more_of_any_size) {
    auto memory = ReceiveMemory::of(100);
    auto first = memory->try_take(60);
    ASSERT_TRUE(first);
    EXPECT_TRUE(memory->is_scarce());
    auto large = memory->try_take(1000);
    ASSERT_TRUE(large);
    EXPECT_FALSE(memory->try_take(1));
    first->reset();
    EXPECT_FALSE(memory->try_take(1));
    large->reset();
    EXPECT_EQ(memory->taken(), 0);
    EXPECT_FALSE(memory->is_scarce());
    EXPECT_TRUE(memory->try_take(1));
}

TEST(ReceiveMemory, those_who_wait_come_in_order_as_far_as_there_is_room) {
    auto memory = ReceiveMemory::of(100);
    Share all = memory->take(150);
    Askers askers;
    askers.wait(*memory, 1, 80);
    askers.wait(*memory, 2, 80);
    askers.wait(*memory, 3, 80);
    EXPECT_TRUE(askers.order.empty());
    all.reset();
    EXPECT_EQ(askers.order, (std::vector{1, 2}));
    EXPECT_EQ(memory->taken(), 160);
    Share first = std::move(askers.shares.front());
    first.reset();
    EXPECT_EQ(askers.order, (std::vector{1, 2, 3}));
}

TEST(ReceiveMemory, nobody_overtakes_those_who_wait) {
    auto memory = ReceiveMemory::of(100);
    Share all = memory->take(100);
    Askers askers;
    askers.wait(*memory, 1, 10);
    EXPECT_FALSE(memory->try_take(1));
    all.reset();
    EXPECT_EQ(askers.order, (std::vector{1}));
    EXPECT_TRUE(memory->try_take(1));
}

TEST(ReceiveMemory, who_comes_when_there_is_room_again_does_not_wait) {
    auto memory = ReceiveMemory::of(100);
    Askers askers;
    askers.wait(*memory, 1, 10);
    EXPECT_EQ(askers.order, (std::vector{1}));
}

TEST(ReceiveMemory, one_who_gives_up_holds_up_nobody) {
    auto memory = ReceiveMemory::of(100);
    Share all = memory->take(100);
    Askers askers;
    askers.wait(*memory, 1, 500);
    askers.wait(*memory, 2, 10);
    memory->cancel(askers.tickets[0]);
    all.reset();
    EXPECT_EQ(askers.order, (std::vector{2}));
    Share last = std::move(askers.shares.front());
    last.reset();
    EXPECT_EQ(memory->taken(), 0);
}

}  // namespace
}  // namespace moldau::runtime
