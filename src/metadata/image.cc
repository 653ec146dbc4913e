#include "metadata/image.h"

#include <algorithm>

#include "metadata/features.h"

namespace moldau::metadata {

int16_t Features::metadata_version() const {
    int16_t found = level(kMetadataVersionFeature);
    return found == 0 ? kMetadataVersionMin : found;
}

bool Broker::has_online_directory(const Uuid& directory) const {
    if (directories.empty() || directory == kUnassignedDirectory ||
        directory == kMigratingDirectory) {
        return true;
    }
    if (directory == kLostDirectory) {
        return false;
    }
    return std::ranges::find(directories, directory) != directories.end();
}

const Endpoint* Broker::endpoint(std::string_view listener) const {
    auto at = std::ranges::find(endpoints, listener, &Endpoint::name);
    return at == endpoints.end() ? nullptr : &*at;
}

bool Partition::is_replica(int32_t broker) const {
    return std::ranges::find(replicas, broker) != replicas.end();
}

bool Partition::in_isr(int32_t broker) const {
    return std::ranges::find(isr, broker) != isr.end();
}

Uuid Partition::directory(int32_t broker) const {
    auto at = std::ranges::find(replicas, broker);
    auto index = static_cast<size_t>(at - replicas.begin());
    return index < directories.size() ? directories[index] : kMigratingDirectory;
}

const ConfigMap& Configs::of(const ConfigResource& resource) const {
    static const ConfigMap kNone;
    const ConfigMap* found = by_resource.find(resource);
    return found == nullptr ? kNone : *found;
}

const ConfigMap& Configs::of_topic(std::string_view name) const {
    return of({ConfigResourceType::Topic, std::string(name)});
}

const ConfigMap& Configs::of_broker(int32_t id) const {
    return of({ConfigResourceType::Broker, std::to_string(id)});
}

const ConfigMap& Configs::cluster_default() const {
    return of({ConfigResourceType::Broker, ""});
}

bool Image::same_content(const Image& other) const {
    return features == other.features && cluster == other.cluster && topics == other.topics &&
           configs == other.configs && client_quotas == other.client_quotas &&
           producer_ids == other.producer_ids && acls == other.acls && scram == other.scram &&
           delegation_tokens == other.delegation_tokens;
}

ImagePtr empty_image() {
    static const ImagePtr kEmpty = std::make_shared<const Image>();
    return kEmpty;
}

}  // namespace moldau::metadata
