// Runs testdata/*.script: one RaftCore per case, events as verbs, effects as the expected trace.
// Each trace line begins with the number of the verb that caused it.
// MOLDAU_SCRIPT_UPDATE=1 rewrites the traces; read the difference before keeping it.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "consensus/raft_core.h"

namespace moldau::consensus {
namespace {

struct Words {
    std::string verb;
    std::vector<std::string> flags;
    std::map<std::string, std::string> values;

    explicit Words(const std::string& line) {
        std::istringstream in(line);
        in >> verb;
        for (std::string word; in >> word;) {
            size_t equals = word.find('=');
            if (equals == std::string::npos) {
                flags.push_back(word);
            } else {
                values[word.substr(0, equals)] = word.substr(equals + 1);
            }
        }
    }
    bool has(const std::string& name) const {
        return values.contains(name) || std::find(flags.begin(), flags.end(), name) != flags.end();
    }
    std::string text(const std::string& name, const std::string& otherwise) const {
        auto at = values.find(name);
        return at == values.end() ? otherwise : at->second;
    }
    int64_t number(const std::string& name, int64_t otherwise) const {
        auto at = values.find(name);
        return at == values.end() ? otherwise : std::stoll(at->second);
    }
    int32_t small(const std::string& name, int32_t otherwise) const {
        return static_cast<int32_t>(number(name, otherwise));
    }
};

std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, by);) {
        parts.push_back(part);
    }
    return parts;
}

// "3@2"
OffsetAndEpoch position(const std::string& text) {
    auto parts = split(text, '@');
    return {Offset(std::stoll(parts.at(0))), LeaderEpoch(std::stoi(parts.at(1)))};
}

ReplicaKey key_of(int32_t id) {
    return {BrokerId(id), Uuid{7, static_cast<uint64_t>(id)}};
}

std::vector<Endpoint> endpoints_of(int32_t id) {
    return {{"CONTROLLER", fmt::format("host{}", id), 9093}};
}

VoterSet voters_of(const std::string& ids, bool with_directories) {
    std::vector<Voter> voters;
    for (const std::string& id : split(ids, ',')) {
        int32_t number = std::stoi(id);
        ReplicaKey key = key_of(number);
        if (!with_directories) {
            key.directory = {};
        }
        voters.push_back({key, endpoints_of(number), 0, 1});
    }
    return VoterSet(std::move(voters));
}

std::string ids(const std::vector<BrokerId>& of) {
    std::string text;
    for (BrokerId id : of) {
        text += (text.empty() ? "" : ",") + std::to_string(id.value());
    }
    return text;
}

std::string show(const ResponseHeader& header) {
    std::string text;
    if (header.top_error != ErrorCode::None) {
        return fmt::format(" {}", header.top_error);
    }
    if (header.error != ErrorCode::None) {
        text += fmt::format(" {}", header.error);
    }
    text += fmt::format(" epoch={}", header.epoch);
    if (header.leader) {
        text += fmt::format(" leader={}", *header.leader);
    }
    return text;
}

struct Printer {
    std::string operator()(const PersistElection& e) const {
        std::string text = fmt::format("persist epoch={}", e.election.epoch);
        if (e.election.leader) {
            text += fmt::format(" leader={}", *e.election.leader);
        }
        if (e.election.voted) {
            text += fmt::format(" voted={}", e.election.voted->id);
        }
        return text;
    }
    std::string operator()(const TruncateLog& e) const {
        return fmt::format("truncate to {}", e.end);
    }
    std::string operator()(const AppendToLog& e) const {
        std::string text = "append";
        for (const LogEntry& entry : e.entries) {
            text += fmt::format(" [{}..{})@{}", entry.base, entry.end, entry.epoch);
            if (entry.control != nullptr && entry.control->leader_change) {
                text += fmt::format(" leader-change({})", entry.control->leader_change->leader);
            }
            if (entry.control != nullptr && entry.control->kraft_version) {
                text += fmt::format(" kraft-version({})", entry.control->kraft_version->second);
            }
            if (entry.control != nullptr && entry.control->voters) {
                text += fmt::format(" voters({})", ids(entry.control->voters->second.ids()));
            }
        }
        return text;
    }
    std::string operator()(const SyncLog& e) const {
        return fmt::format("sync to {}{}", e.end, e.is_barrier ? " first" : "");
    }
    std::string operator()(const StoreSnapshotChunk& e) const {
        return fmt::format("store snapshot {} position={} bytes={}{}", e.id, e.position,
                           e.chunk.size(), e.is_complete ? " complete" : "");
    }
    std::string operator()(const HighWatermarkAdvanced& e) const {
        return fmt::format("high watermark {}", e.offset);
    }
    std::string operator()(const LeaderChanged& e) const {
        std::string text = fmt::format("leader changed epoch={}", e.leader.epoch);
        if (e.leader.leader) {
            text += fmt::format(" leader={}", *e.leader.leader);
        }
        return text;
    }
    std::string operator()(const StateEntered& e) const { return "enter " + e.description; }
    std::string operator()(const SendRequest& e) const {
        return fmt::format("send {}: {}", e.peer.id, std::visit(*this, e.request));
    }
    std::string operator()(const SendResponse& e) const {
        return fmt::format("answer {}: {}", e.id, std::visit(*this, e.response));
    }

