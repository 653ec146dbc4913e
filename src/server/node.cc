#include "server/node.h"

#include <future>
#include <mutex>

#include "broker/broker_server.h"
#include "broker/controller_apis.h"
#include "broker/socket_server.h"
#include "metadata/replay.h"
#include "quorum/bootstrap_metadata.h"
#include "quorum/controller_channel.h"
#include "quorum/controller_host.h"
#include "quorum/metadata_loader.h"
#include "quorum/quorum_driver.h"
#include "quorum/snapshot_generator.h"
#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/event_loop.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "runtime/memory.h"
#include "server/controller_registration.h"
#include "server/metadata_directory.h"
#include "storage/log_manager.h"

namespace moldau::server {
namespace {

runtime::Logger log("kafka.server.KafkaRaftServer");

Duration ms(int64_t count) {
    return milliseconds(count);
}

// Runs `work` on the loop and waits for its result.
template <typename Work>
auto run_on(runtime::LoopThread& loop, Work&& work) {
    using Answer = std::invoke_result_t<Work>;
    std::promise<Answer> promise;
    auto answer = promise.get_future();
    loop.post([&] {
        if constexpr (std::is_void_v<Answer>) {
            work();
            promise.set_value();
        } else {
            promise.set_value(work());
        }
    });
    return answer.get();
}

Status check_roles(const config::ServerConfig& config) {
    if (!config.is_controller()) {
        return fail(
            ErrorCode::InvalidConfig,
            "process.roles=broker needs controllers on other nodes, which this version cannot "
            "reach yet: set process.roles=broker,controller");
    }
    if (!config.is_broker()) {
        return fail(
            ErrorCode::InvalidConfig,
            "process.roles=controller needs brokers on other nodes, which this version cannot "
            "serve yet: set process.roles=broker,controller");
    }
    if (config.quorum_voters().size() > 1) {
        return fail(
            ErrorCode::InvalidConfig,
            "controller.quorum.voters names {} voters; this version runs a quorum of one: name "
            "this node alone",
            config.quorum_voters().size());
    }
    return {};
}

// What the directory was formatted with must be within what this program can do; once it is in the
// log, it is too late to refuse.
Status check_bootstrap(const quorum::BootstrapMetadata& bootstrap) {
    metadata::Image image;
    for (const metadata::VersionedRecord& record : bootstrap.records) {
        MOLDAU_CHECK(metadata::replay(image, record.record));
    }
    return {};
}

// A listener's sink that is named when the port is bound and set before the first connection is
// accepted: the quorum must know its port before the requests' destination can exist.
class LateSink final : public broker::RequestSink {
 public:
    void set(broker::RequestSink& sink) { sink_ = &sink; }
    bool serves(protocol::ApiKey key) const override { return sink_->serves(key); }
    bool is_full() const override { return sink_->is_full(); }
    void handle(broker::Request request) override { sink_->handle(std::move(request)); }

 private:
    broker::RequestSink* sink_ = nullptr;
};

}  // namespace

struct Node::Impl {
    Impl(config::ServerConfig config_in, Environment environment_in)
        : config(std::move(config_in)),
          environment(std::move(environment_in)),
          control_loop("control"),
          sockets(broker::ConnectionLimits::of(config),
                  milliseconds(config.connections_max_idle_ms())) {}
    ~Impl() { stop(); }

    Status start();
    Status find_metadata_directory();
    Status open_quorum();
    Status bind_listeners();
    Status bind(const config::Endpoint& endpoint, bool is_controller);
    std::vector<config::Endpoint> with_real_ports(std::vector<config::Endpoint> advertised) const;
    quorum::QuorumOptions quorum_options() const;
    void fault(const Error& error);
    void settle_start(Status outcome);
    void stop();

