#include "config/config_def.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "base/assert.h"
#include "config/rules.h"
#include "config/tables.h"

namespace moldau::config {
namespace {

// Java's String.trim(): everything up to and including the space goes.
std::string_view java_trim(std::string_view text) {
    while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') {
        text.remove_prefix(1);
    }
    while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') {
        text.remove_suffix(1);
    }
    return text;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::optional<int64_t> parse_integer(std::string_view text, int64_t low, int64_t high) {
    if (!text.empty() && text.front() == '+') {
        text.remove_prefix(1);
        if (!text.empty() && text.front() == '-') {
            return std::nullopt;
        }
    }
    int64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
        return std::nullopt;
    }
    return value;
}

// Java accepts a trailing d or f, a leading sign, exponents, NaN and Infinity.
std::optional<double> parse_double(std::string_view text) {
    std::string copy(text);
    if (copy.size() > 1 && std::string_view("dDfF").contains(copy.back()) &&
        (std::isdigit(static_cast<unsigned char>(copy[copy.size() - 2])) != 0 ||
         copy[copy.size() - 2] == '.')) {
        copy.pop_back();
    }
    if (copy.empty() || std::isspace(static_cast<unsigned char>(copy.front())) != 0) {
        return std::nullopt;
    }
    char* end = nullptr;
    double value = std::strtod(copy.c_str(), &end);
    if (end != copy.c_str() + copy.size()) {
        return std::nullopt;
    }
    return value;
}

template <typename T>
Result<ConfigValue> number_or_fail(const ConfigKey& key, std::string_view text,
                                   std::optional<T> number) {
    if (!number) {
        return invalid_value(key.name, text,
                             fmt::format("Not a number of type {}", type_name(key.type)));
    }
    return ConfigValue(*number);
}

// Java's Double.toString: plain digits from 10^-3 to 10^7, else d.dddE±n.
std::string format_double(double value) {
    if (std::isnan(value)) {
        return "NaN";
    }
    if (std::isinf(value)) {
        return value < 0 ? "-Infinity" : "Infinity";
    }
    double magnitude = std::fabs(value);
    bool plain = magnitude == 0 || (magnitude >= 1e-3 && magnitude < 1e7);
    char buffer[64];
    auto style = plain ? std::chars_format::fixed : std::chars_format::scientific;
    auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value, style);
    std::string text(buffer, end);
    if (plain) {
        return text.contains('.') ? text : text + ".0";
    }
    size_t e = text.find('e');
    std::string mantissa = text.substr(0, e);
    if (!mantissa.contains('.')) {
        mantissa += ".0";
    }
    int exponent = std::atoi(text.c_str() + e + 1);
    return fmt::format("{}E{}", mantissa, exponent);
}

size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string_view type_name(ConfigType type) {
    switch (type) {
        case ConfigType::Boolean:
            return "BOOLEAN";
        case ConfigType::String:
            return "STRING";
        case ConfigType::Int:
            return "INT";
        case ConfigType::Short:
            return "SHORT";
        case ConfigType::Long:
            return "LONG";
        case ConfigType::Double:
            return "DOUBLE";
        case ConfigType::List:
            return "LIST";
        case ConfigType::Class:
            return "CLASS";
        case ConfigType::Password:
            return "PASSWORD";
        case ConfigType::Unknown:
            break;
    }
    return "UNKNOWN";
}

ConfigDef::ConfigDef(std::span<const ConfigKey> keys) : keys_(keys) {
    MOLDAU_ASSERT(std::ranges::is_sorted(keys, {}, &ConfigKey::name));
}

const ConfigKey* ConfigDef::find(std::string_view name) const {
    auto it = std::ranges::lower_bound(keys_, name, {}, &ConfigKey::name);
    return it != keys_.end() && it->name == name ? &*it : nullptr;
}

std::string_view ConfigDef::nearest(std::string_view name) const {
    std::string_view best;
    size_t best_distance = std::max<size_t>(2, name.size() / 4) + 1;
    for (const ConfigKey& key : keys_) {
        if (key.internal) {
            continue;
        }
        size_t distance = edit_distance(name, key.name);
        if (distance < best_distance) {
            best = key.name;
            best_distance = distance;
        }
    }
    return best;
}

