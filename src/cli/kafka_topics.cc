// kafka-topics: create, list, describe, alter and delete topics.
#include <algorithm>
#include <charconv>

#include "cli/client_tool.h"
#include "cli/option_parser.h"
#include "cli/text.h"
#include "cli/tool_log.h"
#include "cli/tools.h"
#include "client/admin.h"
#include "config/log_config.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr std::string_view kLogger = "org.apache.kafka.tools.TopicCommand";
constexpr std::string_view kUseConfigsTool =
    " (To alter topic configurations, the kafka-configs tool can be used.)";

constexpr OptionSpec kOptions[] = {
    {"alter", None, {}, "Give a topic more partitions."},
    {"at-min-isr-partitions",
     None,
     {},
     "Describe only partitions whose in-sync replicas are exactly the configured minimum."},
    {"bootstrap-server", Required, "server to connect to", "REQUIRED: a broker of the cluster."},
    {"command-config", Required, "command config property file",
     "A properties file for the admin client."},
    {"config", Required, "name=value", "A topic configuration; only with --create.", "String", "",
     false, true},
    {"create", None, {}, "Create a topic."},
    {"delete", None, {}, "Delete topics."},
    {"delete-config", Required, "name", "Not supported since 4.0.", "String", "", false, true},
    {"describe", None, {}, "Show topics and their partitions."},
    {"exclude-internal", None, {}, "Leave internal topics out of --list and --describe."},
    {"if-exists", None, {}, "With --alter, --delete or --describe: no error for a missing topic."},
    {"if-not-exists", None, {}, "With --create: no error when the topic exists."},
    {"list", None, {}, "List all topics."},
    {"partition-size-limit-per-response", Required, "maximum number of partitions per response",
     "Partitions asked for at a time by --describe.", "Integer"},
    {"partitions", Required, "# of partitions",
     "How many partitions the topic gets or grows to; keys map to other partitions after growth.",
     "Integer"},
    {"replica-assignment", Required,
     "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , "
     "broker_id_for_part2_replica1 : broker_id_for_part2_replica2 , ...",
     "Brokers for each partition, chosen by hand."},
    {"replication-factor", Required, "replication factor", "Replicas of each partition.",
     "Integer"},
    {"topic", Required, "topic", "The topic; a regular expression in all actions but --create."},
    {"topic-id", Required, "topic-id", "The id of the topic to describe."},
    {"topics-with-overrides", None, {}, "Describe only topics with configurations of their own."},
    {"unavailable-partitions", None, {}, "Describe only partitions without a live leader."},
    {"under-min-isr-partitions",
     None,
     {},
     "Describe only partitions with fewer in-sync replicas than the configured minimum."},
    {"under-replicated-partitions", None, {}, "Describe only under-replicated partitions."},
    kHelpOption,
    kVersionOption,
};

constexpr std::string_view kActions[] = {"alter", "create", "describe", "list", "delete"};

// The first action given that is not in `allowed`, in Kafka's words.
std::optional<std::string> only_with(const ParsedOptions& options, std::string_view used,
                                     std::initializer_list<std::string_view> allowed) {
    for (std::string_view action : kActions) {
        if (std::ranges::find(allowed, action) != allowed.end()) {
            continue;
        }
        if (auto message = conflicting(options, used, {action})) {
            return message;
        }
    }
    return std::nullopt;
}

