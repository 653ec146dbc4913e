// Reads lines "<message> <version> <hex>" and answers each with "<message> <version> <hex> <json>":
// the message read and written again, and its JSON form ("-" for types that have none), or with
// "<message> <version> error: <words>". The line "apis" is answered with the table of APIs. Driven
// by the comparisons in tests/conformance/schema.
#include <iostream>
#include <sstream>

#include "protocol/api_keys.h"
#include "protocol/testing/registry.h"

namespace moldau::protocol::testing {
namespace {

int digit(char c) {
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

Bytes from_hex(std::string_view hex) {
    Buffer bytes;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<uint8_t>(digit(hex[i]) * 16 + digit(hex[i + 1])));
    }
    return std::move(bytes).freeze();
}

std::string answer(const std::string& name, int version, const Bytes& input) {
    const MessageType* type = find_message_type(name);
    if (type == nullptr) {
        return "error: unknown message";
    }
    Result<Bytes> output = rewrite(*type, input, static_cast<int16_t>(version));
    if (!output) {
        return "error: " + output.error().message;
    }
    if (type->view_agrees != nullptr && !type->view_agrees(input, static_cast<int16_t>(version))) {
        return "error: the view says something else";
    }
    std::string hex;
    for (uint8_t byte : *output) {
        hex += fmt::format("{:02x}", byte);
    }
    Reader reader(input);
    std::string json =
        type->json == nullptr ? "-" : type->json(reader, static_cast<int16_t>(version));
    return (hex.empty() ? "-" : hex) + " " + json;
}

std::string advertised(const ApiInfo& api, bool here) {
    if (!here || find_api(static_cast<int16_t>(api.key)) == nullptr) {
        return "none";
    }
    return fmt::format("{}-{}", api.advertised().first, api.advertised().last);
}

void print_apis() {
    for (const ApiInfo& api : all_apis()) {
        std::cout << fmt::format("api {} {} {} {} {} {}", static_cast<int>(api.key), api.name,
                                 advertised(api, api.on_broker()),
                                 advertised(api, api.on_controller()), api.cluster_action,
                                 api.forwardable);
        for (int version = api.versions.first; version <= api.versions.last; ++version) {
            auto v = static_cast<int16_t>(version);
            std::cout << fmt::format(" {}:{}:{}", version, api.request_header_version(v),
                                     api.response_header_version(v));
        }
        std::cout << '\n';
    }
}

}  // namespace
}  // namespace moldau::protocol::testing

int main() {
    std::string line;
    while (std::getline(std::cin, line)) {
        if (line == "apis") {
            moldau::protocol::testing::print_apis();
            continue;
        }
        std::istringstream words(line);
        std::string name;
        std::string hex;
        int version = 0;
        words >> name >> version >> hex;
        auto input = moldau::protocol::testing::from_hex(hex == "-" ? "" : hex);
        std::cout << name << ' ' << version << ' '
                  << moldau::protocol::testing::answer(name, version, input) << '\n';
    }
    return 0;
}
