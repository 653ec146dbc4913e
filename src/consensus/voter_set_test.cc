#include "consensus/voter_set.h"

#include <gtest/gtest.h>

#include "consensus/log_index.h"

namespace moldau::consensus {
namespace {

Voter voter(int32_t id, uint64_t directory) {
    return {{BrokerId(id), Uuid{0, directory}}, {}, 0, 1};
}

TEST(VoterSet, the_directory_is_part_of_a_voter) {
    VoterSet set({voter(1, 7), voter(2, 0)});
    EXPECT_TRUE(set.contains({BrokerId(1), Uuid{0, 7}}));
    EXPECT_FALSE(set.contains({BrokerId(1), Uuid{0, 8}})) << "the same id on an empty disk";
    EXPECT_TRUE(set.contains({BrokerId(2), Uuid{0, 8}})) << "its directory is not known";
    EXPECT_EQ(set.majority(), 2u);
}

TEST(VoterSet, changes_apply_or_do_not) {
    VoterSet set({voter(1, 7)});
    EXPECT_FALSE(set.with(voter(1, 8)));
    EXPECT_FALSE(set.without({BrokerId(1), Uuid{0, 7}})) << "the last one stays";
    VoterSet two = *set.with(voter(2, 8));
    EXPECT_FALSE(two.without({BrokerId(2), Uuid{0, 9}}));
    EXPECT_EQ(two.without({BrokerId(2), Uuid{0, 8}}), set);
    EXPECT_TRUE(set.has_overlapping_majority(two));
    EXPECT_FALSE(set.has_overlapping_majority(VoterSet({voter(2, 8), voter(3, 9), voter(4, 1)})));
}

TEST(VoterHistory, the_set_follows_the_log_both_ways) {
    VoterSet configured({voter(1, 0)});
    VoterSet first({voter(1, 1)});
    VoterSet second({voter(1, 1), voter(2, 2)});
    VoterHistory history(configured);
    EXPECT_EQ(history.voters(), configured);
    EXPECT_EQ(history.voters_offset(), std::nullopt);
    history.put_voters(Offset(5), first);
    history.put_kraft_version(Offset(4), 1);
    history.put_voters(Offset(9), second);
    EXPECT_EQ(history.voters(), second);
    EXPECT_EQ(history.voters_at(Offset(8)), first);
    EXPECT_EQ(history.voters_at(Offset(4)), configured);
    history.truncate_to(Offset(9));
    EXPECT_EQ(history.voters(), first);
    history.truncate_to(Offset(4));
    EXPECT_EQ(history.voters(), configured);
    EXPECT_EQ(history.kraft_version(), 0);
}

TEST(VoterHistory, the_past_is_forgotten_up_to_what_is_in_force) {
    VoterHistory history;
    history.put_voters(Offset(-1), VoterSet({voter(1, 1)}));
    history.put_voters(Offset(3), VoterSet({voter(2, 2)}));
    history.put_voters(Offset(9), VoterSet({voter(3, 3)}));
    history.forget_before(Offset(5));
    EXPECT_EQ(history.voters_at(Offset(5)), VoterSet({voter(2, 2)}));
    EXPECT_TRUE(history.voters_at(Offset(2)).empty());
}

TEST(LogIndex, epochs_end_where_the_next_begins) {
    LogIndex log(Offset(0), Offset(10), {{LeaderEpoch(1), Offset(0)}, {LeaderEpoch(4), Offset(6)}},
                 {});
    EXPECT_EQ(log.end_of_epoch(LeaderEpoch(1)), (OffsetAndEpoch{Offset(6), LeaderEpoch(1)}));
    EXPECT_EQ(log.end_of_epoch(LeaderEpoch(3)), (OffsetAndEpoch{Offset(6), LeaderEpoch(1)}));
    EXPECT_EQ(log.end_of_epoch(LeaderEpoch(9)), (OffsetAndEpoch{Offset(10), LeaderEpoch(4)}));
    log.truncate_to(Offset(6));
    EXPECT_EQ(log.last_epoch(), LeaderEpoch(1));
}

TEST(LogIndex, start_moves_into_an_epoch) {
    LogIndex log(Offset(0), Offset(10), {{LeaderEpoch(1), Offset(0)}, {LeaderEpoch(4), Offset(6)}},
                 {{Offset(3), LeaderEpoch(1)}, {Offset(8), LeaderEpoch(4)}});
    log.start_at(Offset(8));
    EXPECT_EQ(log.earliest_snapshot(), (SnapshotId{Offset(8), LeaderEpoch(4)}));
    EXPECT_EQ(log.epochs().begin()->second, Offset(8));
    EXPECT_EQ(log.validate({Offset(7), LeaderEpoch(4)}).position, LogIndex::Position::Snapshot);
    EXPECT_EQ(log.validate({Offset(9), LeaderEpoch(4)}).position, LogIndex::Position::Valid);
    log.reset_to({Offset(20), LeaderEpoch(5)});
    EXPECT_EQ(log.end(), (OffsetAndEpoch{Offset(20), LeaderEpoch(5)}));
}

}  // namespace
}  // namespace moldau::consensus