std::optional<std::string> check_combinations(const ParsedOptions& options) {
    if (options.has("describe") && options.has("if-exists") && !options.has("topic") &&
        !options.has("topic-id")) {
        return "--topic or --topic-id is required to describe a topic";
    }
    if (!options.has("list") && !options.has("describe")) {
        if (auto message = missing_required(options, {"topic"})) {
            return message;
        }
    }
    if (options.has("alter")) {
        if (auto message = conflicting_set(options, {"bootstrap-server", "config"}, {"alter"},
                                           kUseConfigsTool)) {
            return message;
        }
        if (auto message = missing_required(options, {"partitions"})) {
            return message;
        }
    }
    struct Rule {
        std::string_view used;
        std::initializer_list<std::string_view> allowed;
    };
    const Rule rules[] = {
        {"config", {"alter", "create"}},
        {"partitions", {"alter", "create"}},
        {"replication-factor", {"create"}},
        {"replica-assignment", {"alter", "create"}},
        {"under-replicated-partitions", {"describe"}},
        {"under-min-isr-partitions", {"describe"}},
        {"at-min-isr-partitions", {"describe"}},
        {"unavailable-partitions", {"describe"}},
        {"topics-with-overrides", {"describe"}},
        {"if-exists", {"alter", "delete", "describe"}},
        {"if-not-exists", {"create"}},
        {"exclude-internal", {"list", "describe"}},
    };
    for (const Rule& rule : rules) {
        if (auto message = only_with(options, rule.used, rule.allowed)) {
            return message;
        }
    }
    if (options.has("create")) {
        if (auto message =
                conflicting(options, "replica-assignment", {"partitions", "replication-factor"})) {
            return message;
        }
    }
    for (std::string_view report : {"under-replicated-partitions", "under-min-isr-partitions",
                                    "at-min-isr-partitions", "unavailable-partitions"}) {
        if (auto message = conflicting(options, report, {"topics-with-overrides"})) {
            return message;
        }
    }
    return std::nullopt;
}

// "1:2,2:1": replicas of partition 0, of partition 1 ...
ToolResult<std::map<int32_t, std::vector<int32_t>>> parse_assignment(std::string_view text) {
    std::map<int32_t, std::vector<int32_t>> assignment;
    for (std::string_view replicas : split(text, ',')) {
        std::vector<int32_t> brokers;
        for (std::string_view part : split(replicas, ':')) {
            part = trim(part);
            int32_t broker = 0;
            auto [at, error] = std::from_chars(part.data(), part.data() + part.size(), broker);
            if (error != std::errc() || at != part.data() + part.size()) {
                return std::unexpected(ToolError("java.lang.NumberFormatException",
                                                 fmt::format("For input string: \"{}\"", part)));
            }
            if (std::ranges::find(brokers, broker) != brokers.end()) {
                return std::unexpected(ToolError(
                    "org.apache.kafka.server.common.AdminCommandFailedException",
                    fmt::format("Partition replica lists may not contain duplicate entries: {}",
                                broker)));
            }
            brokers.push_back(broker);
        }
        int32_t partition = static_cast<int32_t>(assignment.size());
        if (partition > 0 && brokers.size() != assignment.at(0).size()) {
            return std::unexpected(
                ToolError("org.apache.kafka.server.common.AdminOperationException",
                          fmt::format("Partition {} has different replication factor: [{}]",
                                      partition, fmt::join(brokers, ", "))));
        }
        assignment[partition] = std::move(brokers);
    }
    return assignment;
}

class TopicCommand {
 public:
    TopicCommand(const ParsedOptions& options, Streams& streams, client::Client& client)
        : options_(options), streams_(streams), admin_(client) {}

    ToolResult<void> run() {
        if (options_.has("create")) {
            return create();
        }
        if (options_.has("alter")) {
            return alter();
        }
        if (options_.has("list")) {
            return list();
        }
        if (options_.has("describe")) {
            return describe();
        }
        return remove();
    }

