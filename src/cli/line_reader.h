// LineReader turns lines of text into records as the console producer's reader properties ask:
// headers, key and value cut at separators, a marker for null. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/producer_core.h"

namespace moldau::cli {

class LineReader {
 public:
    // Reads parse.key, key.separator, parse.headers, headers.delimiter, headers.separator,
    // headers.key.separator, ignore.error, null.marker. Errors: separators that are equal.
    static Result<LineReader> configure(
        const std::map<std::string, std::string, std::less<>>& properties);

    // `line` without its end. Errors, in Kafka's words: "No key separator found on line number 1:
    // 'x'".
    Result<client::RecordData> read(std::string_view line);

 private:
    Result<std::optional<std::string_view>> cut(bool enabled, std::string_view line, size_t from,
                                                std::string_view at, std::string_view what) const;
    Status split_headers(std::string_view text, client::RecordData& record) const;
    bool is_null(std::string_view text) const { return null_marker_ && text == *null_marker_; }

    bool parse_key_ = false;
    bool parse_headers_ = false;
    bool ignore_error_ = false;
    std::string key_separator_ = "\t";
    std::string headers_delimiter_ = "\t";
    std::string headers_separator_ = ",";
    std::string headers_key_separator_ = ":";
    std::optional<std::string> null_marker_;
    int64_t line_number_ = 0;
};

}  // namespace moldau::cli
