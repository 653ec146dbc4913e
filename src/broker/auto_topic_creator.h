// AutoTopicCreator asks the controller for topics that somebody used before anybody created them:
// auto.create.topics.enable for clients, and the coordinators' own topics on their first use.
// Any thread. The answer comes when the topics exist in this broker's metadata, so that a caller
// may look again at once.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error_code.h"

namespace moldau::quorum {
class ControllerChannel;
}

namespace moldau::broker {

class CurrentConfig;

class AutoTopicCreator {
 public:
    AutoTopicCreator(quorum::ControllerChannel& controller, const CurrentConfig& config)
        : controller_(controller), config_(config) {}

    // What became of each name: None also when it existed already. A failure of the whole request
    // shows on every name. Called once, on the control loop; must not block.
    using Done = std::move_only_function<void(const std::map<std::string, ErrorCode>&)>;

    // `names` are legal and not empty; `principal` is who caused it.
    void create(const std::vector<std::string>& names, std::string_view principal, Done done);

 private:
    quorum::ControllerChannel& controller_;
    const CurrentConfig& config_;
};

}  // namespace moldau::broker
