#!/usr/bin/env bash
# Installs what building or testing Moldau needs on Debian 12, and nothing that is there already.
#
#   dev/install.sh build    compiler, build tools and libraries
#   dev/install.sh test     the same, plus what the tests drive: JDK 17, Maven, kcat, Python venv, valgrind
#
# Works as root or through sudo. A missing test extra is a warning, because the tests that need it say
# so and are skipped; a missing build package is an error.
set -euo pipefail

build_packages=(
    clang-19 lld-19 libclang-rt-19-dev clang-format-19 libstdc++-12-dev cmake ninja-build ccache mold
    pkg-config python3 git
    libboost1.81-dev libboost-json1.81-dev libboost-system1.81-dev libfmt-dev libspdlog-dev libssl-dev
    libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev libisal-dev libjemalloc-dev libre2-dev
    libgtest-dev libgmock-dev
)
test_packages=(openjdk-17-jdk-headless maven kcat python3-venv valgrind)

missing() {
    local package
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "dev/install.sh: not root and no sudo; cannot install packages" >&2
        return 1
    fi
}

updated=no
install() {
    local wanted
    mapfile -t wanted < <(missing "$@")
    [ "${#wanted[@]}" -gt 0 ] || return 0
    echo "installing ${#wanted[@]} packages: ${wanted[*]}"
    if [ "$updated" = no ]; then
        as_root apt-get update -qq || return 1
        updated=yes
    fi
    # People who watch see apt at work; a log gets the line above alone.
    local watch=/dev/null
    [ -t 1 ] && watch=/dev/stdout
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${wanted[@]}" >"$watch"
}

case "${1:-build}" in
    build | test) ;;
    *)
        echo "usage: dev/install.sh [build|test]" >&2
        exit 1
        ;;
esac
install "${build_packages[@]}" || {
    echo "dev/install.sh: these packages are needed and could not be installed:" \
        "$(missing "${build_packages[@]}" | xargs)" >&2
    exit 1
}
if [ "${1:-build}" = test ]; then
    # One by one, so that one that cannot be had does not take the others along.
    for package in "${test_packages[@]}"; do
        install "$package" || echo "dev/install.sh: $package is missing; tests that need it are skipped" >&2
    done
fi
