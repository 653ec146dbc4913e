#include "cli/consumer_group_tables.h"

#include <gtest/gtest.h>

namespace moldau::cli {
namespace {

client::GroupDescription group() {
    client::GroupDescription group;
    group.id = "cg-classic";
    group.state = "Stable";
    group.assignor = "range";
    group.coordinator.id = 1;
    group.coordinator.endpoint = {"localhost", 9092};
    client::MemberDescription member;
    member.member_id = "cc-1";
    member.host = "/127.0.0.1";
    member.client_id = "cc";
    member.assignment = {{"events", 0}, {"events", 1}};
    group.members.push_back(member);
    return group;
}

TEST(ConsumerGroupTables, offsets_show_members_then_partitions_without_one) {
    auto rows = offset_rows(group(), {{{"events", 0}, {5, 0, ""}}, {{"orders", 0}, {2, -1, ""}}},
                            {{{"events", 0}, 7}, {{"events", 1}, 4}, {{"orders", 0}, 2}});
    EXPECT_EQ(
        offsets_table(rows, false),
        "\nGROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG      "
        "       CONSUMER-ID     HOST            CLIENT-ID"
        "\ncg-classic      events          0          5               7               2        "
        "       cc-1            /127.0.0.1      cc"
        "\ncg-classic      events          1          -               4               -        "
        "       cc-1            /127.0.0.1      cc"
        "\ncg-classic      orders          0          2               2               0        "
        "       -               -               -\n");
    EXPECT_THAT(offsets_table(rows, true),
                testing::HasSubstr("PARTITION  LEADER-EPOCH    CURRENT"));
}

TEST(ConsumerGroupTables, members_end_every_column_with_a_blank) {
    EXPECT_EQ(
        members_table(group(), false, true),
        "\nGROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS     "
        "\ncg-classic      cc-1            /127.0.0.1      cc              2               \n");
    EXPECT_THAT(
        members_table(group(), true, true),
        testing::HasSubstr("-               events:0,1           -               -         "));
}

TEST(ConsumerGroupTables, state_names_the_coordinator) {
    EXPECT_EQ(state_table(group(), false),
              "\nGROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE             "
              "   #MEMBERS"
              "\ncg-classic      localhost:9092  (1)       range                Stable            "
              "   1\n");
}

TEST(ConsumerGroupTables, new_offsets_by_group) {
    EXPECT_EQ(new_offsets_table({{"g", {{{"events", 0}, 3}}}}),
              "\nGROUP           TOPIC           PARTITION  NEW-OFFSET"
              "\ng               events          0          3\n");
    EXPECT_EQ(new_offsets_table({}), "\n");
}

}  // namespace
}  // namespace moldau::cli
