#include "cli/message_formatter.h"

#include <algorithm>
#include <bit>

#include "base/endian.h"
#include "protocol/json.h"
#include "protocol/records/group.h"
#include "protocol/records/transaction.h"
#include "protocol/wire.h"

namespace moldau::cli {
namespace {

bool is_true(std::string_view text) {
    return std::ranges::equal(text, std::string_view("true"),
                              [](char a, char b) { return (a | 0x20) == b; });
}

template <typename T>
Result<T> fixed(std::string_view bytes, std::string_view type) {
    if (bytes.size() != sizeof(T)) {
        return fail(ErrorCode::InvalidRecord, "Size of data received by {}Deserializer is not {}",
                    type, sizeof(T));
    }
    return load_big<T>(reinterpret_cast<const uint8_t*>(bytes.data()));
}

using Deserializer = Result<std::string> (*)(std::string_view bytes);

// Kafka's deserializers whose values have a text worth printing.
Deserializer find_deserializer(std::string_view java_class) {
    constexpr std::string_view package = "org.apache.kafka.common.serialization.";
    if (java_class.starts_with(package)) {
        java_class.remove_prefix(package.size());
    }
    struct Known {
        std::string_view name;
        Deserializer function;
    };
    static constexpr Known known[] = {
        {"StringDeserializer",
         [](std::string_view bytes) { return Result<std::string>(std::string(bytes)); }},
        {"LongDeserializer",
         [](std::string_view bytes) -> Result<std::string> {
             MOLDAU_TRY(auto number, fixed<int64_t>(bytes, "Long"));
             return fmt::format("{}", number);
         }},
        {"IntegerDeserializer",
         [](std::string_view bytes) -> Result<std::string> {
             MOLDAU_TRY(auto number, fixed<int32_t>(bytes, "Integer"));
             return fmt::format("{}", number);
         }},
        {"ShortDeserializer",
         [](std::string_view bytes) -> Result<std::string> {
             MOLDAU_TRY(auto number, fixed<int16_t>(bytes, "Short"));
             return fmt::format("{}", number);
         }},
        {"DoubleDeserializer",
         [](std::string_view bytes) -> Result<std::string> {
             MOLDAU_TRY(auto bits, fixed<uint64_t>(bytes, "Double"));
             return fmt::format("{}", std::bit_cast<double>(bits));
         }},
        {"FloatDeserializer",
         [](std::string_view bytes) -> Result<std::string> {
             MOLDAU_TRY(auto bits, fixed<uint32_t>(bytes, "Float"));
             return fmt::format("{}", std::bit_cast<float>(bits));
         }},
    };
    auto found = std::ranges::find(known, java_class, &Known::name);
    return found == std::end(known) ? nullptr : found->function;
}

// The columns asked for, between separators.
class DefaultFormatter final : public MessageFormatter {
 public:
    explicit DefaultFormatter(const Properties& properties) {
        auto flag = [&](std::string_view key, bool& target) {
            if (auto found = properties.find(key); found != properties.end()) {
                target = is_true(found->second);
            }
        };
        auto text = [&](std::string_view key, std::string& target) {
            if (auto found = properties.find(key); found != properties.end()) {
                target = found->second;
            }
        };
        auto deserializer = [&](std::string_view key, Deserializer& target) {
            if (auto found = properties.find(key); found != properties.end()) {
                target = find_deserializer(found->second);
            }
        };
        flag("print.timestamp", timestamp_);
        flag("print.key", key_);
        flag("print.value", value_);
        flag("print.partition", partition_);
        flag("print.offset", offset_);
        flag("print.delivery", delivery_);
        flag("print.epoch", epoch_);
        flag("print.headers", headers_);
        text("key.separator", key_separator_);
        text("line.separator", line_separator_);
        text("headers.separator", headers_separator_);
        text("null.literal", null_literal_);
        deserializer("key.deserializer", key_deserializer_);
        deserializer("value.deserializer", value_deserializer_);
        deserializer("headers.deserializer", headers_deserializer_);
    }

    Status write(const client::ConsumedRecord& record, std::string& out) override {
        int columns =
            timestamp_ + partition_ + offset_ + delivery_ + epoch_ + headers_ + key_ + value_;
        auto end_column = [&] { out += --columns > 0 ? key_separator_ : line_separator_; };
        if (timestamp_) {
            bool created = record.timestamp_type == record::TimestampType::CreateTime;
            out += fmt::format("{}:{}", created ? "CreateTime" : "LogAppendTime", record.timestamp);
            end_column();
        }
        if (partition_) {
            out += fmt::format("Partition:{}", record.partition.partition);
            end_column();
        }
        if (offset_) {
            out += fmt::format("Offset:{}", record.offset);
            end_column();
        }
        // Kafka's consumer hands the formatter neither of these two.
        if (delivery_) {
            out += "Delivery:NOT_PRESENT";
            end_column();
        }
        if (epoch_) {
            out += "Epoch:NOT_PRESENT";
            end_column();
        }
        if (headers_) {
            bool first = true;
            for (const client::RecordHeaderData& header : record.headers) {
                out += first ? "" : headers_separator_;
                first = false;
                out += header.key + ":";
                MOLDAU_CHECK(add(header.value, headers_deserializer_, out));
            }
            out += first ? "NO_HEADERS" : "";
            end_column();
        }
        if (key_) {
            MOLDAU_CHECK(add(record.key, key_deserializer_, out));
            end_column();
        }
        if (value_) {
            MOLDAU_CHECK(add(record.value, value_deserializer_, out));
            end_column();
        }
        return {};
    }

