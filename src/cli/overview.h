// What `moldau` alone prints: what this program is, the first steps, the tools.
#pragma once

#include <cstdio>

namespace moldau::cli {

void print_overview(std::FILE* out);

}  // namespace moldau::cli
