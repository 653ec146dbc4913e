#include "quorum/quorum_state_file.h"

#include <gtest/gtest.h>

#include "runtime/memory_file_system.h"

namespace moldau::quorum {
namespace {

consensus::PersistElection dynamic_state() {
    consensus::PersistElection state;
    state.election.epoch = LeaderEpoch(7);
    state.election.voted = consensus::ReplicaKey{BrokerId(2), Uuid{0, 5}};
    state.kraft_version = 1;
    state.voters = {BrokerId(1), BrokerId(2)};
    return state;
}

TEST(QuorumState, has_kafkas_text_for_a_static_quorum) {
    consensus::PersistElection state;
    state.election.epoch = LeaderEpoch(3);
    state.election.leader = BrokerId(1);
    state.voters = {BrokerId(1)};
    EXPECT_EQ(format_quorum_state(state),
              R"({"clusterId":"","leaderId":1,"leaderEpoch":3,"votedId":-1,"appliedOffset":0,)"
              R"("currentVoters":[{"voterId":1}],"data_version":0})");
}

TEST(QuorumState, has_kafkas_text_for_a_dynamic_quorum) {
    EXPECT_EQ(format_quorum_state(dynamic_state()),
              R"({"leaderId":-1,"leaderEpoch":7,"votedId":2,)"
              R"("votedDirectoryId":"AAAAAAAAAAAAAAAAAAAABQ","data_version":1})");
}

TEST(QuorumState, is_read_as_it_was_written) {
    runtime::MemoryFileSystem files;
    ASSERT_TRUE(files.create_directories("/d"));
    EXPECT_EQ(*read_quorum_state(files, "/d"), std::nullopt);
    ASSERT_TRUE(write_quorum_state(files, "/d", dynamic_state()));
    EXPECT_EQ(**read_quorum_state(files, "/d"), dynamic_state().election);
}

TEST(QuorumState, survives_a_crash_at_any_step_as_old_or_new) {
    for (uint64_t operation = 1; operation < 20; ++operation) {
        runtime::MemoryFileSystem files;
        ASSERT_TRUE(files.create_directories("/d"));
        ASSERT_TRUE(files.sync_directory("/"));
        consensus::PersistElection old;
        old.kraft_version = 1;
        ASSERT_TRUE(write_quorum_state(files, "/d", old));
        files.fail_at(files.operations() + operation, runtime::MemoryFileSystem::Fault::Crash);
        bool written = write_quorum_state(files, "/d", dynamic_state()).has_value();
        files.crash_losing_all();
        auto read = read_quorum_state(files, "/d");
        ASSERT_TRUE(read && *read) << operation;
        EXPECT_TRUE(**read == dynamic_state().election || (!written && **read == old.election))
            << operation;
    }
}

TEST(QuorumState, refuses_what_it_cannot_understand) {
    EXPECT_EQ(parse_quorum_state("").error().code, ErrorCode::CorruptMessage);
    EXPECT_EQ(parse_quorum_state("[1]").error().code, ErrorCode::CorruptMessage);
    EXPECT_EQ(parse_quorum_state(R"({"leaderId":1,"data_version":0})").error().code,
              ErrorCode::CorruptMessage);
    EXPECT_EQ(parse_quorum_state(R"({"leaderId":1,"leaderEpoch":1,"votedId":-1,"data_version":9})")
                  .error()
                  .code,
              ErrorCode::UnsupportedVersion);
}

}  // namespace
}  // namespace moldau::quorum