 private:
    Status add(const std::optional<std::string>& bytes, Deserializer deserializer,
               std::string& out) const {
        const std::string& shown = bytes ? *bytes : null_literal_;
        if (deserializer == nullptr) {
            out += shown;
            return {};
        }
        MOLDAU_TRY(std::string text, deserializer(shown));
        out += text;
        return {};
    }

    bool timestamp_ = false;
    bool key_ = false;
    bool value_ = true;
    bool partition_ = false;
    bool offset_ = false;
    bool delivery_ = false;
    bool epoch_ = false;
    bool headers_ = false;
    std::string key_separator_ = "\t";
    std::string line_separator_ = "\n";
    std::string headers_separator_ = ",";
    std::string null_literal_ = "null";
    Deserializer key_deserializer_ = nullptr;
    Deserializer value_deserializer_ = nullptr;
    Deserializer headers_deserializer_ = nullptr;
};

class NoOpFormatter final : public MessageFormatter {
 public:
    Status write(const client::ConsumedRecord&, std::string&) override { return {}; }
};

Bytes bytes_of(const std::string& text) {
    return Bytes::copy_of(std::string_view(text));
}

// A coordinator's record: the type (or version) in two bytes, then the message.
template <typename Key, typename Value>
Status write_coordinator_record(int16_t type, const client::ConsumedRecord& record,
                                std::string& out) {
    auto unreadable = [&](const Error& error) {
        return fail(ErrorCode::InvalidRecord, "Could not read record at offset {} due to: {}",
                    record.offset, error.message);
    };
    auto key = protocol::decode<Key>(bytes_of(record.key->substr(2)), 0);
    if (!key) {
        return unreadable(key.error());
    }
    std::string text = fmt::format("{{\"key\":{{\"type\":{},\"data\":{}}},\"value\":", type,
                                   protocol::to_json(*key, 0));
    if (!record.value) {
        out += text + "null}";
        return {};
    }
    protocol::Reader reader(bytes_of(*record.value));
    int16_t version = reader.read_int16();
    if (reader.ok() && !Value::kVersions.contains(version)) {
        return fail(ErrorCode::InvalidRecord,
                    "Could not read record at offset {} due to: unknown version {}", record.offset,
                    version);
    }
    auto value = Value::read(reader, version);
    if (!reader.ok()) {
        return unreadable(reader.error());
    }
    out += fmt::format("{}{{\"version\":{},\"data\":{}}}}}", text, version,
                       protocol::to_json(value, version));
    return {};
}

// Records of internal topics as JSON, without line ends, as Kafka prints them. Other types of
// records in the same topic are passed over.
class CoordinatorFormatter final : public MessageFormatter {
 public:
    enum class Kind { Offsets, GroupMetadata, TransactionLog };
    explicit CoordinatorFormatter(Kind kind) : kind_(kind) {}

    Status write(const client::ConsumedRecord& record, std::string& out) override {
        if (!record.key || record.key->size() < 2) {
            return {};
        }
        int16_t type = load_big<int16_t>(reinterpret_cast<const uint8_t*>(record.key->data()));
        using namespace protocol;
        if (kind_ == Kind::Offsets && type == OffsetCommitKey::kRecordType) {
            return write_coordinator_record<OffsetCommitKey, OffsetCommitValue>(type, record, out);
        }
        if (kind_ == Kind::Offsets && type == LegacyOffsetCommitKey::kRecordType) {
            return write_coordinator_record<LegacyOffsetCommitKey, LegacyOffsetCommitValue>(
                type, record, out);
        }
        if (kind_ == Kind::GroupMetadata && type == GroupMetadataKey::kRecordType) {
            return write_coordinator_record<GroupMetadataKey, GroupMetadataValue>(type, record,
                                                                                  out);
        }
        if (kind_ == Kind::TransactionLog && type == TransactionLogKey::kRecordType) {
            return write_coordinator_record<TransactionLogKey, TransactionLogValue>(type, record,
                                                                                    out);
        }
        return {};
    }

 private:
    const Kind kind_;
};

}  // namespace

Result<std::unique_ptr<MessageFormatter>> MessageFormatter::create(std::string_view java_class,
                                                                   const Properties& properties) {
    constexpr std::string_view package = "org.apache.kafka.tools.consumer.";
    std::string_view name = java_class;
    if (name.starts_with(package)) {
        name.remove_prefix(package.size());
    }
    using Kind = CoordinatorFormatter::Kind;
    std::unique_ptr<MessageFormatter> formatter;
    if (name == "DefaultMessageFormatter" || name == "LoggingMessageFormatter") {
        formatter = std::make_unique<DefaultFormatter>(properties);
    } else if (name == "NoOpMessageFormatter") {
        formatter = std::make_unique<NoOpFormatter>();
    } else if (name == "OffsetsMessageFormatter") {
        formatter = std::make_unique<CoordinatorFormatter>(Kind::Offsets);
    } else if (name == "GroupMetadataMessageFormatter") {
        formatter = std::make_unique<CoordinatorFormatter>(Kind::GroupMetadata);
    } else if (name == "TransactionLogMessageFormatter") {
        formatter = std::make_unique<CoordinatorFormatter>(Kind::TransactionLog);
    }
    if (formatter == nullptr) {
        return fail(ErrorCode::InvalidConfig, "{}", java_class);
    }
    return formatter;
}

}  // namespace moldau::cli
