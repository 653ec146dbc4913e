// kafka-consumer-groups: list, describe, reset and delete consumer groups and their offsets.
#include <algorithm>

#include "cli/client_tool.h"
#include "cli/consumer_group_reset.h"
#include "cli/consumer_group_tables.h"
#include "cli/option_parser.h"
#include "cli/tools.h"
#include "client/admin.h"
#include "client/error_message.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr OptionSpec kOptions[] = {
    {"all-groups", None, {}, "Apply the action to every group."},
    {"all-topics", None, {}, "Reset all topics the group has offsets of."},
    {"bootstrap-server", Required, "server to connect to", "REQUIRED: brokers to connect to."},
    {"by-duration", Required, "duration", "Reset to the offset so long ago: PnDTnHnMnS."},
    {"command-config", Required, "command config property file",
     "A properties file for the admin client."},
    {"delete", None, {}, "Delete groups that have no members."},
    {"delete-offsets", None, {}, "Delete a group's offsets of topics."},
    {"describe", None, {}, "Show offsets and lag, members or the state of groups."},
    {"dry-run", None, {}, "Only show what a reset would do."},
    {"execute", None, {}, "Do the reset."},
    {"export", None, {}, "Print the result of a reset as CSV."},
    {"from-file", Required, "path to CSV file", "Reset to the offsets of a CSV file."},
    {"group", Required, "consumer group", "The group.", "String", "", false, true},
    {"list", None, {}, "List all groups."},
    {"members", None, {}, "With --describe: the members."},
    {"offsets", None, {}, "With --describe: offsets and lag, which is the default."},
    {"reset-offsets", None, {}, "Set the offsets of a group that has no members."},
    {"shift-by", Required, "number-of-offsets", "Reset by so many, forward or back.", "Long"},
    {"state", Optional, "",
     "With --describe: the state of the group; with --list: states, or only groups in them."},
    {"timeout", Required, "timeout (ms)", "How long a call may take.", "Long", "30000"},
    {"to-current", None, {}, "Reset to the current offset."},
    {"to-datetime", Required, "datetime", "Reset to a time: YYYY-MM-DDThh:mm:ss.sss."},
    {"to-earliest", None, {}, "Reset to the oldest record."},
    {"to-latest", None, {}, "Reset to the end."},
    {"to-offset", Required, "offset", "Reset to an offset.", "Long"},
    {"topic", Required, "topic", "A topic, or topic:partition,partition.", "String", "", false,
     true},
    {"type", Optional, "", "With --list: types, or only groups of them."},
    {"validate-regex", Required, "regex", "Say whether a regular expression is valid."},
    {"verbose", None, {}, "With --describe: more columns."},
    kHelpOption,
    kVersionOption,
};

constexpr std::string_view kScenarios[] = {"to-offset",   "shift-by",  "to-datetime", "by-duration",
                                           "to-earliest", "to-latest", "to-current",  "from-file"};

std::optional<std::string> check_reset(const ParsedOptions& options, Streams& streams) {
    if (options.has("dry-run") && options.has("execute")) {
        return "Option [reset-offsets] only accepts one of [execute] and [dry-run]";
    }
    if (!options.has("dry-run") && !options.has("execute")) {
        say(streams.err,
            "WARN: No action will be performed as the --execute option is missing. In version "
            "5.0, this command will require either --dry-run or --execute to be specified. You "
            "should add the --dry-run option explicitly if you are scripting this command and "
            "want to keep the current default behavior without prompting.\n");
    }
    if (!options.has("group") && !options.has("all-groups")) {
        return "Option [reset-offsets] takes one of these options: [group], [all-groups]";
    }
    for (std::string_view used : kScenarios) {
        for (std::string_view other : kScenarios) {
            if (used == other) {
                continue;
            }
            if (auto message = conflicting(options, used, {other})) {
                return message;
            }
        }
    }
    return std::nullopt;
}

std::optional<std::string> check_describe(const ParsedOptions& options) {
    if (!options.has("group") && !options.has("all-groups")) {
        return "Option [describe] takes one of these options: [group], [all-groups]";
    }
    int views = options.has("members") + options.has("offsets") + options.has("state");
    if (views > 1) {
        return "Option [describe] takes at most one of these options: [members], [offsets], "
               "[state]";
    }
    if (options.value("state")) {
        return "Option [describe] does not take a value for [state]";
    }
    return std::nullopt;
}

