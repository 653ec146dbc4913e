#include "protocol/json.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace moldau::protocol {

void JsonWriter::separate() {
    if (needs_comma_) {
        out_ += ',';
    }
    needs_comma_ = true;
}

void JsonWriter::open(char bracket) {
    separate();
    out_ += bracket;
    needs_comma_ = false;
}

void JsonWriter::close(char bracket) {
    out_ += bracket;
    needs_comma_ = true;
}

void JsonWriter::raw(std::string_view text) {
    separate();
    out_ += text;
}

void JsonWriter::name(std::string_view text) {
    separate();
    out_ += '"';
    out_ += text;
    out_ += "\":";
    needs_comma_ = false;
}

void JsonWriter::integer(int64_t value) {
    raw(std::to_string(value));
}

// Java's Double.toString: plain between 1e-3 and 1e7, else one digit before the point and "E<n>".
void JsonWriter::number(double value) {
    if (std::isnan(value)) {
        return raw("\"NaN\"");
    }
    if (std::isinf(value)) {
        return raw(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    }
    double size = std::fabs(value);
    bool plain = value == 0 || (size >= 1e-3 && size < 1e7);
    char text[64];
    auto end = std::to_chars(text, text + sizeof(text), value,
                             plain ? std::chars_format::fixed : std::chars_format::scientific);
    std::string digits(text, end.ptr);
    if (plain) {
        return raw(digits.find('.') == std::string::npos ? digits + ".0" : digits);
    }
    size_t e = digits.find('e');
    std::string mantissa = digits.substr(0, e);
    if (mantissa.find('.') == std::string::npos) {
        mantissa += ".0";
    }
    raw(fmt::format("{}E{}", mantissa, std::stoi(digits.substr(e + 1))));
}

void JsonWriter::string(std::string_view text) {
    separate();
    out_ += '"';
    for (char c : text) {
        switch (c) {
            case '"':
                out_ += "\\\"";
                break;
            case '\\':
                out_ += "\\\\";
                break;
            case '\b':
                out_ += "\\b";
                break;
            case '\f':
                out_ += "\\f";
                break;
            case '\n':
                out_ += "\\n";
                break;
            case '\r':
                out_ += "\\r";
                break;
            case '\t':
                out_ += "\\t";
                break;
            default:
                if (static_cast<uint8_t>(c) < 0x20) {
                    out_ += fmt::format("\\u{:04X}", static_cast<uint8_t>(c));
                } else {
                    out_ += c;
                }
        }
    }
    out_ += '"';
}

void JsonWriter::bytes(const Bytes& value) {
    static constexpr char kAlphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    separate();
    out_ += '"';
    for (size_t at = 0; at < value.size(); at += 3) {
        size_t left = value.size() - at;
        uint32_t three = static_cast<uint32_t>(value[at]) << 16;
        three |= left > 1 ? static_cast<uint32_t>(value[at + 1]) << 8 : 0;
        three |= left > 2 ? static_cast<uint32_t>(value[at + 2]) : 0;
        out_ += kAlphabet[three >> 18];
        out_ += kAlphabet[(three >> 12) & 63];
        out_ += left > 1 ? kAlphabet[(three >> 6) & 63] : '=';
        out_ += left > 2 ? kAlphabet[three & 63] : '=';
    }
    out_ += '"';
}

}  // namespace moldau::protocol
