#include "broker/socket_server.h"

#include <future>

#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.network.SocketServer");

}  // namespace

// The connections of one loop; touched on that loop only.
struct SocketServer::LoopConnections {
    explicit LoopConnections(runtime::LoopThread& owner) : loop(owner) {}

    // Closes what was idle for `idle_max` and looks again when the next could be.
    void sweep(Duration idle_max) {
        MonotonicTime now = loop.now();
        std::vector<std::shared_ptr<Connection>> idle;
        for (const auto& [key, connection] : all) {
            if (now - connection->last_active() >= idle_max && !connection->has_unanswered()) {
                idle.push_back(connection);
            }
        }
        for (const auto& connection : idle) {
            connection->close();
        }
        arm(idle_max);
    }
    void arm(Duration idle_max) {
        if (!all.empty() && idle_max > Duration::zero()) {
            timer = loop.schedule_after(std::max<Duration>(idle_max / 4, milliseconds(100)),
                                        [this, idle_max] { sweep(idle_max); });
        }
    }

    runtime::LoopThread& loop;
    std::unordered_map<Connection*, std::shared_ptr<Connection>> all;
    runtime::Timer timer;
    bool closing = false;
};

SocketServer::Limits SocketServer::limits_of(const config::ServerConfig& config) {
    Limits limits;
    limits.idle_max = milliseconds(config.connections_max_idle_ms());
    limits.connections_max = config.max_connections();
    limits.connections_max_per_ip = config.max_connections_per_ip();
    limits.connections_max_by_ip = config.max_connections_per_ip_overrides();
    return limits;
}

SocketServer::SocketServer(Limits limits) : limits_(std::move(limits)) {}

SocketServer::~SocketServer() {
    stop_accepting();
    close_connections();
}

Result<uint16_t> SocketServer::bind(const config::Endpoint& endpoint, bool is_controller,
                                    const config::ServerConfig& config, RequestSink& sink,
                                    std::vector<runtime::LoopThread*> loops) {
    if (endpoint.protocol != config::SecurityProtocol::Plaintext) {
        return fail(ErrorCode::InvalidConfig,
                    "listener {}://{}:{} needs security protocol {}, which this build does not "
                    "speak yet: map it to PLAINTEXT in listener.security.protocol.map",
                    endpoint.listener_name, endpoint.host, endpoint.port,
                    config::security_protocol_name(endpoint.protocol));
    }
    auto listener = std::make_unique<Listener>();
    listener->info = std::make_shared<ListenerInfo>(ListenerInfo{
        .name = endpoint.listener_name,
        .security_protocol = static_cast<int16_t>(endpoint.protocol),
        .is_controller = is_controller,
        .request_bytes_max = config.socket_request_max_bytes(),
        .sink = &sink,
    });
    listener->loops = std::move(loops);
    MOLDAU_TRY(listener->tcp,
               runtime::TcpListener::open(*listener->loops.front(),
                                          {.host = endpoint.host,
                                           .port = static_cast<uint16_t>(endpoint.port),
                                           .backlog = config.socket_listen_backlog(),
                                           .send_buffer_bytes = -1,
                                           .receive_buffer_bytes = -1}));
    for (runtime::LoopThread* loop : listener->loops) {
        auto& connections = by_loop_[loop];
        if (connections == nullptr) {
            connections = std::make_unique<LoopConnections>(*loop);
        }
    }
    uint16_t port = listener->tcp->port();
    listeners_.push_back(std::move(listener));
    return port;
}

void SocketServer::start_accepting(bool controller_listeners) {
    for (auto& listener : listeners_) {
        if (listener->info->is_controller == controller_listeners && !listener->started) {
            listener->started = true;
            listener->tcp->start([this, target = listener.get()](runtime::Socket socket) {
                accept(*target, std::move(socket));
            });
        }
    }
}

void SocketServer::stop_accepting() {
    for (auto& listener : listeners_) {
        listener->tcp->close();
    }
}

void SocketServer::accept(const Listener& listener, runtime::Socket socket) {
    if (!admit(socket.peer_host(), listener.info->name)) {
        return;
    }
    runtime::LoopThread* loop = listener.loops[next_loop_++ % listener.loops.size()];
    LoopConnections& connections = connections_of(*loop);
    loop->dispatch(
        [this, &connections, loop, info = listener.info, socket = std::move(socket)]() mutable {
            if (connections.closing) {
                return release(socket.peer_host());
            }
            auto connection = std::make_shared<Connection>(
                *loop, std::move(info), socket, [this, &connections](Connection& closed) {
                    release(closed.client_host());
                    connections.all.erase(&closed);
                });
            connections.all.emplace(connection.get(), connection);
            if (!connections.timer.armed()) {
                connections.arm(limits_.idle_max);
            }
            connection->start(std::move(socket));
        });
}

bool SocketServer::admit(const std::string& host, const std::string& listener) {
    MutexLock lock(mutex_);
    auto limit = limits_.connections_max_by_ip.find(host);
    int32_t per_ip = limit == limits_.connections_max_by_ip.end() ? limits_.connections_max_per_ip
                                                                  : limit->second;
    int32_t& here = count_by_ip_[host];
    if (here >= per_ip) {
        MOLDAU_LOG_INFO(log,
                        "Rejected connection from /{}, address already has the configured "
                        "maximum of {} connections.",
                        host, per_ip);
        return false;
    }
    if (count_ >= static_cast<size_t>(limits_.connections_max)) {
        MOLDAU_LOG_WARN(log, "Rejected connection from /{} on listener {}: max.connections={}",
                        host, listener, limits_.connections_max);
        return false;
    }
    ++here;
    ++count_;
    return true;
}

void SocketServer::release(const std::string& host) {
    MutexLock lock(mutex_);
    --count_;
    auto here = count_by_ip_.find(host);
    if (--here->second == 0) {
        count_by_ip_.erase(here);
    }
}

SocketServer::LoopConnections& SocketServer::connections_of(runtime::LoopThread& loop) {
    return *by_loop_.at(&loop);
}

void SocketServer::close_connections() {
    for (auto& [loop, connections] : by_loop_) {
        auto close_all = [&connections] {
            connections->closing = true;
            connections->timer.cancel();
            auto all = std::move(connections->all);
            connections->all.clear();
            for (auto& [key, connection] : all) {
                connection->close();
            }
        };
        if (!loop->running() || loop->in_loop()) {
            close_all();
            continue;
        }
        std::promise<void> done;
        loop->post([&] {
            close_all();
            done.set_value();
        });
        done.get_future().wait();
    }
}

size_t SocketServer::connection_count() const {
    MutexLock lock(mutex_);
    return count_;
}

}  // namespace moldau::broker
