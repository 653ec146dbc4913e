// What every tool that talks to a cluster shares: client properties from a file and the command
// line, the connection, topic filters, errors with the Java class that Kafka's tools print.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/regex.h"
#include "base/result.h"
#include "cli/option_parser.h"
#include "client/client.h"
#include "client/client_config.h"

namespace moldau::cli {

// A failure as the Java tools show it: "java.lang.IllegalArgumentException: Topic ...".
struct ToolError {
    std::string java_class;
    std::string message;

    ToolError(std::string_view java_class, std::string message)
        : java_class(java_class), message(std::move(message)) {}
    // From a broker or the client: org.apache.kafka.common.errors.X.
    ToolError(const Error& error);  // NOLINT: an Error is one way to fail

    std::string str() const { return java_class + ": " + message; }
};
template <typename T>
using ToolResult = std::expected<T, ToolError>;

inline constexpr std::string_view kIllegalArgument = "java.lang.IllegalArgumentException";
inline constexpr std::string_view kConfigException =
    "org.apache.kafka.common.config.ConfigException";

std::unexpected<ToolError> illegal_argument(std::string message);

// The properties of the file, or none when `path` is unset.
Result<client::Properties> load_properties(const std::optional<std::string>& path);

// Connects lazily: errors are those of the properties.
Result<std::unique_ptr<client::Client>> make_client(const client::Properties& properties);

// Kafka's first look at --bootstrap-server: the message when it is no list of host:port.
std::optional<std::string> bad_bootstrap_server(const std::optional<std::string>& text);

bool is_internal_topic(std::string_view topic);

// A comma-separated list of regular expressions, one of which must match the whole topic name.
class TopicFilter {
 public:
    static Result<TopicFilter> parse(std::string_view list);

    bool allows(const std::string& topic, bool exclude_internal) const;

 private:
    explicit TopicFilter(Regex regex) : regex_(std::move(regex)) {}

    Regex regex_;
};

}  // namespace moldau::cli
