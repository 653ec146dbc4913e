// MessageFormatter: how a record becomes text on standard output; one per class name that Kafka's
// console consumer accepts in --formatter. Pure.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/fetched_records.h"

namespace moldau::cli {

class MessageFormatter {
 public:
    using Properties = std::map<std::string, std::string, std::less<>>;

    virtual ~MessageFormatter() = default;
    // Appends the record's text. Errors: a record that cannot be read as what the formatter
    // expects.
    virtual Status write(const client::ConsumedRecord& record, std::string& out) = 0;

    // By Kafka's class name. Errors: the name, as Java's class loader would complain.
    static Result<std::unique_ptr<MessageFormatter>> create(std::string_view java_class,
                                                            const Properties& properties);
    static constexpr std::string_view kDefaultClass =
        "org.apache.kafka.tools.consumer.DefaultMessageFormatter";
};

}  // namespace moldau::cli
