#include "broker/socket_server.h"

#include <future>

#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.network.SocketServer");

// Runs `work` on the loop and waits for it; at once when the loop is this thread or is not running.
void on_loop(runtime::LoopThread& loop, const std::function<void()>& work) {
    if (!loop.running() || loop.in_loop()) {
        return work();
    }
    std::promise<void> done;
    loop.post([&] {
        work();
        done.set_value();
    });
    done.get_future().wait();
}

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

SocketServer::SocketServer(ConnectionLimits limits, Duration idle_max)
    : idle_max_(idle_max), broker_quotas_(limits), controller_quotas_(std::move(limits)) {}

SocketServer::~SocketServer() {
    stop_accepting();
    close_connections();
}

std::shared_ptr<runtime::ReceiveMemory> SocketServer::request_memory(
    bool is_controller, const config::ServerConfig& config) {
    auto& memory = request_memory_[is_controller ? 1 : 0];
    int64_t bytes_max = config.get_long("queued.max.request.bytes");
    if (memory == nullptr && bytes_max > 0) {
        memory = runtime::ReceiveMemory::of(bytes_max);
    }
    return memory;
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
        .unsent = &unsent_,
        .request_memory = request_memory(is_controller, config),
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
    {
        MutexLock lock(mutex_);
        quotas_of(*listener->info).add_listener(listener->info->name);
    }
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
    {
        MutexLock lock(mutex_);
        accepting_ended_ = true;
        waiting_.clear();
    }
    for (auto& listener : listeners_) {
        listener->tcp->close();
        on_loop(*listener->loops.front(), [&listener] {
            listener->timer.cancel();
            listener->waiting.reset();
        });
    }
}

void SocketServer::set_limits(const ConnectionLimits& limits) {
    {
        MutexLock lock(mutex_);
        broker_quotas_.set_limits(limits);
        controller_quotas_.set_limits(limits);
    }
    wake_waiting();
}

void SocketServer::accept(Listener& listener, runtime::Socket socket) {
    MonotonicTime now = listener.loops.front()->now();
    Duration wait{};
    {
        MutexLock lock(mutex_);
        wait = quotas_of(*listener.info).note_arrival(listener.info->name, now);
    }
    listener.waiting = std::move(socket);
    listener.waits_until = now + wait;
    try_admit(listener);
    if (!listener.waiting) {
        return;
    }
    // One that waits stops the listener: the system's queue holds the others.
    listener.tcp->pause();
    if (wait > Duration::zero()) {
        listener.timer = listener.loops.front()->schedule_after(
            wait, [this, &listener] { try_admit(listener); });
    }
}

void SocketServer::try_admit(Listener& listener) {
    if (!listener.waiting || listener.loops.front()->now() < listener.waits_until) {
        return;
    }
    const std::string host = listener.waiting->peer_host();
    bool admitted = false;
    bool exceeded = false;
    {
        MutexLock lock(mutex_);
        ConnectionQuotas& quotas = quotas_of(*listener.info);
        if (accepting_ended_) {
            return;
        }
        if (!quotas.has_room(listener.info->name)) {
            waiting_.insert(&listener);
            return;
        }
        waiting_.erase(&listener);
        admitted = quotas.take(listener.info->name, host);
        exceeded = std::cmp_greater(quotas.count(), quotas.limits().connections_max);
        if (!admitted) {
            MOLDAU_LOG_INFO(log,
                            "Rejected connection from /{}, address already has the configured "
                            "maximum of {} connections.",
                            host, quotas.max_of(host));
        }
    }
    runtime::Socket socket = std::move(*listener.waiting);
    listener.waiting.reset();
    listener.tcp->resume();
    if (admitted) {
        hand_over(listener, std::move(socket));
    }
    if (exceeded) {
        shed(0);
    }
}

void SocketServer::hand_over(Listener& listener, runtime::Socket socket) {
    runtime::LoopThread* loop = listener.loops[next_loop_++ % listener.loops.size()];
    LoopConnections& connections = connections_of(*loop);
    loop->dispatch(
        [this, &connections, loop, info = listener.info, socket = std::move(socket)]() mutable {
            if (connections.closing) {
                return release(*info, socket.peer_host());
            }
            auto connection = std::make_shared<Connection>(
                *loop, std::move(info), socket, [this, &connections](Connection& closed) {
                    release(closed.listener(), closed.client_host());
                    connections.all.erase(&closed);
                });
            connections.all.emplace(connection.get(), connection);
            if (!connections.timer.armed()) {
                connections.arm(idle_max_);
            }
            connection->start(std::move(socket));
        });
}

void SocketServer::shed(size_t loop_index) {
    if (loop_index >= by_loop_.size()) {
        return;
    }
    auto& [loop, connections] = *std::next(by_loop_.begin(), static_cast<ptrdiff_t>(loop_index));
    loop->dispatch([this, loop_index, connections = connections.get()] {
        std::shared_ptr<Connection> oldest;
        {
            MutexLock lock(mutex_);
            for (const auto& [key, connection] : connections->all) {
                bool may_go =
                    quotas_of(connection->listener()).must_shed(connection->listener().name);
                if (may_go &&
                    (oldest == nullptr || connection->last_active() < oldest->last_active())) {
                    oldest = connection;
                }
            }
        }
        if (oldest != nullptr) {
            oldest->close();
        } else {
            shed(loop_index + 1);
        }
    });
}

void SocketServer::release(const ListenerInfo& listener, const std::string& host) {
    {
        MutexLock lock(mutex_);
        quotas_of(listener).release(listener.name, host);
        if (waiting_.empty()) {
            return;
        }
    }
    wake_waiting();
}

void SocketServer::wake_waiting() {
    MutexLock lock(mutex_);
    // Those for which there is still no room put themselves back.
    for (Listener* listener : std::exchange(waiting_, {})) {
        listener->loops.front()->post([this, listener] { try_admit(*listener); });
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
        on_loop(*loop, close_all);
    }
}

size_t SocketServer::connection_count() const {
    MutexLock lock(mutex_);
    return broker_quotas_.count() + controller_quotas_.count();
}

}  // namespace moldau::broker
