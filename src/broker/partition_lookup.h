// Finding the partition that a request names, and telling a client whom to ask instead. Used by the
// data handlers; any thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "broker/partition.h"
#include "metadata/image.h"

namespace moldau::broker {

struct Broker;

// Errors: UnknownTopicOrPartition when the cluster has no such partition, NotLeaderOrFollower when
// it is not hosted here.
Result<std::shared_ptr<Partition>> find_partition(Broker& broker, std::string_view topic,
                                                  int32_t partition);
// Errors: UnknownTopicId when the cluster has no such topic; else as above.
Result<std::shared_ptr<Partition>> find_partition(Broker& broker, const Uuid& topic_id,
                                                  int32_t partition);

// An epoch of a fetch; a negative one says that the client knows none.
inline std::optional<LeaderEpoch> epoch_of_wire(int32_t epoch) {
    return epoch < 0 ? std::nullopt : std::optional(LeaderEpoch(epoch));
}
// Of any other request, where only -1 does.
inline std::optional<LeaderEpoch> exact_epoch_of_wire(int32_t epoch) {
    return epoch == -1 ? std::nullopt : std::optional(LeaderEpoch(epoch));
}

// Collects, for an answer, the leaders that clients should have asked (KIP-951).
class LeaderHints {
 public:
    LeaderHints(const metadata::Image& image, std::string_view listener)
        : image_(image), listener_(listener) {}

    struct Leader {
        int32_t id = -1;
        int32_t epoch = -1;
    };
    // The leader by the present metadata; its endpoint is remembered.
    Leader leader_of(const metadata::Partition* partition);

    // Fills the node_endpoints of a Produce or Fetch response.
    template <typename NodeEndpoint>
    std::vector<NodeEndpoint> endpoints() const {
        std::vector<NodeEndpoint> out;
        for (const auto& [id, endpoint] : endpoints_) {
            NodeEndpoint node;
            node.node_id = id;
            node.host = endpoint.host;
            node.port = endpoint.port;
            node.rack = endpoint.rack;
            out.push_back(std::move(node));
        }
        return out;
    }

 private:
    struct Endpoint {
        std::string host;
        int32_t port;
        std::optional<std::string> rack;
    };
    const metadata::Image& image_;
    std::string_view listener_;
    std::map<int32_t, Endpoint> endpoints_;
};

}  // namespace moldau::broker
