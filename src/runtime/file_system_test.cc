#include "runtime/file_system.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "runtime/entropy.h"
#include "runtime/memory_file_system.h"

namespace moldau::runtime {
namespace {

std::span<const uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// The contract that both implementations keep.
class FileSystemContract : public testing::TestWithParam<bool> {
 protected:
    void SetUp() override {
        if (GetParam()) {
            char name[] = "/tmp/moldau-files-XXXXXX";
            root = mkdtemp(name);
            files = &real_file_system();
        } else {
            root = "/root";
            ASSERT_TRUE(memory.create_directories(root));
            files = &memory;
        }
    }
    void TearDown() override { EXPECT_TRUE(files->remove_all(root)); }

    MemoryFileSystem memory;
    FileSystem* files = nullptr;
    std::string root;
};
INSTANTIATE_TEST_SUITE_P(Both, FileSystemContract, testing::Bool(),
                         [](const auto& info) { return info.param ? "real" : "memory"; });

TEST_P(FileSystemContract, a_durable_file_is_written_in_aligned_blocks_and_read_by_anyone) {
    auto file = files->open_durable(root + "/a", OpenMode::CreateNew);
    ASSERT_TRUE(file) << file.error().message;
    alignas(kDirectAlignment) static uint8_t block[kDirectAlignment];
    std::ranges::fill(block, uint8_t{'x'});
    ASSERT_TRUE((*file)->write(std::span(block), 0));
    ASSERT_TRUE((*file)->write(std::span(block), kDirectAlignment));
    auto content = files->read_file(root + "/a");
    ASSERT_TRUE(content);
    EXPECT_EQ(content->view(), std::string(2 * kDirectAlignment, 'x'));
    EXPECT_EQ(files->open_durable(root + "/a", OpenMode::CreateNew).error().code,
              ErrorCode::DuplicateResource);
    EXPECT_TRUE(files->sync_all(root));
}

TEST_P(FileSystemContract, writes_grow_a_file_and_reads_stop_at_its_end) {
    auto file = files->open(root + "/a", OpenMode::CreateNew);
    ASSERT_TRUE(file);
    std::vector<Bytes> pieces{Bytes::copy_of("hel"), Bytes(), Bytes::copy_of("lo")};
    ASSERT_TRUE((*file)->write(pieces, 2));
    EXPECT_EQ(*(*file)->size(), 7u);
    std::array<uint8_t, 10> target;
    ASSERT_EQ(*(*file)->read(target, 2), 5u);
    EXPECT_EQ(std::string(target.begin(), target.begin() + 5), "hello");
    EXPECT_EQ(*(*file)->read(target, 7), 0u);
    ASSERT_TRUE((*file)->truncate(3));
    EXPECT_EQ(files->read_file(root + "/a")->size(), 3u);
}

TEST_P(FileSystemContract, missing_and_existing_files_have_their_own_errors) {
    EXPECT_TRUE(is_missing(files->open(root + "/no", OpenMode::Read).error()));
    EXPECT_TRUE(is_missing(files->remove(root + "/no").error()));
    ASSERT_TRUE(files->replace_file(root + "/a", "x"));
    EXPECT_EQ(files->open(root + "/a", OpenMode::CreateNew).error().code,
              ErrorCode::DuplicateResource);
}

TEST_P(FileSystemContract, lists_by_name_and_removes_trees) {
    ASSERT_TRUE(files->create_directories(root + "/d/e"));
    ASSERT_TRUE(files->replace_file(root + "/d/b", "1"));
    ASSERT_TRUE(files->replace_file(root + "/d/a", "2"));
    EXPECT_EQ(*files->list(root + "/d"),
              (std::vector<DirectoryEntry>{{"a", false}, {"b", false}, {"e", true}}));
    EXPECT_FALSE(files->remove(root + "/d"));
    ASSERT_TRUE(files->remove_all(root + "/d"));
    EXPECT_FALSE(files->exists(root + "/d"));
    EXPECT_TRUE(files->remove_all(root + "/d"));
}

TEST_P(FileSystemContract, a_lock_is_held_once) {
    auto first = files->try_lock(root + "/.lock");
    ASSERT_TRUE(first && *first != nullptr);
    EXPECT_EQ(*files->try_lock(root + "/.lock"), nullptr);
    first->reset();
    EXPECT_NE(*files->try_lock(root + "/.lock"), nullptr);
}

TEST_P(FileSystemContract, times_can_be_set) {
    ASSERT_TRUE(files->replace_file(root + "/a", "x"));
    ASSERT_TRUE(files->set_modified_ms(root + "/a", 1'500'000'000'123));
    EXPECT_EQ(files->stat(root + "/a")->modified_ms, 1'500'000'000'123);
}

TEST(MemoryFileSystem, a_crash_loses_what_was_not_synced) {
    MemoryFileSystem files;
    ASSERT_TRUE(files.create_directories("/d"));
    ASSERT_TRUE(files.sync_directory("/"));
    auto file = files.open("/d/a", OpenMode::Create);
    ASSERT_TRUE((*file)->write(bytes_of("kept"), 0));
    ASSERT_TRUE((*file)->sync());
    ASSERT_TRUE(files.sync_directory("/d"));
    ASSERT_TRUE((*file)->write(bytes_of("lost"), 4));
    ASSERT_TRUE(files.open("/d/b", OpenMode::Create));
    files.crash_losing_all();
    EXPECT_EQ(files.read_file("/d/a")->str(), "kept");
    EXPECT_FALSE(files.exists("/d/b"));
    EXPECT_FALSE((*file)->write(bytes_of("x"), 0));
}

TEST(MemoryFileSystem, replace_file_survives_a_crash_at_every_operation) {
    for (uint64_t at = 1; at < 20; ++at) {
        for (uint64_t seed = 0; seed < 20; ++seed) {
            MemoryFileSystem files;
            ASSERT_TRUE(files.create_directories("/d"));
            ASSERT_TRUE(files.sync_directory("/"));
            ASSERT_TRUE(files.replace_file("/d/a", "old"));
            files.fail_at(files.operations() + at, MemoryFileSystem::Fault::Crash);
            Status replaced = files.replace_file("/d/a", "new");
            SeededEntropy random(seed);
            files.crash([&] { return random.draw(); });
            std::string content = files.read_file("/d/a")->str();
            EXPECT_TRUE(content == "new" || (content == "old" && !replaced))
                << "operation=" << at << " seed=" << seed << " content=" << content;
        }
    }
}

TEST(MemoryFileSystem, a_full_disk_takes_part_of_a_write_and_says_so) {
    MemoryFileSystem files;
    auto file = files.open("/a", OpenMode::Create);
    files.fail_at(files.operations() + 1, MemoryFileSystem::Fault::DiskFull);
    Status written = (*file)->write(bytes_of("12345678"), 0);
    ASSERT_FALSE(written);
    EXPECT_TRUE(is_disk_full(written.error()));
    EXPECT_EQ(*(*file)->size(), 4u);
    EXPECT_TRUE((*file)->write(bytes_of("12345678"), 0));
}

TEST(MemoryFileSystem, a_killed_process_loses_locks_and_nothing_else) {
    MemoryFileSystem files;
    auto lock = files.try_lock("/.lock");
    ASSERT_TRUE(files.replace_file("/a", "x"));
    files.kill_process();
    EXPECT_NE(*files.try_lock("/.lock"), nullptr);
    EXPECT_EQ(files.read_file("/a")->str(), "x");
}

}  // namespace
}  // namespace moldau::runtime