std::optional<std::string> check_options(const ParsedOptions& options, Streams& streams) {
    if (!options.has("validate-regex")) {
        if (auto message = missing_required(options, {"bootstrap-server"})) {
            return message;
        }
    }
    for (std::string_view only : {"members", "verbose", "offsets"}) {
        if (options.has(only) && !options.has("describe")) {
            return fmt::format(
                "Option(s) [{}] are unavailable given other options on the command line", only);
        }
    }
    if (options.has("describe")) {
        if (auto message = check_describe(options)) {
            return message;
        }
    }
    if (options.has("delete")) {
        if (!options.has("group") && !options.has("all-groups")) {
            return "Option [delete] takes one of these options: [group], [all-groups]";
        }
        if (options.has("topic")) {
            return "The consumer does not support topic-specific offset deletion from a consumer "
                   "group.";
        }
    }
    if (options.has("delete-offsets") && (!options.has("group") || !options.has("topic"))) {
        return "Option [delete-offsets] takes the following options: [group], [topic]";
    }
    if (options.has("reset-offsets")) {
        if (auto message = check_reset(options, streams)) {
            return message;
        }
    }
    if (auto message = conflicting(options, "group", {"all-groups", "list"})) {
        return message;
    }
    if (auto message = conflicting(options, "topic", {"list", "describe"})) {
        return message;
    }
    constexpr std::string_view actions[] = {"list",          "describe",       "delete",
                                            "reset-offsets", "delete-offsets", "validate-regex"};
    auto given = std::ranges::count_if(actions, [&](auto name) { return options.has(name); });
    if (given != 1) {
        return "Command must include exactly one action: --list, --describe, --delete, "
               "--reset-offsets, --delete-offsets, --validate-regex";
    }
    return std::nullopt;
}

// "stable, Empty" -> {"Stable", "Empty"}; nothing when a name is none of `known`.
std::optional<std::vector<std::string>> known_names(std::string_view list,
                                                    std::span<const std::string_view> known) {
    std::vector<std::string> names;
    while (true) {
        size_t comma = list.find(',');
        std::string name(list.substr(0, comma));
        std::erase(name, ' ');
        std::erase(name, '_');
        auto found = std::ranges::find_if(known, [&](std::string_view candidate) {
            return std::ranges::equal(candidate, name, [](unsigned char a, unsigned char b) {
                return std::tolower(a) == std::tolower(b);
            });
        });
        if (found == known.end()) {
            return std::nullopt;
        }
        names.emplace_back(*found);
        if (comma == std::string_view::npos) {
            return names;
        }
        list.remove_prefix(comma + 1);
    }
}

class ConsumerGroupCommand {
 public:
    ConsumerGroupCommand(const ParsedOptions& options, Streams& streams, client::Client& client)
        : options_(options), streams_(streams), admin_(client) {}

    ToolResult<void> run() {
        if (options_.has("list")) {
            return list();
        }
        if (options_.has("describe")) {
            return describe();
        }
        if (options_.has("delete")) {
            return remove();
        }
        if (options_.has("reset-offsets")) {
            return reset();
        }
        return delete_offsets();
    }

 private:
    ToolResult<std::vector<client::GroupListing>> list_consumer_groups(
        const std::vector<std::string>& states, std::vector<std::string> types) {
        MOLDAU_TRY(auto all, admin_.list_groups(states, types));
        std::erase_if(all, [](const client::GroupListing& group) {
            bool consumer_type =
                group.type == "Classic" || group.type == "Consumer" || group.type.empty();
            bool consumer_protocol =
                group.protocol_type.empty() || group.protocol_type == "consumer";
            return !consumer_type || !consumer_protocol;
        });
        return all;
    }

    ToolResult<std::vector<std::string>> selected_groups() {
        if (!options_.has("all-groups")) {
            return options_.values("group");
        }
        MOLDAU_TRY(auto listings, list_consumer_groups({}, {}));
        std::vector<std::string> ids;
        for (const auto& listing : listings) {
            ids.push_back(listing.id);
        }
        return ids;
    }

