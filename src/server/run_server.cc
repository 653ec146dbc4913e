#include "server/run_server.h"

#include <csignal>
#include <cstdio>
#include <future>
#include <mutex>

#include <fmt/format.h>

#include "config/properties.h"
#include "config/server_config.h"
#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/file_system.h"
#include "runtime/logging.h"
#include "runtime/signals.h"
#include "server/node.h"

namespace moldau::server {
namespace {

runtime::Logger log("kafka.Kafka$");

int refuse(std::string_view what) {
    fmt::print(stderr, "{}\n", what);
    return 1;
}

// Settles once, with the reason for the node's end: a signal, or a fault.
class EndOfRun {
 public:
    void signalled() { settle({}); }
    void failed(const Error& error) { settle(std::unexpected(error)); }
    Status wait() { return reason_.get_future().get(); }

 private:
    void settle(Status reason) {
        std::call_once(once_, [&] { reason_.set_value(std::move(reason)); });
    }

    std::once_flag once_;
    std::promise<Status> reason_;
};

// Every complaint is a line of its own; false when the node must not start.
bool print_report(const config::ConfigReport& report) {
    for (const std::string& notice : report.notices) {
        MOLDAU_LOG_INFO(log, "{}", notice);
    }
    for (const std::string& warning : report.warnings) {
        MOLDAU_LOG_WARN(log, "{}", warning);
    }
    for (const std::string& error : report.errors) {
        fmt::print(stderr, "{}\n", error);
    }
    return report.errors.empty();
}

}  // namespace

int run_server(const RunOptions& options) {
    auto properties = config::read_properties_file(options.properties_file);
    if (!properties) {
        return refuse(properties.error().message);
    }
    for (const auto& [key, value] : options.overrides) {
        (*properties)[key] = value;
    }
    runtime::configure_logging(
        {.to_stdout = true,
         .file = options.log_directory.empty() ? "" : options.log_directory + "/server.log"});
    config::ConfigReport report;
    auto config = config::ServerConfig::load(*properties, &report);
    if (!print_report(report) || !config) {
        return report.errors.empty() ? refuse(config.error().message) : 1;
    }

    EndOfRun end;
    auto node = Node::start(*config, {.files = runtime::real_file_system(),
                                      .clock = runtime::system_clock(),
                                      .entropy = runtime::system_entropy(),
                                      .on_fault = [&](const Error& error) { end.failed(error); }});
    if (!node) {
        return refuse(node.error().message);
    }
    Status reason;
    {
        runtime::SignalWatch signals((*node)->control_loop(), {SIGINT, SIGTERM},
                                     [&](int) { end.signalled(); });
        reason = end.wait();
        if (reason) {
            MOLDAU_LOG_INFO(log, "Terminating process due to signal");
        } else {
            MOLDAU_LOG_FATAL(log, "the node stops because it cannot go on: error={} reason={}",
                             reason.error().code, reason.error().message);
        }
    }
    (*node)->stop();
    return reason ? 0 : 1;
}

}  // namespace moldau::server
