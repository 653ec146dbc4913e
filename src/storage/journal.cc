#include "storage/journal.h"

#include <algorithm>
#include <cstdlib>

#include <pthread.h>

#include "base/assert.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"

namespace moldau::storage {

namespace {

runtime::Logger logger("moldau.storage.Journal");

// The most that one write carries. Pages of the buffer that were never used cost nothing.
constexpr size_t kGroupBytes = 1 << 20;
// Groups that fill, wait or are written. More would be memory that nobody answers for.
constexpr size_t kGroupsMax = 8;
// The largest file is a fourth of the whole, so that some can be freed while others fill.
constexpr int64_t kLargestFileShare = 4;
constexpr size_t kZerosBytes = 256 << 10;

struct FreeMemory {
    void operator()(uint8_t* memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<uint8_t[], FreeMemory>;

AlignedMemory aligned_memory(size_t bytes) {
    auto* memory = static_cast<uint8_t*>(std::aligned_alloc(kJournalAlignment, bytes));
    MOLDAU_ASSERT(memory != nullptr);
    return AlignedMemory(memory);
}

static_assert(kJournalAlignment % runtime::kDirectAlignment == 0);

}  // namespace

struct Journal::JournalFile {
    std::string path;
    std::unique_ptr<runtime::File> file;
    uint64_t id = 0;  // anew with each use
    size_t bytes = 0;
    size_t position = 0;      // where the next group goes
    uint64_t last_group = 0;  // that was sent here
    Clients clients;          // with entries in it
};

struct Journal::Group {
    AlignedMemory memory = aligned_memory(kGroupBytes);
    GroupBuilder builder{{memory.get(), kGroupBytes}};
    FilePtr file;
    size_t position = 0;
    Clients clients;
};

void JournalClient::notify() {
    std::shared_ptr<const std::function<void()>> listener;
    {
        MutexLock lock(mutex_);
        listener = listener_;
    }
    if (listener != nullptr) {
        (*listener)();
    }
}

Journal::Journal(runtime::FileSystem& files, std::string dir, JournalSettings settings, Hooks hooks)
    : files_(files),
      dir_(std::move(dir)),
      settings_(std::move(settings)),
      hooks_(std::move(hooks)) {}

Journal::~Journal() {
    {
        MutexLock lock(mutex_);
        sealed_.clear();
        filling_.reset();
    }
    stop();
}

void Journal::start() {
    MutexLock lock(mutex_);
    taking_ = true;
    plan_background();
}

void Journal::stop() {
    std::thread thread;
    {
        MutexLock lock(mutex_);
        taking_ = false;
        stopping_ = true;
        thread.swap(thread_);
    }
    wake_.notify_all();
    if (thread.joinable()) {
        thread.join();
    }
    while (write_group()) {
    }
}

std::optional<uint64_t> Journal::append(const std::shared_ptr<JournalClient>& client,
                                        std::span<const Bytes> pieces, size_t bytes) {
    MutexLock lock(mutex_);
    if (!make_room(bytes)) {
        return std::nullopt;
    }
    filling_->builder.append(client->key(), pieces);
    return entry_added(client);
}

std::optional<uint64_t> Journal::truncate(const std::shared_ptr<JournalClient>& client,
                                          Offset offset) {
    MutexLock lock(mutex_);
    if (!make_room(sizeof(int64_t))) {
        return std::nullopt;
    }
    filling_->builder.truncate(client->key(), offset);
    return entry_added(client);
}

uint64_t Journal::entry_added(const std::shared_ptr<JournalClient>& client) {
    uint64_t number = filling_->builder.number();
    if (client->group_noted_ != number) {
        client->group_noted_ = number;
        filling_->clients.push_back(client);
    }
    if (client->file_noted_ != filling_->file->id) {
        client->file_noted_ = filling_->file->id;
        filling_->file->clients.push_back(client);
    }
    if (settings_.background) {
        if (!thread_.joinable()) {
            thread_ = std::thread([this] { run(); });
        } else if (asleep_) {
            asleep_ = false;
            wake_.notify_one();
        }
    }
    return number;
}

bool Journal::make_room(size_t payload_bytes) {
    if (!taking_ || failed_) {
        return false;
    }
    if (filling_ != nullptr && !filling_->builder.empty() &&
        !filling_->builder.fits(payload_bytes)) {
        seal_group();
    }
    return (filling_ != nullptr && filling_->builder.fits(payload_bytes)) ||
           open_group(payload_bytes);
}

bool Journal::open_group(size_t payload_bytes) {
    size_t needed = align_up(kGroupHeaderBytes + kEntryHeaderBytes + payload_bytes);
    if (needed > kGroupBytes || (filling_ == nullptr && groups_under_way_ >= kGroupsMax)) {
        return false;
    }
    if (active_ != nullptr && active_->bytes - active_->position < needed) {
        full_.push_back(std::exchange(active_, nullptr));
    }
    if (active_ == nullptr) {
        if (free_.empty() || free_.front()->bytes < needed) {
            plan_background();
            return false;
        }
        static std::atomic<uint64_t> uses{0};
        active_ = std::move(free_.front());
        free_.pop_front();
        active_->id = ++uses;
        active_->position = 0;
        plan_background();
    }
    if (filling_ == nullptr) {
        if (spare_.empty()) {
            filling_ = std::make_unique<Group>();
        } else {
            filling_ = std::move(spare_.back());
            spare_.pop_back();
        }
        ++groups_under_way_;
    }
    filling_->file = active_;
    filling_->position = active_->position;
    filling_->builder.reset(last_group_ + 1,
                            std::min(kGroupBytes, active_->bytes - active_->position));
    return true;
}

void Journal::seal_group() {
    last_group_ = filling_->builder.number();
    filling_->file->position += filling_->builder.bytes_aligned();
    filling_->file->last_group = last_group_;
    sealed_.push_back(std::move(filling_));
}

std::unique_ptr<Journal::Group> Journal::take_group() {
    if (sealed_.empty() && filling_ != nullptr && !filling_->builder.empty()) {
        seal_group();
    }
    if (sealed_.empty()) {
        return nullptr;
    }
    auto group = std::move(sealed_.front());
    sealed_.pop_front();
    return group;
}

bool Journal::write_group() {
    std::unique_ptr<Group> group;
    {
        MutexLock lock(mutex_);
        group = failed_ ? nullptr : take_group();
    }
    if (group == nullptr) {
        return false;
    }
    Status written = group->file->file->write(group->builder.finish(), group->position);
    if (!written) {
        fail_with(written.error(), std::move(group));
        return false;
    }
    durable_group_.store(group->builder.number(), std::memory_order_release);
    for (const auto& client : group->clients) {
        client->notify();
    }
    MutexLock lock(mutex_);
    group->clients.clear();
    group->file.reset();
    spare_.push_back(std::move(group));
    --groups_under_way_;
    plan_background();
    return true;
}

void Journal::fail_with(const Error& error, std::unique_ptr<Group> group) {
    Clients waiting = std::move(group->clients);
    {
        MutexLock lock(mutex_);
        failed_ = true;
        taking_ = false;
        if (filling_ != nullptr) {
            sealed_.push_back(std::move(filling_));
        }
        for (const auto& each : sealed_) {
            waiting.insert(waiting.end(), each->clients.begin(), each->clients.end());
        }
        sealed_.clear();
    }
    // What the device holds now is unknown; asking it again would hide the loss.
    Error cause{ErrorCode::KafkaStorageError,
                fmt::format("journal cannot be written: dir={} cause={}", dir_, error.message)};
    MOLDAU_LOG_ERROR(logger, "{}", cause.message);
    hooks_.on_failure(cause);
    for (const auto& client : waiting) {
        client->notify();
    }
}

void Journal::run() {
    pthread_setname_np(pthread_self(), "journal");
    while (true) {
        while (write_group()) {
        }
        MutexLock lock(mutex_);
        bool waiting = filling_ != nullptr && !filling_->builder.empty();
        if (failed_ || (!waiting && sealed_.empty() && stopping_)) {
            return;
        }
        if (!waiting && sealed_.empty()) {
            asleep_ = true;
            wake_.wait(mutex_.native());
            asleep_ = false;
        }
    }
}

// --- Files: making them and using them again.

int64_t Journal::next_file_bytes() const {
    const int64_t least = settings_.file_bytes_min;
    int64_t largest = std::max(settings_.bytes_max / kLargestFileShare, least);
    int64_t bytes = std::min(std::clamp(bytes_, least, largest), settings_.bytes_max - bytes_);
    return bytes / least * least;
}

void Journal::submit(void (Journal::*work)()) {
    if (settings_.background) {
        settings_.background([this, work] { (this->*work)(); });
    }
}

void Journal::plan_background() {
    if (!taking_ || failed_) {
        return;
    }
    // One file in reserve: the next is made when this one begins to fill.
    if (free_.empty() && !preparing_ && !device_full_ && next_file_bytes() > 0) {
        preparing_ = true;
        submit(&Journal::prepare_file);
    }
    int64_t full = 0;
    for (const FilePtr& file : full_) {
        full += static_cast<int64_t>(file->bytes);
    }
    bool ready = !full_.empty() && full_.front()->last_group <= durable_group();
    bool pressed = full >= settings_.bytes_max / 2 || (free_.empty() && next_file_bytes() <= 0) ||
                   (free_.empty() && device_full_);
    if (ready && pressed && !recycling_) {
        recycling_ = true;
        submit(&Journal::recycle);
    }
}

void Journal::prepare_file() {
    uint32_t number = 0;
    int64_t bytes = 0;
    {
        MutexLock lock(mutex_);
        bytes = next_file_bytes();
        if (!preparing_ || !taking_ || bytes <= 0) {
            preparing_ = false;
            return;
        }
        number = next_file_number_++;
    }
    auto made = make_file(number, bytes);
    {
        MutexLock lock(mutex_);
        preparing_ = false;
        if (made) {
            bytes_ += bytes;
            free_.push_back(std::move(*made));
            return;
        }
        device_full_ = true;
        plan_background();
    }
    (void)files_.remove(runtime::join_path(dir_, journal_file_name(number)));
    if (runtime::is_disk_full(made.error())) {
        MOLDAU_LOG_WARN(logger,
                        "No room for another {} MiB of journal; appends that find the journal full "
                        "wait for their segment to be synced instead: {}",
                        bytes >> 20, made.error().message);
    } else {
        fail_with(made.error(), std::make_unique<Group>());
    }
}

Result<Journal::FilePtr> Journal::make_file(uint32_t number, int64_t bytes) {
    auto made = std::make_shared<JournalFile>();
    made->path = runtime::join_path(dir_, journal_file_name(number));
    made->bytes = static_cast<size_t>(bytes);
    MOLDAU_TRY(made->file, files_.open_durable(made->path, runtime::OpenMode::CreateNew));
    AlignedMemory zeros = aligned_memory(kZerosBytes);
    std::memset(zeros.get(), 0, kZerosBytes);
    for (size_t at = 0; at < made->bytes; at += kZerosBytes) {
        size_t step = std::min(kZerosBytes, made->bytes - at);
        MOLDAU_CHECK(made->file->write(std::span(zeros.get(), step), at));
    }
    MOLDAU_CHECK(files_.sync_directory(dir_));
    return made;
}

void Journal::recycle() {
    std::vector<FilePtr> done;
    Clients clients;
    {
        MutexLock lock(mutex_);
        for (const FilePtr& file : full_) {
            if (file->last_group > durable_group()) {
                break;
            }
            done.push_back(file);
            clients.insert(clients.end(), file->clients.begin(), file->clients.end());
        }
    }
    std::ranges::sort(clients);
    clients.erase(std::unique(clients.begin(), clients.end()), clients.end());
    Status synced = done.empty() ? Status() : hooks_.sync(clients);
    MutexLock lock(mutex_);
    recycling_ = false;
    if (!synced) {
        // The directory is offline by now; the files keep what may be wanted.
        taking_ = false;
        return;
    }
    for (FilePtr& file : done) {
        MOLDAU_ASSERT(full_.front() == file);
        full_.pop_front();
        file->clients.clear();
        free_.push_back(std::move(file));
    }
    device_full_ = false;
    plan_background();
}

void Journal::retry_prepare() {
    MutexLock lock(mutex_);
    device_full_ = false;
    plan_background();
}

Journal::Usage Journal::usage() {
    MutexLock lock(mutex_);
    return {free_.size() + full_.size() + (active_ ? 1 : 0), free_.size(), bytes_};
}

Result<std::vector<std::vector<JournalGroup>>> read_journal_files(runtime::FileSystem& files,
                                                                  const std::string& dir) {
    MOLDAU_TRY(auto names, files.list(dir));
    std::vector<std::vector<JournalGroup>> all;
    for (const auto& entry : names) {
        if (number_of_journal_file(entry.name) && !entry.is_directory) {
            MOLDAU_TRY(Bytes content, files.read_file(runtime::join_path(dir, entry.name)));
            all.push_back(read_journal_file(content));
        }
    }
    return all;
}

Status remove_journal_files(runtime::FileSystem& files, const std::string& dir) {
    MOLDAU_TRY(auto names, files.list(dir));
    bool any = false;
    for (const auto& entry : names) {
        if (number_of_journal_file(entry.name) && !entry.is_directory) {
            MOLDAU_CHECK(files.remove(runtime::join_path(dir, entry.name)));
            any = true;
        }
    }
    return any ? files.sync_directory(dir) : Status();
}

}  // namespace moldau::storage
