// Log lines of tools, on stderr in the form of Kafka's tools-log4j2.yaml:
//   [2026-11-21 10:00:00,123] ERROR message (org.apache.kafka.tools.TopicCommand)
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/tool.h"

namespace moldau::cli {

void log_error(Streams& streams, std::string_view logger, std::string_view message);
void log_warn(Streams& streams, std::string_view logger, std::string_view message);

// "org.apache.kafka.common.errors.TopicExistsException: Topic 'x' already exists.", the way Java
// tools show an error that came from a broker.
std::string java_error(const Error& error);

}  // namespace moldau::cli
