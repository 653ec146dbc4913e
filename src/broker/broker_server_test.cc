#include "broker/broker_server.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/event_loop.h"
#include "runtime/forwarding_file_system.h"
#include "runtime/memory_file_system.h"
#include "storage/meta_properties.h"

namespace moldau::broker {
namespace {

// Its device takes a while to make a journal file: longer than a start that gives up needs.
class SlowJournalFiles final : public runtime::ForwardingFileSystem {
 public:
    using ForwardingFileSystem::ForwardingFileSystem;

    Result<std::unique_ptr<runtime::File>> open_durable(const std::string& path,
                                                        runtime::OpenMode mode) override {
        ++begun_;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        auto opened = ForwardingFileSystem::open_durable(path, mode);
        ++ended_;
        return opened;
    }
    int begun() const { return begun_; }
    int ended() const { return ended_; }

 private:
    std::atomic<int> begun_ = 0;
    std::atomic<int> ended_ = 0;
};

// The story: SIGTERM came while the logs were loaded. The start gave up, and the logs went while
// the disk pool was making their first journal file: SIGSEGV instead of a clean end.
TEST(BrokerServer, a_start_that_gives_up_waits_for_its_work) {
    runtime::MemoryFileSystem memory;
    config::ServerConfig config = config::ServerConfig::for_tests();
    for (const std::string& dir : config.log_dirs()) {
        ASSERT_TRUE(memory.create_directories(dir));
        ASSERT_TRUE(storage::write_meta_properties(memory, dir,
                                                   {.cluster_id = "stop-at-start-0000000",
                                                    .node_id = BrokerId(config.node_id()),
                                                    .directory_id = Uuid{7, 7}},
                                                   0));
    }
    SlowJournalFiles files(memory);
    runtime::LoopThread control_loop("control");
    std::stop_source stop;
    stop.request_stop();
    auto server = BrokerServer::open({.config = config,
                                      .files = &files,
                                      .clock = &runtime::system_clock(),
                                      .entropy = &runtime::system_entropy(),
                                      .control_loop = &control_loop,
                                      .on_config = {},
                                      .on_fatal = {},
                                      .stop = stop.get_token()});
    ASSERT_FALSE(server.has_value());
    EXPECT_EQ(server.error().code, ErrorCode::BrokerNotAvailable);
    EXPECT_EQ(files.begun(), 1);
    EXPECT_EQ(files.ended(), 1);
}

}  // namespace
}  // namespace moldau::broker
