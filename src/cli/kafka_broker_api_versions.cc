// kafka-broker-api-versions: what each broker says in ApiVersions, and what this client would use.
#include "cli/client_tool.h"
#include "cli/option_parser.h"
#include "cli/text.h"
#include "cli/tools.h"
#include "client/admin.h"
#include "protocol/api_keys.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr OptionSpec kOptions[] = {
    {"bootstrap-server", Required, "server(s) to use for bootstrapping",
     "REQUIRED: brokers to connect to."},
    {"command-config", Required, "command config property file",
     "A properties file for the admin client."},
    kHelpOption,
    kVersionOption,
};

std::string range_text(protocol::VersionRange range) {
    return range.first == range.last ? fmt::format("{}", range.first)
                                     : fmt::format("{} to {}", range.first, range.last);
}

std::string versions_text(const client::ApiRanges& ranges) {
    std::vector<std::string> lines;
    for (const auto& [key, told] : ranges) {
        const protocol::ApiInfo* api = protocol::find_api(key);
        if (api == nullptr) {
            lines.push_back(fmt::format("UNKNOWN({}): {}", key, range_text(told)));
            continue;
        }
        protocol::VersionRange ours = api->served();
        int16_t usable = std::min(told.last, ours.last);
        bool common = usable >= std::max(told.first, ours.first);
        lines.push_back(fmt::format("{}({}): {} [{}]", api->name, key, range_text(told),
                                    common ? fmt::format("usable: {}", usable)
                                           : std::string("unusable: node too old or too new")));
    }
    for (const protocol::ApiInfo& api : protocol::all_apis()) {
        int16_t key = static_cast<int16_t>(api.key);
        if (api.on_broker() && protocol::find_api(key) != nullptr && !ranges.contains(key)) {
            lines.push_back(fmt::format("{}({}): UNSUPPORTED", api.name, key));
        }
    }
    return fmt::format("(\n\t{}\n)", fmt::join(lines, ",\n\t"));
}

// When no broker to begin with told of the others.
ToolError no_metadata(std::string_view bootstrap_servers) {
    std::vector<std::string> nodes;
    for (std::string_view server : split(bootstrap_servers, ',')) {
        nodes.push_back(
            fmt::format("{} (id: -{} rack: null isFenced: false)", trim(server), nodes.size() + 1));
    }
    return {"java.lang.RuntimeException",
            fmt::format("Request METADATA failed on brokers [{}]", fmt::join(nodes, ", "))};
}

ToolResult<void> print_versions(const ParsedOptions& options, Streams& streams) {
    MOLDAU_TRY(auto properties, load_properties(options.value("command-config")));
    std::string bootstrap_servers = *options.value("bootstrap-server");
    properties.insert_or_assign("bootstrap.servers", bootstrap_servers);
    MOLDAU_TRY(auto client, make_client(properties));
    auto nodes = client::Admin(*client).describe_cluster();
    if (!nodes) {
        return std::unexpected(no_metadata(bootstrap_servers));
    }
    for (const client::Node& node : *nodes) {
        say(streams.out, "{} (id: {} rack: {} isFenced: false) -> ", node.endpoint.str(), node.id,
            node.rack.value_or("null"));
        auto versions = client->api_versions(client::BrokerWithId{node.id});
        if (versions) {
            say(streams.out, "{}\n", versions_text(versions->second));
        } else {
            say(streams.out, "ERROR: {}\n", versions.error().message);
        }
    }
    return {};
}

}  // namespace

int run_kafka_broker_api_versions(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    auto options = parser.parse(arguments);
    if (!options) {
        say(streams.err, "{}\n", options.error().message);
        return 1;
    }
    if (auto code = help_or_version(streams, parser, *options,
                                    "This tool helps to retrieve broker version information.")) {
        return *code;
    }
    if (auto message = missing_required(*options, {"bootstrap-server"})) {
        return usage_error(streams, parser, *message);
    }
    if (auto status = print_versions(*options, streams); !status) {
        say(streams.err, "{}\n{}\n", status.error().message, status.error().str());
        return 1;
    }
    return 0;
}

}  // namespace moldau::cli
