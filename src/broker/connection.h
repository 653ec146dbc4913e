// Connection: one client's socket. Cuts frames into requests, hands them to the listener's sink in
// order, and sends the answers back in that order. All requests that one wake brought are handled
// before anything is written, and their answers leave in one write.
//
// Lives on one loop; complete() is the one entry for other threads. Owned by its listener until it
// closes, and by the requests that are unanswered.
//
// Bounds: kInFlightMax requests unanswered and kOutputBytesMax bytes of output unsent; beyond them
// the connection stops reading until the client has caught up.
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

// What all connections of a listener share. Immutable.
struct ListenerInfo {
    std::string name;
    int16_t security_protocol = 0;
    bool is_controller = false;
    int32_t request_bytes_max = 100 * 1024 * 1024;
    RequestSink* sink = nullptr;
    // Of all listeners of the node: answers that clients have not read yet.
    std::atomic<int64_t>* unsent_bytes = nullptr;
};

// How large an answer of records may be now. Clients that do not read what they asked for keep it
// in our memory: the more of it there is, the less the next answer may add. A quarter of what is
// left each time, so that any number of such clients together stay near the limit, and healthy ones
// are still served, in smaller pieces.
inline constexpr int64_t kUnsentBytesMax = 128 * 1024 * 1024;
inline constexpr int64_t kAnswerBytesMin = 16 * 1024;
inline int32_t answer_bytes_max(int64_t unsent_bytes) {
    return static_cast<int32_t>(std::max(kAnswerBytesMin, (kUnsentBytesMax - unsent_bytes) / 4));
}

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
    void hold() { held_ = true; }
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

    bool has_room() const;
    void hold(int64_t bytes);
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
    std::deque<Bytes> backlog_;    // frames beyond the bounds
    std::atomic<bool> closed_{false};
    bool held_ = false;
    bool working_ = false;  // inside on_frames or work_off_backlog
    bool flush_posted_ = false;
};

}  // namespace moldau::broker
