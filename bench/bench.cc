// moldau_bench: a load generator that speaks the protocol by hand and costs little itself.
//
//   produce        Produce requests, closed loop or by the clock (load.h)
//   fetch          reads partitions again and again, --passes times, or once with --verify 1
//   end-to-end     produce by the clock, and a consumer that waits at the end of the log
//   first-ack      waits for the port, then for the first acknowledged record
//   create         --topics N --partitions N: one request after another, until all are acknowledged
//   metadata       Metadata of all topics, again and again
//   connect        opens --connections N and holds them until its input ends
//
// What the machine allows (probes.h, probe_server.h):
//
//   produce, connect --against ack|log|walk    the ProbeServer in this process instead of a broker
//   answer         a ProbeServer on --port that makes each frame durable, until its input ends
//   disk           one durable write at a time: --write-bytes N --file F
//   read-and-send  a file past the page cache to a socket: --megabytes N --file F
//   unpack         checksum and decompression of one batch, again and again: --codec C
//
// Prints one JSON object. The broker's CPU is read by rig.py from /proc.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "load.h"
#include "probe_server.h"
#include "probes.h"
#include "stream.h"

namespace moldau::bench {
namespace {

constexpr int16_t kUnknownTopicOrPartition = 3;
constexpr int16_t kLeaderNotAvailable = 5;
constexpr int16_t kNotLeaderOrFollower = 6;
constexpr int64_t kLeaderWaitNs = 60'000'000'000;
constexpr int64_t kStartWaitNs = 600'000'000'000;

class Options {
 public:
    Options(int argc, char** argv) {
        for (int i = 2; i < argc; i += 2) {
            std::string name = argv[i];
            if (!name.starts_with("--") || i + 1 == argc) {
                die(fmt::format("not an option with a value: {}", name));
            }
            values_[name.substr(2)] = argv[i + 1];
        }
    }

    std::string text(const std::string& name, const std::string& fallback) const {
        auto it = values_.find(name);
        return it == values_.end() ? fallback : it->second;
    }
    double number(const std::string& name, double fallback) const {
        auto it = values_.find(name);
        return it == values_.end() ? fallback : std::atof(it->second.c_str());
    }
    int integer(const std::string& name, int fallback) const {
        return static_cast<int>(number(name, fallback));
    }

