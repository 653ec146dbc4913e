#include "protocol/api_keys.h"

namespace moldau::protocol {

const ApiInfo* find_api(int16_t key) {
    if (key < 0 || static_cast<size_t>(key) >= kApis.size()) {
        return nullptr;
    }
    const ApiInfo& info = kApis[static_cast<size_t>(key)];
    return info.versions.first <= info.versions.last ? &info : nullptr;
}

VersionRange ApiInfo::served(bool unstable_enabled) const {
    VersionRange range = versions;
    if (latest_unstable && !unstable_enabled) {
        --range.last;
    }
    return range;
}

VersionRange ApiInfo::advertised(bool unstable_enabled) const {
    VersionRange range = served(unstable_enabled);
    if (key == ApiKey::Produce) {
        range.first = 0;
    }
    return range;
}

}  // namespace moldau::protocol
