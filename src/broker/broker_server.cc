#include "broker/broker_server.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <set>
#include <thread>

#include "broker/auto_topic_creator.h"
#include "broker/broker_lifecycle.h"
#include "broker/coordinator_host.h"
#include "broker/coordinator_log.h"
#include "broker/directory_assignments.h"
#include "broker/fetch_session.h"
#include "broker/handlers/00_produce.h"
#include "broker/handlers/registry.h"
#include "broker/isr_proposals.h"
#include "broker/metadata_cache.h"
#include "broker/producer_id_manager.h"
#include "broker/replica_manager.h"
#include "broker/request_queue.h"
#include "broker/topic_configs.h"
#include "metadata/features.h"
#include "metadata/topic_name.h"
#include "runtime/clock.h"
#include "runtime/disk_pool.h"
#include "runtime/entropy.h"
#include "runtime/logging.h"
#include "runtime/memory.h"
#include "storage/log_cleaner.h"
#include "storage/log_manager.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.server.BrokerServer");

// Cold reads and openings, beside flushes and periodic work.
constexpr size_t kDiskThreads = 4;
// A fetch session that was used within this time keeps its place (KIP-227).
constexpr Duration kSessionIdleMin = seconds(120);
constexpr Duration kDeletionInterval = seconds(10);
// A change of so many partitions leaves behind memory worth giving back.
constexpr size_t kLargeChange = 10'000;

bool has_live_broker(const metadata::Image& image) {
    return std::ranges::any_of(image.cluster.brokers,
                               [](const auto& entry) { return !entry.second.fenced; });
}

// Requests of broker listeners, by the table of handlers.
class BrokerApis final : public RequestSink {
 public:
    explicit BrokerApis(Broker& broker) : broker_(broker) {}
    bool serves(protocol::ApiKey key) const override { return find_handler(key) != nullptr; }
    bool is_full() const override { return broker_.request_queue->is_full(); }
    void handle(Request request) override {
        Handler handler = find_handler(request.api_key());
        if (request.api_key() != protocol::ApiKey::Produce) {
            run_queued_appends();
        }
        handler(broker_, std::move(request));
    }

 private:
    Broker& broker_;
};

config::ConfigMap to_config_map(const metadata::ConfigMap& map) {
    return {map.begin(), map.end()};
}

}  // namespace

struct BrokerServer::Impl {
    explicit Impl(Dependencies given)
        : dependencies(std::move(given)),
          static_config(dependencies.config),
          config(dependencies.config),
          request_queue(RequestQueue::of(static_config.get_int("queued.max.requests"))),
          topic_configs(dependencies.config.log_config()),
          disk(kDiskThreads),
          coordinator_loop("coordinators"),
          apis(broker) {}
    // What the pool runs works on the parts that are destroyed before it.
    ~Impl() { disk.stop(); }

    Status open_logs();
    void make_parts();
    void apply_broker_config(const metadata::Delta& delta, const metadata::ImagePtr& image);
    // What the lifecycle tells of directories that take no new partition.
    std::optional<std::vector<Uuid>> cordoned_directories();
    void topic_configs_changed(const std::set<std::string, std::less<>>& topics);
    void directory_failed(const Uuid& directory, const Error& cause);
    // Runs `work` on the disk pool every `interval`, one run at a time.
    void repeat(Duration first, Duration interval, std::function<void()> work);
    void start_periodic_work();

    Dependencies dependencies;
    const config::ServerConfig static_config;
    CurrentConfig config;
    const std::shared_ptr<RequestQueue> request_queue;
    TopicConfigs topic_configs;
    MetadataCache metadata;
    runtime::DiskPool disk;
    std::vector<std::unique_ptr<runtime::LoopThread>> data_loops;
    runtime::LoopThread coordinator_loop;
    std::unique_ptr<storage::LogManager> logs;
    std::unique_ptr<storage::LogCleaner> cleaner;
    std::unique_ptr<IsrProposals> isr_proposals;
    std::unique_ptr<DirectoryAssignments> directory_assignments;
    std::unique_ptr<ReplicaManager> replicas;
    std::unique_ptr<FetchSessions> fetch_sessions;
    std::unique_ptr<ProducerIdManager> producer_ids;
    std::unique_ptr<AutoTopicCreator> auto_topics;
    std::unique_ptr<CoordinatorHost> coordinators;
    std::unique_ptr<BrokerLifecycle> lifecycle;
    Broker broker;
    BrokerApis apis;

