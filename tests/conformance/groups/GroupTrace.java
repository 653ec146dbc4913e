// Speaks the group protocol to a node, request by request in every version, and prints each answer as
// one line of JSON with ids made neutral. Run against Moldau and against Apache Kafka, the two traces
// must be the same text.
//
//   java -cp 'JARS/*' GroupTrace.java HOST PORT
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.ResponseHeader;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.*;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class GroupTrace {
    static String host;
    static int port;
    static final Pattern ID = Pattern.compile("[\\w.-]*-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
    static final Map<String, String> NAMES = new LinkedHashMap<>();

    // One client with a connection of its own, so that its parked requests hold up nobody else.
    static class Client implements AutoCloseable {
        final Socket socket = new Socket(host, port);
        final DataInputStream in = new DataInputStream(socket.getInputStream());
        final DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        ApiKeys api;
        short version;
        int correlation = 0;

        Client() throws Exception {
            socket.setTcpNoDelay(true);
        }

        void send(ApiKeys key, int requestVersion, ApiMessage data) throws Exception {
            api = key;
            version = (short) requestVersion;
            RequestHeader header = new RequestHeader(key, version, "client", ++correlation);
            ByteBuffer head = MessageUtil.toByteBufferAccessor(header.data(), header.headerVersion()).buffer();
            ByteBuffer body = MessageUtil.toByteBufferAccessor(data, version).buffer();
            byte[] frame = new byte[head.remaining() + body.remaining()];
            int size = head.remaining();
            head.get(frame, 0, size);
            body.get(frame, size, frame.length - size);
            out.writeInt(frame.length);
            out.write(frame);
            out.flush();
        }

        // The answer, or null when none comes in time.
        ApiMessage receive(int millis) throws Exception {
            socket.setSoTimeout(millis);
            int length;
            try {
                length = in.readInt();
            } catch (SocketTimeoutException e) {
                return null;
            }
            socket.setSoTimeout(30000);
            byte[] frame = in.readNBytes(length);
            ByteBuffer buffer = ByteBuffer.wrap(frame);
            ResponseHeader.parse(buffer, api.responseHeaderVersion(version));
            return AbstractResponse.parseResponse(api, new ByteBufferAccessor(buffer), version).data();
        }

        ApiMessage ask(ApiKeys key, int requestVersion, ApiMessage data) throws Exception {
            send(key, requestVersion, data);
            return receive(20000);
        }

        public void close() throws Exception {
            socket.close();
        }
    }

    static Client client;

    static JsonNode json(ApiMessage data, short version) throws Exception {
        Class<?> converter = Class.forName(data.getClass().getName() + "JsonConverter");
        return (JsonNode) converter.getMethod("write", data.getClass(), short.class).invoke(null, data, version);
    }

    // Lists whose order means nothing are sorted.
    static void sort(JsonNode node) {
        if (node instanceof ObjectNode object) {
            object.fields().forEachRemaining(field -> sort(field.getValue()));
        } else if (node instanceof ArrayNode array) {
            array.forEach(GroupTrace::sort);
            List<JsonNode> items = new ArrayList<>();
            array.forEach(items::add);
            items.sort(Comparator.comparing(item -> neutral(item.toString())));
            array.removeAll();
            array.addAll(items);
        }
    }

    static String neutral(String text) {
        Matcher matcher = ID.matcher(text);
        StringBuilder out = new StringBuilder();
        while (matcher.find()) {
            matcher.appendReplacement(out, NAMES.computeIfAbsent(matcher.group(), id -> "member" + NAMES.size()));
        }
        matcher.appendTail(out);
        return out.toString().replace("\"port\":" + port, "\"port\":PORT").replace(topicId.toString(), "TOPIC-ID");
    }

    static Uuid topicId = Uuid.randomUuid();

    static ApiMessage show(String what, Client from, ApiMessage answer) throws Exception {
        if (answer == null) {
            System.out.println(what + " -> (waits)");
            return null;
        }
        JsonNode node = json(answer, from.version);
        sort(node);
        System.out.println(what + " -> " + neutral(node.toString()));
        return answer;
    }

    static ApiMessage ask(String what, ApiKeys key, int version, ApiMessage data) throws Exception {
        return show(what + " v" + version, client, client.ask(key, version, data));
    }

    // --- requests ---------------------------------------------------------------------------------

    static byte[] subscription(String... topics) {
        ByteBuffer buffer = ByteBuffer.allocate(1000);
        buffer.putShort((short) 0).putInt(topics.length);
        for (String topic : topics) {
            buffer.putShort((short) topic.length()).put(topic.getBytes());
        }
        buffer.putInt(-1);
        return Arrays.copyOf(buffer.array(), buffer.position());
    }

    static JoinGroupRequestData join(String group, String member, String instance, String... protocols) {
        JoinGroupRequestData data = new JoinGroupRequestData().setGroupId(group).setMemberId(member)
            .setGroupInstanceId(instance).setProtocolType("consumer").setSessionTimeoutMs(10000)
            .setRebalanceTimeoutMs(8000);
        for (String protocol : protocols) {
            data.protocols().add(new JoinGroupRequestData.JoinGroupRequestProtocol().setName(protocol)
                .setMetadata(subscription("orders")));
        }
        return data;
    }

    static SyncGroupRequestData sync(String group, String member, int generation, String instance, int version,
                                     String... assignedTo) {
        SyncGroupRequestData data = new SyncGroupRequestData().setGroupId(group).setMemberId(member)
            .setGenerationId(generation).setGroupInstanceId(instance);
        if (version >= 5) {
            data.setProtocolType("consumer").setProtocolName("range");
        }
        for (String to : assignedTo) {
            data.assignments().add(new SyncGroupRequestData.SyncGroupRequestAssignment().setMemberId(to)
                .setAssignment(("for " + assignedTo.length).getBytes()));
        }
        return data;
    }

    static HeartbeatRequestData beat(String group, String member, int generation, String instance) {
        return new HeartbeatRequestData().setGroupId(group).setMemberId(member).setGenerationId(generation)
            .setGroupInstanceId(instance);
    }

    static LeaveGroupRequestData leave(String group, int version, String... members) {
        LeaveGroupRequestData data = new LeaveGroupRequestData().setGroupId(group);
        if (version < 3) {
            return data.setMemberId(members[0]);
        }
        for (String member : members) {
            data.members().add(new LeaveGroupRequestData.MemberIdentity().setMemberId(member));
        }
        return data;
    }

    static OffsetCommitRequestData commit(String group, String member, int generation, int version, String metadata,
                                          String... topics) {
        OffsetCommitRequestData data = new OffsetCommitRequestData().setGroupId(group).setMemberId(member)
            .setGenerationIdOrMemberEpoch(generation);
        for (String topic : topics) {
            OffsetCommitRequestData.OffsetCommitRequestTopic entry = new OffsetCommitRequestData.OffsetCommitRequestTopic();
            if (version >= 10) {
                entry.setTopicId(topic.equals("orders") ? topicId : new Uuid(7, 7));
            } else {
                entry.setName(topic);
            }
            for (int partition : new int[]{0, 1, 9}) {
                entry.partitions().add(new OffsetCommitRequestData.OffsetCommitRequestPartition()
                    .setPartitionIndex(partition).setCommittedOffset(100 + version).setCommittedMetadata(metadata));
            }
            data.topics().add(entry);
        }
        return data;
    }

    static OffsetFetchRequestData fetch(int version, boolean all, String... groups) {
        OffsetFetchRequestData data = new OffsetFetchRequestData();
        if (version < 8) {
            data.setGroupId(groups[0]);
            if (all) {
                return data.setTopics(null);
            }
            for (String topic : List.of("orders", "nowhere")) {
                data.topics().add(new OffsetFetchRequestData.OffsetFetchRequestTopic().setName(topic)
                    .setPartitionIndexes(List.of(0, 1, 9)));
            }
            return data;
        }
        for (String group : groups) {
            OffsetFetchRequestData.OffsetFetchRequestGroup entry =
                new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(group);
            if (all) {
                entry.setTopics(null);
            } else {
                for (String topic : List.of("orders", "nowhere")) {
                    OffsetFetchRequestData.OffsetFetchRequestTopics names =
                        new OffsetFetchRequestData.OffsetFetchRequestTopics().setPartitionIndexes(List.of(0, 1, 9));
                    if (version >= 10) {
                        names.setTopicId(topic.equals("orders") ? topicId : new Uuid(7, 7));
                    } else {
                        names.setName(topic);
                    }
                    entry.topics().add(names);
                }
            }
            data.groups().add(entry);
        }
        return data;
    }

    // --- scenes -----------------------------------------------------------------------------------

    static int min(int version, int highest) {
        return Math.min(version, highest);
    }

    static void findCoordinators() throws Exception {
        for (int version = 0; version <= 6; version++) {
            FindCoordinatorRequestData data = new FindCoordinatorRequestData();
            if (version >= 4) {
                data.setCoordinatorKeys(List.of("a", "b", ""));
            } else {
                data.setKey("a");
            }
            ask("find", ApiKeys.FIND_COORDINATOR, version, data);
        }
    }

    // A member's whole life, in every version.
    static void lives() throws Exception {
        for (int version = 0; version <= 9; version++) {
            String group = "life" + version;
            JoinGroupResponseData joined = (JoinGroupResponseData)
                ask("join", ApiKeys.JOIN_GROUP, version, join(group, "", null, "range", "mine"));
            if (joined.errorCode() != 0) {
                joined = (JoinGroupResponseData) ask("join with id", ApiKeys.JOIN_GROUP, version,
                    join(group, joined.memberId(), null, "range", "mine"));
            }
            String member = joined.memberId();
            int syncVersion = min(version, 5);
            ask("sync", ApiKeys.SYNC_GROUP, syncVersion, sync(group, member, 1, null, syncVersion, member));
            ask("sync again", ApiKeys.SYNC_GROUP, syncVersion, sync(group, member, 1, null, syncVersion));
            ask("heartbeat", ApiKeys.HEARTBEAT, min(version, 4), beat(group, member, 1, null));
            ask("describe", ApiKeys.DESCRIBE_GROUPS, min(version, 6),
                new DescribeGroupsRequestData().setGroups(List.of(group)).setIncludeAuthorizedOperations(version >= 3));
            ask("commit", ApiKeys.OFFSET_COMMIT, Math.max(2, version), commit(group, member, 1, version, "", "orders"));
            ask("delete offset in use", ApiKeys.OFFSET_DELETE, 0, deleteOffsets(group, "orders"));
            ask("delete while used", ApiKeys.DELETE_GROUPS, min(version, 2),
                new DeleteGroupsRequestData().setGroupsNames(List.of(group)));
            ask("leave", ApiKeys.LEAVE_GROUP, min(version, 5), leave(group, min(version, 5), member));
            ask("leave again", ApiKeys.LEAVE_GROUP, min(version, 5), leave(group, min(version, 5), member));
            ask("describe", ApiKeys.DESCRIBE_GROUPS, min(version, 6),
                new DescribeGroupsRequestData().setGroups(List.of(group, "nobody")));
            ask("join late", ApiKeys.JOIN_GROUP, version, join(group, member, null, "range"));
            ask("delete", ApiKeys.DELETE_GROUPS, min(version, 2),
                new DeleteGroupsRequestData().setGroupsNames(List.of(group, "nobody", group)));
        }
    }

    static OffsetDeleteRequestData deleteOffsets(String group, String... topics) {
        OffsetDeleteRequestData data = new OffsetDeleteRequestData().setGroupId(group);
        for (String topic : topics) {
            OffsetDeleteRequestData.OffsetDeleteRequestTopic entry =
                new OffsetDeleteRequestData.OffsetDeleteRequestTopic().setName(topic);
            for (int partition : new int[]{0, 5, 9}) {
                entry.partitions().add(new OffsetDeleteRequestData.OffsetDeleteRequestPartition()
                    .setPartitionIndex(partition));
            }
            data.topics().add(entry);
        }
        return data;
    }

    static String newMember(String group, String... protocols) throws Exception {
        JoinGroupResponseData given = (JoinGroupResponseData)
            client.ask(ApiKeys.JOIN_GROUP, 9, join(group, "", null, protocols));
        return given.memberId();
    }

    static void refusals() throws Exception {
        String member = newMember("strict", "range");
        ask("join", ApiKeys.JOIN_GROUP, 9, join("strict", member, null, "range"));
        ask("sync", ApiKeys.SYNC_GROUP, 5, sync("strict", member, 1, null, 5, member));
        for (int version : new int[]{3, 9}) {
            ask("no group id", ApiKeys.JOIN_GROUP, version, join("", "", null, "range"));
            ask("short session", ApiKeys.JOIN_GROUP, version, join("x", "", null, "range").setSessionTimeoutMs(5999));
            ask("long session", ApiKeys.JOIN_GROUP, version, join("x", "", null, "range").setSessionTimeoutMs(1800001));
            ask("other protocol", ApiKeys.JOIN_GROUP, version, join("strict", "", null, "other"));
            ask("other type", ApiKeys.JOIN_GROUP, version, join("strict", "", null, "range").setProtocolType("connect"));
            ask("no protocols", ApiKeys.JOIN_GROUP, version, join("strict", ""  , null));
            ask("no type in a new group", ApiKeys.JOIN_GROUP, version, join("untyped", "", null, "range").setProtocolType(""));
            ask("stranger", ApiKeys.JOIN_GROUP, version, join("strict", "stranger", null, "range"));
            ask("stranger in no group", ApiKeys.JOIN_GROUP, version, join("nobody", "stranger", null, "range"));
        }
        ask("stranger of an instance", ApiKeys.JOIN_GROUP, 9, join("strict", "stranger", "i", "range"));
        for (int version : new int[]{0, 3, 5}) {
            ask("sync stranger", ApiKeys.SYNC_GROUP, version, sync("strict", "stranger", 1, null, version));
            ask("sync old", ApiKeys.SYNC_GROUP, version, sync("strict", member, 0, null, version));
            ask("sync nobody", ApiKeys.SYNC_GROUP, version, sync("nobody", member, 1, null, version));
            ask("sync no id", ApiKeys.SYNC_GROUP, version, sync("", member, 1, null, version));
        }
        ask("sync without protocol", ApiKeys.SYNC_GROUP, 5, sync("strict", member, 1, null, 4));
        ask("sync other protocol", ApiKeys.SYNC_GROUP, 5, sync("strict", member, 1, null, 5).setProtocolName("other"));
        ask("sync other type", ApiKeys.SYNC_GROUP, 5, sync("strict", member, 1, null, 5).setProtocolType("other"));
        for (int version : new int[]{0, 4}) {
            ask("beat stranger", ApiKeys.HEARTBEAT, version, beat("strict", "stranger", 1, null));
            ask("beat old", ApiKeys.HEARTBEAT, version, beat("strict", member, 0, null));
            ask("beat nobody", ApiKeys.HEARTBEAT, version, beat("nobody", member, 1, null));
            ask("beat no id", ApiKeys.HEARTBEAT, version, beat("", member, 1, null));
        }
        for (int version : new int[]{0, 2, 3, 5}) {
            ask("leave stranger", ApiKeys.LEAVE_GROUP, version, leave("strict", version, "stranger"));
            ask("leave nobody", ApiKeys.LEAVE_GROUP, version, leave("nobody", version, "stranger"));
            ask("leave no id", ApiKeys.LEAVE_GROUP, version, leave("", version, "stranger"));
        }
        for (int version = 2; version <= 10; version++) {
            ask("commit stranger", ApiKeys.OFFSET_COMMIT, version, commit("strict", "stranger", 1, version, "", "orders"));
            ask("commit old", ApiKeys.OFFSET_COMMIT, version, commit("strict", member, 0, version, "", "orders"));
            ask("commit outside", ApiKeys.OFFSET_COMMIT, version, commit("strict", "", -1, version, "", "orders"));
            ask("commit nobody", ApiKeys.OFFSET_COMMIT, version, commit("nobody", "m", 1, version, "", "orders"));
        }
        ask("delete offsets of nobody", ApiKeys.OFFSET_DELETE, 0, deleteOffsets("nobody", "orders"));
        ask("delete offsets of no id", ApiKeys.OFFSET_DELETE, 0, deleteOffsets("", "orders"));
        ask("delete no id", ApiKeys.DELETE_GROUPS, 2, new DeleteGroupsRequestData().setGroupsNames(List.of("")));
        ask("describe no id", ApiKeys.DESCRIBE_GROUPS, 6, new DescribeGroupsRequestData().setGroups(List.of("")));
        ask("leave", ApiKeys.LEAVE_GROUP, 5, leave("strict", 5, member));
    }

    static void rebalance() throws Exception {
        try (Client first = new Client(); Client second = new Client()) {
            String a = newMember("pair", "mine", "range");
            ask("a joins", ApiKeys.JOIN_GROUP, 9, join("pair", a, null, "mine", "range"));
            ask("a syncs", ApiKeys.SYNC_GROUP, 5, sync("pair", a, 1, null, 4, a).setProtocolType("consumer")
                .setProtocolName("mine"));
            String b = newMember("pair", "range");
            ask("a lives on", ApiKeys.HEARTBEAT, 4, beat("pair", a, 1, null));
            second.send(ApiKeys.JOIN_GROUP, 9, join("pair", b, null, "range"));
            show("b joins", second, second.receive(300));
            ask("a hears", ApiKeys.HEARTBEAT, 4, beat("pair", a, 1, null));
            ask("a syncs late", ApiKeys.SYNC_GROUP, 5, sync("pair", a, 1, null, 4).setProtocolType("consumer")
                .setProtocolName("mine"));
            ask("describe", ApiKeys.DESCRIBE_GROUPS, 6, new DescribeGroupsRequestData().setGroups(List.of("pair")));
            ask("a commits", ApiKeys.OFFSET_COMMIT, 9, commit("pair", a, 1, 9, "", "orders"));
            first.send(ApiKeys.JOIN_GROUP, 9, join("pair", a, null, "mine", "range"));
            show("a rejoins", first, first.receive(20000));
            show("b joined", second, second.receive(20000));
            second.send(ApiKeys.SYNC_GROUP, 5, sync("pair", b, 2, null, 5));
            show("b syncs", second, second.receive(300));
            ask("b commits too early", ApiKeys.OFFSET_COMMIT, 9, commit("pair", b, 2, 9, "", "orders"));
            ask("describe", ApiKeys.DESCRIBE_GROUPS, 6, new DescribeGroupsRequestData().setGroups(List.of("pair")));
            ask("b joins again", ApiKeys.JOIN_GROUP, 9, join("pair", b, null, "range"));
            first.send(ApiKeys.SYNC_GROUP, 5, sync("pair", a, 2, null, 5, a, "ghost"));
            show("a syncs", first, first.receive(20000));
            show("b synced", second, second.receive(20000));
            ask("describe", ApiKeys.DESCRIBE_GROUPS, 6, new DescribeGroupsRequestData().setGroups(List.of("pair")));
            ask("b joins again", ApiKeys.JOIN_GROUP, 9, join("pair", b, null, "range"));
            ask("the leader leaves", ApiKeys.LEAVE_GROUP, 5, leave("pair", 5, a, "ghost"));
            ask("b hears", ApiKeys.HEARTBEAT, 4, beat("pair", b, 2, null));
            ask("b rejoins", ApiKeys.JOIN_GROUP, 9, join("pair", b, null, "range"));
            ask("b leaves while it should sync", ApiKeys.LEAVE_GROUP, 5, leave("pair", 5, b));
            ask("describe", ApiKeys.DESCRIBE_GROUPS, 6, new DescribeGroupsRequestData().setGroups(List.of("pair")));
        }
    }

    static void staticMembers() throws Exception {
        for (int version : new int[]{5, 8, 9}) {
            String group = "static" + version;
            JoinGroupResponseData a = (JoinGroupResponseData)
                ask("A joins", ApiKeys.JOIN_GROUP, version, join(group, "", "A", "range"));
            ask("A syncs", ApiKeys.SYNC_GROUP, 5, sync(group, a.memberId(), 1, "A", 5, a.memberId()));
            JoinGroupResponseData again = (JoinGroupResponseData)
                ask("A comes back", ApiKeys.JOIN_GROUP, version, join(group, "", "A", "range"));
            ask("A syncs", ApiKeys.SYNC_GROUP, 5, sync(group, again.memberId(), 1, "A", 5));
            ask("the old A beats", ApiKeys.HEARTBEAT, 4, beat(group, a.memberId(), 1, "A"));
            ask("the old A joins", ApiKeys.JOIN_GROUP, version, join(group, a.memberId(), "A", "range"));
            ask("the old A syncs", ApiKeys.SYNC_GROUP, 5, sync(group, a.memberId(), 1, "A", 5));
            ask("the old A commits", ApiKeys.OFFSET_COMMIT, 9,
                commit(group, a.memberId(), 1, 9, "", "orders").setGroupInstanceId("A"));
            ask("unknown instance beats", ApiKeys.HEARTBEAT, 4, beat(group, again.memberId(), 1, "Z"));
            ask("describe", ApiKeys.DESCRIBE_GROUPS, 6, new DescribeGroupsRequestData().setGroups(List.of(group)));
            LeaveGroupRequestData leave = new LeaveGroupRequestData().setGroupId(group);
            leave.members().add(new LeaveGroupRequestData.MemberIdentity().setMemberId(a.memberId()).setGroupInstanceId("A"));
            leave.members().add(new LeaveGroupRequestData.MemberIdentity().setMemberId("").setGroupInstanceId("A"));
            leave.members().add(new LeaveGroupRequestData.MemberIdentity().setMemberId("").setGroupInstanceId("Z"));
            ask("leave", ApiKeys.LEAVE_GROUP, 5, leave);
        }
    }

    static void offsets() throws Exception {
        for (int version = 1; version <= 10; version++) {
            ask("fetch nothing", ApiKeys.OFFSET_FETCH, version, fetch(version, false, "simple"));
        }
        for (int version = 2; version <= 10; version++) {
            ask("commit", ApiKeys.OFFSET_COMMIT, version, commit("simple", "", -1, version, "note \u00e4", "orders", "nowhere"));
        }
        ask("metadata too long", ApiKeys.OFFSET_COMMIT, 9, commit("simple", "", -1, 9, "x".repeat(4097), "orders"));
        ask("metadata just fits", ApiKeys.OFFSET_COMMIT, 9, commit("simple", "", -1, 9, "\u00e4".repeat(4096), "orders"));
        ask("null metadata", ApiKeys.OFFSET_COMMIT, 9, commit("simple", "", -1, 9, null, "orders"));
        for (int version = 1; version <= 10; version++) {
            ask("fetch", ApiKeys.OFFSET_FETCH, version, fetch(version, false, "simple"));
            if (version >= 2) {
                ask("fetch all", ApiKeys.OFFSET_FETCH, version, fetch(version, true, "simple"));
            }
            if (version >= 7) {
                ask("fetch stable", ApiKeys.OFFSET_FETCH, version, fetch(version, false, "simple").setRequireStable(true));
            }
            if (version >= 8) {
                ask("fetch two", ApiKeys.OFFSET_FETCH, version, fetch(version, true, "simple", "nobody"));
            }
        }
        for (int version = 0; version <= 5; version++) {
            ask("list", ApiKeys.LIST_GROUPS, version, new ListGroupsRequestData());
        }
        ask("list empty", ApiKeys.LIST_GROUPS, 4, new ListGroupsRequestData().setStatesFilter(List.of("EMPTY")));
        ask("list none", ApiKeys.LIST_GROUPS, 4, new ListGroupsRequestData().setStatesFilter(List.of("Stable", "nonsense")));
        ask("list classic", ApiKeys.LIST_GROUPS, 5, new ListGroupsRequestData().setTypesFilter(List.of("Classic")));
        ask("list consumer", ApiKeys.LIST_GROUPS, 5, new ListGroupsRequestData().setTypesFilter(List.of("consumer")));
        ask("list nonsense", ApiKeys.LIST_GROUPS, 5, new ListGroupsRequestData().setTypesFilter(List.of("nonsense")));
        ask("delete offsets", ApiKeys.OFFSET_DELETE, 0, deleteOffsets("simple", "orders", "nowhere"));
        ask("fetch all", ApiKeys.OFFSET_FETCH, 9, fetch(9, true, "simple"));
        ask("delete", ApiKeys.DELETE_GROUPS, 2, new DeleteGroupsRequestData().setGroupsNames(List.of("simple")));
        ask("fetch all", ApiKeys.OFFSET_FETCH, 9, fetch(9, true, "simple"));
    }

    static String[] stablePair(String group, int session, int rebalance) throws Exception {
        String a = newMember(group, "range");
        client.ask(ApiKeys.JOIN_GROUP, 9, timed(join(group, a, null, "range"), session, rebalance));
        client.ask(ApiKeys.SYNC_GROUP, 5, sync(group, a, 1, null, 5, a));
        String b = newMember(group, "range");
        try (Client other = new Client()) {
            other.send(ApiKeys.JOIN_GROUP, 9, timed(join(group, b, null, "range"), session, rebalance));
            Thread.sleep(200);
            client.ask(ApiKeys.JOIN_GROUP, 9, timed(join(group, a, null, "range"), session, rebalance));
            other.receive(20000);
        }
        return new String[]{a, b};
    }

    static JoinGroupRequestData timed(JoinGroupRequestData data, int session, int rebalance) {
        return data.setSessionTimeoutMs(session).setRebalanceTimeoutMs(rebalance);
    }

    // Beats until the answer is not "go on", and tells after how many seconds.
    static void beatUntilNews(String what, String group, String member) throws Exception {
        long start = System.currentTimeMillis();
        HeartbeatResponseData answer;
        do {
            Thread.sleep(50);
            answer = (HeartbeatResponseData) client.ask(ApiKeys.HEARTBEAT, 4, beat(group, member, 2, null));
        } while (answer.errorCode() == 0 && System.currentTimeMillis() - start < 15000);
        long seconds = Math.round((System.currentTimeMillis() - start - 50) / 1000.0);
        System.out.println(what + " -> code " + answer.errorCode() + " after " + seconds + " s");
    }

    static void times() throws Exception {
        String[] silent = stablePair("silent", 6000, 9000);
        client.ask(ApiKeys.SYNC_GROUP, 5, sync("silent", silent[0], 2, null, 5, silent));
        client.ask(ApiKeys.SYNC_GROUP, 5, sync("silent", silent[1], 2, null, 5));
        beatUntilNews("a member falls silent", "silent", silent[0]);
        ask("describe", ApiKeys.DESCRIBE_GROUPS, 6, new DescribeGroupsRequestData().setGroups(List.of("silent")));

        String[] lazy = stablePair("lazy", 20000, 3000);
        client.ask(ApiKeys.SYNC_GROUP, 5, sync("lazy", lazy[0], 2, null, 5, lazy));
        beatUntilNews("a member does not sync", "lazy", lazy[0]);
        ask("describe", ApiKeys.DESCRIBE_GROUPS, 6, new DescribeGroupsRequestData().setGroups(List.of("lazy")));

        String[] slow = stablePair("slow", 20000, 3000);
        client.ask(ApiKeys.SYNC_GROUP, 5, sync("slow", slow[0], 2, null, 5, slow));
        try (Client other = new Client()) {
            other.ask(ApiKeys.SYNC_GROUP, 5, sync("slow", slow[1], 2, null, 5));
            long start = System.currentTimeMillis();
            ask("one rejoins, the other is too slow", ApiKeys.JOIN_GROUP, 9,
                timed(join("slow", slow[0], null, "range"), 20000, 3000));
            System.out.println("after " + Math.round((System.currentTimeMillis() - start) / 1000.0) + " s");
            ask("the slow one", ApiKeys.HEARTBEAT, 4, beat("slow", slow[1], 2, null));
        }
        // What comes next must not depend on how long it takes.
        client.ask(ApiKeys.LEAVE_GROUP, 5, leave("silent", 5, silent));
        client.ask(ApiKeys.LEAVE_GROUP, 5, leave("lazy", 5, lazy));
        client.ask(ApiKeys.LEAVE_GROUP, 5, leave("slow", 5, slow));
    }

    static void awaitReady() throws Exception {
        for (int i = 0; i < 300; i++) {
            FindCoordinatorResponseData found = (FindCoordinatorResponseData)
                client.ask(ApiKeys.FIND_COORDINATOR, 3, new FindCoordinatorRequestData().setKey("a"));
            OffsetFetchResponseData fetched = (OffsetFetchResponseData)
                client.ask(ApiKeys.OFFSET_FETCH, 5, fetch(5, true, "a"));
            if (found.errorCode() == 0 && fetched.errorCode() == 0) {
                return;
            }
            Thread.sleep(100);
        }
    }

    public static void main(String[] arguments) throws Exception {
        host = arguments[0];
        port = Integer.parseInt(arguments[1]);
        client = new Client();
        MetadataResponseData metadata = (MetadataResponseData) client.ask(ApiKeys.METADATA, 12,
            new MetadataRequestData().setTopics(List.of(new MetadataRequestData.MetadataRequestTopic().setName("orders"))));
        topicId = metadata.topics().iterator().next().topicId();
        awaitReady();
        findCoordinators();
        lives();
        refusals();
        rebalance();
        staticMembers();
        times();
        offsets();
    }
}
