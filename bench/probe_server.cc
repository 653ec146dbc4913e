#include "probe_server.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "frames.h"
#include "stream.h"

namespace moldau::bench {

namespace {

constexpr size_t kReadBytes = 256 * 1024;
constexpr size_t kBlockBytes = 1 << 20;
constexpr uint64_t kFileBytes = 256ULL << 20;
// What comes before the checked bytes of a batch: length, request, and the batch up to its sum.
size_t unchecked_bytes() {
    return ProduceFrame("bench", 0, -1, "").batch_at() + record::kCrcFromPosition;
}

// Goes over each record as a broker must that checks them: lengths and offset deltas. Whether all
// is as it should be.
bool walk_records(std::span<const uint8_t> records) {
    size_t at = 0;
    auto varint = [&] {
        uint64_t value = 0;
        for (int shift = 0; at < records.size(); shift += 7) {
            uint8_t byte = records[at++];
            value |= static_cast<uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) {
                break;
            }
        }
        return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
    };
    bool is_sound = true;
    for (int64_t expected = 0; at < records.size(); ++expected) {
        auto bytes = static_cast<size_t>(varint());
        size_t end = at + bytes;
        ++at;      // attributes
        varint();  // timestamp delta
        is_sound = is_sound && varint() == expected && end <= records.size();
        at += static_cast<size_t>(std::max<int64_t>(0, varint()));  // key
        at += static_cast<size_t>(std::max<int64_t>(0, varint()));  // value
        is_sound = is_sound && varint() == 0 && at == end;          // no headers
        at = end;
    }
    return is_sound;
}

// Collects bytes in an aligned block and writes it past the page cache when it is full.
class RecycledFile {
 public:
    explicit RecycledFile(const std::string& path)
        : path_(path),
          descriptor_(::open(path.c_str(), O_CREAT | O_WRONLY | O_DIRECT | O_CLOEXEC, 0600)),
          block_(static_cast<uint8_t*>(std::aligned_alloc(4096, kBlockBytes))) {
        if (descriptor_ < 0) {
            die("cannot make " + path + ": " + std::strerror(errno));
        }
        ::unlink(path.c_str());  // It goes with this process, however that ends.
        std::memset(block_, 0, kBlockBytes);
        for (uint64_t at = 0; at < kFileBytes; at += kBlockBytes) {
            write_block(at);
        }
    }
    ~RecycledFile() {
        ::close(descriptor_);
        std::free(block_);
    }

    void append(std::span<const uint8_t> bytes) {
        while (!bytes.empty()) {
            size_t part = std::min(bytes.size(), kBlockBytes - filled_);
            std::memcpy(block_ + filled_, bytes.data(), part);
            filled_ += part;
            bytes = bytes.subspan(part);
            if (filled_ == kBlockBytes) {
                write_block(at_);
                at_ = (at_ + kBlockBytes) % kFileBytes;
                filled_ = 0;
            }
        }
    }

 private:
    void write_block(uint64_t at) {
        if (::pwrite(descriptor_, block_, kBlockBytes, static_cast<off_t>(at)) !=
            static_cast<ssize_t>(kBlockBytes)) {
            die("cannot write " + path_ + ": " + std::strerror(errno));
        }
    }

    const std::string path_;
    int descriptor_;
    uint8_t* block_;
    size_t filled_ = 0;
    uint64_t at_ = 0;
};

// A file in which each write is synced before the next.
class SyncedFile {
 public:
    explicit SyncedFile(const std::string& path)
        : path_(path), descriptor_(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)) {
        ::unlink(path.c_str());
    }
    ~SyncedFile() { ::close(descriptor_); }

    void append(std::span<const uint8_t> bytes) {
        if (::pwrite(descriptor_, bytes.data(), bytes.size(), at_) != std::ssize(bytes) ||
            ::fdatasync(descriptor_) != 0) {
            die("cannot write " + path_ + ": " + std::strerror(errno));
        }
        at_ = (at_ + std::ssize(bytes)) % static_cast<off_t>(kFileBytes);
    }

 private:
    const std::string path_;
    int descriptor_;
    off_t at_ = 0;
};

