// A quorum of cores in one thread, under a network that loses, repeats, delays and reorders, and
// machines that crash and lose what was not synced; all drawn from one seed. What must never be
// wrong is checked as it happens, and the first offence ends the run. For tests.
//
// A Lie stands between a core and its world and changes what passes, as a wrong core or a wrong
// shell would: raft_sim_lies_test.cc proves with it that the checks see what they are there for.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "base/assert.h"
#include "consensus/raft_core.h"

namespace moldau::consensus::simulation {

class Random {
 public:
    explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}
    uint64_t draw() {
        state_ += 0x9e3779b97f4a7c15ULL;
        uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    uint64_t below(uint64_t bound) { return draw() % bound; }
    bool chance(double probability) {
        return static_cast<double>(draw() >> 11) * 0x1p-53 < probability;
    }

 private:
    uint64_t state_;
};

struct Snapshot {
    std::vector<LogEntry> entries;  // everything before its offset
    std::optional<int16_t> kraft_version;
    VoterSet voters;
};

// What survives a crash.
struct Disk {
    std::optional<ElectionState> election;
    std::vector<LogEntry> entries;  // from `start`
    Offset start{0};
    Offset synced{0};
    std::map<SnapshotId, Snapshot> snapshots;

    Offset end() const { return entries.empty() ? start : entries.back().end; }
};

struct Node {
    int32_t id = 0;
    Disk disk;
    std::optional<RaftCore> core;
    uint64_t incarnation = 0;
    std::vector<Event> reports;  // to be told to the core right after its effects
    std::optional<Offset> high_watermark;
};

struct Faults {
    double loss = 0.05;
    double repetition = 0.05;
    double crash = 0.002;  // per node and step, and after each effect
    bool changes_voters = false;
    bool takes_snapshots = true;
    double restart = 0.02;                   // per stopped node and step
    Duration election_timeout = seconds(1);  // short ones make candidates collide
};

inline std::string payload_of(const LogEntry& entry) {
    return entry.control != nullptr ? "control" : entry.batch.str();
}

inline bool same(const LogEntry& a, const LogEntry& b) {
    return a.base == b.base && a.end == b.end && a.epoch == b.epoch &&
           payload_of(a) == payload_of(b);
}

// What may be wrong with all nodes; an empty function lies about nothing.
struct Lie {
    // Sees what happens before the core does.
    std::function<void(const Node&, Event&)> heard;
    // Sees what the core wants before it is done; false: it is not done.
    std::function<bool(Node&, Effect&)> wanted;
    // What an earlier run left unsynced is taken for durable.
    bool starts_without_sync = false;
};

class Quorum {
 public:
    Quorum(uint64_t seed, int32_t nodes, int32_t voters, Faults faults, Lie lie = {})
        : random_(seed), faults_(faults), lie_(std::move(lie)) {
        std::vector<Voter> first;
        for (int32_t id = 1; id <= voters; ++id) {
            first.push_back(voter(id));
        }
        first_voters_ = VoterSet(first);
        nodes_.resize(static_cast<size_t>(nodes));
        for (int32_t id = 1; id <= nodes; ++id) {
            node_of(id).id = id;
        }
        for (Node& node : nodes_) {
            // As formatted: the voters lie in the bootstrap checkpoint.
            node.disk.snapshots[kBootstrapSnapshotId] = {{}, int16_t{1}, first_voters_};
            start(node);
        }
    }

    // Runs for that long under faults; false as soon as an invariant broke.
    bool run(Duration length) {
        MonotonicTime end = now_ + length;
        while (now_ < end && broken_.empty()) {
            tick();
            for (Node& node : nodes_) {
                if (node.core && random_.chance(faults_.crash)) {
                    crash(node);
                }
                if (!node.core && random_.chance(faults_.restart)) {
                    start(node);
                }
                if (node.core && node.core->is_leader() && random_.chance(0.1)) {
                    propose(node);
                }
                if (node.core && faults_.takes_snapshots && random_.chance(0.003)) {
                    take_snapshot(node);
                }
                if (node.core && faults_.changes_voters && node.core->is_leader() &&
                    random_.chance(0.01)) {
                    change_voters(node);
                }
            }
            if (random_.chance(0.01)) {
                check_log_matching();
            }
        }
        check_log_matching();
        return broken_.empty();
    }

