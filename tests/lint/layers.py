#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fail when a file looks past its layer: layers.py SOURCE_ROOT"""
import pathlib
import re
import sys

SEES = {
    "util": set(),
    "host": {"util"},
    "bind": {"util", "host"},
    "cgroup": {"util"},
    "container": {"util", "host", "cgroup"},
    "sample": {"util", "host", "cgroup", "container"},
    "view": {"util", "host", "cgroup", "container", "sample"},
    "fs": {"util", "host", "cgroup", "container", "sample", "view"},
    "daemon": {"util", "host", "cgroup", "container", "sample", "view", "fs", "bind"},
    "install": {"util", "bind", "fs"},
    "ctl": {"util", "host", "bind", "cgroup", "install"},
    "run": {"util", "host", "cgroup", "bind"},
    "hooks": {"util", "host", "bind"},
}

# What one layer alone may spell, and how it is called in the complaint.
OWNED = [
    (r"#include <fuse", ("src/fs/", "src/daemon/channel.c"), "libfuse"),
    (r'"/proc\b', ("src/host/",), "a path of /proc"),
    (
        r'"(memory|cpu|cpuset|cpuacct|io|blkio|pids|freezer|hugetlb|cgroup)\.[a-z][a-z_.]*"',
        ("src/cgroup/",),
        "a cgroup's file",
    ),
]


def complaints(root: pathlib.Path):
    files = (p for d in ("include", "src", "hooks") for p in (root / d).rglob("*.[ch]"))
    for path in sorted(files):
        name = path.relative_to(root).as_posix()
        parts = name.split("/")
        area = parts[0] if parts[0] == "hooks" else parts[1]
        for n, line in enumerate(path.read_text().splitlines(), 1):
            m = re.match(r'#include "(\w+)/', line)
            if area not in SEES:
                yield f"{name}: no layer is called {area}"
                break
            if m and m[1] != area and m[1] not in SEES[area]:
                yield f"{name}:{n}: {area}/ may not include {m[1]}/"
            for pattern, owners, what in OWNED:
                if re.search(pattern, line) and not name.startswith(owners):
                    yield f"{name}:{n}: {what} is for {' and '.join(owners)} alone"


found = list(complaints(pathlib.Path(sys.argv[1])))
sys.exit("\n".join(found) or 0)
