// Histogram: how often each latency occurred, exact to three digits at any size. Log-linear: every
// doubling of the value is cut into 1024 equal buckets, so that recording is two shifts and an
// addition and nothing is lost to averaging. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace moldau::bench {

class Histogram {
 public:
    // Values above this count as this: 2^40 ns are 18 minutes.
    static constexpr uint64_t kValueMax = (1ULL << 40) - 1;

    Histogram();

    void record(uint64_t value);
    void add(const Histogram& other);

    uint64_t count() const { return count_; }
    uint64_t max() const { return max_; }
    double mean() const;
    // The smallest bucket's value that at least `share` of all values do not exceed; 0 when empty.
    uint64_t at(double share) const;

 private:
    static constexpr int kBits = 10;  // 1024 buckets per doubling

    static size_t bucket_of(uint64_t value);
    // The largest value of a bucket.
    static uint64_t value_of(size_t bucket);

    std::vector<uint64_t> counts_;
    uint64_t count_ = 0;
    uint64_t max_ = 0;
    double sum_ = 0;
};

}  // namespace moldau::bench