    ToolResult<void> list() {
        bool with_type = options_.has("type");
        bool with_state = options_.has("state");
        std::vector<std::string> states;
        std::vector<std::string> types;
        if (auto text = options_.value("state")) {
            constexpr std::string_view known[] = {
                "Empty",       "CompletingRebalance", "Stable", "Assigning",
                "Reconciling", "PreparingRebalance",  "Dead"};
            auto parsed = known_names(*text, known);
            if (!parsed) {
                return illegal_argument(fmt::format("Invalid state list '{}'. Valid states are: {}",
                                                    *text, fmt::join(known, ", ")));
            }
            states = std::move(*parsed);
        }
        if (auto text = options_.value("type")) {
            constexpr std::string_view known[] = {"Consumer", "Classic"};
            auto parsed = known_names(*text, known);
            if (!parsed) {
                return illegal_argument(fmt::format("Invalid types list '{}'. Valid types are: {}",
                                                    *text, fmt::join(known, ", ")));
            }
            types = std::move(*parsed);
        }
        MOLDAU_TRY(auto listings, list_consumer_groups(states, types));
        if (!with_type && !with_state) {
            for (const auto& listing : listings) {
                say(streams_.out, "{}\n", listing.id);
            }
            return {};
        }
        size_t width = 15;
        for (const auto& listing : listings) {
            width = std::max(width, listing.id.size());
        }
        width += 10;
        auto line = [&](std::string_view id, std::string_view type, std::string_view state) {
            say(streams_.out, "{:<{}}", id, width);
            if (with_type) {
                say(streams_.out, " {:<20}", type);
            }
            if (with_state) {
                say(streams_.out, " {:<20}", state);
            }
            say(streams_.out, "\n");
        };
        line("GROUP", "TYPE", "STATE");
        for (const auto& listing : listings) {
            line(listing.id, listing.type.empty() ? "Unknown" : listing.type,
                 listing.state.empty() ? "Unknown" : listing.state);
        }
        return {};
    }

    // Says what is special about the group's state; false when there is nothing to print.
    bool announce_state(const client::GroupDescription& group, size_t rows) {
        if (group.state == "Dead") {
            say(streams_.out, "\nError: Consumer group '{}' does not exist.\n", group.id);
            return false;
        }
        if (group.state == "Empty") {
            say(streams_.err, "\nConsumer group '{}' has no active members.\n", group.id);
        } else if (group.state != "Stable") {
            say(streams_.err, "\nWarning: Consumer group '{}' is rebalancing.\n", group.id);
        }
        return rows > 0;
    }

    ToolResult<void> describe() {
        MOLDAU_TRY(auto ids, selected_groups());
        bool verbose = options_.has("verbose");
        std::map<std::string, client::GroupDescription> groups;
        for (const std::string& id : ids) {
            auto described = admin_.describe_group(id);
            if (!described) {
                ToolError error(described.error());
                return std::unexpected(
                    ToolError("java.util.concurrent.ExecutionException", error.str()));
            }
            groups[id] = std::move(*described);
        }
        for (const auto& [id, group] : groups) {
            if (options_.has("members")) {
                bool any = announce_state(group, group.members.size());
                say(streams_.out, "{}", members_table(group, verbose, any));
            } else if (options_.has("state")) {
                if (announce_state(group, 1)) {
                    say(streams_.out, "{}", state_table(group, verbose));
                }
            } else {
                MOLDAU_TRY(auto rows, collect_offsets(group));
                if (announce_state(group, rows.size())) {
                    say(streams_.out, "{}", offsets_table(rows, verbose));
                }
            }
        }
        return {};
    }

    ToolResult<std::vector<OffsetRow>> collect_offsets(const client::GroupDescription& group) {
        MOLDAU_TRY(auto committed, admin_.committed_offsets(group.id));
        std::map<TopicPartition, int64_t> specs;
        for (const auto& [tp, offset] : committed) {
            specs[tp] = client::offset_spec::kLatest;
        }
        for (const auto& member : group.members) {
            for (const TopicPartition& tp : member.assignment) {
                specs[tp] = client::offset_spec::kLatest;
            }
        }
        std::map<TopicPartition, int64_t> ends;
        if (!specs.empty()) {
            MOLDAU_TRY(auto listed, admin_.list_offsets(specs));
            for (const auto& [tp, result] : listed) {
                if (result) {
                    ends[tp] = result->offset;
                }
            }
        }
        return offset_rows(group, committed, ends);
    }

