// The judges judged: cores and shells that do one thing wrong each. Every lie must be caught, with
// words that name the promise it breaks; a check that has gone blind shows here. What cannot be
// said in events and effects is broken in the source by dev/mutate.py (tests/mutants).
#include <gtest/gtest.h>

#include "consensus/simulated_quorum.h"

namespace moldau::consensus::simulation {
namespace {

// Crashes and losses that give a lie its chance.
constexpr Faults kHard{0.15, 0.1, 0.006, false, true};

// What was found wrong within the seeds; empty when the lie went unseen.
std::string found_out(const Lie& lie, Faults faults = kHard, uint64_t seeds = 60) {
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
        Quorum quorum(seed, 3, 3, faults, lie);
        if (!quorum.run(seconds(60))) {
            return quorum.broken();
        }
    }
    return "";
}

testing::Matcher<const std::string&> says(const std::string& regex) {
    return testing::ContainsRegex(regex);
}

// A record that was committed is not there, or another is.
const std::string kLost =
    "lacks committed offset|commits .* where .* was committed|commits across a gap|dropped what it "
    "knew|logs of .* differ";

TEST(SimulationFindsOut, the_honest_are_not_accused) {
    EXPECT_EQ(found_out({}), "");
}

TEST(SimulationFindsOut, who_votes_for_everybody) {
    Lie lie;
    lie.wanted = [](Node&, Effect& effect) {
        if (auto* sent = std::get_if<SendResponse>(&effect)) {
            auto* vote = std::get_if<VoteResponse>(&sent->response);
            if (vote != nullptr && vote->header.error == ErrorCode::None) {
                vote->granted = true;
            }
        }
        return true;
    };
    EXPECT_THAT(found_out(lie), says("is led by|" + kLost));
}

TEST(SimulationFindsOut, who_forgets_its_vote_in_a_crash) {
    Lie lie;
    lie.wanted = [](Node&, Effect& effect) {
        if (auto* persist = std::get_if<PersistElection>(&effect)) {
            persist->election.voted.reset();
        }
        return true;
    };
    // It takes a crash between two candidates of one epoch, which the pre-vote makes rare.
    EXPECT_THAT(found_out(lie, {0.2, 0.1, 0.02, false, true, 0.3, milliseconds(50)}, 1000),
                says("is led by|" + kLost));
}

TEST(SimulationFindsOut, who_forgets_its_epoch_in_a_crash) {
    Lie lie;
    lie.wanted = [](Node& node, Effect& effect) {
        auto* persist = std::get_if<PersistElection>(&effect);
        if (persist != nullptr && node.disk.election) {
            return false;
        }
        return true;
    };
    EXPECT_THAT(found_out(lie), says("is led by|" + kLost));
}

TEST(SimulationFindsOut, a_follower_that_acknowledges_before_the_sync) {
    Lie lie;
    lie.wanted = [](Node&, Effect& effect) {
        auto* sync = std::get_if<SyncLog>(&effect);
        return sync == nullptr || !sync->is_barrier;
    };
    EXPECT_THAT(found_out(lie), says(kLost));
}

TEST(SimulationFindsOut, a_restart_that_acknowledges_what_no_sync_covered) {
    Lie lie;
    lie.starts_without_sync = true;
    EXPECT_THAT(found_out(lie, {0.2, 0.1, 0.02, false, true, 0.3, milliseconds(50)}), says(kLost));
}

TEST(SimulationFindsOut, a_leader_that_counts_what_it_has_not_synced) {
    Lie lie;
    lie.wanted = [](Node& node, Effect& effect) {
        auto* sync = std::get_if<SyncLog>(&effect);
        if (sync == nullptr || sync->is_barrier) {
            return true;
        }
        node.reports.push_back(LogSynced{sync->end});
        return false;
    };
    EXPECT_THAT(found_out(lie), says(kLost));
}

TEST(SimulationFindsOut, a_leader_that_overlooks_where_logs_diverge) {
    Lie lie;
    lie.heard = [](const Node& node, Event& event) {
        auto* received = std::get_if<RequestReceived>(&event);
        auto* fetch = received == nullptr ? nullptr : std::get_if<FetchRequest>(&received->request);
        if (fetch == nullptr) {
            return;
        }
        // As if the record before the offset were of the epoch that the leader has there.
        for (const LogEntry& entry : node.disk.entries) {
            if (entry.end == fetch->position.offset) {
                fetch->position.epoch = entry.epoch;
            }
        }
    };
    EXPECT_THAT(found_out(lie), says(kLost));
}

TEST(SimulationFindsOut, a_watermark_that_runs_ahead_of_the_majority) {
    Lie lie;
    lie.wanted = [](Node& node, Effect& effect) {
        if (auto* advanced = std::get_if<HighWatermarkAdvanced>(&effect)) {
            advanced->offset = node.disk.end();
        }
        return true;
    };
    EXPECT_THAT(found_out(lie), says("high watermark of node . fell|" + kLost));
}

TEST(SimulationFindsOut, a_watermark_that_falls) {
    Lie lie;
    lie.wanted = [](Node&, Effect& effect) {
        auto* advanced = std::get_if<HighWatermarkAdvanced>(&effect);
        if (advanced != nullptr && advanced->offset > Offset(10)) {
            advanced->offset = advanced->offset - 9;
        }
        return true;
    };
    EXPECT_THAT(found_out(lie), says("high watermark of node . fell"));
}

TEST(SimulationFindsOut, a_quorum_that_commits_nothing) {
    Lie lie;
    lie.wanted = [](Node&, Effect& effect) {
        return !std::holds_alternative<HighWatermarkAdvanced>(effect);
    };
    Quorum quorum(1, 3, 3, {}, lie);
    EXPECT_TRUE(quorum.run(seconds(10)));
    EXPECT_FALSE(quorum.heals());
    EXPECT_EQ(quorum.broken(), "no progress after the faults ended");
}

}  // namespace
}  // namespace moldau::consensus::simulation
