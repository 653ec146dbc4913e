#include "broker/group_requests.h"

#include <array>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/endian.h"

namespace moldau::broker {

std::string java_address(const std::string& host) {
    // A zone ("fe80::1%eth0") is kept as it is.
    size_t zone = host.find('%');
    std::array<uint8_t, 16> bytes{};
    if (inet_pton(AF_INET6, host.substr(0, zone).c_str(), bytes.data()) != 1) {
        return "/" + host;
    }
    constexpr std::array<uint8_t, 12> kMappedIpv4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(kMappedIpv4.begin(), kMappedIpv4.end(), bytes.begin())) {
        return fmt::format("/{}.{}.{}.{}", bytes[12], bytes[13], bytes[14], bytes[15]);
    }
    std::string text = "/";
    for (size_t i = 0; i < bytes.size(); i += 2) {
        text += fmt::format("{}{:x}", i == 0 ? "" : ":", load_big<uint16_t>(bytes.data() + i));
    }
    return zone == std::string::npos ? text : text + host.substr(zone);
}

coordinator::RequestContext group_context(const Request& request) {
    coordinator::RequestContext context;
    context.api_version = request.version();
    context.client_id = request.client_id();
    context.client_host = java_address(request.client_host());
    return context;
}

}  // namespace moldau::broker
