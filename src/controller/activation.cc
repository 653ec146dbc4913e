#include "controller/activation.h"

#include "metadata/features.h"

namespace moldau::controller {

namespace {

using metadata::Records;

int16_t level_in(const Records& records, std::string_view feature) {
    int16_t level = 0;
    for (const auto& versioned : records) {
        const auto* record = std::get_if<protocol::FeatureLevelRecord>(&versioned.record);
        if (record != nullptr && record->name == feature) {
            level = record->feature_level;
        }
    }
    return level;
}

metadata::VersionedRecord abort_record() {
    protocol::AbortTransactionRecord abort;
    abort.reason = "Controller failover";
    return {std::move(abort), 0};
}

}  // namespace

Activation activation_records(const View& view, const Records& bootstrap,
                              const std::string& bootstrap_source, int64_t transaction_offset) {
    Activation activation;
    if (view.state.is_bootstrapped()) {
        activation.message = "Performing controller activation.";
        if (transaction_offset >= 0) {
            activation.message += fmt::format(
                " Aborting in-progress metadata transaction at offset {}.", transaction_offset);
            activation.records.push_back(abort_record());
        }
        return activation;
    }
    int16_t mv = level_in(bootstrap, metadata::kMetadataVersionFeature);
    bool transaction = metadata::are_metadata_transactions_supported(mv);
    activation.message = "Performing controller activation. ";
    if (transaction_offset >= 0) {
        activation.message += fmt::format(
            "Aborting partial bootstrap records transaction at offset {}. Re-appending ",
            transaction_offset);
        activation.records.push_back(abort_record());
    } else {
        activation.message += "The metadata log appears to be empty. Appending ";
    }
    activation.message +=
        fmt::format("{} bootstrap record(s) {}at metadata.version {} from bootstrap source '{}'.",
                    bootstrap.size(), transaction ? "in metadata transaction " : "",
                    metadata::metadata_version_name(mv), bootstrap_source);
    if (transaction) {
        protocol::BeginTransactionRecord begin;
        begin.name = "Bootstrap records";
        activation.records.push_back({std::move(begin), 0});
        activation.atomic = false;
    }
    activation.records.insert(activation.records.end(), bootstrap.begin(), bootstrap.end());
    if (level_in(bootstrap, metadata::kElrVersionFeature) > 0) {
        protocol::ConfigRecord config;
        config.resource_type = static_cast<int8_t>(metadata::ConfigResourceType::Broker);
        config.name = "min.insync.replicas";
        config.value = std::to_string(view.config.log_config().min_insync_replicas);
        activation.records.push_back({std::move(config), 0});
    }
    if (transaction) {
        activation.records.push_back({protocol::EndTransactionRecord(), 0});
    }
    return activation;
}

}  // namespace moldau::controller
