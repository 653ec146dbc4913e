// The bytes of a log directory's journal, and what a replay makes of them
// (docs/formats/journal.md). A journal file is a run of groups, each written at once at a multiple
// of kJournalAlignment; a group holds the entries of many partitions and counts whole or not at
// all. Groups are numbered without a gap, and a number is written only when the one before is on
// the device: a file that is used again holds, behind its new groups, older ones that the numbers
// give away. Pure: no file is touched here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/types.h"
#include "base/uuid.h"

namespace moldau::storage {

inline constexpr size_t kJournalAlignment = 4096;
inline constexpr size_t kGroupHeaderBytes = 32;
inline constexpr size_t kEntryHeaderBytes = 28;

// `moldau-journal-00000007.log`
std::string journal_file_name(uint32_t number);
std::optional<uint32_t> number_of_journal_file(std::string_view name);

enum class JournalKind : uint8_t {
    Append = 1,    // batches, offsets assigned
    Truncate = 2,  // an offset: nothing at or above it is in the log any more
};

struct JournalKey {
    Uuid topic_id;
    int32_t partition = 0;

    friend auto operator<=>(const JournalKey&, const JournalKey&) = default;
};

struct JournalEntry {
    JournalKind kind = JournalKind::Append;
    JournalKey key;
    Bytes batches;  // of an Append
    Offset offset;  // of a Truncate
};

inline size_t align_up(size_t bytes) {
    return (bytes + kJournalAlignment - 1) / kJournalAlignment * kJournalAlignment;
}

// Packs one group into memory that its owner lends, aligned as the file wants it.
class GroupBuilder {
 public:
    explicit GroupBuilder(std::span<uint8_t> memory) : memory_(memory) {}

    // Begins anew; at most `bytes_max` bytes will be used.
    void reset(uint64_t number, size_t bytes_max);
    uint64_t number() const { return number_; }
    bool empty() const { return entries_ == 0; }
    // Of the group so far, as it will be written.
    size_t bytes_aligned() const { return align_up(used_); }
    bool fits(size_t payload_bytes) const {
        return align_up(used_ + kEntryHeaderBytes + payload_bytes) <= bytes_max_;
    }
    void append(const JournalKey& key, std::span<const Bytes> pieces);
    void truncate(const JournalKey& key, Offset offset);
    // The finished group, header and padding included.
    std::span<const uint8_t> finish();

 private:
    uint8_t* begin_entry(JournalKind kind, const JournalKey& key, size_t payload_bytes);

    std::span<uint8_t> memory_;
    uint64_t number_ = 0;
    size_t bytes_max_ = 0;
    size_t used_ = kGroupHeaderBytes;
    uint32_t entries_ = 0;
};

struct JournalGroup {
    uint64_t number = 0;
    std::vector<JournalEntry> entries;
};

// The groups from the start of a file up to the first that is torn, foreign or out of sequence.
std::vector<JournalGroup> read_journal_file(const Bytes& content);

// What is to be appended to each partition, in order, as far as its log does not have it.
using JournalReplay = std::map<JournalKey, std::vector<Bytes>>;
// Takes the files' groups, in any order of files. Only the newest unbroken run of numbers counts.
JournalReplay plan_replay(std::vector<std::vector<JournalGroup>> files);

}  // namespace moldau::storage
