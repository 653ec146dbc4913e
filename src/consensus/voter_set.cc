#include "consensus/voter_set.h"

#include "base/assert.h"

namespace moldau::consensus {

namespace {

// The entry in force at `offset`: the last one at or before it.
template <typename Value>
const Value* in_force(const std::map<Offset, Value>& history, Offset offset) {
    auto after = history.upper_bound(offset);
    return after == history.begin() ? nullptr : &std::prev(after)->second;
}

template <typename Value>
void forget(std::map<Offset, Value>& history, Offset start) {
    auto after = history.upper_bound(start);
    if (after != history.begin()) {
        history.erase(history.begin(), std::prev(after));
    }
}

}  // namespace

const Endpoint* Voter::endpoint(std::string_view listener) const {
    for (const Endpoint& endpoint : endpoints) {
        if (endpoint.listener == listener) {
            return &endpoint;
        }
    }
    return nullptr;
}

VoterSet::VoterSet(std::vector<Voter> voters) {
    for (Voter& voter : voters) {
        BrokerId id = voter.key.id;
        bool inserted = voters_.emplace(id, std::move(voter)).second;
        MOLDAU_ASSERT(inserted);
    }
}

bool VoterSet::contains(const ReplicaKey& key) const {
    const Voter* voter = find(key.id);
    return voter != nullptr &&
           (!voter->key.has_directory() || voter->key.directory == key.directory);
}

const Voter* VoterSet::find(BrokerId id) const {
    auto at = voters_.find(id);
    return at == voters_.end() ? nullptr : &at->second;
}

std::vector<ReplicaKey> VoterSet::keys() const {
    std::vector<ReplicaKey> keys;
    for (const auto& [id, voter] : voters_) {
        keys.push_back(voter.key);
    }
    return keys;
}

std::vector<BrokerId> VoterSet::ids() const {
    std::vector<BrokerId> ids;
    for (const auto& [id, voter] : voters_) {
        ids.push_back(id);
    }
    return ids;
}

std::optional<VoterSet> VoterSet::with(const Voter& added) const {
    if (contains_id(added.key.id)) {
        return std::nullopt;
    }
    VoterSet changed = *this;
    changed.voters_.emplace(added.key.id, added);
    return changed;
}

std::optional<VoterSet> VoterSet::without(const ReplicaKey& removed) const {
    const Voter* voter = find(removed.id);
    if (voter == nullptr || voter->key != removed || size() == 1) {
        return std::nullopt;
    }
    VoterSet changed = *this;
    changed.voters_.erase(removed.id);
    return changed;
}

std::optional<VoterSet> VoterSet::with_updated(const Voter& updated) const {
    if (!contains(updated.key)) {
        return std::nullopt;
    }
    VoterSet changed = *this;
    changed.voters_.at(updated.key.id) = updated;
    return changed;
}

bool VoterSet::has_overlapping_majority(const VoterSet& other) const {
    size_t common = 0;
    for (const auto& [id, voter] : voters_) {
        const Voter* twin = other.find(id);
        common += twin != nullptr && twin->key == voter.key ? 1 : 0;
    }
    return size() - common <= 1 && other.size() - common <= 1;
}

void VoterHistory::put_voters(Offset offset, VoterSet voters) {
    MOLDAU_ASSERT(sets_.empty() || sets_.rbegin()->first < offset);
    sets_.emplace(offset, std::move(voters));
}

void VoterHistory::put_kraft_version(Offset offset, int16_t version) {
    MOLDAU_ASSERT(versions_.empty() || versions_.rbegin()->first < offset);
    versions_.emplace(offset, version);
}

const VoterSet& VoterHistory::voters() const {
    return sets_.empty() ? static_voters_ : sets_.rbegin()->second;
}

int16_t VoterHistory::kraft_version() const {
    return versions_.empty() ? int16_t{0} : versions_.rbegin()->second;
}

const VoterSet& VoterHistory::voters_at(Offset offset) const {
    const VoterSet* set = in_force(sets_, offset);
    return set == nullptr ? static_voters_ : *set;
}

int16_t VoterHistory::kraft_version_at(Offset offset) const {
    const int16_t* version = in_force(versions_, offset);
    return version == nullptr ? int16_t{0} : *version;
}

std::optional<Offset> VoterHistory::voters_offset() const {
    return sets_.empty() ? std::nullopt : std::optional(sets_.rbegin()->first);
}

void VoterHistory::truncate_to(Offset end) {
    sets_.erase(sets_.lower_bound(end), sets_.end());
    versions_.erase(versions_.lower_bound(end), versions_.end());
}

void VoterHistory::forget_before(Offset start) {
    forget(sets_, start);
    forget(versions_, start);
}

void VoterHistory::clear() {
    sets_.clear();
    versions_.clear();
}

}  // namespace moldau::consensus
