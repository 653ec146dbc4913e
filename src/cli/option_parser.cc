#include "cli/option_parser.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"

namespace moldau::cli {
namespace {

constexpr size_t kTableWidth = 80;
constexpr size_t kColumnGap = 2;
constexpr size_t kContinuationIndent = 2;

std::optional<std::string> quote_number_error(std::string_view text, std::string_view option) {
    return fmt::format("Cannot parse argument '{}' of option {}", text, option);
}

template <typename T>
Result<std::optional<T>> parse_number(const ParsedOptions& options, std::string_view name) {
    auto text = options.value(name);
    if (!text) {
        return std::optional<T>();
    }
    T number = 0;
    const char* end = text->data() + text->size();
    auto [at, error] = std::from_chars(text->data(), end, number);
    if (error != std::errc() || at != end) {
        return fail(ErrorCode::InvalidRequest, "{}", *quote_number_error(*text, name));
    }
    return std::optional<T>(number);
}

// Splits after blanks and hyphens, the places where a line may be broken.
std::vector<std::string_view> breakable_pieces(std::string_view text) {
    std::vector<std::string_view> pieces;
    size_t start = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        bool blank_ends = text[i] == ' ' && (i + 1 == text.size() || text[i + 1] != ' ');
        bool hyphen_ends = text[i] == '-' && i > start && i + 1 < text.size() && text[i + 1] != ' ';
        if (blank_ends || hyphen_ends) {
            pieces.push_back(text.substr(start, i + 1 - start));
            start = i + 1;
        }
    }
    if (start < text.size()) {
        pieces.push_back(text.substr(start));
    }
    return pieces;
}

std::vector<std::string> wrap(std::string_view text, size_t width) {
    std::vector<std::string> lines;
    std::string line;
    for (std::string_view piece : breakable_pieces(text)) {
        if (!line.empty() && line.size() + piece.size() > width) {
            line.erase(line.find_last_not_of(' ') + 1);
            lines.push_back(std::exchange(line, std::string(kContinuationIndent, ' ')));
        }
        line += piece;
    }
    lines.push_back(std::move(line));
    return lines;
}

}  // namespace

const OptionSpec& ParsedOptions::spec(std::string_view name) const {
    auto found = std::ranges::find(table_, name, &OptionSpec::name);
    MOLDAU_ASSERT(found != table_.end());
    return *found;
}

bool ParsedOptions::has(std::string_view name) const {
    spec(name);
    return given_.contains(name);
}

std::optional<std::string> ParsedOptions::value(std::string_view name) const {
    const OptionSpec& option = spec(name);
    auto given = given_.find(name);
    if (given != given_.end() && !given->second.empty()) {
        return given->second.back();
    }
    if (option.default_value.empty()) {
        return std::nullopt;
    }
    return std::string(option.default_value);
}

std::string ParsedOptions::value_or(std::string_view name, std::string_view fallback) const {
    return value(name).value_or(std::string(fallback));
}

std::vector<std::string> ParsedOptions::values(std::string_view name) const {
    const OptionSpec& option = spec(name);
    auto given = given_.find(name);
    if (given != given_.end() && !given->second.empty()) {
        return given->second;
    }
    if (option.default_value.empty()) {
        return {};
    }
    return {std::string(option.default_value)};
}

Result<std::optional<int32_t>> ParsedOptions::int32(std::string_view name) const {
    return parse_number<int32_t>(*this, name);
}

Result<std::optional<int64_t>> ParsedOptions::int64(std::string_view name) const {
    return parse_number<int64_t>(*this, name);
}

const OptionSpec* OptionParser::find(std::string_view name) const {
    auto found = std::ranges::find(table_, name, &OptionSpec::name);
    return found == table_.end() ? nullptr : &*found;
}

