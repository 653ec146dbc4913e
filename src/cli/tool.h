// Tools: the programs of Kafka's bin/ directory, each one function of this binary.
// apps/moldau picks a tool by argv[0] or by its first argument and hands it arguments and streams;
// the tool returns its exit code and never ends the process itself, so tests run tools in-process.
#pragma once

#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace moldau::cli {

// Where a tool reads and writes. The files outlive the call; tests hand in memory files.
struct Streams {
    std::FILE* in;
    std::FILE* out;
    std::FILE* err;
};

// Writes formatted text. Unlike fmt::print it is silent when the reader has gone away (`| head
// -1`): a tool ends with the exit code of its work, as Kafka's do.
template <typename... Args>
void say(std::FILE* to, fmt::format_string<Args...> format, Args&&... args) {
    std::string text = fmt::format(format, std::forward<Args>(args)...);
    std::fwrite(text.data(), 1, text.size(), to);
}

using Arguments = std::span<const std::string>;
using ToolFunction = int (*)(Arguments arguments, Streams& streams);

// A name that the user may type. A tool that is not there yet has no function.
struct Tool {
    std::string_view name;  // without ".sh": "kafka-topics"
    ToolFunction run = nullptr;
    std::string_view summary;  // one line for the overview
};

// Every tool of Kafka 4.3 in alphabetic order, present or not.
std::span<const Tool> all_tools();

// `name` may be a path, and may end in ".sh". Null when Kafka has no such tool.
const Tool* find_tool(std::string_view name);

// Runs the tool that `program` names, else the one that arguments[0] names, else `moldau`'s own
// overview. This is all of main().
int run_program(std::string_view program, Arguments arguments, Streams& streams);

// The Kafka release whose behaviour the tools have; what --version prints.
inline constexpr std::string_view kKafkaVersion = "4.3.1";

}  // namespace moldau::cli
