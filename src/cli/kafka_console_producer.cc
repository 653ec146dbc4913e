// kafka-console-producer: one record per line of standard input.
#include <future>

#include <unistd.h>

#include "cli/client_tool.h"
#include "cli/interrupt.h"
#include "cli/line_reader.h"
#include "cli/option_parser.h"
#include "cli/tool_log.h"
#include "cli/tools.h"
#include "client/producer.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr std::string_view kDefaultReader = "org.apache.kafka.tools.LineMessageReader";
constexpr std::string_view kReaderHelp =
    "How lines become records: parse.key, key.separator, parse.headers, headers.delimiter, "
    "headers.separator, headers.key.separator, null.marker, ignore.error.";

constexpr OptionSpec kOptions[] = {
    {"batch-size", Required, "size", "Bytes gathered per partition (batch.size).", "Integer",
     "16384"},
    {"bootstrap-server", Required, "server to connect to",
     "REQUIRED: brokers as HOST1:PORT1,HOST2:PORT2."},
    {"command-config", Required, "config file", "A properties file for the producer."},
    {"command-property", Required, "producer_prop", "A producer property, key=value.", "String", "",
     false, true},
    {"compression-codec", Optional, "compression-codec",
     "none, gzip, snappy, lz4 or zstd; gzip when no value is given."},
    {"line-reader", Required, "reader_class", "The reader of lines.", "String", kDefaultReader},
    {"max-block-ms", Required, "max block on send", "How long a send may wait.", "Long", "60000"},
    {"max-memory-bytes", Required, "total memory in bytes",
     "Memory for records that wait (buffer.memory).", "Long", "33554432"},
    {"max-partition-memory-bytes", Required, "memory in bytes per partition",
     "(Deprecated) Use --batch-size.", "Integer", "16384"},
    {"message-send-max-retries", Required, "", "How often a batch is sent again (retries).",
     "Integer", "3"},
    {"metadata-expiry-ms", Required, "metadata expiration interval",
     "Age at which metadata is asked for anew (metadata.max.age.ms).", "Long", "300000"},
    {"producer-property", Required, "producer_prop", "(DEPRECATED) Use --command-property.",
     "String", "", false, true},
    {"producer.config", Required, "config file", "(DEPRECATED) Use --command-config."},
    {"property", Required, "prop", "(DEPRECATED) Use --reader-property.", "String", "", false,
     true},
    {"reader-config", Required, "config file", "A properties file for the line reader."},
    {"reader-property", Required, "prop", kReaderHelp, "String", "", false, true},
    {"request-required-acks", Required, "request required acks", "The acks of produce requests.",
     "String", "-1"},
    {"request-timeout-ms", Required, "request timeout ms", "How long a request may take.",
     "Integer", "1500"},
    {"retry-backoff-ms", Required, "", "Pause before a batch is sent again.", "Long", "100"},
    {"socket-buffer-size", Required, "size", "Bytes of the socket's buffer.", "Integer", "102400"},
    {"sync", None, {}, "Send each record and wait for its answer."},
    {"timeout", Required, "timeout_ms", "How long records wait for company (linger.ms).", "Long",
     "1000"},
    {"topic", Required, "topic", "REQUIRED: the topic to produce to."},
    kHelpOption,
    kVersionOption,
};

// Replaced pairs of options: both at once is an error, the old one warns.
struct Renamed {
    std::string_view old_name;
    std::string_view new_name;
};
constexpr Renamed kRenamed[] = {
    {"producer.config", "command-config"},
    {"producer-property", "command-property"},
    {"property", "reader-property"},
};

std::string_view in_use(const ParsedOptions& options, const Renamed& pair) {
    return options.has(pair.old_name) ? pair.old_name : pair.new_name;
}

Result<client::Properties> producer_properties(const ParsedOptions& options) {
    MOLDAU_TRY(auto properties, load_properties(options.value(in_use(options, kRenamed[0]))));
    MOLDAU_TRY(auto pairs, parse_key_values(options.values(in_use(options, kRenamed[1]))));
    for (auto& [key, value] : pairs) {
        properties.insert_or_assign(key, value);
    }
    properties.insert_or_assign("bootstrap.servers", *options.value("bootstrap-server"));
    std::string codec = "none";
    if (options.has("compression-codec")) {
        codec = options.value_or("compression-codec", "gzip");
    }
    properties.insert_or_assign("compression.type", codec.empty() ? "gzip" : codec);
    properties.try_emplace("client.id", "console-producer");
    struct Merge {
        std::string_view key;
        std::string_view option;
    };
    constexpr Merge merges[] = {
        {"linger.ms", "timeout"},
        {"acks", "request-required-acks"},
        {"request.timeout.ms", "request-timeout-ms"},
        {"retries", "message-send-max-retries"},
        {"retry.backoff.ms", "retry-backoff-ms"},
        {"send.buffer.bytes", "socket-buffer-size"},
        {"buffer.memory", "max-memory-bytes"},
        {"batch.size", "batch-size"},
        {"batch.size", "max-partition-memory-bytes"},
        {"metadata.max.age.ms", "metadata-expiry-ms"},
        {"max.block.ms", "max-block-ms"},
    };
    for (const Merge& merge : merges) {
        if (options.has(merge.option) || !properties.contains(merge.key)) {
            properties.insert_or_assign(std::string(merge.key), *options.value(merge.option));
        }
    }
    return properties;
}

std::string size_text(const std::optional<std::string>& bytes) {
    return bytes ? fmt::format("{} bytes", bytes->size()) : "null";
}

