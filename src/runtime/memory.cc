#include "runtime/memory.h"

#include <malloc.h>

namespace moldau::runtime {

void return_freed_memory() {
    ::malloc_trim(0);
}

}  // namespace moldau::runtime
