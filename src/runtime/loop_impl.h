// The reactor of a LoopThread. Included by the .cc files of runtime/ only: Asio stays in here.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "runtime/event_loop.h"
#include "runtime/frame_reader.h"

namespace moldau::runtime {

struct LoopThread::Impl {
    // One thread runs the context, but posts come from all: BOOST_ASIO_CONCURRENCY_HINT_1 keeps the
    // locks that posting needs and drops the rest.
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        context.get_executor()};
    boost::asio::steady_timer wake_timer{context};
    MonotonicTime wake_timer_at = MonotonicTime::max();
    // What was posted and did not run yet: one wake of the reactor serves all of it.
    Mutex posted_mutex;
    std::vector<Task> posted GUARDED_BY(posted_mutex);
    std::thread thread;
    std::atomic<std::thread::id> thread_id{};
    std::atomic<bool> running{false};
    // Shared by all streams of the loop: what is read is cut into frames before the next read.
    ReceiveBlock receive_block;
};

}  // namespace moldau::runtime