    std::vector<runtime::Timer> timers;  // control loop
    std::atomic<bool> opened{false};     // the logs are there
    std::atomic<bool> stopping{false};
    bool leaving = false;   // control loop: controlled shutdown was asked for
    bool detached = false;  // control loop: stop() is tearing down what publish() works on
    std::atomic<bool> fatal{false};
    std::atomic<bool> large_change{false};  // since memory was given back
    bool first_publication = true;
};

Result<std::unique_ptr<BrokerServer>> BrokerServer::open(Dependencies dependencies) {
    auto impl = std::make_unique<Impl>(std::move(dependencies));
    MOLDAU_CHECK(impl->open_logs());
    impl->make_parts();
    return std::unique_ptr<BrokerServer>(new BrokerServer(std::move(impl)));
}

BrokerServer::BrokerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

BrokerServer::~BrokerServer() {
    stop();
}

Status BrokerServer::Impl::open_logs() {
    storage::LogManagerOptions options;
    options.dirs = static_config.log_dirs();
    options.node_id = BrokerId(static_config.node_id());
    options.config_of = [this](std::string_view topic) { return topic_configs.config_of(topic); };
    options.producer_id_expiration = milliseconds(static_config.producer_id_expiration_ms());
    options.recovery_threads_per_dir = static_config.recovery_threads_per_dir();
    options.stop = dependencies.stop;
    options.journal = storage::JournalSettings{
        .bytes_max = static_config.journal_bytes(),
        .write_through_bytes = static_config.journal_write_through_bytes(),
        .background = [this](runtime::Task task) { disk.submit(std::move(task)); },
    };
    options.on_dir_failure = [this](const std::string&, const Uuid& directory, const Error& cause) {
        directory_failed(directory, cause);
    };
    MOLDAU_TRY(logs, storage::LogManager::open(*dependencies.files, *dependencies.clock,
                                               std::move(options)));
    MOLDAU_CHECK(logs->load());
    opened = true;
    return {};
}

void BrokerServer::Impl::make_parts() {
    int32_t node_id = static_config.node_id();
    size_t loops = std::max(1u, std::thread::hardware_concurrency());
    for (size_t i = 0; i < loops; ++i) {
        data_loops.push_back(std::make_unique<runtime::LoopThread>(fmt::format("data-{}", i)));
        data_loops.back()->start();
    }
    coordinator_loop.start();
    isr_proposals =
        std::make_unique<IsrProposals>(node_id, broker.epoch, *dependencies.control_loop);
    directory_assignments =
        std::make_unique<DirectoryAssignments>(node_id, broker.epoch, *dependencies.control_loop);
    replicas = std::make_unique<ReplicaManager>(PartitionContext{
        .local = BrokerId(node_id),
        .lag_max = milliseconds(static_config.replica_lag_time_max_ms()),
        .logs = logs.get(),
        .clock = dependencies.clock,
        .disk = &disk,
        .propose =
            [this](std::shared_ptr<Partition> partition, replication::IsrProposal proposal) {
                isr_proposals->submit(std::move(partition), std::move(proposal));
            },
        .directory_chosen =
            [this](const Uuid& topic_id, int32_t partition, const Uuid& directory) {
                directory_assignments->assign(topic_id, partition, directory);
            },
    });
    runtime::Entropy* entropy = dependencies.entropy;
    fetch_sessions = std::make_unique<FetchSessions>(
        static_config.max_fetch_sessions(), kSessionIdleMin, [entropy] { return entropy->draw(); });
    producer_ids = std::make_unique<ProducerIdManager>(node_id, broker.epoch);
    auto offsets_log = std::make_shared<PartitionLog>(
        *replicas, std::string(metadata::kGroupMetadataTopic), [this] {
            return topic_configs.config_of(metadata::kGroupMetadataTopic)->max_message_bytes;
        });
    coordinators = std::make_unique<CoordinatorHost>(
        BrokerId(node_id), CoordinatorHost::Settings::from(static_config), coordinator_loop,
        [this](runtime::Task task) { disk.submit(std::move(task)); }, *dependencies.clock,
        *dependencies.entropy, std::move(offsets_log), request_queue);

    broker.node_id = node_id;
    broker.request_queue = request_queue;
    broker.cluster_id = logs->cluster_id();
    broker.files = dependencies.files;
    broker.clock = dependencies.clock;
    broker.entropy = dependencies.entropy;
    broker.disk = &disk;
    broker.control_loop = dependencies.control_loop;
    broker.config = &config;
    broker.metadata = &metadata;
    broker.replicas = replicas.get();
    broker.logs = logs.get();
    broker.fetch_sessions = fetch_sessions.get();
    broker.producer_ids = producer_ids.get();
    broker.coordinators = coordinators.get();
}

