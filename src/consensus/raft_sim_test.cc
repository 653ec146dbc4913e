// Runs of simulated quorums. A failure names its seed; MOLDAU_SIM_SEED=<n> runs that one alone,
// MOLDAU_SIM_SEEDS=<n> runs that many.
#include <cstdlib>

#include <gtest/gtest.h>

#include "consensus/simulated_quorum.h"

namespace moldau::consensus::simulation {
namespace {

uint64_t number_of(const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void run_seeds(const char* what, int32_t nodes, int32_t voters, Faults faults) {
    uint64_t only = number_of("MOLDAU_SIM_SEED", 0);
    uint64_t count = number_of("MOLDAU_SIM_SEEDS", 60);
    size_t elections = 0;
    int64_t committed = 0;
    for (uint64_t seed = only == 0 ? 1 : only; seed <= (only == 0 ? count : only); ++seed) {
        Quorum quorum(seed, nodes, voters, faults);
        bool is_sound = quorum.run(seconds(60)) && quorum.heals();
        ASSERT_TRUE(is_sound) << what << ": " << quorum.broken()
                              << "; replay: MOLDAU_SIM_SEED=" << seed
                              << " consensus_test --gtest_filter='RaftSimulation." << what << "'";
        elections += quorum.elections();
        committed += quorum.committed_end().value();
    }
    EXPECT_GT(elections, only == 0 ? count : 0) << "faults must bite";
    EXPECT_GT(committed, 0);
}

TEST(RaftSimulation, three_voters_agree) {
    run_seeds("three_voters_agree", 3, 3, {});
}

TEST(RaftSimulation, five_voters_agree) {
    run_seeds("five_voters_agree", 5, 5, {});
}

TEST(RaftSimulation, heavy_loss_costs_time_only) {
    run_seeds("heavy_loss_costs_time_only", 3, 3, {0.3, 0.2, 0.004, false, true});
}

TEST(RaftSimulation, candidates_collide_and_machines_come_back_at_once) {
    run_seeds("candidates_collide_and_machines_come_back_at_once", 3, 3,
              {0.2, 0.1, 0.02, false, true, 0.3, milliseconds(50)});
}

TEST(RaftSimulation, observers_follow_without_a_vote) {
    run_seeds("observers_follow_without_a_vote", 5, 3, {});
}

TEST(RaftSimulation, voters_come_and_go) {
    run_seeds("voters_come_and_go", 5, 3, {0.05, 0.05, 0.001, true, true});
}

}  // namespace
}  // namespace moldau::consensus::simulation
