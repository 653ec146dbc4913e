// Interrupt: while one lives, SIGINT and SIGTERM do not kill the process but are remembered, and
// wake system calls that wait. Tools with something to finish (records to flush, a count to print)
// hold one and end with Kafka's exit code. One at a time, on the main thread.
#pragma once

#include <csignal>

namespace moldau::cli {

class Interrupt {
 public:
    Interrupt();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    // The signal that came, or 0.
    static int signal();
    // What a program that a signal ends exits with: 130, 143.
    static int exit_code() { return 128 + signal(); }

 private:
    struct sigaction previous_int_;
    struct sigaction previous_term_;
};

}  // namespace moldau::cli
