#include "storage/leader_epoch_cache.h"

#include <algorithm>
#include <charconv>

#include "runtime/file_system.h"
#include "storage/checkpoint_file.h"

namespace moldau::storage {

Result<LeaderEpochCache> LeaderEpochCache::load(runtime::FileSystem& files, std::string path) {
    LeaderEpochCache cache(files, std::move(path));
    auto content = files.read_file(cache.path_);
    if (!content) {
        if (runtime::is_missing(content.error())) {
            return cache;
        }
        return fail(content.error());
    }
    MOLDAU_TRY(auto lines, parse_checkpoint_lines(cache.path_, content->view()));
    for (std::string_view line : lines) {
        int32_t epoch = 0;
        int64_t start = 0;
        const char* end = line.data() + line.size();
        auto first = std::from_chars(line.data(), end, epoch);
        bool good = first.ec == std::errc() && first.ptr != end && *first.ptr == ' ';
        if (good) {
            auto second = std::from_chars(first.ptr + 1, end, start);
            good = second.ec == std::errc() && second.ptr == end;
        }
        if (!good) {
            return fail(ErrorCode::KafkaStorageError,
                        "malformed checkpoint file: line is not `epoch offset` path={}",
                        cache.path_);
        }
        EpochEntry entry{LeaderEpoch(epoch), Offset(start)};
        // A file written by a crash of old may hold entries that contradict: the later line wins.
        std::erase_if(cache.entries_, [&](const EpochEntry& old) {
            return old.epoch >= entry.epoch || old.start_offset >= entry.start_offset;
        });
        cache.entries_.push_back(entry);
    }
    return cache;
}

Result<bool> LeaderEpochCache::assign(LeaderEpoch epoch, Offset start) {
    if (epoch.value() < 0 || start.value() < 0) {
        return fail(ErrorCode::InvalidRequest,
                    "leader epoch cannot begin: epoch={} start_offset={} path={}", epoch, start,
                    path_);
    }
    // The usual case: the epoch is known and goes on.
    if (!entries_.empty() && entries_.back().epoch == epoch &&
        start >= entries_.back().start_offset) {
        // An assignment that the device refused earlier must still reach the file before data does.
        MOLDAU_CHECK(assignment_unwritten_ ? flush() : Status());
        return false;
    }
    std::erase_if(entries_, [&](const EpochEntry& old) {
        return old.epoch >= epoch || old.start_offset >= start;
    });
    entries_.push_back({epoch, start});
    dirty_ = true;
    assignment_unwritten_ = true;
    MOLDAU_CHECK(flush());
    return true;
}

std::optional<EpochEnd> LeaderEpochCache::end_offset_for(LeaderEpoch epoch,
                                                         Offset log_end_offset) const {
    if (epoch == kNoLeaderEpoch || entries_.empty() || epoch > entries_.back().epoch) {
        return std::nullopt;
    }
    if (epoch == entries_.back().epoch) {
        return EpochEnd{epoch, log_end_offset};
    }
    auto next = std::upper_bound(
        entries_.begin(), entries_.end(), epoch,
        [](LeaderEpoch wanted, const EpochEntry& entry) { return wanted < entry.epoch; });
    if (next == entries_.begin()) {
        return EpochEnd{epoch, next->start_offset};
    }
    return EpochEnd{std::prev(next)->epoch, next->start_offset};
}

std::optional<LeaderEpoch> LeaderEpochCache::epoch_for_offset(Offset offset) const {
    auto next = std::upper_bound(
        entries_.begin(), entries_.end(), offset,
        [](Offset wanted, const EpochEntry& entry) { return wanted < entry.start_offset; });
    if (next == entries_.begin()) {
        return std::nullopt;
    }
    return std::prev(next)->epoch;
}

std::optional<LeaderEpoch> LeaderEpochCache::previous_epoch(LeaderEpoch epoch) const {
    std::optional<LeaderEpoch> previous;
    for (const EpochEntry& entry : entries_) {
        if (entry.epoch < epoch) {
            previous = entry.epoch;
        }
    }
    return previous;
}

std::optional<EpochEntry> LeaderEpochCache::latest() const {
    return entries_.empty() ? std::nullopt : std::optional(entries_.back());
}

std::optional<EpochEntry> LeaderEpochCache::earliest() const {
    return entries_.empty() ? std::nullopt : std::optional(entries_.front());
}

void LeaderEpochCache::truncate_from_end(Offset end_offset) {
    while (!entries_.empty() && entries_.back().start_offset >= end_offset) {
        entries_.pop_back();
        dirty_ = true;
    }
}

void LeaderEpochCache::truncate_from_start(Offset start_offset) {
    size_t below = 0;
    while (below < entries_.size() && entries_[below].start_offset <= start_offset) {
        ++below;
    }
    // The epoch that holds start_offset stays, beginning there.
    if (below == 0 || (below == 1 && entries_[0].start_offset == start_offset)) {
        return;
    }
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(below) - 1);
    entries_.front().start_offset = start_offset;
    dirty_ = true;
}

void LeaderEpochCache::clear() {
    dirty_ = dirty_ || !entries_.empty();
    entries_.clear();
}

Status LeaderEpochCache::flush() {
    if (!dirty_) {
        return {};
    }
    std::string content = fmt::format("0\n{}\n", entries_.size());
    for (const EpochEntry& entry : entries_) {
        fmt::format_to(std::back_inserter(content), "{} {}\n", entry.epoch, entry.start_offset);
    }
    MOLDAU_CHECK(files_->replace_file(path_, content));
    dirty_ = false;
    assignment_unwritten_ = false;
    return {};
}

}  // namespace moldau::storage
