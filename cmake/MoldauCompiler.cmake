# Compiler, flags, cache and linker, in one place.
# clang-19 with libstdc++ is the one compiler: GCC 12 miscompiles coroutines, and libc++ would not
# link with Debian's C++ libraries.
option(MOLDAU_TESTS "build the unit tests" ON)
option(MOLDAU_FUZZ "build the libFuzzer targets" OFF)
set(pch_default ON)
if(DEFINED ENV{MOLDAU_PCH})
    set(pch_default $ENV{MOLDAU_PCH})
endif()
option(MOLDAU_PCH "precompile the standard headers" ${pch_default})
option(MOLDAU_JEMALLOC "link jemalloc into the programs" ON)
set(MOLDAU_SANITIZE "" CACHE STRING "comma-separated sanitizers")

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
    message(FATAL_ERROR "Moldau is built with clang 19: configure with 'cmake --preset dev'.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

set(CMAKE_CXX_FLAGS_DEV "-O1 -g1")
set(CMAKE_C_FLAGS_DEV "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")

add_compile_options(
    -Wall -Wextra -Werror -Wthread-safety -Wno-missing-field-initializers
    -fno-omit-frame-pointer -fno-plt -pthread -msse4.2
    "SHELL:-Xclang -fno-pch-timestamp")
add_link_options(-fuse-ld=mold -pthread)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
    # mold 1.10 cannot load clang-19 bitcode, so the optimised program is linked by lld.
    add_compile_options(-flto=thin)
    add_link_options(-flto=thin -fuse-ld=lld-19 -Wl,--gc-sections -Wl,--icf=safe -Wl,--thinlto-jobs=2)
endif()

if(MOLDAU_SANITIZE)
    add_compile_options(-fsanitize=${MOLDAU_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${MOLDAU_SANITIZE})
    set(MOLDAU_JEMALLOC OFF)
endif()
if(MOLDAU_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# The cache is shared by all checkouts of the project: paths below the source are made relative.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
    set(launcher ${CMAKE_COMMAND} -E env
        CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${CCACHE_PROGRAM})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
    set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()
