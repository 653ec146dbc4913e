// Memory of the whole process: how much it may use, and giving back what it does not.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace moldau::runtime {

// The least of the machine's memory and the limits of the control groups that this process is in.
int64_t memory_limit_bytes();
// The same, of a machine whose small files `read` knows.
int64_t memory_limit_bytes(
    int64_t machine_bytes,
    const std::function<std::optional<std::string>(const std::string& path)>& read);

// Gives memory that was freed back to the system, which otherwise stays with the process. For the
// end of work that needed much and is not done again soon; costs milliseconds. Any thread.
void return_freed_memory();

}  // namespace moldau::runtime
