#include "quorum/control_batch.h"

#include "protocol/records/control.h"
#include "record/builder.h"

namespace moldau::quorum {

namespace {

constexpr int16_t kRecordVersion = 0;

class ControlBatchBuilder {
 public:
    ControlBatchBuilder(Offset base, LeaderEpoch epoch, TimestampMs now) : now_(now) {
        record::BatchOptions& options = builder_.options();
        options.base_offset = base;
        options.leader_epoch = epoch.value();
        options.control = true;
    }

    template <typename Message>
    void append(record::ControlType type, const Message& message) {
        auto key = record::control_key(type);
        Bytes value = protocol::encode(message, kRecordVersion);
        builder_.append(now_,
                        std::string_view(reinterpret_cast<const char*>(key.data()), key.size()),
                        value.view());
    }
    void append_kraft_version(int16_t version) {
        protocol::KRaftVersionRecord record;
        record.k_raft_version = version;
        append(record::ControlType::KRaftVersion, record);
    }
    void append_voters(const consensus::VoterSet& voters) {
        protocol::VotersRecord record;
        for (const auto& [id, voter] : voters.voters()) {
            protocol::VotersRecord::Voter& entry = record.voters.emplace_back();
            entry.voter_id = id.value();
            entry.voter_directory_id = voter.key.directory;
            for (const consensus::Endpoint& endpoint : voter.endpoints) {
                protocol::VotersRecord::Endpoint& to = entry.endpoints.emplace_back();
                to.name = endpoint.listener;
                to.host = endpoint.host;
                to.port = endpoint.port;
            }
            entry.k_raft_version_feature.min_supported_version = voter.kraft_version_min;
            entry.k_raft_version_feature.max_supported_version = voter.kraft_version_max;
        }
        append(record::ControlType::KRaftVoters, record);
    }
    Bytes build() { return builder_.build(); }

