// Requests and answers by hand, in fixed versions that every broker of the last years serves: the
// load generator must cost as little as possible, so each frame is encoded once and sent as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moldau::bench {

// A frame under construction: big-endian numbers, with its length in front.
class Frame {
 public:
    Frame(int16_t api_key, int16_t version, int32_t correlation_id);

    Frame& int8(int8_t value);
    Frame& int16(int16_t value);
    Frame& int32(int32_t value);
    Frame& int64(int64_t value);
    Frame& string(std::string_view text);
    Frame& null_string();
    Frame& raw(std::string_view bytes);

    // The whole frame; its length is written now.
    const std::vector<uint8_t>& finish();

 private:
    template <typename T>
    void put(T value);

    std::vector<uint8_t> bytes_;
};

// One uncompressed batch of `records` records with `value_bytes` bytes of value each.
std::string record_batch(int records, int value_bytes);

// Produce, version 7, one partition. acks: 1, -1.
std::vector<uint8_t> produce_frame(std::string_view topic, int32_t partition, int16_t acks,
                                   const std::string& batch);

// Fetch, version 7 without a session, one partition.
std::vector<uint8_t> fetch_frame(std::string_view topic, int32_t partition, int64_t offset,
                                 int32_t bytes_max, int32_t wait_max_ms);

// The error code of the one partition in a Produce answer (after its length).
int16_t produce_error(const std::vector<uint8_t>& answer);

// What a Fetch answer says about its one partition.
struct Fetched {
    int16_t error = 0;
    int64_t high_watermark = 0;
    int32_t record_bytes = 0;
    int64_t next_offset = -1;  // after the last whole batch; -1 when there is none
};
Fetched parse_fetched(const std::vector<uint8_t>& answer);

}  // namespace moldau::bench
