#include "cli/tool.h"

#include <gtest/gtest.h>

#include "cli/test_streams.h"

namespace moldau::cli {
namespace {

int run(std::string program, std::vector<std::string> arguments, TestStreams& streams) {
    return run_program(program, arguments, streams.get());
}

TEST(Tool, is_found_by_path_with_and_without_the_script_ending) {
    ASSERT_NE(find_tool("/opt/kafka/bin/kafka-topics.sh"), nullptr);
    EXPECT_EQ(find_tool("/opt/kafka/bin/kafka-topics.sh")->name, "kafka-topics");
    EXPECT_EQ(find_tool("kafka-topics"), find_tool("kafka-topics.sh"));
    EXPECT_EQ(find_tool("kafka-nosuch"), nullptr);
    EXPECT_EQ(find_tool("moldau"), nullptr);
}

TEST(Tool, overview_names_the_first_steps) {
    TestStreams streams;
    EXPECT_EQ(run("./moldau", {}, streams), 0);
    EXPECT_THAT(streams.out(), testing::HasSubstr("kafka-server-start config/server.properties"));
}

TEST(Tool, unknown_name_is_one_line_and_exit_1) {
    TestStreams streams;
    EXPECT_EQ(run("moldau", {"frobnicate"}, streams), 1);
    EXPECT_EQ(streams.err(), "moldau: no tool is named 'frobnicate'; 'moldau' alone lists them\n");
}

TEST(Tool, absent_tool_says_so_in_one_line_and_exits_1) {
    TestStreams streams;
    EXPECT_EQ(run("bin/trogdor.sh", {"agent"}, streams), 1);
    EXPECT_EQ(streams.err(), "trogdor: this tool is not part of Moldau yet\n");
}

TEST(Tool, zookeeper_scripts_say_what_to_type_instead) {
    TestStreams streams;
    EXPECT_EQ(run("bin/zookeeper-server-start.sh", {"config/zookeeper.properties"}, streams), 1);
    EXPECT_THAT(streams.err(), testing::HasSubstr("kafka-storage.sh format --standalone"));
}

TEST(Tool, zookeeper_option_is_answered_with_the_line_to_type) {
    TestStreams streams;
    EXPECT_EQ(run("kafka-topics.sh", {"--zookeeper", "localhost:2181", "--list"}, streams), 1);
    EXPECT_THAT(streams.err(),
                testing::HasSubstr("kafka-topics.sh --bootstrap-server localhost:9092 --list\n"));
}

}  // namespace
}  // namespace moldau::cli