 private:
    // The parts of the command line that --create and --alter share.
    ToolResult<client::NewTopic> requested() {
        client::NewTopic topic;
        topic.name = *options_.value("topic");
        MOLDAU_TRY(topic.partitions, options_.int32("partitions"));
        MOLDAU_TRY(auto factor, options_.int32("replication-factor"));
        if (auto text = options_.value("replica-assignment"); text && !text->empty()) {
            MOLDAU_TRY(topic.assignment, parse_assignment(*text));
        }
        for (const std::string& pair : options_.values("config")) {
            size_t equals = pair.find('=');
            std::string_view name = trim(std::string_view(pair).substr(0, equals));
            if (equals == std::string::npos || equals + 1 == pair.size()) {
                return illegal_argument(
                    "requirement failed: Invalid topic config: all configs to be added must be in "
                    "the format \"key=val\".");
            }
            topic.configs[std::string(name)] = trim(std::string_view(pair).substr(equals + 1));
        }
        config::ConfigMap configs(topic.configs.begin(), topic.configs.end());
        if (auto valid = config::validate_topic_configs(config::LogConfig(), configs); !valid) {
            std::string message = valid.error().message;
            bool unknown = message.starts_with("Unknown topic config name");
            return std::unexpected(
                unknown ? ToolError(Error{ErrorCode::InvalidConfig, std::move(message)})
                        : ToolError(kConfigException, std::move(message)));
        }
        if (factor && (*factor < 1 || *factor > 32767)) {
            return illegal_argument("The replication factor must be between 1 and 32767 inclusive");
        }
        if (topic.partitions && *topic.partitions < 1 && options_.has("create")) {
            return illegal_argument("The partitions must be greater than 0");
        }
        if (factor) {
            topic.replication_factor = static_cast<int16_t>(*factor);
        }
        return topic;
    }

    ToolResult<void> create() {
        auto topic = requested();
        std::string name = *options_.value("topic");
        bool warn = topic || topic.error().message.starts_with("The ");
        if (warn && name.find_first_of("._") != std::string::npos) {
            say(streams_.out,
                "WARNING: Due to limitations in metric names, topics with a period ('.') or "
                "underscore ('_') could collide. To avoid issues it is best to use either, "
                "but not both.\n");
        }
        if (!topic) {
            return std::unexpected(std::move(topic).error());
        }
        Status created = admin_.create_topic(*topic);
        if (created) {
            say(streams_.out, "Created topic {}.\n", name);
            return {};
        }
        if (created.error().code == ErrorCode::TopicAlreadyExists &&
            options_.has("if-not-exists")) {
            return {};
        }
        return std::unexpected(ToolError(created.error()));
    }

    // The topics that --topic matches, by name.
    ToolResult<std::vector<std::string>> matching(bool must_exist) {
        MOLDAU_TRY(auto listings, admin_.list_topics());
        bool exclude_internal = options_.has("exclude-internal");
        std::vector<std::string> names;
        auto wanted = options_.value("topic");
        std::optional<TopicFilter> filter;
        if (wanted) {
            MOLDAU_TRY(auto parsed, TopicFilter::parse(*wanted));
            filter.emplace(std::move(parsed));
        }
        for (const client::TopicListing& topic : listings) {
            bool allowed = filter ? filter->allows(topic.name, exclude_internal)
                                  : !(exclude_internal && is_internal_topic(topic.name));
            if (allowed) {
                names.push_back(topic.name);
            }
        }
        if (wanted && !wanted->empty() && must_exist && names.empty()) {
            return illegal_argument(fmt::format("Topic '{}' does not exist as expected", *wanted));
        }
        return names;
    }

    ToolResult<void> list() {
        MOLDAU_TRY(auto names, matching(false));
        say(streams_.out, "{}\n", fmt::join(names, "\n"));
        return {};
    }

    ToolResult<void> alter() {
        MOLDAU_TRY(auto topic, requested());
        MOLDAU_TRY(auto names, matching(!options_.has("if-exists")));
        if (names.empty()) {
            return {};
        }
        std::map<std::string, int32_t> totals;
        std::map<std::string, std::vector<std::vector<int32_t>>> assignments;
        for (const std::string& name : names) {
            totals[name] = topic.partitions.value_or(0);
        }
        if (!topic.assignment.empty()) {
            MOLDAU_TRY(auto described, admin_.describe_topics(names));
            for (const auto& description : described) {
                std::vector<std::vector<int32_t>>& added = assignments[description.name];
                for (const auto& [partition, brokers] : topic.assignment) {
                    if (partition >= static_cast<int32_t>(description.partitions.size())) {
                        added.push_back(brokers);
                    }
                }
            }
        }
        if (auto changed = admin_.create_partitions(totals, assignments); !changed) {
            return std::unexpected(ToolError(changed.error()));
        }
        return {};
    }

