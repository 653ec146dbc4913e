// Answers each line "<message> <version> <hex>" with "<message> <version> <hex> <json>": the message
// read and written again by Kafka's own class, and the JSON of its converter ("-" where the comparison
// does not ask for it), or with "<message> <version> error: <words>". The line "apis" is answered with
// Kafka's table of APIs.
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.apache.kafka.common.message.ApiMessageType.ListenerType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;

public class Rewrite {
    private static final String[] PACKAGES = {
        "org.apache.kafka.common.message.",
        "org.apache.kafka.common.metadata.",
        "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.transaction.generated.",
        "org.apache.kafka.coordinator.share.generated.",
        "org.apache.kafka.raft.generated.",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.",
    };
    private static final Map<String, Class<?>> CLASSES = new HashMap<>();

    private static Class<?> find(String name) throws ClassNotFoundException {
        for (String candidate : new String[] {name + "Data", name}) {
            for (String where : PACKAGES) {
                try {
                    return Class.forName(where + candidate);
                } catch (ClassNotFoundException e) {
                    // The next package may have it.
                }
            }
        }
        throw new ClassNotFoundException(name);
    }

    private static String answer(String name, short version, byte[] input) throws Exception {
        Class<?> type = CLASSES.get(name);
        if (type == null) {
            type = find(name);
            CLASSES.put(name, type);
        }
        ByteBuffer in = ByteBuffer.wrap(input);
        Message message = (Message) type.getConstructor(Readable.class, short.class)
            .newInstance(new ByteBufferAccessor(in), version);
        if (in.hasRemaining()) {
            return "error: bytes left over: " + in.remaining();
        }
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(out), cache, version);
        out.flip();
        byte[] bytes = new byte[out.remaining()];
        out.get(bytes);
        String json = "-";
        if (!name.endsWith("Request") && !name.endsWith("Response") && !name.endsWith("Header")) {
            Method write = Class.forName(type.getName() + "JsonConverter")
                .getMethod("write", type, short.class);
            json = write.invoke(null, message, version).toString();
        }
        return (bytes.length == 0 ? "-" : HexFormat.of().formatHex(bytes)) + " " + json;
    }

    private static String advertised(ApiKeys api, ListenerType listener) {
        if (!api.inScope(listener)) {
            return "none";
        }
        return api.toApiVersionForApiResponse(false, listener)
            .map(range -> range.minVersion() + "-" + range.maxVersion()).orElse("none");
    }

    private static void printApis(BufferedWriter out) throws Exception {
        for (ApiKeys api : ApiKeys.values()) {
            out.write(String.format("api %d %s %s %s %b %b", api.id, api.name,
                advertised(api, ListenerType.BROKER), advertised(api, ListenerType.CONTROLLER),
                api.clusterAction, api.forwardable));
            for (int v = api.oldestVersion(); v <= api.latestVersion(true); v++) {
                out.write(String.format(" %d:%d:%d", v, api.requestHeaderVersion((short) v),
                    api.responseHeaderVersion((short) v)));
            }
            out.write("\n");
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out =
            new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (line.equals("apis")) {
                printApis(out);
                continue;
            }
            String[] words = line.split(" ");
            byte[] input = words[2].equals("-") ? new byte[0] : HexFormat.of().parseHex(words[2]);
            String result;
            try {
                result = answer(words[0], Short.parseShort(words[1]), input);
            } catch (Exception e) {
                Throwable cause = e.getCause() == null ? e : e.getCause();
                result = "error: " + String.valueOf(cause).replace('\n', ' ');
            }
            out.write(words[0] + " " + words[1] + " " + result + "\n");
        }
        out.flush();
    }
}
