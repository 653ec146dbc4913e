#include "histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace moldau::bench {

Histogram::Histogram() : counts_(bucket_of(kValueMax) + 1) {}

size_t Histogram::bucket_of(uint64_t value) {
    // Below 2^kBits each value has a bucket; above, each doubling has 2^(kBits-1) new ones.
    int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kBits);
    return (static_cast<size_t>(shift) << (kBits - 1)) + static_cast<size_t>(value >> shift);
}

uint64_t Histogram::value_of(size_t bucket) {
    size_t half = size_t{1} << (kBits - 1);
    size_t shift = bucket < 2 * half ? 0 : bucket / half - 1;
    uint64_t top = bucket - shift * half;
    return ((top + 1) << shift) - 1;
}

void Histogram::record(uint64_t value) {
    value = std::min(value, kValueMax);
    ++counts_[bucket_of(value)];
    ++count_;
    max_ = std::max(max_, value);
    sum_ += static_cast<double>(value);
}

void Histogram::add(const Histogram& other) {
    for (size_t i = 0; i < counts_.size(); ++i) {
        counts_[i] += other.counts_[i];
    }
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
    sum_ += other.sum_;
}

double Histogram::mean() const {
    return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

uint64_t Histogram::at(double share) const {
    if (count_ == 0) {
        return 0;
    }
    auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
    wanted = std::clamp<uint64_t>(wanted, 1, count_);
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
        seen += counts_[i];
        if (seen >= wanted) {
            return std::min(value_of(i), max_);
        }
    }
    return max_;
}

}  // namespace moldau::bench
