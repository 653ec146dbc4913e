// ArgumentParser reads a command line as Kafka's argparse4j tools do (kafka-storage, kafka-cluster,
// kafka-features, kafka-metadata-quorum, the perf and verifiable tools): long and short flags,
// subcommands, groups of which one (or at most one) may be given, positional arguments.
// A tool keeps its commands in constexpr tables; parser and result borrow them.
// --help goes to stdout; a wrong line prints usage and "<program>: error: ..." on stderr.
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

enum class ArgumentKind {
    Value,       // takes one value
    Values,      // one flag, one or more values up to the next flag
    Append,      // takes one value, may be repeated
    Flag,        // takes none
    Positional,  // no flag
};

struct ArgumentSpec {
    std::string_view flag;        // "--cluster-id"; for a positional its name
    std::string_view short_flag;  // "-t", or empty
    ArgumentKind kind = ArgumentKind::Value;
    std::string_view help;
    bool required = false;
    std::string_view default_value;
    std::string_view metavar;  // default: the flag in capitals, '-' as '_'
    // Arguments of one non-zero group exclude one another; with group_required one must be given.
    int group = 0;
    bool group_required = false;
    std::string_view choices;  // "a,b,c": the values allowed, or empty
};

struct CommandSpec {
    std::string_view name;
    std::string_view help;
    std::span<const ArgumentSpec> arguments;
};

class ParsedArguments {
 public:
    // Empty when the tool has no subcommands.
    std::string_view command() const { return command_; }
    bool has(std::string_view flag) const { return given_.contains(flag); }
    // The value given, or the default, or nothing.
    std::optional<std::string> value(std::string_view flag) const;
    std::string value_or(std::string_view flag, std::string_view fallback) const;
    std::vector<std::string> values(std::string_view flag) const;

 private:
    friend class ArgumentParser;

    std::string_view command_;
    std::map<std::string_view, std::vector<std::string>, std::less<>> given_;
    std::map<std::string_view, std::string_view, std::less<>> defaults_;
};

class ArgumentParser {
 public:
    // `global` arguments stand before the subcommand.
    ArgumentParser(std::string_view program, std::string_view description,
                   std::span<const ArgumentSpec> global, std::span<const CommandSpec> commands = {})
        : program_(program), description_(description), global_(global), commands_(commands) {}

    // Either the parsed line, or the exit code after help (0) or a usage error (1) was printed.
    std::expected<ParsedArguments, int> parse(Arguments arguments, Streams& streams) const;

    // Prints usage and the message as parse() does; returns 1. For checks the tool makes itself.
    int usage_error(Streams& streams, const CommandSpec* command, std::string_view message) const;

 private:
    std::string usage(const CommandSpec* command) const;
    std::string help(const CommandSpec* command) const;
    const CommandSpec* find_command(std::string_view name) const;
    Status parse_into(Arguments arguments, ParsedArguments& parsed, const CommandSpec*& command,
                      bool& help_wanted) const;

    std::string_view program_;
    std::string_view description_;
    std::span<const ArgumentSpec> global_;
    std::span<const CommandSpec> commands_;
};

}  // namespace moldau::cli
