// VoterSet: who votes, and how to reach them. VoterHistory: which set, and which kraft.version, was
// in force from which offset on.
//
// A voter set takes effect when its record is appended, committed or not, and a truncation below
// the record brings the one before back (KIP-853). A static quorum is a history whose only set,
// from the configuration, lies before the log. Plain values, owned by RaftCore.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "consensus/types.h"

namespace moldau::consensus {

struct Voter {
    ReplicaKey key;
    std::vector<Endpoint> endpoints;
    int16_t kraft_version_min = 0;
    int16_t kraft_version_max = 1;

    const Endpoint* endpoint(std::string_view listener) const;
    friend bool operator==(const Voter&, const Voter&) = default;
};

class VoterSet {
 public:
    VoterSet() = default;
    // Ids must be distinct.
    explicit VoterSet(std::vector<Voter> voters);

    bool empty() const { return voters_.empty(); }
    size_t size() const { return voters_.size(); }
    // How many voters decide.
    size_t majority() const { return voters_.size() / 2 + 1; }
    bool contains_id(BrokerId id) const { return voters_.contains(id); }
    // A voter whose directory is not known is any directory of that id.
    bool contains(const ReplicaKey& key) const;
    bool is_only_voter(const ReplicaKey& key) const { return size() == 1 && contains(key); }
    const Voter* find(BrokerId id) const;
    std::vector<ReplicaKey> keys() const;
    std::vector<BrokerId> ids() const;
    // By id, ascending.
    const std::map<BrokerId, Voter>& voters() const { return voters_; }

    // The set with one change; nullopt when the change does not apply (id already there, key not
    // there, or the last voter would go).
    std::optional<VoterSet> with(const Voter& added) const;
    std::optional<VoterSet> without(const ReplicaKey& removed) const;
    std::optional<VoterSet> with_updated(const Voter& updated) const;

    // Whether every majority of one set shares a voter with every majority of the other: at most
    // one voter may differ.
    bool has_overlapping_majority(const VoterSet& other) const;

    friend bool operator==(const VoterSet&, const VoterSet&) = default;

 private:
    std::map<BrokerId, Voter> voters_;
};

class VoterHistory {
 public:
    // `static_voters` is the configured set; empty for a dynamic quorum.
    explicit VoterHistory(VoterSet static_voters = {}) : static_voters_(std::move(static_voters)) {}

    // The records at `offset` were appended, or a snapshot that ends there was loaded.
    void put_voters(Offset offset, VoterSet voters);
    void put_kraft_version(Offset offset, int16_t version);

    // In force at the log's end.
    const VoterSet& voters() const;
    int16_t kraft_version() const;
    // In force after the record at `offset`.
    const VoterSet& voters_at(Offset offset) const;
    int16_t kraft_version_at(Offset offset) const;
    // Where the set in force was written: -1 for the bootstrap checkpoint's, nullopt when there is
    // none but the configured one.
    std::optional<Offset> voters_offset() const;

    // The log now ends at `end`: later sets are gone.
    void truncate_to(Offset end);
    // Nothing before `start` will be asked for: only the last set at or before it stays.
    void forget_before(Offset start);
    // The log was dropped for a snapshot; its sets follow by put.
    void clear();

 private:
    VoterSet static_voters_;
    std::map<Offset, VoterSet> sets_;
    std::map<Offset, int16_t> versions_;
};

}  // namespace moldau::consensus
