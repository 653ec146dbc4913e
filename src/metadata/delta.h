// Delta: one image on its way to the next. The metadata loader replays committed records into it
// and then asks for the new image; publishers ask it what changed, so that a change of one topic
// costs them one topic. Everything but the touched entries is shared between the two images.
// Belongs to one thread until apply(); after that it is read-only and may be read like an image.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/result.h"
#include "metadata/image.h"
#include "protocol/records/metadata.h"

namespace moldau::metadata {

struct TopicChange {
    std::string name;
    bool created = false;          // the topic id was not in the previous image
    std::set<int32_t> partitions;  // new or changed ones
};

class Delta {
 public:
    // Records continue from `previous`.
    explicit Delta(ImagePtr previous);
    // Records are a whole snapshot: they start from nothing and what they do not name is gone. The
    // changes are still told against `previous`.
    static Delta of_snapshot(ImagePtr previous);
    // What leads from one finished image to another; already applied.
    static Delta between(ImagePtr previous, const Image& next);

    // Errors: as metadata::replay. The delta is then unchanged.
    Status replay(const protocol::MetadataRecord& record);

    // The state with all records replayed so far; final only after apply().
    const Image& next() const { return next_; }
    // Ends the replay and returns the image, which is said to reflect `provenance`. Call once.
    ImagePtr apply(const Provenance& provenance);

    const Image& previous() const { return *previous_; }
    bool is_snapshot() const { return is_snapshot_; }

    // What differs between previous and new image; complete after apply(). Entries may turn out
    // equal: a value that changed and changed back is still listed.
    const std::set<std::string>& changed_features() const { return features_; }
    const std::set<int32_t>& changed_brokers() const { return brokers_; }  // removed ones too
    const std::set<int32_t>& changed_controllers() const { return controllers_; }
    const std::map<Uuid, TopicChange>& changed_topics() const {
        return topics_;
    }  // not the deleted
    // Topics of the previous image that are gone, with their names. A topic deleted and made again
    // under the same name is here with its old id and in changed_topics() with its new one.
    const std::map<Uuid, std::string>& deleted_topics() const { return deleted_topics_; }
    const std::set<ConfigResource>& changed_configs() const { return configs_; }
    const std::set<QuotaEntity>& changed_quotas() const { return quotas_; }
    bool producer_ids_changed() const { return producer_ids_; }
    bool acls_changed() const { return acls_; }
    bool scram_changed() const { return scram_; }
    bool delegation_tokens_changed() const { return delegation_tokens_; }
    bool topics_changed() const { return !topics_.empty() || !deleted_topics_.empty(); }

 private:
    struct Note;

    void compare_with_previous();

    ImagePtr previous_;
    Image next_;
    bool is_snapshot_ = false;

    std::set<std::string> features_;
    std::set<int32_t> brokers_;
    std::set<int32_t> controllers_;
    std::map<Uuid, TopicChange> topics_;
    std::map<Uuid, std::string> deleted_topics_;
    std::set<ConfigResource> configs_;
    std::set<QuotaEntity> quotas_;
    bool producer_ids_ = false;
    bool acls_ = false;
    bool scram_ = false;
    bool delegation_tokens_ = false;
};

}  // namespace moldau::metadata
