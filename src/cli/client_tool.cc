#include "cli/client_tool.h"

#include <algorithm>

#include "config/properties.h"

namespace moldau::cli {

ToolError::ToolError(const Error& error)
    : java_class(fmt::format("org.apache.kafka.common.errors.{}", error_exception(error.code))),
      message(error.message) {}

std::unexpected<ToolError> illegal_argument(std::string message) {
    return std::unexpected(ToolError(kIllegalArgument, std::move(message)));
}

Result<client::Properties> load_properties(const std::optional<std::string>& path) {
    if (!path) {
        return client::Properties();
    }
    return config::read_properties_file(*path);
}

Result<std::unique_ptr<client::Client>> make_client(const client::Properties& properties) {
    MOLDAU_TRY(auto config, client::ClientConfig::from_properties(properties));
    return std::make_unique<client::Client>(std::move(config));
}

std::optional<std::string> bad_bootstrap_server(const std::optional<std::string>& text) {
    if (!text || text->find_first_not_of(" \t") == std::string::npos) {
        return "Error while validating the bootstrap address\n";
    }
    if (!client::parse_bootstrap(*text)) {
        return "Please provide valid host:port like host1:9091,host2:9092\n";
    }
    return std::nullopt;
}

bool is_internal_topic(std::string_view topic) {
    return topic == "__consumer_offsets" || topic == "__transaction_state" ||
           topic == "__share_group_state";
}

Result<TopicFilter> TopicFilter::parse(std::string_view list) {
    std::string pattern;
    for (char c : list) {
        if (c == ',') {
            pattern += '|';
        } else if (std::isspace(static_cast<unsigned char>(c)) == 0 && c != '"' && c != '\'') {
            pattern += c;
        }
    }
    auto regex = Regex::compile(pattern);
    if (regex) {
        return TopicFilter(std::move(*regex));
    }
    if (regex.error().unsupported) {
        return fail(ErrorCode::InvalidRegularExpression,
                    "{} uses syntax that is not available: {}: {}", pattern, regex.error().message,
                    regex.error().at);
    }
    return fail(ErrorCode::InvalidRegularExpression, "{} is an invalid regex.", pattern);
}

bool TopicFilter::allows(const std::string& topic, bool exclude_internal) const {
    return !(exclude_internal && is_internal_topic(topic)) && regex_.matches(topic);
}

}  // namespace moldau::cli
