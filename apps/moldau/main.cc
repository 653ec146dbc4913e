// The program `moldau`: the server and every tool, chosen by the name it is called by (a link named
// kafka-topics or kafka-topics.sh) or by its first argument (moldau kafka-topics ...).
#include <csignal>
#include <string>
#include <vector>

#include "cli/tool.h"

int main(int argc, char** argv) {
    // A reader that goes away (`| head -1`) or a broker that hangs up is an error value, not a
    // death.
    std::signal(SIGPIPE, SIG_IGN);
    std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    moldau::cli::Streams streams{stdin, stdout, stderr};
    int exit_code = moldau::cli::run_program(argc > 0 ? argv[0] : "moldau", arguments, streams);
    std::fflush(stdout);
    return exit_code;
}
