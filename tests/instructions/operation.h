// What is counted: one piece of the data path, made ready once and then repeated. An Operation is a
// class with a default constructor, which prepares, and once(), which does what one request costs
// between the bytes that came and the bytes that go. Counted is what happens inside measured(), by
// its symbol: gate.py finds it in callgrind's output.
//
// Nothing in an operation may depend on time, chance or other threads, or two runs would differ.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "base/result.h"
#include "protocol/wire.h"

namespace moldau::instructions {

template <typename Operation>
[[gnu::noinline]] void measured(Operation& operation, int count) {
    for (int i = 0; i < count; ++i) {
        operation.once();
    }
}

// Tables, caches and the allocator's lists are warm before counting begins.
constexpr int kWarmUp = 20;

// Prints how often the operation was counted, for gate.py to divide by.
template <typename Operation>
void drive(const char* name, int count) {
    Operation operation;
    for (int i = 0; i < kWarmUp; ++i) {
        operation.once();
    }
    measured(operation, count);
    std::printf("%s %d\n", name, count);
}

// A count of refusals would look like progress.
inline void must(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "not what was to be measured: %s\n", what);
        std::exit(1);
    }
}

// The frame of an answer, as Request::respond() makes it.
template <typename Response>
protocol::Chain framed(const Response& response, int16_t version) {
    protocol::Writer writer;
    writer.begin_frame();
    writer.write_int32(0);  // the correlation id
    response.write(writer, version);
    must(writer.ok(), "an answer that can be written");
    return writer.take_frame();
}

void drive_log();
void drive_groups();
void drive_metadata();

}  // namespace moldau::instructions
