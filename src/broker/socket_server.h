// SocketServer: the listeners of a node and the connections they accept. Binds first, accepts when
// told; hands each connection to a data loop in turn; enforces connections.max.idle.ms and what
// ConnectionQuotas says. Broker and controller listeners have separate quotas, as the two servers
// of one Kafka process have.
// Used by the node's main thread; the loops must be running and outlive it.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "broker/connection.h"
#include "broker/connection_quotas.h"
#include "config/server_config.h"
#include "runtime/memory.h"
#include "runtime/tcp.h"

namespace moldau::broker {

class SocketServer {
 public:
    explicit SocketServer(ConnectionLimits limits, Duration idle_max = std::chrono::minutes(10));
    // Closes everything.
    ~SocketServer();

    // Binds one listener; `sink` gets its requests, on one of `loops`. Nothing is accepted yet.
    // Returns the port. Errors: InvalidConfig: the address is taken or not ours, or the listener
    // wants a security protocol that this build cannot speak.
    Result<uint16_t> bind(const config::Endpoint& endpoint, bool is_controller,
                          const config::ServerConfig& config, RequestSink& sink,
                          std::vector<runtime::LoopThread*> loops);
    // Accepts on the bound listeners of that kind.
    void start_accepting(bool controller_listeners);
    // Accepts no more; connections stay.
    void stop_accepting();
    // New limits for connections to come; those that are there stay. From any thread.
    void set_limits(const ConnectionLimits& limits);
    // Closes every connection and waits for it. Requests under way are not answered any more.
    void close_connections();

    size_t connection_count() const;
    // Answers that clients have not read yet.
    int64_t unsent_bytes() const { return unsent_.bytes; }

 private:
    struct Listener {
        std::shared_ptr<const ListenerInfo> info;
        std::unique_ptr<runtime::TcpListener> tcp;
        std::vector<runtime::LoopThread*> loops;
        bool started = false;
        // On loops.front(), which accepts: the connection for which there is no room yet.
        std::optional<runtime::Socket> waiting;
        MonotonicTime waits_until;
        runtime::Timer timer;
    };
    struct LoopConnections;

    std::shared_ptr<runtime::ReceiveMemory> request_memory(bool is_controller,
                                                           const config::ServerConfig& config);
    void accept(Listener& listener, runtime::Socket socket);
    void try_admit(Listener& listener);
    void hand_over(Listener& listener, runtime::Socket socket);
    // Closes the connection used least recently on the loop, of a listener that must shed, or asks
    // the next loop to.
    void shed(size_t loop_index);
    void release(const ListenerInfo& listener, const std::string& host);
    void wake_waiting();
    LoopConnections& connections_of(runtime::LoopThread& loop);
    ConnectionQuotas& quotas_of(const ListenerInfo& listener) REQUIRES(mutex_) {
        return listener.is_controller ? controller_quotas_ : broker_quotas_;
    }

    const Duration idle_max_;
    UnsentAnswers unsent_{UnsentAnswers::bytes_max_of(runtime::memory_limit_bytes())};
    // Of broker and of controller listeners; none: no limit.
    std::array<std::shared_ptr<runtime::ReceiveMemory>, 2> request_memory_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    // Made by bind(), so that the loops find theirs without a lock.
    std::map<runtime::LoopThread*, std::unique_ptr<LoopConnections>> by_loop_;
    std::atomic<size_t> next_loop_ = 0;

    mutable Mutex mutex_;
    ConnectionQuotas broker_quotas_ GUARDED_BY(mutex_);
    ConnectionQuotas controller_quotas_ GUARDED_BY(mutex_);
    // Listeners with a connection that waits; each is asked to look again when one leaves.
    std::set<Listener*> waiting_ GUARDED_BY(mutex_);
    bool accepting_ended_ GUARDED_BY(mutex_) = false;
};

}  // namespace moldau::broker
