// Runs every operation, for callgrind to count. Says first what the counts depend on, then how
// often each operation was counted.
#include <cstdio>

#include <gnu/libc-version.h>

#include "operation.h"

int main() {
    std::printf("clang %s, libstdc++ %d, glibc %s, %s\n", __clang_version__, _GLIBCXX_RELEASE,
                gnu_get_libc_version(), MOLDAU_BUILD_TYPE);
    moldau::instructions::drive_log();
    moldau::instructions::drive_groups();
    moldau::instructions::drive_metadata();
}
