#include "controller/brokers.h"

#include <algorithm>
#include <set>

#include "controller/leaders.h"
#include "metadata/features.h"
#include "metadata/registrations.h"

namespace moldau::controller {

namespace {

using metadata::Broker;
using metadata::Records;
using protocol::BrokerHeartbeatRequest;
using protocol::BrokerRegistrationRequest;

bool is_reserved_directory(const Uuid& id) {
    return id.high == 0 && id.low < 100;
}

Status check_directories(const State& state, const BrokerRegistrationRequest& request) {
    if (request.log_dirs.empty()) {
        return fail(ErrorCode::InvalidRegistration, "No directories specified in request");
    }
    std::set<Uuid> seen;
    for (const Uuid& directory : request.log_dirs) {
        if (is_reserved_directory(directory)) {
            return fail(ErrorCode::InvalidRegistration, "Reserved directory ID in request");
        }
        if (!seen.insert(directory).second) {
            return fail(ErrorCode::InvalidRegistration, "Duplicate directory ID in request");
        }
    }
    for (const auto& [id, broker] : state.image().cluster.brokers) {
        for (const Uuid& directory : broker.directories) {
            if (id != request.broker_id && seen.contains(directory)) {
                return fail(ErrorCode::InvalidRegistration,
                            "Broker {} is already registered with directory {}", id, directory);
            }
        }
    }
    return {};
}

// Kafka's controller has no word for it either, and falls over it.
template <typename Listeners>
Status check_security_protocols(const Listeners& listeners) {
    for (const auto& listener : listeners) {
        if (listener.security_protocol < 0 ||
            listener.security_protocol > metadata::kSecurityProtocolMax) {
            return fail(ErrorCode::UnknownServerError,
                        "Unknown security protocol {} in listener {}", listener.security_protocol,
                        listener.name);
        }
    }
    return {};
}

Status check_feature(std::string_view name, int16_t finalized, int16_t min, int16_t max) {
    if (finalized < min || finalized > max) {
        return fail(
            ErrorCode::UnsupportedVersion,
            "Unable to register because the broker does not support finalized version {} of "
            "{}. The broker wants a version between {} and {}, inclusive.",
            finalized, name, min, max);
    }
    return {};
}

// Every finalized level must lie in the range the broker names; a feature it does not name counts
// as not supported. kraft.version is finalized in the quorum's own records and is handed in.
Status check_features(const State& state, const BrokerRegistrationRequest& request,
                      int16_t kraft_version) {
    std::map<std::string, int16_t, std::less<>> finalized;
    for (const auto& [name, level] : state.image().features.levels) {
        finalized[name] = level;
    }
    finalized[std::string(metadata::kMetadataVersionFeature)] = state.metadata_version();
    if (kraft_version > 0) {
        finalized[std::string(metadata::kKraftVersionFeature)] = kraft_version;
    }
    bool named_metadata_version = false;
    for (const auto& feature : request.features) {
        auto at = finalized.find(feature.name);
        int16_t level = at == finalized.end() ? int16_t{0} : at->second;
        MOLDAU_CHECK(check_feature(feature.name, level, feature.min_supported_version,
                                   feature.max_supported_version));
        if (at != finalized.end()) {
            finalized.erase(at);
        }
        named_metadata_version |= feature.name == metadata::kMetadataVersionFeature;
    }
    if (!named_metadata_version) {
        return fail(ErrorCode::InvalidRegistration,
                    "Request features do not contain 'metadata.version'");
    }
    for (const auto& [name, level] : finalized) {
        MOLDAU_CHECK(check_feature(name, level, 0, 0));
    }
    return {};
}

// The previous incarnation is gone. With ELR its copies count only if it shut down cleanly, which
// the new incarnation proves by naming the epoch it had.
Records records_for_shutdown(const View& view, int32_t broker, bool clean) {
    BrokerEvent event;
    std::vector<PartitionKey> partitions = view.state.partitions_with_isr_member(broker);
    if (!view.state.elr_enabled() || clean) {
        event.leaving = broker;
        return leader_and_isr_updates(view, event, partitions);
    }
    event.uncleanly_shut_down = broker;
    Records records = leader_and_isr_updates(view, event, partitions);
    std::ranges::move(
        leader_and_isr_updates(view, event, view.state.partitions_with_elr_member(broker)),
        std::back_inserter(records));
    return records;
}

protocol::BrokerRegistrationChangeRecord change_record(const Broker& broker) {
    protocol::BrokerRegistrationChangeRecord record;
    record.broker_id = broker.id;
    record.broker_epoch = broker.epoch;
    return record;
}

constexpr int8_t kFence = 1;
constexpr int8_t kUnfence = -1;

}  // namespace

Result<Decision<protocol::BrokerRegistrationResponse>> register_broker(
    const View& view, const Sessions& sessions, const BrokerRegistrationRequest& request,
    int16_t version, int16_t kraft_version, int64_t next_offset, MonotonicTime now) {
    if (request.cluster_id != view.cluster_id) {
        return fail(ErrorCode::InconsistentClusterId,
                    "Expected cluster ID {}, but got cluster ID {}", view.cluster_id,
                    request.cluster_id);
    }
    const State& state = view.state;
    const Broker* existing = state.broker(request.broker_id);
    bool same_incarnation =
        existing != nullptr && existing->incarnation_id == request.incarnation_id;
    if (existing != nullptr && !same_incarnation &&
        sessions.is_valid(existing->id, existing->epoch, now)) {
        return fail(ErrorCode::DuplicateBrokerRegistration,
                    "Another broker is registered with that broker id. If the broker was recently "
                    "restarted this should self-resolve once the heartbeat manager expires the "
                    "broker's session.");
    }
    if (request.is_migrating_zk_broker) {
        return fail(ErrorCode::BrokerIdNotRegistered,
                    "Controller does not support registering ZK brokers.");
    }
    int16_t mv = state.metadata_version();
    if (metadata::is_directory_assignment_supported(mv)) {
        MOLDAU_CHECK(check_directories(state, request));
    }
    MOLDAU_CHECK(check_security_protocols(request.listeners));
    MOLDAU_CHECK(check_features(state, request, kraft_version));

    protocol::RegisterBrokerRecord record;
    record.broker_id = request.broker_id;
    record.incarnation_id = request.incarnation_id;
    record.rack = request.rack;
    metadata::put_endpoints(request.listeners, record);
    metadata::put_features(request.features, record);
    if (metadata::is_directory_assignment_supported(mv)) {
        record.log_dirs = request.log_dirs;
    }
    Decision<protocol::BrokerRegistrationResponse> decision;
    // Not atomic: the clean-up may be long. Its record goes last, so that a broker whose
    // registration was cut off registers again and the clean-up is done again.
    decision.atomic = false;
    if (same_incarnation) {
        record.fenced = existing->fenced;
        record.in_controlled_shutdown = existing->in_controlled_shutdown;
        record.broker_epoch = existing->epoch;
    } else {
        bool clean =
            version >= 3 && existing != nullptr && existing->epoch == request.previous_broker_epoch;
        decision.records = records_for_shutdown(view, request.broker_id, clean);
        record.broker_epoch = next_offset;
    }
    decision.response.broker_epoch = record.broker_epoch;
    decision.records.push_back({std::move(record), metadata::register_broker_record_version(mv)});
    return decision;
}

namespace {

enum class Step { Stay, Fence, Unfence, ControlledShutdown, ShutDownNow };

Step next_step(const State& state, const Sessions& sessions, const Broker& broker,
               const BrokerHeartbeatRequest& request) {
    const Sessions::Session* session = sessions.find(broker.id);
    bool shutting_down = !broker.fenced && session != nullptr &&
                         session->broker_epoch == broker.epoch &&
                         session->controlled_shutdown_offset >= 0;
    if (shutting_down) {
        bool known_to_all =
            session->controlled_shutdown_offset <= sessions.lowest_active_offset(state);
        return !state.has_leaderships(broker.id) && known_to_all ? Step::ShutDownNow : Step::Stay;
    }
    if (broker.fenced) {
        if (request.want_shut_down) {
            return Step::ShutDownNow;
        }
        bool caught_up = request.current_metadata_offset >= state.registration_offset(broker.id);
        return !request.want_fence && caught_up ? Step::Unfence : Step::Stay;
    }
    if (request.want_shut_down) {
        return !request.want_fence && state.has_leaderships(broker.id) ? Step::ControlledShutdown
                                                                       : Step::ShutDownNow;
    }
    return request.want_fence ? Step::Fence : Step::Stay;
}

Records unfence_records(const View& view, const Broker& broker) {
    auto record = change_record(broker);
    record.fenced = kUnfence;
    Records records{{std::move(record), 0}};
    BrokerEvent event;
    event.arriving = broker.id;
    std::ranges::move(leader_and_isr_updates(view, event, view.state.partitions_without_leader()),
                      std::back_inserter(records));
    return records;
}

Records controlled_shutdown_records(const View& view, const Broker& broker) {
    Records records;
    if (!broker.in_controlled_shutdown) {
        auto record = change_record(broker);
        record.in_controlled_shutdown = 1;
        records.push_back({std::move(record), 1});
    }
    BrokerEvent event;
    event.leaving = broker.id;
    std::ranges::move(
        leader_and_isr_updates(view, event, view.state.partitions_with_isr_member(broker.id)),
        std::back_inserter(records));
    return records;
}

Records offline_directory_records(const View& view, const Broker& broker,
                                  const std::vector<Uuid>& offline) {
    auto is_offline = [&offline](const Uuid& id) {
        return std::ranges::find(offline, id) != offline.end();
    };
    Records records;
    if (!std::ranges::any_of(broker.directories, is_offline)) {
        return records;
    }
    std::vector<PartitionKey> affected;
    for (const auto& [id, topic] : view.state.image().topics.by_id) {
        for (const auto& [index, partition] : topic.partitions) {
            if (partition.is_replica(broker.id) && is_offline(partition.directory(broker.id))) {
                affected.push_back({id, index});
            }
        }
    }
    BrokerEvent event;
    event.leaving = broker.id;
    records = leader_and_isr_updates(view, event, affected);
    auto record = change_record(broker);
    std::ranges::copy_if(broker.directories, std::back_inserter(record.log_dirs),
                         [&](const Uuid& id) { return !is_offline(id); });
    records.push_back({std::move(record), 2});
    return records;
}

}  // namespace

Result<HeartbeatDecision> heartbeat(const View& view, const Sessions& sessions,
                                    const BrokerHeartbeatRequest& request) {
    const State& state = view.state;
    MOLDAU_CHECK(check_broker_epoch(state, request.broker_id, request.broker_epoch));
    const Broker& broker = *state.broker(request.broker_id);
    HeartbeatDecision result;
    Decision<protocol::BrokerHeartbeatResponse>& decision = result.decision;
    decision.atomic = false;
    decision.response.is_caught_up =
        request.current_metadata_offset >= state.registration_offset(broker.id);
    decision.response.is_fenced = broker.fenced;
    switch (next_step(state, sessions, broker, request)) {
        case Step::Stay:
            break;
        case Step::Fence:
            decision.records = fence_broker(view, broker.id);
            decision.response.is_fenced = true;
            break;
        case Step::Unfence:
            decision.records = unfence_records(view, broker);
            decision.response.is_fenced = false;
            break;
        case Step::ControlledShutdown:
            decision.records = controlled_shutdown_records(view, broker);
            result.enters_controlled_shutdown = true;
            break;
        case Step::ShutDownNow:
            if (!broker.fenced) {
                decision.records = fence_broker(view, broker.id);
            }
            decision.response.is_fenced = true;
            decision.response.should_shut_down = true;
            break;
    }
    int16_t mv = state.metadata_version();
    if (metadata::is_directory_assignment_supported(mv)) {
        std::ranges::move(offline_directory_records(view, broker, request.offline_log_dirs),
                          std::back_inserter(decision.records));
    }
    // That a broker has none, once it tells, is more than not to know.
    auto is_news = [&known = broker.cordoned_directories](const std::vector<Uuid>& told) {
        return !known || std::set<Uuid>(known->begin(), known->end()) !=
                             std::set<Uuid>(told.begin(), told.end());
    };
    if (metadata::are_cordoned_directories_supported(mv) && request.cordoned_log_dirs &&
        is_news(*request.cordoned_log_dirs)) {
        auto record = change_record(broker);
        record.cordoned_log_dirs = request.cordoned_log_dirs;
        decision.records.push_back({std::move(record), 3});
    }
    return result;
}

Records fence_broker(const View& view, int32_t broker) {
    BrokerEvent event;
    event.leaving = broker;
    Records records =
        leader_and_isr_updates(view, event, view.state.partitions_with_isr_member(broker));
    auto record = change_record(*view.state.broker(broker));
    record.fenced = kFence;
    records.push_back({std::move(record), 0});
    return records;
}

Result<Decision<protocol::UnregisterBrokerResponse>> unregister_broker(
    const View& view, const protocol::UnregisterBrokerRequest& request) {
    const Broker* broker = view.state.broker(request.broker_id);
    if (broker == nullptr) {
        return fail(ErrorCode::BrokerIdNotRegistered, "Broker ID {} is not currently registered",
                    request.broker_id);
    }
    Decision<protocol::UnregisterBrokerResponse> decision;
    decision.atomic = false;
    BrokerEvent event;
    event.leaving = broker->id;
    decision.records =
        leader_and_isr_updates(view, event, view.state.partitions_with_isr_member(broker->id));
    std::ranges::move(
        leader_and_isr_updates(view, event, view.state.partitions_with_elr_member(broker->id)),
        std::back_inserter(decision.records));
    protocol::UnregisterBrokerRecord record;
    record.broker_id = broker->id;
    record.broker_epoch = broker->epoch;
    decision.records.push_back({record, 0});
    return decision;
}

Result<Decision<protocol::ControllerRegistrationResponse>> register_controller(
    const View& view, const protocol::ControllerRegistrationRequest& request) {
    if (!metadata::is_controller_registration_supported(view.state.metadata_version())) {
        return fail(ErrorCode::UnsupportedVersion,
                    "The current MetadataVersion is too old to support controller registrations.");
    }
    MOLDAU_CHECK(check_security_protocols(request.listeners));
    Decision<protocol::ControllerRegistrationResponse> decision;
    protocol::RegisterControllerRecord record;
    record.controller_id = request.controller_id;
    record.incarnation_id = request.incarnation_id;
    record.zk_migration_ready = false;
    metadata::put_endpoints(request.listeners, record);
    metadata::put_features(request.features, record);
    decision.records.push_back({std::move(record), 0});
    return decision;
}

}  // namespace moldau::controller