class ConsoleProducer {
 public:
    ConsoleProducer(client::Producer& producer, LineReader reader, std::string topic, bool sync,
                    Streams& streams)
        : producer_(producer),
          reader_(std::move(reader)),
          topic_(std::move(topic)),
          sync_(sync),
          streams_(streams) {}

    int run() {
        bool prompt = isatty(fileno(streams_.in)) == 1 && isatty(fileno(streams_.out)) == 1;
        int exit_code = 0;
        char* line = nullptr;
        size_t capacity = 0;
        while (exit_code == 0 && Interrupt::signal() == 0) {
            if (prompt) {
                say(streams_.out, ">");
                std::fflush(streams_.out);
            }
            ssize_t length = getline(&line, &capacity, streams_.in);
            if (length < 0) {
                break;
            }
            exit_code = take(std::string_view(line, static_cast<size_t>(length)));
        }
        std::free(line);
        producer_.close(std::chrono::hours(24));
        return Interrupt::signal() != 0 ? Interrupt::exit_code() : exit_code;
    }

 private:
    int take(std::string_view line) {
        if (line.ends_with('\n')) {
            line.remove_suffix(1);
        }
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        auto record = reader_.read(line);
        if (!record) {
            say(streams_.err, "org.apache.kafka.common.KafkaException: {}\n",
                record.error().message);
            return 1;
        }
        return sync_ ? send_and_wait(std::move(*record)) : send(std::move(*record));
    }

    int send(client::RecordData data) {
        std::string key = size_text(data.key);
        std::string value = size_text(data.value);
        auto report = [this, key, value](const Error& error) {
            log_error(streams_, "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback",
                      fmt::format("Error when sending message to topic {} with key: {}, value: {} "
                                  "with error:",
                                  topic_, key, value));
            say(streams_.err, "{}\n", java_error(error));
        };
        auto sent = producer_.send({topic_, std::nullopt, std::move(data)},
                                   [report](Result<client::RecordMetadata> outcome) {
                                       if (!outcome) {
                                           report(outcome.error());
                                       }
                                   });
        if (!sent) {
            report(sent.error());
        }
        return 0;
    }

    int send_and_wait(client::RecordData data) {
        std::promise<Status> answered;
        auto sent = producer_.send(
            {topic_, std::nullopt, std::move(data)}, [&](Result<client::RecordMetadata> outcome) {
                answered.set_value(outcome ? Status() : fail(outcome.error()));
            });
        if (sent) {
            sent = answered.get_future().get();
        }
        if (!sent) {
            say(streams_.err, "java.util.concurrent.ExecutionException: {}\n",
                java_error(sent.error()));
            return 1;
        }
        return 0;
    }

    client::Producer& producer_;
    LineReader reader_;
    const std::string topic_;
    const bool sync_;
    Streams& streams_;
};

int fail_with(Streams& streams, std::string_view java_class, const Error& error) {
    say(streams.err, "{}: {}\n", java_class, error.message);
    return 1;
}

}  // namespace

int run_kafka_console_producer(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    auto options = parser.parse(arguments);
    if (!options) {
        return usage_error(streams, parser, options.error().message);
    }
    if (auto code = help_or_version(
            streams, parser, *options,
            "This tool helps to read data from standard input and publish it to Kafka.")) {
        return *code;
    }
    if (auto message = missing_required(*options, {"topic"})) {
        return usage_error(streams, parser, *message);
    }
    for (const Renamed& pair : kRenamed) {
        if (options->has(pair.old_name) && options->has(pair.new_name)) {
            return usage_error(streams, parser,
                               fmt::format("Options --{} and --{} cannot be specified together.",
                                           pair.new_name, pair.old_name));
        }
    }
    for (const Renamed* pair : {&kRenamed[1], &kRenamed[0], &kRenamed[2]}) {
        if (options->has(pair->old_name)) {
            say(streams.out,
                "Warning: --{} is deprecated and will be removed in a future version. Use --{} "
                "instead.\n",
                pair->old_name, pair->new_name);
        }
    }
    if (options->has("max-partition-memory-bytes")) {
        say(streams.out,
            "Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache "
            "Kafka 5.0. Use --batch-size instead.\n");
    }
    if (auto message = bad_bootstrap_server(options->value("bootstrap-server"))) {
        return usage_error(streams, parser, *message);
    }
    if (options->value("line-reader") != kDefaultReader) {
        say(streams.err, "java.lang.ClassNotFoundException: {}\n", *options->value("line-reader"));
        return 1;
    }
    auto reader_properties = load_properties(options->value("reader-config"));
    if (!reader_properties) {
        return fail_with(streams, "java.nio.file.NoSuchFileException", reader_properties.error());
    }
    auto pairs = parse_key_values(options->values(in_use(*options, kRenamed[2])));
    for (auto& [key, value] : *pairs) {
        reader_properties->insert_or_assign(key, value);
    }
    auto reader = LineReader::configure(*reader_properties);
    if (!reader) {
        return fail_with(streams, "org.apache.kafka.common.KafkaException", reader.error());
    }
    auto properties = producer_properties(*options);
    if (!properties) {
        return fail_with(streams, "java.nio.file.NoSuchFileException", properties.error());
    }
    auto producer = client::Producer::create(*properties);
    if (!producer) {
        return fail_with(streams, kConfigException, producer.error());
    }
    Interrupt interrupt;
    return ConsoleProducer(**producer, std::move(*reader), *options->value("topic"),
                           options->has("sync"), streams)
        .run();
}

}  // namespace moldau::cli
