// The compiled key tables, in name order; made by tables/generate.py. Used by config_def.cc alone.
#pragma once

#include <span>

#include "config/config_def.h"

namespace moldau::config {

std::span<const ConfigKey> broker_keys();
std::span<const ConfigKey> broker_dynamic_only_keys();
std::span<const ConfigKey> topic_keys();
std::span<const ConfigKey> group_keys();
std::span<const ConfigKey> client_metrics_keys();
std::span<const ConfigKey> user_client_quota_keys();
std::span<const ConfigKey> ip_quota_keys();

}  // namespace moldau::config
