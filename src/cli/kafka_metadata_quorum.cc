// kafka-metadata-quorum: the KRaft quorum's leader, voters and how far each has got.
#include <algorithm>

#include "cli/argument_parser.h"
#include "cli/client_tool.h"
#include "cli/tools.h"
#include "client/admin.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_quorum.h"
#include "runtime/clock.h"

namespace moldau::cli {
namespace {

using Quorum = protocol::DescribeQuorumResponse;
using Replica = Quorum::ReplicaState;

constexpr ArgumentSpec kGlobal[] = {
    {.flag = "--bootstrap-server",
     .help = "Brokers to connect to.",
     .group = 1,
     .group_required = true},
    {.flag = "--bootstrap-controller",
     .help = "Controllers to connect to.",
     .group = 1,
     .group_required = true},
    {.flag = "--command-config", .help = "A properties file for the admin client."},
};
constexpr ArgumentSpec kDescribe[] = {
    {.flag = "--status", .kind = ArgumentKind::Flag, .help = "A short summary of the quorum."},
    {.flag = "--replication", .kind = ArgumentKind::Flag, .help = "How far each replica has got."},
    {.flag = "--human-readable",
     .kind = ArgumentKind::Flag,
     .help = "With --replication: times as a distance from now."},
};
constexpr ArgumentSpec kAdd[] = {
    {.flag = "--dry-run", .kind = ArgumentKind::Flag, .help = "Only show what would be done."}};
constexpr ArgumentSpec kRemove[] = {
    {.flag = "--controller-id",
     .short_flag = "-i",
     .help = "The controller's id.",
     .required = true},
    {.flag = "--controller-directory-id",
     .short_flag = "-d",
     .help = "Its directory's id.",
     .required = true},
    {.flag = "--dry-run", .kind = ArgumentKind::Flag, .help = "Only show what would be done."}};
constexpr CommandSpec kCommands[] = {
    {"describe", "Describe the metadata quorum info", kDescribe},
    {"add-controller", "Add a controller to the KRaft controller cluster", kAdd},
    {"remove-controller", "Remove a controller from the KRaft controller cluster", kRemove},
};

struct Described {
    std::string cluster_id;
    Quorum quorum;
    Quorum::PartitionData partition;