const ConfigDef& broker_config_def() {
    static const ConfigDef def(broker_keys());
    return def;
}

const ConfigDef& broker_dynamic_only_def() {
    static const ConfigDef def(broker_dynamic_only_keys());
    return def;
}

const ConfigDef& topic_config_def() {
    static const ConfigDef def(topic_keys());
    return def;
}

const ConfigDef& group_config_def() {
    static const ConfigDef def(group_keys());
    return def;
}

const ConfigDef& client_metrics_config_def() {
    static const ConfigDef def(client_metrics_keys());
    return def;
}

const ConfigDef& user_client_quota_def() {
    static const ConfigDef def(user_client_quota_keys());
    return def;
}

const ConfigDef& ip_quota_def() {
    static const ConfigDef def(ip_quota_keys());
    return def;
}

Result<ConfigValue> parse_type(const ConfigKey& key, std::optional<std::string_view> text) {
    if (!text) {
        return ConfigValue();
    }
    std::string_view trimmed = java_trim(*text);
    switch (key.type) {
        case ConfigType::Boolean:
            if (equals_ignoring_case(trimmed, "true")) {
                return ConfigValue(true);
            }
            if (equals_ignoring_case(trimmed, "false")) {
                return ConfigValue(false);
            }
            return invalid_value(key.name, *text, "Expected value to be either true or false");
        case ConfigType::Short:
            return number_or_fail(key, *text, parse_integer(trimmed, INT16_MIN, INT16_MAX));
        case ConfigType::Int:
            return number_or_fail(key, *text, parse_integer(trimmed, INT32_MIN, INT32_MAX));
        case ConfigType::Long:
            return number_or_fail(key, *text, parse_integer(trimmed, INT64_MIN, INT64_MAX));
        case ConfigType::Double:
            return number_or_fail(key, *text, parse_double(trimmed));
        case ConfigType::List:
            return ConfigValue(split_list(trimmed));
        case ConfigType::String:
        case ConfigType::Class:
        case ConfigType::Password:
        case ConfigType::Unknown:
            break;
    }
    return ConfigValue(std::string(trimmed));
}

Result<ConfigValue> parse_value(const ConfigKey& key, std::optional<std::string_view> text) {
    MOLDAU_TRY(auto value, parse_type(key, text));
    MOLDAU_CHECK(check_rule(key, value));
    return value;
}

ConfigValue default_value(const ConfigKey& key) {
    auto value = parse_type(key, key.default_value);
    MOLDAU_ASSERT(value.has_value());
    return std::move(*value);
}

std::optional<std::string> format_value(const ConfigValue& value) {
    if (std::holds_alternative<std::monostate>(value)) {
        return std::nullopt;
    }
    if (const auto* boolean = std::get_if<bool>(&value)) {
        return *boolean ? "true" : "false";
    }
    if (const auto* integer = std::get_if<int64_t>(&value)) {
        return fmt::format("{}", *integer);
    }
    if (const auto* real = std::get_if<double>(&value)) {
        return format_double(*real);
    }
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
        return fmt::format("{}", fmt::join(*list, ","));
    }
    return std::get<std::string>(value);
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> entries;
    if (text.empty()) {
        return entries;
    }
    auto is_space = [](char c) { return std::string_view(" \t\n\v\f\r").contains(c); };
    while (true) {
        size_t comma = text.find(',');
        std::string_view entry = text.substr(0, comma);
        bool first = entries.empty();
        while (!first && !entry.empty() && is_space(entry.front())) {
            entry.remove_prefix(1);
        }
        while (comma != std::string_view::npos && !entry.empty() && is_space(entry.back())) {
            entry.remove_suffix(1);
        }
        entries.emplace_back(entry);
        if (comma == std::string_view::npos) {
            return entries;
        }
        text.remove_prefix(comma + 1);
    }
}

}  // namespace moldau::config
