// ApiVersions (key 18), versions 0-4.
// Behaviour: lists exactly what this listener serves, with the ranges of Kafka 4.3, and the
// features that are supported and finalized. A version we do not know is answered in version 0 with
// UnsupportedVersion and the range of this API alone, so that a newer client can step down. A
// malformed software name is InvalidRequest. Version notes: v3 flexible, client software (KIP-511),
// but response header 0 for ever; v4 shows features whose lowest level is 0, which older readers
// refuse (KIP-584).
#pragma once

#include <cstdint>

#include "broker/request.h"
#include "metadata/image.h"
#include "protocol/messages/api_versions.h"

namespace moldau::broker {

struct Broker;

void handle_api_versions(Broker& broker, Request request);

// The parts that broker and controller listeners share. `serves` says which APIs the listener has;
// `kraft_version` is finalized by control records, not by the image.
protocol::ApiVersionsResponse answer_api_versions(
    const std::function<bool(protocol::ApiKey)>& serves, const metadata::Image& image,
    int16_t kraft_version, int16_t version);
// Whether a client's software name or version is of the form that KIP-511 allows.
bool is_valid_software_word(std::string_view word);
// The answer to a version that is not known; always encoded in version 0.
protocol::ApiVersionsResponse unsupported_api_versions();

// Runs the whole exchange for a listener.
void respond_api_versions(Request request, const std::function<bool(protocol::ApiKey)>& serves,
                          const metadata::Image& image, int16_t kraft_version);

}  // namespace moldau::broker
