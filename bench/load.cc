#include "load.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <deque>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/endian.h"
#include "schedule.h"
#include "stream.h"

namespace moldau::bench {

namespace {

// Frames that leave in one call, at most.
constexpr size_t kBurstBytes = 256 * 1024;
constexpr size_t kReadBytes = 256 * 1024;
constexpr int64_t kPatienceNs = 100'000'000;

// One connection. Its buffer holds as many copies of the frame as one burst sends.
class LoadConnection {
 public:
    LoadConnection(const LoadSettings& settings, int number, const std::string& batch)
        : settings_(settings),
          frame_(topic_of(settings, number), partition_of(settings, number), settings.acks, batch),
          stream_(settings.host, settings.port) {
        if (settings.idempotent) {
            std::vector<uint8_t> answer;
            stream_.send(init_producer_frame());
            if (!stream_.receive(answer)) {
                die("the broker closed the connection");
            }
            ProducerIdentity producer = parse_init_producer(answer);
            if (producer.error != 0) {
                die(fmt::format("no producer id: error={}", producer.error));
            }
            patch_.producer_id = producer.id;
            patch_.producer_epoch = producer.epoch;
            patch_.sequence = 0;
        }
        size_t burst = std::clamp<size_t>(kBurstBytes / frame_.bytes().size(), 1,
                                          static_cast<size_t>(settings.in_flight));
        for (size_t i = 0; i < burst; ++i) {
            output_.insert(output_.end(), frame_.bytes().begin(), frame_.bytes().end());
        }
    }

    int descriptor() const { return stream_.descriptor(); }
    bool wants_to_write() const { return sent_ < filled_; }
    bool has_room() const {
        return std::ssize(in_flight_) + std::ssize(due_) < settings_.in_flight;
    }
    size_t unanswered() const { return in_flight_.size() + due_.size(); }
    void add_due(int64_t intended_ns) { due_.push_back(intended_ns); }

    // Sends what is due, as far as the socket takes it.
    void send() {
        while (true) {
            if (sent_ == filled_) {
                fill();
            }
            if (sent_ == filled_) {
                return;
            }
            ssize_t n = ::send(descriptor(), output_.data() + sent_, filled_ - sent_,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                return;
            }
            if (n <= 0) {
                die(fmt::format("send failed: reason={}", std::strerror(errno)));
            }
            sent_ += static_cast<size_t>(n);
        }
    }

    // Reads all that is there through `buffer`; calls `answered` with each request's intended time.
    template <typename Answered>
    void receive(std::vector<uint8_t>& buffer, Answered answered) {
        while (true) {
            std::copy(rest_.begin(), rest_.end(), buffer.begin());
            size_t room = buffer.size() - rest_.size();
            ssize_t n = ::recv(descriptor(), buffer.data() + rest_.size(), room, MSG_DONTWAIT);
            if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                return;
            }
            if (n <= 0) {
                die("the broker closed the connection");
            }
            take_answers({buffer.data(), rest_.size() + static_cast<size_t>(n)}, answered);
            if (static_cast<size_t>(n) < room) {
                return;
            }
        }
    }

 private:
    static std::string topic_of(const LoadSettings& settings, int number) {
        return settings.topics == 0 ? settings.topic
                                    : fmt::format("{}{}", settings.topic, number % settings.topics);
    }
    static int partition_of(const LoadSettings& settings, int number) {
        return (number / std::max(settings.topics, 1)) % settings.partitions;
    }

    template <typename Answered>
    void take_answers(std::span<const uint8_t> bytes, Answered answered) {
        while (bytes.size() >= sizeof(int32_t)) {
            size_t whole = sizeof(int32_t) + load_big<uint32_t>(bytes.data());
            if (whole > kReadBytes / 2) {
                die(fmt::format("answer of {} bytes", whole));
            }
            if (bytes.size() < whole) {
                break;
            }
            check(bytes.subspan(sizeof(int32_t), whole - sizeof(int32_t)));
            answered(in_flight_.front());
            in_flight_.pop_front();
            bytes = bytes.subspan(whole);
        }
        rest_.assign(bytes.begin(), bytes.end());
    }

    void fill() {
        size_t size = frame_.bytes().size();
        sent_ = 0;
        filled_ = 0;
        while (!due_.empty() && filled_ + size <= output_.size()) {
            uint8_t* frame = output_.data() + filled_;
            ProduceFrame::patch_correlation(frame, next_correlation_++);
            if (settings_.stamp) {
                patch_.stamp_ns = due_.front();
            }
            if (settings_.idempotent || settings_.stamp) {
                frame_.patch_batch(frame, patch_);
            }
            if (settings_.idempotent) {
                patch_.sequence += settings_.batch.records;
            }
            in_flight_.push_back(due_.front());
            due_.pop_front();
            filled_ += size;
        }
    }

    void check(std::span<const uint8_t> answer) {
        if (in_flight_.empty() || correlation_of(answer) != next_answer_++) {
            die("an answer that nobody asked for");
        }
        if (int16_t error = produce_error(answer); error != 0) {
            die(fmt::format("produce failed: error={}", error));
        }
    }

