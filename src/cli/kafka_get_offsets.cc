// kafka-get-offsets: the offsets of partitions by time or by name.
#include <algorithm>
#include <limits>

#include "cli/client_tool.h"
#include "cli/option_parser.h"
#include "cli/text.h"
#include "cli/tools.h"
#include "client/admin.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr std::string_view kUsage = "An interactive shell for getting topic-partition offsets.";

constexpr OptionSpec kOptions[] = {
    {"bootstrap-server", Required, "HOST1:PORT1,...,HOST3:PORT3",
     "REQUIRED. Brokers to connect to."},
    {"command-config", Required, "config file", "A properties file for the admin client."},
    {"exclude-internal-topics", None, {}, "Leave internal topics out."},
    {"partitions", Required, "partition ids", "Only these partitions, separated by commas."},
    {"time", Required,
     "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / "
     "-5 "
     "or latest-tiered / -6 or earliest-pending-upload",
     "Which offset to ask for.", "String", "latest"},
    {"topic", Required, "topic", "A topic, or a regular expression of topics."},
    {"topic-partitions", Required, "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
     "Topics with ranges of partitions; the upper bound is exclusive."},
    kHelpOption,
    kVersionOption,
};

struct NamedSpec {
    std::string_view name;
    int64_t spec;
};
constexpr NamedSpec kSpecs[] = {
    {"earliest", client::offset_spec::kEarliest},
    {"latest", client::offset_spec::kLatest},
    {"max-timestamp", client::offset_spec::kMaxTimestamp},
    {"earliest-local", client::offset_spec::kEarliestLocal},
    {"latest-tiered", client::offset_spec::kLatestTiered},
    {"earliest-pending-upload", client::offset_spec::kEarliestPendingUpload},
};

Result<int64_t> parse_time(const std::string& text) {
    for (const NamedSpec& named : kSpecs) {
        if (named.name == text) {
            return named.spec;
        }
    }
    auto timestamp = parse_number<int64_t>(text);
    if (!timestamp) {
        return fail(ErrorCode::InvalidRequest,
                    "Malformed time argument {}. Please use -1 or latest / -2 or earliest / -3 or "
                    "max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or "
                    "earliest-pending-upload, or a specified long format timestamp",
                    text);
    }
    return *timestamp;
}

// One rule: topics by regular expression, partitions by range or set.
struct Rule {
    TopicFilter topics;
    std::vector<int32_t> only;  // all when empty
    int32_t first = 0;
    int32_t end = std::numeric_limits<int32_t>::max();

    bool allows(const std::string& topic, int32_t partition) const {
        bool listed = only.empty() || std::ranges::find(only, partition) != only.end();
        return listed && first <= partition && partition < end && topics.allows(topic, false);
    }
};

// "orders:0-2"
Result<Rule> parse_rule(std::string_view text) {
    size_t colon = text.find(':');
    std::string_view topic = text.substr(0, colon);
    MOLDAU_TRY(auto filter, TopicFilter::parse(topic.empty() ? ".*" : topic));
    Rule rule{std::move(filter), {}};
    std::string_view range =
        colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    if (range.empty()) {
        return rule;
    }
    size_t dash = range.find('-');
    auto first = parse_number<int32_t>(range.substr(0, dash));
    if (dash == std::string_view::npos) {
        if (!first) {
            return fail(ErrorCode::InvalidRequest, "Invalid rule specification: {}", text);
        }
        rule.only.push_back(*first);
        return rule;
    }
    auto end = parse_number<int32_t>(range.substr(dash + 1));
    bool malformed = (dash > 0 && !first) || (dash + 1 < range.size() && !end);
    if (malformed) {
        return fail(ErrorCode::InvalidRequest, "Invalid rule specification: {}", text);
    }
    rule.first = first.value_or(0);
    rule.end = end.value_or(std::numeric_limits<int32_t>::max());
    return rule;
}

