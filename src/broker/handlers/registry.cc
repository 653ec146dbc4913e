#include "broker/handlers/registry.h"

#include <array>

namespace moldau::broker {

namespace {

using protocol::ApiKey;

struct Line {
    ApiKey key;
    Handler handler;
};

// By ascending key.
constexpr std::array<Line, 0> kHandlers{};

constexpr auto kTable = [] {
    std::array<Handler, protocol::kApiCount> table{};
    for (const Line& line : kHandlers) {
        table[static_cast<size_t>(line.key)] = line.handler;
    }
    return table;
}();

}  // namespace

Handler find_handler(ApiKey key) {
    return kTable[static_cast<size_t>(key)];
}

}  // namespace moldau::broker