    ToolResult<void> remove() {
        MOLDAU_TRY(auto names, matching(!options_.has("if-exists")));
        if (names.empty()) {
            return {};
        }
        if (auto removed = admin_.delete_topics(names); !removed) {
            return std::unexpected(ToolError(removed.error()));
        }
        return {};
    }

    ToolResult<void> describe() {
        std::vector<std::string> names;
        auto id_text = options_.value("topic-id");
        Uuid id;
        if (id_text) {
            MOLDAU_TRY(id, Uuid::parse(*id_text));
        }
        if (!id.is_zero()) {
            MOLDAU_TRY(auto listings, admin_.list_topics());
            bool exclude_internal = options_.has("exclude-internal");
            for (const auto& topic : listings) {
                if (topic.id == id && !(exclude_internal && is_internal_topic(topic.name))) {
                    names.push_back(topic.name);
                }
            }
            if (names.empty() && !options_.has("if-exists")) {
                return illegal_argument(fmt::format("TopicId '{}' does not exist as expected", id));
            }
        } else {
            MOLDAU_TRY(names, matching(!options_.has("if-exists")));
        }
        if (names.empty()) {
            return {};
        }
        MOLDAU_TRY(auto page, options_.int32("partition-size-limit-per-response"));
        MOLDAU_TRY(auto topics, admin_.describe_topics(names, page.value_or(2000)));
        std::vector<client::ConfigResource> resources;
        for (const auto& topic : topics) {
            resources.push_back({client::ConfigResourceType::Topic, topic.name});
        }
        MOLDAU_TRY(auto configs, admin_.describe_configs(resources));
        MOLDAU_TRY(auto nodes, admin_.describe_cluster());
        MOLDAU_TRY(auto reassignments, admin_.list_reassignments());
        std::set<int32_t> live;
        for (const auto& node : nodes) {
            live.insert(node.id);
        }
        for (const auto& topic : topics) {
            print_topic(topic, configs[{client::ConfigResourceType::Topic, topic.name}], live,
                        reassignments);
        }
        return {};
    }

    using Reassignments = std::map<TopicPartition, client::Reassignment>;

    static size_t replication_factor(const client::PartitionDescription& partition,
                                     const client::Reassignment* moving) {
        bool in_progress =
            moving != nullptr && std::ranges::any_of(partition.replicas, [&](int32_t replica) {
                return std::ranges::find(moving->adding, replica) != moving->adding.end() ||
                       std::ranges::find(moving->removing, replica) != moving->removing.end();
            });
        return in_progress ? moving->replicas.size() - moving->adding.size()
                           : partition.replicas.size();
    }

    void print_topic(const client::TopicDescription& topic,
                     const std::vector<client::ConfigEntry>& configs, const std::set<int32_t>& live,
                     const Reassignments& reassignments) {
        auto moving_of = [&](int32_t partition) -> const client::Reassignment* {
            auto found = reassignments.find({topic.name, partition});
            return found == reassignments.end() ? nullptr : &found->second;
        };
        bool only_some =
            options_.has("under-replicated-partitions") || options_.has("unavailable-partitions") ||
            options_.has("under-min-isr-partitions") || options_.has("at-min-isr-partitions");
        std::vector<std::string> set;
        size_t min_isr = 1;
        for (const client::ConfigEntry& entry : configs) {
            if (!entry.is_default()) {
                set.push_back(fmt::format("{}={}", entry.name, entry.value.value_or("null")));
            }
            if (entry.name == "min.insync.replicas" && entry.value) {
                min_isr = std::strtoul(entry.value->c_str(), nullptr, 10);
            }
        }
        if (!only_some && (!options_.has("topics-with-overrides") || !set.empty())) {
            const auto& first = topic.partitions.front();
            say(streams_.out, "Topic: {}", topic.name);
            if (!topic.id.is_zero()) {
                say(streams_.out, "\tTopicId: {}", topic.id);
            }
            say(streams_.out, "\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}\n",
                topic.partitions.size(), replication_factor(first, moving_of(first.partition)),
                fmt::join(set, ","));
        }
        if (options_.has("topics-with-overrides")) {
            return;
        }
        for (const auto& partition : topic.partitions) {
            const client::Reassignment* moving = moving_of(partition.partition);
            bool has_leader = partition.leader >= 0;
            size_t isr = partition.isr.size();
            bool wanted =
                !only_some ||
                (options_.has("under-replicated-partitions") &&
                 replication_factor(partition, moving) > isr) ||
                (options_.has("unavailable-partitions") &&
                 (!has_leader || !live.contains(partition.leader))) ||
                (options_.has("under-min-isr-partitions") && (!has_leader || isr < min_isr)) ||
                (options_.has("at-min-isr-partitions") && isr == min_isr);
            if (wanted) {
                print_partition(topic.name, partition, moving);
            }
        }
    }

