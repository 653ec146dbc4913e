// Streams over memory for tests: what a tool wrote is read back as strings.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "cli/tool.h"

namespace moldau::cli {

class TestStreams {
 public:
    explicit TestStreams(std::string input = "") : input_(std::move(input)) {
        // fmemopen refuses an empty buffer, so an empty input reads /dev/null.
        streams_.in = input_.empty() ? std::fopen("/dev/null", "r")
                                     : fmemopen(input_.data(), input_.size(), "r");
        streams_.out = open_memstream(&out_data_, &out_size_);
        streams_.err = open_memstream(&err_data_, &err_size_);
    }
    TestStreams(const TestStreams&) = delete;
    TestStreams& operator=(const TestStreams&) = delete;
    ~TestStreams() {
        std::fclose(streams_.in);
        std::fclose(streams_.out);
        std::fclose(streams_.err);
        std::free(out_data_);
        std::free(err_data_);
    }

    Streams& get() { return streams_; }
    std::string out() {
        std::fflush(streams_.out);
        return {out_data_, out_size_};
    }
    std::string err() {
        std::fflush(streams_.err);
        return {err_data_, err_size_};
    }

 private:
    std::string input_;
    Streams streams_{};
    char* out_data_ = nullptr;
    char* err_data_ = nullptr;
    size_t out_size_ = 0;
    size_t err_size_ = 0;
};

}  // namespace moldau::cli
