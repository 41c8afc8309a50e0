# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers that come and go by the thousand: what is left in the daemon and the kernel."""

import dataclasses
import os
import subprocess
import time

from lab import host, parse
from lab.check import Failure, eventually
from lab.load import Row

WARM_UP = 1000
FILES = 4  # that each reads
CONTROLLERS = ('memory', 'cpu', 'cpuacct')

# How much more there may be after all of them than after the first thousand.
MORE_DESCRIPTORS = 30
MORE_KB = 1024
MORE_SLAB_KB = 50 << 10


@dataclasses.dataclass
class State:
    """What the daemon and the kernel hold."""

    descriptors: int
    own_kb: int
    containers: int
    slab_kb: int

    @classmethod
    def of(cls, daemon):
        # Names and inodes of what is gone are kept for as long as there is memory.
        host.write('/proc/sys/vm/drop_caches', 2)
        slab_kb = parse.meminfo(host.read('/proc/meminfo'))['SUnreclaim']
        known = len(os.listdir(daemon.path('/containers')))
        return cls(daemon.descriptors(), daemon.own_kb(), known, slab_kb)

    def __str__(self):
        return (
            f'{self.descriptors} descriptors, {self.own_kb} kB of its own, {self.containers} '
            f'containers known, {self.slab_kb} kB of kernel slab but for its caches'
        )


def settled(daemon):
    """Once the last containers are forgotten."""
    try:
        eventually(lambda: not os.listdir(daemon.path('/containers')), 'all are forgotten', 10)
    except Failure:
        pass  # their number will tell
    return State.of(daemon)


def make(lab, daemon, group, makers, first, count):
    """Have `count` of them come and go; what went wrong."""
    done = subprocess.run(
        [f'{lab.run.build}/tests/passers', '-n', str(count), '-f', str(first), '-j', '4']
        + [daemon.mnt, *group.folders.values()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        preexec_fn=makers.join,
        check=False,
    )
    return done.stderr.strip() or (f'status {done.returncode}' if done.returncode else '')


def growth(before, after):
    limits = {'descriptors': MORE_DESCRIPTORS, 'own_kb': MORE_KB, 'slab_kb': MORE_SLAB_KB}
    grown = [
        f'{name} grew from {getattr(before, name)} to {getattr(after, name)}'
        for name, more in limits.items()
        if getattr(after, name) > getattr(before, name) + more
    ]
    if after.containers:
        grown.append(f'{after.containers} containers are still known')
    return '; '.join(grown)


def containers(lab, count):
    daemon = lab.start_daemon()
    group = lab.cgroup('passing', controllers=CONTROLLERS)
    group.enable()
    makers = lab.cgroup('makers', controllers=('pids',))
    row = Row('containers that came and went', events=count, readings=count * FILES)
    wrong = make(lab, daemon, group, makers, 0, min(WARM_UP, count))
    before, start = settled(daemon), time.monotonic()
    wrong = wrong or make(lab, daemon, group, makers, WARM_UP, max(0, count - WARM_UP))
    seconds = time.monotonic() - start
    after = settled(daemon)
    row.note = f'after {WARM_UP:,}: {before}; after all: {after}; {seconds:.0f} s'
    row.trouble = wrong or growth(before, after)
    return row
