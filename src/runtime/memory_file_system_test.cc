#include "runtime/memory_file_system.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

namespace moldau::runtime {
namespace {

std::span<const uint8_t> bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class MemoryFileSystemTest : public ::testing::Test {
 protected:
    std::unique_ptr<File> open(const std::string& path, OpenMode mode = OpenMode::Create) {
        auto file = files_.open(path, mode);
        EXPECT_TRUE(file) << file.error().message;
        return std::move(*file);
    }
    std::string text(const std::string& path) {
        auto content = files_.read_file(path);
        return content ? content->str() : "<missing>";
    }

    MemoryFileSystem files_;
};

TEST_F(MemoryFileSystemTest, files_and_directories_behave_as_expected) {
    EXPECT_TRUE(is_missing(files_.open("/a/b", OpenMode::Create).error()));
    ASSERT_TRUE(files_.create_directories("/a/c"));
    auto file = open("/a/b");
    ASSERT_TRUE(file->write(bytes("hello"), 2));
    EXPECT_EQ(text("/a/b"), std::string("\0\0hello", 7));
    EXPECT_EQ(files_.open("/a/b", OpenMode::CreateNew).error().code, ErrorCode::DuplicateResource);
    ASSERT_TRUE(files_.rename("/a/b", "/a/d"));
    EXPECT_EQ(text("/a/b"), "<missing>");
    EXPECT_EQ(*files_.list("/a"), (std::vector<DirectoryEntry>{{"c", true}, {"d", false}}));
    EXPECT_FALSE(files_.remove("/a"));
    ASSERT_TRUE(files_.remove_all("/a"));
    EXPECT_FALSE(files_.exists("/a"));
}

TEST_F(MemoryFileSystemTest, a_crash_keeps_only_what_was_synced_if_it_loses_all) {
    ASSERT_TRUE(files_.create_directories("/a"));
    ASSERT_TRUE(files_.sync_directory("/"));
    auto file = open("/a/kept");
    ASSERT_TRUE(file->write(bytes("one"), 0));
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(files_.sync_directory("/a"));
    ASSERT_TRUE(file->write(bytes("two"), 3));
    open("/a/lost");
    files_.crash_losing_all();
    EXPECT_EQ(text("/a/kept"), "one");
    EXPECT_EQ(text("/a/lost"), "<missing>");
    EXPECT_FALSE(file->write(bytes("x"), 0));
}

TEST_F(MemoryFileSystemTest, a_replaced_file_is_old_or_new_after_any_crash) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        MemoryFileSystem files;
        ASSERT_TRUE(files.replace_file("/f", std::string_view("old")));
        uint64_t before = files.operations();
        std::mt19937_64 random(seed);
        files.fail_at(before + 1 + random() % 6, MemoryFileSystem::Fault::Crash);
        bool done = files.replace_file("/f", std::string_view("new")).has_value();
        files.crash([&] { return random(); });
        std::string content = files.read_file("/f")->str();
        EXPECT_TRUE(content == "new" || (!done && content == "old")) << seed << content;
    }
}

TEST_F(MemoryFileSystemTest, faults_meet_the_operation_they_were_set_for) {
    auto file = open("/f");
    uint64_t now = files_.operations();
    files_.fail_at(now + 1, MemoryFileSystem::Fault::IoError);
    files_.fail_at(now + 2, MemoryFileSystem::Fault::DiskFull);
    EXPECT_EQ(file->write(bytes("abcd"), 0).error().code, ErrorCode::KafkaStorageError);
    EXPECT_EQ(text("/f"), "");
    EXPECT_TRUE(is_disk_full(file->write(bytes("abcd"), 0).error()));
    EXPECT_EQ(text("/f"), "ab");
    EXPECT_TRUE(file->write(bytes("abcd"), 0));
    files_.fail_syncs(true);
    EXPECT_FALSE(file->sync());
}

TEST_F(MemoryFileSystemTest, a_crash_tears_and_reorders_what_was_not_synced) {
    // One page written twice and another once: every mixture of them is seen, nothing else.
    std::set<std::string> seen;
    for (unsigned seed = 1; seed <= 400; ++seed) {
        MemoryFileSystem files;
        auto file = std::move(*files.open("/f", OpenMode::Create));
        ASSERT_TRUE(file->write(bytes(std::string(8192, 'a')), 0));
        ASSERT_TRUE(file->sync());
        ASSERT_TRUE(files.sync_directory("/"));
        ASSERT_TRUE(file->write(bytes(std::string(1024, 'b')), 0));
        ASSERT_TRUE(file->write(bytes(std::string(512, 'c')), 0));
        ASSERT_TRUE(file->write(bytes("d"), 4096));
        std::mt19937_64 random(seed);
        files.crash([&] { return random(); });
        Bytes content = *files.read_file("/f");
        ASSERT_EQ(content.size(), 8192u);
        seen.insert({static_cast<char>(content[0]), static_cast<char>(content[512]),
                     static_cast<char>(content[4096])});
    }
    for (auto state : {"aaa", "bba", "cba", "aad", "bbd", "cbd", "baa", "aba"}) {
        EXPECT_TRUE(seen.contains(state)) << state;
    }
    EXPECT_FALSE(seen.contains("caa")) << "a later change without the earlier one beside it";
}

TEST_F(MemoryFileSystemTest, a_durable_write_survives_and_one_under_way_may_be_torn) {
    alignas(kDirectAlignment) static uint8_t block[2 * kDirectAlignment];
    std::ranges::fill(block, uint8_t{'x'});
    int torn = 0;
    for (unsigned seed = 1; seed <= 50; ++seed) {
        MemoryFileSystem files;
        auto file = std::move(*files.open_durable("/f", OpenMode::Create));
        ASSERT_TRUE(files.sync_directory("/"));
        ASSERT_TRUE(file->write(std::span(block), 0));
        files.fail_at(files.operations() + 1, MemoryFileSystem::Fault::Crash);
        EXPECT_FALSE(file->write(std::span(block), sizeof(block)));
        std::mt19937_64 random(seed);
        files.crash([&] { return random(); });
        std::string content = files.read_file("/f")->str();
        ASSERT_EQ(content.substr(0, sizeof(block)), std::string(sizeof(block), 'x'));
        size_t more = std::ranges::count(content, 'x') - sizeof(block);
        torn += more > 0 && more < sizeof(block) ? 1 : 0;
    }
    EXPECT_GT(torn, 0);
}

TEST_F(MemoryFileSystemTest, locks_are_exclusive_until_released_or_the_process_dies) {
    auto lock = files_.try_lock("/.lock");
    ASSERT_TRUE(lock && *lock);
    EXPECT_EQ(*files_.try_lock("/.lock"), nullptr);
    lock->reset();
    auto second = files_.try_lock("/.lock");
    EXPECT_NE(*second, nullptr);
    files_.kill_process();
    EXPECT_NE(*files_.try_lock("/.lock"), nullptr);
}

}  // namespace
}  // namespace moldau::runtime
