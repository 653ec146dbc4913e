#include "runtime/logging.h"

#include <algorithm>
#include <map>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/mutex.h"

namespace moldau::runtime {

namespace {

struct Registry {
    Mutex mutex;
    Logger* first GUARDED_BY(mutex) = nullptr;
    // Levels asked for by name, applied to loggers that are made later too.
    std::vector<LoggerLevel> levels GUARDED_BY(mutex);
    std::vector<spdlog::sink_ptr> sinks GUARDED_BY(mutex);
    bool configured GUARDED_BY(mutex) = false;
};

Registry& registry() {
    static auto* registry = new Registry;  // outlives every logger, also during exit
    return *registry;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
    return static_cast<spdlog::level::level_enum>(level);
}

// Kafka's layout needs "WARN", not spdlog's "warning".
class LevelFlag final : public spdlog::custom_flag_formatter {
 public:
    void format(const spdlog::details::log_msg& message, const std::tm&,
                spdlog::memory_buf_t& out) override {
        std::string_view name = to_string(static_cast<LogLevel>(message.level));
        out.append(name.data(), name.data() + name.size());
    }
    std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<LevelFlag>();
    }
};

void set_layout(spdlog::sinks::sink& sink) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    formatter->add_flag<LevelFlag>('*').set_pattern("[%Y-%m-%d %H:%M:%S,%e] %* %v (%n)");
    sink.set_formatter(std::move(formatter));
    sink.set_level(spdlog::level::trace);
}

bool covers(std::string_view parent, std::string_view name) {
    return parent == "root" || name == parent ||
           (name.starts_with(parent) && name[parent.size()] == '.');
}

}  // namespace

Logger::Logger(const char* name) : name_(name), level_(LogLevel::Info) {
    Registry& all = registry();
    MutexLock lock(all.mutex);
    if (!all.configured) {
        level_ = LogLevel::Warn;
    }
    for (const LoggerLevel& wish : all.levels) {
        if (covers(wish.name, name)) {
            level_ = wish.level;
        }
    }
    next_ = std::exchange(all.first, this);
}

void Logger::write(LogLevel level, std::string_view message) const {
    Registry& all = registry();
    MutexLock lock(all.mutex);
    if (all.sinks.empty()) {
        all.sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
        set_layout(*all.sinks.back());
    }
    spdlog::details::log_msg line(spdlog::string_view_t(name_), spdlog_level(level),
                                  spdlog::string_view_t(message.data(), message.size()));
    for (const spdlog::sink_ptr& sink : all.sinks) {
        // A full disk costs the line, not the node.
        try {
            sink->log(line);
            sink->flush();
        } catch (const spdlog::spdlog_ex&) {
            continue;
        }
    }
}

void configure_logging(const LoggingOptions& options) {
    std::vector<spdlog::sink_ptr> sinks;
    if (options.to_stdout) {
        sinks.push_back(std::make_shared<spdlog::sinks::stdout_sink_mt>());
    }
    if (!options.file.empty()) {
        sinks.push_back(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file));
    }
    if (sinks.empty()) {
        sinks.push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    }
    for (const spdlog::sink_ptr& sink : sinks) {
        set_layout(*sink);
    }
    {
        Registry& all = registry();
        MutexLock lock(all.mutex);
        all.sinks = std::move(sinks);
        all.configured = true;
    }
    set_log_level("root", options.root_level);
}

void set_log_level(std::string_view logger, LogLevel level) {
    Registry& all = registry();
    MutexLock lock(all.mutex);
    std::erase_if(all.levels, [&](const LoggerLevel& wish) { return covers(logger, wish.name); });
    all.levels.push_back({std::string(logger), level});
    for (Logger* each = all.first; each != nullptr; each = each->next_) {
        if (covers(logger, each->name_)) {
            each->set_level(level);
        }
    }
}

std::vector<LoggerLevel> logger_levels() {
    Registry& all = registry();
    MutexLock lock(all.mutex);
    std::map<std::string, LogLevel> levels{{"root", LogLevel::Info}};
    for (const LoggerLevel& wish : all.levels) {
        if (wish.name == "root") {
            levels["root"] = wish.level;
        }
    }
    for (const Logger* each = all.first; each != nullptr; each = each->next_) {
        levels.emplace(each->name_, each->level());
    }
    std::vector<LoggerLevel> result;
    for (const auto& [name, level] : levels) {
        result.push_back({name, level});
    }
    return result;
}

std::string_view to_string(LogLevel level) {
    switch (level) {
        case LogLevel::Trace:
            return "TRACE";
        case LogLevel::Debug:
            return "DEBUG";
        case LogLevel::Info:
            return "INFO";
        case LogLevel::Warn:
            return "WARN";
        case LogLevel::Error:
            return "ERROR";
        case LogLevel::Fatal:
            return "FATAL";
        case LogLevel::Off:
            return "OFF";
    }
    return "OFF";
}

}  // namespace moldau::runtime
