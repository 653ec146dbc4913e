// kafka-console-consumer: prints the records of topics.

#include "cli/client_tool.h"
#include "cli/interrupt.h"
#include "cli/message_formatter.h"
#include "cli/option_parser.h"
#include "cli/text.h"
#include "cli/tool_log.h"
#include "cli/tools.h"
#include "client/consumer.h"
#include "runtime/entropy.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr std::string_view kLogger = "org.apache.kafka.tools.consumer.ConsoleConsumer";
constexpr std::string_view kFormatterHelp =
    "What is printed: print.timestamp, print.key, print.offset, print.epoch, print.partition, "
    "print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, "
    "key.deserializer, value.deserializer, headers.deserializer.";

constexpr OptionSpec kOptions[] = {
    {"bootstrap-server", Required, "server to connect to", "REQUIRED: brokers to connect to."},
    {"command-config", Required, "config file", "A properties file for the consumer."},
    {"command-property", Required, "consumer_prop", "A consumer property, key=value.", "String", "",
     false, true},
    {"consumer-property", Required, "consumer_prop", "(DEPRECATED) Use --command-property.",
     "String", "", false, true},
    {"consumer.config", Required, "config file", "(DEPRECATED) Use --command-config."},
    {"enable-systest-events", None, {}, "Also print events of the consumer's life."},
    {"formatter", Required, "class", "The formatter of records.", "String",
     MessageFormatter::kDefaultClass},
    {"formatter-config", Required, "config file", "A properties file for the formatter."},
    {"formatter-property", Required, "prop", kFormatterHelp, "String", "", false, true},
    {"from-beginning", None, {}, "Start at the oldest record when there is no committed offset."},
    {"group", Required, "consumer group id", "The consumer group."},
    {"include", Required, "Java regex (String)", "A regular expression of topics to consume."},
    {"isolation-level", Required, "",
     "read_committed hides records of transactions that did not commit.", "String",
     "read_uncommitted"},
    {"key-deserializer", Required, "deserializer for keys", "How keys are read."},
    {"max-messages", Required, "num_messages", "Stop after so many records.", "Integer"},
    {"offset", Required, "consume offset",
     "Where to start: a number, 'earliest' or 'latest'; only with --partition.", "String",
     "latest"},
    {"partition", Required, "partition", "The one partition to consume.", "Integer"},
    {"property", Required, "prop", "(DEPRECATED) Use --formatter-property.", "String", "", false,
     true},
    {"skip-message-on-error", None, {}, "Pass over a record that cannot be printed."},
    {"timeout-ms", Required, "timeout_ms", "Stop when no record came for so long.", "Long"},
    {"topic", Required, "topic", "The topic to consume."},
    {"value-deserializer", Required, "deserializer for values", "How values are read."},
    kHelpOption,
    kVersionOption,
};

// A usage error (with the option table) or nothing.
std::optional<std::string> check_options(const ParsedOptions& options) {
    if (auto message = not_exactly_one(options, {"topic", "include"})) {
        return message;
    }
    if (options.has("partition")) {
        if (!options.has("topic")) {
            return "The topic is required when partition is specified.";
        }
        if (options.has("from-beginning") && options.has("offset")) {
            return "Options from-beginning and offset cannot be specified together.";
        }
    } else if (options.has("offset")) {
        return "The partition is required when offset is specified.";
    }
    if (auto message = missing_required(options, {"bootstrap-server"})) {
        return message;
    }
    if (options.has("consumer-property") && options.has("command-property")) {
        return "Options --consumer-property and --command-property cannot be specified together.";
    }
    if (options.has("consumer.config") && options.has("command-config")) {
        return "Options --consumer.config and --command-config cannot be specified together.";
    }
    return std::nullopt;
}

// The offset of --offset as a number or a spec. Errors: Kafka's usage message.
Result<int64_t> starting_offset(const ParsedOptions& options) {
    if (!options.has("offset")) {
        return options.has("from-beginning") ? client::offset_spec::kEarliest
                                             : client::offset_spec::kLatest;
    }
    std::string text = *options.value("offset");
    std::string lower = text;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (lower == "earliest") {
        return client::offset_spec::kEarliest;
    }
    if (lower == "latest") {
        return client::offset_spec::kLatest;
    }
    auto offset = parse_number<int64_t>(text);
    if (!offset || *offset < 0) {
        return fail(ErrorCode::InvalidRequest,
                    "The provided offset value '{}' is incorrect. Valid values are 'earliest', "
                    "'latest', or a non-negative long.",
                    text);
    }
    return *offset;
}

struct Settings {
    client::Properties properties;
    std::unique_ptr<MessageFormatter> formatter;
    int64_t start = client::offset_spec::kLatest;
    int64_t messages_max = -1;
    std::optional<Duration> timeout;
    std::optional<TopicFilter> include;
};

