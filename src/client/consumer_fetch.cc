// The part of Consumer that finds out where to read and reads: committed offsets, offset look-ups,
// fetches.
#include <algorithm>

#include "client/consumer.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_fetch.h"

namespace moldau::client {
namespace {

// The last version with one group at the top level.
constexpr int16_t kOffsetFetchVersionMax = 7;

}  // namespace

void Consumer::start_lookups(MonotonicTime now) {
    std::vector<TopicPartition> uncommitted;
    std::map<Endpoint, std::map<TopicPartition, int64_t>> by_leader;
    bool leader_missing = false;
    std::shared_ptr<const Cluster> cluster = client_.cluster();
    {
        MutexLock lock(mutex_);
        for (auto& [tp, partition] : partitions_) {
            if (partition.fetch_offset || partition.looking_up) {
                continue;
            }
            if (!partition.reset_spec) {
                if (config_.group_id) {
                    uncommitted.push_back(tp);
                    continue;
                }
                reset(tp, partition);
                if (!partition.reset_spec) {
                    continue;
                }
            }
            if (now < partition.not_before) {
                continue;
            }
            const Node* leader = cluster->leader(tp);
            if (leader == nullptr) {
                leader_missing = true;
                partition.not_before = now + config_.retry_backoff;
                continue;
            }
            partition.looking_up = true;
            by_leader[leader->endpoint][tp] = *partition.reset_spec;
        }
    }
    if (leader_missing) {
        client_.request_update();
    }
    for (auto& [node, specs] : by_leader) {
        list_offsets(node, std::move(specs));
    }
    if (!uncommitted.empty() && !fetching_committed_ && now >= committed_not_before_) {
        if (coordinator_) {
            fetch_committed(uncommitted);
        } else {
            find_coordinator();
        }
    }
}

void Consumer::fetch_committed(const std::vector<TopicPartition>& partitions) {
    protocol::OffsetFetchRequest request;
    request.group_id = *config_.group_id;
    request.topics.emplace();
    request.require_stable = config_.isolation == Isolation::ReadCommitted;
    for (const TopicPartition& tp : partitions) {
        if (request.topics->empty() || request.topics->back().name != tp.topic) {
            request.topics->emplace_back().name = tp.topic;
        }
        request.topics->back().partition_indexes.push_back(tp.partition);
    }
    fetching_committed_ = true;
    client_.send<protocol::OffsetFetchResponse>(
        *coordinator_, std::move(request),
        [this](Result<protocol::OffsetFetchResponse> answer) {
            fetching_committed_ = false;
            if (stopped_) {
                return;
            }
            ErrorCode error =
                answer ? error_code_from_wire(answer->error_code) : answer.error().code;
            if (answer && error == ErrorCode::None) {
                MutexLock lock(mutex_);
                for (const auto& topic : answer->topics) {
                    for (const auto& told : topic.partitions) {
                        TopicPartition tp{topic.name, told.partition_index};
                        auto found = partitions_.find(tp);
                        if (found == partitions_.end() || found->second.fetch_offset ||
                            found->second.reset_spec) {
                            continue;
                        }
                        if (told.error_code != 0) {
                            error = error_code_from_wire(told.error_code);
                        } else if (told.committed_offset >= 0) {
                            place(found->second,
                                  {told.committed_offset, told.committed_leader_epoch});
                            found->second.committed = told.committed_offset;
                        } else {
                            reset(tp, found->second);
                        }
                    }
                }
            }
            if (error != ErrorCode::None) {
                committed_not_before_ = client_.now() + config_.retry_backoff;
                forget_coordinator(error);
                bool mends = is_retriable(error) || error == ErrorCode::NetworkException;
                if (!mends) {
                    MutexLock lock(mutex_);
                    raise({error,
                           fmt::format("committed offsets are not available: error={}", error)});
                }
            }
            step();
        },
        kOffsetFetchVersionMax);
}

void Consumer::list_offsets(const Endpoint& node, std::map<TopicPartition, int64_t> specs) {
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    request.isolation_level = static_cast<int8_t>(config_.isolation);
    Asked asked;
    std::shared_ptr<const Cluster> cluster = client_.cluster();
    {
        MutexLock lock(mutex_);
        for (const auto& [tp, spec] : specs) {
            if (request.topics.empty() || request.topics.back().name != tp.topic) {
                request.topics.emplace_back().name = tp.topic;
            }
            protocol::ListOffsetsRequest::ListOffsetsPartition one;
            one.partition_index = tp.partition;
            one.timestamp = spec;
            if (const PartitionInfo* info = cluster->partition(tp); info != nullptr) {
                one.current_leader_epoch = info->leader_epoch;
            }
            request.topics.back().partitions.push_back(std::move(one));
            asked[tp] = {partitions_.at(tp).generation, spec};
        }
    }
    client_.send<protocol::ListOffsetsResponse>(
        node, std::move(request),
        [this, asked = std::move(asked)](Result<protocol::ListOffsetsResponse> answer) {
            if (stopped_) {
                return;
            }
            MonotonicTime now = client_.now();
            std::map<TopicPartition, std::pair<ErrorCode, int64_t>> told;
            if (answer) {
                for (const auto& topic : answer->topics) {
                    for (const auto& partition : topic.partitions) {
                        told[{topic.name, partition.partition_index}] = {
                            error_code_from_wire(partition.error_code), partition.offset};
                    }
                }
            }
            bool update = false;
            {
                MutexLock lock(mutex_);
                for (const auto& [tp, sent] : asked) {
                    Partition* asked_of = still_asked(tp, sent.first);
                    if (asked_of == nullptr) {
                        continue;
                    }
                    Partition& partition = *asked_of;
                    partition.looking_up = false;
                    auto result = told.find(tp);
                    ErrorCode error =
                        result == told.end() ? ErrorCode::NetworkException : result->second.first;
                    if (error == ErrorCode::None) {
                        int64_t offset = result->second.second;
                        if (offset >= 0) {
                            place(partition, {offset});
                        } else {
                            // No record is that young: start at the end.
                            partition.reset_spec = offset_spec::kLatest;
                        }
                        continue;
                    }
                    partition.not_before = now + config_.retry_backoff;
                    update = true;
                    if (!is_retriable(error) && error != ErrorCode::NetworkException) {
                        raise({error, fmt::format("offsets of {} are not available: error={}",
                                                  tp.str(), error)});
                    }
                }
            }
            if (update) {
                client_.request_update();
            }
            step();
        });
}

void Consumer::start_fetches(MonotonicTime now) {
    struct Fetch {
        Endpoint endpoint;
        FetchSession::Targets targets;
        Asked asked;
    };
    std::map<int32_t, Fetch> fetches;
    bool leader_missing = false;
    std::shared_ptr<const Cluster> cluster = client_.cluster();
    {
        MutexLock lock(mutex_);
        for (auto& [tp, partition] : partitions_) {
            bool wants = partition.fetch_offset && !partition.fetching && !partition.leaving &&
                         !partition.validating && partition.buffered == 0 &&
                         now >= partition.not_before;
            if (!wants) {
                continue;
            }
            const Node* leader = cluster->leader(tp);
            if (leader == nullptr) {
                leader_missing = true;
                partition.not_before = now + config_.retry_backoff;
                continue;
            }
            if (fetching_nodes_.contains(leader->id)) {
                continue;
            }
            Fetch& fetch = fetches[leader->id];
            fetch.endpoint = leader->endpoint;
            fetch.targets[tp] = {cluster->topic(tp.topic)->id, *partition.fetch_offset,
                                 cluster->partition(tp)->leader_epoch, config_.partition_bytes_max};
            fetch.asked[tp] = {partition.generation, *partition.fetch_offset};
            partition.fetching = true;
        }
    }
    if (leader_missing) {
        client_.request_update();
    }
    for (auto& [node, fetch] : fetches) {
        protocol::FetchRequest request;
        request.replica_id = -1;
        request.max_wait_ms = static_cast<int32_t>(to_ms(config_.fetch_wait_max));
        request.min_bytes = config_.fetch_bytes_min;
        request.max_bytes = config_.fetch_bytes_max;
        request.isolation_level = static_cast<int8_t>(config_.isolation);
        request.rack_id = config_.client_rack;
        int16_t version_max = sessions_[node].ask(fetch.targets, request);
        fetching_nodes_.insert(node);
        client_.send<protocol::FetchResponse>(
            fetch.endpoint, std::move(request),
            [this, node, asked = std::move(fetch.asked)](Result<protocol::FetchResponse> answer) {
                fetching_nodes_.erase(node);
                if (!stopped_) {
                    on_fetched(node, asked, std::move(answer));
                }
            },
            version_max);
    }
}

// Frees the brokers' memory of us. Nobody waits for the answers: brokers forget on their own, too.
void Consumer::end_sessions() {
    std::shared_ptr<const Cluster> cluster = client_.cluster();
    for (const auto& [id, session] : sessions_) {
        auto node = cluster->brokers.find(id);
        protocol::FetchRequest request;
        if (node != cluster->brokers.end() && session.end(request)) {
            client_.send<protocol::FetchResponse>(node->second.endpoint, std::move(request),
                                                  [](Result<protocol::FetchResponse>) {});
        }
    }
}

void Consumer::on_fetched(int32_t node, const Asked& asked,
                          Result<protocol::FetchResponse> answer) {
    FetchSession& session = sessions_[node];
    Result<FetchSession::Told> told = fail(ErrorCode::NetworkException, "no answer");
    if (answer) {
        told = session.accept(*answer);
    } else {
        session.lose();
    }
    // A session that has to be opened anew is no reason to wait.
    bool failed = !told && told.error().code != ErrorCode::FetchSessionIdNotFound &&
                  told.error().code != ErrorCode::InvalidFetchSessionEpoch;
    MonotonicTime now = client_.now();
    {
        MutexLock lock(mutex_);
        for (const auto& [tp, sent] : asked) {
            Partition* asked_of = still_asked(tp, sent.first);
            if (asked_of == nullptr) {
                continue;
            }
            Partition& partition = *asked_of;
            partition.fetching = false;
            if (!told) {
                if (failed) {
                    partition.not_before = now + config_.retry_backoff;
                }
            } else if (auto data = told->find(tp); data != told->end()) {
                take_partition(tp, partition, sent.second, *data->second);
            }
            failed = failed || partition.not_before > now;
        }
    }
    if (failed) {
        client_.request_update();
    }
    changed_.notify_all();
    step();
}

void Consumer::take_partition(const TopicPartition& tp, Partition& partition, int64_t asked_offset,
                              protocol::FetchResponse::PartitionData& told) {
    ErrorCode error = error_code_from_wire(told.error_code);
    if (error == ErrorCode::OffsetOutOfRange) {
        reset(tp, partition);
        return;
    }
    if (error != ErrorCode::None) {
        partition.not_before = client_.now() + config_.retry_backoff;
        if (!is_retriable(error) && error != ErrorCode::FencedLeaderEpoch) {
            raise({error, fmt::format("{} cannot be fetched: error={}", tp.str(), error)});
        }
        return;
    }
    partition.high_watermark = told.high_watermark;
    if (!told.records || told.records->empty()) {
        return;
    }
    std::vector<AbortedTransaction> aborted;
    if (told.aborted_transactions) {
        for (const auto& transaction : *told.aborted_transactions) {
            aborted.push_back({transaction.producer_id, transaction.first_offset});
        }
    }
    auto fetched = read_fetched(tp, std::move(*told.records), asked_offset,
                                config_.isolation == Isolation::ReadCommitted, std::move(aborted),
                                config_.check_crcs);
    if (!fetched) {
        partition.not_before = client_.now() + config_.retry_backoff;
        raise(std::move(fetched).error());
        return;
    }
    partition.fetch_offset = fetched->next_offset;
    partition.fetch_epoch = fetched->leader_epoch;
    if (fetched->records.empty()) {
        // Only control records or aborted ones: the application has nothing to see here.
        if (partition.buffered == 0) {
            partition.consumed = fetched->next_offset;
        }
        return;
    }
    partition.buffered += fetched->records.size();
    ready_.push_back(
        {tp, partition.generation, std::move(fetched->records), 0, fetched->next_offset});
}

}  // namespace moldau::client
