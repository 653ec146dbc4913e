#include "metadata/topic_name.h"

#include <algorithm>

namespace moldau::metadata {
namespace {

bool is_legal(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

}  // namespace

Status validate_topic_name(std::string_view name) {
    if (name.empty()) {
        return fail(ErrorCode::InvalidTopicException,
                    "Topic name is invalid: the empty string is not allowed");
    }
    if (name == "." || name == "..") {
        return fail(ErrorCode::InvalidTopicException, "Topic name is invalid: '{}' is not allowed",
                    name);
    }
    if (name.size() > kTopicNameBytesMax) {
        return fail(
            ErrorCode::InvalidTopicException,
            "Topic name is invalid: the length of '{}' is longer than the max allowed length {}",
            name, kTopicNameBytesMax);
    }
    if (!std::ranges::all_of(name, is_legal)) {
        return fail(ErrorCode::InvalidTopicException,
                    "Topic name is invalid: '{}' contains one or more characters other than ASCII "
                    "alphanumerics, '.', '_' and '-'",
                    name);
    }
    return {};
}

bool is_internal_topic(std::string_view name) {
    return name == kGroupMetadataTopic || name == kTransactionStateTopic ||
           name == kShareGroupStateTopic;
}

bool has_collision_characters(std::string_view name) {
    return name.find_first_of("._") != std::string_view::npos;
}

std::string collision_key(std::string_view name) {
    std::string key(name);
    std::ranges::replace(key, '.', '_');
    return key;
}

}  // namespace moldau::metadata