void BrokerServer::Impl::directory_failed(const Uuid& directory, const Error& cause) {
    MOLDAU_LOG_ERROR(log, "Log directory {} failed and is offline now: {}", directory,
                     cause.message);
    if (!opened) {
        return;  // load() judges what is left
    }
    dependencies.control_loop->post([this, cause] {
        if (lifecycle != nullptr) {
            lifecycle->heartbeat_soon();
        }
        for (const storage::LogDirectory& each : logs->directories()) {
            if (each.online) {
                return;
            }
        }
        if (!fatal.exchange(true)) {
            dependencies.on_fatal({ErrorCode::KafkaStorageError,
                                   "all log directories have failed: " + cause.message});
        }
    });
}

const std::string& BrokerServer::cluster_id() const {
    return impl_->logs->cluster_id();
}

Broker& BrokerServer::broker() {
    return impl_->broker;
}

RequestSink& BrokerServer::sink() {
    return impl_->apis;
}

std::vector<runtime::LoopThread*> BrokerServer::data_loops() {
    std::vector<runtime::LoopThread*> loops;
    for (const auto& loop : impl_->data_loops) {
        loops.push_back(loop.get());
    }
    return loops;
}

void BrokerServer::set_controller(quorum::ControllerChannel& controller) {
    impl_->broker.controller = &controller;
    impl_->producer_ids->set_controller(controller);
    impl_->isr_proposals->set_controller(controller);
    impl_->directory_assignments->set_controller(controller);
    impl_->auto_topics = std::make_unique<AutoTopicCreator>(controller, impl_->config);
    impl_->broker.auto_topics = impl_->auto_topics.get();
}

void BrokerServer::start(std::vector<config::Endpoint> endpoints,
                         std::function<void()> on_running) {
    Impl& impl = *impl_;
    BrokerLifecycle::Options options{
        .node_id = impl.broker.node_id,
        .cluster_id = impl.broker.cluster_id,
        .incarnation = impl.dependencies.entropy->uuid(),
        .rack = impl.static_config.rack(),
        .directories = {},
        .previous_epoch = impl.logs->previous_broker_epoch().value_or(-1),
        .heartbeat_interval = milliseconds(impl.static_config.broker_heartbeat_interval_ms()),
        .registration_patience =
            milliseconds(impl.static_config.get_long("initial.broker.registration.timeout.ms")),
    };
    for (const storage::LogDirectory& directory : impl.logs->directories()) {
        if (directory.online) {
            options.directories.push_back(directory.directory_id);
        }
    }
    std::ranges::sort(options.directories);
    BrokerLifecycle::Hooks hooks{
        .metadata_offset = [&impl] { return impl.metadata.image()->provenance.offset; },
        .offline_directories =
            [&impl] {
                std::vector<Uuid> offline;
                for (const storage::LogDirectory& directory : impl.logs->directories()) {
                    if (!directory.online) {
                        offline.push_back(directory.directory_id);
                    }
                }
                return offline;
            },
        .cordoned_directories = [&impl] { return impl.cordoned_directories(); },
        .on_running =
            [&impl, on_running = std::move(on_running)] {
                impl.start_periodic_work();
                on_running();
            },
        .on_fatal = impl.dependencies.on_fatal,
    };
    // Made where it lives: a directory that fails right now asks for it there.
    impl.dependencies.control_loop->post([&impl, options = std::move(options),
                                          hooks = std::move(hooks),
                                          endpoints = std::move(endpoints)]() mutable {
        impl.lifecycle =
            std::make_unique<BrokerLifecycle>(std::move(options), std::move(hooks),
                                              *impl.dependencies.control_loop, impl.broker.epoch);
        impl.lifecycle->start(*impl.broker.controller, std::move(endpoints));
    });
}