 private:
    std::map<std::string, std::string> values_;
};

LoadSettings load_settings(const Options& options) {
    LoadSettings settings;
    settings.host = options.text("host", settings.host);
    settings.port = options.integer("port", settings.port);
    settings.topic = options.text("topic", settings.topic);
    settings.topics = options.integer("topics", 0);
    settings.partitions = options.integer("partitions", 1);
    settings.connections = options.integer("connections", 1);
    settings.in_flight = options.integer("in-flight", settings.in_flight);
    settings.acks = static_cast<int16_t>(options.integer("acks", -1));
    settings.batch.value_bytes = options.integer("record-bytes", 1000);
    // By count, or as many as fit: a record costs about 12 bytes besides its value.
    int batch_bytes = options.integer("batch-bytes", 131072);
    settings.batch.records = options.integer(
        "records", std::max(1, (batch_bytes - 61) / (settings.batch.value_bytes + 12)));
    auto codec = record::codec_of_name(options.text("codec", "none"));
    if (!codec) {
        die("no such codec");
    }
    settings.batch.codec = *codec;
    settings.idempotent = options.integer("idempotent", 0) != 0;
    settings.rate = options.number("rate", 0);
    settings.seconds = options.number("seconds", 10);
    settings.bytes = static_cast<int64_t>(options.number("megabytes", 0) * 1e6);
    settings.warm_up_seconds = options.number("warm-up", 0);
    return settings;
}

std::string latency_fields(const Histogram& nanos) {
    auto micros = [&](double share) { return static_cast<double>(nanos.at(share)) / 1000; };
    return fmt::format(
        "\"mean_us\": {:.1f}, \"p50_us\": {:.1f}, \"p99_us\": {:.1f}, \"p999_us\": {:.1f}, "
        "\"max_us\": {:.1f}",
        nanos.mean() / 1000, micros(0.5), micros(0.99), micros(0.999), micros(1));
}

void print(const LoadResult& result, const std::string& more = "") {
    fmt::print("{{\"requests\": {}, \"bytes\": {}, \"records\": {}, \"seconds\": {:.6f}, {}{}}}\n",
               result.requests, result.bytes, result.records, result.seconds,
               latency_fields(result.latency_ns), more);
}

// One request, its answer, and how long it took.
double ask(Stream& stream, const std::vector<uint8_t>& frame, std::vector<uint8_t>& answer) {
    int64_t began = now_ns();
    stream.send(frame);
    if (!stream.receive(answer)) {
        die("the broker closed the connection");
    }
    return static_cast<double>(now_ns() - began) * 1e-9;
}

// A topic is acknowledged before its partitions have their leaders, and Metadata may name a leader
// that does not know of it yet: each partition is asked for its end until its leader answers.
void await_leaders(const LoadSettings& settings) {
    Stream stream(settings.host, settings.port);
    std::vector<uint8_t> answer;
    auto deadline = now_ns() + kLeaderWaitNs;
    int topics = std::min(settings.topics, settings.connections);
    for (int i = 0; i < std::max(topics, 1); ++i) {
        std::string topic = topics == 0 ? settings.topic : fmt::format("{}{}", settings.topic, i);
        auto frame = list_offsets_frame(topic, settings.partitions);
        while (true) {
            ask(stream, frame, answer);
            int16_t error = list_offsets_error(answer);
            if (error == 0) {
                break;
            }
            bool is_passing = error == kUnknownTopicOrPartition || error == kLeaderNotAvailable ||
                              error == kNotLeaderOrFollower;
            if (!is_passing || now_ns() > deadline) {
                die(fmt::format("no leader: topic={} error={}", topic, error));
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }
}

std::unique_ptr<ProbeServer> probe_server(const Options& options) {
    static const std::map<std::string, ProbeServer::Work> kWorks = {
        {"ack", ProbeServer::Work::Ack},
        {"log", ProbeServer::Work::Log},
        {"walk", ProbeServer::Work::Walk}};
    auto work = kWorks.find(options.text("against", ""));
    if (work == kWorks.end()) {
        die("--against takes ack, log or walk");
    }
    return std::make_unique<ProbeServer>(work->second, options.text("file", "probe.tmp"));
}

int run_produce(const Options& options) {
    LoadSettings settings = load_settings(options);
    if (options.text("against", "").empty()) {
        await_leaders(settings);
        print(run_produce_load(settings));
        return 0;
    }
    auto probe = probe_server(options);
    settings.host = "127.0.0.1";
    settings.port = probe->port();
    settings.topic = "bench";
    settings.topics = 0;
    LoadResult result = run_produce_load(settings);
    print(result, fmt::format(", \"cpu_seconds\": {:.6f}", probe->stop()));
    return 0;
}

// One partition being read from some offset on.
class Reader {
 public:
    Reader(const Options& options, int partition, int64_t offset)
        : stream_(options.text("host", "127.0.0.1"), options.integer("port", 9092)),
          topic_(options.text("topic", "bench")),
          partition_(partition),
          offset_(offset),
          bytes_max_(options.integer("bytes-max", 1 << 20)) {}

    // One round trip; `records` lives until the next.
    Fetched fetch(int wait_max_ms) {
        stream_.send(fetch_frame(topic_, partition_, offset_, bytes_max_, wait_max_ms));
        if (!stream_.receive(answer_)) {
            die("the broker closed the connection");
        }
        Fetched fetched = parse_fetched(answer_);
        if (fetched.error != 0) {
            die(fmt::format("fetch failed: error={} offset={}", fetched.error, offset_));
        }
        return fetched;
    }
    BatchCheck check(const Fetched& fetched) const {
        BatchCheck check = check_batches(fetched.records, offset_);
        if (!check.error.empty()) {
            die(fmt::format("wrong data: partition={} {}", partition_, check.error));
        }
        return check;
    }
    // After the last whole batch, without looking into any.
    static int64_t next_offset(std::span<const uint8_t> records) {
        int64_t next = -1;
        size_t at = 0;
        while (at + record::kBatchHeaderBytes <= records.size()) {
            auto header = record::BatchHeader::read(records.data() + at);
            at += header.size_in_bytes();
            next = at <= records.size() ? header.next_offset().value() : next;
        }
        return next;
    }
    int64_t offset() const { return offset_; }
    void go_to(int64_t offset) { offset_ = offset; }

 private:
    Stream stream_;
    std::string topic_;
    int partition_;
    int64_t offset_;
    int bytes_max_;
    std::vector<uint8_t> answer_;
};

int run_fetch(const Options& options) {
    bool verify = options.integer("verify", 0) != 0;
    int passes = options.integer("passes", verify ? 1 : 0);
    double seconds = options.number("seconds", 10);
    int64_t requests = 0;
    int64_t bytes = 0;
    int64_t records = 0;
    int64_t began = now_ns();
    auto elapsed = [&] { return static_cast<double>(now_ns() - began) * 1e-9; };
    int partitions = options.integer("partitions", 1);
    for (int turn = 0; passes > 0 ? turn < passes * partitions : elapsed() < seconds; ++turn) {
        Reader reader(options, turn % partitions, 0);
        while (passes > 0 || elapsed() < seconds) {
            Fetched fetched = reader.fetch(0);
            ++requests;
            bytes += std::ssize(fetched.records);
            int64_t next = -1;
            if (verify) {
                BatchCheck check = reader.check(fetched);
                records += check.records;
                next = check.next_offset;
            } else {
                next = Reader::next_offset(fetched.records);
            }
            if (next < 0 && passes > 0 && reader.offset() < fetched.high_watermark) {
                die(fmt::format("nothing below the high watermark: offset={}", reader.offset()));
            }
            if (next < 0 || next >= fetched.high_watermark) {
                break;
            }
            reader.go_to(next);
        }
    }
    fmt::print("{{\"requests\": {}, \"bytes\": {}, \"records\": {}, \"seconds\": {:.6f}}}\n",
               requests, bytes, records, elapsed());
    return 0;
}

int run_end_to_end(const Options& options) {
    LoadSettings settings = load_settings(options);
    settings.partitions = 1;
    settings.batch.records = 1;
    settings.stamp = true;
    await_leaders(settings);
    int64_t end = 0;
    {
        Reader reader(options, 0, 0);
        end = reader.fetch(0).high_watermark;
    }
    int64_t counting_since = now_ns() + static_cast<int64_t>(settings.warm_up_seconds * 1e9);
    Histogram latency_ns;
    std::atomic<bool> done{false};
    std::thread consumer([&] {
        Reader reader(options, 0, end);
        while (true) {
            bool last = done;
            Fetched fetched = reader.fetch(last ? 0 : 100);
            BatchCheck check = reader.check(fetched);
            int64_t now = now_ns();
            for (int64_t stamp : check.stamps_ns) {
                if (stamp >= counting_since) {
                    latency_ns.record(static_cast<uint64_t>(std::max<int64_t>(0, now - stamp)));
                }
            }
            if (check.next_offset >= 0) {
                reader.go_to(check.next_offset);
            } else if (last) {
                return;
            }
        }
    });
    LoadResult sent = run_produce_load(settings);
    done = true;
    consumer.join();
    if (latency_ns.count() < static_cast<uint64_t>(sent.requests)) {
        die(fmt::format("consumed {} of {}", latency_ns.count(), sent.requests));
    }
    fmt::print("{{\"requests\": {}, \"seconds\": {:.6f}, {}}}\n", sent.requests, sent.seconds,
               latency_fields(latency_ns));
    return 0;
}

int run_first_ack(const Options& options) {
    LoadSettings settings = load_settings(options);
    ProduceFrame frame(settings.topic, 0, -1, record_batch({.records = 1, .value_bytes = 100}));
    auto deadline = now_ns() + kStartWaitNs;
    while (now_ns() < deadline) {
        Stream stream(settings.host, settings.port, static_cast<double>(kStartWaitNs) * 1e-9);
        std::vector<uint8_t> answer;
        // Before the partition has its leader the answer is an error, or none: ask again.
        while (now_ns() < deadline) {
            stream.send(frame.bytes());
            if (!stream.receive(answer)) {
                break;
            }
            if (produce_error(answer) == 0) {
                fmt::print("{{\"acknowledged\": true}}\n");
                return 0;
            }
            std::this_thread::sleep_for(std::chrono::microseconds(500));
        }
    }
    die(fmt::format("no acknowledgement within {} s", kStartWaitNs / 1'000'000'000));
}

int run_create(const Options& options) {
    int topics = options.integer("topics", 1);
    int partitions = options.integer("partitions", 1);
    std::string prefix = options.text("topic", "many");
    // A request may make ten thousand records at most.
    int at_once = std::max(1, 9000 / (partitions + 1));
    Stream stream(options.text("host", "127.0.0.1"), options.integer("port", 9092));
    std::vector<uint8_t> answer;
    double seconds = 0;
    for (int first = 0; first < topics; first += at_once) {
        seconds +=
            ask(stream,
                create_topics_frame(prefix, first, std::min(at_once, topics - first), partitions),
                answer);
        if (int16_t error = create_topics_error(answer); error != 0) {
            die(fmt::format("topics were not created: error={}", error));
        }
    }
    fmt::print("{{\"seconds\": {:.6f}}}\n", seconds);
    return 0;
}

int run_metadata(const Options& options) {
    Stream stream(options.text("host", "127.0.0.1"), options.integer("port", 9092));
    std::vector<uint8_t> answer;
    Histogram latency_ns;
    for (int i = 0; i < options.integer("count", 20); ++i) {
        latency_ns.record(static_cast<uint64_t>(ask(stream, metadata_frame(), answer) * 1e9));
    }
    fmt::print("{{\"bytes\": {}, {}}}\n", answer.size(), latency_fields(latency_ns));
    return 0;
}

void await_end_of_input() {
    char ignored = 0;
    while (::read(STDIN_FILENO, &ignored, 1) > 0) {
    }
}

int run_connect(const Options& options) {
    int count = options.integer("connections", 1000);
    std::vector<std::unique_ptr<Stream>> streams;
    std::vector<uint8_t> answer;
    auto frame = Frame(18, 0, 1).finish();  // ApiVersions: accepted, and served
    bool is_probe = !options.text("against", "").empty();
    auto probe = is_probe ? probe_server(options) : nullptr;
    int port = probe != nullptr ? probe->port() : options.integer("port", 9092);
    int64_t began = now_ns();
    for (int i = 0; i < count; ++i) {
        streams.push_back(std::make_unique<Stream>(options.text("host", "127.0.0.1"), port));
        ask(*streams.back(), frame, answer);
        streams.back()->release_buffer();
    }
    fmt::print("{{\"connections\": {}, \"seconds\": {:.6f}}}\n", count,
               static_cast<double>(now_ns() - began) * 1e-9);
    std::fflush(stdout);
    await_end_of_input();
    return 0;
}

int run_answer(const Options& options) {
    ProbeServer server(ProbeServer::Work::Durable, options.text("file", "probe.tmp"),
                       options.integer("port", 0));
    await_end_of_input();
    return 0;
}

int run_disk(const Options& options) {
    auto result = write_durably(options.text("file", "probe.tmp"),
                                static_cast<size_t>(options.integer("write-bytes", 4096)),
                                options.number("seconds", 2));
    fmt::print("{{\"requests\": {}, \"seconds\": {:.6f}, {}}}\n", result.latency_ns.count(),
               result.seconds, latency_fields(result.latency_ns));
    return 0;
}

int run_read_and_send(const Options& options) {
    auto result = read_and_send(options.text("file", "probe.tmp"),
                                static_cast<int64_t>(options.number("megabytes", 500) * 1e6));
    fmt::print("{{\"bytes\": {}, \"seconds\": {:.6f}, \"cpu_seconds\": {:.6f}}}\n", result.bytes,
               result.seconds, result.cpu_seconds);
    return 0;
}

int run_unpack(const Options& options) {
    auto result = unpack(load_settings(options).batch, options.number("seconds", 2));
    fmt::print("{{\"bytes\": {}, \"seconds\": {:.6f}, \"cpu_seconds\": {:.6f}}}\n", result.bytes,
               result.seconds, result.cpu_seconds);
    return 0;
}

int run(int argc, char** argv) {
    static const std::map<std::string, int (*)(const Options&)> kCommands = {
        {"produce", run_produce},       {"fetch", run_fetch},
        {"end-to-end", run_end_to_end}, {"first-ack", run_first_ack},
        {"create", run_create},         {"metadata", run_metadata},
        {"connect", run_connect},       {"disk", run_disk},
        {"answer", run_answer},         {"read-and-send", run_read_and_send},
        {"unpack", run_unpack},
    };
    auto command = kCommands.find(argc > 1 ? argv[1] : "");
    if (command == kCommands.end()) {
        die("usage: moldau_bench COMMAND [--option value ...]; see the head of bench.cc");
    }
    return command->second(Options(argc, argv));
}

}  // namespace
}  // namespace moldau::bench

int main(int argc, char** argv) {
    return moldau::bench::run(argc, argv);
}
