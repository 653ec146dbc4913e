#include "config/rules.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace moldau::config {
namespace {

using List = std::vector<std::string>;

std::string upper(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::toupper(c); });
    return out;
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

Status check_range(const ConfigKey& key, const ConfigValue& value) {
    if (std::holds_alternative<std::monostate>(value)) {
        return invalid_value(key.name, "null", "Value must be non-null");
    }
    const auto* integer = std::get_if<int64_t>(&value);
    double number = integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value);
    std::string shown = *format_value(value);
    if (key.min && number < *key.min) {
        return invalid_value(key.name, shown, fmt::format("Value must be at least {}", *key.min));
    }
    if (key.max && number > *key.max) {
        return invalid_value(key.name, shown,
                             fmt::format("Value must be no more than {}", *key.max));
    }
    return {};
}

Status check_gzip_level(const ConfigKey& key, const ConfigValue& value) {
    int64_t level = std::get<int64_t>(value);
    if (level == -1 || (level >= 1 && level <= 9)) {
        return {};
    }
    return invalid_value(key.name, fmt::format("{}", level),
                         "Value must be between 1 and 9 or equal to -1");
}

Status check_word(const ConfigKey& key, const std::string* word) {
    if (word != nullptr && contains(key.words, std::string_view(*word))) {
        return {};
    }
    return invalid_value(key.name, word != nullptr ? *word : "null",
                         fmt::format("String must be one of: {}", fmt::join(key.words, ", ")));
}

Status check_word_ignoring_case(const ConfigKey& key, const std::string* word) {
    if (word != nullptr && std::ranges::any_of(key.words, [&](std::string_view known) {
            return upper(known) == upper(*word);
        })) {
        return {};
    }
    return invalid_value(
        key.name, word != nullptr ? *word : "null",
        fmt::format("String must be one of (case insensitive): {}", fmt::join(key.words, ", ")));
}

Status check_list(const ConfigKey& key, const List* entries) {
    if (entries == nullptr) {
        if (key.null_allowed) {
            return {};
        }
        return fail(ErrorCode::InvalidConfig, "Configuration '{}' values must not be null.",
                    key.name);
    }
    if (entries->empty() && !key.empty_allowed) {
        std::string known = key.words.empty() ? "any non-empty value"
                                              : fmt::format("[{}]", fmt::join(key.words, ", "));
        return fail(ErrorCode::InvalidConfig,
                    "Configuration '{}' must not be empty. Valid values include: {}", key.name,
                    known);
    }
    if (std::set<std::string_view>(entries->begin(), entries->end()).size() != entries->size()) {
        return fail(ErrorCode::InvalidConfig, "Configuration '{}' values must not be duplicated.",
                    key.name);
    }
    for (const std::string& entry : *entries) {
        if (entry.empty()) {
            return fail(ErrorCode::InvalidConfig, "Configuration '{}' values must not be empty.",
                        key.name);
        }
        if (!key.words.empty()) {
            MOLDAU_CHECK(check_word(key, &entry));
        }
    }
    return {};
}

// "*" alone, or each entry empty or {partition}:{broker}.
Status check_throttled_replicas(const ConfigKey& key, const List& entries) {
    auto is_replica = [](const std::string& entry) {
        size_t colon = entry.find(':');
        return entry.empty() || (colon != std::string::npos &&
                                 all_digits(std::string_view(entry).substr(0, colon)) &&
                                 all_digits(std::string_view(entry).substr(colon + 1)));
    };
    if (std::ranges::all_of(entries, is_replica) ||
        fmt::format("{}", fmt::join(entries, "")) == "*") {
        return {};
    }
    return invalid_value(key.name, java_list(entries),
                         fmt::format("{} must be the literal '*' or a list of replicas in the "
                                     "following format: {}",
                                     key.name, key.valid_values));
}

// PnDTnHnMn.nS, at least one part, not negative.
bool is_duration(std::string_view text) {
    if (!text.starts_with('P') || text.size() < 3) {
        return false;
    }
    std::string_view units = "D";
    bool in_time = false;
    bool any = false;
    size_t i = 1;
    while (i < text.size()) {
        if (text[i] == 'T' && !in_time) {
            in_time = true;
            any = false;
            units = "HMS";
            ++i;
            continue;
        }
        size_t end = text.find_first_not_of("0123456789.", i);
        if (end == std::string_view::npos || end == i) {
            return false;
        }
        std::string_view digits = text.substr(i, end - i);
        size_t unit = units.find(text[end]);
        bool whole = all_digits(digits);
        bool fraction =
            text[end] == 'S' && std::ranges::count(digits, '.') == 1 && digits.front() != '.';
        if (unit == std::string_view::npos || (!whole && !fraction)) {
            return false;
        }
        units.remove_prefix(unit + 1);
        any = true;
        i = end + 1;
    }
    return any;
}

