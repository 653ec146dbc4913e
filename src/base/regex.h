// Regex: a regular expression from outside, matched in time linear in the text (RE2), whatever the
// pattern. It takes what Java's patterns and RE2's have in common, and says so where a pattern uses
// more, instead of giving it another meaning. Any thread; copies share the compiled pattern.
//
// `(?<name>` is Java's way to name a group and is taken. Not available, as they need more than
// linear time or mean something else to RE2: look-around, back-references, possessive quantifiers,
// classes inside classes and their intersections.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace moldau {

struct RegexError {
    // Java might take the pattern; else it is wrong in any dialect.
    bool unsupported = false;
    // In the words of Kafka's own RE2 library: "missing closing ]", "invalid escape sequence".
    std::string message;
    std::string at;  // the part of the pattern that is wrong
};

class Regex {
 public:
    static std::expected<Regex, RegexError> compile(std::string_view pattern);

    // Whether the whole text matches.
    bool matches(std::string_view text) const;

 private:
    explicit Regex(std::shared_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}

    std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace moldau
