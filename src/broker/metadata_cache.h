// MetadataCache: the metadata image that this broker answers from. Replaced by the publisher on the
// control loop after everything that an image asks for is done; read on any thread.
// CurrentConfig: the same for the node's configuration.
#pragma once

#include <utility>

#include "base/mutex.h"
#include "config/server_config.h"
#include "metadata/image.h"

namespace moldau::broker {

class MetadataCache {
 public:
    MetadataCache() : image_(metadata::empty_image()) {}

    metadata::ImagePtr image() const {
        MutexLock lock(mutex_);
        return image_;
    }
    void set(metadata::ImagePtr image) {
        MutexLock lock(mutex_);
        std::swap(image_, image);
    }

 private:
    mutable Mutex mutex_;
    metadata::ImagePtr image_ GUARDED_BY(mutex_);
};

class CurrentConfig {
 public:
    explicit CurrentConfig(config::ServerConfig config) : config_(std::move(config)) {}

    config::ServerConfig get() const {
        MutexLock lock(mutex_);
        return config_;
    }
    void set(config::ServerConfig config) {
        MutexLock lock(mutex_);
        std::swap(config_, config);
    }

 private:
    mutable Mutex mutex_;
    config::ServerConfig config_ GUARDED_BY(mutex_);
};

}  // namespace moldau::broker
