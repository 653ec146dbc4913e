// What a decider returns: the records that make the decision true, and the answer to give once they
// are committed. Deciding changes nothing; a decision without records only reads.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/error_code.h"
#include "base/result.h"
#include "config/server_config.h"
#include "controller/state.h"
#include "metadata/versioned_record.h"

namespace moldau::controller {

template <typename Response>
struct Decision {
    metadata::Records records;
    Response response{};
    // All of `records` or none of them may ever be seen. False: any prefix is a valid history.
    bool atomic = true;
};

// 64 random bits; handed in so that a decision can be repeated.
using Draw = std::function<uint64_t()>;

// Everything a decider may look at.
struct View {
    const State& state;
    const config::ServerConfig& config;  // of this controller, static part
    std::string_view cluster_id;
};

// More records than this for one user request are refused, as they could not be one atomic batch.
inline constexpr size_t kRecordsPerOperationMax = 10'000;

}  // namespace moldau::controller
