// kafka-cluster: the cluster's id and the endpoints of its nodes.
#include <algorithm>

#include "cli/argument_parser.h"
#include "cli/client_tool.h"
#include "cli/tools.h"
#include "client/admin.h"
#include "protocol/messages/describe_cluster.h"

namespace moldau::cli {
namespace {

constexpr int8_t kBrokers = 1;
constexpr int8_t kControllers = 2;

constexpr ArgumentSpec kServer{.flag = "--bootstrap-server",
                               .short_flag = "-b",
                               .help = "Brokers to connect to.",
                               .group = 1,
                               .group_required = true};
constexpr ArgumentSpec kController{.flag = "--bootstrap-controller",
                                   .short_flag = "-C",
                                   .help = "Controllers to connect to.",
                                   .group = 1,
                                   .group_required = true};
constexpr ArgumentSpec kConfig{.flag = "--config", .help = "(DEPRECATED) Use --command-config."};
constexpr ArgumentSpec kCommandConfig{.flag = "--command-config",
                                      .short_flag = "-c",
                                      .help = "A properties file for the admin client."};
constexpr ArgumentSpec kClusterIdArguments[] = {kConfig, kCommandConfig, kServer, kController};
constexpr ArgumentSpec kListArguments[] = {kConfig,
                                           kCommandConfig,
                                           kServer,
                                           kController,
                                           {.flag = "--include-fenced-brokers",
                                            .kind = ArgumentKind::Flag,
                                            .help = "List brokers that are fenced too."}};
constexpr ArgumentSpec kUnregisterArguments[] = {
    kConfig,
    kCommandConfig,
    kServer,
    kController,
    {.flag = "--id", .short_flag = "-i", .help = "The broker to forget.", .required = true}};
constexpr CommandSpec kCommands[] = {
    {"cluster-id", "Get information about the ID of a cluster.", kClusterIdArguments},
    {"unregister", "Unregister a broker.", kUnregisterArguments},
    {"list-endpoints", "List endpoints", kListArguments},
};

void print_endpoints(const protocol::DescribeClusterResponse& cluster, bool controllers,
                     Streams& streams) {
    size_t host = cluster.brokers.empty() ? 100 : 0;
    size_t rack = 0;
    for (const auto& node : cluster.brokers) {
        host = std::max(host, node.host.size());
        rack = std::max(rack, node.rack.value_or("").size());
    }
    rack = rack == 0 ? 10 : rack;
    auto line = [&](std::string_view id, std::string_view name, std::string_view port,
                    std::string_view where, std::string_view state, std::string_view type) {
        say(streams.out, "{:<10} {:<{}} {:<10} {:<{}} ", id, name, host, port, where, rack);
        if (!controllers) {
            say(streams.out, "{:<10} ", state);
        }
        say(streams.out, "{:<15}\n", type);
    };
    line("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE");
    for (const auto& node : cluster.brokers) {
        line(fmt::format("{}", node.broker_id), node.host, fmt::format("{}", node.port),
             node.rack.value_or("null"), node.is_fenced ? "fenced" : "unfenced",
             controllers ? "controller" : "broker");
    }
}

Status run(const ParsedArguments& arguments, Streams& streams) {
    auto file = arguments.has("--config") ? arguments.value("--config")
                                          : arguments.value("--command-config");
    MOLDAU_TRY(auto properties, load_properties(file));
    bool controllers = arguments.has("--bootstrap-controller");
    properties.insert_or_assign(
        controllers ? "bootstrap.controllers" : "bootstrap.servers",
        *arguments.value(controllers ? "--bootstrap-controller" : "--bootstrap-server"));
    MOLDAU_TRY(auto client, make_client(properties));
    protocol::DescribeClusterRequest request;
    request.endpoint_type = controllers ? kControllers : kBrokers;
    request.include_fenced_brokers = arguments.has("--include-fenced-brokers");
    MOLDAU_TRY(auto cluster, client->call<protocol::DescribeClusterResponse>(
                                 client::AnyNode{}, std::move(request), "describeCluster"));
    if (cluster.error_code != 0) {
        return fail(client::wire_error(cluster.error_code, cluster.error_message));
    }
    if (arguments.command() == "cluster-id") {
        say(streams.out, "Cluster ID: {}\n", cluster.cluster_id);
    } else {
        print_endpoints(cluster, controllers, streams);
    }
    return {};
}

}  // namespace

int run_kafka_cluster(Arguments arguments, Streams& streams) {
    ArgumentParser parser("kafka-cluster", "The Kafka cluster tool.", {}, kCommands);
    auto parsed = parser.parse(arguments, streams);
    if (!parsed) {
        return parsed.error();
    }
    if (parsed->has("--config")) {
        say(streams.out,
            "Option --config has been deprecated and will be removed in a future version. Use "
            "--command-config instead.\n");
    }
    if (parsed->command() == "unregister") {
        say(streams.err, "kafka-cluster unregister: not part of Moldau yet\n");
        return 1;
    }
    if (auto status = run(*parsed, streams); !status) {
        say(streams.err, "{}\n", status.error().message);
        return 1;
    }
    return 0;
}

}  // namespace moldau::cli
