#include "config/properties.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace moldau::config {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\f';
}

// The next natural line of `text`, without its terminator (\n, \r or \r\n).
std::string_view take_line(std::string_view& text) {
    size_t end = text.find_first_of("\r\n");
    std::string_view line = text.substr(0, end);
    if (end == std::string_view::npos) {
        text = {};
        return line;
    }
    size_t next = end + 1;
    if (text[end] == '\r' && next < text.size() && text[next] == '\n') {
        ++next;
    }
    text.remove_prefix(next);
    return line;
}

std::string_view skip_blanks(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    return text;
}

// An odd number of backslashes at the end: the last one joins the next line.
bool continues(std::string_view line) {
    size_t backslashes = 0;
    while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') {
        ++backslashes;
    }
    return backslashes % 2 == 1;
}

void append_utf8(std::string& out, uint32_t code) {
    if (code < 0x80) {
        out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
        out.push_back(static_cast<char>(0xC0 | (code >> 6)));
        out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    } else if (code < 0x10000) {
        out.push_back(static_cast<char>(0xE0 | (code >> 12)));
        out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
        out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    } else {
        out.push_back(static_cast<char>(0xF0 | (code >> 18)));
        out.push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3F)));
        out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
        out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    }
}

// Four hex digits at text[at], or nothing.
std::optional<uint32_t> hex4(std::string_view text, size_t at) {
    if (at + 4 > text.size()) {
        return std::nullopt;
    }
    uint32_t code = 0;
    for (char c : text.substr(at, 4)) {
        uint32_t digit;
        if (c >= '0' && c <= '9') {
            digit = static_cast<uint32_t>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = static_cast<uint32_t>(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            digit = static_cast<uint32_t>(c - 'A' + 10);
        } else {
            return std::nullopt;
        }
        code = code * 16 + digit;
    }
    return code;
}

Result<std::string> unescape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out.push_back(text[i]);
            continue;
        }
        if (++i == text.size()) {
            break;
        }
        switch (text[i]) {
            case 't':
                out.push_back('\t');
                break;
            case 'n':
                out.push_back('\n');
                break;
            case 'r':
                out.push_back('\r');
                break;
            case 'f':
                out.push_back('\f');
                break;
            case 'u': {
                auto code = hex4(text, i + 1);
                if (!code) {
                    return fail(ErrorCode::InvalidConfig, "Malformed \\uxxxx encoding.");
                }
                i += 4;
                // Java writes characters beyond U+FFFF as a surrogate pair of two escapes.
                bool high = *code >= 0xD800 && *code < 0xDC00;
                if (high && text.substr(i + 1, 2) == "\\u") {
                    auto low = hex4(text, i + 3);
                    if (low && *low >= 0xDC00 && *low < 0xE000) {
                        code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
                        i += 6;
                    }
                }
                append_utf8(out, *code);
                break;
            }
            default:
                out.push_back(text[i]);
        }
    }
    return out;
}

// Where the key of a logical line ends: at the first unescaped '=', ':' or blank.
size_t key_end(std::string_view line) {
    for (size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\') {
            ++i;
        } else if (line[i] == '=' || line[i] == ':' || is_blank(line[i])) {
            return i;
        }
    }
    return line.size();
}

std::string escape(std::string_view text, bool is_key) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        switch (c) {
            case '\t':
                out += "\\t";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\f':
                out += "\\f";
                break;
            case ' ':
                out += is_key || i == 0 ? "\\ " : " ";
                break;
            case '=':
            case ':':
            case '#':
            case '!':
            case '\\':
                out.push_back('\\');
                out.push_back(c);
                break;
            default:
                out.push_back(c);
        }
    }
    return out;
}

}  // namespace

Result<ConfigMap> parse_properties(std::string_view text) {
    ConfigMap entries;
    while (!text.empty()) {
        std::string_view natural = skip_blanks(take_line(text));
        if (natural.empty() || natural.front() == '#' || natural.front() == '!') {
            continue;
        }
        std::string line(natural);
        while (continues(line)) {
            line.pop_back();
            if (text.empty()) {
                break;
            }
            line += skip_blanks(take_line(text));
        }
        size_t end = key_end(line);
        std::string_view rest = skip_blanks(std::string_view(line).substr(end));
        if (!rest.empty() && (rest.front() == '=' || rest.front() == ':')) {
            rest = skip_blanks(rest.substr(1));
        }
        MOLDAU_TRY(auto key, unescape(std::string_view(line).substr(0, end)));
        MOLDAU_TRY(auto value, unescape(rest));
        entries.insert_or_assign(std::move(key), std::move(value));
    }
    return entries;
}

Result<ConfigMap> read_properties_file(const std::string& path) {
    auto close = [](FILE* file) { std::fclose(file); };
    std::unique_ptr<FILE, decltype(close)> file(std::fopen(path.c_str(), "re"), close);
    if (file == nullptr) {
        return fail(ErrorCode::InvalidConfig, "cannot read properties file: path={} reason={}",
                    path, std::strerror(errno));
    }
    std::string text;
    char buffer[16384];
    size_t got;
    while ((got = std::fread(buffer, 1, sizeof(buffer), file.get())) > 0) {
        text.append(buffer, got);
    }
    if (std::ferror(file.get()) != 0) {
        return fail(ErrorCode::InvalidConfig, "cannot read properties file: path={} reason={}",
                    path, std::strerror(errno));
    }
    auto entries = parse_properties(text);
    if (!entries) {
        return fail(ErrorCode::InvalidConfig, "malformed properties file: path={} reason={}", path,
                    entries.error().message);
    }
    return entries;
}

std::string format_properties(const ConfigMap& entries) {
    std::string out;
    for (const auto& [key, value] : entries) {
        out += escape(key, true) + "=" + escape(value, false) + "\n";
    }
    return out;
}

}  // namespace moldau::config