std::vector<uint8_t> ack_frame() {
    std::vector<uint8_t> answer(sizeof(int32_t) + 4 + 4 + 2 + 5 + 4 + 4 + 2 + 8 + 8 + 8 + 4);
    store_big<uint32_t>(answer.data(), static_cast<uint32_t>(answer.size() - sizeof(int32_t)));
    uint8_t* at = answer.data() + 8;
    store_big<int32_t>(at, 1);
    store_big<int16_t>(at + 4, 5);
    std::memcpy(at + 6, "bench", 5);
    store_big<int32_t>(at + 11, 1);
    return answer;
}

}  // namespace

ProbeServer::ProbeServer(Work work, std::string file, int port)
    : work_(work), file_(std::move(file)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int reuse = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::listen(listener_, 1024) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        die("cannot listen");
    }
    port_ = ntohs(address.sin_port);
    std::promise<void> ready;
    thread_ = std::thread([&] { run(ready); });
    ready.get_future().wait();
}

ProbeServer::~ProbeServer() {
    stop();
    ::close(listener_);
}

double ProbeServer::stop() {
    stopping_ = true;
    if (thread_.joinable()) {
        thread_.join();
    }
    return cpu_seconds_;
}

void ProbeServer::run(std::promise<void>& ready) {
    std::unique_ptr<RecycledFile> log =
        work_ == Work::Log || work_ == Work::Walk ? std::make_unique<RecycledFile>(file_) : nullptr;
    const size_t unchecked = unchecked_bytes();
    const size_t records_at = unchecked - record::kCrcFromPosition + record::kBatchHeaderBytes;
    std::unique_ptr<SyncedFile> synced =
        work_ == Work::Durable ? std::make_unique<SyncedFile>(file_) : nullptr;
    ready.set_value();
    timespec before{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener_;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener_, &event);
    std::map<int, std::vector<uint8_t>> rests;
    std::vector<uint8_t> buffer(kReadBytes);
    std::vector<uint8_t> answers;
    const std::vector<uint8_t> ack = ack_frame();
    std::vector<epoll_event> events(256);
    while (!stopping_) {
        int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 50);
        for (int i = 0; i < n; ++i) {
            int descriptor = events[static_cast<size_t>(i)].data.fd;
            if (descriptor == listener_) {
                int accepted = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
                int on = 1;
                ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                event.data.fd = accepted;
                ::epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
                continue;
            }
            std::vector<uint8_t>& rest = rests[descriptor];
            ssize_t got = ::recv(descriptor, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (got <= 0) {
                ::close(descriptor);
                rests.erase(descriptor);
                continue;
            }
            std::span<const uint8_t> bytes(buffer.data(), static_cast<size_t>(got));
            if (!rest.empty()) {
                rest.insert(rest.end(), bytes.begin(), bytes.end());
                bytes = rest;
            }
            answers.clear();
            while (bytes.size() >= 12) {
                size_t whole = sizeof(int32_t) + load_big<uint32_t>(bytes.data());
                if (bytes.size() < whole) {
                    break;
                }
                if (log != nullptr) {
                    // The sum decides nothing here; it must only not be optimised away.
                    uint32_t sum = crc32c(bytes.subspan(unchecked, whole - unchecked));
                    asm volatile("" : : "r"(sum));
                    if (work_ == Work::Walk &&
                        !walk_records(bytes.subspan(records_at, whole - records_at))) {
                        die("the probe was sent records that are not sound");
                    }
                    log->append(bytes.first(whole));
                }
                if (synced != nullptr) {
                    synced->append(bytes.first(whole));
                }
                size_t at = answers.size();
                answers.insert(answers.end(), ack.begin(), ack.end());
                std::memcpy(answers.data() + at + sizeof(int32_t), bytes.data() + 8, 4);
                bytes = bytes.subspan(whole);
            }
            rest = std::vector<uint8_t>(bytes.begin(), bytes.end());
            if (!answers.empty()) {
                (void)!::send(descriptor, answers.data(), answers.size(), MSG_NOSIGNAL);
            }
        }
    }
    for (const auto& [descriptor, rest] : rests) {
        ::close(descriptor);
    }
    ::close(epoll);
    timespec after{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    cpu_seconds_ = static_cast<double>(after.tv_sec - before.tv_sec) +
                   static_cast<double>(after.tv_nsec - before.tv_nsec) * 1e-9;
}

}  // namespace moldau::bench