    // Faults end: a leader must be found and commit.
    bool heals() {
        faults_ = {0, 0, 0, false, false};
        for (Node& node : nodes_) {
            if (!node.core) {
                start(node);
            }
        }
        Offset before = committed_end();
        MonotonicTime end = now_ + seconds(60);
        while (now_ < end && broken_.empty()) {
            tick();
            for (Node& node : nodes_) {
                if (node.core->is_leader() && random_.chance(0.05)) {
                    propose(node);
                }
            }
            bool all_follow = committed_end() > before + 5;
            for (Node& node : nodes_) {
                bool is_voter = node.core->is_voter();
                all_follow =
                    all_follow &&
                    (!is_voter || (node.high_watermark && *node.high_watermark > before + 5));
            }
            if (all_follow) {
                return true;
            }
        }
        broken_ = broken_.empty() ? "no progress after the faults ended" : broken_;
        return false;
    }

    const std::string& broken() const { return broken_; }
    Offset committed_end() const { return committed_.empty() ? Offset(0) : committed_.back().end; }
    size_t elections() const { return leaders_.size(); }

 private:
    struct Delivery {
        MonotonicTime at;
        uint64_t order;
        int32_t to;
        uint64_t incarnation;  // of the receiver; 0: any
        std::function<void(Node&)> act;

        bool operator<(const Delivery& other) const {
            return at != other.at ? at > other.at : order > other.order;
        }
    };

    static Voter voter(int32_t id) {
        return {{BrokerId(id), Uuid{7, static_cast<uint64_t>(id)}},
                {{"CONTROLLER", fmt::format("n{}", id), 9093}},
                0,
                1};
    }
    Node& node_of(int32_t id) { return nodes_[static_cast<size_t>(id - 1)]; }

    void start(Node& node) {
        RaftConfig config;
        config.self = voter(node.id).key;
        config.cluster_id = "c";
        config.endpoints = voter(node.id).endpoints;
        for (const Node& other : nodes_) {
            if (other.id != node.id) {
                config.bootstrap.push_back(
                    {BrokerId(-2 - other.id), fmt::format("n{}", other.id), 9093});
            }
        }
        config.election_timeout = faults_.election_timeout;
        RaftDisk disk;
        disk.election = node.disk.election;
        std::map<LeaderEpoch, Offset> epochs;
        for (const LogEntry& entry : node.disk.entries) {
            epochs.try_emplace(entry.epoch, entry.base);
        }
        std::set<SnapshotId> ids;
        for (const auto& [id, snapshot] : node.disk.snapshots) {
            ids.insert(id);
        }
        disk.log = LogIndex(node.disk.start, node.disk.end(), epochs, ids);
        const auto& [latest_id, latest] = *node.disk.snapshots.rbegin();
        if (latest.kraft_version) {
            disk.history.put_kraft_version(latest_id.offset - 1, *latest.kraft_version);
            disk.history.put_voters(latest_id.offset - 1, latest.voters);
        }
        for (const LogEntry& entry : node.disk.entries) {
            if (entry.control == nullptr || entry.base < latest_id.offset) {
                continue;
            }
            if (entry.control->kraft_version) {
                disk.history.put_kraft_version(entry.control->kraft_version->first,
                                               entry.control->kraft_version->second);
            }
            if (entry.control->voters) {
                disk.history.put_voters(entry.control->voters->first,
                                        entry.control->voters->second);
            }
        }
        if (!lie_.starts_without_sync) {
            node.disk.synced = node.disk.end();
        }
        ++node.incarnation;
        node.high_watermark.reset();
        node.core.emplace(config, disk, random_.draw());
        node.core->start(now_);
        carry_out(node);
    }

    // The machine loses power: some of what was not synced is gone.
    void crash(Node& node) {
        node.core.reset();
        node.reports.clear();
        ++node.incarnation;
        while (!node.disk.entries.empty() && node.disk.entries.back().end > node.disk.synced &&
               random_.chance(0.7)) {
            node.disk.entries.pop_back();
        }
        node.disk.synced = std::min(node.disk.synced, node.disk.end());
    }

