// The index half of kafka-dump-log: prints offset and time indexes and checks them against their
// segment. What does not match is kept and printed on stderr at the end, as Kafka does.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/tool.h"

namespace moldau::cli {

// What Java says of a file that is not there, else the error's own words.
Error missing_or(const Error& error, const std::string& path);

class IndexDumper {
 public:
    // `sanity_only`: what a broker checks at start; `verify_only`: compare without printing.
    IndexDumper(Streams& streams, bool sanity_only, bool verify_only)
        : streams_(streams), sanity_only_(sanity_only), verify_only_(verify_only) {}

    // Errors: the index is damaged, or its segment cannot be read.
    Status dump_offsets(const std::string& path, std::string_view name);
    Status dump_times(const std::string& path, std::string_view name);

    void print_findings();

 private:
    using Pairs = std::vector<std::pair<int64_t, int64_t>>;

    Streams& streams_;
    bool sanity_only_;
    bool verify_only_;
    std::map<std::string, std::map<int64_t, int64_t, std::greater<>>> offset_mismatches_;
    std::map<std::string, Pairs> time_mismatches_;
    std::map<std::string, Pairs> times_out_of_order_;
    std::map<std::string, Pairs> offsets_not_found_;
};

}  // namespace moldau::cli
