#include "storage/meta_properties.h"

#include <charconv>
#include <ctime>

#include "config/properties.h"
#include "runtime/file_system.h"

namespace moldau::storage {

namespace {

std::unexpected<Error> unreadable(std::string_view key, std::string_view value) {
    return fail(ErrorCode::InvalidConfig, "Unable to read {} as a base-10 number: {}", key, value);
}

std::optional<int32_t> parse_int(std::string_view text) {
    int32_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

// `Sat Nov 21 16:43:57 UTC 2026`, local time, as java.util.Date shows it.
std::string java_date(TimestampMs now) {
    std::time_t second = now / 1000;
    std::tm local{};
    localtime_r(&second, &local);
    char text[64];
    size_t length = std::strftime(text, sizeof text, "%a %b %d %H:%M:%S %Z %Y", &local);
    return {text, length};
}

}  // namespace

Result<MetaProperties> MetaProperties::parse(std::string_view text) {
    MOLDAU_TRY(auto entries, config::parse_properties(text));
    auto find = [&](std::string_view key) -> std::optional<std::string> {
        auto found = entries.find(key);
        return found == entries.end() ? std::nullopt : std::optional(found->second);
    };
    MetaProperties properties;
    properties.version = 0;
    if (auto version = find("version")) {
        auto number = parse_int(*version);
        if (!number) {
            return fail(ErrorCode::InvalidConfig, "Invalid meta.properties version string '{}'",
                        *version);
        }
        if (*number != 0 && *number != 1) {
            return fail(ErrorCode::InvalidConfig, "Unknown meta.properties version number {}",
                        *number);
        }
        properties.version = *number;
    }
    std::string_view node_key = properties.version == 0 ? "broker.id" : "node.id";
    if (auto node = find(node_key)) {
        auto number = parse_int(*node);
        if (!number) {
            return unreadable(node_key, *node);
        }
        properties.node_id = BrokerId(*number);
    } else if (properties.version == 1) {
        return fail(ErrorCode::InvalidConfig, "Failed to find {}", node_key);
    }
    properties.cluster_id = find("cluster.id");
    if (auto directory = find("directory.id")) {
        auto id = Uuid::parse(*directory);
        if (!id) {
            return fail(ErrorCode::InvalidConfig, "Unable to read directory.id as a Uuid: {}",
                        *directory);
        }
        properties.directory_id = *id;
    }
    return properties;
}

std::vector<std::pair<std::string, std::string>> MetaProperties::entries() const {
    std::vector<std::pair<std::string, std::string>> entries;
    if (node_id) {
        entries.emplace_back(version == 0 ? "broker.id" : "node.id", fmt::format("{}", *node_id));
    }
    if (directory_id) {
        entries.emplace_back("directory.id", directory_id->str());
    }
    entries.emplace_back("version", std::to_string(version));
    if (cluster_id) {
        entries.emplace_back("cluster.id", *cluster_id);
    }
    return entries;
}

std::string MetaProperties::str(TimestampMs now) const {
    std::string text = fmt::format("#\n#{}\n", java_date(now));
    for (const auto& entry : entries()) {
        text += config::format_properties({entry});
    }
    return text;
}

std::string MetaProperties::describe() const {
    std::string text = fmt::format("MetaProperties(version={}", version);
    if (cluster_id) {
        text += ", clusterId=" + *cluster_id;
    }
    if (node_id) {
        text += fmt::format(", nodeId={}", *node_id);
    }
    if (directory_id) {
        text += ", directoryId=" + directory_id->str();
    }
    return text + ")";
}

Result<std::optional<MetaProperties>> read_meta_properties(runtime::FileSystem& files,
                                                           const std::string& dir) {
    auto content = files.read_file(runtime::join_path(dir, kMetaProperties));
    if (!content) {
        if (runtime::is_missing(content.error())) {
            return std::nullopt;
        }
        return fail(content.error());
    }
    MOLDAU_TRY(auto properties, MetaProperties::parse(content->view()));
    return properties;
}

Status write_meta_properties(runtime::FileSystem& files, const std::string& dir,
                             const MetaProperties& properties, TimestampMs now) {
    return files.replace_file(runtime::join_path(dir, kMetaProperties), properties.str(now));
}

}  // namespace moldau::storage
