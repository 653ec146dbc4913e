#include "runtime/entropy.h"

#include <array>

#include <sys/random.h>

#include "base/assert.h"
#include "base/mutex.h"

namespace moldau::runtime {

namespace {

class SystemEntropy final : public Entropy {
 public:
    uint64_t draw() override {
        MutexLock lock(mutex_);
        if (next_ == numbers_.size()) {
            ssize_t got = getrandom(numbers_.data(), sizeof(numbers_), 0);
            MOLDAU_ASSERT(got == static_cast<ssize_t>(sizeof(numbers_)));
            next_ = 0;
        }
        // A number is handed out once and not kept.
        return std::exchange(numbers_[next_++], 0);
    }

 private:
    Mutex mutex_;
    std::array<uint64_t, 16> numbers_ GUARDED_BY(mutex_){};
    size_t next_ GUARDED_BY(mutex_) = 16;
};

}  // namespace

Entropy& system_entropy() {
    static SystemEntropy entropy;
    return entropy;
}

uint64_t SeededEntropy::draw() {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

}  // namespace moldau::runtime
