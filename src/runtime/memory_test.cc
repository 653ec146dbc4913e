#include "runtime/memory.h"

#include <map>

#include <gtest/gtest.h>

namespace moldau::runtime {
namespace {

constexpr int64_t kMachine = int64_t{8} << 30;

int64_t limit_with(const std::map<std::string, std::string>& files) {
    return memory_limit_bytes(kMachine, [&](const std::string& path) -> std::optional<std::string> {
        auto found = files.find(path);
        return found == files.end() ? std::nullopt : std::optional(found->second);
    });
}

TEST(MemoryLimit, is_the_machines_where_no_group_has_one) {
    EXPECT_EQ(limit_with({}), kMachine);
    EXPECT_EQ(
        limit_with({{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/memory.max", "max\n"}}),
        kMachine);
    // What version 1 says when there is none.
    EXPECT_EQ(
        limit_with({{"/proc/self/cgroup", "4:memory:/\n"},
                    {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}}),
        kMachine);
}

TEST(MemoryLimit, is_the_least_of_the_group_and_those_above_it) {
    std::map<std::string, std::string> files = {{"/proc/self/cgroup", "0::/a/b\n"},
                                                {"/sys/fs/cgroup/a/b/memory.max", "300\n"},
                                                {"/sys/fs/cgroup/a/memory.max", "200\n"}};
    EXPECT_EQ(limit_with(files), 200);
    files["/sys/fs/cgroup/a/b/memory.max"] = "100\n";
    EXPECT_EQ(limit_with(files), 100);
}

TEST(MemoryLimit, of_version_1_is_the_memory_controllers) {
    EXPECT_EQ(limit_with({{"/proc/self/cgroup", "8:pids:/c\n4:memory:/c\n0::/\n"},
                          {"/sys/fs/cgroup/memory/c/memory.limit_in_bytes", "268435456\n"}}),
              268435456);
}

TEST(MemoryLimit, of_a_container_that_sees_its_group_as_the_root) {
    EXPECT_EQ(limit_with({{"/proc/self/cgroup", "4:memory:/docker/123\n"},
                          {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n"}}),
              1000);
}

TEST(MemoryLimit, of_this_process_can_be_told) {
    EXPECT_GT(memory_limit_bytes(), 0);
}

}  // namespace
}  // namespace moldau::runtime
