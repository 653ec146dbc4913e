// Logging in Kafka's layout: [2024-10-25 00:33:01,123] INFO message (logger)
//
//   static runtime::Logger log("kafka.server.ReplicaManager");
//   MOLDAU_LOG_INFO(log, "Stopping removal: partition={}", name);
//
// ERROR: data or availability is at risk. WARN: recovered, yet unexpected. INFO: a state changed.
// DEBUG: why. Arguments are evaluated only when the level is on. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace moldau::runtime {

enum class LogLevel : uint8_t { Trace, Debug, Info, Warn, Error, Fatal, Off };

struct LoggerLevel;

// One named source of lines. Make them static: a logger must live as long as the process.
class Logger {
 public:
    explicit Logger(const char* name);
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;

    const char* name() const { return name_; }
    bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
    LogLevel level() const { return level_.load(std::memory_order_relaxed); }
    void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

    void write(LogLevel level, std::string_view message) const;
    template <typename... Args>
    void write(LogLevel level, fmt::format_string<Args...> format, Args&&... args) const {
        write(level, std::string_view(fmt::format(format, std::forward<Args>(args)...)));
    }

 private:
    friend void set_log_level(std::string_view, LogLevel);
    friend std::vector<LoggerLevel> logger_levels();
    const char* name_;
    std::atomic<LogLevel> level_;
    Logger* next_;
};

struct LoggingOptions {
    bool to_stdout = true;
    // Appended to when not empty; its directory is created.
    std::string file;
    LogLevel root_level = LogLevel::Info;
};

// Chooses where lines go; may be called again. Until then lines of WARN and above go to stderr.
void configure_logging(const LoggingOptions& options);
// Sets the level of one logger and those below it (dotted names), or of all for "root".
void set_log_level(std::string_view logger, LogLevel level);
struct LoggerLevel {
    std::string name;
    LogLevel level;
};
// "root" and every logger of the process with its present level, in name order.
std::vector<LoggerLevel> logger_levels();
std::string_view to_string(LogLevel level);

}  // namespace moldau::runtime

#define MOLDAU_LOG_(logger, level, ...)         \
    do {                                        \
        if ((logger).enabled(level)) {          \
            (logger).write(level, __VA_ARGS__); \
        }                                       \
    } while (false)
#define MOLDAU_LOG_TRACE(logger, ...) \
    MOLDAU_LOG_(logger, ::moldau::runtime::LogLevel::Trace, __VA_ARGS__)
#define MOLDAU_LOG_DEBUG(logger, ...) \
    MOLDAU_LOG_(logger, ::moldau::runtime::LogLevel::Debug, __VA_ARGS__)
#define MOLDAU_LOG_INFO(logger, ...) \
    MOLDAU_LOG_(logger, ::moldau::runtime::LogLevel::Info, __VA_ARGS__)
#define MOLDAU_LOG_WARN(logger, ...) \
    MOLDAU_LOG_(logger, ::moldau::runtime::LogLevel::Warn, __VA_ARGS__)
#define MOLDAU_LOG_ERROR(logger, ...) \
    MOLDAU_LOG_(logger, ::moldau::runtime::LogLevel::Error, __VA_ARGS__)
#define MOLDAU_LOG_FATAL(logger, ...) \
    MOLDAU_LOG_(logger, ::moldau::runtime::LogLevel::Fatal, __VA_ARGS__)
