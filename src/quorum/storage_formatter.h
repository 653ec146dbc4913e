// Formatting of log directories: meta.properties, bootstrap.checkpoint and, for a dynamic quorum,
// the 0-0 checkpoint with the first voters. What `kafka-storage format` does, and ./run on first
// use. meta.properties comes last in each directory: until it is there the directory counts as
// blank, so a crash in between leaves nothing half done. Free functions; any thread, files not in
// use.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "config/server_config.h"
#include "consensus/voter_set.h"

namespace moldau::runtime {
class Entropy;
class FileSystem;
}  // namespace moldau::runtime

namespace moldau::quorum {

struct FormatOptions {
    std::string cluster_id;
    BrokerId node_id{-1};
    std::set<std::string> directories;  // all log.dirs and the metadata log's
    std::string metadata_log_dir;
    std::string controller_listener = "CONTROLLER";
    bool has_static_voters = false;  // controller.quorum.voters is set
    // --standalone or --initial-controllers.
    std::optional<consensus::VoterSet> initial_voters;
    std::optional<int16_t> metadata_version;  // --release-version
    std::map<std::string, int16_t> feature_levels;
    std::vector<std::string> scram_arguments;
    bool ignore_formatted = false;
};

// Node id, directories, listener and quorum kind of a node; cluster id and the rest are the
// caller's.
FormatOptions format_options_of(const config::ServerConfig& config);

// "1@localhost:9093:<directory id>,..." Errors: InvalidConfig with Kafka's sentence.
Result<consensus::VoterSet> parse_initial_controllers(std::string_view text,
                                                      std::string_view listener);
// This node as the only voter, with a new directory id. Errors: InvalidConfig.
Result<consensus::VoterSet> standalone_voter(const config::ServerConfig& config,
                                             runtime::Entropy& entropy);

// Formats every blank directory. What there is to say is appended to `out`, in Kafka's words.
// Errors: InvalidConfig with Kafka's sentence; KafkaStorageError.
Status format_storage(runtime::FileSystem& files, const FormatOptions& options,
                      runtime::Entropy& entropy, TimestampMs now, std::string& out);

// What `kafka-storage info` prints, appended to `out`; false when it found a problem.
bool describe_storage(runtime::FileSystem& files, const std::set<std::string>& directories,
                      std::string& out);

}  // namespace moldau::quorum
