// Requests and answers by hand, in fixed versions that every broker of the last years serves: the
// load generator must cost as little as possible, so each frame is encoded once, and only numbers
// inside it change from one sending to the next.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/batch.h"

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
    size_t size() const { return bytes_.size(); }

 private:
    template <typename T>
    void put(T value);

    std::vector<uint8_t> bytes_;
};

struct BatchSpec {
    int records = 1;
    int value_bytes = 1000;
    // With a codec the values are text that compresses as logs and documents do, about one to four.
    record::Codec codec = record::Codec::None;
};
std::string record_batch(const BatchSpec& spec);

// What changes inside a batch from one sending to the next; its checksum follows.
struct BatchPatch {
    int64_t producer_id = -1;
    int16_t producer_epoch = 0;
    int32_t sequence = -1;
    int64_t stamp_ns = -1;  // the first 8 bytes of the first value; not in compressed batches
};

// Produce, version 7, one partition.
class ProduceFrame {
 public:
    ProduceFrame(std::string_view topic, int32_t partition, int16_t acks, const std::string& batch);

    const std::vector<uint8_t>& bytes() const { return bytes_; }
    size_t batch_at() const { return batch_at_; }
    // `frame` is a copy of bytes().
    static void patch_correlation(uint8_t* frame, int32_t correlation_id);
    void patch_batch(uint8_t* frame, const BatchPatch& patch) const;

 private:
    std::vector<uint8_t> bytes_;
    size_t batch_at_;
};

// Fetch, version 7 without a session, one partition.
std::vector<uint8_t> fetch_frame(std::string_view topic, int32_t partition, int64_t offset,
                                 int32_t bytes_max, int32_t wait_max_ms);
// InitProducerId, version 0, without a transaction.
std::vector<uint8_t> init_producer_frame();
struct ProducerIdentity {
    int16_t error = 0;
    int64_t id = -1;
    int16_t epoch = 0;
};
ProducerIdentity parse_init_producer(const std::vector<uint8_t>& answer);

// CreateTopics, version 4: `topics` topics named PREFIX0, PREFIX1, ... The answer's first error.
std::vector<uint8_t> create_topics_frame(std::string_view prefix, int first, int topics,
                                         int partitions);
int16_t create_topics_error(const std::vector<uint8_t>& answer);
// ListOffsets, version 1: the end of each of a topic's partitions. The answer's first error.
std::vector<uint8_t> list_offsets_frame(std::string_view topic, int partitions);
int16_t list_offsets_error(const std::vector<uint8_t>& answer);
// Metadata, version 1, of all topics.
std::vector<uint8_t> metadata_frame();

// The number that a request and its answer share, in an answer without its length.
int32_t correlation_of(std::span<const uint8_t> answer);
// The error code of the one partition in a Produce answer (after its length).
int16_t produce_error(std::span<const uint8_t> answer);

// What a Fetch answer says about its one partition.
struct Fetched {
    int16_t error = 0;
    int64_t high_watermark = 0;
    std::span<const uint8_t> records;
};
Fetched parse_fetched(const std::vector<uint8_t>& answer);

// Walks whole batches: length, checksum and offsets, from `expected_offset` on. A first batch that
// begins before that offset is the broker's right.
struct BatchCheck {
    std::string error;  // empty: all is well
    int64_t records = 0;
    int64_t next_offset = -1;  // after the last whole batch; -1 when there is none
    int64_t first_stamp_ns = -1;
    std::vector<int64_t> stamps_ns;  // one for each batch
};
BatchCheck check_batches(std::span<const uint8_t> records, int64_t expected_offset);

}  // namespace moldau::bench
