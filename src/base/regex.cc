#include "base/regex.h"

#include <optional>

#include <re2/re2.h>

namespace moldau {
namespace {

// A pattern may compile to this much: about ten thousand instructions.
constexpr int64_t kProgramBytesMax = 1 << 20;

struct Translated {
    std::string pattern;
    std::optional<RegexError> error;
};

// Java reads a bracket or && inside a class as set operations, RE2 as characters.
std::optional<RegexError> class_operation(std::string_view rest) {
    if (rest.starts_with("&&")) {
        return RegexError{true, "intersection of character classes is not available", "&&"};
    }
    if (rest.starts_with('[')) {
        return RegexError{true, "a character class inside another is not available", "["};
    }
    return std::nullopt;
}

// Walks through the pattern to find what the dialects read differently.
Translated translate(std::string_view pattern) {
    Translated translated;
    bool in_class = false;
    bool quoted = false;  // \Q...\E
    for (size_t i = 0; i < pattern.size(); ++i) {
        std::string_view rest = pattern.substr(i);
        if (rest.starts_with('\\') && rest.size() > 1) {
            quoted = quoted ? rest[1] != 'E' : rest[1] == 'Q';
            translated.pattern.append(rest.substr(0, 2));
            ++i;
            continue;
        }
        if (quoted) {
            translated.pattern += rest[0];
            continue;
        }
        if (in_class) {
            if (auto error = class_operation(rest)) {
                translated.error = std::move(error);
                return translated;
            }
            in_class = rest[0] != ']';
        } else if (rest[0] == '[') {
            in_class = true;
        } else if (rest.starts_with("(?<") && rest.size() > 3 && rest[3] != '=' && rest[3] != '!') {
            translated.pattern += "(?P<";
            i += 2;
            continue;
        }
        translated.pattern += rest[0];
    }
    return translated;
}

RegexError explain(const re2::RE2& broken) {
    std::string at = broken.error_arg();
    switch (broken.error_code()) {
        case re2::RE2::ErrorBadEscape:
            return {true, "invalid escape sequence", at};
        case re2::RE2::ErrorBadCharClass:
        case re2::RE2::ErrorBadCharRange:
            return {false, "invalid character class range", at};
        case re2::RE2::ErrorMissingBracket:
            return {false, "missing closing ]", at};
        case re2::RE2::ErrorMissingParen:
            return {false, "missing closing )", at};
        case re2::RE2::ErrorUnexpectedParen:
            return {false, "regexp/syntax: internal error", "stack underflow"};
        case re2::RE2::ErrorTrailingBackslash:
            return {false, "trailing backslash at end of expression", ""};
        case re2::RE2::ErrorRepeatArgument:
            return {false, "missing argument to repetition operator", at};
        case re2::RE2::ErrorRepeatSize:
            return {true, "invalid repeat count", at};
        case re2::RE2::ErrorRepeatOp:
            return {true, "invalid nested repetition operator", at};
        case re2::RE2::ErrorBadPerlOp:
            return {true, "invalid or unsupported Perl syntax", at};
        case re2::RE2::ErrorBadNamedCapture:
            return {false, "invalid named capture", at};
        case re2::RE2::ErrorPatternTooLarge:
            return {true, "the pattern is too large", at};
        default:
            return {false, broken.error(), at};
    }
}

}  // namespace

std::expected<Regex, RegexError> Regex::compile(std::string_view pattern) {
    Translated translated = translate(pattern);
    if (translated.error) {
        return std::unexpected(std::move(*translated.error));
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kProgramBytesMax);
    auto compiled = std::make_shared<const re2::RE2>(translated.pattern, options);
    if (!compiled->ok()) {
        return std::unexpected(explain(*compiled));
    }
    return Regex(std::move(compiled));
}

bool Regex::matches(std::string_view text) const {
    return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace moldau
