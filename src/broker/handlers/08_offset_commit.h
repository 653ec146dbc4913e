// OffsetCommit (key 8), versions 2-10.
// Behaviour: topics and partitions that do not exist are answered one by one; the rest goes to the
// group's coordinator in one piece. Version notes: v2-4 retention per request; v6 leader epoch
// (KIP-320); v7 static members (KIP-345); v9 GroupIdNotFound (KIP-848); v10 topic ids instead of
// names, UnknownTopicId (KIP-848).
#pragma once

#include "broker/request.h"

namespace moldau::broker {

struct Broker;

void handle_offset_commit(Broker& broker, Request request);

}  // namespace moldau::broker
