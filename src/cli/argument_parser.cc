#include "cli/argument_parser.h"

#include <algorithm>

#include "base/assert.h"

namespace moldau::cli {
namespace {

constexpr size_t kUsageWidth = 75;
constexpr size_t kHelpColumn = 25;

std::string metavar_of(const ArgumentSpec& argument) {
    if (!argument.metavar.empty()) {
        return std::string(argument.metavar);
    }
    if (argument.kind == ArgumentKind::Positional) {
        return std::string(argument.flag);
    }
    std::string name(argument.flag.substr(argument.flag.find_first_not_of('-')));
    for (char& c : name) {
        c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return name;
}

// "--cluster-id CLUSTER_ID"
std::string form(const ArgumentSpec& argument, std::string_view flag) {
    switch (argument.kind) {
        case ArgumentKind::Flag:
            return std::string(flag);
        case ArgumentKind::Positional:
            return metavar_of(argument);
        case ArgumentKind::Values:
            return fmt::format("{} {} [{} ...]", flag, metavar_of(argument), metavar_of(argument));
        case ArgumentKind::Value:
        case ArgumentKind::Append:
            break;
    }
    return fmt::format("{} {}", flag, metavar_of(argument));
}

// "--cluster-id/-t", the name of an argument in a message.
std::string label(const ArgumentSpec& argument) {
    if (argument.short_flag.empty()) {
        return std::string(argument.flag);
    }
    return fmt::format("{}/{}", argument.flag, argument.short_flag);
}

std::string wrap_words(const std::vector<std::string>& words, std::string line, size_t indent,
                       size_t width) {
    std::string text;
    for (const std::string& word : words) {
        if (line.size() + 1 + word.size() > width && line.size() > indent) {
            text += line + "\n";
            line = std::string(indent - 1, ' ');
        }
        line += " " + word;
    }
    return text + line + "\n";
}

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        size_t end = std::min(text.find(' '), text.size());
        if (end > 0) {
            words.emplace_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

const ArgumentSpec* find_flag(std::span<const ArgumentSpec> arguments, std::string_view word) {
    auto found = std::ranges::find_if(arguments, [&](const ArgumentSpec& argument) {
        return argument.kind != ArgumentKind::Positional &&
               (argument.flag == word ||
                (!argument.short_flag.empty() && argument.short_flag == word));
    });
    return found == arguments.end() ? nullptr : &*found;
}

bool looks_like_flag(std::string_view word) {
    return word.size() > 1 && word[0] == '-' && !(word[1] >= '0' && word[1] <= '9');
}

bool is_choice(std::string_view choices, std::string_view value) {
    while (true) {
        size_t comma = choices.find(',');
        if (choices.substr(0, comma) == value) {
            return true;
        }
        if (comma == std::string_view::npos) {
            return false;
        }
        choices.remove_prefix(comma + 1);
    }
}

Status check_complete(std::span<const ArgumentSpec> arguments, const ParsedArguments& parsed) {
    for (size_t i = 0; i < arguments.size(); ++i) {
        const ArgumentSpec& argument = arguments[i];
        if (argument.required && !parsed.has(argument.flag)) {
            if (argument.kind == ArgumentKind::Positional) {
                return fail(ErrorCode::InvalidRequest, "too few arguments");
            }
            return fail(ErrorCode::InvalidRequest, "argument {} is required", label(argument));
        }
        bool first_of_group = argument.group != 0 && argument.group_required &&
                              std::ranges::find(arguments, argument.group, &ArgumentSpec::group) -
                                      arguments.begin() ==
                                  static_cast<std::ptrdiff_t>(i);
        if (!first_of_group) {
            continue;
        }
        std::vector<std::string> members;
        bool given = false;
        for (const ArgumentSpec& other : arguments) {
            if (other.group == argument.group) {
                members.push_back(label(other));
                given = given || parsed.has(other.flag);
            }
        }
        if (!given) {
            return fail(ErrorCode::InvalidRequest, "one of the arguments {} is required",
                        fmt::join(members, " "));
        }
    }
    return {};
}

Status check_group(std::span<const ArgumentSpec> arguments, const ParsedArguments& parsed,
                   const ArgumentSpec& argument) {
    for (const ArgumentSpec& other : arguments) {
        if (argument.group != 0 && other.group == argument.group && &other != &argument &&
            parsed.has(other.flag)) {
            return fail(ErrorCode::InvalidRequest, "argument {}: not allowed with argument {}",
                        label(argument), label(other));
        }
    }
    return {};
}

}  // namespace

std::optional<std::string> ParsedArguments::value(std::string_view flag) const {
    if (auto given = given_.find(flag); given != given_.end() && !given->second.empty()) {
        return given->second.back();
    }
    if (auto known = defaults_.find(flag); known != defaults_.end()) {
        return std::string(known->second);
    }
    return std::nullopt;
}

std::string ParsedArguments::value_or(std::string_view flag, std::string_view fallback) const {
    return value(flag).value_or(std::string(fallback));
}

std::vector<std::string> ParsedArguments::values(std::string_view flag) const {
    auto given = given_.find(flag);
    return given == given_.end() ? std::vector<std::string>() : given->second;
}

std::expected<ParsedArguments, int> ArgumentParser::parse(Arguments arguments,
                                                          Streams& streams) const {
    ParsedArguments parsed;
    const CommandSpec* command = nullptr;
    bool help_wanted = false;
    Status status = parse_into(arguments, parsed, command, help_wanted);
    if (help_wanted) {
        say(streams.out, "{}", help(command));
        return std::unexpected(0);
    }
    if (!status) {
        return std::unexpected(usage_error(streams, command, status.error().message));
    }
    return parsed;
}

Status ArgumentParser::parse_into(Arguments arguments, ParsedArguments& parsed,
                                  const CommandSpec*& command, bool& help_wanted) const {
    auto remember_defaults = [&](std::span<const ArgumentSpec> specs) {
        for (const ArgumentSpec& argument : specs) {
            if (!argument.default_value.empty()) {
                parsed.defaults_[argument.flag] = argument.default_value;
            }
        }
    };
    remember_defaults(global_);
    std::span<const ArgumentSpec> scope = global_;
    std::vector<std::string> unrecognized;
    for (size_t i = 0; i < arguments.size(); ++i) {
        std::string_view word = arguments[i];
        if (word == "-h" || word == "--help") {
            help_wanted = true;
            return {};
        }
        if (!looks_like_flag(word)) {
            if (!commands_.empty() && command == nullptr) {
                command = find_command(word);
                if (command == nullptr) {
                    std::vector<std::string> names;
                    for (const CommandSpec& known : commands_) {
                        names.push_back(fmt::format("'{}'", known.name));
                    }
                    return fail(ErrorCode::InvalidRequest, "invalid choice: '{}' (choose from {})",
                                word, fmt::join(names, ", "));
                }
                MOLDAU_CHECK(check_complete(global_, parsed));
                parsed.command_ = command->name;
                scope = command->arguments;
                remember_defaults(scope);
                continue;
            }
            auto positional = std::ranges::find_if(scope, [&](const ArgumentSpec& argument) {
                return argument.kind == ArgumentKind::Positional && !parsed.has(argument.flag);
            });
            if (positional == scope.end()) {
                unrecognized.emplace_back(word);
            } else {
                parsed.given_[positional->flag].emplace_back(word);
            }
            continue;
        }
        std::optional<std::string_view> attached;
        std::string_view flag = word;
        if (size_t equals = word.find('='); word.starts_with("--") && equals != word.npos) {
            attached = word.substr(equals + 1);
            flag = word.substr(0, equals);
        }
        const ArgumentSpec* argument = find_flag(scope, flag);
        if (argument == nullptr && word[1] != '-' && word.size() > 2) {
            // "-tVALUE" is "-t VALUE".
            argument = find_flag(scope, word.substr(0, 2));
            attached = word.substr(2);
        }
        if (argument == nullptr) {
            unrecognized.emplace_back(word);
            continue;
        }
        MOLDAU_CHECK(check_group(scope, parsed, *argument));
        std::vector<std::string>& values = parsed.given_[argument->flag];
        if (argument->kind == ArgumentKind::Flag) {
            continue;
        }
        if (argument->kind != ArgumentKind::Append) {
            values.clear();
        }
        size_t before = values.size();
        if (attached) {
            values.emplace_back(*attached);
        }
        bool many = argument->kind == ArgumentKind::Values;
        while ((many || values.size() == before) && i + 1 < arguments.size() &&
               !looks_like_flag(arguments[i + 1])) {
            values.push_back(arguments[++i]);
        }
        if (values.size() == before) {
            return fail(ErrorCode::InvalidRequest, "argument {}: expected {} argument",
                        label(*argument), many ? "at least one" : "one");
        }
        for (const std::string& value : values) {
            if (!argument->choices.empty() && !is_choice(argument->choices, value)) {
                return fail(ErrorCode::InvalidRequest,
                            "argument {}: invalid choice: '{}' (choose from {{{}}})",
                            label(*argument), value, argument->choices);
            }
        }
    }
    if (!commands_.empty() && command == nullptr) {
        return fail(ErrorCode::InvalidRequest, "too few arguments");
    }
    if (!unrecognized.empty()) {
        return fail(ErrorCode::InvalidRequest, "unrecognized arguments: '{}'",
                    fmt::join(unrecognized, " "));
    }
    MOLDAU_CHECK(check_complete(scope, parsed));
    return {};
}

const CommandSpec* ArgumentParser::find_command(std::string_view name) const {
    auto found = std::ranges::find(commands_, name, &CommandSpec::name);
    return found == commands_.end() ? nullptr : &*found;
}

int ArgumentParser::usage_error(Streams& streams, const CommandSpec* command,
                                std::string_view message) const {
    say(streams.err, "{}{}: error: {}\n", usage(command), program_, message);
    return 1;
}

std::string ArgumentParser::usage(const CommandSpec* command) const {
    std::string head = fmt::format("usage: {}", program_);
    size_t indent = head.size() + 1;
    if (command != nullptr) {
        head += fmt::format(" {}", command->name);
    }
    std::vector<std::string> words{"[-h]"};
    std::span<const ArgumentSpec> scope = command == nullptr ? global_ : command->arguments;
    for (size_t i = 0; i < scope.size(); ++i) {
        const ArgumentSpec& argument = scope[i];
        if (argument.kind == ArgumentKind::Positional) {
            continue;
        }
        bool opens = argument.group != 0 && (i == 0 || scope[i - 1].group != argument.group);
        bool closes =
            argument.group != 0 && (i + 1 == scope.size() || scope[i + 1].group != argument.group);
        std::string word = form(argument, argument.flag);
        if (argument.group != 0) {
            word = fmt::format("{}{}{}", opens ? (argument.group_required ? "(" : "[") : "", word,
                               closes ? (argument.group_required ? ")" : "]") : " |");
        } else if (!argument.required) {
            word = fmt::format("[{}]", word);
        }
        words.push_back(std::move(word));
    }
    for (const ArgumentSpec& argument : scope) {
        if (argument.kind == ArgumentKind::Positional) {
            words.push_back(argument.required ? metavar_of(argument)
                                              : fmt::format("[{}]", metavar_of(argument)));
        }
    }
    if (command == nullptr && !commands_.empty()) {
        std::vector<std::string_view> names;
        std::ranges::transform(commands_, std::back_inserter(names), &CommandSpec::name);
        std::string choice = fmt::format("{{{}}}", fmt::join(names, ","));
        words.push_back(std::move(choice));
        words.emplace_back("...");
    }
    return wrap_words(words, std::move(head), indent, kUsageWidth);
}

std::string ArgumentParser::help(const CommandSpec* command) const {
    std::string text = usage(command);
    auto add = [&](std::string left, std::string_view right) {
        text += left;
        std::vector<std::string> words = split_words(right);
        if (words.empty()) {
            text += "\n";
            return;
        }
        std::string line;
        if (left.size() + 2 > kHelpColumn) {
            text += "\n";
            line = std::string(kHelpColumn - 1, ' ');
        } else {
            line = std::string(kHelpColumn - 1 - left.size(), ' ');
            // The first line continues the left column: count it as already written.
            text.erase(text.size() - left.size());
            line = left + line;
        }
        text += wrap_words(words, std::move(line), kHelpColumn, kUsageWidth);
    };
    if (command == nullptr && !description_.empty()) {
        text += fmt::format("\n{}\n", description_);
    }
    std::span<const ArgumentSpec> scope = command == nullptr ? global_ : command->arguments;
    bool any_positional =
        std::ranges::find(scope, ArgumentKind::Positional, &ArgumentSpec::kind) != scope.end();
    bool lists_commands = command == nullptr && !commands_.empty();
    if (any_positional || lists_commands) {
        text += "\npositional arguments:\n";
    }
    for (const ArgumentSpec& argument : scope) {
        if (argument.kind == ArgumentKind::Positional) {
            add(fmt::format("  {}", metavar_of(argument)), argument.help);
        }
    }
    if (lists_commands) {
        std::vector<std::string_view> names;
        std::ranges::transform(commands_, std::back_inserter(names), &CommandSpec::name);
        add(fmt::format("  {{{}}}", fmt::join(names, ",")), "");
        for (const CommandSpec& known : commands_) {
            add(fmt::format("    {}", known.name), known.help);
        }
    }
    text += "\noptional arguments:\n";
    add("  -h, --help", "show this help message and exit");
    for (const ArgumentSpec& argument : scope) {
        if (argument.kind == ArgumentKind::Positional) {
            continue;
        }
        std::string left = fmt::format("  {}", form(argument, argument.flag));
        if (!argument.short_flag.empty()) {
            left += fmt::format(", {}", form(argument, argument.short_flag));
        }
        add(std::move(left), argument.help);
    }
    return text;
}

}  // namespace moldau::cli