    ToolResult<void> remove() {
        MOLDAU_TRY(auto ids, selected_groups());
        std::vector<std::string> deleted;
        std::vector<std::string> failures;
        for (const std::string& id : ids) {
            if (auto status = admin_.delete_group(id); status) {
                deleted.push_back(fmt::format("'{}'", id));
            } else {
                failures.push_back(fmt::format("* Group '{}' could not be deleted due to: {}", id,
                                               ToolError(status.error()).str()));
            }
        }
        if (failures.empty()) {
            say(streams_.out, "Deletion of requested consumer groups ({}) was successful.\n",
                fmt::join(deleted, ", "));
            return {};
        }
        say(streams_.out, "\nError: Deletion of some consumer groups failed:\n{}\n",
            fmt::join(failures, "\n"));
        if (!deleted.empty()) {
            say(streams_.out, "\nThese consumer groups were deleted successfully: {}\n",
                fmt::join(deleted, ", "));
        }
        return {};
    }

    ToolResult<void> reset() {
        MOLDAU_TRY(auto ids, selected_groups());
        NewOffsets planned;
        ResetPlanner planner(options_, admin_, streams_);
        for (const std::string& id : ids) {
            auto described = admin_.describe_group(id);
            bool missing = !described && described.error().code == ErrorCode::GroupIdNotFound;
            if (!described && !missing) {
                return std::unexpected(ToolError(described.error()));
            }
            bool inactive = missing || described->state == "Empty" || described->state == "Dead";
            if (!inactive) {
                say(streams_.out,
                    "\nError: Assignments can only be reset if the group '{}' is inactive, but "
                    "the current state is {}.\n",
                    id, described->state);
                planned[id];
                continue;
            }
            MOLDAU_TRY(planned[id], planner.plan(id));
            if (options_.has("execute") && !options_.has("dry-run")) {
                if (auto done = execute(id, planned[id]); !done) {
                    return done;
                }
            }
        }
        if (!options_.has("export")) {
            say(streams_.out, "{}", new_offsets_table(planned));
            return {};
        }
        bool one_group = options_.values("group").size() == 1;
        for (const auto& [id, offsets] : planned) {
            for (const auto& [tp, offset] : offsets) {
                if (!one_group) {
                    say(streams_.out, "{},", id);
                }
                say(streams_.out, "{},{},{}\n", tp.topic, tp.partition, offset);
            }
        }
        say(streams_.out, "\n");
        return {};
    }

    ToolResult<void> execute(const std::string& group,
                             const std::map<TopicPartition, int64_t>& offsets) {
        std::map<TopicPartition, client::OffsetAndMetadata> wanted;
        for (const auto& [tp, offset] : offsets) {
            wanted[tp] = {offset, -1, ""};
        }
        if (wanted.empty()) {
            return {};
        }
        MOLDAU_TRY(auto results, admin_.alter_offsets(group, wanted));
        for (const auto& [tp, status] : results) {
            if (!status) {
                return std::unexpected(ToolError(status.error()));
            }
        }
        return {};
    }

    ToolResult<void> delete_offsets() {
        std::string group = options_.values("group").front();
        std::map<TopicPartition, std::optional<std::string>> outcome;  // error words
        std::set<TopicPartition> partitions;
        for (const std::string& argument : options_.values("topic")) {
            if (argument.find(':') != std::string::npos) {
                MOLDAU_TRY(auto some, parse_topic_partitions(argument));
                partitions.insert(some.begin(), some.end());
                continue;
            }
            std::vector<std::string> name{argument};
            auto described = admin_.describe_topics(name);
            if (!described) {
                outcome[{argument, -1}] = ToolError(described.error()).str();
                continue;
            }
            for (const auto& partition : described->front().partitions) {
                partitions.insert({argument, partition.partition});
            }
        }
        auto results = admin_.delete_offsets(group, partitions);
        std::optional<ErrorCode> top;
        if (!results) {
            top = results.error().code;
            for (const TopicPartition& tp : partitions) {
                outcome[tp] = ToolError(results.error()).str();
            }
        } else {
            for (const auto& [tp, status] : *results) {
                if (!status) {
                    top = status.error().code;
                    outcome[tp] = ToolError(status.error()).str();
                } else {
                    outcome[tp] = std::nullopt;
                }
            }
        }
        print_deletion(group, top, outcome);
        return {};
    }