Result<std::vector<Rule>> read_rules(const ParsedOptions& options) {
    std::vector<Rule> rules;
    if (auto text = options.value("topic-partitions")) {
        if (options.has("topic") || options.has("partitions")) {
            return fail(ErrorCode::InvalidRequest,
                        "--topic-partitions cannot be used with --topic or --partitions");
        }
        std::string_view rest = *text;
        while (true) {
            size_t comma = rest.find(',');
            MOLDAU_TRY(auto rule, parse_rule(rest.substr(0, comma)));
            rules.push_back(std::move(rule));
            if (comma == std::string_view::npos) {
                return rules;
            }
            rest.remove_prefix(comma + 1);
        }
    }
    MOLDAU_TRY(auto filter, TopicFilter::parse(options.value_or("topic", ".*")));
    Rule rule{std::move(filter), {}};
    std::string list = options.value_or("partitions", "");
    for (std::string_view rest = list; !rest.empty();) {
        size_t comma = std::min(rest.find(','), rest.size());
        auto partition = parse_number<int32_t>(rest.substr(0, comma));
        if (!partition) {
            return fail(ErrorCode::InvalidRequest,
                        "--partitions expects a comma separated list of numeric partition ids, but "
                        "received: {}",
                        list);
        }
        rule.only.push_back(*partition);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    rules.push_back(std::move(rule));
    return rules;
}

Status print_offsets(const ParsedOptions& options, Streams& streams) {
    MOLDAU_TRY(int64_t spec, parse_time(*options.value("time")));
    MOLDAU_TRY(auto rules, read_rules(options));
    MOLDAU_TRY(auto properties, load_properties(options.value("command-config")));
    properties.insert_or_assign("bootstrap.servers", *options.value("bootstrap-server"));
    properties.insert_or_assign("client.id", "GetOffsetShell");
    MOLDAU_TRY(auto client, make_client(properties));
    MOLDAU_TRY(auto cluster, client->fetch_all_metadata("listTopics"));
    std::map<TopicPartition, int64_t> specs;
    for (const auto& [topic, info] : cluster->topics) {
        if (options.has("exclude-internal-topics") && is_internal_topic(topic)) {
            continue;
        }
        for (const auto& [partition, ignored] : info.partitions) {
            if (std::ranges::any_of(
                    rules, [&](const Rule& rule) { return rule.allows(topic, partition); })) {
                specs[{topic, partition}] = spec;
            }
        }
    }
    if (specs.empty()) {
        return fail(ErrorCode::InvalidRequest,
                    "Could not match any topic-partitions with the specified filters");
    }
    MOLDAU_TRY(auto listed, client::Admin(*client).list_offsets(specs));
    // In the order of their names as text: orders-10 before orders-2, as Kafka has it.
    std::map<std::string, std::string> lines;
    for (const auto& [tp, result] : listed) {
        if (!result) {
            say(streams.err, "Skip getting offsets for topic-partition {} due to error: {}\n",
                tp.str(), ToolError(result.error()).str());
        } else if (result->offset >= 0) {
            lines[tp.str()] = fmt::format("{}:{}:{}", tp.topic, tp.partition, result->offset);
        }
    }
    for (const auto& [name, line] : lines) {
        say(streams.out, "{}\n", line);
    }
    return {};
}

}  // namespace

int run_kafka_get_offsets(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    auto options = parser.parse(arguments);
    if (!options) {
        say(streams.err, "Error occurred: {}\n", options.error().message);
        return 1;
    }
    if (auto code = help_or_version(streams, parser, *options, kUsage)) {
        return *code;
    }
    if (auto message = missing_required(*options, {"bootstrap-server"})) {
        return usage_error(streams, parser, *message);
    }
    if (auto message = bad_bootstrap_server(options->value("bootstrap-server"))) {
        return usage_error(streams, parser, *message);
    }
    if (auto status = print_offsets(*options, streams); !status) {
        say(streams.err, "Error occurred: {}\n", status.error().message);
        return 1;
    }
    return 0;
}

}  // namespace moldau::cli
