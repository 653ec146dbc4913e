// Java properties files: how server.properties, meta.properties and client files are written.
// The grammar is java.util.Properties': `key=value`, `key:value` or `key value`, `#` and `!`
// comments, a backslash at the end of a line continues it, and \t \n \r \f \uXXXX and \<any>
// escapes. Pure functions apart from read_properties_file; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace moldau::config {

// Keys and values as written. A key that appears twice keeps its last value, as in Java.
using ConfigMap = std::map<std::string, std::string, std::less<>>;

// Errors: InvalidConfig for a malformed \uXXXX, the only thing the grammar refuses.
Result<ConfigMap> parse_properties(std::string_view text);

// Errors: InvalidConfig with the path and the system's reason when the file cannot be read.
Result<ConfigMap> read_properties_file(const std::string& path);

// One `key=value` line per entry, in key order, escaped so that parse_properties gives it back.
std::string format_properties(const ConfigMap& entries);

}  // namespace moldau::config
