#include "storage/journal_format.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "record/batch.h"

namespace moldau::storage {

namespace {

constexpr std::string_view kFilePrefix = "moldau-journal-";
constexpr std::string_view kFileSuffix = ".log";
constexpr uint64_t kMagic = 0x4d4f4c4a4e4c0001;  // "MOLJNL", version 1

// Of a group: magic u64, crc u32, length u32, number u64, entries u32, reserved u32.
constexpr size_t kCrcAt = 8;
constexpr size_t kLengthAt = 12;
constexpr size_t kNumberAt = 16;
constexpr size_t kEntriesAt = 24;
// Of an entry: length u32, kind u8, reserved u8 * 3, topic id u64 * 2, partition i32.
constexpr size_t kKindAt = 4;
constexpr size_t kTopicAt = 8;
constexpr size_t kPartitionAt = 24;

std::optional<JournalEntry> read_entry(const Bytes& bytes) {
    JournalEntry entry;
    const uint8_t* at = bytes.data();
    entry.kind = static_cast<JournalKind>(at[kKindAt]);
    entry.key.topic_id = {load_big<uint64_t>(at + kTopicAt), load_big<uint64_t>(at + kTopicAt + 8)};
    entry.key.partition = load_big<int32_t>(at + kPartitionAt);
    switch (entry.kind) {
        case JournalKind::Append:
            entry.batches = bytes.slice(kEntryHeaderBytes);
            return entry.batches.size() >= record::kBatchHeaderBytes ? std::optional(entry)
                                                                     : std::nullopt;
        case JournalKind::Truncate:
            if (bytes.size() != kEntryHeaderBytes + sizeof(int64_t)) {
                return std::nullopt;
            }
            entry.offset = Offset(load_big<int64_t>(at + kEntryHeaderBytes));
            return entry;
    }
    return std::nullopt;
}

std::optional<JournalGroup> read_group(const Bytes& content) {
    if (content.size() < kGroupHeaderBytes || load_big<uint64_t>(content.data()) != kMagic) {
        return std::nullopt;
    }
    size_t length = load_big<uint32_t>(content.data() + kLengthAt);
    if (length < kGroupHeaderBytes || length > content.size() ||
        crc32c(content.slice(kLengthAt, length - kLengthAt).span()) !=
            load_big<uint32_t>(content.data() + kCrcAt)) {
        return std::nullopt;
    }
    JournalGroup group;
    group.number = load_big<uint64_t>(content.data() + kNumberAt);
    uint32_t count = load_big<uint32_t>(content.data() + kEntriesAt);
    size_t at = kGroupHeaderBytes;
    for (uint32_t i = 0; i < count; ++i) {
        if (length - at < kEntryHeaderBytes) {
            return std::nullopt;
        }
        size_t bytes = load_big<uint32_t>(content.data() + at);
        if (bytes < kEntryHeaderBytes || bytes > length - at) {
            return std::nullopt;
        }
        auto entry = read_entry(content.slice(at, bytes));
        if (!entry) {
            return std::nullopt;
        }
        group.entries.push_back(std::move(*entry));
        at += bytes;
    }
    return group;
}

size_t group_bytes(const Bytes& content) {
    return align_up(load_big<uint32_t>(content.data() + kLengthAt));
}

// The last offset of the batches of one append.
Offset last_offset_of(const Bytes& batches) {
    Offset last{-1};
    size_t at = 0;
    while (batches.size() - at >= record::kBatchHeaderBytes) {
        auto header = record::BatchHeader::read(batches.data() + at);
        last = header.last_offset();
        if (header.batch_length < 0 || header.size_in_bytes() > batches.size() - at) {
            break;
        }
        at += header.size_in_bytes();
    }
    return last;
}

void apply(JournalReplay& replay, JournalEntry& entry) {
    std::vector<Bytes>& batches = replay[entry.key];
    switch (entry.kind) {
        case JournalKind::Append:
            batches.push_back(std::move(entry.batches));
            break;
        case JournalKind::Truncate:
            std::erase_if(batches,
                          [&](const Bytes& each) { return last_offset_of(each) >= entry.offset; });
            break;
    }
}

}  // namespace

std::string journal_file_name(uint32_t number) {
    return fmt::format("{}{:08}{}", kFilePrefix, number, kFileSuffix);
}

std::optional<uint32_t> number_of_journal_file(std::string_view name) {
    if (!name.starts_with(kFilePrefix) || !name.ends_with(kFileSuffix)) {
        return std::nullopt;
    }
    name.remove_prefix(kFilePrefix.size());
    name.remove_suffix(kFileSuffix.size());
    uint32_t number = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    return error == std::errc() && end == name.data() + name.size() ? std::optional(number)
                                                                    : std::nullopt;
}

void GroupBuilder::reset(uint64_t number, size_t bytes_max) {
    MOLDAU_ASSERT(bytes_max <= memory_.size());
    number_ = number;
    bytes_max_ = bytes_max;
    used_ = kGroupHeaderBytes;
    entries_ = 0;
}

uint8_t* GroupBuilder::begin_entry(JournalKind kind, const JournalKey& key, size_t payload_bytes) {
    MOLDAU_ASSERT(fits(payload_bytes));
    uint8_t* entry = memory_.data() + used_;
    size_t bytes = kEntryHeaderBytes + payload_bytes;
    store_big<uint32_t>(entry, static_cast<uint32_t>(bytes));
    store_big<uint32_t>(entry + kKindAt, static_cast<uint32_t>(kind) << 24);
    store_big<uint64_t>(entry + kTopicAt, key.topic_id.high);
    store_big<uint64_t>(entry + kTopicAt + 8, key.topic_id.low);
    store_big<int32_t>(entry + kPartitionAt, key.partition);
    used_ += bytes;
    ++entries_;
    return entry + kEntryHeaderBytes;
}

void GroupBuilder::append(const JournalKey& key, std::span<const Bytes> pieces) {
    size_t bytes = 0;
    for (const Bytes& piece : pieces) {
        bytes += piece.size();
    }
    uint8_t* target = begin_entry(JournalKind::Append, key, bytes);
    for (const Bytes& piece : pieces) {
        std::memcpy(target, piece.data(), piece.size());
        target += piece.size();
    }
}

void GroupBuilder::truncate(const JournalKey& key, Offset offset) {
    store_big<int64_t>(begin_entry(JournalKind::Truncate, key, sizeof(int64_t)), offset.value());
}

std::span<const uint8_t> GroupBuilder::finish() {
    uint8_t* group = memory_.data();
    store_big<uint64_t>(group, kMagic);
    store_big<uint32_t>(group + kLengthAt, static_cast<uint32_t>(used_));
    store_big<uint64_t>(group + kNumberAt, number_);
    store_big<uint32_t>(group + kEntriesAt, entries_);
    store_big<uint32_t>(group + kEntriesAt + 4, 0);
    store_big<uint32_t>(group + kCrcAt, crc32c({group + kLengthAt, used_ - kLengthAt}));
    // What the memory held before is nobody's business.
    std::memset(group + used_, 0, bytes_aligned() - used_);
    return {group, bytes_aligned()};
}

std::vector<JournalGroup> read_journal_file(const Bytes& content) {
    std::vector<JournalGroup> groups;
    size_t at = 0;
    while (at < content.size()) {
        Bytes rest = content.slice(at);
        auto group = read_group(rest);
        if (!group || (!groups.empty() && group->number != groups.back().number + 1)) {
            break;
        }
        groups.push_back(std::move(*group));
        at += group_bytes(rest);
    }
    return groups;
}

JournalReplay plan_replay(std::vector<std::vector<JournalGroup>> files) {
    std::erase_if(files, [](const auto& groups) { return groups.empty(); });
    std::ranges::sort(files, {}, [](const auto& groups) { return groups.front().number; });
    size_t first = files.empty() ? 0 : files.size() - 1;
    while (first > 0 && files[first - 1].back().number + 1 == files[first].front().number) {
        --first;
    }
    JournalReplay replay;
    for (size_t i = first; i < files.size(); ++i) {
        for (JournalGroup& group : files[i]) {
            for (JournalEntry& entry : group.entries) {
                apply(replay, entry);
            }
        }
    }
    std::erase_if(replay, [](const auto& partition) { return partition.second.empty(); });
    return replay;
}

}  // namespace moldau::storage
