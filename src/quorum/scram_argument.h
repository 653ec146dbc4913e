// The argument of `kafka-storage format --add-scram`, as the credential record it asks for:
// SCRAM-SHA-256=[name=alice,password=secret,iterations=8192] (RFC 5802). Pure but for the entropy.
#pragma once

#include <string_view>

#include "base/result.h"
#include "protocol/records/metadata.h"

namespace moldau::runtime {
class Entropy;
}

namespace moldau::quorum {

// Errors: InvalidConfig with Kafka's sentence.
Result<protocol::UserScramCredentialRecord> parse_scram_argument(std::string_view argument,
                                                                 runtime::Entropy& entropy);

}  // namespace moldau::quorum
