// Entropy: the one door to randomness. Shells draw and hand numbers to the cores, so that a run can
// be repeated from its seed. SystemEntropy is thread-safe; SeededEntropy belongs to one thread.
#pragma once

#include <cstdint>

#include "base/uuid.h"

namespace moldau::runtime {

class Entropy {
 public:
    virtual ~Entropy() = default;
    virtual uint64_t draw() = 0;

    // Uniform in [0, bound); 0 when bound is 0.
    uint64_t below(uint64_t bound) { return bound == 0 ? 0 : draw() % bound; }
    Uuid uuid() {
        return Uuid::random([this] { return draw(); });
    }
};

// The kernel's generator.
Entropy& system_entropy();

// splitmix64 from a seed: the same numbers every run.
class SeededEntropy final : public Entropy {
 public:
    explicit SeededEntropy(uint64_t seed) : state_(seed) {}
    uint64_t draw() override;

 private:
    uint64_t state_;
};

}  // namespace moldau::runtime
