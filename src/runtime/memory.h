// What the process holds of memory that it does not use.
#pragma once

namespace moldau::runtime {

// Gives memory that was freed back to the system, which otherwise stays with the process. For the
// end of work that needed much and is not done again soon; costs milliseconds. Any thread.
void return_freed_memory();

}  // namespace moldau::runtime