Status check_share_reset(const ConfigKey& key, const std::string& word) {
    constexpr std::string_view kByDuration = "by_duration:";
    std::string upper_word = upper(word);
    if (upper_word == "LATEST" || upper_word == "EARLIEST" ||
        (upper_word.starts_with(upper(kByDuration)) &&
         is_duration(std::string_view(upper_word).substr(kByDuration.size())))) {
        return {};
    }
    return invalid_value(
        key.name, word,
        fmt::format("Invalid value `{}` for configuration {}. The value must be either 'earliest', "
                    "'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
                    word, key.name));
}

}  // namespace

std::unexpected<Error> invalid_value(std::string_view name, std::string_view value,
                                     std::string_view why) {
    return fail(ErrorCode::InvalidConfig, "Invalid value {} for configuration {}: {}", value, name,
                why);
}

std::string java_list(const List& entries) {
    return fmt::format("[{}]", fmt::join(entries, ", "));
}

Status check_rule(const ConfigKey& key, const ConfigValue& value) {
    const auto* word = std::get_if<std::string>(&value);
    const auto* list = std::get_if<List>(&value);
    switch (key.rule) {
        case Rule::None:
            return {};
        case Rule::Range:
            return check_range(key, value);
        case Rule::GzipLevel:
            return check_gzip_level(key, value);
        case Rule::OneOf:
            return check_word(key, word);
        case Rule::OneOfIgnoringCase:
            return check_word_ignoring_case(key, word);
        case Rule::NonNull:
            if (word == nullptr) {
                return invalid_value(key.name, "null", "entry must be non null");
            }
            return {};
        case Rule::NonEmpty:
            if (word != nullptr && word->empty()) {
                return invalid_value(key.name, "", "String must be non-empty");
            }
            return {};
        case Rule::ListOf:
            return check_list(key, list);
        case Rule::QuorumVoters: {
            MOLDAU_TRY(auto voters, parse_voters(*list));
            return {};
        }
        case Rule::BootstrapServers: {
            MOLDAU_TRY(auto servers, parse_bootstrap_servers(*list));
            return {};
        }
        case Rule::ThrottledReplicas:
            return check_throttled_replicas(key, *list);
        case Rule::ShareAutoOffsetReset:
            return check_share_reset(key, *word);
    }
    return {};
}

bool is_valid_host(std::string_view host) {
    return std::ranges::all_of(host, [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("-%._:").contains(static_cast<char>(c));
    });
}

std::optional<ParsedAddress> parse_address(std::string_view text) {
    size_t scheme = text.find("://");
    if (scheme != std::string_view::npos && is_valid_host(text.substr(0, scheme)) &&
        !text.substr(0, scheme).contains(':')) {
        text.remove_prefix(scheme + 3);
    }
    size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    std::string_view port = text.substr(colon + 1);
    if (host.starts_with('[')) {
        host.remove_prefix(1);
    }
    if (host.ends_with(']')) {
        host.remove_suffix(1);
    }
    ParsedAddress address{std::string(host), 0};
    auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    bool whole = error == std::errc() && end == port.data() + port.size();
    if (!all_digits(port) || !whole || !is_valid_host(host)) {
        return std::nullopt;
    }
    return address;
}

Result<std::map<int32_t, ParsedAddress>> parse_voters(const List& entries) {
    constexpr std::string_view kName = "controller.quorum.voters";
    constexpr std::string_view kForm = "Each entry should be in the form `{id}@{host}:{port}`.";
    std::map<int32_t, ParsedAddress> voters;
    for (const std::string& entry : entries) {
        size_t at = entry.find('@');
        bool one_at = at != std::string::npos && entry.find('@', at + 1) == std::string::npos;
        if (!one_at || at + 1 == entry.size()) {
            return fail(ErrorCode::InvalidConfig, "Invalid configuration value for {}. {}", kName,
                        kForm);
        }
        std::string_view id_text = std::string_view(entry).substr(0, at);
        int32_t id = 0;
        auto [end, error] = std::from_chars(id_text.data(), id_text.data() + id_text.size(), id);
        if (error != std::errc() || end != id_text.data() + id_text.size()) {
            return fail(ErrorCode::InvalidConfig, "Failed to parse voter ID as an integer from {}",
                        id_text);
        }
        auto address = parse_address(std::string_view(entry).substr(at + 1));
        if (!address) {
            return fail(ErrorCode::InvalidConfig,
                        "Failed to parse host name from entry {} for the configuration {}. {}",
                        entry, kName, kForm);
        }
        voters.insert_or_assign(id, std::move(*address));
    }
    return voters;
}

Result<std::vector<ParsedAddress>> parse_bootstrap_servers(const List& entries) {
    std::vector<ParsedAddress> servers;
    for (const std::string& entry : entries) {
        auto address = parse_address(entry);
        if (!address) {
            return fail(ErrorCode::InvalidConfig,
                        "Failed to parse host name from {} for the configuration "
                        "controller.quorum.bootstrap.servers. Each entry should be in the form "
                        "\"{{host}}:{{port}}\"",
                        entry);
        }
        servers.push_back(std::move(*address));
    }
    return servers;
}

}  // namespace moldau::config