    std::string operator()(const VoteRequest& r) const {
        return fmt::format("{} epoch={} log={}", r.pre_vote ? "pre-vote" : "vote", r.epoch,
                           r.log_end);
    }
    std::string operator()(const BeginQuorumEpochRequest& r) const {
        return fmt::format("begin epoch={} leader={}", r.epoch, r.leader);
    }
    std::string operator()(const EndQuorumEpochRequest& r) const {
        std::vector<BrokerId> preferred;
        for (const ReplicaKey& key : r.preferred_candidates) {
            preferred.push_back(key.id);
        }
        return fmt::format("end epoch={} leader={} preferred={}", r.epoch, r.leader,
                           ids(preferred));
    }
    std::string operator()(const FetchRequest& r) const {
        return fmt::format("fetch epoch={} at={}", r.epoch, r.position);
    }
    std::string operator()(const FetchSnapshotRequest& r) const {
        return fmt::format("fetch-snapshot {} position={}", r.snapshot, r.position);
    }
    std::string operator()(const AddVoterRequest& r) const {
        return fmt::format("add-voter {}", r.voter.key.id);
    }
    std::string operator()(const RemoveVoterRequest& r) const {
        return fmt::format("remove-voter {}", r.voter.id);
    }
    std::string operator()(const UpdateVoterRequest& r) const {
        return fmt::format("update-voter {}", r.voter.key.id);
    }
    std::string operator()(const KraftRangeRequest&) const { return "kraft-range"; }

    std::string operator()(const VoteResponse& r) const {
        return fmt::format("vote {}{}", r.granted ? "granted" : "rejected", show(r.header));
    }
    std::string operator()(const BeginQuorumEpochResponse& r) const {
        return "begin" + show(r.header);
    }
    std::string operator()(const EndQuorumEpochResponse& r) const { return "end" + show(r.header); }
    std::string operator()(const FetchResponse& r) const {
        std::string text = "fetch" + show(r.header);
        if (r.header.error != ErrorCode::None || r.header.top_error != ErrorCode::None) {
            return text;
        }
        if (r.high_watermark) {
            text += fmt::format(" hw={}", *r.high_watermark);
        }
        if (r.diverging) {
            text += fmt::format(" diverging={}", *r.diverging);
        }
        if (r.snapshot) {
            text += fmt::format(" snapshot={}", *r.snapshot);
        }
        return text + (r.read_from ? fmt::format(" records from {}", *r.read_from) : " nothing");
    }
    std::string operator()(const FetchSnapshotResponse& r) const {
        return fmt::format("fetch-snapshot {} position={}{}", r.snapshot, r.position,
                           show(r.header));
    }
    std::string operator()(const VoterChangeResponse& r) const {
        return "voter-change" + show(r.header) +
               (r.message.empty() ? "" : " \"" + r.message + "\"");
    }
    std::string operator()(const KraftRangeResponse& r) const {
        return fmt::format("kraft-range {}..{}", r.min, r.max);
    }
};

class Script {
 public:
    std::string run(const std::vector<std::string>& lines) {
        for (size_t i = 0; i < lines.size(); ++i) {
            line_ = i + 1;
            run_verb(Words(lines[i]));
            if (core_ && started_) {
                take();
            }
        }
        return trace_;
    }

 private:
    void say(const std::string& text) { trace_ += fmt::format("{}: {}\n", line_, text); }

    void take() {
        for (Effect& effect : core_->take_ready()) {
            say(std::visit(Printer(), effect));
            if (auto* sent = std::get_if<SendRequest>(&effect)) {
                sent_[sent->peer.id.value()] = sent->correlation;
            }
        }
    }

