// quorum-state: the file in __cluster_metadata-0 that says in which epoch this replica is, who
// leads it and for whom it voted. Written before anything else that follows from it. One JSON
// object: data_version 0 under kraft.version 0, data_version 1 (with the directory of the replica
// voted for) from kraft.version 1 on. Free functions; the control loop's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "consensus/event.h"
#include "consensus/types.h"

namespace moldau::runtime {
class FileSystem;
}

namespace moldau::quorum {

inline constexpr const char* kQuorumStateFile = "quorum-state";

// Errors: CorruptMessage naming what is wrong; UnsupportedVersion for a data_version this program
// does not know.
Result<consensus::ElectionState> parse_quorum_state(std::string_view text);
std::string format_quorum_state(const consensus::PersistElection& state);

// nullopt when there is no such file.
Result<std::optional<consensus::ElectionState>> read_quorum_state(runtime::FileSystem& files,
                                                                  const std::string& dir);
// Durable when it returns; a crash leaves the old or the new state.
Status write_quorum_state(runtime::FileSystem& files, const std::string& dir,
                          const consensus::PersistElection& state);

}  // namespace moldau::quorum
