#include "broker/handlers/produce_entries.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "base/uuid.h"
#include "record/batch.h"

namespace moldau::broker {

namespace {

using protocol::ByteView;
using protocol::ProduceRequestView;

bool is_transactional(ByteView records) {
    return records.size() >= record::kBatchHeaderBytes &&
           records[record::kMagicPosition] == record::kMagicV2 &&
           record::BatchHeader::read(records.data()).is_transactional();
}

// Where each topic is answered; empty when none is named twice.
std::vector<size_t> merge_topics(const ProduceRequestView& message) {
    struct Named {
        std::string_view name;
        Uuid id;
        size_t number;
        auto key() const { return std::tie(name, id); }
    };
    std::vector<Named> topics;
    for (const auto& topic : message.topic_data) {
        topics.push_back({topic.name, topic.topic_id, topics.size()});
    }
    std::ranges::sort(topics, [](const Named& a, const Named& b) {
        return std::tie(a.name, a.id, a.number) < std::tie(b.name, b.id, b.number);
    });
    auto same = [](const Named& a, const Named& b) { return a.key() == b.key(); };
    if (std::ranges::adjacent_find(topics, same) == topics.end()) {
        return {};
    }
    // First the number in the request of the one it is answered with, then that one's in the
    // answer.
    std::vector<size_t> numbers(topics.size());
    for (size_t i = 0; i < topics.size(); ++i) {
        bool again = i > 0 && same(topics[i - 1], topics[i]);
        numbers[topics[i].number] = again ? numbers[topics[i - 1].number] : topics[i].number;
    }
    size_t answered = 0;
    for (size_t number = 0; number < numbers.size(); ++number) {
        numbers[number] = numbers[number] == number ? answered++ : numbers[numbers[number]];
    }
    return numbers;
}

// Which entries a later one replaces; empty when none is.
std::vector<bool> find_replaced(const ProduceRequestView& message,
                                const std::vector<size_t>& topic_in_answer) {
    struct Entry {
        size_t topic;
        int32_t partition;
        size_t number;
        auto operator<=>(const Entry&) const = default;
    };
    std::vector<Entry> entries;
    size_t topic_number = 0;
    for (const auto& topic : message.topic_data) {
        size_t in_answer = topic_in_answer.empty() ? topic_number : topic_in_answer[topic_number];
        ++topic_number;
        for (const auto& partition : topic.partition_data) {
            entries.push_back({in_answer, partition.index, entries.size()});
        }
    }
    std::ranges::sort(entries);
    std::vector<bool> replaced;
    for (size_t i = 1; i < entries.size(); ++i) {
        const Entry& before = entries[i - 1];
        if (before.topic == entries[i].topic && before.partition == entries[i].partition) {
            replaced.resize(entries.size());
            replaced[before.number] = true;
        }
    }
    return replaced;
}

}  // namespace

ProduceEntries entries_of(const ProduceRequestView& message) {
    ProduceEntries entries;
    // What clients send in rising order, or alone, names nothing twice.
    bool rising = true;
    for (const auto& topic : message.topic_data) {
        int64_t before = -1;
        for (const auto& partition : topic.partition_data) {
            rising = rising && partition.index > before;
            before = partition.index;
            entries.transactional = entries.transactional ||
                                    (partition.records && is_transactional(*partition.records));
        }
    }
    if (message.topic_data.size() > 1) {
        entries.topic_in_answer = merge_topics(message);
    }
    if (!rising || !entries.topic_in_answer.empty()) {
        entries.replaced = find_replaced(message, entries.topic_in_answer);
    }
    return entries;
}

}  // namespace moldau::broker
