#include "cli/tool_log.h"

#include <chrono>
#include <ctime>

#include "base/time.h"

namespace moldau::cli {
namespace {

void log(Streams& streams, std::string_view level, std::string_view logger,
         std::string_view message) {
    auto now = std::chrono::system_clock::now();
    std::time_t second = std::chrono::system_clock::to_time_t(now);
    auto ms = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
    std::tm local{};
    localtime_r(&second, &local);
    say(streams.err, "[{:04}-{:02}-{:02} {:02}:{:02}:{:02},{:03}] {} {} ({})\n",
        local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min,
        local.tm_sec, ms, level, message, logger);
}

}  // namespace

void log_error(Streams& streams, std::string_view logger, std::string_view message) {
    log(streams, "ERROR", logger, message);
}

void log_warn(Streams& streams, std::string_view logger, std::string_view message) {
    log(streams, "WARN", logger, message);
}

std::string java_error(const Error& error) {
    return fmt::format("org.apache.kafka.common.errors.{}: {}", error_exception(error.code),
                       error.message);
}

}  // namespace moldau::cli
