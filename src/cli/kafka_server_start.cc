// kafka-server-start: [-daemon] server.properties [--override property=value]*
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/option_parser.h"
#include "cli/tools.h"
#include "server/run_server.h"

namespace moldau::cli {
namespace {

using enum OptionArgument;

constexpr OptionSpec kOptions[] = {
    {.name = "override",
     .argument = Required,
     .metavar = {},
     .help = "A property that overrides the file: key=value. May be given several times.",
     .repeatable = true},
    {"daemon", None, {}, "Run in the background; output goes to kafkaServer.out in $LOG_DIR."},
    kHelpOption,
    kVersionOption,
};

constexpr std::string_view kUsage =
    "USAGE: kafka-server-start [-daemon] server.properties [--override property=value]*";

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

// Where Kafka's scripts put output: $LOG_DIR, or logs/ beside bin/.
std::string daemon_log_directory() {
    std::string directory = environment("LOG_DIR");
    if (!directory.empty()) {
        return directory;
    }
    std::string home = environment("MOLDAU_HOME");
    return home.empty() ? "logs" : home + "/logs";
}

// Continues in a child without terminal whose output goes to `directory`/kafkaServer.out. The
// parent's exit code, or nothing in the child.
std::optional<int> detach(const std::string& directory, Streams& streams) {
    ::mkdir(directory.c_str(), 0755);
    std::string path = directory + "/kafkaServer.out";
    int output = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (output < 0 || input < 0) {
        say(streams.err, "cannot write the output of the server: path={} reason={}\n", path,
            std::strerror(errno));
        return 1;
    }
    std::fflush(nullptr);
    pid_t child = ::fork();
    if (child < 0) {
        say(streams.err, "cannot start a process: reason={}\n", std::strerror(errno));
        return 1;
    }
    if (child > 0) {
        return 0;
    }
    ::setsid();
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    return std::nullopt;
}

}  // namespace

int run_kafka_server_start(Arguments arguments, Streams& streams) {
    OptionParser parser(kOptions);
    auto options = parser.parse(arguments);
    if (!options) {
        return usage_error(streams, parser, options.error().message);
    }
    if (auto code = help_or_version(streams, parser, *options, kUsage)) {
        return *code;
    }
    if (options->operands().size() != 1) {
        return usage_error(streams, parser,
                           options->operands().empty()
                               ? "the properties file is missing"
                               : fmt::format("Found non argument parameters: {}",
                                             fmt::join(options->operands().subspan(1), ",")));
    }
    server::RunOptions run;
    run.properties_file = options->operands().front();
    run.log_directory = environment("LOG_DIR");
    for (const std::string& pair : options->values("override")) {
        size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0) {
            return usage_error(streams, parser,
                               fmt::format("--override takes property=value, found '{}'", pair));
        }
        run.overrides.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    }
    if (options->has("daemon")) {
        run.log_directory = daemon_log_directory();
        if (auto code = detach(run.log_directory, streams)) {
            return *code;
        }
    }
    return server::run_server(run);
}

}  // namespace moldau::cli
