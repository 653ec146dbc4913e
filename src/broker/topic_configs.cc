#include "broker/topic_configs.h"

#include "runtime/logging.h"

namespace moldau::broker {

namespace {

runtime::Logger log("kafka.server.TopicConfigHandler");

}  // namespace

TopicConfigs::TopicConfigs(const config::LogConfig& defaults)
    : image_(metadata::empty_image()),
      defaults_(std::make_shared<const config::LogConfig>(defaults)) {}

void TopicConfigs::set(metadata::ImagePtr image, const config::LogConfig& defaults) {
    MutexLock lock(mutex_);
    image_ = std::move(image);
    if (*defaults_ != defaults) {
        defaults_ = std::make_shared<const config::LogConfig>(defaults);
    }
}

std::shared_ptr<const config::LogConfig> TopicConfigs::config_of(std::string_view topic) const {
    MutexLock lock(mutex_);
    const metadata::ConfigMap& overrides = image_->configs.of_topic(topic);
    if (overrides.empty()) {
        return defaults_;
    }
    auto own = config::LogConfig::from_map(*defaults_, overrides);
    if (!own) {
        MOLDAU_LOG_ERROR(log, "Ignoring the configuration of topic {}: {}", topic,
                         own.error().message);
        return defaults_;
    }
    return std::make_shared<const config::LogConfig>(std::move(*own));
}

}  // namespace moldau::broker
