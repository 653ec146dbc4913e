// run_server: a whole node from a properties file to its exit code, as kafka-server-start and
// `moldau server` run it. Blocks until SIGINT or SIGTERM has stopped the node cleanly, or until it
// failed.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace moldau::server {

struct RunOptions {
    std::string properties_file;
    // --override key=value, in order; the last one of a key counts.
    std::vector<std::pair<std::string, std::string>> overrides;
    // Also log to <directory>/server.log; empty for stdout only.
    std::string log_directory;
};

// 0 after a clean stop. Everything that keeps the node from starting is one line on stderr that
// names the cause and what to do, and 1.
int run_server(const RunOptions& options);

}  // namespace moldau::server
