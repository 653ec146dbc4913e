#!/usr/bin/env python3
"""The house rules a machine can check. Prints one line per offence; exit 1 when there is any.

usage: tidy.py [--no-format]

  lines       at most 100 columns in C++, 120 in Python; no tabs, no blanks at the end
  files       at most 900 lines of C++ (tests and generated code apart)
  modules     every folder of src/ has a README.md, every public header opens with a comment
  words       nothing unfinished by its own words, no paths of somebody's machine
  headers     no heavy library in a header: Asio, Boost.JSON, spdlog, OpenSSL live in .cc files
  includes    a header begins with #pragma once
  format      clang-format-19 has nothing to say
"""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CODE = (".cc", ".h")
COLUMNS_MAX = {".cc": 100, ".h": 100, ".py": 120}
FILE_LINES_MAX = 900
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
FOREIGN_PATH = re.compile(r"(^|[^A-Za-z0-9._-])/(ro" r"ot|wo" r"rk|ho" r"me)/[a-z]")
HEAVY = re.compile(r'#include\s+[<"](boost/|spdlog/|openssl/|asio)')
# The seam itself: the one header through which the others reach the library.
HEAVY_ALLOWED = {"src/runtime/loop_impl.h"}
MODULES_WITHOUT_README = {"test_main"}


def tracked_files():
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout
    return [path for path in map(pathlib.Path, out.split("\n")) if (ROOT / path).is_file()]


def check_text(path, text, say):
    limit = COLUMNS_MAX.get(path.suffix, 10_000)
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}"
        if len(line) > limit:
            say(f"{where}: {len(line)} columns, at most {limit}")
        if line != line.rstrip() and path.suffix in (*CODE, ".py", ".txt", ".cmake"):
            say(f"{where}: blanks at the end of the line")
        if "\t" in line and path.suffix in CODE:
            say(f"{where}: tab")
        if UNFINISHED.search(line):
            say(f"{where}: unfinished by its own words")
        if FOREIGN_PATH.search(line):
            say(f"{where}: a path of somebody's machine")


def check_code(path, text, say):
    lines = text.count("\n")
    if lines > FILE_LINES_MAX and not path.name.endswith("_test.cc"):
        say(f"{path}: {lines} lines, at most {FILE_LINES_MAX}: one idea per file")
    if path.suffix != ".h":
        return
    if "#pragma once" not in text:
        say(f"{path}: no #pragma once")
    if not text.startswith("//"):
        say(f"{path}: a header opens with a comment that says what it is")
    if str(path) not in HEAVY_ALLOWED and HEAVY.search(text):
        say(f"{path}: a heavy library in a header")


def check_modules(say):
    for folder in sorted((ROOT / "src").iterdir()):
        module = folder.is_dir() and (folder / "CMakeLists.txt").exists()
        if module and folder.name not in MODULES_WITHOUT_README and not (folder / "README.md").exists():
            say(f"src/{folder.name}: no README.md")


def check_format(files, say):
    program = shutil.which("clang-format-19")
    if not program:
        say("clang-format-19 is not installed: dev/install.sh build")
        return
    done = subprocess.run([program, "--dry-run", "-Werror", *map(str, files)], cwd=ROOT,
                          capture_output=True, text=True)
    named = {line.split(":")[0] for line in done.stderr.split("\n") if "error:" in line}
    for name in sorted(named):
        say(f"{name}: not formatted: clang-format-19 -i {name}")


def main():
    offences = []
    say = offences.append
    code = []
    for path in tracked_files():
        if path.suffix in (".png", ".jar") or (ROOT / path).is_symlink():
            continue
        text = (ROOT / path).read_text(errors="replace")
        check_text(path, text, say)
        if path.suffix in CODE:
            check_code(path, text, say)
            code.append(path)
    check_modules(say)
    if "--no-format" not in sys.argv:
        check_format(code, say)
    print("\n".join(offences) if offences else "tidy: nothing to say")
    sys.exit(1 if offences else 0)


if __name__ == "__main__":
    main()
