#include "runtime/event_loop.h"

#include <future>

#include <gtest/gtest.h>

#include "runtime/disk_pool.h"

namespace moldau::runtime {
namespace {

TEST(ManualLoop, timers_run_in_order_of_time_then_of_scheduling) {
    ManualLoop loop;
    std::string ran;
    Timer a = loop.schedule_after(seconds(2), [&] { ran += "a"; });
    Timer b = loop.schedule_after(seconds(1), [&] { ran += "b"; });
    Timer c = loop.schedule_after(seconds(1), [&] { ran += "c"; });
    loop.advance(seconds(3));
    EXPECT_EQ(ran, "bca");
}

TEST(ManualLoop, dropped_and_replaced_timers_do_not_run) {
    ManualLoop loop;
    int ran = 0;
    {
        Timer dropped = loop.schedule_after(seconds(1), [&] { ++ran; });
    }
    Timer kept = loop.schedule_after(seconds(1), [&] { ran += 10; });
    kept = loop.schedule_after(seconds(1), [&] { ran += 100; });
    loop.advance(seconds(2));
    EXPECT_EQ(ran, 100);
    EXPECT_FALSE(kept.armed());
}

TEST(ManualLoop, a_task_may_schedule_and_cancel) {
    ManualLoop loop;
    std::string ran;
    Timer victim;
    Timer next;
    Timer first = loop.schedule_after(seconds(1), [&] {
        victim.cancel();
        next = loop.schedule_after(seconds(1), [&] { ran += "n"; });
    });
    victim = loop.schedule_after(seconds(1), [&] { ran += "v"; });
    loop.advance(seconds(5));
    EXPECT_EQ(ran, "n");
}

TEST(LoopThread, the_end_of_a_turn_comes_after_all_that_waited_and_includes_what_it_adds) {
    LoopThread loop("turns");
    std::string ran;
    std::promise<void> done;
    loop.post([&] {
        loop.at_turn_end([&] {
            ran += "c";
            loop.at_turn_end([&] { ran += "d"; });
            loop.post([&] { done.set_value(); });
        });
        ran += "a";
    });
    loop.post([&] { ran += "b"; });
    loop.start();
    done.get_future().wait();
    EXPECT_EQ(ran, "abcd");
}

// A parked request: its timer's task keeps it alive, and it owns the timer.
struct Parked {
    Timer deadline;
    Timer reminder;
};

std::shared_ptr<Parked> park(EventLoop& loop) {
    auto parked = std::make_shared<Parked>();
    parked->deadline = loop.schedule_after(seconds(1), [parked] {});
    parked->reminder = loop.schedule_after(seconds(2), [parked] {});
    return parked;
}

TEST(ManualLoop, cancelling_a_timer_may_destroy_the_owner_of_it) {
    ManualLoop loop;
    std::weak_ptr<Parked> gone = park(loop);
    gone.lock()->reminder.cancel();
    ASSERT_FALSE(gone.expired());
    gone.lock()->deadline.cancel();
    EXPECT_TRUE(gone.expired());
}

TEST(ManualLoop, timers_left_at_the_end_may_own_one_another) {
    std::vector<std::weak_ptr<Parked>> parked;
    {
        ManualLoop loop;
        for (int i = 0; i < 20; ++i) {
            parked.push_back(park(loop));
            auto other = park(loop);
            other->deadline =
                loop.schedule_after(seconds(i), [other, first = parked.back().lock()] {});
        }
    }
    for (const auto& each : parked) {
        EXPECT_TRUE(each.expired());
    }
}

TEST(LoopThread, posts_from_many_threads_run_on_the_loop) {
    LoopThread loop("test");
    loop.start();
    int count = 0;  // touched on the loop only
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; ++i) {
                loop.post([&] {
                    EXPECT_TRUE(loop.in_loop());
                    ++count;
                });
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    std::promise<int> done;
    loop.post([&] { done.set_value(count); });
    EXPECT_EQ(done.get_future().get(), 4000);
    EXPECT_FALSE(loop.in_loop());
}

TEST(LoopThread, an_earlier_timer_runs_before_one_scheduled_earlier) {
    LoopThread loop("test");
    loop.start();
    std::promise<std::string> done;
    std::string ran;
    Timer late;
    Timer early;
    loop.post([&] {
        late = loop.schedule_after(milliseconds(20), [&] { done.set_value(ran + "late"); });
        early = loop.schedule_after(milliseconds(1), [&] { ran += "early "; });
    });
    EXPECT_EQ(done.get_future().get(), "early late");
}

TEST(LoopThread, tasks_posted_after_the_stop_are_dropped) {
    LoopThread loop("test");
    loop.start();
    loop.stop();
    loop.join();
    auto kept = std::make_shared<int>(1);
    loop.post([kept] { FAIL(); });
    EXPECT_FALSE(loop.running());
}

TEST(DiskPool, stop_finishes_what_was_submitted) {
    std::atomic<int> ran{0};
    {
        DiskPool pool(2);
        for (int i = 0; i < 100; ++i) {
            pool.submit([&] { ++ran; });
        }
    }
    EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace moldau::runtime
