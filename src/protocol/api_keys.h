// The table of APIs: versions, headers, listeners and what the broker may do with each.
// Generated from schema/api; constant, usable from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/messages/api_key.h"
#include "protocol/wire.h"

namespace moldau::protocol {

// Listeners that serve an API.
inline constexpr uint8_t kOnBroker = 1;
inline constexpr uint8_t kOnController = 2;

struct ApiInfo {
    ApiKey key;
    std::string_view name;  // "Fetch"
    VersionRange versions;  // with the unstable one; empty for APIs removed in Kafka 4.0
    VersionRange flexible;  // empty when no version is
    uint8_t listeners;      // kOnBroker | kOnController
    bool latest_unstable;   // the last version is served only when unstable versions are enabled
    bool cluster_action;    // reserved to brokers and controllers (ClusterAction on the cluster)
    bool forwardable;       // a broker sends it on to the active controller

    bool on_broker() const { return (listeners & kOnBroker) != 0; }
    bool on_controller() const { return (listeners & kOnController) != 0; }

    // What ApiVersions tells clients. Produce is announced from version 0, which it no longer
    // serves: clients built on librdkafka before 1.8 refuse a broker otherwise (KAFKA-18659).
    VersionRange advertised(bool unstable_enabled = false) const;
    // What is served: `versions`, less the unstable one.
    VersionRange served(bool unstable_enabled = false) const;

    int16_t request_header_version(int16_t version) const {
        return flexible.contains(version) ? 2 : 1;
    }
    // ApiVersions keeps header 0 for ever: its reader does not know yet what the broker speaks.
    int16_t response_header_version(int16_t version) const {
        return flexible.contains(version) && key != ApiKey::ApiVersions ? 1 : 0;
    }
};

inline constexpr size_t kApiCount = 93;
extern const std::array<ApiInfo, kApiCount> kApis;

// All APIs by ascending key, the removed ones too.
inline std::span<const ApiInfo> all_apis() {
    return kApis;
}

// nullptr for an unknown key and for an API without any version.
const ApiInfo* find_api(int16_t key);
inline const ApiInfo& api_info(ApiKey key) {
    return kApis[static_cast<size_t>(key)];
}

}  // namespace moldau::protocol
