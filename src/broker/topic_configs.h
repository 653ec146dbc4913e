// TopicConfigs: the effective configuration of every topic: the node's defaults under the topic's
// own keys, as of the image being applied. The publisher sets it before anything is made from that
// image; logs ask on any thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "config/log_config.h"
#include "metadata/image.h"

namespace moldau::broker {

class TopicConfigs {
 public:
    explicit TopicConfigs(const config::LogConfig& defaults);

    void set(metadata::ImagePtr image, const config::LogConfig& defaults);
    // Topics without keys of their own share one object. A key that does not parse, which only
    // another program's metadata can hold, leaves the topic on the defaults.
    std::shared_ptr<const config::LogConfig> config_of(std::string_view topic) const;

 private:
    mutable Mutex mutex_;
    metadata::ImagePtr image_ GUARDED_BY(mutex_);
    std::shared_ptr<const config::LogConfig> defaults_ GUARDED_BY(mutex_);
};

}  // namespace moldau::broker
