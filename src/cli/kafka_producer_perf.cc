// kafka-producer-perf-test: sends records at a given rate and reports throughput and latency.
#include <algorithm>
#include <mutex>
#include <thread>

#include "cli/argument_parser.h"
#include "cli/client_tool.h"
#include "cli/text.h"
#include "cli/tools.h"
#include "client/producer.h"
#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/file_system.h"

namespace moldau::cli {
namespace {

constexpr std::string_view kProperty = "PROP-NAME=PROP-VALUE";

constexpr ArgumentSpec kArguments[] = {
    {.flag = "--bootstrap-server", .help = "Brokers to connect to.", .metavar = "BOOTSTRAP-SERVER"},
    {.flag = "--topic", .help = "Produce to this topic.", .required = true},
    {.flag = "--num-records",
     .help = "How many records to send.",
     .required = true,
     .metavar = "NUM-RECORDS"},
    {.flag = "--payload-delimiter",
     .help = "What parts the payloads of a file.",
     .default_value = "\n",
     .metavar = "PAYLOAD-DELIMITER"},
    {.flag = "--throughput",
     .help = "Records per second at most; -1 for no limit.",
     .required = true},
    {.flag = "--producer-props",
     .kind = ArgumentKind::Values,
     .help = "(DEPRECATED) Use --command-property.",
     .metavar = kProperty},
    {.flag = "--command-property",
     .kind = ArgumentKind::Values,
     .help = "Producer properties.",
     .metavar = kProperty},
    {.flag = "--producer.config",
     .help = "(DEPRECATED) Use --command-config.",
     .metavar = "CONFIG-FILE"},
    {.flag = "--command-config",
     .help = "A properties file for the producer.",
     .metavar = "CONFIG-FILE"},
    {.flag = "--reporting-interval",
     .help = "Milliseconds between reports.",
     .default_value = "5000",
     .metavar = "INTERVAL-MS"},
    {.flag = "--record-size",
     .help = "Bytes per record.",
     .metavar = "RECORD-SIZE",
     .group = 1,
     .group_required = true},
    {.flag = "--payload-file",
     .help = "A file of payloads to choose from.",
     .metavar = "PAYLOAD-FILE",
     .group = 1,
     .group_required = true},
    {.flag = "--payload-monotonic",
     .kind = ArgumentKind::Flag,
     .help = "The record's number as its payload.",
     .group = 1,
     .group_required = true},
};

// What was delivered, for the whole run and since the last report. Deliveries come on the
// producer's loop, reports leave there too.
class Statistics {
 public:
    Statistics(Streams& streams, int64_t interval_ms)
        : streams_(streams),
          interval_ms_(interval_ms),
          start_ms_(now_ms()),
          window_ms_(start_ms_) {}

    static int64_t now_ms() {
        return to_ms(runtime::system_clock().monotonic().time_since_epoch());
    }

    void delivered(int64_t latency_ms, size_t bytes) {
        std::lock_guard lock(mutex_);
        total_.add(latency_ms, bytes);
        window_.add(latency_ms, bytes);
        latencies_.push_back(static_cast<int32_t>(latency_ms));
        int64_t now = now_ms();
        if (now - window_ms_ >= interval_ms_) {
            double elapsed = static_cast<double>(now - window_ms_);
            say(streams_.out,
                "{} records sent, {:.1f} records/sec ({:.2f} MB/sec), {:.1f} ms avg latency, "
                "{:.1f} "
                "ms max latency.\n",
                window_.count, window_.records_per_second(elapsed), window_.megabytes(elapsed),
                window_.average(), static_cast<double>(window_.max));
            std::fflush(streams_.out);
            window_ = {};
            window_ms_ = now;
        }
    }

    void print_total() {
        std::lock_guard lock(mutex_);
        std::ranges::sort(latencies_);
        auto percentile = [&](double part) {
            size_t index = static_cast<size_t>(part * static_cast<double>(latencies_.size()));
            return latencies_.empty() ? 0 : latencies_[std::min(index, latencies_.size() - 1)];
        };
        double elapsed = static_cast<double>(std::max<int64_t>(now_ms() - start_ms_, 1));
        say(streams_.out,
            "{} records sent, {:f} records/sec ({:.2f} MB/sec), {:.2f} ms avg latency, {:.2f} ms "
            "max "
            "latency, {} ms 50th, {} ms 95th, {} ms 99th, {} ms 99.9th.\n",
            total_.count, total_.records_per_second(elapsed), total_.megabytes(elapsed),
            total_.average(), static_cast<double>(total_.max), percentile(0.5), percentile(0.95),
            percentile(0.99), percentile(0.999));
    }

 private:
    struct Sum {
        int64_t count = 0;
        int64_t bytes = 0;
        int64_t latency_ms = 0;
        int64_t max = 0;

        void add(int64_t latency, size_t size) {
            ++count;
            bytes += static_cast<int64_t>(size);
            latency_ms += latency;
            max = std::max(max, latency);
        }
        double records_per_second(double elapsed_ms) const {
            return 1000.0 * static_cast<double>(count) / elapsed_ms;
        }
        double megabytes(double elapsed_ms) const {
            return 1000.0 * static_cast<double>(bytes) / elapsed_ms / (1024.0 * 1024.0);
        }
        double average() const {
            return static_cast<double>(latency_ms) /
                   static_cast<double>(std::max<int64_t>(count, 1));
        }
    };