void BrokerServer::Impl::repeat(Duration first, Duration interval, std::function<void()> work) {
    size_t slot = timers.size();
    timers.emplace_back();
    auto run = std::make_shared<std::function<void()>>();
    // The function holds itself only weakly; `timers` dies before it could matter.
    *run = [this, slot, interval, work = std::move(work),
            self = std::weak_ptr<std::function<void()>>(run)] {
        disk.submit([this, slot, interval, work, self = self.lock()] {
            work();
            dependencies.control_loop->post([this, slot, interval, self] {
                if (!stopping) {
                    timers[slot] =
                        dependencies.control_loop->schedule_after(interval, [self] { (*self)(); });
                }
            });
        });
    };
    timers[slot] = dependencies.control_loop->schedule_after(first, [run] { (*run)(); });
}

void BrokerServer::Impl::start_periodic_work() {
    cleaner = std::make_unique<storage::LogCleaner>(
        *logs, *dependencies.files, *dependencies.clock, *dependencies.entropy, [this] {
            config::ServerConfig now = config.get();
            return storage::CleanerConfig{
                .enable = now.get_bool("log.cleaner.enable"),
                .threads = now.get_int("log.cleaner.threads"),
                .dedupe_buffer_bytes = now.get_long("log.cleaner.dedupe.buffer.size"),
                .load_factor = now.get_double("log.cleaner.io.buffer.load.factor"),
                .io_buffer_bytes = now.get_int("log.cleaner.io.buffer.size"),
                .io_bytes_per_second = now.get_double("log.cleaner.io.max.bytes.per.second"),
                .backoff_ms = now.get_long("log.cleaner.backoff.ms"),
            };
        });
    cleaner->start();
    auto every_ms = [](int64_t ms) {
        return Duration(milliseconds(std::min<int64_t>(ms, 1LL << 40)));
    };
    Duration initial = every_ms(static_config.log_initial_task_delay_ms());
    storage::LogManager* all = logs.get();
    Duration retention = every_ms(static_config.log_retention_check_interval_ms());
    repeat(initial, retention, [all] { all->apply_retention(); });
    Duration recovery = every_ms(static_config.log_flush_offset_checkpoint_interval_ms());
    repeat(initial, recovery, [all] { all->checkpoint_recovery_points(); });
    Duration start = every_ms(static_config.log_flush_start_offset_checkpoint_interval_ms());
    repeat(initial, start, [all] { all->checkpoint_log_start_offsets(); });
    Duration watermark = every_ms(static_config.high_watermark_checkpoint_interval_ms());
    repeat(watermark, watermark, [all] { all->checkpoint_high_watermarks(); });
    int64_t flush_ms = static_config.get_long("log.flush.scheduler.interval.ms");
    if (flush_ms < (1LL << 40)) {
        repeat(initial, every_ms(flush_ms), [all] { all->flush_dirty_logs(); });
    }
    Duration lag = every_ms(static_config.replica_lag_time_max_ms()) / 2;
    repeat(lag, lag,
           [this] { replicas->for_each([](Partition& partition) { partition.check_lag(); }); });
    repeat(initial, kDeletionInterval, [this, all] {
        all->remove_deleted();
        if (large_change.exchange(false)) {
            runtime::return_freed_memory();
        }
    });
}

void BrokerServer::Impl::apply_broker_config(const metadata::Delta& delta,
                                             const metadata::ImagePtr& image) {
    using metadata::ConfigResource;
    using metadata::ConfigResourceType;
    std::string own = std::to_string(broker.node_id);
    bool changed =
        first_publication ||
        delta.changed_configs().contains(ConfigResource{ConfigResourceType::Broker, ""}) ||
        delta.changed_configs().contains(ConfigResource{ConfigResourceType::Broker, own});
    config::LogConfig before = config.get().log_config();
    if (changed) {
        std::vector<std::string> cordoned_before = config.get().cordoned_log_dirs();
        config.set(
            static_config.with_dynamic(to_config_map(image->configs.cluster_default()),
                                       to_config_map(image->configs.of_broker(broker.node_id))));
        if (dependencies.on_config) {
            dependencies.on_config(config.get());
        }
        std::vector<std::string> cordoned = config.get().cordoned_log_dirs();
        logs->set_cordoned(cordoned);
        if (cordoned != cordoned_before) {
            dependencies.control_loop->post([this] {
                if (lifecycle != nullptr) {
                    lifecycle->heartbeat_soon();
                }
            });
        }
    }
    config::LogConfig defaults = config.get().log_config();
    topic_configs.set(image, defaults);
    if (defaults != before) {
        std::set<std::string, std::less<>> all;
        for (const auto& [name, id] : image->topics.ids) {
            all.insert(name);
        }
        topic_configs_changed(all);
    }
}

