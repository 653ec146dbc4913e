#include "cli/interrupt.h"

#include <pthread.h>
#include <unistd.h>

namespace moldau::cli {
namespace {

volatile std::sig_atomic_t received = 0;

pthread_t main_thread;

// The system may pick any thread; only the main one sits in a call that has to be woken.
// A second signal means it: the process ends at once.
void remember(int signal) {
    if (pthread_equal(pthread_self(), main_thread) == 0) {
        pthread_kill(main_thread, signal);
        return;
    }
    if (received != 0) {
        _exit(128 + signal);
    }
    received = signal;
}

}  // namespace

Interrupt::Interrupt() {
    received = 0;
    main_thread = pthread_self();
    struct sigaction action{};
    action.sa_handler = remember;
    sigemptyset(&action.sa_mask);
    action.sa_flags = 0;  // reads return EINTR
    sigaction(SIGINT, &action, &previous_int_);
    sigaction(SIGTERM, &action, &previous_term_);
}

Interrupt::~Interrupt() {
    sigaction(SIGINT, &previous_int_, nullptr);
    sigaction(SIGTERM, &previous_term_, nullptr);
}

int Interrupt::signal() {
    return received;
}

}  // namespace moldau::cli
