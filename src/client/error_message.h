// The sentence that Kafka's clients show for an error code when the broker sent none. Users and
// their scripts know these by heart, so they are Kafka's, word for word.
#pragma once

#include <string_view>

#include "base/error_code.h"

namespace moldau::client {

std::string_view error_message(ErrorCode code);

}  // namespace moldau::client
