#include "broker/broker_lifecycle.h"

#include "metadata/features.h"
#include "protocol/api_keys.h"
#include "protocol/messages/broker_heartbeat.h"
#include "protocol/messages/broker_registration.h"
#include "quorum/controller_channel.h"
#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.server.BrokerLifecycleManager");

constexpr Duration kRegistrationRetry = milliseconds(100);
// While leaving, or when still fenced: soon, but not at once.
constexpr Duration kImpatient = milliseconds(50);

int16_t latest(protocol::ApiKey key) {
    return protocol::api_info(key).served().last;
}

}  // namespace

BrokerLifecycle::BrokerLifecycle(Options options, Hooks hooks, runtime::EventLoop& loop,
                                 std::atomic<int64_t>& epoch)
    : options_(std::move(options)), hooks_(std::move(hooks)), loop_(loop), epoch_(epoch) {}

void BrokerLifecycle::start(quorum::ControllerChannel& controller,
                            std::vector<config::Endpoint> endpoints) {
    controller_ = &controller;
    endpoints_ = std::move(endpoints);
    state_ = State::Starting;
    started_ = loop_.now();
    MOLDAU_LOG_INFO(log,
                    "[BrokerLifecycleManager id={}] Incarnation {} of broker {} in cluster {} "
                    "is now STARTING.",
                    options_.node_id, options_.incarnation, options_.node_id, options_.cluster_id);
    send_registration();
}

void BrokerLifecycle::send_registration() {
    protocol::BrokerRegistrationRequest request;
    request.broker_id = options_.node_id;
    request.cluster_id = options_.cluster_id;
    request.incarnation_id = options_.incarnation;
    request.rack = options_.rack;
    request.log_dirs = options_.directories;
    request.previous_broker_epoch = options_.previous_epoch;
    for (const config::Endpoint& endpoint : endpoints_) {
        auto& listener = request.listeners.emplace_back();
        listener.name = endpoint.listener_name;
        listener.host = endpoint.host;
        listener.port = static_cast<uint16_t>(endpoint.port);
        listener.security_protocol = static_cast<int16_t>(endpoint.protocol);
    }
    for (const auto& [name, range] : metadata::supported_features()) {
        auto& feature = request.features.emplace_back();
        feature.name = std::string(name);
        feature.min_supported_version = range.min;
        feature.max_supported_version = range.max;
    }
    controller_->call<protocol::BrokerRegistrationResponse>(
        request, latest(protocol::ApiKey::BrokerRegistration),
        [this](Result<protocol::BrokerRegistrationResponse> response) {
            if (state_ == State::Gone) {
                return;
            }
            if (!response) {
                return retry_registration(response.error().message);
            }
            if (response->error_code != 0) {
                return retry_registration(
                    fmt::format("{}", static_cast<ErrorCode>(response->error_code)));
            }
            epoch_.store(response->broker_epoch);
            MOLDAU_LOG_INFO(log,
                            "[BrokerLifecycleManager id={}] Successfully registered broker {} with "
                            "broker epoch {}",
                            options_.node_id, options_.node_id, response->broker_epoch);
            send_heartbeat();
        });
}

void BrokerLifecycle::retry_registration(const std::string& reason) {
    if (loop_.now() - started_ > options_.registration_patience) {
        return hooks_.on_fatal(
            {ErrorCode::BrokerIdNotRegistered,
             "the controller did not take the registration of this broker: " + reason});
    }
    MOLDAU_LOG_INFO(log, "[BrokerLifecycleManager id={}] Unable to register broker {}: {}",
                    options_.node_id, options_.node_id, reason);
    timer_ = loop_.schedule_after(kRegistrationRetry, [this] { send_registration(); });
}

void BrokerLifecycle::send_heartbeat() {
    if (state_ == State::Gone || epoch_.load() < 0) {
        return;
    }
    if (in_flight_) {
        again_ = true;
        return;
    }
    protocol::BrokerHeartbeatRequest request;
    request.broker_id = options_.node_id;
    request.broker_epoch = epoch_.load();
    request.current_metadata_offset = hooks_.metadata_offset();
    request.want_fence = false;
    request.want_shut_down = state_ == State::Leaving;
    request.offline_log_dirs = hooks_.offline_directories();
    if (caught_up_) {
        request.cordoned_log_dirs = hooks_.cordoned_directories();
    }
    in_flight_ = true;
    controller_->call<protocol::BrokerHeartbeatResponse>(
        request, latest(protocol::ApiKey::BrokerHeartbeat),
        [this](Result<protocol::BrokerHeartbeatResponse> response) {
            in_flight_ = false;
            if (state_ == State::Gone) {
                return;
            }
            if (!response || response->error_code != 0) {
                MOLDAU_LOG_WARN(
                    log,
                    "[BrokerLifecycleManager id={}] Broker {} sent a heartbeat request but "
                    "received error {}.",
                    options_.node_id, options_.node_id,
                    response ? fmt::format("{}", static_cast<ErrorCode>(response->error_code))
                             : response.error().message);
                return next_heartbeat(state_ == State::Running ? options_.heartbeat_interval
                                                               : kRegistrationRetry);
            }
            heartbeat_answered(response->is_caught_up, response->is_fenced,
                               response->should_shut_down);
        },
        options_.heartbeat_interval);
}

void BrokerLifecycle::heartbeat_answered(bool caught_up, bool fenced, bool should_shut_down) {
    bool has_just_caught_up = caught_up && !std::exchange(caught_up_, true);
    bool has_news = has_just_caught_up && hooks_.cordoned_directories();
    if (std::exchange(again_, false) || has_news) {
        next_heartbeat(Duration::zero());
    } else {
        next_heartbeat(state_ == State::Running ? options_.heartbeat_interval : kImpatient);
    }
    if (state_ == State::Starting && !fenced) {
        state_ = State::Running;
        MOLDAU_LOG_INFO(log,
                        "[BrokerLifecycleManager id={}] The broker has been unfenced. "
                        "Transitioning from RECOVERY to RUNNING.",
                        options_.node_id);
        next_heartbeat(has_news ? Duration::zero() : options_.heartbeat_interval);
        hooks_.on_running();
    } else if (state_ == State::Leaving && should_shut_down) {
        MOLDAU_LOG_INFO(log,
                        "[BrokerLifecycleManager id={}] The controller has asked us to exit "
                        "controlled shutdown.",
                        options_.node_id);
        stop();
    }
}

void BrokerLifecycle::next_heartbeat(Duration delay) {
    timer_ = loop_.schedule_after(delay, [this] { send_heartbeat(); });
}

void BrokerLifecycle::heartbeat_soon() {
    if (state_ != State::NotRunning) {
        send_heartbeat();
    }
}

void BrokerLifecycle::leave(std::function<void()> done) {
    on_left_ = std::move(done);
    if (state_ != State::Running) {
        return stop();
    }
    state_ = State::Leaving;
    MOLDAU_LOG_INFO(log, "[BrokerLifecycleManager id={}] Beginning controlled shutdown.",
                    options_.node_id);
    send_heartbeat();
}

void BrokerLifecycle::stop() {
    state_ = State::Gone;
    timer_.cancel();
    if (on_left_) {
        std::exchange(on_left_, nullptr)();
    }
}

}  // namespace moldau::broker
