#include "runtime/memory_file_system.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/assert.h"

namespace moldau::runtime {

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kSectorBytes = 512;
constexpr uint64_t kDiskBytes = uint64_t{1} << 40;

std::vector<std::string> parts_of(std::string_view path) {
    std::vector<std::string> parts;
    while (!path.empty()) {
        size_t slash = path.find('/');
        std::string_view part = path.substr(0, slash);
        if (!part.empty() && part != ".") {
            parts.emplace_back(part);
        }
        path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    }
    return parts;
}

std::string_view name_of(std::string_view path) {
    while (path.size() > 1 && path.back() == '/') {
        path.remove_suffix(1);
    }
    size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace

// A file or directory, as the process sees it and as the device holds it.
struct MemoryFileSystem::Node {
    bool is_directory = false;
    std::vector<uint8_t> content;
    std::vector<uint8_t> synced_content;
    // What happened to the content since it was synced, in order.
    struct Change {
        uint64_t size_after = 0;
        uint64_t at = 0;
        std::vector<uint8_t> bytes;  // empty: a truncation
    };
    std::vector<Change> unsynced;
    std::map<std::string, std::shared_ptr<Node>> entries;
    std::map<std::string, std::shared_ptr<Node>> synced_entries;
    TimestampMs modified_ms = 0;
    bool locked = false;

    void put(std::span<const uint8_t> source, uint64_t at) {
        if (at + source.size() > content.size()) {
            content.resize(at + source.size());
        }
        std::memcpy(content.data() + at, source.data(), source.size());
        unsynced.push_back({content.size(), at, {source.begin(), source.end()}});
    }
    void resize(uint64_t size) {
        content.resize(size);
        unsynced.push_back({size, 0, {}});
    }
    void sync() {
        synced_content = content;
        unsynced.clear();
    }
};

struct MemoryFileSystem::State {
    Mutex mutex;
    std::shared_ptr<Node> root GUARDED_BY(mutex) = std::make_shared<Node>();
    TimestampMs wall_ms GUARDED_BY(mutex) = 0;
    uint64_t operations GUARDED_BY(mutex) = 0;
    std::map<uint64_t, Fault> faults GUARDED_BY(mutex);
    bool syncs_fail GUARDED_BY(mutex) = false;
    bool disk_full GUARDED_BY(mutex) = false;
    bool crashed GUARDED_BY(mutex) = false;
    // Files and locks of earlier lives are dead.
    uint64_t life GUARDED_BY(mutex) = 1;

    Status check_alive(const std::string& path) REQUIRES(mutex) {
        if (crashed) {
            return fail(ErrorCode::KafkaStorageError, "cannot reach {}: the machine is down", path);
        }
        return {};
    }

    // Counts a changing operation and meets its fault.
    Status begin(std::string_view operation, const std::string& path) REQUIRES(mutex) {
        MOLDAU_CHECK(check_alive(path));
        auto planned = faults.find(++operations);
        if (planned == faults.end()) {
            return {};
        }
        switch (planned->second) {
            case Fault::DiskFull:
                return fail(ErrorCode::ThrottlingQuotaExceeded,
                            "cannot {} {}: No space left on device", operation, path);
            case Fault::Crash:
                crashed = true;
                break;
            case Fault::IoError:
                break;
        }
        return fail(ErrorCode::KafkaStorageError, "cannot {} {}: Input/output error", operation,
                    path);
    }

    std::shared_ptr<Node> find(std::string_view path) REQUIRES(mutex) {
        std::shared_ptr<Node> node = root;
        for (const std::string& part : parts_of(path)) {
            auto next = node->entries.find(part);
            if (next == node->entries.end()) {
                return nullptr;
            }
            node = next->second;
        }
        return node;
    }

    Result<std::shared_ptr<Node>> existing(std::string_view operation, const std::string& path)
        REQUIRES(mutex) {
        MOLDAU_CHECK(check_alive(path));
        auto node = find(path);
        if (node == nullptr) {
            return fail(ErrorCode::ResourceNotFound, "cannot {} {}: No such file or directory",
                        operation, path);
        }
        return node;
    }

    // A rename is one change: both names of what moved are decided together, and with them names
    // that it shares with other renames. Maps each such name to the first one of its group.
    static std::map<std::string, std::string> renamed_together(const Node& node) {
        std::map<const Node*, std::string> held;
        for (const auto& [name, child] : node.synced_entries) {
            held.emplace(child.get(), name);
        }
        std::map<std::string, std::string> group;
        for (const auto& [name, child] : node.entries) {
            auto before = held.find(child.get());
            if (before == held.end() || before->second == name) {
                continue;
            }
            std::string one = group.contains(name) ? group[name] : name;
            std::string other =
                group.contains(before->second) ? group[before->second] : before->second;
            group[name] = one;
            group[before->second] = one;
            for (auto& [member, first] : group) {
                first = first == other ? one : first;
            }
        }
        return group;
    }

    void lose(Node& node, const Draw& draw) REQUIRES(mutex) {
        if (!node.is_directory) {
            lose_pages(node, draw);
            return;
        }
        std::set<std::string> names;
        for (const auto& [name, child] : node.entries) {
            names.insert(name);
        }
        for (const auto& [name, child] : node.synced_entries) {
            names.insert(name);
        }
        std::map<std::string, std::shared_ptr<Node>> left;
        std::map<std::string, std::string> group = renamed_together(node);
        std::map<std::string, bool> decided;
        for (const std::string& name : names) {
            auto seen = node.entries.find(name);
            auto held = node.synced_entries.find(name);
            bool same = seen != node.entries.end() && held != node.synced_entries.end() &&
                        seen->second == held->second;
            auto member = group.find(name);
            const std::string& first = member == group.end() ? name : member->second;
            if (!same && !decided.contains(first)) {
                decided[first] = draw && (draw() & 1) != 0;
            }
            bool reached = same || decided[first];
            const auto& from = reached ? node.entries : node.synced_entries;
            if (auto found = from.find(name); found != from.end()) {
                left.insert(*found);
            }
        }
        node.entries = left;
        node.synced_entries = std::move(left);
        for (auto& [name, child] : node.entries) {
            child->locked = false;
            lose(*child, draw);
        }
    }

    // The page from `at` on as one crash leaves it.
    static void lose_page(Node& node, const Draw& draw, uint64_t at, std::span<uint8_t> page) {
        if (at < node.synced_content.size()) {
            std::memcpy(page.data(), node.synced_content.data() + at,
                        std::min<size_t>(page.size(), node.synced_content.size() - at));
        }
        std::vector<const Node::Change*> touching;
        for (const Node::Change& change : node.unsynced) {
            bool cut = change.bytes.empty() && change.size_after < at + page.size();
            bool wrote = !change.bytes.empty() && change.at < at + page.size() &&
                         change.at + change.bytes.size() > at;
            if (cut || wrote) {
                touching.push_back(&change);
            }
        }
        size_t reached = touching.empty() ? 0 : draw() % (touching.size() + 1);
        for (size_t i = 0; i < reached; ++i) {
            const Node::Change& change = *touching[i];
            bool torn = i + 1 == reached && (draw() & 3) == 0;
            for (size_t sector = 0; sector < page.size(); sector += kSectorBytes) {
                if (torn && (draw() & 1) != 0) {
                    continue;
                }
                uint64_t from = at + sector;
                uint64_t to = std::min<uint64_t>(from + kSectorBytes, at + page.size());
                if (change.bytes.empty()) {
                    from = std::max(from, change.size_after);
                    if (from < to) {
                        std::memset(page.data() + (from - at), 0, to - from);
                    }
                    continue;
                }
                from = std::max(from, change.at);
                to = std::min<uint64_t>(to, change.at + change.bytes.size());
                if (from < to) {
                    std::memcpy(page.data() + (from - at), change.bytes.data() + (from - change.at),
                                to - from);
                }
            }
        }
    }

    static void lose_pages(Node& node, const Draw& draw) {
        if (!draw || node.unsynced.empty()) {
            node.content = node.synced_content;
            node.unsynced.clear();
            return;
        }
        size_t reached = draw() % (node.unsynced.size() + 1);
        uint64_t size =
            reached == 0 ? node.synced_content.size() : node.unsynced[reached - 1].size_after;
        std::vector<uint8_t> left(size);
        for (size_t at = 0; at < left.size(); at += kPageBytes) {
            lose_page(node, draw, at,
                      std::span(left).subspan(at, std::min(kPageBytes, left.size() - at)));
        }
        node.content = left;
        node.synced_content = std::move(left);
        node.unsynced.clear();
    }
};

class MemoryFileSystem::MemoryFile final : public File {
 public:
    MemoryFile(std::shared_ptr<State> state, std::shared_ptr<Node> node, std::string path,
               uint64_t life, bool writable, bool durable)
        : state_(std::move(state)),
          node_(std::move(node)),
          path_(std::move(path)),
          life_(life),
          writable_(writable),
          durable_(durable) {}

    Result<size_t> read(std::span<uint8_t> target, uint64_t at) const override {
        MutexLock lock(state_->mutex);
        MOLDAU_CHECK(check(false));
        if (at >= node_->content.size()) {
            return 0;
        }
        size_t length = std::min<size_t>(target.size(), node_->content.size() - at);
        std::memcpy(target.data(), node_->content.data() + at, length);
        return length;
    }
    Result<size_t> read_cached(std::span<uint8_t> target, uint64_t at) const override {
        return read(target, at);
    }
    Status write(std::span<const uint8_t> source, uint64_t at) override {
        MutexLock lock(state_->mutex);
        MOLDAU_CHECK(check(true));
        if (state_->disk_full && at + source.size() > node_->content.size()) {
            return fail(ErrorCode::ThrottlingQuotaExceeded,
                        "cannot write {}: No space left on device", path_);
        }
        MOLDAU_ASSERT(!durable_ || is_aligned(source, at));
        if (Status begun = state_->begin("write", path_); !begun) {
            // A full disk takes what still fits; at a crash the write is under way.
            if (is_disk_full(begun.error())) {
                put(source.first(source.size() / 2), at);
            } else if (state_->crashed) {
                put(source, at);
            }
            return begun;
        }
        if (durable_ && state_->syncs_fail) {
            put(source, at);
            return fail(ErrorCode::KafkaStorageError, "cannot write {}: Input/output error", path_);
        }
        if (durable_ && node_->unsynced.empty()) {
            put(source, at);
            node_->unsynced.clear();
            node_->synced_content.resize(node_->content.size());
            std::memcpy(node_->synced_content.data() + at, source.data(), source.size());
            return {};
        }
        put(source, at);
        if (durable_) {
            node_->sync();
        }
        return {};
    }
    Status write(std::span<const Bytes> pieces, uint64_t at) override {
        for (const Bytes& piece : pieces) {
            MOLDAU_CHECK(write(piece.span(), at));
            at += piece.size();
        }
        return {};
    }
    Status truncate(uint64_t size) override {
        MutexLock lock(state_->mutex);
        MOLDAU_CHECK(check(true));
        MOLDAU_CHECK(state_->begin("truncate", path_));
        node_->resize(size);
        return {};
    }
    Result<uint64_t> size() const override {
        MutexLock lock(state_->mutex);
        MOLDAU_CHECK(check(false));
        return node_->content.size();
    }
    Status sync() override {
        MutexLock lock(state_->mutex);
        MOLDAU_CHECK(check(false));
        MOLDAU_CHECK(state_->begin("sync", path_));
        if (state_->syncs_fail) {
            return fail(ErrorCode::KafkaStorageError, "cannot sync {}: Input/output error", path_);
        }
        node_->sync();
        return {};
    }

 private:
    Status check(bool writing) const REQUIRES(state_->mutex) {
        if (life_ != state_->life) {
            return fail(ErrorCode::KafkaStorageError, "file was open when the machine failed: {}",
                        path_);
        }
        if (writing && !writable_) {
            return fail(ErrorCode::KafkaStorageError, "file is open for reading only: {}", path_);
        }
        return state_->check_alive(path_);
    }
    void put(std::span<const uint8_t> source, uint64_t at) REQUIRES(state_->mutex) {
        if (source.empty()) {
            return;
        }
        node_->put(source, at);
        node_->modified_ms = state_->wall_ms;
    }

    const std::shared_ptr<State> state_;
    const std::shared_ptr<Node> node_;
    const std::string path_;
    static bool is_aligned(std::span<const uint8_t> source, uint64_t at) {
        return reinterpret_cast<uintptr_t>(source.data()) % kDirectAlignment == 0 &&
               source.size() % kDirectAlignment == 0 && at % kDirectAlignment == 0;
    }

    const uint64_t life_;
    const bool writable_;
    const bool durable_;
};

class MemoryFileSystem::MemoryLock final : public FileLock {
 public:
    MemoryLock(std::shared_ptr<State> state, std::shared_ptr<Node> node, uint64_t life)
        : state_(std::move(state)), node_(std::move(node)), life_(life) {}
    ~MemoryLock() override {
        MutexLock lock(state_->mutex);
        if (life_ == state_->life) {
            node_->locked = false;
        }
    }

 private:
    const std::shared_ptr<State> state_;
    const std::shared_ptr<Node> node_;
    const uint64_t life_;
};

MemoryFileSystem::MemoryFileSystem() : state_(std::make_shared<State>()) {
    MutexLock lock(state_->mutex);
    state_->root->is_directory = true;
}

MemoryFileSystem::~MemoryFileSystem() = default;

Result<std::unique_ptr<File>> MemoryFileSystem::open(const std::string& path, OpenMode mode) {
    return open_node(path, mode, false);
}

Result<std::unique_ptr<File>> MemoryFileSystem::open_durable(const std::string& path,
                                                             OpenMode mode) {
    return open_node(path, mode, true);
}

Result<std::unique_ptr<File>> MemoryFileSystem::open_node(const std::string& path, OpenMode mode,
                                                          bool durable) {
    MutexLock lock(state_->mutex);
    MOLDAU_CHECK(state_->check_alive(path));
    std::shared_ptr<Node> node = state_->find(path);
    if (node != nullptr && node->is_directory) {
        return fail(ErrorCode::KafkaStorageError, "cannot open {}: Is a directory", path);
    }
    if (node != nullptr && mode == OpenMode::CreateNew) {
        return fail(ErrorCode::DuplicateResource, "cannot open {}: File exists", path);
    }
    if (node == nullptr) {
        std::shared_ptr<Node> parent = state_->find(parent_path(path));
        if (mode == OpenMode::Read || mode == OpenMode::ReadWrite || parent == nullptr ||
            !parent->is_directory) {
            return fail(ErrorCode::ResourceNotFound, "cannot open {}: No such file or directory",
                        path);
        }
        MOLDAU_CHECK(state_->begin("create", path));
        if (state_->disk_full) {
            return fail(ErrorCode::ThrottlingQuotaExceeded,
                        "cannot create {}: No space left on device", path);
        }
        node = std::make_shared<Node>();
        node->modified_ms = state_->wall_ms;
        parent->entries.emplace(name_of(path), node);
    }
    return std::make_unique<MemoryFile>(state_, std::move(node), path, state_->life,
                                        mode != OpenMode::Read, durable);
}

Status MemoryFileSystem::sync_all(const std::string& path) {
    MutexLock lock(state_->mutex);
    MOLDAU_TRY(auto top, state_->existing("sync", path));
    MOLDAU_CHECK(state_->begin("sync", path));
    if (state_->syncs_fail) {
        return fail(ErrorCode::KafkaStorageError, "cannot sync {}: Input/output error", path);
    }
    std::vector<std::shared_ptr<Node>> open{std::move(top)};
    while (!open.empty()) {
        auto node = std::move(open.back());
        open.pop_back();
        node->sync();
        node->synced_entries = node->entries;
        for (const auto& [name, child] : node->entries) {
            open.push_back(child);
        }
    }
    return {};
}

Status MemoryFileSystem::sync_directory(const std::string& path) {
    MutexLock lock(state_->mutex);
    MOLDAU_TRY(auto node, state_->existing("sync", path));
    MOLDAU_CHECK(state_->begin("sync", path));
    if (state_->syncs_fail) {
        return fail(ErrorCode::KafkaStorageError, "cannot sync {}: Input/output error", path);
    }
    node->synced_entries = node->entries;
    return {};
}

Status MemoryFileSystem::rename(const std::string& from, const std::string& to) {
    MutexLock lock(state_->mutex);
    MOLDAU_TRY(auto node, state_->existing("rename", from));
    MOLDAU_TRY(auto target_parent, state_->existing("rename to", parent_path(to)));
    std::shared_ptr<Node> target = state_->find(to);
    if (target != nullptr && target->is_directory && !target->entries.empty()) {
        return fail(ErrorCode::DuplicateResource, "cannot rename {} to {}: Directory not empty",
                    from, to);
    }
    MOLDAU_CHECK(state_->begin("rename", from));
    state_->find(parent_path(from))->entries.erase(std::string(name_of(from)));
    target_parent->entries.insert_or_assign(std::string(name_of(to)), std::move(node));
    return {};
}

Status MemoryFileSystem::remove(const std::string& path) {
    MutexLock lock(state_->mutex);
    MOLDAU_TRY(auto node, state_->existing("remove", path));
    if (node->is_directory && !node->entries.empty()) {
        return fail(ErrorCode::DuplicateResource, "cannot remove {}: Directory not empty", path);
    }
    MOLDAU_CHECK(state_->begin("remove", path));
    state_->find(parent_path(path))->entries.erase(std::string(name_of(path)));
    return {};
}

Status MemoryFileSystem::remove_all(const std::string& path) {
    MutexLock lock(state_->mutex);
    MOLDAU_CHECK(state_->check_alive(path));
    if (state_->find(path) == nullptr) {
        return {};
    }
    MOLDAU_CHECK(state_->begin("remove", path));
    state_->find(parent_path(path))->entries.erase(std::string(name_of(path)));
    return {};
}

Status MemoryFileSystem::create_directories(const std::string& path) {
    MutexLock lock(state_->mutex);
    MOLDAU_CHECK(state_->check_alive(path));
    std::shared_ptr<Node> node = state_->root;
    for (const std::string& part : parts_of(path)) {
        auto next = node->entries.find(part);
        if (next == node->entries.end()) {
            MOLDAU_CHECK(state_->begin("create directory", path));
            auto made = std::make_shared<Node>();
            made->is_directory = true;
            made->modified_ms = state_->wall_ms;
            next = node->entries.emplace(part, std::move(made)).first;
        } else if (!next->second->is_directory) {
            return fail(ErrorCode::DuplicateResource, "cannot create directory {}: File exists",
                        path);
        }
        node = next->second;
    }
    return {};
}

Result<std::vector<DirectoryEntry>> MemoryFileSystem::list(const std::string& path) {
    MutexLock lock(state_->mutex);
    MOLDAU_TRY(auto node, state_->existing("list", path));
    std::vector<DirectoryEntry> entries;
    for (const auto& [name, child] : node->entries) {
        entries.push_back({name, child->is_directory});
    }
    return entries;
}

Result<FileInfo> MemoryFileSystem::stat(const std::string& path) {
    MutexLock lock(state_->mutex);
    MOLDAU_TRY(auto node, state_->existing("stat", path));
    return FileInfo{node->content.size(), node->is_directory, node->modified_ms};
}

Status MemoryFileSystem::set_modified_ms(const std::string& path, TimestampMs modified_ms) {
    MutexLock lock(state_->mutex);
    MOLDAU_TRY(auto node, state_->existing("set the time of", path));
    node->modified_ms = modified_ms;
    return {};
}

Result<std::unique_ptr<FileLock>> MemoryFileSystem::try_lock(const std::string& path) {
    MOLDAU_CHECK(open(path, OpenMode::Create));
    MutexLock lock(state_->mutex);
    MOLDAU_TRY(auto node, state_->existing("lock", path));
    if (node->locked) {
        return nullptr;
    }
    node->locked = true;
    return std::make_unique<MemoryLock>(state_, std::move(node), state_->life);
}

Result<DiskSpace> MemoryFileSystem::space(const std::string& path) {
    MutexLock lock(state_->mutex);
    MOLDAU_TRY(auto node, state_->existing("ask for the space of", path));
    return DiskSpace{kDiskBytes, state_->disk_full ? 0 : kDiskBytes / 2};
}

void MemoryFileSystem::set_wall_ms(TimestampMs wall_ms) {
    MutexLock lock(state_->mutex);
    state_->wall_ms = wall_ms;
}

uint64_t MemoryFileSystem::operations() const {
    MutexLock lock(state_->mutex);
    return state_->operations;
}

void MemoryFileSystem::fail_at(uint64_t operation, Fault fault) {
    MutexLock lock(state_->mutex);
    state_->faults[operation] = fault;
}

void MemoryFileSystem::fail_syncs(bool on) {
    MutexLock lock(state_->mutex);
    state_->syncs_fail = on;
}

void MemoryFileSystem::fill_disk(bool on) {
    MutexLock lock(state_->mutex);
    state_->disk_full = on;
}

void MemoryFileSystem::crash(const Draw& draw) {
    MutexLock lock(state_->mutex);
    state_->lose(*state_->root, draw);
    state_->faults.clear();
    state_->syncs_fail = false;
    state_->disk_full = false;
    state_->crashed = false;
    ++state_->life;
}

void MemoryFileSystem::crash_losing_all() {
    crash(nullptr);
}

void MemoryFileSystem::kill_process() {
    MutexLock lock(state_->mutex);
    ++state_->life;
    std::vector<Node*> open{state_->root.get()};
    while (!open.empty()) {
        Node* node = open.back();
        open.pop_back();
        node->locked = false;
        for (auto& [name, child] : node->entries) {
            open.push_back(child.get());
        }
    }
}

}  // namespace moldau::runtime
