// MOLDAU_ASSERT states what must be true if our own reasoning is right. It stays on in release and
// ends the process with file, line and the fact: a wrong belief must not reach a disk or a client.
// What a client, a disk or a peer can get wrong is an Error, never an assertion. One fact per line.
#pragma once

namespace moldau {

[[noreturn]] void assertion_failed(const char* fact, const char* file, int line);

}  // namespace moldau

#define MOLDAU_ASSERT(fact)                                        \
    do {                                                           \
        if (!(fact)) [[unlikely]] {                                \
            ::moldau::assertion_failed(#fact, __FILE__, __LINE__); \
        }                                                          \
    } while (false)
