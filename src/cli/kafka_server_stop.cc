// kafka-server-stop: asks the nodes of this machine to stop, all or those of a role or id.
// As in Kafka's script, the environment's SIGNAL names another signal than TERM.
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "cli/running_servers.h"
#include "cli/tools.h"

namespace moldau::cli {
namespace {

// "TERM", "SIGTERM" or "15".
int signal_number(std::string_view name) {
    struct Named {
        std::string_view name;
        int number;
    };
    constexpr Named known[] = {{"TERM", SIGTERM}, {"INT", SIGINT},   {"KILL", SIGKILL},
                               {"HUP", SIGHUP},   {"QUIT", SIGQUIT}, {"USR1", SIGUSR1},
                               {"USR2", SIGUSR2}, {"STOP", SIGSTOP}, {"CONT", SIGCONT}};
    if (name.starts_with("SIG")) {
        name.remove_prefix(3);
    }
    for (const Named& one : known) {
        if (one.name == name) {
            return one.number;
        }
    }
    int number = std::atoi(std::string(name).c_str());
    return number > 0 ? number : SIGTERM;
}

std::optional<std::string> option(Arguments arguments, std::string_view prefix) {
    for (const std::string& word : arguments) {
        if (word.starts_with(prefix) && word.size() > prefix.size()) {
            return word.substr(prefix.size());
        }
    }
    return std::nullopt;
}

}  // namespace

int run_kafka_server_stop(Arguments arguments, Streams& streams) {
    auto role = option(arguments, "--process-role=");
    auto node_id = option(arguments, "--node-id=");
    if (role && node_id) {
        say(streams.out,
            "When both node-id and process-role are provided, the value for node-id will take "
            "precedence\n");
    }
    std::vector<RunningServer> servers = running_servers("/proc");
    if (servers.empty()) {
        say(streams.out, "No kafka server to stop\n");
        return 1;
    }
    const char* named = std::getenv("SIGNAL");
    int signal = signal_number(named == nullptr ? "TERM" : named);
    int exit_code = 0;
    for (const RunningServer& server : servers) {
        bool wanted = true;
        if (node_id) {
            wanted = server.property("node.id") == node_id;
        } else if (role) {
            wanted = server.property("process.roles") == role;
        }
        if (wanted && kill(server.pid, signal) != 0) {
            say(streams.err, "kafka-server-stop: process {} cannot be stopped: {}\n", server.pid,
                std::strerror(errno));
            exit_code = 1;
        }
    }
    return exit_code;
}

}  // namespace moldau::cli
