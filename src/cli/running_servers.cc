#include "cli/running_servers.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include "cli/tool.h"
#include "config/properties.h"

namespace moldau::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStartTool = "kafka-server-start";

std::string_view tool_name(std::string_view word) {
    word = word.substr(word.find_last_of('/') + 1);
    return word.ends_with(".sh") ? word.substr(0, word.size() - 3) : word;
}

std::vector<std::string> words_of(const fs::path& cmdline) {
    std::ifstream file(cmdline, std::ios::binary);
    std::vector<std::string> words;
    for (std::string word; std::getline(file, word, '\0');) {
        words.push_back(std::move(word));
    }
    return words;
}

}  // namespace

std::optional<std::string> RunningServer::property(std::string_view key) const {
    for (auto pair = overrides.rbegin(); pair != overrides.rend(); ++pair) {
        if (pair->first == key) {
            return pair->second;
        }
    }
    auto properties = config::read_properties_file(properties_file);
    if (!properties) {
        return std::nullopt;
    }
    auto found = properties->find(key);
    return found == properties->end() ? std::nullopt : std::optional(found->second);
}

std::optional<RunningServer> server_of_command_line(const std::vector<std::string>& words,
                                                    const std::string& directory) {
    size_t first = 0;
    if (!words.empty() && tool_name(words[0]) == kStartTool) {
        first = 1;
    } else if (words.size() > 1 && tool_name(words[0]) == "moldau" &&
               tool_name(words[1]) == kStartTool) {
        first = 2;
    } else {
        return std::nullopt;
    }
    RunningServer server;
    for (size_t i = first; i < words.size(); ++i) {
        std::string_view word = words[i];
        if (word == "-daemon") {
            continue;
        }
        std::string_view pair;
        if (word == "--override" && i + 1 < words.size()) {
            pair = words[++i];
        } else if (word.starts_with("--override=")) {
            pair = word.substr(word.find('=') + 1);
        } else {
            if (server.properties_file.empty() && !word.starts_with('-')) {
                server.properties_file = (fs::path(directory) / word).lexically_normal();
            }
            continue;
        }
        size_t equals = pair.find('=');
        server.overrides.emplace_back(pair.substr(0, equals), equals == std::string_view::npos
                                                                  ? ""
                                                                  : pair.substr(equals + 1));
    }
    return server.properties_file.empty() ? std::nullopt : std::optional(std::move(server));
}

std::vector<RunningServer> running_servers(const std::string& proc) {
    std::vector<RunningServer> servers;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(proc, ignored)) {
        std::string name = entry.path().filename();
        int pid = 0;
        auto [at, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error != std::errc() || at != name.data() + name.size() || pid == getpid()) {
            continue;
        }
        fs::path directory = fs::read_symlink(entry.path() / "cwd", ignored);
        if (auto server = server_of_command_line(words_of(entry.path() / "cmdline"), directory)) {
            server->pid = pid;
            servers.push_back(std::move(*server));
        }
    }
    return servers;
}

}  // namespace moldau::cli
