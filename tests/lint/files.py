#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fail on files that miss the licence line, are too long, or name a place of one machine:
files.py SOURCE_ROOT"""
import pathlib
import re
import sys

FILE_LINES = 400
FUNCTION_LINES = 60
LICENCE = "SPDX-License-Identifier: LGPL-2.1-or-later"
SOURCES = {".c", ".h", ".py", ".sh", ".build", ".service"}
TEXTS = SOURCES | {".md", ".8", ".txt"}
SCRIPTS = ("dev", ".ci/run")
SOMEONES_PATH = re.compile(r"(?<![\w.])/(home|root|work|Users)/\w")


def tree(root: pathlib.Path):
    """The project's own files: no build folders, nothing recorded from a machine."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith((".git/", "build", "tests/fixtures/")) or not path.is_file():
            continue
        if path.suffix in TEXTS or name in SCRIPTS:
            yield name, path


def long_functions(lines):
    """Kernel style: a function's braces are alone in the first column."""
    start = 0
    for n, line in enumerate(lines, 1):
        if line == "{":
            start = n
        elif line == "}" and start:
            if n - start + 1 > FUNCTION_LINES:
                yield start, n - start + 1
            start = 0


def complaints(root: pathlib.Path):
    for name, path in tree(root):
        lines = path.read_text().splitlines()
        for n, line in enumerate(lines, 1):
            if SOMEONES_PATH.search(line):
                yield f"{name}:{n}: a path of one machine"
        if path.suffix not in SOURCES and name not in SCRIPTS:
            continue
        if not any(LICENCE in line for line in lines[:2]):
            yield f"{name}:1: no line '{LICENCE}'"
        if len(lines) > FILE_LINES:
            yield f"{name}: {len(lines)} lines, {FILE_LINES} at most"
        if path.suffix == ".c":
            for start, length in long_functions(lines):
                yield f"{name}:{start}: a function of {length} lines, {FUNCTION_LINES} at most"


found = list(complaints(pathlib.Path(sys.argv[1])))
sys.exit("\n".join(found) or 0)
