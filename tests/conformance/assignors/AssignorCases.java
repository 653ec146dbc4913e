// Writes cases for src/client/assignor_test.cc: random groups that live on (members come and go,
// topics grow, subscriptions change, members miss a generation) and what Kafka's assignors make of
// each step. Deterministic by seed.
//
//   java -cp 'JARS/*' AssignorCases.java SEED GROUPS > src/client/testdata/assignor_cases.txt
//
// Names are single letters: Java's hash maps then walk through them in alphabetical order, which
// Kafka's assignors follow where they have no order of their own.
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractStickyAssignor.MemberData;
import org.apache.kafka.common.TopicPartition;

import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.*;
import java.util.stream.Collectors;

public class AssignorCases {
    static class Member {
        String instance;
        TreeSet<String> topics = new TreeSet<>();
        List<TopicPartition> owned = new ArrayList<>();
        int generation = -1;
    }

    static final String[] STRATEGIES = {"range", "roundrobin", "sticky", "cooperative-sticky"};
    static Random random;

    public static void main(String[] arguments) throws Exception {
        random = new Random(Long.parseLong(arguments[0]));
        int groups = Integer.parseInt(arguments[1]);
        System.out.println("# Made by tests/conformance/assignors/AssignorCases.java "
            + String.join(" ", arguments) + " with Apache Kafka 4.3.1.");
        for (int i = 0; i < groups; ++i) {
            live(STRATEGIES[i % STRATEGIES.length], random.nextBoolean());
        }
    }

    static void live(String strategy, boolean equal) throws Exception {
        TreeMap<String, Integer> topics = new TreeMap<>();
        TreeMap<String, Member> members = new TreeMap<>();
        for (int i = 1 + random.nextInt(4); i > 0; --i) {
            topics.put(String.valueOf((char) ('p' + random.nextInt(8))), 1 + random.nextInt(7));
        }
        int generation = 1;
        for (int step = 0; step < 5; ++step, ++generation) {
            change(topics, members, equal);
            Map<String, List<TopicPartition>> assigned = assign(strategy, topics, members);
            print(strategy, topics, members, assigned);
            boolean keeps = strategy.endsWith("sticky");
            for (Map.Entry<String, Member> entry : members.entrySet()) {
                Member member = entry.getValue();
                boolean missed = random.nextInt(8) == 0;
                if (keeps && !missed) {
                    member.owned = new ArrayList<>(assigned.get(entry.getKey()));
                    member.generation = generation;
                }
            }
        }
    }

    static void change(TreeMap<String, Integer> topics, TreeMap<String, Member> members,
                       boolean equal) {
        for (int i = members.isEmpty() ? 1 + random.nextInt(6) : random.nextInt(3); i > 0; --i) {
            Member member = new Member();
            if (random.nextInt(4) == 0) {
                member.instance = "i" + random.nextInt(100);
            }
            member.topics.addAll(some(topics.keySet()));
            members.putIfAbsent(String.valueOf((char) ('a' + random.nextInt(12))), member);
        }
        if (members.size() > 1 && random.nextInt(3) == 0) {
            members.remove(pick(members.keySet()));
        }
        if (random.nextInt(4) == 0) {
            topics.merge(pick(topics.keySet()), 1 + random.nextInt(3), Integer::sum);
        }
        if (random.nextInt(4) == 0) {
            members.get(pick(members.keySet())).topics = new TreeSet<>(some(topics.keySet()));
        }
        if (equal) {
            members.values().forEach(member -> member.topics = new TreeSet<>(topics.keySet()));
        }
    }

    static Collection<String> some(Collection<String> of) {
        List<String> chosen = of.stream().filter(x -> random.nextInt(3) > 0)
            .collect(Collectors.toList());
        return chosen.isEmpty() ? List.of(pick(of)) : chosen;
    }

    static String pick(Collection<String> of) {
        return new ArrayList<>(of).get(random.nextInt(of.size()));
    }

    static Map<String, List<TopicPartition>> assign(String strategy, Map<String, Integer> topics,
                                                    Map<String, Member> members) throws Exception {
        TreeSet<String> wanted = new TreeSet<>();
        members.values().forEach(member -> wanted.addAll(member.topics));
        Map<String, Integer> counts = new TreeMap<>(topics);
        counts.keySet().retainAll(wanted);
        Map<String, Subscription> subscriptions = new TreeMap<>();
        for (Map.Entry<String, Member> entry : members.entrySet()) {
            Member member = entry.getValue();
            boolean sticky = strategy.equals("sticky");
            ByteBuffer data = sticky && member.generation >= 0
                ? userData(member.owned, member.generation) : null;
            Subscription subscription = new Subscription(new ArrayList<>(member.topics), data,
                sticky ? List.of() : member.owned, member.generation, Optional.empty());
            subscription.setGroupInstanceId(Optional.ofNullable(member.instance));
            subscriptions.put(entry.getKey(), subscription);
        }
        AbstractPartitionAssignor assignor = switch (strategy) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            default -> new CooperativeStickyAssignor();
        };
        return assignor.assign(counts, subscriptions);
    }

    static ByteBuffer userData(List<TopicPartition> owned, int generation) throws Exception {
        Method serialize = StickyAssignor.class.getDeclaredMethod(
            "serializeTopicPartitionAssignment", MemberData.class);
        serialize.setAccessible(true);
        return (ByteBuffer) serialize.invoke(null, new MemberData(owned, Optional.of(generation)));
    }

    static void print(String strategy, Map<String, Integer> topics, Map<String, Member> members,
                      Map<String, List<TopicPartition>> assigned) {
        System.out.println("case " + strategy);
        topics.forEach((topic, count) -> System.out.println("topic " + topic + " " + count));
        members.forEach((id, member) -> System.out.println("member " + id + " "
            + (member.instance == null ? "-" : member.instance) + " " + member.generation + " "
            + String.join(",", member.topics) + text(member.owned)));
        assigned.keySet().stream().sorted().forEach(
            id -> System.out.println("gets " + id + text(assigned.get(id))));
    }

    static String text(List<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::toString).sorted()
            .map(tp -> " " + tp).collect(Collectors.joining());
    }
}