Result<ParsedOptions> OptionParser::parse(Arguments arguments) const {
    ParsedOptions parsed;
    parsed.table_ = table_;
    parsed.argument_count_ = arguments.size();
    bool options_ended = false;
    for (size_t i = 0; i < arguments.size(); ++i) {
        std::string_view word = arguments[i];
        if (options_ended || word.size() < 2 || word[0] != '-') {
            parsed.operands_.emplace_back(word);
            continue;
        }
        if (word == "--") {
            options_ended = true;
            continue;
        }
        bool single_dash = word[1] != '-';
        std::string_view name = word.substr(single_dash ? 1 : 2);
        std::optional<std::string_view> attached;
        if (size_t equals = name.find('='); equals != std::string_view::npos) {
            attached = name.substr(equals + 1);
            name = name.substr(0, equals);
        }
        const OptionSpec* option = find(name);
        if (option == nullptr) {
            // A cluster of unknown one-letter options is reported by its first letter.
            return fail(ErrorCode::InvalidRequest, "{} is not a recognized option",
                        single_dash ? name.substr(0, 1) : name);
        }
        std::vector<std::string>& values = parsed.given_[option->name];
        if (option->argument == OptionArgument::None) {
            if (attached) {
                return fail(ErrorCode::InvalidRequest, "Option {} does not allow an argument",
                            option->name);
            }
            continue;
        }
        if (attached) {
            values.emplace_back(*attached);
            continue;
        }
        bool more = i + 1 < arguments.size();
        if (option->argument == OptionArgument::Required) {
            if (!more) {
                return fail(ErrorCode::InvalidRequest, "Option {} requires an argument",
                            option->name);
            }
            values.push_back(arguments[++i]);
        } else if (more && !arguments[i + 1].starts_with('-')) {
            values.push_back(arguments[++i]);
        }
    }

    bool only_asks = (find("help") != nullptr && parsed.has("help")) ||
                     (find("version") != nullptr && parsed.has("version"));
    for (const auto& [name, values] : parsed.given_) {
        if (values.size() > 1 && !find(name)->repeatable) {
            return fail(ErrorCode::InvalidRequest,
                        "Found multiple arguments for option {}, but you asked for only one", name);
        }
    }
    std::vector<std::string_view> missing;
    for (const OptionSpec& option : table_) {
        if (option.required && !only_asks && !parsed.given_.contains(option.name)) {
            missing.push_back(option.name);
        }
    }
    if (!missing.empty()) {
        return fail(ErrorCode::InvalidRequest, "Missing required option(s) [{}]",
                    fmt::join(missing, ", "));
    }
    return parsed;
}

std::string OptionParser::help_table() const {
    bool any_required = std::ranges::any_of(table_, &OptionSpec::required);
    struct Row {
        std::string option;
        std::string description;
    };
    std::vector<Row> rows;
    for (const OptionSpec& option : table_) {
        Row row;
        row.option = fmt::format("{}--{}", option.required ? "* " : "", option.name);
        if (option.argument != OptionArgument::None) {
            auto [open, close] = option.argument == OptionArgument::Required ? std::pair('<', '>')
                                                                             : std::pair('[', ']');
            row.option += option.metavar.empty() ? fmt::format(" {}{}{}", open, option.type, close)
                                                 : fmt::format(" {}{}: {}{}", open, option.type,
                                                               option.metavar, close);
        }
        row.description = option.help;
        if (!option.default_value.empty()) {
            row.description += fmt::format(" (default: {})", option.default_value);
        }
        rows.push_back(std::move(row));
    }
    std::ranges::sort(rows, {}, [](const Row& row) {
        return std::string_view(row.option).substr(row.option.starts_with('*') ? 2 : 0);
    });
    std::string header = any_required ? "Option (* = required)" : "Option";
    size_t widest_option = header.size();
    size_t widest_description = std::string_view("Description").size();
    for (const Row& row : rows) {
        widest_option = std::max(widest_option, row.option.size());
        widest_description = std::max(widest_description, row.description.size());
    }
    size_t option_width = std::min((kTableWidth - kColumnGap) / 2, widest_option);
    size_t description_width =
        std::min(kTableWidth - option_width - kColumnGap, widest_description);

    std::string table;
    auto add = [&](std::string_view left, std::string_view right) {
        table += fmt::format("{:<{}}{:{}}{:<{}}\n", left, option_width, "", kColumnGap, right,
                             description_width);
    };
    add(header, "Description");
    add(std::string(header.size(), '-'), "-----------");
    for (const Row& row : rows) {
        std::vector<std::string> left = wrap(row.option, option_width);
        std::vector<std::string> right = wrap(row.description, description_width);
        for (size_t line = 0; line < std::max(left.size(), right.size()); ++line) {
            add(line < left.size() ? left[line] : "", line < right.size() ? right[line] : "");
        }
    }
    return table;
}

