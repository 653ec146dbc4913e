#include "controller/features.h"

#include <algorithm>
#include <map>

#include "controller/configs.h"
#include "metadata/features.h"

namespace moldau::controller {

namespace {

using metadata::FeatureRange;
using metadata::Records;

constexpr int8_t kUpgrade = 1;
constexpr int8_t kUnsafeDowngrade = 3;

using Levels = std::map<std::string, int16_t, std::less<>>;

std::unexpected<Error> invalid(std::string_view feature, int16_t level, std::string_view reason) {
    return fail(ErrorCode::InvalidUpdateVersion, "Invalid update version {} for feature {}. {}",
                level, feature, reason);
}

std::string reason_not_supported(int16_t level, std::string_view who, int16_t min, int16_t max) {
    if (level >= min && level <= max) {
        return "";
    }
    if (max == 0) {
        return fmt::format("{} does not support this feature.", who);
    }
    return min == max ? fmt::format("{} only supports versions {}", who, min)
                      : fmt::format("{} only supports versions {}-{}", who, min, max);
}

std::string reason_not_supported(int16_t level, std::string_view who,
                                 const std::map<std::string, FeatureRange>& ranges,
                                 std::string_view feature) {
    auto at = ranges.find(std::string(feature));
    FeatureRange range = at == ranges.end() ? FeatureRange() : at->second;
    return reason_not_supported(level, who, range.min, range.max);
}

std::string reason_not_supported_anywhere(const View& view, std::string_view feature, int16_t level,
                                          const std::vector<int32_t>& voters) {
    int32_t self = view.config.node_id();
    auto local = metadata::supported_features().find(feature);
    metadata::SupportedRange range = local == metadata::supported_features().end()
                                         ? metadata::SupportedRange{0, 0}
                                         : local->second;
    std::string reason =
        reason_not_supported(level, fmt::format("Local controller {}", self), range.min, range.max);
    const metadata::Cluster& cluster = view.state.image().cluster;
    for (auto at = cluster.brokers.begin(); reason.empty() && at != cluster.brokers.end(); ++at) {
        reason = reason_not_supported(level, fmt::format("Broker {}", at->first),
                                      at->second.supported_features, feature);
    }
    if (!metadata::is_controller_registration_supported(view.state.metadata_version())) {
        return reason;
    }
    for (auto at = cluster.controllers.begin(); reason.empty() && at != cluster.controllers.end();
         ++at) {
        if (at->first != self) {
            reason = reason_not_supported(level, fmt::format("Controller {}", at->first),
                                          at->second.supported_features, feature);
        }
    }
    for (int32_t voter : voters) {
        if (reason.empty() && voter != self && !cluster.controllers.contains(voter)) {
            reason = fmt::format(
                "controller {} has not registered, and may not support this feature", voter);
        }
    }
    return reason;
}

Status check_metadata_version(int16_t present, int16_t wanted, bool unsafe) {
    auto refused = [&](std::string_view reason) {
        return fail(ErrorCode::InvalidUpdateVersion,
                    "Unsupported metadata.version downgrade from {} to {}. {}", present, wanted,
                    reason);
    };
    for (int16_t level = wanted; level < present; ++level) {
        const metadata::MetadataVersion* passed =
            metadata::find_metadata_version(static_cast<int16_t>(level + 1));
        if (passed != nullptr && passed->changed_metadata) {
            return unsafe ? refused("Unsafe metadata downgrade is not supported in this version.")
                          : refused(
                                "Refusing to perform the requested downgrade because it might "
                                "delete metadata information.");
        }
    }
    return {};
}

// A level may need another feature's level: the one that this very request proposes, if it does.
Status check_dependencies(std::string_view feature, int16_t level, const Levels& proposed) {
    const metadata::FeatureInfo* info = metadata::find_feature(feature);
    if (info == nullptr) {
        // Level 0 of what nobody knows is within the range of every node, which is 0 to 0.
        return invalid(feature, level, fmt::format("Feature {} not found.", feature));
    }
    for (const metadata::FeatureLevel& known : info->levels) {
        if (known.level != level || known.metadata_version_needed == 0) {
            continue;
        }
        if (proposed.find(metadata::kMetadataVersionFeature)->second <
            known.metadata_version_needed) {
            return invalid(feature, level,
                           fmt::format("{} could not be set to {} because it depends on "
                                       "metadata.version level {}",
                                       feature, level, known.metadata_version_needed));
        }
    }
    return {};
}

metadata::VersionedRecord level_record(std::string_view feature, int16_t level) {
    protocol::FeatureLevelRecord record;
    record.name = feature;
    record.feature_level = level;
    return {std::move(record), 0};
}

struct Update {
    int16_t level;
    int8_t type;
};

Status update_one(const View& view, std::string_view feature, const Update& update,
                  const Levels& proposed, int16_t kraft_version, const std::vector<int32_t>& voters,
                  Records& records) {
    if (update.type < kUpgrade || update.type > kUnsafeDowngrade) {
        return invalid(feature, update.level,
                       "The controller does not support the given upgrade type.");
    }
    bool is_metadata_version = feature == metadata::kMetadataVersionFeature;
    bool is_kraft_version = feature == metadata::kKraftVersionFeature;
    int16_t present = is_metadata_version ? view.state.metadata_version()
                      : is_kraft_version  ? kraft_version
                                          : view.state.image().features.level(feature);
    if (update.level < 0) {
        return invalid(feature, update.level, "A feature version cannot be less than 0.");
    }
    std::string reason = reason_not_supported_anywhere(view, feature, update.level, voters);
    if (!reason.empty()) {
        return invalid(feature, update.level, reason);
    }
    if (update.level < present && update.type == kUpgrade) {
        return invalid(feature, update.level,
                       "Can't downgrade the version of this feature without setting the upgrade "
                       "type to either safe or unsafe downgrade.");
    }
    if (update.level > present && update.type != kUpgrade) {
        return invalid(feature, update.level, "Can't downgrade to a newer version.");
    }
    if (is_kraft_version) {
        if (update.level == present) {
            return {};
        }
        return update.level < present
                   ? invalid(feature, update.level, "Can't downgrade the version of this feature.")
                   : invalid(feature, update.level,
                             "Upgrading the quorum of static voters is not supported.");
    }
    if (is_metadata_version) {
        MOLDAU_CHECK(
            check_metadata_version(present, update.level, update.type == kUnsafeDowngrade));
    } else {
        MOLDAU_CHECK(check_dependencies(feature, update.level, proposed));
    }
    records.push_back(level_record(feature, update.level));
    return {};
}

}  // namespace

Decision<protocol::UpdateFeaturesResponse> update_features(
    const View& view, const protocol::UpdateFeaturesRequest& request, int16_t version,
    int16_t kraft_version, const std::vector<int32_t>& voters) {
    std::map<std::string, Update> updates;
    for (const auto& update : request.feature_updates) {
        // Version 0 has a flag that allows a downgrade; Kafka reads it as an upgrade all the same.
        updates[update.feature] = {update.max_version_level, update.upgrade_type};
    }
    Levels proposed;
    for (const auto& [name, level] : view.state.image().features.levels) {
        proposed[name] = level;
    }
    proposed[std::string(metadata::kMetadataVersionFeature)] = view.state.metadata_version();
    for (const auto& [name, update] : updates) {
        proposed[name] = update.level;
    }

    Decision<protocol::UpdateFeaturesResponse> decision;
    decision.response.error_message = std::nullopt;
    auto elr = updates.find(std::string(metadata::kElrVersionFeature));
    if (elr != updates.end() && elr->second.level > 0) {
        decision.records = elr_safety_records(view);
    }
    for (const auto& [name, update] : updates) {
        Status status =
            update_one(view, name, update, proposed, kraft_version, voters, decision.records);
        if (!status) {
            decision.records.clear();
            decision.response.error_code = to_wire(status.error().code);
            decision.response.error_message = fmt::format(
                "The update failed for all features since the following feature had an error: {}",
                status.error().message);
            return decision;
        }
    }
    if (version <= 1) {
        for (const auto& update : request.feature_updates) {
            auto& result = decision.response.results.emplace_back();
            result.feature = update.feature;
            result.error_message = "NONE";  // the name of the code, where nothing went wrong
        }
    }
    if (request.validate_only) {
        decision.records.clear();
    }
    return decision;
}

}  // namespace moldau::controller
