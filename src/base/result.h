// Result<T>: a value, or an Error that carries a Kafka error code and words for the operator.
// Every expected failure is one of these; exceptions are left to the library and end the process.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/error_code.h"

namespace moldau {

// `message` is one lower-case fact followed by values:
// "fetch offset out of range: offset=17 log_start=20 partition=orders-3".
struct Error {
    ErrorCode code = ErrorCode::UnknownServerError;
    std::string message;

    friend bool operator==(const Error&, const Error&) = default;
};

template <typename T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

// fail(ErrorCode::InvalidRequest, "group id is empty: api={}", api)
template <typename... Args>
std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
    return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

inline std::unexpected<Error> fail(Error error) {
    return std::unexpected(std::move(error));
}

}  // namespace moldau

#define MOLDAU_CONCAT_(a, b) a##b
#define MOLDAU_CONCAT(a, b) MOLDAU_CONCAT_(a, b)

// MOLDAU_TRY(auto position, segment.append(batch)); declares position, or returns the error.
#define MOLDAU_TRY(declaration, expression) \
    MOLDAU_TRY_IMPL_(MOLDAU_CONCAT(moldau_result_, __COUNTER__), declaration, return, expression)
// The same inside a coroutine that returns a Result.
#define MOLDAU_CO_TRY(declaration, expression) \
    MOLDAU_TRY_IMPL_(MOLDAU_CONCAT(moldau_result_, __COUNTER__), declaration, co_return, expression)
#define MOLDAU_TRY_IMPL_(result, declaration, leave, expression) \
    auto result = (expression);                                  \
    if (!result) [[unlikely]] {                                  \
        leave std::unexpected(std::move(result).error());        \
    }                                                            \
    declaration = std::move(*result)

// MOLDAU_CHECK(log.flush()); for a Status whose value is nothing: returns the error, if any.
#define MOLDAU_CHECK(expression)                                              \
    do {                                                                      \
        if (auto moldau_status = (expression); !moldau_status) [[unlikely]] { \
            return std::unexpected(std::move(moldau_status).error());         \
        }                                                                     \
    } while (false)
