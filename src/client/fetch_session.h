// FetchSession: what one broker remembers of our fetches, so that a request names only the
// partitions that changed and an answer only those with something to say (KIP-227). Pure; its
// Consumer keeps one per broker, on the loop, with one fetch in flight at a time.
//
//   session.ask(wanted, request); ... session.accept(answer) or session.lose();
//
// The epoch of the next request says where the session stands:
//   0       the request is full: it opens a session, closing the one whose id it carries
//   n > 0   the request tells what changed since request n - 1
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/topic_partition.h"
#include "base/uuid.h"
#include "protocol/messages/fetch.h"

namespace moldau::client {

class FetchSession {
 public:
    struct Target {
        Uuid topic_id;  // zero: the broker told none
        int64_t offset = 0;
        int32_t leader_epoch = -1;  // of the leader that is asked
        int32_t bytes_max = 0;

        bool operator==(const Target&) const = default;
    };
    using Targets = std::map<TopicPartition, Target>;
    using Told = std::map<TopicPartition, protocol::FetchResponse::PartitionData*>;

    // Writes session and topics into the request. Answers the highest version it can go in: topics
    // without an id need their names.
    int16_t ask(const Targets& wanted, protocol::FetchRequest& request);
    // What the answer says, borrowed from it. Nothing when it cannot be used: the next request
    // opens a session anew. Errors: of the answer as a whole; FetchSessionTopicIdError when it
    // tells of partitions that were not asked for.
    Result<Told> accept(protocol::FetchResponse& answer);
    // No answer came; the broker may or may not have seen the request.
    void lose();
    // The last request of a session, which frees the broker's memory of it. False: there is none.
    bool end(protocol::FetchRequest& request) const;

 private:
    int32_t id_ = 0;
    int32_t epoch_ = 0;
    Targets targets_;  // as the broker knows them once it has seen the request
    std::map<Uuid, std::string> names_;
    bool by_id_ = false;
};

}  // namespace moldau::client
