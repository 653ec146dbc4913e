// SocketServer: the listeners of a node and the connections they accept. Binds first, accepts when
// told; hands each connection to a data loop in turn; enforces connections.max.idle.ms,
// max.connections and max.connections.per.ip.
// Used by the node's main thread; the loops must be running and outlive it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "broker/connection.h"
#include "config/server_config.h"
#include "runtime/tcp.h"

namespace moldau::broker {

class SocketServer {
 public:
    struct Limits {
        Duration idle_max = std::chrono::minutes(10);
        int32_t connections_max = INT32_MAX;
        int32_t connections_max_per_ip = INT32_MAX;
        std::map<std::string, int32_t> connections_max_by_ip;
    };
    static Limits limits_of(const config::ServerConfig& config);

    explicit SocketServer(Limits limits);
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
    // Closes every connection and waits for it. Requests under way are not answered any more.
    void close_connections();

    size_t connection_count() const;

 private:
    struct Listener {
        std::shared_ptr<const ListenerInfo> info;
        std::unique_ptr<runtime::TcpListener> tcp;
        std::vector<runtime::LoopThread*> loops;
        bool started = false;
    };
    struct LoopConnections;

    void accept(const Listener& listener, runtime::Socket socket);
    bool admit(const std::string& host, const std::string& listener);
    void release(const std::string& host);
    LoopConnections& connections_of(runtime::LoopThread& loop);

    const Limits limits_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    // Made by bind(), so that the loops find theirs without a lock.
    std::map<runtime::LoopThread*, std::unique_ptr<LoopConnections>> by_loop_;
    std::atomic<size_t> next_loop_ = 0;

    mutable Mutex mutex_;
    size_t count_ GUARDED_BY(mutex_) = 0;
    std::map<std::string, int32_t> count_by_ip_ GUARDED_BY(mutex_);
};

}  // namespace moldau::broker
