// ProbeServer: the least that anything answering Produce requests could do, on one thread of this
// process: what the machine allows, beside which a broker's numbers are read. `Ack` answers each
// frame; `Log` also checks its batch's checksum and writes it to a recycled file past the page
// cache; `Walk` does so and looks at each record of it; `Durable` appends each frame to a file and
// syncs it. No parsing, no offsets.
#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <string>
#include <thread>

namespace moldau::bench {

class ProbeServer {
 public:
    enum class Work : uint8_t { Ack, Log, Walk, Durable };

    // `file` is made, overwritten in circles and removed; not for Ack. Port 0: any.
    ProbeServer(Work work, std::string file, int port = 0);
    ~ProbeServer();
    ProbeServer(const ProbeServer&) = delete;
    ProbeServer& operator=(const ProbeServer&) = delete;

    int port() const { return port_; }
    // Ends it and returns the CPU seconds of its thread.
    double stop();

 private:
    // `ready` is set once the file is there.
    void run(std::promise<void>& ready);

    const Work work_;
    const std::string file_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<bool> stopping_{false};
    double cpu_seconds_ = 0;
    std::thread thread_;
};

}  // namespace moldau::bench