std::optional<std::vector<Uuid>> BrokerServer::Impl::cordoned_directories() {
    auto image = metadata.image();
    if (!metadata::are_cordoned_directories_supported(image->features.metadata_version())) {
        return std::nullopt;
    }
    std::vector<std::string> cordoned = config.get().cordoned_log_dirs();
    std::vector<Uuid> ids;
    for (const storage::LogDirectory& directory : logs->directories()) {
        if (std::ranges::find(cordoned, directory.path) != cordoned.end()) {
            ids.push_back(directory.directory_id);
        }
    }
    // None is news only to a controller that knows of some.
    const metadata::Broker* known = image->cluster.broker(broker.node_id);
    bool is_known =
        known != nullptr && known->cordoned_directories && !known->cordoned_directories->empty();
    return ids.empty() && !is_known ? std::nullopt : std::optional(std::move(ids));
}

void BrokerServer::Impl::topic_configs_changed(const std::set<std::string, std::less<>>& topics) {
    if (topics.empty()) {
        return;
    }
    logs->update_configs(topics);
    for (const std::string& topic : topics) {
        replicas->config_changed(topic);
    }
}

void BrokerServer::publish(const metadata::Delta& delta, const metadata::ImagePtr& image) {
    Impl& impl = *impl_;
    if (impl.detached) {
        return;
    }
    impl.apply_broker_config(delta, image);
    impl.replicas->apply(delta, *image);
    std::set<std::string, std::less<>> reconfigured;
    for (const metadata::ConfigResource& resource : delta.changed_configs()) {
        if (resource.type == metadata::ConfigResourceType::Topic) {
            reconfigured.insert(resource.name);
        }
    }
    impl.topic_configs_changed(reconfigured);
    impl.coordinators->publish(delta, image);
    // Last: whoever sees the image finds everything in it at work. The last broker does not tell
    // that it is gone while its connections close: a client that hears of no broker at all forgets
    // whom to ask again (librdkafka).
    if (!impl.leaving || has_live_broker(*image)) {
        impl.metadata.set(image);
    }
    impl.first_publication = false;
    size_t changed = 0;
    for (const auto& [id, change] : delta.changed_topics()) {
        changed += change.partitions.size();
    }
    if (changed >= kLargeChange) {
        impl.large_change = true;
    }
}

void BrokerServer::controlled_shutdown(Duration patience) {
    Impl& impl = *impl_;
    if (!impl.dependencies.control_loop->running()) {
        return;
    }
    auto left = std::make_shared<std::promise<void>>();
    auto done = left->get_future();
    impl.dependencies.control_loop->post([&impl, left] {
        impl.leaving = true;
        impl.lifecycle->leave([left] { left->set_value(); });
    });
    if (done.wait_for(patience) != std::future_status::ready) {
        MOLDAU_LOG_WARN(log, "Giving up on controlled shutdown: the controller did not let go");
    }
}

void BrokerServer::stop() {
    Impl& impl = *impl_;
    if (impl.stopping.exchange(true)) {
        return;
    }
    // The quorum runs on for a while and may commit more: nobody here listens any longer.
    auto quiet = [&impl] {
        impl.detached = true;
        impl.timers.clear();
        impl.isr_proposals->stop();
        impl.directory_assignments->stop();
        if (impl.lifecycle != nullptr) {
            impl.lifecycle->stop();
        }
    };
    if (impl.dependencies.control_loop->running()) {
        std::promise<void> done;
        impl.dependencies.control_loop->post([&] {
            quiet();
            done.set_value();
        });
        done.get_future().wait();
    } else {
        quiet();
    }
    if (impl.cleaner != nullptr) {
        impl.cleaner->stop();
    }
    impl.coordinators->stop();
    impl.replicas->stop();
    for (auto& loop : impl.data_loops) {
        loop->stop();
        loop->join();
    }
    impl.coordinator_loop.stop();
    impl.coordinator_loop.join();
    impl.disk.stop();
    impl.coordinators.reset();
    // A start that never came to register leaves the epoch of the last clean stop in force.
    int64_t epoch = impl.broker.epoch.load();
    if (epoch < 0) {
        epoch = impl.logs->previous_broker_epoch().value_or(-1);
    }
    if (Status closed = impl.logs->shutdown(epoch); !closed) {
        MOLDAU_LOG_ERROR(log, "The logs could not be closed cleanly: {}", closed.error().message);
    }
}

}  // namespace moldau::broker
