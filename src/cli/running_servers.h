// The Moldau nodes that run on this machine, read from /proc: what kafka-server-stop signals.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moldau::cli {

struct RunningServer {
    int pid = 0;
    std::string properties_file;  // absolute
    std::vector<std::pair<std::string, std::string>> overrides;

    // From the command line's overrides, else from the properties file; nothing when it is in
    // neither or the file is gone.
    std::optional<std::string> property(std::string_view key) const;
};

// What a command line says, when it is one that starts a node: kafka-server-start by name of the
// program or as its first argument. A wrapper script does not count: its first word is the shell.
// `directory` resolves a relative properties file.
std::optional<RunningServer> server_of_command_line(const std::vector<std::string>& words,
                                                    const std::string& directory);

// All that `proc` ("/proc") lists, this process left out.
std::vector<RunningServer> running_servers(const std::string& proc);

}  // namespace moldau::cli