    void tick() {
        MonotonicTime next = now_ + milliseconds(10);
        while (!deliveries_.empty() && deliveries_.top().at <= next) {
            Delivery delivery = deliveries_.top();
            deliveries_.pop();
            now_ = std::max(now_, delivery.at);
            Node& node = node_of(delivery.to);
            bool is_there = node.core &&
                            (delivery.incarnation == 0 || delivery.incarnation == node.incarnation);
            if (is_there) {
                delivery.act(node);
            }
        }
        now_ = next;
        for (Node& node : nodes_) {
            if (node.core && now_ >= node.core->next_timeout()) {
                step(node, TimePassed{});
            }
        }
    }

    void step(Node& node, Event event) {
        if (lie_.heard) {
            lie_.heard(node, event);
        }
        node.core->step(now_, std::move(event));
        carry_out(node);
    }

    void post(int32_t to, uint64_t incarnation, std::function<void(Node&)> act) {
        if (random_.chance(faults_.loss)) {
            return;
        }
        int copies = random_.chance(faults_.repetition) ? 2 : 1;
        for (int i = 0; i < copies; ++i) {
            Duration delay = milliseconds(
                1 + static_cast<int64_t>(random_.below(random_.chance(0.05) ? 3000 : 30)));
            deliveries_.push({now_ + delay, ++order_, to, incarnation, act});
        }
    }

    void carry_out(Node& node) {
        Ready ready = node.core->take_ready();
        for (Effect& effect : ready) {
            if (lie_.wanted && !lie_.wanted(node, effect)) {
                continue;
            }
            std::visit([&](auto& one) { carry_out(node, one); }, effect);
            if (random_.chance(faults_.crash)) {
                return crash(node);  // what follows in the list was not done
            }
        }
        for (Event& report : std::exchange(node.reports, {})) {
            if (node.core) {
                step(node, std::move(report));
            }
        }
    }