    void set_up(const Words& words) {
        RaftConfig config;
        config.self = key_of(words.small("self", 1));
        config.cluster_id = "cluster";
        config.endpoints = endpoints_of(words.small("self", 1));
        bool is_dynamic = words.number("kraft", 0) == 1;
        RaftDisk disk;
        VoterSet voters = voters_of(words.text("voters", "1"), is_dynamic);
        disk.history = VoterHistory(is_dynamic ? VoterSet() : voters);
        if (is_dynamic) {
            Offset at(words.number("voters-at", -1));
            disk.history.put_kraft_version(at, 1);
            disk.history.put_voters(at, voters);
        }
        // log=1@0,3@2: two records of epochs that begin at offset 1.. as end@epoch pairs
        std::map<LeaderEpoch, Offset> epochs;
        Offset start(words.number("log-start", 0));
        Offset end = start;
        if (words.has("log")) {
            for (const std::string& part : split(words.text("log", ""), ',')) {
                OffsetAndEpoch run = position(part);
                epochs.emplace(run.epoch, end);
                end = run.offset;
            }
        }
        std::set<SnapshotId> snapshots;
        if (words.has("snapshot")) {
            snapshots.insert(position(words.text("snapshot", "")));
        }
        disk.log = LogIndex(start, end, epochs, snapshots);
        if (words.has("epoch")) {
            ElectionState election;
            election.epoch = LeaderEpoch(words.small("epoch", 0));
            if (words.has("leader")) {
                election.leader = BrokerId(words.small("leader", 0));
            }
            if (words.has("voted")) {
                election.voted = key_of(words.small("voted", 0));
            }
            disk.election = election;
        }
        core_.emplace(config, disk, 1);
    }

    ResponseHeader header(const Words& words) const {
        ResponseHeader header;
        header.epoch = LeaderEpoch(words.small("epoch", core_->epoch().value()));
        if (words.has("leader")) {
            header.leader = BrokerId(words.small("leader", 0));
        }
        if (words.has("error")) {
            header.error = error_code_from_wire(static_cast<int16_t>(words.number("error", 0)));
        }
        return header;
    }

    std::vector<LogEntry> entries(const Words& words) const {
        std::vector<LogEntry> list;
        Offset next(words.number("at", core_->log().end_offset().value()));
        for (const std::string& part : split(words.text("records", ""), ',')) {
            if (part.empty()) {
                continue;
            }
            OffsetAndEpoch run = position(part);
            LogEntry entry{next, run.offset, run.epoch, Bytes(), nullptr};
            if (words.has("voters")) {
                auto control = std::make_shared<ControlRecords>();
                control->voters =
                    std::pair(run.offset - 1, voters_of(words.text("voters", ""), true));
                entry.control = control;
            }
            next = run.offset;
            list.push_back(entry);
        }
        return list;
    }

    void respond(const Words& words, Response response) {
        step(ResponseReceived{sent_[words.small("from", 0)], std::move(response)});
    }
    void request(Request request) { step(RequestReceived{line_, std::move(request)}); }
    void step(Event event) { core_->step(now_, std::move(event)); }

