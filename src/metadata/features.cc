#include "metadata/features.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/ranges.h>

namespace moldau::metadata {

namespace {

constexpr std::array kVersions = {
    MetadataVersion{7, "3.3-IV3", "3.3", true, true},
    MetadataVersion{8, "3.4-IV0", "3.4", true, true},
    MetadataVersion{9, "3.5-IV0", "3.5", true, false},
    MetadataVersion{10, "3.5-IV1", "3.5", true, false},
    MetadataVersion{11, "3.5-IV2", "3.5", true, true},
    MetadataVersion{12, "3.6-IV0", "3.6", true, false},
    MetadataVersion{13, "3.6-IV1", "3.6", true, true},
    MetadataVersion{14, "3.6-IV2", "3.6", true, true},
    MetadataVersion{15, "3.7-IV0", "3.7", true, true},
    MetadataVersion{16, "3.7-IV1", "3.7", true, false},
    MetadataVersion{17, "3.7-IV2", "3.7", true, true},
    MetadataVersion{18, "3.7-IV3", "3.7", true, false},
    MetadataVersion{19, "3.7-IV4", "3.7", true, false},
    MetadataVersion{20, "3.8-IV0", "3.8", true, false},
    MetadataVersion{21, "3.9-IV0", "3.9", true, false},
    MetadataVersion{22, "4.0-IV0", "4.0", true, false},
    MetadataVersion{23, "4.0-IV1", "4.0", true, true},
    MetadataVersion{24, "4.0-IV2", "4.0", true, false},
    MetadataVersion{25, "4.0-IV3", "4.0", true, false},
    MetadataVersion{26, "4.1-IV0", "4.1", true, false},
    MetadataVersion{27, "4.1-IV1", "4.1", true, false},
    MetadataVersion{28, "4.2-IV0", "4.2", true, false},
    MetadataVersion{29, "4.2-IV1", "4.2", true, false},
    MetadataVersion{30, "4.3-IV0", "4.3", true, true},
    MetadataVersion{31, "4.4-IV0", "4.4", false, false},
};

constexpr std::array kKraftLevels = {
    FeatureLevel{0, "KRAFT_VERSION_0", 7, 0},
    FeatureLevel{1, "KRAFT_VERSION_1", 21, 0},
};
constexpr std::array kTransactionLevels = {
    FeatureLevel{0, "TV_0", 7, 0},
    FeatureLevel{1, "TV_1", 24, 0},
    FeatureLevel{2, "TV_2", 24, 0},
};
constexpr std::array kGroupLevels = {
    FeatureLevel{0, "GV_0", 7, 0},
    FeatureLevel{1, "GV_1", 22, 0},
};
constexpr std::array kElrLevels = {
    FeatureLevel{0, "ELRV_0", 7, 0},
    FeatureLevel{1, "ELRV_1", 26, 23},
};
constexpr std::array kShareLevels = {
    FeatureLevel{0, "SV_0", 7, 0},
    FeatureLevel{1, "SV_1", 28, 0},
};
constexpr std::array kStreamsLevels = {
    FeatureLevel{0, "SV_0", 7, 0},
    FeatureLevel{1, "SV_1", 29, 0},
};

constexpr std::array kFeatures = {
    FeatureInfo{kKraftVersionFeature, 1, 1, kKraftLevels},
    FeatureInfo{kTransactionVersionFeature, 2, 0, kTransactionLevels},
    FeatureInfo{kGroupVersionFeature, 1, 0, kGroupLevels},
    FeatureInfo{kElrVersionFeature, 1, 1, kElrLevels},
    FeatureInfo{kShareVersionFeature, 1, 0, kShareLevels},
    FeatureInfo{kStreamsVersionFeature, 1, 0, kStreamsLevels},
};

}  // namespace

std::span<const MetadataVersion> metadata_versions() {
    return kVersions;
}

const MetadataVersion* find_metadata_version(int16_t level) {
    auto at = std::ranges::find(kVersions, level, &MetadataVersion::level);
    return at == kVersions.end() ? nullptr : &*at;
}

std::string metadata_version_name(int16_t level) {
    const MetadataVersion* found = find_metadata_version(level);
    return found == nullptr ? fmt::format("UNKNOWN [{}]", level) : std::string(found->name);
}

Result<int16_t> parse_metadata_version(std::string_view text) {
    // Only the first two parts between dots count: "4.3.1" is asked for as "4.3", "4.3-IV0" is
    // whole.
    std::string_view key = text;
    size_t first_dot = text.find('.');
    if (first_dot != std::string_view::npos) {
        key = text.substr(0, text.find('.', first_dot + 1));
    }
    const MetadataVersion* found = nullptr;
    for (const MetadataVersion& version : kVersions) {
        if (version.production && (version.name == key || version.release == key)) {
            found = &version;
        }
    }
    if (found != nullptr) {
        return found->level;
    }
    std::vector<std::string_view> names;
    for (const MetadataVersion& version : kVersions) {
        if (version.production) {
            names.push_back(version.name);
        }
    }
    return fail(ErrorCode::InvalidRequest,
                "Unknown metadata.version '{}'. Supported metadata.version are: {}", text,
                fmt::join(names, ", "));
}

std::span<const FeatureInfo> feature_table() {
    return kFeatures;
}

const FeatureInfo* find_feature(std::string_view name) {
    auto at = std::ranges::find(kFeatures, name, &FeatureInfo::name);
    return at == kFeatures.end() ? nullptr : &*at;
}

int16_t kafka_default_feature_level(const FeatureInfo& feature, int16_t metadata_version) {
    int16_t level = 0;
    for (const FeatureLevel& candidate : feature.levels) {
        if (candidate.bootstrap_metadata_version <= metadata_version) {
            level = candidate.level;
        }
    }
    return level;
}

int16_t default_feature_level(const FeatureInfo& feature, int16_t metadata_version) {
    return std::min(kafka_default_feature_level(feature, metadata_version), feature.supported_max);
}

const std::map<std::string, SupportedRange, std::less<>>& supported_features() {
    static const auto kSupported = [] {
        std::map<std::string, SupportedRange, std::less<>> supported;
        supported.emplace(kMetadataVersionFeature,
                          SupportedRange{kMetadataVersionMin, kMetadataVersionLatest});
        for (const FeatureInfo& feature : kFeatures) {
            if (feature.supported_max > 0) {
                supported.emplace(feature.name, SupportedRange{0, feature.supported_max});
            }
        }
        return supported;
    }();
    return kSupported;
}

}  // namespace moldau::metadata