Result<Settings> read_settings(const ParsedOptions& options, Streams& streams) {
    Settings settings;
    bool old_property = options.has("consumer-property");
    bool old_config = options.has("consumer.config");
    if (old_property) {
        say(streams.out,
            "Option --consumer-property is deprecated and will be removed in a future version. "
            "Use --command-property instead.\n");
    }
    if (old_config) {
        say(streams.out,
            "Option --consumer.config is deprecated and will be removed in a future version. "
            "Use --command-config instead.\n");
    }
    MOLDAU_TRY(auto from_file,
               load_properties(options.value(old_config ? "consumer.config" : "command-config")));
    MOLDAU_TRY(auto extra, parse_key_values(options.values(old_property ? "consumer-property"
                                                                        : "command-property")));
    std::set<std::string> groups;
    if (auto group = options.value("group")) {
        groups.insert(*group);
    }
    if (auto group = from_file.find("group.id"); group != from_file.end()) {
        groups.insert(group->second);
    }
    if (auto group = extra.find("group.id"); group != extra.end()) {
        groups.insert(group->second);
    }
    if (groups.size() > 1) {
        std::vector<std::string> quoted;
        for (const std::string& group : groups) {
            quoted.push_back(fmt::format("'{}'", group));
        }
        return fail(
            ErrorCode::InvalidRequest,
            "The group ids provided in different places (directly using '--group', via "
            "'--consumer-property', or via '--consumer.config') do not match. Detected group "
            "ids: {}",
            fmt::join(quoted, ", "));
    }
    if (!groups.empty() && options.has("partition")) {
        return fail(ErrorCode::InvalidRequest,
                    "Options group and partition cannot be specified together.");
    }
    settings.properties = std::move(from_file);
    for (auto& [key, value] : extra) {
        settings.properties.insert_or_assign(key, value);
    }
    client::Properties& properties = settings.properties;
    bool from_beginning = options.has("from-beginning");
    properties.try_emplace("auto.offset.reset", from_beginning ? "earliest" : "latest");
    properties.insert_or_assign("bootstrap.servers", *options.value("bootstrap-server"));
    properties.try_emplace("client.id", "console-consumer");
    if (options.has("isolation-level") || !properties.contains("isolation.level")) {
        properties.insert_or_assign("isolation.level", *options.value("isolation-level"));
    }
    if (groups.empty()) {
        properties.insert_or_assign(
            "group.id",
            fmt::format("console-consumer-{}", runtime::system_entropy().below(100000)));
        // Nobody will come back for the offsets of a group that was made up.
        properties.try_emplace("enable.auto.commit", "false");
    } else {
        properties.insert_or_assign("group.id", *groups.begin());
    }
    MOLDAU_TRY(settings.start, starting_offset(options));
    MOLDAU_TRY(auto timeout, options.int64("timeout-ms"));
    if (timeout && *timeout >= 0) {
        settings.timeout = milliseconds(*timeout);
    }
    MOLDAU_TRY(auto messages, options.int32("max-messages"));
    settings.messages_max = messages.value_or(-1);

    if (options.has("formatter-property") && options.has("property")) {
        return fail(ErrorCode::InvalidRequest,
                    "Options --property and --formatter-property cannot be specified together.");
    }
    if (options.has("property")) {
        say(streams.out,
            "Option --property is deprecated and will be removed in a future version. Use "
            "--formatter-property instead.\n");
    }
    MOLDAU_TRY(auto formatter_properties, load_properties(options.value("formatter-config")));
    if (auto name = options.value("key-deserializer")) {
        formatter_properties.insert_or_assign("key.deserializer", *name);
    }
    if (auto name = options.value("value-deserializer")) {
        formatter_properties.insert_or_assign("value.deserializer", *name);
    }
    MOLDAU_TRY(auto pairs, parse_key_values(options.values(
                               options.has("property") ? "property" : "formatter-property")));
    for (auto& [key, value] : pairs) {
        formatter_properties.insert_or_assign(key, value);
    }
    MOLDAU_TRY(settings.formatter,
               MessageFormatter::create(*options.value("formatter"), formatter_properties));
    if (auto include = options.value("include")) {
        MOLDAU_TRY(auto filter, TopicFilter::parse(*include));
        settings.include.emplace(std::move(filter));
    }
    return settings;
}

class ConsoleConsumer {
 public:
    ConsoleConsumer(const ParsedOptions& options, Settings settings, client::Consumer& consumer,
                    Streams& streams)
        : options_(options),
          settings_(std::move(settings)),
          consumer_(consumer),
          streams_(streams) {}

    int run() {
        start();
        bool ok = consume();
        consumer_.close(seconds(30));
        say(streams_.err, "Processed a total of {} messages\n", count_);
        if (options_.has("enable-systest-events")) {
            say(streams_.out, "shutdown_complete\n");
        }
        if (Interrupt::signal() != 0) {
            return Interrupt::exit_code();
        }
        return ok ? 0 : 1;
    }

