// What the handlers of group requests share.
#pragma once

#include <string>

#include "broker/request.h"
#include "coordinator/group/types.h"

namespace moldau::broker {

// An address as Java prints it, which is how Kafka stores it with a member and tools show it:
// "/127.0.0.1", "/0:0:0:0:0:0:0:1".
std::string java_address(const std::string& host);

coordinator::RequestContext group_context(const Request& request);

}  // namespace moldau::broker