    const Replica* leader() const {
        auto found =
            std::ranges::find(partition.current_voters, partition.leader_id, &Replica::replica_id);
        return found == partition.current_voters.end() ? nullptr : &*found;
    }
};

Result<Described> ask(client::Client& client) {
    Described described;
    protocol::DescribeClusterRequest of_cluster;
    constexpr int8_t kControllers = 2;
    if (client.config().controllers) {
        of_cluster.endpoint_type = kControllers;
    }
    MOLDAU_TRY(auto cluster, client.call<protocol::DescribeClusterResponse>(
                                 client::AnyNode{}, std::move(of_cluster), "describeCluster"));
    described.cluster_id = cluster.cluster_id;
    protocol::DescribeQuorumRequest request;
    request.topics.emplace_back().topic_name = "__cluster_metadata";
    request.topics.back().partitions.emplace_back().partition_index = 0;
    MOLDAU_TRY(described.quorum, client.call<Quorum>(client::AnyNode{}, std::move(request),
                                                     "describeMetadataQuorum"));
    if (described.quorum.error_code != 0) {
        return fail(
            client::wire_error(described.quorum.error_code, described.quorum.error_message));
    }
    if (described.quorum.topics.empty() || described.quorum.topics[0].partitions.empty()) {
        return fail(ErrorCode::UnknownServerError, "the quorum was not described");
    }
    described.partition = described.quorum.topics[0].partitions[0];
    if (described.partition.error_code != 0) {
        return fail(
            client::wire_error(described.partition.error_code, described.partition.error_message));
    }
    if (described.leader() == nullptr) {
        return fail(ErrorCode::LeaderNotAvailable, "the quorum has no leader now");
    }
    return described;
}

std::string replicas_text(const Described& described, const std::vector<Replica>& replicas) {
    std::vector<std::string> texts;
    for (const Replica& replica : replicas) {
        std::string text = fmt::format("{{\"id\": {}", replica.replica_id);
        if (!replica.replica_directory_id.is_zero()) {
            text += fmt::format(", \"directoryId\": \"{}\"", replica.replica_directory_id);
        }
        std::vector<std::string> endpoints;
        for (const auto& node : described.quorum.nodes) {
            for (const auto& listener : node.listeners) {
                if (node.node_id == replica.replica_id) {
                    endpoints.push_back(
                        fmt::format("\"{}://{}:{}\"", listener.name, listener.host, listener.port));
                }
            }
        }
        if (!endpoints.empty()) {
            text += fmt::format(", \"endpoints\": [{}]", fmt::join(endpoints, ", "));
        }
        texts.push_back(text + "}");
    }
    return fmt::format("[{}]", fmt::join(texts, ", "));
}

void print_status(const Described& described, Streams& streams) {
    const auto& partition = described.partition;
    const Replica& leader = *described.leader();
    const Replica& last =
        *std::ranges::min_element(partition.current_voters, {}, &Replica::log_end_offset);
    int64_t lag_ms = -1;
    if (last.log_end_offset == leader.log_end_offset) {
        lag_ms = 0;
    } else if (leader.last_caught_up_timestamp >= 0 && last.last_caught_up_timestamp >= 0) {
        lag_ms = leader.last_caught_up_timestamp - last.last_caught_up_timestamp;
    }
    say(streams.out,
        "ClusterId:              {}\nLeaderId:               {}\nLeaderEpoch:            {}\n"
        "HighWatermark:          {}\nMaxFollowerLag:         {}\nMaxFollowerLagTimeMs:   {}\n"
        "CurrentVoters:          {}\nCurrentObservers:       {}\n",
        described.cluster_id, partition.leader_id, partition.leader_epoch, partition.high_watermark,
        leader.log_end_offset - last.log_end_offset, lag_ms,
        replicas_text(described, partition.current_voters),
        replicas_text(described, partition.observers));
}

void print_replication(const Described& described, bool human_readable, Streams& streams) {
    using Row = std::vector<std::string>;
    std::vector<Row> rows{{"NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp",
                           "LastCaughtUpTimestamp", "Status"}};
    const Replica& leader = *described.leader();
    TimestampMs now = runtime::system_clock().wall_ms();
    auto time = [&](int64_t timestamp) {
        return human_readable && timestamp >= 0 ? fmt::format("{} ms ago", now - timestamp)
                                                : fmt::format("{}", timestamp);
    };
    auto add = [&](const Replica& replica, std::string_view status) {
        rows.push_back({fmt::format("{}", replica.replica_id), replica.replica_directory_id.str(),
                        fmt::format("{}", replica.log_end_offset),
                        fmt::format("{}", leader.log_end_offset - replica.log_end_offset),
                        time(replica.last_fetch_timestamp), time(replica.last_caught_up_timestamp),
                        std::string(status)});
    };
    add(leader, "Leader");
    for (const Replica& voter : described.partition.current_voters) {
        if (voter.replica_id != leader.replica_id) {
            add(voter, "Follower");
        }
    }
    for (const Replica& observer : described.partition.observers) {
        add(observer, "Observer");
    }
    std::vector<size_t> widths(rows.front().size());
    for (const Row& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    for (const Row& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) {
            say(streams.out, "{:<{}}\t", row[i], widths[i]);
        }
        say(streams.out, "\n");
    }
}

Status run(const ParsedArguments& arguments, Streams& streams) {
    if (!arguments.has("--status") && !arguments.has("--replication")) {
        return fail(ErrorCode::InvalidRequest,
                    "One of --status or --replication must be specified with describe sub-command");
    }
    if (arguments.has("--status") && arguments.has("--replication")) {
        return fail(ErrorCode::InvalidRequest,
                    "Only one of --status or --replication should be specified with describe "
                    "sub-command");
    }
    if (arguments.has("--status") && arguments.has("--human-readable")) {
        return fail(ErrorCode::InvalidRequest,
                    "The option --human-readable is only supported along with --replication");
    }
    MOLDAU_TRY(auto properties, load_properties(arguments.value("--command-config")));
    bool controllers = arguments.has("--bootstrap-controller");
    properties.insert_or_assign(
        controllers ? "bootstrap.controllers" : "bootstrap.servers",
        *arguments.value(controllers ? "--bootstrap-controller" : "--bootstrap-server"));
    MOLDAU_TRY(auto client, make_client(properties));
    MOLDAU_TRY(auto described, ask(*client));
    if (arguments.has("--status")) {
        print_status(described, streams);
    } else {
        print_replication(described, arguments.has("--human-readable"), streams);
    }
    return {};
}

}  // namespace

int run_kafka_metadata_quorum(Arguments arguments, Streams& streams) {
    ArgumentParser parser("kafka-metadata-quorum",
                          "This tool describes kraft metadata quorum status.", kGlobal, kCommands);
    auto parsed = parser.parse(arguments, streams);
    if (!parsed) {
        return parsed.error();
    }
    if (parsed->command() != "describe") {
        say(streams.err, "kafka-metadata-quorum {}: not part of Moldau yet\n", parsed->command());
        return 1;
    }
    if (auto status = run(*parsed, streams); !status) {
        say(streams.err, "{}\n", status.error().message);
        return 1;
    }
    return 0;
}

}  // namespace moldau::cli
