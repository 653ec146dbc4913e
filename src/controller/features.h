// Features: decides UpdateFeatures. A level is finalized only when this controller, every
// registered broker and every registered controller supports it. Pure functions.
#pragma once

#include "controller/decision.h"
#include "protocol/messages/update_features.h"

namespace moldau::controller {

// `voters` are the ids of the quorum; `kraft_version` the level finalized there, which this request
// cannot change.
Decision<protocol::UpdateFeaturesResponse> update_features(
    const View& view, const protocol::UpdateFeaturesRequest& request, int16_t version,
    int16_t kraft_version, const std::vector<int32_t>& voters);

}  // namespace moldau::controller
