#include "quorum/quorum_state_file.h"

#include <boost/json.hpp>
#include <limits>

#include "protocol/json.h"
#include "runtime/file_system.h"

namespace moldau::quorum {

namespace json = boost::json;

namespace {

Result<int32_t> number(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
    const int64_t* whole = value == nullptr ? nullptr : value->if_int64();
    if (whole == nullptr || *whole < -1 || *whole > std::numeric_limits<int32_t>::max()) {
        return fail(ErrorCode::CorruptMessage, "quorum-state has no valid number: field={}", name);
    }
    return static_cast<int32_t>(*whole);
}

}  // namespace

Result<consensus::ElectionState> parse_quorum_state(std::string_view text) {
    json::error_code error;
    json::value parsed = json::parse(json::string_view(text.data(), text.size()), error);
    if (error || !parsed.is_object()) {
        return fail(ErrorCode::CorruptMessage, "quorum-state is not a JSON object: bytes={}",
                    text.size());
    }
    const json::object& object = parsed.as_object();
    MOLDAU_TRY(int32_t data_version, number(object, "data_version"));
    if (data_version < 0 || data_version > 1) {
        return fail(ErrorCode::UnsupportedVersion,
                    "quorum-state of an unknown form: data_version={}", data_version);
    }
    MOLDAU_TRY(int32_t epoch, number(object, "leaderEpoch"));
    MOLDAU_TRY(int32_t leader, number(object, "leaderId"));
    MOLDAU_TRY(int32_t voted, number(object, "votedId"));
    consensus::ElectionState state;
    state.epoch = LeaderEpoch(std::max(epoch, 0));
    if (leader >= 0) {
        state.leader = BrokerId(leader);
    }
    if (voted >= 0) {
        state.voted = consensus::ReplicaKey{BrokerId(voted), {}};
    }
    if (data_version == 1 && voted >= 0) {
        const json::value* directory = object.if_contains("votedDirectoryId");
        if (directory == nullptr || !directory->is_string()) {
            return fail(ErrorCode::CorruptMessage,
                        "quorum-state has no valid id: field=votedDirectoryId");
        }
        MOLDAU_TRY(state.voted->directory,
                   Uuid::parse(std::string_view(directory->as_string().data(),
                                                directory->as_string().size())));
    }
    return state;
}

std::string format_quorum_state(const consensus::PersistElection& state) {
    bool with_directories = state.kraft_version >= 1;
    protocol::JsonWriter out;
    out.open_object();
    if (!with_directories) {
        out.name("clusterId");
        out.string("");
    }
    out.name("leaderId");
    out.integer(state.election.leader.value_or(kNoBroker).value());
    out.name("leaderEpoch");
    out.integer(state.election.epoch.value());
    out.name("votedId");
    out.integer(state.election.voted ? state.election.voted->id.value() : -1);
    if (with_directories) {
        out.name("votedDirectoryId");
        out.string((state.election.voted ? state.election.voted->directory : kZeroUuid).str());
    } else {
        out.name("appliedOffset");
        out.integer(0);
        out.name("currentVoters");
        out.open_array();
        for (BrokerId voter : state.voters) {
            out.open_object();
            out.name("voterId");
            out.integer(voter.value());
            out.close_object();
        }
        out.close_array();
    }
    out.name("data_version");
    out.integer(with_directories ? 1 : 0);
    out.close_object();
    return std::move(out).take();
}

Result<std::optional<consensus::ElectionState>> read_quorum_state(runtime::FileSystem& files,
                                                                  const std::string& dir) {
    std::string path = runtime::join_path(dir, kQuorumStateFile);
    Result<Bytes> content = files.read_file(path);
    if (!content) {
        if (runtime::is_missing(content.error())) {
            return std::nullopt;
        }
        return fail(content.error());
    }
    MOLDAU_TRY(consensus::ElectionState state, parse_quorum_state(content->view()));
    return state;
}

Status write_quorum_state(runtime::FileSystem& files, const std::string& dir,
                          const consensus::PersistElection& state) {
    return files.replace_file(runtime::join_path(dir, kQuorumStateFile),
                              format_quorum_state(state));
}

}  // namespace moldau::quorum
