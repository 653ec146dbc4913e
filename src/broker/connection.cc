#include "broker/connection.h"

#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.network.Processor");

}  // namespace

Connection::Connection(runtime::LoopThread& loop, std::shared_ptr<const ListenerInfo> listener,
                       const runtime::Socket& socket, std::function<void(Connection&)> on_close)
    : loop_(loop),
      listener_(std::move(listener)),
      client_host_(socket.peer_host()),
      client_port_(socket.peer_port()),
      on_close_(std::move(on_close)) {}

Connection::~Connection() = default;

void Connection::start(runtime::Socket socket) {
    last_active_ = loop_.now();
    stream_ = runtime::FrameStream::open(loop_, std::move(socket), this,
                                         {.frame_bytes_max = listener_->request_bytes_max,
                                          .unsent_bytes = &listener_->unsent->bytes,
                                          .memory = listener_->request_memory});
}

void Connection::on_frames(std::vector<Bytes>& frames) {
    last_active_ = loop_.now();
    // The frames of this wake may hold the last reference: a closing request drops it.
    auto self = shared_from_this();
    working_ = true;
    for (Bytes& frame : frames) {
        if (!backlog_.empty() || !has_room()) {
            auto share = share_of(frame.size());
            backlog_.push_back({std::move(frame), std::move(share)});
        } else if (!accept(std::move(frame))) {
            break;
        }
    }
    working_ = false;
    if (!backlog_.empty() && stream_->is_open()) {
        stream_->pause_reading();
        // Once what was answered is written, there may be room again.
        loop_.post([self] { self->work_off_backlog(); });
    }
}

bool Connection::has_room() const {
    size_t output_bytes = stream_->pending_bytes() + held_bytes_;
    return !held_ && slots_.size() < kInFlightMax && output_bytes < kOutputBytesMax &&
           (output_bytes == 0 || !listener_->unsent->is_full()) &&
           (slots_.empty() || !listener_->sink->is_full());
}

runtime::ReceiveMemory::Share Connection::share_of(size_t bytes) const {
    return listener_->request_memory == nullptr
               ? runtime::ReceiveMemory::Share()
               : listener_->request_memory->take(static_cast<int64_t>(bytes));
}

void Connection::hold(size_t request_bytes) {
    held_ = true;
    held_request_ = share_of(request_bytes);
}

void Connection::release() {
    held_ = false;
    held_request_.reset();
    if (!backlog_.empty()) {
        loop_.post([self = shared_from_this()] { self->work_off_backlog(); });
    }
}

void Connection::count_held(int64_t bytes) {
    held_bytes_ += static_cast<size_t>(bytes);
    listener_->unsent->bytes.fetch_add(bytes, std::memory_order_relaxed);
}

// Returns false when the connection was closed.
bool Connection::accept(Bytes frame) {
    protocol::Reader reader(frame);
    auto header = protocol::read_request_header(reader);
    if (!header) {
        MOLDAU_LOG_ERROR(log, "Closing connection from {}:{}: {}", client_host_, client_port_,
                         header.error().message);
        close();
        return false;
    }
    const protocol::ApiInfo* api = protocol::find_api(header->request_api_key);
    bool known_version = api->key == protocol::ApiKey::ApiVersions ||
                         api->served().contains(header->request_api_version);
    if (!listener_->sink->serves(api->key) || !known_version) {
        MOLDAU_LOG_ERROR(log,
                         "Closing connection from {}:{}: request is not served here: api={} "
                         "version={} listener={}",
                         client_host_, client_port_, api->name, header->request_api_version,
                         listener_->name);
        close();
        return false;
    }
    uint64_t sequence = first_sequence_ + slots_.size();
    slots_.emplace_back();
    listener_->sink->handle(Request(shared_from_this(), sequence, *api, std::move(*header),
                                    frame.slice(reader.position()), last_active_));
    return stream_->is_open();
}

