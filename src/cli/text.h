// Cutting up what a user typed. Pure.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

namespace moldau::cli {

// The parts between separators, empty ones too; of an empty text, one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);
// Without blanks and tabs at both ends.
std::string_view trim(std::string_view text);

// The whole text as a number that fits.
template <typename T>
std::optional<T> parse_number(std::string_view text) {
    T number{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool is_whole = error == std::errc() && end == text.data() + text.size();
    return is_whole ? std::optional(number) : std::nullopt;
}

}  // namespace moldau::cli
