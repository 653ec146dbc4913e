// JsonWriter: the compact JSON that Kafka's tools print for records, written front to back.
// No spaces; bytes as base64, uuids as their 22 characters, doubles as Java prints them.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"

namespace moldau::protocol {

class JsonWriter {
 public:
    void open_object() { open('{'); }
    void close_object() { close('}'); }
    void open_array() { open('['); }
    void close_array() { close(']'); }
    // Of the next value; `text` needs no escapes.
    void name(std::string_view text);

    void null() { raw("null"); }
    void boolean(bool value) { raw(value ? "true" : "false"); }
    void integer(int64_t value);
    void number(double value);
    void string(std::string_view text);
    void bytes(const Bytes& value);  // base64

    std::string take() && { return std::move(out_); }

 private:
    void separate();
    void open(char bracket);
    void close(char bracket);
    void raw(std::string_view text);

    std::string out_;
    bool needs_comma_ = false;
};

inline void write_json_value(JsonWriter& json, int16_t, bool value) {
    json.boolean(value);
}
template <std::integral T>
    requires(!std::same_as<T, bool>)
void write_json_value(JsonWriter& json, int16_t, T value) {
    json.integer(static_cast<int64_t>(value));
}
inline void write_json_value(JsonWriter& json, int16_t, double value) {
    json.number(value);
}
inline void write_json_value(JsonWriter& json, int16_t, const Uuid& value) {
    json.string(value.str());
}
inline void write_json_value(JsonWriter& json, int16_t, const std::string& value) {
    json.string(value);
}
inline void write_json_value(JsonWriter& json, int16_t, const Bytes& value) {
    json.bytes(value);
}
template <typename T>
    requires requires(const T& value, JsonWriter& json) { value.write_json(json, int16_t()); }
void write_json_value(JsonWriter& json, int16_t version, const T& value) {
    value.write_json(json, version);
}
template <typename T>
void write_json_value(JsonWriter& json, int16_t version, const std::vector<T>& values) {
    json.open_array();
    for (const T& value : values) {
        write_json_value(json, version, value);
    }
    json.close_array();
}
template <typename T>
void write_json_value(JsonWriter& json, int16_t version, const std::optional<T>& value) {
    value ? write_json_value(json, version, *value) : json.null();
}

// The JSON form of a record in that version.
template <typename Record>
std::string to_json(const Record& record, int16_t version) {
    JsonWriter json;
    record.write_json(json, version);
    return std::move(json).take();
}

}  // namespace moldau::protocol