    void run_verb(const Words& words) {
        int32_t from = words.small("from", 0);
        LeaderEpoch epoch(core_ ? words.small("epoch", core_->epoch().value()) : 0);
        if (words.verb == "core") {
            set_up(words);
        } else if (words.verb == "start") {
            started_ = true;
            core_->start(now_);
        } else if (words.verb == "pass") {  // milliseconds
            now_ += milliseconds(std::stoll(words.flags.at(0)));
            step(TimePassed{});
        } else if (words.verb == "vote") {
            VoteRequest vote;
            vote.cluster_id = words.text("cluster", "cluster");
            vote.candidate = key_of(from);
            vote.epoch = epoch;
            vote.log_end = position(words.text("log", "0@0"));
            vote.pre_vote = words.has("pre");
            if (words.has("voter")) {
                vote.voter = key_of(words.small("voter", 0));
            }
            request(vote);
        } else if (words.verb == "vote-answer") {
            respond(words, VoteResponse{header(words), words.has("granted")});
        } else if (words.verb == "begin") {
            request(BeginQuorumEpochRequest{"cluster", std::nullopt, BrokerId(from), epoch,
                                            endpoints_of(from)});
        } else if (words.verb == "end") {
            EndQuorumEpochRequest end{"cluster", BrokerId(from), epoch, {}, endpoints_of(from)};
            for (const std::string& id : split(words.text("preferred", ""), ',')) {
                end.preferred_candidates.push_back(key_of(std::stoi(id)));
            }
            request(end);
        } else if (words.verb == "end-answer") {
            respond(words, EndQuorumEpochResponse{header(words)});
        } else if (words.verb == "fetch") {
            FetchRequest fetch;
            fetch.cluster_id = "cluster";
            fetch.replica = key_of(from);
            fetch.epoch = epoch;
            fetch.position = position(words.text("at", "0@0"));
            fetch.max_wait = milliseconds(words.number("wait", 500));
            if (words.has("hw")) {
                fetch.high_watermark = Offset(words.number("hw", 0));
            }
            request(fetch);
        } else if (words.verb == "fetch-answer") {
            FetchResponse fetch;
            fetch.header = header(words);
            if (words.has("hw")) {
                fetch.high_watermark = Offset(words.number("hw", 0));
            }
            if (words.has("diverging")) {
                fetch.diverging = position(words.text("diverging", ""));
            }
            if (words.has("snapshot")) {
                fetch.snapshot = position(words.text("snapshot", ""));
            }
            fetch.entries = entries(words);
            respond(words, fetch);
        } else if (words.verb == "fetch-snapshot") {
            request(FetchSnapshotRequest{"cluster", key_of(from), epoch,
                                         position(words.text("snapshot", "")),
                                         words.number("position", 0), 1024});
        } else if (words.verb == "snapshot-answer") {
            FetchSnapshotResponse answer;
            answer.header = header(words);
            answer.snapshot = position(words.text("snapshot", ""));
            answer.position = words.number("position", 0);
            answer.size = words.number("size", 0);
            answer.chunk =
                Bytes::copy_of(std::string(static_cast<size_t>(words.number("bytes", 0)), 'x'));
            respond(words, answer);
        } else if (words.verb == "installed") {
            SnapshotInstalled installed{position(words.text("snapshot", "")), {}, {}};
            if (words.has("voters")) {
                installed.kraft_version = 1;
                installed.voters = voters_of(words.text("voters", ""), true);
            }
            step(std::move(installed));
        } else if (words.verb == "failed") {
            step(RequestFailed{sent_[from], words.has("unsupported")});
        } else if (words.verb == "propose") {
            step(EntriesProposed{epoch, entries(words)});
        } else if (words.verb == "synced") {
            step(LogSynced{core_->log().end_offset()});
        } else if (words.verb == "snapshot-taken") {
            step(SnapshotTaken{position(words.text("snapshot", ""))});
        } else if (words.verb == "resign") {
            step(ResignRequested{epoch});
        } else if (words.verb == "shutdown") {
            step(ShutdownRequested{});
        } else if (words.verb == "add-voter") {
            int32_t id = words.small("id", 0);
            request(AddVoterRequest{"cluster",
                                    {key_of(id), endpoints_of(id), 0, 1},
                                    seconds(1),
                                    !words.has("ack-early")});
        } else if (words.verb == "remove-voter") {
            request(RemoveVoterRequest{"cluster", key_of(words.small("id", 0))});
        } else if (words.verb == "range-answer") {
            respond(words, KraftRangeResponse{ErrorCode::None, 0,
                                              static_cast<int16_t>(words.number("max", 1))});
        } else if (words.verb == "show") {
            std::string high_watermark =
                core_->high_watermark() ? fmt::format("{}", *core_->high_watermark()) : "unknown";
            say(fmt::format("{} epoch={} log=[{}..{})@{} hw={} voters={} kraft={}",
                            core_->state_name(), core_->epoch(), core_->log().start_offset(),
                            core_->log().end_offset(), core_->log().last_epoch(), high_watermark,
                            ids(core_->voters().ids()), core_->kraft_version()));
        } else {
            ADD_FAILURE() << "unknown verb " << words.verb;
        }
    }

    std::optional<RaftCore> core_;
    bool started_ = false;
    MonotonicTime now_{seconds(100)};
    size_t line_ = 0;
    std::string trace_;
    std::map<int32_t, CorrelationId> sent_;
};

std::filesystem::path testdata() {
    return CONSENSUS_TESTDATA;
}

TEST(RaftCore, follows_its_scripts) {
    bool update = std::getenv("MOLDAU_SCRIPT_UPDATE") != nullptr;
    size_t cases = 0;
    for (const auto& entry : std::filesystem::directory_iterator(testdata())) {
        if (entry.path().extension() != ".script") {
            continue;
        }
        std::ifstream in(entry.path());
        std::string rewritten;
        std::string comments;
        std::vector<std::string> verbs;
        std::string expected;
        bool in_trace = false;
        auto finish = [&] {
            if (verbs.empty()) {
                return;
            }
            std::string actual = Script().run(verbs);
            std::string body;
            for (const std::string& verb : verbs) {
                body += verb + "\n";
            }
            rewritten += comments + body + "----\n" + actual + "\n";
            if (!update) {
                EXPECT_EQ(expected, actual) << entry.path() << "\n" << comments;
            }
            ++cases;
            comments.clear();
            verbs.clear();
            expected.clear();
            in_trace = false;
        };
        for (std::string line; std::getline(in, line);) {
            if (line.starts_with("#")) {
                finish();
                comments += line + "\n";
            } else if (line == "----") {
                in_trace = true;
            } else if (!line.empty()) {
                if (in_trace) {
                    expected += line + "\n";
                } else {
                    verbs.push_back(line);
                }
            }
        }
        finish();
        if (update) {
            rewritten.pop_back();
            std::ofstream(entry.path()) << rewritten;
        }
    }
    EXPECT_GT(cases, 20u);
}

}  // namespace
}  // namespace moldau::consensus
