#include "cli/running_servers.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace moldau::cli {
namespace {

namespace fs = std::filesystem;

TEST(RunningServers, a_start_command_is_known_by_name_and_by_first_argument) {
    auto server = server_of_command_line({"/opt/moldau", "kafka-server-start.sh", "-daemon",
                                          "config/server.properties", "--override", "node.id=7"},
                                         "/srv");
    ASSERT_TRUE(server.has_value());
    EXPECT_EQ(server->properties_file, "/srv/config/server.properties");
    EXPECT_EQ(server->property("node.id"), "7");
    EXPECT_TRUE(server_of_command_line({"bin/kafka-server-start", "/a.properties"}, "/srv"));
    EXPECT_FALSE(server_of_command_line({"moldau", "kafka-topics", "--list"}, "/srv"));
    EXPECT_FALSE(server_of_command_line({"vi", "kafka-server-start.sh"}, "/srv"));
    EXPECT_FALSE(server_of_command_line({}, "/srv"));
}

TEST(RunningServers, proc_is_searched_for_the_program_and_not_its_wrapper) {
    fs::path root = fs::temp_directory_path() / ("moldau-proc-" + std::to_string(getpid()));
    auto add = [&](std::string pid, std::string program) {
        fs::create_directories(root / pid);
        fs::create_symlink(root, root / pid / "cwd");
        std::ofstream(root / pid / "cmdline", std::ios::binary)
            << program << '\0' << "kafka-server-start" << '\0' << "s.properties" << '\0';
    };
    add("11", "/usr/bin/moldau");
    add("12", "/bin/sh");
    fs::create_directories(root / "self");
    std::ofstream(root / "s.properties") << "node.id=3\nprocess.roles=broker,controller\n";
    auto servers = running_servers(root);
    ASSERT_EQ(servers.size(), 1u);
    EXPECT_EQ(servers[0].pid, 11);
    EXPECT_EQ(servers[0].property("node.id"), "3");
    EXPECT_EQ(servers[0].property("nosuch"), std::nullopt);
    fs::remove_all(root);
}

}  // namespace
}  // namespace moldau::cli
