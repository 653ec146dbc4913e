// ConfigAdmin: what a broker does to AlterConfigs and IncrementalAlterConfigs before the controller
// sees them: refuses malformed resources, validates changes of its own configuration and of the
// cluster-wide defaults, and changes log levels itself. What is left over is the controller's. Free
// functions over the present configuration and image; any thread.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/server_config.h"
#include "metadata/image.h"
#include "protocol/messages/alter_configs.h"
#include "protocol/messages/incremental_alter_configs.h"

namespace moldau::broker {

struct ConfigAdminContext {
    int32_t node_id;
    const config::ServerConfig& config;
    const metadata::Image& image;
};

// One entry per resource of the request: nullopt is left to the controller, anything else is the
// final answer (code None when it was done here).
using Preprocessed = std::vector<std::optional<Error>>;

Preprocessed preprocess(const ConfigAdminContext& context,
                        const protocol::IncrementalAlterConfigsRequest& request);
Preprocessed preprocess(const ConfigAdminContext& context,
                        const protocol::AlterConfigsRequest& request);

// The id in a broker or logger resource name. Errors: InvalidRequest unless it is `node_id`.
Status check_own_node_id(std::string_view name, int32_t node_id);

}  // namespace moldau::broker
