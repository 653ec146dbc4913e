#include "cli/config_changes.h"

namespace moldau::cli {
namespace {

std::string trimmed(std::string_view text) {
    size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

// At commas outside brackets.
std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    int depth = 0;
    size_t start = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        depth += text[i] == '[' ? 1 : text[i] == ']' ? -1 : 0;
        if (text[i] == ',' && depth <= 0) {
            parts.push_back(text.substr(start, i - start));
            start = i + 1;
        }
    }
    parts.push_back(text.substr(start));
    return parts;
}

}  // namespace

std::optional<std::map<std::string, std::string>> parse_config_changes(std::string_view text) {
    std::map<std::string, std::string> changes;
    for (std::string_view part : split(text)) {
        size_t equals = part.find('=');
        if (equals == std::string_view::npos) {
            return std::nullopt;
        }
        std::string_view value = part.substr(equals + 1);
        size_t bracket = value.find('[');
        if (value.substr(0, bracket).find('=') != std::string_view::npos) {
            return std::nullopt;
        }
        std::string plain = trimmed(value);
        std::erase(plain, '[');
        std::erase(plain, ']');
        changes[trimmed(part.substr(0, equals))] = trimmed(plain);
    }
    return changes;
}

std::vector<std::string> parse_config_keys(std::string_view text) {
    std::vector<std::string> keys;
    for (std::string_view part : split(text)) {
        if (std::string key = trimmed(part); !key.empty()) {
            keys.push_back(std::move(key));
        }
    }
    return keys;
}

}  // namespace moldau::cli
