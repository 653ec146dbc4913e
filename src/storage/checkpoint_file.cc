#include "storage/checkpoint_file.h"

#include <charconv>

#include "runtime/file_system.h"

namespace moldau::storage {

namespace {

std::optional<int64_t> parse_number(std::string_view text) {
    int64_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

std::unexpected<Error> malformed(std::string_view path, std::string_view what) {
    return fail(ErrorCode::KafkaStorageError, "malformed checkpoint file: {} path={}", what, path);
}

}  // namespace

Result<std::vector<std::string_view>> parse_checkpoint_lines(std::string_view path,
                                                             std::string_view content) {
    std::vector<std::string_view> lines;
    while (!content.empty()) {
        size_t end = content.find('\n');
        std::string_view line = content.substr(0, end);
        content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
        if (!line.empty() && line.back() == '\r') {
            line.remove_suffix(1);
        }
        lines.push_back(line);
    }
    // Kafka reads an empty file as an empty checkpoint: it appears after a crash on some file
    // systems.
    if (lines.empty()) {
        return lines;
    }
    auto version = parse_number(lines[0]);
    if (!version || *version != 0) {
        return fail(ErrorCode::KafkaStorageError,
                    "unrecognised version of a checkpoint file: version={} path={}", lines[0],
                    path);
    }
    if (lines.size() < 2) {
        return std::vector<std::string_view>();
    }
    auto count = parse_number(lines[1]);
    if (!count || *count < 0) {
        return malformed(path, "no entry count on line 2");
    }
    lines.erase(lines.begin(), lines.begin() + 2);
    if (static_cast<int64_t>(lines.size()) != *count) {
        return fail(ErrorCode::KafkaStorageError,
                    "wrong entry count in a checkpoint file: expected={} found={} path={}", *count,
                    lines.size(), path);
    }
    return lines;
}

Result<OffsetCheckpoint> read_offset_checkpoint(runtime::FileSystem& files,
                                                const std::string& path) {
    auto content = files.read_file(path);
    if (!content) {
        if (runtime::is_missing(content.error())) {
            return OffsetCheckpoint();
        }
        return fail(content.error());
    }
    MOLDAU_TRY(auto lines, parse_checkpoint_lines(path, content->view()));
    OffsetCheckpoint offsets;
    for (std::string_view line : lines) {
        size_t first = line.find(' ');
        size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
        if (second == std::string_view::npos) {
            return malformed(path, "line is not `topic partition offset`");
        }
        auto partition = parse_number(line.substr(first + 1, second - first - 1));
        auto offset = parse_number(line.substr(second + 1));
        if (!partition || !offset || *partition < 0 || *partition > INT32_MAX) {
            return malformed(path, "line is not `topic partition offset`");
        }
        offsets[{std::string(line.substr(0, first)), static_cast<int32_t>(*partition)}] =
            Offset(*offset);
    }
    return offsets;
}

Status write_offset_checkpoint(runtime::FileSystem& files, const std::string& path,
                               const OffsetCheckpoint& offsets) {
    std::string content = fmt::format("0\n{}\n", offsets.size());
    for (const auto& [partition, offset] : offsets) {
        fmt::format_to(std::back_inserter(content), "{} {} {}\n", partition.topic,
                       partition.partition, offset);
    }
    return files.replace_file(path, content);
}

}  // namespace moldau::storage
