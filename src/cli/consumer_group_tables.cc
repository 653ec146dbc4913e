#include "cli/consumer_group_tables.h"

#include <algorithm>

namespace moldau::cli {
namespace {

template <typename T>
std::string shown(const std::optional<T>& value) {
    return value ? fmt::format("{}", *value) : "-";
}

// "events:0,1;orders:0"
std::string assignment_text(const std::set<TopicPartition>& partitions) {
    std::map<std::string, std::vector<int32_t>> by_topic;
    for (const TopicPartition& tp : partitions) {
        by_topic[tp.topic].push_back(tp.partition);
    }
    std::vector<std::string> parts;
    for (const auto& [topic, indexes] : by_topic) {
        parts.push_back(fmt::format("{}:{}", topic, fmt::join(indexes, ",")));
    }
    return parts.empty() ? "-" : fmt::format("{}", fmt::join(parts, ";"));
}

std::optional<int64_t> lag(const OffsetRow& row) {
    if (!row.offset || *row.offset == -1 || !row.log_end_offset) {
        return std::nullopt;
    }
    return *row.log_end_offset - *row.offset;
}

}  // namespace

std::vector<OffsetRow> offset_rows(
    const client::GroupDescription& group,
    const std::map<TopicPartition, client::OffsetAndMetadata>& committed,
    const std::map<TopicPartition, int64_t>& log_end_offsets) {
    std::vector<OffsetRow> rows;
    std::set<TopicPartition> assigned;
    auto add = [&](const TopicPartition& tp, const client::MemberDescription* member) {
        OffsetRow row;
        row.group = group.id;
        row.partition = tp;
        if (auto found = committed.find(tp); found != committed.end()) {
            row.offset = found->second.offset;
            if (found->second.leader_epoch >= 0) {
                row.leader_epoch = found->second.leader_epoch;
            }
        }
        if (auto found = log_end_offsets.find(tp); found != log_end_offsets.end()) {
            row.log_end_offset = found->second;
        }
        if (member != nullptr) {
            row.consumer_id = member->member_id;
            row.host = member->host;
            row.client_id = member->client_id;
        }
        rows.push_back(std::move(row));
    };
    std::vector<const client::MemberDescription*> members;
    for (const auto& member : group.members) {
        if (!member.assignment.empty()) {
            members.push_back(&member);
        }
    }
    std::ranges::sort(members, [](const auto* a, const auto* b) {
        return a->assignment.size() != b->assignment.size()
                   ? a->assignment.size() > b->assignment.size()
                   : a->member_id < b->member_id;
    });
    for (const client::MemberDescription* member : members) {
        for (const TopicPartition& tp : member->assignment) {
            assigned.insert(tp);
            add(tp, member);
        }
    }
    for (const auto& [tp, offset] : committed) {
        if (!assigned.contains(tp)) {
            add(tp, nullptr);
        }
    }
    return rows;
}

std::string offsets_table(const std::vector<OffsetRow>& rows, bool verbose) {
    size_t group = 15;
    size_t topic = 15;
    size_t consumer = 15;
    size_t host = 15;
    for (const OffsetRow& row : rows) {
        group = std::max(group, row.group.size());
        topic = std::max(topic, row.partition ? row.partition->topic.size() : 1);
        consumer = std::max(consumer, row.consumer_id.size());
        host = std::max(host, row.host.size());
    }
    std::string text;
    auto line = [&](std::string_view g, std::string_view t, std::string_view p, std::string_view e,
                    std::string_view current, std::string_view end, std::string_view behind,
                    std::string_view id, std::string_view h, std::string_view c) {
        text += fmt::format("\n{:<{}} {:<{}} {:<10} ", g, group, t, topic, p);
        if (verbose) {
            text += fmt::format("{:<15} ", e);
        }
        text += fmt::format("{:<15} {:<15} {:<15} {:<{}} {:<{}} {}", current, end, behind, id,
                            consumer, h, host, c);
    };
    line("GROUP", "TOPIC", "PARTITION", "LEADER-EPOCH", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG",
         "CONSUMER-ID", "HOST", "CLIENT-ID");
    for (const OffsetRow& row : rows) {
        line(row.group, row.partition ? row.partition->topic : "-",
             row.partition ? fmt::format("{}", row.partition->partition) : "-",
             shown(row.leader_epoch), shown(row.offset), shown(row.log_end_offset), shown(lag(row)),
             row.consumer_id, row.host, row.client_id);
    }
    return text + "\n";
}

std::string members_table(const client::GroupDescription& group, bool verbose, bool any_rows) {
    size_t group_width = 15;
    size_t consumer = 15;
    size_t instance = 17;
    size_t host = 15;
    size_t client = 15;
    size_t current = 20;
    size_t target = 20;
    bool has_instance = false;
    bool has_classic = false;
    bool has_consumer = false;
    auto target_of = [](const client::MemberDescription& member) {
        return assignment_text(member.target_assignment.value_or(std::set<TopicPartition>()));
    };
    for (const auto& member : group.members) {
        if (!any_rows) {
            break;
        }
        group_width = std::max(group_width, group.id.size());
        consumer = std::max(consumer, member.member_id.size());
        instance = std::max(instance, member.group_instance_id.value_or("").size());
        host = std::max(host, member.host.size());
        client = std::max(client, member.client_id.size());
        has_instance = has_instance || !member.group_instance_id.value_or("").empty();
        current = std::max(current, assignment_text(member.assignment).size());
        target = std::max(target, target_of(member).size());
        has_classic = has_classic || member.upgraded == false;
        has_consumer = has_consumer || member.upgraded == true;
    }
    bool migrating = has_classic && has_consumer;
    std::string text = "\n";
    auto start = [&](std::string_view g, std::string_view id, std::string_view i,
                     std::string_view h, std::string_view c, std::string_view partitions) {
        text += fmt::format("{:<{}} {:<{}} ", g, group_width, id, consumer);
        if (has_instance) {
            text += fmt::format("{:<{}} ", i, instance);
        }
        text += fmt::format("{:<{}} {:<{}} {:<15} ", h, host, c, client, partitions);
    };
    auto detail = [&](std::string_view epoch, std::string_view now, std::string_view target_epoch,
                      std::string_view wanted, std::string_view upgraded) {
        text += fmt::format("{:<15} {:<{}} {:<15} {:<{}}", epoch, now, current, target_epoch,
                            wanted, target);
        if (migrating) {
            text += fmt::format(" {}", upgraded);
        }
    };
    start("GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS");
    if (verbose) {
        detail("CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT",
               "UPGRADED");
    }
    text += "\n";
    for (const auto& member : group.members) {
        start(group.id, member.member_id, member.group_instance_id.value_or(""), member.host,
              member.client_id, fmt::format("{}", member.assignment.size()));
        if (verbose) {
            detail(shown(member.epoch), assignment_text(member.assignment),
                   shown(group.target_epoch), target_of(member), shown(member.upgraded));
        }
        text += "\n";
    }
    return text;
}

std::string state_table(const client::GroupDescription& group, bool verbose) {
    std::string coordinator = fmt::format("{}:{}  ({})", group.coordinator.endpoint.host,
                                          group.coordinator.endpoint.port, group.coordinator.id);
    size_t group_width = std::max<size_t>(15, group.id.size());
    size_t coordinator_width = std::max<size_t>(25, coordinator.size());
    std::string text;
    auto line = [&](std::string_view g, std::string_view c, std::string_view a, std::string_view s,
                    std::string_view epoch, std::string_view target, std::string_view members) {
        text += fmt::format("\n{:<{}} {:<{}} {:<20} {:<20} ", g, group_width, c, coordinator_width,
                            a, s);
        if (verbose) {
            text += fmt::format("{:<15} {:<25} ", epoch, target);
        }
        text += members;
    };
    line("GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "GROUP-EPOCH",
         "TARGET-ASSIGNMENT-EPOCH", "#MEMBERS");
    line(group.id, coordinator, group.assignor.empty() ? "-" : group.assignor, group.state,
         shown(group.group_epoch), shown(group.target_epoch),
         fmt::format("{}", group.members.size()));
    return text + "\n";
}

std::string new_offsets_table(const NewOffsets& offsets) {
    size_t group_width = 15;
    size_t topic_width = 15;
    for (const auto& [group, partitions] : offsets) {
        group_width = std::max(group_width, group.size());
        for (const auto& [tp, offset] : partitions) {
            topic_width = std::max(topic_width, tp.topic.size());
        }
    }
    std::string text;
    if (!offsets.empty()) {
        text += fmt::format("\n{:<{}} {:<{}} {:<10} {}", "GROUP", group_width, "TOPIC", topic_width,
                            "PARTITION", "NEW-OFFSET");
    }
    for (const auto& [group, partitions] : offsets) {
        for (const auto& [tp, offset] : partitions) {
            text += fmt::format("\n{:<{}} {:<{}} {:<10} {}", group, group_width, tp.topic,
                                topic_width, tp.partition, offset);
        }
    }
    return text + "\n";
}

}  // namespace moldau::cli
