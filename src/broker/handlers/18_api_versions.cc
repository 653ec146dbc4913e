#include "broker/handlers/18_api_versions.h"

#include <algorithm>
#include <cctype>

#include "broker/broker.h"
#include "broker/handlers/registry.h"
#include "broker/metadata_cache.h"
#include "metadata/features.h"

namespace moldau::broker {
namespace {

using protocol::ApiVersionsResponse;

void add_api(const protocol::ApiInfo& api, ApiVersionsResponse& response) {
    protocol::VersionRange range = api.advertised();
    auto& out = response.api_keys.emplace_back();
    out.api_key = static_cast<int16_t>(api.key);
    out.min_version = range.first;
    out.max_version = range.last;
}

void add_finalized(std::string_view name, int16_t level, ApiVersionsResponse& response) {
    auto& out = response.finalized_features.emplace_back();
    out.name = std::string(name);
    out.min_version_level = level;
    out.max_version_level = level;
}

}  // namespace

bool is_valid_software_word(std::string_view word) {
    // [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
    auto is_alphanumeric = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
    return !word.empty() && is_alphanumeric(word.front()) && is_alphanumeric(word.back()) &&
           std::ranges::all_of(word,
                               [&](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

ApiVersionsResponse unsupported_api_versions() {
    ApiVersionsResponse response;
    response.error_code = to_wire(ErrorCode::UnsupportedVersion);
    add_api(protocol::api_info(protocol::ApiKey::ApiVersions), response);
    return response;
}

ApiVersionsResponse answer_api_versions(const std::function<bool(protocol::ApiKey)>& serves,
                                        const metadata::Image& image, int16_t kraft_version,
                                        int16_t version) {
    constexpr int16_t kFirstWithLevelZero = 4;
    ApiVersionsResponse response;
    response.api_keys.reserve(protocol::all_apis().size());
    for (const protocol::ApiInfo& api : protocol::all_apis()) {
        if (serves(api.key)) {
            add_api(api, response);
        }
    }
    response.supported_features.reserve(metadata::supported_features().size());
    for (const auto& [name, range] : metadata::supported_features()) {
        if (range.min == 0 && version < kFirstWithLevelZero) {
            continue;
        }
        auto& out = response.supported_features.emplace_back();
        out.name = name;
        out.min_version = range.min;
        out.max_version = range.max;
    }
    response.finalized_features.reserve(image.features.levels.size() + 1);
    for (const auto& [name, level] : image.features.levels) {
        add_finalized(name, level, response);
    }
    if (kraft_version > 0) {
        add_finalized(metadata::kKraftVersionFeature, kraft_version, response);
    }
    response.finalized_features_epoch = image.provenance.offset;
    return response;
}

void respond_api_versions(Request request, const std::function<bool(protocol::ApiKey)>& serves,
                          const metadata::Image& image, int16_t kraft_version) {
    if (!request.api().served().contains(request.version())) {
        return request.respond_at_version(unsupported_api_versions(), 0);
    }
    auto asked = request.read<protocol::ApiVersionsRequest>();
    if (!asked) {
        return;
    }
    bool names_software = request.version() >= 3;
    if (names_software && !(is_valid_software_word(asked->client_software_name) &&
                            is_valid_software_word(asked->client_software_version))) {
        ApiVersionsResponse refusal;
        refusal.error_code = to_wire(ErrorCode::InvalidRequest);
        return request.respond(refusal);
    }
    if (names_software) {
        request.set_client_software(asked->client_software_name, asked->client_software_version);
    }
    request.respond(answer_api_versions(serves, image, kraft_version, request.version()));
}

void handle_api_versions(Broker& broker, Request request) {
    respond_api_versions(
        std::move(request), [](protocol::ApiKey key) { return find_handler(key) != nullptr; },
        *broker.metadata->image(), broker.kraft_version);
}

}  // namespace moldau::broker
