// OptionParser reads a command line as Kafka's joptsimple tools do, abbreviations off:
//   --name value, --name=value, -name value (a single dash works for whole names), `--` ends
//   options.
// Whatever is no option is an operand. Giving an option twice is an error unless it is repeatable.
// A tool keeps its options in a constexpr table; parser and result borrow that table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/tool.h"

namespace moldau::cli {

enum class OptionArgument { None, Optional, Required };

struct OptionSpec {
    std::string_view name;  // "bootstrap-server"
    OptionArgument argument = OptionArgument::None;
    std::string_view metavar;          // "server to connect to"
    std::string_view help;             // one sentence in our words
    std::string_view type = "String";  // as shown in the table: String, Integer, Long ...
    std::string_view default_value;    // value() when the option is absent; empty is "none"
    bool required = false;             // checked by parse(), marked '*' in the table
    bool repeatable = false;           // may be given several times: values()
};

// The options every joptsimple tool has.
inline constexpr OptionSpec kHelpOption{
    "help", OptionArgument::None, {}, "Print usage information."};
inline constexpr OptionSpec kVersionOption{
    "version", OptionArgument::None, {}, "Display Kafka version."};

class ParsedOptions {
 public:
    // Whether the option was given. Asking for a name outside the table is a bug.
    bool has(std::string_view name) const;
    // The one value, or the default, or nothing.
    std::optional<std::string> value(std::string_view name) const;
    std::string value_or(std::string_view name, std::string_view fallback) const;
    // All values in the order given; the default alone when absent.
    std::vector<std::string> values(std::string_view name) const;
    // The value as a number. Errors: "Cannot parse argument 'x' of option partitions".
    Result<std::optional<int32_t>> int32(std::string_view name) const;
    Result<std::optional<int64_t>> int64(std::string_view name) const;

    std::span<const std::string> operands() const { return operands_; }
    // Nothing at all was typed.
    bool empty() const { return argument_count_ == 0; }

 private:
    friend class OptionParser;
    const OptionSpec& spec(std::string_view name) const;

    std::span<const OptionSpec> table_;
    std::map<std::string_view, std::vector<std::string>, std::less<>> given_;
    std::vector<std::string> operands_;
    size_t argument_count_ = 0;
};

class OptionParser {
 public:
    explicit OptionParser(std::span<const OptionSpec> table) : table_(table) {}

    // Errors: InvalidRequest with joptsimple's words: "nosuch is not a recognized option",
    // "Option topic requires an argument", "Missing required option(s) [...]",
    // "Found multiple arguments for option topic, but you asked for only one".
    // A required option may be missing when --help or --version is given.
    Result<ParsedOptions> parse(Arguments arguments) const;

    // The option table that --help and usage errors print: two columns, 80 wide.
    std::string help_table() const;

 private:
    const OptionSpec* find(std::string_view name) const;

    std::span<const OptionSpec> table_;
};

// "[topic]", the way joptsimple shows an option in a message.
std::string shown(std::string_view option);

// Kafka's checks after parsing. Each returns the message of the usage error, or nothing.
std::optional<std::string> missing_required(const ParsedOptions& options,
                                            std::initializer_list<std::string_view> required);
std::optional<std::string> conflicting(const ParsedOptions& options, std::string_view used,
                                       std::initializer_list<std::string_view> invalid);
// The presence of all of `used` forbids each of `invalid`; `trailing` ends the message.
std::optional<std::string> conflicting_set(const ParsedOptions& options,
                                           std::initializer_list<std::string_view> used,
                                           std::initializer_list<std::string_view> invalid,
                                           std::string_view trailing);
std::optional<std::string> not_exactly_one(const ParsedOptions& options,
                                           std::initializer_list<std::string_view> choices);

// Prints the message and the option table on stderr; returns 1.
int usage_error(Streams& streams, const OptionParser& parser, std::string_view message);

// What --help (or no argument at all) and --version do: the exit code when one applied.
// `description` is the line above the table.
std::optional<int> help_or_version(Streams& streams, const OptionParser& parser,
                                   const ParsedOptions& options, std::string_view description);

// "key=value" arguments into a map; the value may hold '='. A key without value maps to "".
// Errors: "Missing value for key k" when a value is demanded.
Result<std::map<std::string, std::string>> parse_key_values(std::span<const std::string> pairs,
                                                            bool accept_missing_value = true);

}  // namespace moldau::cli