    const config::ServerConfig config;
    const Environment environment;
    runtime::LoopThread control_loop;
    MetadataDirectory metadata_directory;
    std::unique_ptr<broker::BrokerServer> broker;
    std::unique_ptr<quorum::QuorumDriver> driver;
    std::unique_ptr<quorum::MetadataLoader> loader;
    std::unique_ptr<quorum::ControllerHost> host;
    std::unique_ptr<quorum::LocalControllerChannel> channel;
    std::unique_ptr<ControllerRegistration> registration;
    std::unique_ptr<quorum::SnapshotGenerator> snapshots;
    std::unique_ptr<broker::ControllerApis> controller_apis;
    LateSink controller_sink;
    broker::SocketServer sockets;  // goes first: its connections use all of the above
    std::map<std::string, uint16_t, std::less<>> ports;
    // Settled once: the broker runs, or something failed that it cannot run without.
    std::once_flag start_settled;
    std::promise<Status> start_outcome;
    bool serving = false;  // the broker was let in: it must leave by controlled shutdown
    bool stopped = false;
};

// The order keeps two promises: the directories are locked before anything is read or bound, and no
// listener accepts before the node can answer.
Status Node::Impl::start() {
    MOLDAU_CHECK(check_roles(config));
    std::stop_callback interrupted(environment.stop, [this] {
        settle_start(fail(ErrorCode::BrokerNotAvailable, "the start was interrupted"));
    });
    control_loop.start();
    MOLDAU_TRY(broker, broker::BrokerServer::open(
                           {.config = config,
                            .files = &environment.files,
                            .clock = &environment.clock,
                            .entropy = &environment.entropy,
                            .control_loop = &control_loop,
                            .on_config =
                                [this](const config::ServerConfig& now) {
                                    sockets.set_limits(broker::ConnectionLimits::of(now));
                                },
                            .on_fatal = [this](const Error& error) { fault(error); },
                            .stop = environment.stop}));
    MOLDAU_CHECK(find_metadata_directory());
    if (environment.stop.stop_requested()) {
        return start_outcome.get_future().get();  // recovery may have taken long
    }
    MOLDAU_CHECK(bind_listeners());
    MOLDAU_CHECK(run_on(control_loop, [this] { return open_quorum(); }));
    sockets.start_accepting(true);

    broker->start(with_real_ports(config.advertised_broker_listeners()),
                  [this] { settle_start({}); });
    MOLDAU_CHECK(start_outcome.get_future().get());
    serving = true;
    sockets.start_accepting(false);
    MOLDAU_LOG_INFO(log, "[KafkaRaftServer nodeId={}] Kafka Server started", config.node_id());
    // Reading the metadata log and recovering the others took far more than what they left.
    runtime::return_freed_memory();
    return {};
}

void Node::Impl::settle_start(Status outcome) {
    std::call_once(start_settled, [&] { start_outcome.set_value(std::move(outcome)); });
}

// During the start a fault is the start's error; afterwards it is the owner's to act on.
void Node::Impl::fault(const Error& error) {
    settle_start(std::unexpected(error));
    if (environment.on_fault) {
        environment.on_fault(error);
    }
}

// One of log.dirs, which the broker has locked already, or a directory of its own.
Status Node::Impl::find_metadata_directory() {
    std::string path = config.metadata_log_dir();
    for (const storage::LogDirectory& directory : broker->broker().logs->directories()) {
        if (directory.path == path) {
            metadata_directory.id = directory.directory_id;
            return {};
        }
    }
    MOLDAU_TRY(metadata_directory,
               open_metadata_directory(environment.files, path, broker->cluster_id(),
                                       BrokerId(config.node_id())));
    return {};
}

Status Node::Impl::open_quorum() {
    MOLDAU_TRY(auto bootstrap,
               quorum::read_bootstrap_metadata(environment.files, config.metadata_log_dir()));
    MOLDAU_CHECK(check_bootstrap(bootstrap));
    // Last of what may fail: a driver that exists is one that was started.
    MOLDAU_TRY(driver, quorum::QuorumDriver::open(quorum_options(), environment.files, control_loop,
                                                  environment.clock));
    broker->broker().kraft_version = driver->kraft_version();
    loader = std::make_unique<quorum::MetadataLoader>([this] { return driver->high_watermark(); },
                                                      [this](const Error& error) { fault(error); });
    host = std::make_unique<quorum::ControllerHost>(
        quorum::ControllerHost::Options{.cluster_id = broker->cluster_id(),
                                        .node_id = config.node_id(),
                                        .config = config,
                                        .bootstrap = std::move(bootstrap)},
        *driver, *loader, control_loop, environment.clock, environment.entropy);
    channel = std::make_unique<quorum::LocalControllerChannel>(control_loop, *host);
    broker->set_controller(*channel);
    registration = std::make_unique<ControllerRegistration>(
        config.node_id(), Uuid::random([this] { return environment.entropy.draw(); }),
        with_real_ports(config.advertised_controller_listeners()), *channel, control_loop);
    snapshots = std::make_unique<quorum::SnapshotGenerator>(
        quorum::SnapshotGenerator::Options{
            .bytes_between_max = config.metadata_max_bytes_between_snapshots(),
            .interval_max = ms(config.metadata_max_snapshot_interval_ms())},
        *driver, *loader, environment.clock);
    controller_apis = std::make_unique<broker::ControllerApis>(
        broker->cluster_id(), *broker->broker().config, *driver, *loader, *host, control_loop);
    controller_sink.set(*controller_apis);

    driver->register_listener(loader.get());
    driver->register_listener(host.get());
    loader->add_publisher(broker.get());
    loader->add_publisher(registration.get());
    loader->add_publisher(snapshots.get());
    // Last: answers to whoever asked for a change leave when everybody has seen it.
    loader->add_publisher(host.get());
    driver->start();
    host->start();
    return {};
}

quorum::QuorumOptions Node::Impl::quorum_options() const {
    quorum::QuorumOptions options;
    options.node_id = BrokerId(config.node_id());
    options.cluster_id = broker->cluster_id();
    options.metadata_log_dir = config.metadata_log_dir();
    options.directory_id = metadata_directory.id;
    for (const config::Endpoint& endpoint :
         with_real_ports(config.advertised_controller_listeners())) {
        options.endpoints.push_back(
            {endpoint.listener_name, endpoint.host, static_cast<uint16_t>(endpoint.port)});
    }
    for (const config::Voter& voter : config.quorum_voters()) {
        consensus::Voter made;
        made.key.id = BrokerId(voter.id);
        made.endpoints.push_back({config.controller_listener_names().front(), voter.address.host,
                                  static_cast<uint16_t>(voter.address.port)});
        options.static_voters.push_back(std::move(made));
    }
    options.election_timeout = ms(config.quorum_election_timeout_ms());
    options.election_backoff_max = ms(config.quorum_election_backoff_max_ms());
    options.fetch_timeout = ms(config.quorum_fetch_timeout_ms());
    options.request_timeout = ms(config.quorum_request_timeout_ms());
    options.retry_backoff = ms(config.quorum_retry_backoff_ms());
    options.segment_bytes = config.get_int("metadata.log.segment.bytes");
    options.segment_age = ms(config.get_long("metadata.log.segment.ms"));
    options.retention_bytes = config.get_long("metadata.max.retention.bytes");
    options.retention_age = ms(config.get_long("metadata.max.retention.ms"));
    options.seed = environment.entropy.draw();
    return options;
}

Status Node::Impl::bind_listeners() {
    for (const config::Endpoint& endpoint : config.controller_listeners()) {
        MOLDAU_CHECK(bind(endpoint, true));
    }
    for (const config::Endpoint& endpoint : config.broker_listeners()) {
        MOLDAU_CHECK(bind(endpoint, false));
    }
    return {};
}

Status Node::Impl::bind(const config::Endpoint& endpoint, bool is_controller) {
    MOLDAU_TRY(uint16_t port,
               is_controller
                   ? sockets.bind(endpoint, true, config, controller_sink, {&control_loop})
                   : sockets.bind(endpoint, false, config, broker->sink(), broker->data_loops()));
    ports[endpoint.listener_name] = port;
    MOLDAU_LOG_INFO(log, "Awaiting socket connections on {}:{}.",
                    endpoint.host.empty() ? "0.0.0.0" : endpoint.host, port);
    return {};
}

// A listener on port 0 is advertised under the port that the system chose.
std::vector<config::Endpoint> Node::Impl::with_real_ports(
    std::vector<config::Endpoint> advertised) const {
    for (config::Endpoint& endpoint : advertised) {
        auto bound = ports.find(endpoint.listener_name);
        if (endpoint.port == 0 && bound != ports.end()) {
            endpoint.port = bound->second;
        }
    }
    return advertised;
}

void Node::Impl::stop() {
    if (stopped) {
        return;
    }
    stopped = true;
    if (serving) {
        constexpr Duration kPatience = seconds(30);
        broker->controlled_shutdown(kPatience);
    }
    sockets.stop_accepting();
    sockets.close_connections();
    if (broker != nullptr) {
        broker->stop();
    }
    if (driver != nullptr) {
        Status closed = run_on(control_loop, [this]() -> Status {
            // A start that failed may have left off anywhere.
            if (registration != nullptr) {
                registration->stop();
            }
            if (host != nullptr) {
                host->stop();
            }
            return driver->shutdown();
        });
        if (!closed) {
            MOLDAU_LOG_ERROR(log, "the metadata log did not close cleanly: error={} reason={}",
                             closed.error().code, closed.error().message);
        }
    }
    control_loop.stop();
    control_loop.join();
    MOLDAU_LOG_INFO(log, "[KafkaRaftServer nodeId={}] Kafka Server stopped", config.node_id());
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::start(config::ServerConfig config, Environment environment) {
    auto impl = std::make_unique<Impl>(std::move(config), std::move(environment));
    MOLDAU_CHECK(impl->start());
    return std::unique_ptr<Node>(new Node(std::move(impl)));
}

void Node::stop() {
    impl_->stop();
}

runtime::LoopThread& Node::control_loop() {
    return impl_->control_loop;
}

uint16_t Node::port(std::string_view listener_name) const {
    auto found = impl_->ports.find(listener_name);
    return found == impl_->ports.end() ? uint16_t{0} : found->second;
}

}  // namespace moldau::server