    void print_partition(const std::string& topic, const client::PartitionDescription& partition,
                         const client::Reassignment* moving) {
        say(streams_.out, "\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}", topic,
            partition.partition,
            partition.leader >= 0 ? fmt::format("{}", partition.leader) : "none",
            fmt::join(partition.replicas, ","), fmt::join(partition.isr, ","));
        if (moving != nullptr) {
            say(streams_.out, "\tAdding Replicas: {}\tRemoving Replicas: {}",
                fmt::join(moving->adding, ","), fmt::join(moving->removing, ","));
        }
        auto listed = [](const std::optional<std::vector<int32_t>>& ids) {
            return ids ? fmt::format("{}", fmt::join(*ids, ",")) : std::string("N/A");
        };
        say(streams_.out, "\tElr: {}\tLastKnownElr: {}\n",
            listed(partition.eligible_leader_replicas), listed(partition.last_known_elr));
    }

    const ParsedOptions& options_;
    Streams& streams_;
    client::Admin admin_;
};

}  // namespace

int run_kafka_topics(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    auto options = parser.parse(arguments);
    if (!options) {
        say(streams.err, "{}\n", options.error().message);
        return 1;
    }
    if (options->empty()) {
        return usage_error(streams, parser, "Create, delete, describe, or change a topic.");
    }
    if (auto code =
            help_or_version(streams, parser, *options,
                            "This tool helps to create, delete, describe, or change a topic.")) {
        return *code;
    }
    auto actions =
        std::ranges::count_if(kActions, [&](std::string_view name) { return options->has(name); });
    if (actions != 1) {
        return usage_error(streams, parser,
                           "Command must include exactly one action: --list, --describe, --create, "
                           "--alter or --delete");
    }
    if (options->has("delete-config")) {
        say(streams.err,
            "delete-config option is no longer supported and deprecated since version 4.0. "
            "The config will be fully removed in future releases.\n");
    }
    if (!options->has("bootstrap-server")) {
        say(streams.err, "--bootstrap-server must be specified\n");
        return 1;
    }
    if (auto message = check_combinations(*options)) {
        return usage_error(streams, parser, *message);
    }
    if (options->has("describe") && options->has("if-exists") && options->has("topic") &&
        options->has("topic-id")) {
        say(streams.out,
            "Only topic id will be used when both --topic and --topic-id are specified and "
            "topicId is not Uuid.ZERO_UUID\n");
    }
    auto properties = load_properties(options->value("command-config"));
    if (!properties) {
        say(streams.err, "{}\n", properties.error().message);
        return 1;
    }
    properties->insert_or_assign("bootstrap.servers", *options->value("bootstrap-server"));
    auto client = make_client(*properties);
    if (!client) {
        say(streams.err, "{}\n", client.error().message);
        return 1;
    }
    auto done = TopicCommand(*options, streams, **client).run();
    if (!done) {
        say(streams.out, "Error while executing topic command : {}\n", done.error().message);
        log_error(streams, kLogger, done.error().str() + "\n");
        return 1;
    }
    return 0;
}

}  // namespace moldau::cli
