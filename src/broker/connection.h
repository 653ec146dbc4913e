// Connection: one client's socket. Cuts frames into requests, hands them to the listener's sink in
// order, and sends the answers back in that order. All requests that one wake brought are handled
// before anything is written, and their answers leave in one write.
//
// Lives on one loop; complete() is the one entry for other threads. Owned by its listener until it
// closes, and by the requests that are unanswered.
//
// Bounds: kInFlightMax requests unanswered, one while the sink is full, and kOutputBytesMax bytes
// of output unsent, any at all while there is too much of it in the node; beyond them the
// connection stops reading until the client has caught up.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "broker/request.h"
#include "runtime/tcp.h"

namespace moldau::broker {

// Answers that clients have not read yet. Who does not read what it asked for keeps it in our
// memory: the more of it there is, the less the next answer may add, and once there is too much, a
// client gets another one only when it has read the last.
struct UnsentAnswers {
    static constexpr int64_t kAnswerBytesMin = 16 * 1024;

    // A part of the memory that the node may use, so that a small one is not filled by this alone.
    static int64_t bytes_max_of(int64_t memory_limit) {
        constexpr int64_t kMiB = 1024 * 1024;
        return std::clamp(memory_limit / 8, 16 * kMiB, 128 * kMiB);
    }

    // How large an answer of records may be now: a quarter of what is left each time, so that any
    // number of such clients together stay near the limit, and healthy ones are still served, in
    // smaller pieces.
    int32_t answer_bytes_max() const {
        return static_cast<int32_t>(std::max(kAnswerBytesMin, (bytes_max - bytes) / 4));
    }
    bool is_full() const { return bytes.load(std::memory_order_relaxed) >= bytes_max; }

    const int64_t bytes_max;
    std::atomic<int64_t> bytes{0};
};

// What all connections of a listener share. Immutable.
struct ListenerInfo {
    std::string name;
    int16_t security_protocol = 0;
    bool is_controller = false;
    int32_t request_bytes_max = 100 * 1024 * 1024;
    RequestSink* sink = nullptr;
    UnsentAnswers* unsent = nullptr;  // of all listeners of the node
    // Of all listeners of its kind: requests on their way in (queued.max.request.bytes); none: no
    // limit.
    std::shared_ptr<runtime::ReceiveMemory> request_memory = nullptr;
};

class Connection final : public runtime::FrameHandler,
                         public std::enable_shared_from_this<Connection> {
 public:
    static constexpr size_t kInFlightMax = 256;
    static constexpr size_t kOutputBytesMax = 4 * 1024 * 1024;

    // `on_close` runs once, on the loop.
    Connection(runtime::LoopThread& loop, std::shared_ptr<const ListenerInfo> listener,
               const runtime::Socket& socket, std::function<void(Connection&)> on_close);
    ~Connection() override;

    // On the loop.
    void start(runtime::Socket socket);
    void close();

    // The answer to request number `sequence`: a whole frame, or nothing for a request that wants
    // none. From any thread.
    void complete(uint64_t sequence, protocol::Chain frame);
    // From any thread.
    void close_from_anywhere();
    void on_abandoned(uint64_t sequence, runtime::Task task);
    // On the loop: between the two, no further request is handled.
    void hold(size_t request_bytes);
    void release();

    runtime::LoopThread& loop() const { return loop_; }
    const ListenerInfo& listener() const { return *listener_; }
    const std::string& principal() const { return principal_; }
    const std::string& client_host() const { return client_host_; }
    void set_client_software(std::string name, std::string version);
    MonotonicTime last_active() const { return last_active_; }
    bool has_unanswered() const { return !slots_.empty(); }
    // From any thread; true for good once it is.
    bool is_closed() const { return closed_.load(std::memory_order_relaxed); }

    void on_frames(std::vector<Bytes>& frames) override;
    void on_drained() override;
    void on_closed(const Error& error) override;

 private:
    // One request in the order of arrival.
    struct Slot {
        protocol::Chain frame;
        bool done = false;
        runtime::Task on_abandoned;
    };

    // A frame that waits for its turn.
    struct Backlog {
        Bytes frame;
        runtime::ReceiveMemory::Share share;
    };

    bool has_room() const;
    runtime::ReceiveMemory::Share share_of(size_t bytes) const;
    void count_held(int64_t bytes);
    bool accept(Bytes frame);
    void work_off_backlog();
    void complete_in_loop(uint64_t sequence, protocol::Chain frame);
    void flush_answers();
    void closed();

    runtime::LoopThread& loop_;
    std::shared_ptr<const ListenerInfo> listener_;
    std::string client_host_;
    uint16_t client_port_;
    std::string principal_ = "User:ANONYMOUS";
    std::string client_software_;
    std::function<void(Connection&)> on_close_;
    std::shared_ptr<runtime::FrameStream> stream_;
    MonotonicTime last_active_{};

    std::deque<Slot> slots_;
    uint64_t first_sequence_ = 0;  // of slots_.front()
    size_t held_bytes_ = 0;        // answers that wait for an earlier one
    std::deque<Backlog> backlog_;  // beyond the bounds
    runtime::ReceiveMemory::Share held_request_;
    std::atomic<bool> closed_{false};
    bool held_ = false;
    bool working_ = false;  // inside on_frames or work_off_backlog
    bool flush_planned_ = false;
};

}  // namespace moldau::broker
