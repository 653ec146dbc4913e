// kafka-groups: lists groups of every type.
#include <algorithm>

#include "cli/client_tool.h"
#include "cli/option_parser.h"
#include "cli/tools.h"
#include "client/admin.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr std::string_view kDescription = "This tool helps to list groups of all types.";

constexpr OptionSpec kOptions[] = {
    {"bootstrap-server", Required, "server to connect to", "REQUIRED: brokers to connect to.",
     "String", "", true},
    {"command-config", Required, "command config property file",
     "A properties file for the admin client."},
    {"consumer", None, {}, "Only consumer groups, classic and simple ones included."},
    {"group-type", Required, "type", "Only groups of a type: classic, consumer, share, streams."},
    {"list", None, {}, "List the groups."},
    {"protocol", Required, "protocol", "Only groups of a protocol."},
    {"share", None, {}, "Only share groups."},
    {"streams", None, {}, "Only streams groups."},
    kHelpOption,
    kVersionOption,
};

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

bool passes(const client::GroupListing& group, const ParsedOptions& options) {
    std::string type = lower(group.type);
    auto protocol = options.value("protocol");
    bool protocol_fits = !protocol || group.protocol_type == *protocol;
    if (auto wanted = options.value("group-type")) {
        return type == lower(*wanted) && protocol_fits;
    }
    if (protocol) {
        return protocol_fits;
    }
    if (options.has("consumer")) {
        return group.protocol_type == "consumer" || group.protocol_type.empty() ||
               type == "consumer";
    }
    if (options.has("share")) {
        return type == "share";
    }
    return !options.has("streams") || type == "streams";
}

Status list(const ParsedOptions& options, Streams& streams) {
    MOLDAU_TRY(auto properties, load_properties(options.value("command-config")));
    properties.insert_or_assign("bootstrap.servers", *options.value("bootstrap-server"));
    MOLDAU_TRY(auto client, make_client(properties));
    MOLDAU_TRY(auto groups, client::Admin(*client).list_groups());
    std::erase_if(groups, [&](const auto& group) { return !passes(group, options); });
    size_t width = 20;
    for (const auto& group : groups) {
        width = std::max({width, group.id.size(), group.type.size(), group.protocol_type.size()});
    }
    say(streams.out, "{:<{}} {:<{}} {:<{}}\n", "GROUP", width, "TYPE", width, "PROTOCOL", width);
    for (const auto& group : groups) {
        say(streams.out, "{:<{}} {:<{}} {:<{}} \n", group.id, width, group.type, width,
            group.protocol_type, width);
    }
    return {};
}

}  // namespace

int run_kafka_groups(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    if (arguments.empty()) {
        return usage_error(streams, parser, kDescription);
    }
    auto options = parser.parse(arguments);
    if (!options) {
        return usage_error(streams, parser, options.error().message);
    }
    if (auto code = help_or_version(streams, parser, *options, kDescription)) {
        return *code;
    }
    if (!options->has("list")) {
        return usage_error(streams, parser, "Command must include exactly one action: --list.");
    }
    if (auto type = options->value("group-type")) {
        constexpr std::string_view known[] = {"classic", "consumer", "share", "streams"};
        if (std::ranges::find(known, lower(*type)) == std::end(known)) {
            say(streams.err, "--group-type must be a valid group type.\n");
            return 1;
        }
    }
    for (std::string_view used : {"consumer", "share", "streams"}) {
        for (std::string_view other : {"consumer", "group-type", "protocol", "share", "streams"}) {
            if (used == other) {
                continue;
            }
            if (auto message = conflicting(*options, used, {other})) {
                return usage_error(streams, parser, *message);
            }
        }
    }
    if (auto status = list(*options, streams); !status) {
        say(streams.err, "{}\n", status.error().message);
        return 1;
    }
    return 0;
}

}  // namespace moldau::cli