void Connection::work_off_backlog() {
    if (!stream_->is_open() || working_) {
        return;
    }
    working_ = true;
    while (!backlog_.empty() && has_room()) {
        Backlog next = std::move(backlog_.front());
        backlog_.pop_front();
        if (!accept(std::move(next.frame))) {
            break;
        }
    }
    working_ = false;
    if (!stream_->is_open()) {
        return;
    }
    stream_->flush();
    if (backlog_.empty()) {
        stream_->resume_reading();
    } else if (has_room()) {
        loop_.post([self = shared_from_this()] { self->work_off_backlog(); });
    }
}

void Connection::complete(uint64_t sequence, protocol::Chain frame) {
    if (loop_.in_loop()) {
        complete_in_loop(sequence, std::move(frame));
    } else {
        loop_.post([self = shared_from_this(), sequence, frame = std::move(frame)]() mutable {
            self->complete_in_loop(sequence, std::move(frame));
        });
    }
}

void Connection::complete_in_loop(uint64_t sequence, protocol::Chain frame) {
    if (!stream_->is_open()) {
        return;
    }
    MOLDAU_ASSERT(sequence >= first_sequence_);
    MOLDAU_ASSERT(sequence - first_sequence_ < slots_.size());
    Slot& slot = slots_[sequence - first_sequence_];
    slot.done = true;
    slot.on_abandoned = nullptr;
    if (sequence != first_sequence_) {
        count_held(static_cast<int64_t>(protocol::chain_bytes(frame)));
        slot.frame = std::move(frame);
        return;
    }
    stream_->send(std::move(frame));
    slots_.pop_front();
    ++first_sequence_;
    while (!slots_.empty() && slots_.front().done) {
        count_held(-static_cast<int64_t>(protocol::chain_bytes(slots_.front().frame)));
        stream_->send(std::move(slots_.front().frame));
        slots_.pop_front();
        ++first_sequence_;
    }
    if (working_ || flush_planned_) {
        return;
    }
    // What is answered together (one append or one group of a journal answers many) leaves in one
    // write.
    flush_planned_ = true;
    loop_.at_turn_end([self = shared_from_this()] { self->flush_answers(); });
}

void Connection::flush_answers() {
    flush_planned_ = false;
    if (!stream_->is_open()) {
        return;
    }
    last_active_ = loop_.now();
    stream_->flush();
    if (!backlog_.empty()) {
        work_off_backlog();
    }
}

void Connection::on_drained() {
    // A write that fails inside ends the connection, and its owner lets go of it.
    auto self = shared_from_this();
    if (!backlog_.empty()) {
        work_off_backlog();
    }
}

void Connection::on_abandoned(uint64_t sequence, runtime::Task task) {
    if (!stream_->is_open() || sequence < first_sequence_) {
        return task();
    }
    slots_[sequence - first_sequence_].on_abandoned = std::move(task);
}

void Connection::set_client_software(std::string name, std::string version) {
    client_software_ = std::move(name) + "/" + std::move(version);
}

void Connection::close() {
    if (stream_ == nullptr || !stream_->is_open()) {
        return;
    }
    // Answers of earlier requests go out first, as far as the socket takes them.
    stream_->flush();
    if (stream_->is_open()) {
        stream_->close();
        closed();
    }
}

void Connection::close_from_anywhere() {
    if (loop_.in_loop()) {
        close();
    } else {
        loop_.post([self = shared_from_this()] { self->close(); });
    }
}

void Connection::on_closed(const Error& error) {
    auto self = shared_from_this();
    if (error.code == ErrorCode::InvalidRequest) {
        MOLDAU_LOG_WARN(log, "Closing connection from {}:{}: {}", client_host_, client_port_,
                        error.message);
    }
    closed();
}

void Connection::closed() {
    closed_ = true;
    backlog_.clear();
    held_request_.reset();
    count_held(-static_cast<int64_t>(held_bytes_));
    auto slots = std::move(slots_);
    slots_.clear();
    first_sequence_ += slots.size();
    for (Slot& slot : slots) {
        if (slot.on_abandoned) {
            slot.on_abandoned();
        }
    }
    if (on_close_) {
        std::exchange(on_close_, nullptr)(*this);
    }
}

}  // namespace moldau::broker
