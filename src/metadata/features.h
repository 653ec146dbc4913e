// Feature levels: what a cluster has agreed to use. One table of metadata.version levels and one of
// the other features, with what each level changes and how far this program can follow.
//
// Two ranges are told apart: the levels that Kafka 4.3 defines (tools print them) and those whose
// whole behaviour is here (a node advertises them, and a cluster may finalize them). A level above
// the second range is refused: finalizing it would promise clients what nobody keeps. Pure data and
// functions; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace moldau::metadata {

inline constexpr std::string_view kMetadataVersionFeature = "metadata.version";
inline constexpr std::string_view kKraftVersionFeature = "kraft.version";
inline constexpr std::string_view kTransactionVersionFeature = "transaction.version";
inline constexpr std::string_view kGroupVersionFeature = "group.version";
inline constexpr std::string_view kElrVersionFeature = "eligible.leader.replicas.version";
inline constexpr std::string_view kShareVersionFeature = "share.version";
inline constexpr std::string_view kStreamsVersionFeature = "streams.version";

inline constexpr int16_t kMetadataVersionMin = 7;        // 3.3-IV3
inline constexpr int16_t kMetadataVersionLatest = 30;    // 4.3-IV0, the latest production level
inline constexpr int16_t kMetadataVersionUnstable = 31;  // known by name, never supported

struct MetadataVersion {
    int16_t level;
    std::string_view name;     // "4.3-IV0"
    std::string_view release;  // "4.3"
    bool production;
    bool changed_metadata;  // a downgrade across this level would lose records
};

// Ascending by level, the unstable one last.
std::span<const MetadataVersion> metadata_versions();
const MetadataVersion* find_metadata_version(int16_t level);
// "4.3-IV0"; "UNKNOWN [<level>]" when there is no such level.
std::string metadata_version_name(int16_t level);
// Reads "4.3-IV0" as itself and "4.3" or "4.3.1" as the latest production level of that release.
// Errors: InvalidRequest with Kafka's sentence when no level has the name.
Result<int16_t> parse_metadata_version(std::string_view text);

// What a level of metadata.version allows to be written.
constexpr bool is_scram_supported(int16_t mv) {
    return mv >= 11;
}
constexpr bool is_leader_epoch_bump_required_on_isr_shrink(int16_t mv) {
    return mv < 12;
}
constexpr bool are_metadata_transactions_supported(int16_t mv) {
    return mv >= 13;
}
constexpr bool are_delegation_tokens_supported(int16_t mv) {
    return mv >= 14;
}
constexpr bool is_controller_registration_supported(int16_t mv) {
    return mv >= 15;
}
constexpr bool is_directory_assignment_supported(int16_t mv) {
    return mv >= 17;
}
constexpr bool is_elr_supported(int16_t mv) {
    return mv >= 23;
}
constexpr bool are_cordoned_directories_supported(int16_t mv) {
    return mv >= 30;
}
constexpr int16_t register_broker_record_version(int16_t mv) {
    return mv >= 30 ? 4 : mv >= 17 ? 3 : mv >= 8 ? 2 : 1;
}
constexpr int16_t broker_registration_change_record_version(int16_t mv) {
    return mv >= 30 ? 3 : mv >= 17 ? 2 : 1;
}
constexpr int16_t partition_record_version(int16_t mv) {
    return mv >= 23 ? 2 : mv >= 17 ? 1 : 0;
}
constexpr int16_t partition_change_record_version(int16_t mv) {
    return partition_record_version(mv);
}

struct FeatureLevel {
    int16_t level;
    std::string_view name;               // "TV_2"
    int16_t bootstrap_metadata_version;  // from here on a new cluster has the level by default
    int16_t metadata_version_needed;     // 0: none
};

struct FeatureInfo {
    std::string_view name;
    int16_t known_max;      // as Kafka 4.3 defines it
    int16_t supported_max;  // as this program follows it; 0: not advertised
    std::span<const FeatureLevel> levels;
};

// All features but metadata.version, in name order of Kafka's tools: kraft.version,
// transaction.version, group.version, eligible.leader.replicas.version, share.version,
// streams.version.
std::span<const FeatureInfo> feature_table();
const FeatureInfo* find_feature(std::string_view name);

// The level that a cluster formatted at that metadata.version gets: Kafka's default, bounded by
// what is supported here.
int16_t default_feature_level(const FeatureInfo& feature, int16_t metadata_version);
// Kafka's own default, for tools that print the mapping.
int16_t kafka_default_feature_level(const FeatureInfo& feature, int16_t metadata_version);

struct SupportedRange {
    int16_t min;
    int16_t max;
};
// What a node advertises: metadata.version and every feature with supported_max > 0, by name.
const std::map<std::string, SupportedRange, std::less<>>& supported_features();

}  // namespace moldau::metadata
