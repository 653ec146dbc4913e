// The little languages of kafka-configs: "k1=v1,k2=[v1,v2]" and "k1,k2". Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moldau::cli {

// Commas inside brackets belong to the value; brackets are taken off. Nothing when a part has no
// '=' or more than one.
std::optional<std::map<std::string, std::string>> parse_config_changes(std::string_view text);

std::vector<std::string> parse_config_keys(std::string_view text);

}  // namespace moldau::cli
