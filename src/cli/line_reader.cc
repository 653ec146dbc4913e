#include "cli/line_reader.h"

#include <algorithm>

namespace moldau::cli {
namespace {

bool is_true(std::string_view text) {
    size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return false;
    }
    text = text.substr(first, text.find_last_not_of(" \t") - first + 1);
    return std::ranges::equal(text, std::string_view("true"),
                              [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace

Result<LineReader> LineReader::configure(
    const std::map<std::string, std::string, std::less<>>& properties) {
    LineReader reader;
    auto text = [&](std::string_view key, std::string& target) {
        if (auto found = properties.find(key); found != properties.end()) {
            target = found->second;
        }
    };
    auto flag = [&](std::string_view key) {
        auto found = properties.find(key);
        return found != properties.end() && is_true(found->second);
    };
    reader.parse_key_ = flag("parse.key");
    reader.parse_headers_ = flag("parse.headers");
    reader.ignore_error_ = flag("ignore.error");
    text("key.separator", reader.key_separator_);
    text("headers.delimiter", reader.headers_delimiter_);
    text("headers.separator", reader.headers_separator_);
    text("headers.key.separator", reader.headers_key_separator_);
    if (auto found = properties.find("null.marker"); found != properties.end()) {
        reader.null_marker_ = found->second;
    }
    struct Pair {
        std::string_view a_name;
        std::string_view a;
        std::string_view b_name;
        std::optional<std::string_view> b;
    };
    std::optional<std::string_view> marker = reader.null_marker_;
    const Pair pairs[] = {
        {"headers.delimiter", reader.headers_delimiter_, "headers.separator",
         reader.headers_separator_},
        {"headers.delimiter", reader.headers_delimiter_, "headers.key.separator",
         reader.headers_key_separator_},
        {"headers.separator", reader.headers_separator_, "headers.key.separator",
         reader.headers_key_separator_},
        {"null.marker", reader.key_separator_, "key.separator", marker},
        {"null.marker", reader.headers_separator_, "headers.separator", marker},
        {"null.marker", reader.headers_delimiter_, "headers.delimiter", marker},
        {"null.marker", reader.headers_key_separator_, "headers.key.separator", marker},
    };
    for (const Pair& pair : pairs) {
        if (pair.b && pair.a == *pair.b) {
            return fail(ErrorCode::InvalidConfig, "{} and {} may not be equal", pair.a_name,
                        pair.b_name);
        }
    }
    return reader;
}

Result<client::RecordData> LineReader::read(std::string_view line) {
    ++line_number_;
    client::RecordData record;
    size_t from = 0;
    MOLDAU_TRY(auto headers, cut(parse_headers_, line, 0, headers_delimiter_, "headers delimiter"));
    if (headers) {
        from = headers->size() + headers_delimiter_.size();
    }
    MOLDAU_TRY(auto key, cut(parse_key_, line, from, key_separator_, "key separator"));
    if (key) {
        from += key->size() + key_separator_.size();
        if (!is_null(*key)) {
            record.key = *key;
        }
    }
    std::string_view value = line.substr(from);
    if (!is_null(value)) {
        record.value = value;
    }
    if (headers && !is_null(*headers)) {
        MOLDAU_CHECK(split_headers(*headers, record));
    }
    return record;
}

Result<std::optional<std::string_view>> LineReader::cut(bool enabled, std::string_view line,
                                                        size_t from, std::string_view at,
                                                        std::string_view what) const {
    if (!enabled) {
        return std::optional<std::string_view>();
    }
    size_t index = line.find(at, from);
    if (index == std::string_view::npos) {
        if (ignore_error_) {
            return std::optional<std::string_view>();
        }
        return fail(ErrorCode::InvalidRecord, "No {} found on line number {}: '{}'", what,
                    line_number_, line);
    }
    return std::optional<std::string_view>(line.substr(from, index - from));
}

Status LineReader::split_headers(std::string_view text, client::RecordData& record) const {
    while (true) {
        size_t end = text.find(headers_separator_);
        std::string_view pair = text.substr(0, end);
        size_t middle = pair.find(headers_key_separator_);
        if (middle == std::string_view::npos) {
            if (!ignore_error_) {
                return fail(ErrorCode::InvalidRecord,
                            "No header key separator found in pair '{}' on line number {}", pair,
                            line_number_);
            }
            record.headers.push_back({std::string(pair), std::nullopt});
        } else {
            std::string_view key = pair.substr(0, middle);
            if (is_null(key)) {
                return fail(ErrorCode::InvalidRecord,
                            "Header keys should not be equal to the null marker '{}' as they can't "
                            "be null",
                            *null_marker_);
            }
            std::string_view value = pair.substr(middle + headers_key_separator_.size());
            client::RecordHeaderData header;
            header.key = key;
            if (!is_null(value)) {
                header.value = value;
            }
            record.headers.push_back(std::move(header));
        }
        if (end == std::string_view::npos) {
            return {};
        }
        text.remove_prefix(end + headers_separator_.size());
        if (text.empty()) {
            return {};  // trailing empty parts are dropped, as by Java's split
        }
    }
}

}  // namespace moldau::cli
