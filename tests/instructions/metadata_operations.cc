// Metadata and ApiVersions: answers out of the metadata image.
#include <string>

#include <fmt/format.h>

#include "broker/handlers/18_api_versions.h"
#include "broker/metadata_answers.h"
#include "operation.h"

namespace moldau::instructions {
namespace {

constexpr int16_t kMetadataVersion = 12;
constexpr int16_t kApiVersionsVersion = 4;
constexpr int kTopics = 100;
constexpr int32_t kPartitions = 3;

std::string topic_name(int i) {
    return fmt::format("orders.region-{:03}.v1", i);
}

// Three brokers; a hundred topics of three partitions, each on all of them.
metadata::Image image_of_cluster() {
    metadata::Image image;
    for (int32_t id = 1; id <= 3; ++id) {
        metadata::Broker broker;
        broker.id = id;
        broker.fenced = false;
        broker.endpoints.push_back({"PLAINTEXT", fmt::format("broker-{}.example", id), 9092, 0});
        image.cluster.brokers.put(id, broker);
    }
    for (int i = 0; i < kTopics; ++i) {
        metadata::Topic topic;
        topic.name = topic_name(i);
        topic.id = Uuid{7, static_cast<uint64_t>(i) + 1};
        for (int32_t index = 0; index < kPartitions; ++index) {
            metadata::Partition partition;
            partition.replicas = {1, 2, 3};
            partition.isr = {1, 2, 3};
            partition.directories = {{9, 1}, {9, 2}, {9, 3}};
            partition.leader = 1 + index;
            partition.leader_epoch = 5;
            topic.partitions.put(index, partition);
        }
        image.topics.ids.put(topic.name, topic.id);
        image.topics.by_id.put(topic.id, topic);
    }
    return image;
}

class Metadata {
 public:
    explicit Metadata(int topics) {
        protocol::MetadataRequest request;
        request.topics.emplace();
        for (int i = 0; i < topics; ++i) {
            request.topics->emplace_back().name = topic_name(i);
        }
        body_ = protocol::encode(request, kMetadataVersion);
    }

    void once() {
        auto request = protocol::MetadataRequestView::parse(body_, kMetadataVersion);
        must(request.has_value(), "a metadata request that can be read");
        auto answer = broker::MetadataAnswer::find(
            image_, *request, {"b3JkZXJzLWNsdXN0ZXItMDE", "PLAINTEXT", kMetadataVersion});
        must(answer && answer->topics_to_create(true).empty(), "topics that exist");
        (void)framed(*answer, kMetadataVersion);
    }

 private:
    metadata::Image image_ = image_of_cluster();
    Bytes body_;
};

struct MetadataOneTopic : Metadata {
    MetadataOneTopic() : Metadata(1) {}
};
struct MetadataHundredTopics : Metadata {
    MetadataHundredTopics() : Metadata(kTopics) {}
};

class ApiVersions {
 public:
    ApiVersions() {
        protocol::ApiVersionsRequest request;
        request.client_software_name = "apache-kafka-java";
        request.client_software_version = "4.3.1";
        body_ = protocol::encode(request, kApiVersionsVersion);
    }

    void once() {
        auto request = protocol::decode<protocol::ApiVersionsRequest>(body_, kApiVersionsVersion);
        must(request && broker::is_valid_software_word(request->client_software_name) &&
                 broker::is_valid_software_word(request->client_software_version),
             "an ApiVersions request that can be read");
        (void)framed(broker::answer_api_versions([](protocol::ApiKey) { return true; }, image_, 1,
                                                 kApiVersionsVersion),
                     kApiVersionsVersion);
    }

 private:
    metadata::Image image_ = image_of_cluster();
    Bytes body_;
};

}  // namespace

void drive_metadata() {
    drive<MetadataOneTopic>("MetadataOneTopic", 500);
    drive<MetadataHundredTopics>("MetadataHundredTopics", 50);
    drive<ApiVersions>("ApiVersions", 500);
}

}  // namespace moldau::instructions