std::string shown(std::string_view option) {
    return fmt::format("[{}]", option);
}

std::optional<std::string> missing_required(const ParsedOptions& options,
                                            std::initializer_list<std::string_view> required) {
    for (std::string_view option : required) {
        if (!options.has(option)) {
            return fmt::format("Missing required argument \"[{}]\"", option);
        }
    }
    return std::nullopt;
}

std::optional<std::string> conflicting(const ParsedOptions& options, std::string_view used,
                                       std::initializer_list<std::string_view> invalid) {
    if (!options.has(used)) {
        return std::nullopt;
    }
    for (std::string_view option : invalid) {
        if (options.has(option)) {
            return fmt::format("Option \"[{}]\" can't be used with option \"[{}]\"", used, option);
        }
    }
    return std::nullopt;
}

std::optional<std::string> conflicting_set(const ParsedOptions& options,
                                           std::initializer_list<std::string_view> used,
                                           std::initializer_list<std::string_view> invalid,
                                           std::string_view trailing) {
    std::vector<std::string> names;
    for (std::string_view option : used) {
        if (!options.has(option)) {
            return std::nullopt;
        }
        names.push_back(shown(option));
    }
    for (std::string_view option : invalid) {
        if (options.has(option)) {
            return fmt::format("Option combination \"[{}]\" can't be used with option \"[{}]\"{}",
                               fmt::join(names, ", "), option, trailing);
        }
    }
    return std::nullopt;
}

std::optional<std::string> not_exactly_one(const ParsedOptions& options,
                                           std::initializer_list<std::string_view> choices) {
    auto present = std::ranges::count_if(choices, [&](auto name) { return options.has(name); });
    if (present == 1) {
        return std::nullopt;
    }
    std::vector<std::string> names;
    std::ranges::transform(choices, std::back_inserter(names), shown);
    return fmt::format("Exactly one of the following arguments is required: {}",
                       fmt::join(names, ", "));
}

int usage_error(Streams& streams, const OptionParser& parser, std::string_view message) {
    say(streams.err, "{}\n{}", message, parser.help_table());
    return 1;
}

std::optional<int> help_or_version(Streams& streams, const OptionParser& parser,
                                   const ParsedOptions& options, std::string_view description) {
    if (options.empty() || options.has("help")) {
        return usage_error(streams, parser, description);
    }
    if (options.has("version")) {
        say(streams.out, "{}\n", kKafkaVersion);
        return 0;
    }
    return std::nullopt;
}

Result<std::map<std::string, std::string>> parse_key_values(std::span<const std::string> pairs,
                                                            bool accept_missing_value) {
    std::map<std::string, std::string> map;
    for (const std::string& pair : pairs) {
        size_t equals = pair.find('=');
        std::string key = pair.substr(0, equals);
        std::string value = equals == std::string::npos ? "" : pair.substr(equals + 1);
        if (value.empty() && !accept_missing_value) {
            return fail(ErrorCode::InvalidRequest, "Missing value for key {}", key);
        }
        map[std::move(key)] = std::move(value);
    }
    return map;
}

}  // namespace moldau::cli