    void carry_out(Node& node, PersistElection& effect) {
        if (node.disk.election && node.disk.election->epoch > effect.election.epoch) {
            broken_ = fmt::format("epoch of node {} fell", node.id);
        }
        node.disk.election = effect.election;
    }
    void carry_out(Node& node, TruncateLog& effect) {
        while (!node.disk.entries.empty() && node.disk.entries.back().end > effect.end) {
            node.disk.entries.pop_back();
        }
        node.disk.synced = std::min(node.disk.synced, node.disk.end());
        if (node.high_watermark && effect.end < *node.high_watermark) {
            broken_ = fmt::format("node {} dropped what it knew to be committed", node.id);
        }
    }
    void carry_out(Node& node, AppendToLog& effect) {
        for (LogEntry& entry : effect.entries) {
            node.disk.entries.push_back(entry);
        }
    }
    void carry_out(Node& node, SyncLog& effect) {
        if (effect.is_barrier) {
            node.disk.synced = std::max(node.disk.synced, effect.end);
            return;
        }
        Offset end = effect.end;
        Duration delay = milliseconds(static_cast<int64_t>(random_.below(40)));
        deliveries_.push({now_ + delay, ++order_, node.id, node.incarnation, [this, end](Node& at) {
                              // Truncated meanwhile: another leader's log is there now.
                              Offset durable = std::min(end, at.disk.end());
                              at.disk.synced = std::max(at.disk.synced, durable);
                              step(at, LogSynced{durable});
                          }});
    }
    void carry_out(Node& node, StoreSnapshotChunk& effect) {
        if (!effect.is_complete) {
            return;
        }
        Snapshot snapshot = published_.at(effect.id);
        node.disk.snapshots.clear();
        node.disk.snapshots[effect.id] = snapshot;
        node.disk.entries.clear();
        node.disk.start = effect.id.offset;
        node.disk.synced = effect.id.offset;
        SnapshotInstalled installed{effect.id, snapshot.kraft_version, snapshot.voters};
        node.reports.push_back(std::move(installed));
    }
    void carry_out(Node& node, SendRequest& effect) {
        int32_t to = std::stoi(effect.peer.host.substr(1));
        int32_t from = node.id;
        uint64_t incarnation = node.incarnation;
        post(to, 0,
             [this, from, incarnation, correlation = effect.correlation,
              request = effect.request](Node& at) {
                 RequestId id = ++last_request_;
                 asked_[id] = {from, incarnation, correlation};
                 step(at, RequestReceived{id, request});
             });
    }
    void carry_out(Node& node, SendResponse& effect) {
        auto asked = asked_.find(effect.id);
        if (asked == asked_.end()) {
            return;  // an operator's request
        }
        auto [to, incarnation, correlation] = asked->second;
        asked_.erase(asked);
        if (auto* fetch = std::get_if<FetchResponse>(&effect.response); fetch && fetch->read_from) {
            for (const LogEntry& entry : node.disk.entries) {
                if (entry.base >= *fetch->read_from && fetch->entries.size() < 4) {
                    fetch->entries.push_back(entry);
                }
            }
        }
        if (auto* chunk = std::get_if<FetchSnapshotResponse>(&effect.response)) {
            chunk->size = 25;
            if (chunk->position < chunk->size) {
                chunk->chunk = Bytes::copy_of(std::string(
                    static_cast<size_t>(std::min<int64_t>(10, 25 - chunk->position)), 'x'));
            }
        }
        post(to, incarnation, [this, correlation, response = effect.response](Node& at) {
            step(at, ResponseReceived{correlation, response});
        });
    }
    void carry_out(Node& node, HighWatermarkAdvanced& effect) {
        if (node.high_watermark && effect.offset <= *node.high_watermark) {
            broken_ = fmt::format("high watermark of node {} fell", node.id);
        }
        node.high_watermark = effect.offset;
        check_committed(node, effect.offset);
    }
    void carry_out(Node& node, LeaderChanged& effect) {
        if (effect.leader.leader != BrokerId(node.id)) {
            return;
        }
        auto [leader, is_new] = leaders_.emplace(effect.leader.epoch, node.id);
        if (!is_new) {
            broken_ = fmt::format("epoch {} is led by {} and {}", effect.leader.epoch,
                                  leader->second, node.id);
        }
        check_leader_is_complete(node);
    }
    void carry_out(Node&, StateEntered&) {}

    // --- what must never be wrong -------------------------------------------------------------
    // State machine safety: all nodes commit the same records at the same offsets.
    void check_committed(Node& node, Offset end) {
        for (const LogEntry& entry : node.disk.entries) {
            if (entry.end > end) {
                break;
            }
            auto known = std::ranges::lower_bound(committed_, entry.base, {}, &LogEntry::base);
            if (known == committed_.end()) {
                if (committed_end() != entry.base) {
                    broken_ =
                        fmt::format("node {} commits across a gap at {}", node.id, entry.base);
                    return;
                }
                committed_.push_back(entry);
                committed_in_.push_back(node.core->epoch());
            } else if (!same(*known, entry)) {
                broken_ = fmt::format("node {} commits {}@{} where {}@{} was committed", node.id,
                                      entry.base, entry.epoch, known->base, known->epoch);
                return;
            }
        }
    }

    // Leader completeness: whoever is elected holds everything that was committed in earlier
    // epochs. A vote may come late and elect a leader of the past, who then cannot commit.
    void check_leader_is_complete(const Node& node) {
        for (size_t i = 0; i < committed_.size(); ++i) {
            const LogEntry& entry = committed_[i];
            if (entry.base < node.disk.start || committed_in_[i] >= node.core->epoch()) {
                continue;  // within its snapshot, which was committed; or of the future
            }
            auto own = std::ranges::lower_bound(node.disk.entries, entry.base, {}, &LogEntry::base);
            if (own == node.disk.entries.end() || !same(*own, entry)) {
                broken_ = fmt::format("leader {} lacks committed offset {}", node.id, entry.base);
                return;
            }
        }
    }

