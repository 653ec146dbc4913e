// A blocking TCP connection that sends whole frames and reads whole answers. Any failure ends the
// program with one line: a benchmark on a broken connection measures nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moldau::bench {

[[noreturn]] void die(const std::string& why);

class Stream {
 public:
    // Tries again until `seconds` have passed, so that a node may still be starting.
    Stream(const std::string& host, int port, double seconds = 0);
    explicit Stream(int descriptor) : descriptor_(descriptor) {}
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    int descriptor() const { return descriptor_; }
    void send(const std::vector<uint8_t>& frame);

    // The next answer without its length. The buffer is reused; false when the peer has closed.
    bool receive(std::vector<uint8_t>& answer);

    // For thousands of connections that will be idle. Nothing may be received afterwards.
    void release_buffer() { buffer_ = std::vector<uint8_t>(); }

 private:
    bool read_exactly(uint8_t* to, size_t bytes);

    int descriptor_ = -1;
    std::vector<uint8_t> buffer_ = std::vector<uint8_t>(1 << 18);
    size_t begin_ = 0;
    size_t end_ = 0;
};

}  // namespace moldau::bench
