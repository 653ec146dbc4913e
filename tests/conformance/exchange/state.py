"""What a server says of itself in the protocol: everything that must be the same when another one answers."""
from harness.messages import Caller
from harness.node import wait_until

TOPIC, BROKER = 2, 4
DYNAMIC_SOURCES = {1: "topic", 2: "broker", 3: "cluster"}
EARLIEST, LATEST, MAX_TIMESTAMP = -2, -1, -3
# A coordinator that has not read its log yet; a broker that has not learnt what it leads.
NOT_YET = {14, 15, 16}
NOT_LEADER_YET = {3, 5, 6}


def ask(node, api, version, values):
    with Caller(node.port) as caller:
        return caller.ask(api, version, values)


def topics(node):
    """name: (topic id, number of partitions)"""
    answer = ask(node, "Metadata", 12, {"Topics": None})
    return {topic["Name"]: (topic["TopicId"].hex(), len(topic["Partitions"])) for topic in answer["Topics"]}


def configs(node, topic_names):
    """What was set, for topics, the broker and the cluster."""
    resources = [{"ResourceType": TOPIC, "ResourceName": name, "ConfigurationKeys": None} for name in topic_names]
    resources += [{"ResourceType": BROKER, "ResourceName": name, "ConfigurationKeys": None} for name in ("1", "")]
    answer = ask(node, "DescribeConfigs", 4, {"Resources": resources})
    return {(result["ResourceName"], entry["Name"]): entry["Value"]
            for result in answer["Results"] for entry in result["Configs"]
            if DYNAMIC_SOURCES.get(entry["ConfigSource"])
            == {TOPIC: "topic"}.get(result["ResourceType"], "cluster" if result["ResourceName"] == "" else "broker")}


def offsets(node, partitions, which):
    """(topic, partition): offset"""
    def answer():
        topics = ask(node, "ListOffsets", 7, {"ReplicaId": -1, "Topics": [
            {"Name": name, "Partitions": [{"PartitionIndex": index, "Timestamp": which} for index in range(count)]}
            for name, count in partitions.items()]})["Topics"]
        errors = {one["ErrorCode"] for topic in topics for one in topic["Partitions"]}
        assert errors <= NOT_LEADER_YET | {0}, errors
        return topics if errors == {0} else None
    return {(topic["Name"], one["PartitionIndex"]): one["Offset"]
            for topic in wait_until(answer, what="the leaders of all partitions") for one in topic["Partitions"]}


def epoch_ends(node, partitions):
    """(topic, partition, epoch): its end, of every epoch that holds records"""
    answer = ask(node, "Metadata", 12, {"Topics": [{"Name": name} for name in partitions]})
    latest = max(one["LeaderEpoch"] for topic in answer["Topics"] for one in topic["Partitions"])
    found, ends = {}, {}
    for epoch in range(latest + 1):
        answer = ask(node, "OffsetForLeaderEpoch", 4, {"ReplicaId": -1, "Topics": [
            {"Topic": name, "Partitions": [{"Partition": index, "LeaderEpoch": epoch} for index in range(count)]}
            for name, count in partitions.items()]})
        for topic in answer["Topics"]:
            for one in topic["Partitions"]:
                assert one["ErrorCode"] == 0, one
                place = topic["Topic"], one["Partition"]
                if one["LeaderEpoch"] == epoch and one["EndOffset"] > ends.get(place, 0):
                    found[*place, epoch] = ends[place] = one["EndOffset"]
    return found


def producers(node, partitions):
    """(topic, partition): what is known of each producer"""
    answer = ask(node, "DescribeProducers", 0, {"Topics": [
        {"Name": name, "PartitionIndexes": list(range(count))} for name, count in partitions.items()]})
    return {(topic["Name"], one["PartitionIndex"]): sorted(
                tuple(producer[key] for key in ("ProducerId", "ProducerEpoch", "LastSequence",
                                                "CurrentTxnStartOffset"))
                for producer in one["ActiveProducers"])
            for topic in answer["Topics"] for one in topic["Partitions"]}


def committed(node, group):
    """(topic, partition): (offset, leader epoch, note)"""
    def answer():
        [found] = ask(node, "OffsetFetch", 8, {"Groups": [{"GroupId": group, "Topics": None}]})["Groups"]
        assert found["ErrorCode"] in NOT_YET | {0}, found
        return found if found["ErrorCode"] == 0 else None
    return {(topic["Name"], one["PartitionIndex"]):
                (one["CommittedOffset"], one["CommittedLeaderEpoch"], one["Metadata"])
            for topic in wait_until(answer, what=f"the offsets of {group}")["Topics"] for one in topic["Partitions"]}


def group(node, name):
    """State, protocol and members."""
    def answer():
        [found] = ask(node, "DescribeGroups", 5, {"Groups": [name]})["Groups"]
        assert found["ErrorCode"] in NOT_YET | {0}, found
        return found if found["ErrorCode"] == 0 else None
    found = wait_until(answer, what=f"the group {name}")
    return (found["GroupState"], found["ProtocolType"], found["ProtocolData"],
            sorted((member["MemberId"], member["ClientId"], member["MemberMetadata"].hex(),
                    member["MemberAssignment"].hex()) for member in found["Members"]))


def groups(node):
    def answer():
        found = ask(node, "ListGroups", 4, {})
        return found if found["ErrorCode"] == 0 else None
    return sorted(one["GroupId"] for one in wait_until(answer, what="the list of groups")["Groups"])


def whole(node, partitions, group_names, timestamp):
    """Everything, of the given topics (name: number of partitions)."""
    found_topics = topics(node)
    earliest = offsets(node, partitions, EARLIEST)
    return {
        "topics": found_topics,
        "configs": configs(node, found_topics),
        "earliest": earliest,
        "latest": offsets(node, partitions, LATEST),
        # Kafka may name a record of a batch whose first records were deleted.
        "at max timestamp": {place: max(offset, earliest[place])
                             for place, offset in offsets(node, partitions, MAX_TIMESTAMP).items()},
        "at timestamp": offsets(node, partitions, timestamp),
        "epochs": epoch_ends(node, partitions),
        "producers": producers(node, partitions),
        "committed": {name: committed(node, name) for name in group_names},
        "members": {name: group(node, name) for name in group_names},
        "groups": groups(node),  # of the coordinators that have read their logs, by now those of all groups
    }