    void print_deletion(const std::string& group, std::optional<ErrorCode> top,
                        const std::map<TopicPartition, std::optional<std::string>>& outcome) {
        if (!top) {
            say(streams_.out, "Request succeeded for deleting offsets from group {}.\n", group);
        } else if (*top == ErrorCode::InvalidGroupId || *top == ErrorCode::GroupIdNotFound ||
                   *top == ErrorCode::GroupAuthorizationFailed ||
                   *top == ErrorCode::NonEmptyGroup) {
            say(streams_.out, "\nError: {}\n", client::error_message(*top));
        } else if (*top == ErrorCode::GroupSubscribedToTopic ||
                   *top == ErrorCode::TopicAuthorizationFailed ||
                   *top == ErrorCode::UnknownTopicOrPartition) {
            say(streams_.out,
                "\nError: Encountered some partition-level error, see the follow-up details.\n");
        } else {
            say(streams_.out, "\nError: Encountered some unknown error: {}\n", *top);
        }
        size_t width = 15;
        for (const auto& [tp, error] : outcome) {
            width = std::max(width, tp.topic.size());
        }
        auto line = [&](std::string_view topic, std::string_view partition,
                        std::string_view status) {
            say(streams_.out, "\n{:<{}} {:<10} {:<15}", topic, width, partition, status);
        };
        line("TOPIC", "PARTITION", "STATUS");
        for (const auto& [tp, error] : outcome) {
            line(tp.topic, tp.partition >= 0 ? fmt::format("{}", tp.partition) : "-",
                 error ? fmt::format("Error: {}", *error) : "Successful");
        }
        say(streams_.out, "\n");
    }

    const ParsedOptions& options_;
    Streams& streams_;
    client::Admin admin_;
};

int validate_regex(const std::string& text, Streams& streams) {
    if (auto regex = Regex::compile(text)) {
        say(streams.out, "The regular expression `{}` is valid.\n", text);
    } else {
        say(streams.out, "The regular expression `{}` is invalid: {}.\n", text,
            regex.error().message);
    }
    return 0;
}

}  // namespace

int run_kafka_consumer_groups(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    auto options = parser.parse(arguments);
    if (!options) {
        return usage_error(streams, parser, options.error().message);
    }
    if (auto code = help_or_version(
            streams, parser, *options,
            "This tool helps to list all consumer groups, describe a consumer "
            "group, delete consumer group info, or reset consumer group offsets.")) {
        return *code;
    }
    if (auto message = check_options(*options, streams)) {
        return usage_error(streams, parser, *message);
    }
    if (auto regex = options->value("validate-regex")) {
        return validate_regex(*regex, streams);
    }
    for (std::string_view name : {"timeout", "to-offset", "shift-by"}) {
        if (auto number = options->int64(name); !number) {
            return usage_error(streams, parser, number.error().message);
        }
    }
    auto properties = load_properties(options->value("command-config"));
    if (!properties) {
        say(streams.err, "{}\n", properties.error().message);
        return 1;
    }
    properties->insert_or_assign("bootstrap.servers", *options->value("bootstrap-server"));
    properties->insert_or_assign("default.api.timeout.ms", *options->value("timeout"));
    auto client = make_client(*properties);
    if (!client) {
        say(streams.err, "{}\n", client.error().message);
        return 1;
    }
    auto done = ConsumerGroupCommand(*options, streams, **client).run();
    if (done) {
        return 0;
    }
    if (done.error().java_class == kIllegalArgument) {
        return usage_error(streams, parser, done.error().message);
    }
    // Kafka's tool tells of failures and still exits 0; scripts rely on the text.
    say(streams.out, "\nError: Executing consumer group command failed due to {}\n",
        done.error().message);
    say(streams.err, "{}\n", done.error().str());
    return 0;
}

}  // namespace moldau::cli
