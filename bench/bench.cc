// moldau_bench: a load generator that speaks the protocol by hand and costs little itself.
//
//   moldau_bench produce   --port P --topic T [--batch-bytes N] [--record-bytes N] [--in-flight N]
//                          [--connections N] [--seconds S | --megabytes N] [--acks 1|-1]
//   moldau_bench small     the same with one-record batches of --record-bytes
//   moldau_bench latency   one request at a time: p50, p99
//   moldau_bench fetch     reads the partition again and again from the start
//   moldau_bench first-ack waits for the port, then for the first acknowledged record
//   moldau_bench echo      a bare TCP echo in this process, for the floor of latency
//   moldau_bench disk      one durable write of 4 KiB at a time, for the floor of durable latency
//                          [--directory D]
//
// Prints one JSON object. The broker's CPU is read by compare.py from /proc.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "stream.h"

namespace moldau::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

class Options {
 public:
    Options(int argc, char** argv) {
        for (int i = 2; i + 1 < argc; i += 2) {
            std::string name = argv[i];
            if (!name.starts_with("--")) {
                die(fmt::format("not an option: {}", name));
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

struct Target {
    std::string host;
    int port;
    std::string topic;
    int partitions;

    explicit Target(const Options& options)
        : host(options.text("host", "127.0.0.1")),
          port(options.integer("port", 9092)),
          topic(options.text("topic", "bench")),
          partitions(options.integer("partitions", 1)) {}
};

struct Sent {
    int64_t requests = 0;
    int64_t bytes = 0;
};

// When a run ends: by the clock, or after so many bytes.
struct Limit {
    double seconds;
    int64_t bytes;

    explicit Limit(const Options& options)
        : seconds(options.number("seconds", 10)),
          bytes(static_cast<int64_t>(options.number("megabytes", 0)) * 1'000'000) {}

    bool reached(Clock::time_point start, int64_t sent) const {
        return bytes > 0 ? sent >= bytes : seconds_since(start) >= seconds;
    }
};

// Keeps `in_flight` requests on one connection until the limit.
Sent pipeline_produce(const Target& target, int partition, const std::vector<uint8_t>& frame,
                      int64_t payload_bytes, int in_flight, const Limit& limit) {
    Stream stream(target.host, target.port);
    std::vector<uint8_t> answer;
    Sent sent;
    auto start = Clock::now();
    int waiting = 0;
    bool ending = false;
    while (!ending || waiting > 0) {
        while (!ending && waiting < in_flight) {
            stream.send(frame);
            ++waiting;
        }
        if (!stream.receive(answer)) {
            die("the broker closed the connection");
        }
        if (int16_t error = produce_error(answer); error != 0) {
            die(fmt::format("produce failed: error={} partition={}", error, partition));
        }
        --waiting;
        ++sent.requests;
        sent.bytes += payload_bytes;
        ending = limit.reached(start, sent.bytes);
    }
    return sent;
}

int run_produce(const Options& options, bool small) {
    Target target(options);
    Limit limit(options);
    int record_bytes = options.integer("record-bytes", small ? 100 : 1000);
    int batch_bytes = options.integer("batch-bytes", 131072);
    int records = small ? 1 : std::max(1, batch_bytes / (record_bytes + 12));
    std::string batch = record_batch(records, record_bytes);
    int connections = options.integer("connections", 1);
    int in_flight = options.integer("in-flight", small ? 64 : 5);
    auto acks = static_cast<int16_t>(options.integer("acks", -1));
    std::vector<Sent> totals(static_cast<size_t>(connections));
    std::vector<std::thread> threads;
    auto start = Clock::now();
    for (int i = 0; i < connections; ++i) {
        threads.emplace_back([&, i] {
            int partition = i % target.partitions;
            auto frame = produce_frame(target.topic, partition, acks, batch);
            totals[static_cast<size_t>(i)] = pipeline_produce(
                target, partition, frame, static_cast<int64_t>(batch.size()), in_flight, limit);
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    double seconds = seconds_since(start);
    Sent total;
    for (const Sent& sent : totals) {
        total.requests += sent.requests;
        total.bytes += sent.bytes;
    }
    fmt::print("{{\"requests\": {}, \"bytes\": {}, \"seconds\": {:.6f}}}\n", total.requests,
               total.bytes, seconds);
    return 0;
}

void print_latencies(std::vector<double>& micros) {
    std::ranges::sort(micros);
    auto at = [&](double share) {
        return micros[std::min(micros.size() - 1,
                               static_cast<size_t>(share * static_cast<double>(micros.size())))];
    };
    fmt::print(
        "{{\"requests\": {}, \"p50_us\": {:.1f}, \"p99_us\": {:.1f}, \"p999_us\": {:.1f}}}\n",
        micros.size(), at(0.5), at(0.99), at(0.999));
}

std::vector<double> measure(int count, const std::function<void()>& round_trip) {
    std::vector<double> micros;
    micros.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count + count / 10; ++i) {
        auto start = Clock::now();
        round_trip();
        if (i >= count / 10) {  // the first tenth warms up
            micros.push_back(seconds_since(start) * 1e6);
        }
    }
    return micros;
}

int run_latency(const Options& options) {
    Target target(options);
    auto frame = produce_frame(target.topic, 0, static_cast<int16_t>(options.integer("acks", -1)),
                               record_batch(1, options.integer("record-bytes", 100)));
    Stream stream(target.host, target.port);
    std::vector<uint8_t> answer;
    auto micros = measure(options.integer("count", 20000), [&] {
        stream.send(frame);
        if (!stream.receive(answer) || produce_error(answer) != 0) {
            die("produce failed");
        }
    });
    print_latencies(micros);
    return 0;
}

// As the journal writes: into a file that was written before, past the page cache.
int run_disk(const Options& options) {
    constexpr size_t kBlock = 4096;
    constexpr off_t kFileBytes = 16 << 20;
    std::string path = options.text("directory", ".") + "/moldau-bench-probe";
    int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_DIRECT | O_DSYNC, 0600);
    if (file < 0) {
        die("cannot make " + path);
    }
    ::unlink(path.c_str());
    alignas(kBlock) static uint8_t block[1 << 20];
    for (off_t at = 0; at < kFileBytes; at += sizeof(block)) {
        if (::pwrite(file, block, sizeof(block), at) != sizeof(block)) {
            die("cannot write " + path);
        }
    }
    off_t at = 0;
    auto micros = measure(options.integer("count", 5000), [&] {
        if (::pwrite(file, block, kBlock, at) != kBlock) {
            die("cannot write " + path);
        }
        at = (at + static_cast<off_t>(kBlock)) % kFileBytes;
    });
    ::close(file);
    print_latencies(micros);
    return 0;
}

int run_echo(const Options& options) {
    int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::listen(listener, 1) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        die("cannot listen");
    }
    std::thread server([&] {
        int accepted = ::accept(listener, nullptr, nullptr);
        int on = 1;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        Stream stream(accepted);
        std::vector<uint8_t> content;
        while (stream.receive(content)) {
            Frame answer(0, 0, 0);
            std::vector<uint8_t> framed = answer.finish();
            stream.send(framed);
        }
    });
    {
        Stream stream("127.0.0.1", ntohs(address.sin_port));
        auto frame =
            produce_frame("bench", 0, 1, record_batch(1, options.integer("record-bytes", 100)));
        std::vector<uint8_t> answer;
        auto micros = measure(options.integer("count", 20000), [&] {
            stream.send(frame);
            stream.receive(answer);
        });
        print_latencies(micros);
    }
    server.join();
    ::close(listener);
    return 0;
}

int run_fetch(const Options& options) {
    Target target(options);
    Limit limit(options);
    int bytes_max = options.integer("bytes-max", 1 << 20);
    Stream stream(target.host, target.port);
    std::vector<uint8_t> answer;
    Sent sent;
    int64_t offset = 0;
    auto start = Clock::now();
    while (!limit.reached(start, sent.bytes)) {
        stream.send(fetch_frame(target.topic, 0, offset, bytes_max, 100));
        if (!stream.receive(answer)) {
            die("the broker closed the connection");
        }
        Fetched fetched = parse_fetched(answer);
        if (fetched.error != 0) {
            die(fmt::format("fetch failed: error={} offset={}", fetched.error, offset));
        }
        sent.bytes += fetched.record_bytes;
        ++sent.requests;
        bool at_end = fetched.next_offset < 0 || fetched.next_offset >= fetched.high_watermark;
        offset = at_end ? 0 : fetched.next_offset;
    }
    fmt::print("{{\"requests\": {}, \"bytes\": {}, \"seconds\": {:.6f}}}\n", sent.requests,
               sent.bytes, seconds_since(start));
    return 0;
}

int run_first_ack(const Options& options) {
    Target target(options);
    auto frame = produce_frame(target.topic, 0, -1, record_batch(1, 100));
    auto deadline = Clock::now() + std::chrono::seconds(60);
    while (Clock::now() < deadline) {
        Stream stream(target.host, target.port, 60);
        std::vector<uint8_t> answer;
        // Before the partition has its leader the answer is an error, or none: ask again.
        while (Clock::now() < deadline) {
            stream.send(frame);
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
    die("no acknowledgement within 60 s");
}

int run(int argc, char** argv) {
    std::string command = argc > 1 ? argv[1] : "";
    Options options(argc, argv);
    if (command == "produce" || command == "small") {
        return run_produce(options, command == "small");
    }
    if (command == "latency") {
        return run_latency(options);
    }
    if (command == "fetch") {
        return run_fetch(options);
    }
    if (command == "first-ack") {
        return run_first_ack(options);
    }
    if (command == "echo") {
        return run_echo(options);
    }
    if (command == "disk") {
        return run_disk(options);
    }
    die("usage: moldau_bench produce|small|latency|fetch|first-ack|echo|disk [--option value ...]");
}

}  // namespace
}  // namespace moldau::bench

int main(int argc, char** argv) {
    return moldau::bench::run(argc, argv);
}