    // Log matching: where two logs have a record of one offset and epoch, they agree up to there.
    void check_log_matching() {
        for (const Node& a : nodes_) {
            for (const Node& b : nodes_) {
                if (a.id >= b.id) {
                    continue;
                }
                bool agree = false;
                for (auto at = a.disk.entries.rbegin(); at != a.disk.entries.rend(); ++at) {
                    auto twin =
                        std::ranges::lower_bound(b.disk.entries, at->base, {}, &LogEntry::base);
                    if (twin == b.disk.entries.end() || twin->base != at->base) {
                        continue;
                    }
                    agree = agree || twin->epoch == at->epoch;
                    if (agree && !same(*twin, *at)) {
                        broken_ =
                            fmt::format("logs of {} and {} differ at {}", a.id, b.id, at->base);
                        return;
                    }
                }
            }
        }
    }

    // --- what operators and state machines do -------------------------------------------------
    void propose(Node& leader) {
        EntriesProposed proposed;
        proposed.epoch = leader.core->epoch();
        Offset next = leader.core->log().end_offset();
        for (uint64_t i = 0; i <= random_.below(3); ++i) {
            LogEntry entry;
            entry.base = next;
            entry.end = next + 1 + static_cast<int64_t>(random_.below(3));
            entry.epoch = proposed.epoch;
            entry.batch = Bytes::copy_of(fmt::format("record-{}", ++last_payload_));
            next = entry.end;
            proposed.entries.push_back(std::move(entry));
        }
        step(leader, std::move(proposed));
    }

    void take_snapshot(Node& node) {
        if (!node.high_watermark) {
            return;
        }
        // The last batch that ends at or before the high watermark.
        const LogEntry* last = nullptr;
        for (const LogEntry& entry : node.disk.entries) {
            last = entry.end <= *node.high_watermark ? &entry : last;
        }
        if (last == nullptr || last->end > node.disk.synced) {
            return;
        }
        SnapshotId id{last->end, last->epoch};
        if (node.disk.snapshots.contains(id) ||
            !node.core->log().validate_snapshot(id, node.high_watermark)) {
            return;
        }
        Snapshot snapshot;
        snapshot.kraft_version = node.core->history().kraft_version_at(id.offset - 1);
        snapshot.voters = node.core->history().voters_at(id.offset - 1);
        published_[id] = snapshot;
        node.disk.snapshots[id] = snapshot;
        step(node, SnapshotTaken{id});
        if (node.core && random_.chance(0.5)) {  // retention
            std::erase_if(node.disk.entries,
                          [&](const LogEntry& entry) { return entry.end <= id.offset; });
            std::erase_if(node.disk.snapshots,
                          [&](const auto& entry) { return entry.first.offset < id.offset; });
            node.disk.start = id.offset;
            step(node, LogStartMoved{id.offset});
        }
    }

    void change_voters(Node& leader) {
        auto id = static_cast<int32_t>(1 + random_.below(nodes_.size()));
        RequestId request = ++last_request_;
        if (leader.core->voters().contains_id(BrokerId(id))) {
            if (leader.core->voters().size() > 2) {
                step(leader, RequestReceived{request, RemoveVoterRequest{"c", voter(id).key}});
            }
        } else {
            step(leader, RequestReceived{request, AddVoterRequest{"c", voter(id), seconds(5),
                                                                  random_.chance(0.5)}});
        }
    }

    Random random_;
    Faults faults_;
    Lie lie_;
    VoterSet first_voters_;
    std::vector<Node> nodes_;
    MonotonicTime now_{seconds(1000)};
    std::priority_queue<Delivery> deliveries_;
    uint64_t order_ = 0;
    struct Asked {
        int32_t from;
        uint64_t incarnation;
        CorrelationId correlation;
    };
    std::map<RequestId, Asked> asked_;
    RequestId last_request_ = 0;
    uint64_t last_payload_ = 0;
    std::map<SnapshotId, Snapshot> published_;

    std::map<LeaderEpoch, int32_t> leaders_;
    std::vector<LogEntry> committed_;
    std::vector<LeaderEpoch> committed_in_;  // epoch of who committed it first
    std::string broken_;
};

}  // namespace moldau::consensus::simulation
