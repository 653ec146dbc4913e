// The table of what a broker listener serves: one handler per API key. ApiVersions advertises
// exactly these.
//
// To add one: write handlers/NN_name.{h,cc} with `void handle_name(Broker&, Request)`, list the .cc
// in broker/CMakeLists.txt, and add a line to the table in registry.cc.
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

// Runs on the loop of the request's connection; must not block. Answers the request now or later.
using Handler = void (*)(Broker&, Request);

// nullptr: not served by a broker.
Handler find_handler(protocol::ApiKey key);

}  // namespace moldau::broker
