// Random requests, times and failures against one group. Whatever happens, every request is
// answered exactly once, no assertion fails, and what a restart reads is what was committed.
#include <random>

#include <gtest/gtest.h>

#include "coordinator/testing/group_bench.h"

namespace moldau::coordinator {
namespace {

class Chaos {
 public:
    explicit Chaos(uint64_t seed)
        : random_(seed),
          bench_({.initial_rebalance_delay = milliseconds(100), .group_size_max = 5}) {}

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            step();
            learn_ids();
        }
        bench_.refuse_writes.reset();
        bench_.close();
        for (ReplyToken token : sent_) {
            EXPECT_FALSE(bench_.is_waiting(token)) << "request " << token;
        }
    }

    // A restart after everything is written sees the same offsets.
    void expect_reload_equal() {
        bench_.refuse_writes.reset();
        bench_.auto_commit = true;
        bench_.auto_write = true;
        bench_.commit_log();
        bench_.settle();
        auto before = bench_.fetch();
        bench_.close();
        bench_.reload();
        EXPECT_EQ(bench_.fetch(), before);
    }

    void step() {
        switch (pick(14)) {
            case 0:
            case 1:
                return track(bench_.send_join(options("")));
            case 2:
            case 3:
            case 4:
                return track(bench_.send_join(options(member())));
            case 5:
            case 6: {
                std::string to = member();
                return track(bench_.send_sync(to, generation(), {{to, "x"}, {member(), "y"}},
                                              pick(4) == 0 ? instance() : std::nullopt));
            }
            case 7:
                return track(bench_.send_heartbeat(member(), generation()));
            case 8:
                return track(bench_.send_leave(
                    {{pick(3) == 0 ? "" : member(), instance()}, {member(), std::nullopt}}));
            case 9:
            case 10:
                return track(bench_.send_commit({.partition = pick(3),
                                                 .offset = pick(1000),
                                                 .member = member(),
                                                 .generation = generation()}));
            case 11:
                return bench_.advance(milliseconds(pick(4) == 0 ? pick(60000) : pick(500)));
            case 12:
                bench_.auto_commit = pick(3) != 0;
                if (bench_.auto_commit) {
                    bench_.commit_log();
                    bench_.settle();
                }
                return;
            case 13:
                bench_.refuse_writes =
                    pick(5) == 0 ? std::optional(ErrorCode::NotEnoughReplicas) : std::nullopt;
                return;
        }
    }

 private:
    int pick(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
    std::optional<std::string> instance() {
        return pick(2) == 0 ? std::nullopt
                            : std::optional<std::string>(std::string(1, 'A' + pick(3)));
    }
    std::string member() {
        if (ids_.empty() || pick(20) == 0) {
            return "stranger";
        }
        return ids_[ids_.size() - 1 -
                    static_cast<size_t>(pick(std::min<int>(8, int(ids_.size()))))];
    }
    int32_t generation() {
        const ClassicGroup* group = bench_.state();
        return (group == nullptr ? 0 : group->generation()) - (pick(8) == 0 ? 1 : 0);
    }
    JoinOptions options(std::string id) {
        JoinOptions result;
        result.member = std::move(id);
        result.instance = instance();
        result.version = static_cast<int16_t>(pick(10));
        result.protocols = pick(3) == 0 ? std::vector<std::string>{"sticky", "range"}
                                        : std::vector<std::string>{"range", "sticky"};
        if (pick(6) == 0) {
            result.protocols = {"range"};
        }
        result.rebalance_ms = 1000 + pick(20000);
        return result;
    }
    void track(ReplyToken token) { sent_.push_back(token); }
    void learn_ids() {
        if (const ClassicGroup* group = bench_.state()) {
            for (const auto& [id, member] : group->members()) {
                if (std::ranges::find(ids_, id) == ids_.end()) {
                    ids_.push_back(id);
                }
            }
        }
        for (const std::string& id : bench_.offered_ids()) {
            ids_.push_back(id);
        }
    }

    std::mt19937_64 random_;
    GroupBench bench_;
    std::vector<ReplyToken> sent_;
    std::vector<std::string> ids_;
};

TEST(ClassicGroupRandom, every_request_is_answered_once) {
    for (uint64_t seed = 0; seed < 300; ++seed) {
        SCOPED_TRACE(seed);
        Chaos(seed).run(300);
        if (::testing::Test::HasFailure()) {
            return;
        }
    }
}

TEST(ClassicGroupRandom, a_restart_sees_what_was_committed) {
    for (uint64_t seed = 1000; seed < 1100; ++seed) {
        SCOPED_TRACE(seed);
        Chaos chaos(seed);
        for (int i = 0; i < 200; ++i) {
            chaos.step();
        }
        chaos.expect_reload_equal();
        if (::testing::Test::HasFailure()) {
            return;
        }
    }
}

}  // namespace
}  // namespace moldau::coordinator
