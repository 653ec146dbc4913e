#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace moldau {

void assertion_failed(const char* fact, const char* file, int line) {
    std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", fact, file, line);
    std::abort();
}

}  // namespace moldau
