#include "probes.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "load.h"
#include "record/compression.h"
#include "stream.h"

namespace moldau::bench {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
constexpr size_t kWrittenBytesMax = 256 << 20;
constexpr int kWritesMax = 256;

using Block = std::unique_ptr<uint8_t, decltype(&std::free)>;

Block aligned_block(size_t size) {
    Block block(static_cast<uint8_t*>(std::aligned_alloc(4096, size)), &std::free);
    std::memset(block.get(), 7, size);
    return block;
}

double thread_cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_since(int64_t began_ns) {
    return static_cast<double>(now_ns() - began_ns) * 1e-9;
}

void check(bool is_good, const char* what) {
    if (!is_good) {
        die(fmt::format("{}: reason={}", what, std::strerror(errno)));
    }
}

// Writes `blocks` times `size` bytes; opens the file again with `flags`. It has no name any more.
int make_file(const std::string& path, const Block& block, size_t size, int64_t blocks, int flags) {
    int plain = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    check(plain >= 0, "cannot make the probe's file");
    for (int64_t i = 0; i < blocks; ++i) {
        check(::pwrite(plain, block.get(), size, static_cast<off_t>(size) * i) ==
                  static_cast<ssize_t>(size),
              "write failed");
    }
    check(::fsync(plain) == 0, "fsync failed");
    ::close(plain);
    int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
    check(descriptor >= 0, "cannot open the probe's file");
    ::unlink(path.c_str());
    return descriptor;
}

// Both ends of a TCP connection.
std::array<int, 2> loopback_pair() {
    int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof(address);
    check(::bind(listener, any, length) == 0 && ::listen(listener, 1) == 0 &&
              ::getsockname(listener, any, &length) == 0 && ::connect(client, any, length) == 0,
          "no connection");
    int server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    check(server >= 0, "no connection");
    ::close(listener);
    return {server, client};
}

}  // namespace

WriteResult write_durably(const std::string& file, size_t write_bytes, double seconds) {
    Block block = aligned_block(write_bytes);
    auto writes =
        static_cast<int64_t>(std::clamp<size_t>(kWrittenBytesMax / write_bytes, 1, kWritesMax));
    // Written beforehand: a first write into a hole would also change the file system's own data.
    int descriptor = make_file(file, block, write_bytes, writes, O_WRONLY | O_DIRECT | O_DSYNC);
    WriteResult result;
    int64_t began = now_ns();
    for (int64_t i = 0; i == 0 || seconds_since(began) < seconds; ++i) {
        int64_t before = now_ns();
        check(::pwrite(descriptor, block.get(), write_bytes,
                       static_cast<off_t>(write_bytes) * (i % writes)) ==
                  static_cast<ssize_t>(write_bytes),
              "write failed");
        result.latency_ns.record(static_cast<uint64_t>(now_ns() - before));
    }
    result.seconds = seconds_since(began);
    ::close(descriptor);
    return result;
}

ProbeResult read_and_send(const std::string& file, int64_t bytes) {
    std::array<Block, 2> blocks{aligned_block(kBlockBytes), aligned_block(kBlockBytes)};
    int64_t count = std::max<int64_t>(1, bytes / static_cast<int64_t>(kBlockBytes));
    int descriptor = make_file(file, blocks[0], kBlockBytes, count, O_RDONLY | O_DIRECT);
    std::array<int, 2> ends = loopback_pair();
    std::counting_semaphore<2> empty(2);
    std::counting_semaphore<2> full(0);
    double reader_cpu = 0;
    int64_t began = now_ns();
    std::thread reader([&] {
        for (int64_t i = 0; i < count; ++i) {
            empty.acquire();
            check(::pread(descriptor, blocks[static_cast<size_t>(i % 2)].get(), kBlockBytes,
                          static_cast<off_t>(kBlockBytes) * i) == static_cast<ssize_t>(kBlockBytes),
                  "read failed");
            full.release();
        }
        reader_cpu = thread_cpu_seconds();
    });
    std::thread peer([&] {
        std::vector<uint8_t> buffer(kBlockBytes);
        while (::recv(ends[1], buffer.data(), buffer.size(), 0) > 0) {
        }
    });
    double cpu_before = thread_cpu_seconds();
    for (int64_t i = 0; i < count; ++i) {
        full.acquire();
        check(::send(ends[0], blocks[static_cast<size_t>(i % 2)].get(), kBlockBytes,
                     MSG_NOSIGNAL) == static_cast<ssize_t>(kBlockBytes),
              "send failed");
        empty.release();
    }
    double sender_cpu = thread_cpu_seconds() - cpu_before;
    ::shutdown(ends[0], SHUT_WR);
    peer.join();
    reader.join();
    for (int end : {ends[0], ends[1], descriptor}) {
        ::close(end);
    }
    return {count * static_cast<int64_t>(kBlockBytes), seconds_since(began),
            sender_cpu + reader_cpu};
}

ProbeResult unpack(const BatchSpec& spec, double seconds) {
    std::string batch = record_batch(spec);
    std::span bytes(reinterpret_cast<const uint8_t*>(batch.data()), batch.size());
    auto payload = bytes.subspan(record::kBatchHeaderBytes);
    ProbeResult result;
    int64_t began = now_ns();
    double cpu_before = thread_cpu_seconds();
    while (result.bytes == 0 || seconds_since(began) < seconds) {
        uint32_t sum = crc32c(bytes);
        // The sum decides nothing here; it must only not be optimised away.
        asm volatile("" : : "r"(sum));
        auto opened = record::Decompressor::open(static_cast<int8_t>(spec.codec), payload);
        check(opened.has_value(), "no such codec");
        std::array<uint8_t, 16384> piece;
        while (true) {
            auto read = (*opened)->read(piece);
            check(read.has_value(), "cannot decompress");
            if (*read == 0) {
                break;
            }
            result.bytes += static_cast<int64_t>(*read);
        }
    }
    result.seconds = seconds_since(began);
    result.cpu_seconds = thread_cpu_seconds() - cpu_before;
    return result;
}

}  // namespace moldau::bench
