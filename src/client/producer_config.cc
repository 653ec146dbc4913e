#include "client/producer_config.h"

namespace moldau::client {

Result<ProducerConfig> ProducerConfig::from_properties(const Properties& properties) {
    ProducerConfig config;
    std::string acks = string_property(properties, "acks", "all");
    if (acks == "all" || acks == "-1") {
        config.acks = -1;
    } else if (acks == "0" || acks == "1") {
        config.acks = static_cast<int16_t>(acks[0] - '0');
    } else {
        return fail(ErrorCode::InvalidConfig,
                    "Invalid value {} for configuration acks: String must be one of: all, -1, 0, 1",
                    acks);
    }
    MOLDAU_TRY(int64_t batch_bytes, int_property(properties, "batch.size", 16384));
    MOLDAU_TRY(int64_t request_bytes, int_property(properties, "max.request.size", 1'048'576));
    MOLDAU_TRY(int64_t buffer_bytes, int_property(properties, "buffer.memory", 33'554'432));
    MOLDAU_TRY(int64_t retries,
               int_property(properties, "retries", std::numeric_limits<int32_t>::max()));
    MOLDAU_TRY(int64_t in_flight,
               int_property(properties, "max.in.flight.requests.per.connection", 5));
    config.batch_bytes = static_cast<size_t>(std::max<int64_t>(batch_bytes, 0));
    config.request_bytes_max = static_cast<size_t>(std::max<int64_t>(request_bytes, 0));
    config.buffer_bytes = static_cast<size_t>(std::max<int64_t>(buffer_bytes, 0));
    config.retries = static_cast<uint32_t>(std::max<int64_t>(retries, 0));
    config.in_flight_max = static_cast<size_t>(std::max<int64_t>(in_flight, 1));
    struct Field {
        std::string_view key;
        Duration ProducerConfig::* member;
    };
    constexpr Field fields[] = {
        {"linger.ms", &ProducerConfig::linger},
        {"max.block.ms", &ProducerConfig::block_max},
        {"delivery.timeout.ms", &ProducerConfig::delivery_timeout},
        {"request.timeout.ms", &ProducerConfig::request_timeout},
        {"retry.backoff.ms", &ProducerConfig::retry_backoff},
        {"retry.backoff.max.ms", &ProducerConfig::retry_backoff_max},
    };
    for (const Field& field : fields) {
        MOLDAU_TRY(int64_t ms, int_property(properties, field.key, to_ms(config.*field.member)));
        config.*field.member = milliseconds(ms);
    }
    if (config.delivery_timeout < config.linger + config.request_timeout) {
        if (properties.contains("delivery.timeout.ms")) {
            return fail(ErrorCode::InvalidConfig,
                        "delivery.timeout.ms should be equal to or larger than linger.ms + "
                        "request.timeout.ms");
        }
        config.delivery_timeout = config.linger + config.request_timeout;
    }
    bool asked = properties.contains("enable.idempotence");
    MOLDAU_TRY(config.idempotent, bool_property(properties, "enable.idempotence", true));
    std::string_view conflict;
    if (config.retries == 0) {
        conflict = "Must set retries to non-zero when using the idempotent producer.";
    } else if (config.acks != -1) {
        conflict =
            "Must set acks to all in order to use the idempotent producer. Otherwise we cannot "
            "guarantee idempotence.";
    } else if (config.in_flight_max > 5) {
        conflict =
            "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent "
            "producer.";
    }
    if (config.idempotent && !conflict.empty()) {
        if (asked) {
            return fail(ErrorCode::InvalidConfig, "{}", conflict);
        }
        // Idempotence is on by default only where nothing the user set speaks against it.
        config.idempotent = false;
    }
    std::string codec = string_property(properties, "compression.type", "none");
    auto known = record::codec_of_name(codec);
    if (!known) {
        return fail(ErrorCode::InvalidConfig,
                    "Invalid value {} for configuration compression.type: String must be one of: "
                    "none, gzip, snappy, lz4, zstd",
                    codec);
    }
    config.compression.codec = *known;
    std::string level_key = fmt::format("compression.{}.level", codec);
    if (properties.contains(level_key)) {
        MOLDAU_TRY(int64_t level, int_property(properties, level_key, 0));
        config.compression.level = static_cast<int>(level);
    }
    return config;
}

}  // namespace moldau::client