 private:
    record::BatchBuilder builder_;
    TimestampMs now_;
};

template <typename Message>
Result<Message> decode_record(const record::RecordView& record) {
    Bytes value = Bytes::copy_of(record.value.value_or(std::string_view()));
    protocol::Reader version_reader(value);
    int16_t version = version_reader.read_int16();
    if (version_reader.ok() && !Message::kVersions.contains(version)) {
        return fail(ErrorCode::UnsupportedVersion,
                    "control record of an unknown version: type={} version={} offset={}",
                    Message::kName, version, record.offset);
    }
    Result<Message> message = protocol::decode<Message>(value, version);
    if (!message) {
        return fail(ErrorCode::CorruptMessage, "control record is malformed: type={} offset={}",
                    Message::kName, record.offset);
    }
    return message;
}

std::vector<protocol::LeaderChangeMessage::Voter> voters_of(const std::vector<BrokerId>& ids) {
    std::vector<protocol::LeaderChangeMessage::Voter> voters;
    for (BrokerId id : ids) {
        voters.emplace_back().voter_id = id.value();
    }
    return voters;
}

std::vector<BrokerId> ids_of(const std::vector<protocol::LeaderChangeMessage::Voter>& voters) {
    std::vector<BrokerId> ids;
    for (const auto& voter : voters) {
        ids.emplace_back(voter.voter_id);
    }
    return ids;
}

Result<consensus::VoterSet> voter_set_of(const protocol::VotersRecord& record) {
    std::vector<consensus::Voter> voters;
    std::set<int32_t> ids;
    for (const auto& entry : record.voters) {
        if (!ids.insert(entry.voter_id).second) {
            return fail(ErrorCode::CorruptMessage, "voter named twice: id={}", entry.voter_id);
        }
        consensus::Voter& voter = voters.emplace_back();
        voter.key = {BrokerId(entry.voter_id), entry.voter_directory_id};
        for (const auto& endpoint : entry.endpoints) {
            voter.endpoints.push_back({endpoint.name, endpoint.host, endpoint.port});
        }
        voter.kraft_version_min = entry.k_raft_version_feature.min_supported_version;
        voter.kraft_version_max = entry.k_raft_version_feature.max_supported_version;
    }
    if (voters.empty()) {
        return fail(ErrorCode::CorruptMessage, "voter set is empty");
    }
    return consensus::VoterSet(std::move(voters));
}

Status decode_one(const record::RecordView& record, ControlContent& content) {
    std::optional<int16_t> type = record::control_type_of_key(record.key);
    if (!type) {
        return fail(ErrorCode::CorruptMessage, "control record has no type: offset={}",
                    record.offset);
    }
    switch (static_cast<record::ControlType>(*type)) {
        case record::ControlType::LeaderChange: {
            MOLDAU_TRY(auto message, decode_record<protocol::LeaderChangeMessage>(record));
            content.records.leader_change = consensus::ControlRecords::LeaderChange{
                BrokerId(message.leader_id), ids_of(message.voters),
                ids_of(message.granting_voters)};
            return {};
        }
        case record::ControlType::KRaftVersion: {
            MOLDAU_TRY(auto message, decode_record<protocol::KRaftVersionRecord>(record));
            content.records.kraft_version = std::pair(record.offset, message.k_raft_version);
            return {};
        }
        case record::ControlType::KRaftVoters: {
            MOLDAU_TRY(auto message, decode_record<protocol::VotersRecord>(record));
            MOLDAU_TRY(consensus::VoterSet voters, voter_set_of(message));
            content.records.voters = std::pair(record.offset, std::move(voters));
            return {};
        }
        case record::ControlType::SnapshotHeader: {
            MOLDAU_TRY(auto message, decode_record<protocol::SnapshotHeaderRecord>(record));
            content.snapshot_timestamp = message.last_contained_log_timestamp;
            return {};
        }
        case record::ControlType::SnapshotFooter: {
            content.is_snapshot_footer = true;
            return {};
        }
        case record::ControlType::Abort:
        case record::ControlType::Commit:
            break;
    }
    return {};
}

}  // namespace

Bytes encode_control_batch(const consensus::ControlRecords& records, Offset base, LeaderEpoch epoch,
                           TimestampMs now) {
    ControlBatchBuilder builder(base, epoch, now);
    if (records.leader_change) {
        protocol::LeaderChangeMessage message;
        message.leader_id = records.leader_change->leader.value();
        message.voters = voters_of(records.leader_change->voters);
        message.granting_voters = voters_of(records.leader_change->granting);
        builder.append(record::ControlType::LeaderChange, message);
    }
    if (records.kraft_version) {
        builder.append_kraft_version(records.kraft_version->second);
    }
    if (records.voters) {
        builder.append_voters(records.voters->second);
    }
    return builder.build();
}

Bytes encode_snapshot_header(TimestampMs last_contained_log_timestamp,
                             std::optional<int16_t> kraft_version,
                             const std::optional<consensus::VoterSet>& voters, LeaderEpoch epoch,
                             TimestampMs now) {
    ControlBatchBuilder builder(Offset(0), epoch, now);
    protocol::SnapshotHeaderRecord header;
    header.last_contained_log_timestamp = last_contained_log_timestamp;
    builder.append(record::ControlType::SnapshotHeader, header);
    if (kraft_version) {
        builder.append_kraft_version(*kraft_version);
    }
    if (voters) {
        builder.append_voters(*voters);
    }
    return builder.build();
}

Bytes encode_snapshot_footer(Offset base, LeaderEpoch epoch, TimestampMs now) {
    ControlBatchBuilder builder(base, epoch, now);
    builder.append(record::ControlType::SnapshotFooter, protocol::SnapshotFooterRecord());
    return builder.build();
}

Result<ControlContent> decode_control_batch(const record::BatchView& batch) {
    ControlContent content;
    MOLDAU_TRY(Bytes payload, batch.uncompressed_payload());
    record::RecordReader reader(batch.header(), payload);
    while (reader.next()) {
        MOLDAU_CHECK(decode_one(reader.record(), content));
    }
    if (!reader.status()) {
        return fail(ErrorCode::CorruptMessage, "{}", reader.status().error().message);
    }
    return content;
}

}  // namespace moldau::quorum