 private:
    void start() {
        auto partition = options_.int32("partition").value();
        if (partition) {
            TopicPartition tp{*options_.value("topic"), *partition};
            consumer_.assign({tp});
            if (settings_.start >= 0) {
                consumer_.seek(tp, settings_.start);
            } else {
                consumer_.seek_to(tp, settings_.start);
            }
        } else if (settings_.include) {
            consumer_.subscribe(
                [filter = std::make_shared<TopicFilter>(std::move(*settings_.include))](
                    const std::string& topic) { return filter->allows(topic, true); });
        } else {
            consumer_.subscribe(std::set<std::string>{*options_.value("topic")});
        }
    }

    // False when a record could not be printed.
    bool consume() {
        std::string text;
        bool waits_forever = !settings_.timeout;
        MonotonicTime heard = consumer_.client().now();
        while (Interrupt::signal() == 0 && !done()) {
            // Short waits, because a signal does not end one.
            Duration wait = milliseconds(100);
            if (!waits_forever) {
                Duration left = heard + *settings_.timeout - consumer_.client().now();
                if (left <= Duration(0)) {
                    report("org.apache.kafka.common.errors.TimeoutException");
                    return true;
                }
                wait = std::min(wait, left);
            }
            auto records = consumer_.poll(wait);
            if (!records) {
                report(java_error(records.error()));
                return true;
            }
            if (!records->empty()) {
                heard = consumer_.client().now();
            }
            for (const client::ConsumedRecord& record : *records) {
                if (done()) {
                    // What poll() handed out beyond the limit must not be committed.
                    give_back(*records, &record - records->data());
                    break;
                }
                ++count_;
                text.clear();
                if (auto status = settings_.formatter->write(record, text); !status) {
                    if (!options_.has("skip-message-on-error")) {
                        log_error(streams_, kLogger, "Unknown error when running consumer: ");
                        say(streams_.err, "java.lang.RuntimeException: {}\n",
                            status.error().message);
                        return false;
                    }
                    log_error(streams_, kLogger,
                              "Error processing message, skipping this message: ");
                    say(streams_.err, "java.lang.RuntimeException: {}\n", status.error().message);
                    continue;
                }
                std::fwrite(text.data(), 1, text.size(), streams_.out);
                if (std::ferror(streams_.out) != 0) {
                    return stdout_is_gone();
                }
            }
            if (std::fflush(streams_.out) != 0) {
                return stdout_is_gone();
            }
        }
        return true;
    }

    bool done() const { return settings_.messages_max >= 0 && count_ >= settings_.messages_max; }

    void give_back(const std::vector<client::ConsumedRecord>& records, std::ptrdiff_t from) {
        std::set<TopicPartition> seen;
        for (size_t i = static_cast<size_t>(from); i < records.size(); ++i) {
            if (seen.insert(records[i].partition).second) {
                consumer_.seek(records[i].partition, records[i].offset);
            }
        }
    }

    void report(std::string_view error) {
        log_error(streams_, kLogger, "Error processing message, terminating consumer process: ");
        say(streams_.err, "{}\n", error);
    }

    bool stdout_is_gone() {
        say(streams_.err, "Unable to write to standard out, closing consumer.\n");
        return true;
    }

    const ParsedOptions& options_;
    Settings settings_;
    client::Consumer& consumer_;
    Streams& streams_;
    int64_t count_ = 0;
};

}  // namespace

int run_kafka_console_consumer(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    auto options = parser.parse(arguments);
    if (!options) {
        return usage_error(streams, parser, options.error().message);
    }
    if (auto code = help_or_version(
            streams, parser, *options,
            "This tool helps to read data from Kafka topics and outputs it to standard output.")) {
        return *code;
    }
    if (auto message = check_options(*options)) {
        return usage_error(streams, parser, *message);
    }
    if (auto partition = options->int32("partition"); !partition) {
        return usage_error(streams, parser, partition.error().message);
    }
    auto settings = read_settings(*options, streams);
    if (!settings) {
        return usage_error(streams, parser, settings.error().message);
    }
    std::string reset = settings->properties.at("auto.offset.reset");
    if (options->has("from-beginning") && reset != "earliest") {
        say(streams.err,
            "Can't simultaneously specify --from-beginning and 'auto.offset.reset={}', please "
            "remove one option\n",
            reset);
        return 1;
    }
    auto consumer = client::Consumer::create(settings->properties);
    if (!consumer) {
        log_error(streams, kLogger, "Unknown error when running consumer: ");
        say(streams.err, "{}: {}\n", kConfigException, consumer.error().message);
        return 1;
    }
    if (!options->has("partition")) {
        say(streams.err,
            "The consumer rebalance protocol (KIP-848) is production-ready! Set "
            "group.protocol=consumer to try it out. See "
            "https://kafka.apache.org/documentation/#consumer_rebalance_protocol\n");
    }
    Interrupt interrupt;
    return ConsoleConsumer(*options, std::move(*settings), **consumer, streams).run();
}

}  // namespace moldau::cli