    Streams& streams_;
    const int64_t interval_ms_;
    const int64_t start_ms_;
    std::mutex mutex_;
    int64_t window_ms_;
    Sum total_;
    Sum window_;
    std::vector<int32_t> latencies_;
};

Result<int64_t> number(const ParsedArguments& arguments, std::string_view flag) {
    std::string text = arguments.value_or(flag, "0");
    auto value = parse_number<int64_t>(text);
    if (!value) {
        return fail(ErrorCode::InvalidRequest, "argument {}: could not convert '{}' to a number",
                    flag, text);
    }
    return *value;
}

Result<client::Properties> producer_properties(const ParsedArguments& arguments) {
    auto file = arguments.has("--producer.config") ? arguments.value("--producer.config")
                                                   : arguments.value("--command-config");
    MOLDAU_TRY(auto properties, load_properties(file));
    std::vector<std::string> pairs = arguments.values(
        arguments.has("--producer-props") ? "--producer-props" : "--command-property");
    MOLDAU_TRY(auto extra, parse_key_values(pairs));
    for (auto& [key, value] : extra) {
        properties.insert_or_assign(key, value);
    }
    if (auto servers = arguments.value("--bootstrap-server")) {
        properties.insert_or_assign("bootstrap.servers", *servers);
    }
    if (!properties.contains("bootstrap.servers")) {
        return fail(ErrorCode::InvalidRequest,
                    "At least one of --bootstrap-server, --command-property, --producer-props, "
                    "--producer.config or --command-config must be specified.");
    }
    properties.try_emplace("client.id", "perf-producer-client");
    return properties;
}

// The payloads to choose from: those of the file, or one of the size asked for; none when the
// record's number is the payload.
Result<std::vector<std::string>> read_payloads(const ParsedArguments& arguments) {
    std::vector<std::string> payloads;
    if (auto path = arguments.value("--payload-file")) {
        MOLDAU_TRY(Bytes content, runtime::real_file_system().read_file(*path));
        std::string delimiter = arguments.value_or("--payload-delimiter", "\n");
        delimiter = delimiter == "\\n" ? "\n" : delimiter;
        std::string_view rest = content.view();
        while (!rest.empty()) {
            size_t end = std::min(rest.find(delimiter), rest.size());
            payloads.emplace_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + delimiter.size(), rest.size()));
        }
        if (payloads.empty()) {
            return fail(ErrorCode::InvalidRequest,
                        "Payload file does not exist or empty file provided.");
        }
    } else if (arguments.has("--record-size")) {
        MOLDAU_TRY(int64_t bytes, number(arguments, "--record-size"));
        if (bytes <= 0) {
            return fail(ErrorCode::InvalidRequest, "--record-size should be greater than zero.");
        }
        runtime::SeededEntropy letters(0);
        std::string payload(static_cast<size_t>(bytes), 'A');
        for (char& c : payload) {
            c = static_cast<char>('A' + letters.below(26));
        }
        payloads.push_back(std::move(payload));
    }
    return payloads;
}

Status run(const ParsedArguments& arguments, Streams& streams) {
    MOLDAU_TRY(int64_t count, number(arguments, "--num-records"));
    MOLDAU_TRY(int64_t rate, number(arguments, "--throughput"));
    MOLDAU_TRY(int64_t interval, number(arguments, "--reporting-interval"));
    MOLDAU_TRY(auto payloads, read_payloads(arguments));
    MOLDAU_TRY(auto properties, producer_properties(arguments));
    MOLDAU_TRY(auto producer, client::Producer::create(properties));
    std::string topic = *arguments.value("--topic");
    Statistics statistics(streams, interval);
    runtime::SeededEntropy choice(0);
    auto start = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < count; ++i) {
        client::ProducerRecord record;
        record.topic = topic;
        record.data.value =
            payloads.empty() ? fmt::format("{}", i) : payloads[choice.below(payloads.size())];
        size_t bytes = record.data.value->size();
        int64_t sent_ms = Statistics::now_ms();
        auto status = producer->send(
            std::move(record), [&, bytes, sent_ms](Result<client::RecordMetadata> outcome) {
                if (outcome) {
                    statistics.delivered(Statistics::now_ms() - sent_ms, bytes);
                } else {
                    say(streams.err, "{}\n", ToolError(outcome.error()).str());
                }
            });
        if (!status) {
            say(streams.err, "{}\n", ToolError(status.error()).str());
        }
        if (rate > 0) {
            auto due = start + std::chrono::nanoseconds((i + 1) * 1'000'000'000 / rate);
            if (due > std::chrono::steady_clock::now() + std::chrono::milliseconds(2)) {
                std::this_thread::sleep_until(due);
            }
        }
    }
    producer->flush();
    statistics.print_total();
    producer->close(seconds(30));
    return {};
}

}  // namespace

int run_kafka_producer_perf_test(Arguments arguments, Streams& streams) {
    ArgumentParser parser("kafka-producer-perf-test",
                          "This tool is used to verify the producer performance.", kArguments);
    auto parsed = parser.parse(arguments, streams);
    if (!parsed) {
        return parsed.error();
    }
    constexpr std::pair<std::string_view, std::string_view> renamed[] = {
        {"--producer-props", "--command-property"}, {"--producer.config", "--command-config"}};
    for (const auto& [old_name, new_name] : renamed) {
        if (parsed->has(old_name)) {
            say(streams.out,
                "Option {} has been deprecated and will be removed in a future version. Use {} "
                "instead.\n",
                old_name, new_name);
        }
    }
    if (auto status = run(*parsed, streams); !status) {
        return parser.usage_error(streams, nullptr, status.error().message);
    }
    return 0;
}

}  // namespace moldau::cli
