#include "cli/tool.h"

#include <algorithm>
#include <array>
#include <vector>

#include "cli/overview.h"
#include "cli/tools.h"

namespace moldau::cli {
namespace {

// In alphabetic order. A null function is a tool of Kafka's that Moldau does not have yet.
constexpr Tool kTools[] = {
    {"connect-distributed", nullptr, "run a Connect worker of a cluster"},
    {"connect-mirror-maker", nullptr, "replicate between clusters"},
    {"connect-plugin-path", nullptr, "list and repair Connect plugins"},
    {"connect-standalone", nullptr, "run a single Connect worker"},
    {"kafka-acls", nullptr, "list, add and remove ACLs"},
    {"kafka-broker-api-versions", run_kafka_broker_api_versions,
     "show the API versions of brokers"},
    {"kafka-client-metrics", nullptr, "manage client metrics subscriptions"},
    {"kafka-cluster", run_kafka_cluster, "show the cluster id and endpoints"},
    {"kafka-configs", run_kafka_configs, "describe and alter configurations"},
    {"kafka-console-consumer", run_kafka_console_consumer, "print the records of a topic"},
    {"kafka-console-producer", run_kafka_console_producer,
     "produce a record per line of standard input"},
    {"kafka-console-share-consumer", nullptr, "print the records of a share group"},
    {"kafka-consumer-groups", run_kafka_consumer_groups,
     "list, describe, reset and delete consumer groups"},
    {"kafka-consumer-perf-test", nullptr, "measure consuming"},
    {"kafka-delegation-tokens", nullptr, "create, renew and describe delegation tokens"},
    {"kafka-delete-records", nullptr, "delete records below an offset"},
    {"kafka-dump-log", run_kafka_dump_log, "print segments, indexes and snapshots"},
    {"kafka-e2e-latency", nullptr, "measure end-to-end latency"},
    {"kafka-features", nullptr, "describe and upgrade feature levels"},
    {"kafka-get-offsets", run_kafka_get_offsets, "show the offsets of partitions"},
    {"kafka-groups", run_kafka_groups, "list groups of every type"},
    {"kafka-jmx", nullptr, "print metrics of a process"},
    {"kafka-leader-election", nullptr, "elect partition leaders"},
    {"kafka-log-dirs", nullptr, "describe log directories"},
    {"kafka-metadata-quorum", run_kafka_metadata_quorum, "describe and change the KRaft quorum"},
    {"kafka-metadata-shell", nullptr, "browse a metadata snapshot"},
    {"kafka-producer-perf-test", run_kafka_producer_perf_test, "measure producing"},
    {"kafka-reassign-partitions", nullptr, "move partitions between brokers"},
    {"kafka-replica-verification", nullptr, "compare replicas"},
    {"kafka-server-start", run_kafka_server_start, "start a node"},
    {"kafka-server-stop", run_kafka_server_stop, "stop the nodes of this machine"},
    {"kafka-share-consumer-perf-test", nullptr, "measure share consuming"},
    {"kafka-share-groups", nullptr, "list, describe and reset share groups"},
    {"kafka-storage", run_kafka_storage, "format and inspect storage directories"},
    {"kafka-streams-application-reset", nullptr, "reset a Streams application"},
    {"kafka-streams-groups", nullptr, "list, describe and reset Streams groups"},
    {"kafka-topics", run_kafka_topics, "create, list, describe, alter and delete topics"},
    {"kafka-transactions", nullptr, "describe and abort transactions"},
    {"kafka-verifiable-consumer", nullptr, "consume, reporting each step as JSON"},
    {"kafka-verifiable-producer", nullptr, "produce, reporting each step as JSON"},
    {"kafka-verifiable-share-consumer", nullptr, "share-consume, reporting each step as JSON"},
    {"trogdor", nullptr, "run fault and load tests"},
};
static_assert(std::ranges::is_sorted(kTools, {}, &Tool::name));

// Scripts that older Kafka releases shipped, and what does their work now.
struct Departed {
    std::string_view name;
    std::string_view advice;
};
constexpr std::string_view kNoZooKeeper =
    "there is no ZooKeeper any more: format with 'kafka-storage.sh format --standalone -t "
    "$(kafka-storage.sh random-uuid) -c config/server.properties', then 'kafka-server-start.sh "
    "config/server.properties'";
constexpr Departed kDeparted[] = {
    {"kafka-consumer-offset-checker",
     "use 'kafka-consumer-groups.sh --bootstrap-server localhost:9092 --describe --group <group>'"},
    {"kafka-mirror-maker", "use 'connect-mirror-maker.sh mm2.properties'"},
    {"kafka-preferred-replica-election",
     "use 'kafka-leader-election.sh --bootstrap-server localhost:9092 --election-type preferred "
     "--all-topic-partitions'"},
    {"kafka-replay-log-producer", "use 'kafka-console-consumer.sh | kafka-console-producer.sh'"},
    {"kafka-simple-consumer-shell",
     "use 'kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic <topic> --partition "
     "<n> --offset <offset>'"},
    {"windows", "use the scripts in bin/"},
    {"zookeeper-security-migration", kNoZooKeeper},
    {"zookeeper-server-start", kNoZooKeeper},
    {"zookeeper-server-stop", "there is no ZooKeeper any more: use 'kafka-server-stop.sh'"},
    {"zookeeper-shell",
     "there is no ZooKeeper any more: use 'kafka-topics.sh', 'kafka-configs.sh' or "
     "'kafka-metadata-shell.sh' with --bootstrap-server localhost:9092"},
};

std::string_view base_name(std::string_view path) {
    std::string_view name = path.substr(path.find_last_of('/') + 1);
    if (name.ends_with(".sh")) {
        name.remove_suffix(3);
    }
    return name;
}

const Departed* find_departed(std::string_view name) {
    auto found = std::ranges::find(kDeparted, base_name(name), &Departed::name);
    return found == std::end(kDeparted) ? nullptr : &*found;
}

// Tutorials of the ZooKeeper years pass --zookeeper: no tool knows that option, so the answer is
// the same for all.
bool asks_for_zookeeper(Arguments arguments) {
    return std::ranges::any_of(arguments, [](std::string_view word) {
        return word == "--zookeeper" || word == "-zookeeper" || word.starts_with("--zookeeper=");
    });
}

// The same command line with the broker in ZooKeeper's place.
std::string with_bootstrap_server(const Tool& tool, Arguments arguments) {
    std::string line = fmt::format("{}.sh", tool.name);
    for (size_t i = 0; i < arguments.size(); ++i) {
        std::string_view word = arguments[i];
        if (word == "--zookeeper" || word == "-zookeeper") {
            line += " --bootstrap-server localhost:9092";
            ++i;
        } else if (word.starts_with("--zookeeper=")) {
            line += " --bootstrap-server localhost:9092";
        } else {
            line += fmt::format(" {}", word);
        }
    }
    return line;
}

int run_tool(const Tool& tool, Arguments arguments, Streams& streams) {
    if (asks_for_zookeeper(arguments)) {
        say(streams.err,
            "zookeeper is not a recognized option: there is no ZooKeeper any more, type: {}\n",
            with_bootstrap_server(tool, arguments));
        return 1;
    }
    if (tool.run == nullptr) {
        say(streams.err, "{}: this tool is not part of Moldau yet\n", tool.name);
        return 1;
    }
    return tool.run(arguments, streams);
}

int say_departed(const Departed& departed, Streams& streams) {
    say(streams.err, "{}: {}\n", departed.name, departed.advice);
    return 1;
}

}  // namespace

std::span<const Tool> all_tools() {
    return kTools;
}

const Tool* find_tool(std::string_view name) {
    auto found = std::ranges::find(kTools, base_name(name), &Tool::name);
    return found == std::end(kTools) ? nullptr : &*found;
}

int run_program(std::string_view program, Arguments arguments, Streams& streams) {
    if (const Tool* tool = find_tool(program)) {
        return run_tool(*tool, arguments, streams);
    }
    if (const Departed* departed = find_departed(program)) {
        return say_departed(*departed, streams);
    }
    if (arguments.empty()) {
        print_overview(streams.out);
        return 0;
    }
    const std::string& command = arguments.front();
    if (command == "--help" || command == "-h" || command == "help") {
        print_overview(streams.out);
        return 0;
    }
    if (command == "--version" || command == "version") {
        say(streams.out, "moldau {} (Kafka {})\n", MOLDAU_VERSION, kKafkaVersion);
        return 0;
    }
    if (const Tool* tool = find_tool(command)) {
        return run_tool(*tool, arguments.subspan(1), streams);
    }
    // "moldau topics" is short for "moldau kafka-topics".
    if (const Tool* tool = find_tool(fmt::format("kafka-{}", command))) {
        return run_tool(*tool, arguments.subspan(1), streams);
    }
    if (const Departed* departed = find_departed(command)) {
        return say_departed(*departed, streams);
    }
    say(streams.err, "moldau: no tool is named '{}'; 'moldau' alone lists them\n", command);
    return 1;
}

}  // namespace moldau::cli
