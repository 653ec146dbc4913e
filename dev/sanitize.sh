#!/usr/bin/env bash
# Builds everything under a sanitizer and runs the unit tests and the short conformance suites in it.
#
#   dev/sanitize.sh asan           address, leaks, undefined behaviour
#   dev/sanitize.sh tsan           data races and lock order
#   dev/sanitize.sh tsan --long    the long suites too: stress, crashes, groups, parity, Java tools, ...
#   dev/sanitize.sh tsan -R NAME   arguments of ctest instead of that choice
#
# Nodes and tools write their findings to build/<preset>/findings/, because a test may not look at how
# what it started has ended. Any finding fails the run and is printed. There are no suppressions.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

preset=${1:-}
case "$preset" in
    asan | tsan) shift ;;
    *)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
        exit 1
        ;;
esac
short='^(unit|schema)\.|^conformance\.(kcat|bad_input|tools|directories|confluent|kafka_python)$'
case "${1:-}" in
    '') chosen=(-R "$short") ;;
    --long) chosen=(-R '^(unit|schema|conformance)\.') ;;
    *) chosen=("$@") ;;
esac

dev/install.sh test
mkdir -p build
if ! cmake --preset "$preset" >"build/$preset-configure.log" 2>&1; then
    cat "build/$preset-configure.log" >&2
    exit 1
fi
cmake --build --preset "$preset"

findings=$PWD/build/$preset/findings
rm -rf "$findings"
mkdir -p "$findings"
# A node must not end at its first finding: the second may explain it.
export TSAN_OPTIONS="log_path=$findings/tsan second_deadlock_stack=1 history_size=4"
export ASAN_OPTIONS="log_path=$findings/asan detect_leaks=1 detect_stack_use_after_return=1"
export ASAN_OPTIONS="$ASAN_OPTIONS check_initialization_order=1 strict_init_order=1"
export LSAN_OPTIONS="log_path=$findings/leak"
export UBSAN_OPTIONS="log_path=$findings/undefined print_stacktrace=1"

code=0
ctest --preset "$preset" "${chosen[@]}" || code=$?
if [ -n "$(ls "$findings")" ]; then
    cat "$findings"/*
    echo "dev/sanitize.sh: $(ls "$findings" | wc -l) processes had something found in them: $findings" >&2
    exit 1
fi
exit "$code"