    const LoadSettings& settings_;
    ProduceFrame frame_;
    Stream stream_;
    BatchPatch patch_;
    std::vector<uint8_t> output_;
    size_t filled_ = 0;
    size_t sent_ = 0;
    std::deque<int64_t> due_;        // intended times of what is not in the buffer yet
    std::deque<int64_t> in_flight_;  // of what waits for its answer
    std::vector<uint8_t> rest_;      // of an answer that came in part
    int32_t next_correlation_ = 0;
    int32_t next_answer_ = 0;
};

class ProduceLoad {
 public:
    explicit ProduceLoad(const LoadSettings& settings)
        : settings_(settings), batch_(record_batch(settings.batch)), epoll_(::epoll_create1(0)) {
        for (int i = 0; i < settings.connections; ++i) {
            connections_.push_back(std::make_unique<LoadConnection>(settings, i, batch_));
            epoll_event event{};
            event.events = EPOLLIN | EPOLLOUT | EPOLLET;
            event.data.ptr = connections_.back().get();
            ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back()->descriptor(), &event);
        }
    }
    ~ProduceLoad() { ::close(epoll_); }

    LoadResult run() {
        int64_t began = now_ns();
        counting_since_ns_ = began + static_cast<int64_t>(settings_.warm_up_seconds * 1e9);
        int64_t end_ns = settings_.bytes > 0
                             ? INT64_MAX
                             : counting_since_ns_ + static_cast<int64_t>(settings_.seconds * 1e9);
        Schedule schedule(settings_.rate, began);
        std::vector<uint8_t> buffer(kReadBytes);
        std::vector<epoll_event> events(256);
        bool ending = false;
        while (!ending || unanswered_ > 0) {
            int64_t now = now_ns();
            ending = ending || now >= end_ns ||
                     (settings_.bytes > 0 && result_.bytes >= settings_.bytes);
            if (!ending) {
                hand_out(schedule, now);
            }
            int n = wait(events, schedule, ending, end_ns);
            for (int i = 0; i < n; ++i) {
                auto& connection =
                    *static_cast<LoadConnection*>(events[static_cast<size_t>(i)].data.ptr);
                if ((events[static_cast<size_t>(i)].events & ~EPOLLOUT) != 0) {
                    connection.receive(buffer, [&](int64_t intended) { answered(intended); });
                }
                if (!schedule.is_open_loop() && !ending) {
                    refill(connection, now_ns());
                }
                connection.send();
            }
        }
        result_.seconds = static_cast<double>(now_ns() - counting_since_ns_) * 1e-9;
        return std::move(result_);
    }

 private:
    // Gives what is due to connections in turn. Where all are full, it waits with its time.
    void hand_out(Schedule& schedule, int64_t now) {
        blocked_ = false;
        if (!schedule.is_open_loop()) {
            if (!started_) {
                started_ = true;
                for (auto& connection : connections_) {
                    refill(*connection, now);
                    connection->send();
                }
            }
            return;
        }
        std::vector<LoadConnection*> to_send;
        while (schedule.is_due(now)) {
            LoadConnection* free = next_with_room();
            if (free == nullptr) {
                blocked_ = true;
                break;
            }
            free->add_due(schedule.take());
            ++unanswered_;
            to_send.push_back(free);
        }
        for (LoadConnection* connection : to_send) {
            connection->send();
        }
    }

    LoadConnection* next_with_room() {
        for (size_t i = 0; i < connections_.size(); ++i) {
            LoadConnection& connection = *connections_[turn_++ % connections_.size()];
            if (connection.has_room()) {
                return &connection;
            }
        }
        return nullptr;
    }

    void refill(LoadConnection& connection, int64_t now) {
        while (connection.has_room()) {
            connection.add_due(now);
            ++unanswered_;
        }
    }

    int wait(std::vector<epoll_event>& events, const Schedule& schedule, bool ending,
             int64_t end_ns) {
        int64_t now = now_ns();
        int64_t until = std::min(end_ns, now + kPatienceNs);
        if (schedule.is_open_loop() && !ending) {
            // While all connections are full, only an answer can make a difference.
            until = blocked_ ? until : std::min(until, schedule.next_ns());
        }
        int64_t left = std::max<int64_t>(0, ending ? kPatienceNs : until - now);
        timespec timeout{.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
        int n = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout,
                               nullptr);
        return std::max(n, 0);
    }

    void answered(int64_t intended_ns) {
        --unanswered_;
        if (intended_ns < counting_since_ns_) {
            return;
        }
        result_.latency_ns.record(
            static_cast<uint64_t>(std::max<int64_t>(0, now_ns() - intended_ns)));
        ++result_.requests;
        result_.bytes += std::ssize(batch_);
        result_.records += settings_.batch.records;
    }

    const LoadSettings& settings_;
    const std::string batch_;
    int epoll_;
    std::vector<std::unique_ptr<LoadConnection>> connections_;
    size_t turn_ = 0;
    bool started_ = false;
    bool blocked_ = false;  // something is due and no connection has room for it
    int64_t unanswered_ = 0;
    int64_t counting_since_ns_ = 0;
    LoadResult result_;
};

}  // namespace

int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

LoadResult run_produce_load(const LoadSettings& settings) {
    return ProduceLoad(settings).run();
}

}  // namespace moldau::bench
