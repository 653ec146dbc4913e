#include "server/run_server.h"

#include <csignal>
#include <cstdio>
#include <future>
#include <mutex>
#include <optional>
#include <stop_token>

#include <fmt/format.h>

#include "config/properties.h"
#include "config/server_config.h"
#include "runtime/clock.h"
#include "runtime/entropy.h"
#include "runtime/event_loop.h"
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
    void signalled() {
        settle({});
        signal_.request_stop();
    }
    void failed(const Error& error) { settle(std::unexpected(error)); }
    Status wait() { return reason_.get_future().get(); }
    // Asked to stop by a signal.
    std::stop_token signal() const { return signal_.get_token(); }

 private:
    void settle(Status reason) {
        std::call_once(once_, [&] { reason_.set_value(std::move(reason)); });
    }

    std::once_flag once_;
    std::promise<Status> reason_;
    std::stop_source signal_;
};

// A reader of our output that goes away is no reason to end.
void ignore_broken_pipes() {
    std::signal(SIGPIPE, SIG_IGN);
}

// As a JVM: a hangup ends the node in order, unless nohup said that it should not.
bool hangups_are_ignored() {
    struct sigaction present{};
    return sigaction(SIGHUP, nullptr, &present) == 0 && present.sa_handler == SIG_IGN;
}

Status open_log(const std::string& directory) {
    try {
        runtime::configure_logging(
            {.to_stdout = true, .file = directory.empty() ? "" : directory + "/server.log"});
    } catch (const std::exception& refused) {
        return fail(ErrorCode::KafkaStorageError, "cannot write the node's own log: {}",
                    refused.what());
    }
    return {};
}

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
    if (Status opened = open_log(options.log_directory); !opened) {
        return refuse(opened.error().message);
    }
    config::ConfigReport report;
    auto config = config::ServerConfig::load(*properties, &report);
    if (!print_report(report) || !config) {
        return report.errors.empty() ? refuse(config.error().message) : 1;
    }

    // The watch lives from before the start to after the stop, on a loop of its own: a signal
    // during the start ends it in order, and an impatient second one does not cut the stop short.
    EndOfRun end;
    ignore_broken_pipes();
    runtime::LoopThread signal_loop("signals");
    signal_loop.start();
    auto on_signal = [&](int) { end.signalled(); };
    runtime::SignalWatch signals(signal_loop, {SIGINT, SIGTERM}, on_signal);
    std::optional<runtime::SignalWatch> hangups;
    if (!hangups_are_ignored()) {
        hangups.emplace(signal_loop, std::initializer_list<int>{SIGHUP}, on_signal);
    }
    auto node = Node::start(*config, {.files = runtime::real_file_system(),
                                      .clock = runtime::system_clock(),
                                      .entropy = runtime::system_entropy(),
                                      .on_fault = [&](const Error& error) { end.failed(error); },
                                      .stop = end.signal()});
    if (!node && end.signal().stop_requested()) {
        MOLDAU_LOG_INFO(log, "Terminating process due to signal");
        return 0;
    }
    if (!node) {
        return refuse(node.error().message);
    }
    Status reason = end.wait();
    if (reason) {
        MOLDAU_LOG_INFO(log, "Terminating process due to signal");
    } else {
        MOLDAU_LOG_FATAL(log, "the node stops because it cannot go on: error={} reason={}",
                         reason.error().code, reason.error().message);
    }
    (*node)->stop();
    return reason ? 0 : 1;
}

}  // namespace moldau::server
