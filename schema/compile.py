#!/usr/bin/env python3
"""Compiles schema/ into C++: one header per API, one per record family, and the API table.

    compile.py <schema folder> <output folder>           write what changed
    compile.py <schema folder> <output folder> --list    print the names of all outputs

CMake runs it at build time; files whose content is the same keep their time, so that a change of one
schema rebuilds what that message touches and nothing else.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import cpp
import notation


def write_if_changed(path, text):
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main():
    schema, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    files = cpp.generate(notation.parse_folder(schema))
    if "--list" in sys.argv[3:]:
        print("\n".join((out / name).as_posix() for name in files))
        return
    for name, text in files.items():
        write_if_changed(out / name, text)


if __name__ == "__main__":
    main()
