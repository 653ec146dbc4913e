#include "runtime/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string_view>

#include <malloc.h>
#include <unistd.h>

namespace moldau::runtime {

namespace {

constexpr std::string_view kGroups = "/sys/fs/cgroup";

std::optional<std::string> read_small_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) {
        return std::nullopt;
    }
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

// "max" and what is missing limit nothing.
int64_t limit_in(const std::optional<std::string>& content, int64_t otherwise) {
    int64_t limit = 0;
    if (!content || std::from_chars(content->data(), content->data() + content->size(), limit).ec !=
                        std::errc()) {
        return otherwise;
    }
    return std::min(limit, otherwise);
}

}  // namespace

int64_t memory_limit_bytes(
    int64_t machine_bytes,
    const std::function<std::optional<std::string>(const std::string& path)>& read) {
    int64_t limit = machine_bytes;
    std::istringstream lines(read("/proc/self/cgroup").value_or(""));
    for (std::string line; std::getline(lines, line);) {
        // "4:memory:/group" in version 1, "0::/group" in version 2
        bool is_v1 = line.find(":memory:") != std::string::npos;
        if (!is_v1 && !line.starts_with("0::")) {
            continue;
        }
        std::string group = line.substr(line.rfind(":/") + 1);
        std::string root = std::string(kGroups) + (is_v1 ? "/memory" : "");
        std::string file = is_v1 ? "/memory.limit_in_bytes" : "/memory.max";
        // Every group above has a say, too. A container may see its own as the root.
        while (true) {
            bool is_root = group.empty() || group == "/";
            limit = limit_in(read(root + (is_root ? "" : group) + file), limit);
            if (is_root) {
                break;
            }
            group.resize(group.rfind('/'));
        }
    }
    return limit;
}

int64_t memory_limit_bytes() {
    int64_t machine_bytes = int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
    return memory_limit_bytes(machine_bytes, read_small_file);
}

void return_freed_memory() {
    ::malloc_trim(0);
}

}  // namespace moldau::runtime
