#include "quorum/scram_argument.h"

#include <charconv>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "runtime/entropy.h"

namespace moldau::quorum {

namespace {

struct Mechanism {
    std::string_view name;
    std::string_view enum_name;  // as messages show it
    int8_t number;
    const EVP_MD* (*digest)();
};
constexpr Mechanism kMechanisms[] = {{"SCRAM-SHA-256", "SCRAM_SHA_256", 1, EVP_sha256},
                                     {"SCRAM-SHA-512", "SCRAM_SHA_512", 2, EVP_sha512}};
constexpr int32_t kIterationsMin = 4096;
constexpr int32_t kIterationsMax = 16384;

std::string_view trim(std::string_view text) {
    size_t from = text.find_first_not_of(" \t\r\n");
    if (from == std::string_view::npos) {
        return {};
    }
    return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    std::string bytes(text.size() / 4 * 3, '\0');
    int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                 reinterpret_cast<const unsigned char*>(text.data()),
                                 static_cast<int>(text.size()));
    if (length < 0) {
        return std::nullopt;
    }
    size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    bytes.resize(static_cast<size_t>(length) - padding);
    return bytes;
}

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string salted_password(const Mechanism& mechanism, std::string_view password,
                            std::string_view salt, int32_t iterations) {
    std::string key(static_cast<size_t>(EVP_MD_size(mechanism.digest())), '\0');
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(salt),
                      static_cast<int>(salt.size()), iterations, mechanism.digest(),
                      static_cast<int>(key.size()), reinterpret_cast<unsigned char*>(key.data()));
    return key;
}

std::string hmac(const Mechanism& mechanism, std::string_view key, std::string_view text) {
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    HMAC(mechanism.digest(), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(),
         value, &size);
    return {reinterpret_cast<char*>(value), size};
}

std::string hash(const Mechanism& mechanism, std::string_view text) {
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_Digest(text.data(), text.size(), value, &size, mechanism.digest(), nullptr);
    return {reinterpret_cast<char*>(value), size};
}

std::string random_salt(runtime::Entropy& entropy) {
    // As Kafka's: about 130 random bits, in letters and digits.
    std::string salt;
    for (int i = 0; i < 26; ++i) {
        salt += "0123456789abcdefghijklmnopqrstuvwxyz"[entropy.below(36)];
    }
    return salt;
}

std::unexpected<Error> wrong(std::string message) {
    return fail(Error{ErrorCode::InvalidConfig, std::move(message)});
}

Result<std::map<std::string, std::string>> parse_components(std::string_view text) {
    std::map<std::string, std::string> components;
    while (!text.empty()) {
        size_t comma = text.find(',');
        std::string_view component = text.substr(0, comma);
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
        size_t equals = component.find('=');
        if (equals == std::string_view::npos) {
            return wrong(fmt::format("No equals sign found in SCRAM component: {}", component));
        }
        std::string_view value = component.substr(equals + 1);
        if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
            value = value.substr(1, value.size() - 2);
        }
        components[std::string(component.substr(0, equals))] = value;
    }
    return components;
}

}  // namespace

Result<protocol::UserScramCredentialRecord> parse_scram_argument(std::string_view argument,
                                                                 runtime::Entropy& entropy) {
    argument = trim(argument);
    size_t equals = argument.find('=');
    if (equals == std::string_view::npos) {
        return wrong(fmt::format("Failed to find equals sign in SCRAM argument '{}'", argument));
    }
    std::string_view name = argument.substr(0, equals);
    std::string_view list = argument.substr(equals + 1);
    auto mechanism = std::ranges::find(kMechanisms, name, &Mechanism::name);
    if (mechanism == std::end(kMechanisms)) {
        return wrong(fmt::format("The add-scram mechanism {} is not supported.", name));
    }
    if (!list.starts_with('[')) {
        return wrong("Expected configuration string to start with [");
    }
    if (!list.ends_with(']')) {
        return wrong("Expected configuration string to end with ]");
    }
    MOLDAU_TRY(auto components, parse_components(list.substr(1, list.size() - 2)));
    auto take = [&](const char* key) -> std::optional<std::string> {
        auto node = components.extract(key);
        return node ? std::optional(std::move(node.mapped())) : std::nullopt;
    };
    std::optional<std::string> user = take("name");
    std::optional<std::string> salt_text = take("salt");
    std::optional<std::string> iterations_text = take("iterations");
    std::optional<std::string> password = take("password");
    std::optional<std::string> salted_text = take("saltedpassword");
    if (!user) {
        return wrong("You must supply 'name' to add-scram");
    }
    std::optional<std::string> salt;
    if (salt_text) {
        salt = decode_base64(*salt_text);
        if (!salt) {
            return wrong(fmt::format("Failed to decode given salt: {}", *salt_text));
        }
    }
    int32_t iterations = kIterationsMin;
    if (iterations_text) {
        const char* end = iterations_text->data() + iterations_text->size();
        auto [at, error] = std::from_chars(iterations_text->data(), end, iterations);
        if (error != std::errc() || at != end) {
            return wrong(fmt::format("Failed to parse iterations count: {}", *iterations_text));
        }
    }
    std::optional<std::string> salted;
    if (!password) {
        if (!salted_text) {
            return wrong("You must supply one of 'password' or 'saltedpassword' to add-scram");
        }
        if (!salt) {
            return wrong("You must supply 'salt' with 'saltedpassword' to add-scram");
        }
        salted = decode_base64(*salted_text);
        if (!salted) {
            return wrong(fmt::format("Failed to decode given saltedPassword: {}", *salted_text));
        }
    } else if (salted_text) {
        components["saltedpassword"] = *salted_text;  // one of the two, not both
    }
    if (!components.empty()) {
        std::string unknown;
        for (const auto& [key, value] : components) {
            unknown += (unknown.empty() ? "" : ", ") + key;
        }
        return wrong(fmt::format("Unknown SCRAM configurations: {}", unknown));
    }
    if (iterations < kIterationsMin) {
        return wrong(fmt::format("The 'iterations' value must be >= {} for add-scram using {}",
                                 kIterationsMin, mechanism->enum_name));
    }
    if (iterations > kIterationsMax) {
        return wrong(fmt::format("The 'iterations' value must be <= {} for add-scram using {}",
                                 kIterationsMax, mechanism->enum_name));
    }
    if (!salt) {
        salt = random_salt(entropy);
    }
    if (!salted) {
        salted = salted_password(*mechanism, *password, *salt, iterations);
    }
    protocol::UserScramCredentialRecord record;
    record.name = *user;
    record.mechanism = mechanism->number;
    record.salt = Bytes::copy_of(*salt);
    record.stored_key = Bytes::copy_of(hash(*mechanism, hmac(*mechanism, *salted, "Client Key")));
    record.server_key = Bytes::copy_of(hmac(*mechanism, *salted, "Server Key"));
    record.iterations = iterations;
    return record;
}

}  // namespace moldau::quorum
