# SPDX-License-Identifier: LGPL-2.1-or-later
"""Readers in containers that read all the time, while something is done to the daemon."""

import dataclasses
import errno
import json
import mmap
import os
import random
import struct
import subprocess
import time

from lab import MIB, host
from lab.check import Failure

FILES = ('selftest', 'meminfo', 'stat', 'uptime', 'cpuinfo', 'loadavg')
SLOT = struct.Struct('QQ')  # readings, µs of the longest call
# After an event each reader must end so many readings: then none was in hand all the time.
READINGS = 2


def run_reader(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise Failure(f'the reader ended with {done.returncode}: {done.stderr.decode()}')
    return json.loads(done.stdout)


@dataclasses.dataclass
class Row:
    """What became of a scenario."""

    name: str
    events: int = 0
    readings: int = 0
    failed: dict = dataclasses.field(default_factory=dict)
    torn: int = 0
    interrupted: int = 0
    calls: dict = dataclasses.field(default_factory=dict)  # µs, rounded down -> how many
    longest_us: int = 0
    stalls_us: list = dataclasses.field(default_factory=list)
    incidents: list = dataclasses.field(default_factory=list)
    note: str = ''
    trouble: str = ''  # something else than a reading went wrong

    def add(self, result):
        """What one reader says."""
        self.readings += result['readings']
        self.torn += result['torn']
        self.interrupted += result['interrupted']
        self.longest_us = max(self.longest_us, result['longest_us'])
        self.incidents += result['incidents']
        for number, count in result['failed'].items():
            name = errno.errorcode.get(int(number), number)
            self.failed[name] = self.failed.get(name, 0) + count
        for start, count in result['buckets']:
            self.calls[start] = self.calls.get(start, 0) + count

    def call_us(self, share):
        """So many µs at most took that share of the calls (within an eighth)."""
        left = share * sum(self.calls.values())
        for start, count in sorted(self.calls.items()):
            left -= count
            if left <= 0:
                return start
        return 0

    def stall_us(self, share):
        ordered = sorted(self.stalls_us)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0

    def good(self):
        return not (self.failed or self.torn or self.trouble)

    def why(self):
        return f'{self.failed} failed, {self.torn} torn: {self.incidents} {self.trouble}'


class Load:
    """`readers` of them, each in a container with another limit; for use with `with`."""

    def __init__(self, lab, daemon, readers, *, signal_ms=0, gap_ms=0, files=FILES, modes='wphq'):
        self.daemon = daemon
        self.row = Row('')
        path = f'{lab.folder}/control{id(self)}'
        with open(path, 'w+b') as control:
            control.truncate(mmap.PAGESIZE)
            self.slots = mmap.mmap(control.fileno(), mmap.PAGESIZE)
        self.tasks = []
        for number in range(1, readers + 1):
            limit = (64 + 8 * number) * MIB
            box = lab.container(daemon=daemon, memory=limit, cpus=1 + number % 2)
            words = {'s': signal_ms, 'g': gap_ms, 'm': modes, 'k': limit // 1024}
            words.update(c=path, i=number)
            argv = [f'{lab.run.build}/tests/reader']
            argv += [f'-{letter}{value}' for letter, value in words.items()]
            argv += [daemon.path(f'/proc/{name}') for name in files]
            self.tasks.append(box.start(run_reader, argv))

    def _slot(self, number):
        return SLOT.unpack_from(self.slots, number * SLOT.size)

    def _counts(self):
        return [self._slot(1 + n)[0] for n in range(len(self.tasks))]

    def _longest_us(self):
        return max(self._slot(1 + n)[1] for n in range(len(self.tasks)))

    def mark(self):
        """What happens from here on is the event's doing."""
        for n in range(len(self.tasks)):
            struct.pack_into('Q', self.slots, (1 + n) * SLOT.size + 8, 0)

    def progress(self, seconds=20):
        """Wait until all readers have gone on."""
        before = self._counts()
        deadline = time.monotonic() + seconds * host.SCALE
        while any(b - a < READINGS for a, b in zip(before, self._counts())):
            ended = [task.name for task in self.tasks if task.done()]
            if ended or time.monotonic() > deadline:
                what = 'a reader ended' if ended else 'readers hang'
                raise Failure(f'{what}: {self.daemon.tail()}')
            time.sleep(0.001)

    def event(self, function, *args, pause=(0, 0.03)):
        """Do something at a random moment; see to it that all read on."""
        time.sleep(random.uniform(*pause))
        self.mark()
        function(*args)
        self.progress()
        self.row.stalls_us.append(self._longest_us())
        self.row.events += 1

    def __enter__(self):
        try:
            self.progress()
        except BaseException:
            self.daemon.kill_everything()
            raise
        self.mark()
        return self

    def __exit__(self, kind, error, _trace):
        """Without a daemon whoever hangs gets an error, and its container can end."""
        SLOT.pack_into(self.slots, 0, 1, 0)
        try:
            if kind is None:
                for task in self.tasks:
                    self.row.add(task.result(20))
        except Failure:
            kind = Failure
            raise
        finally:
            if kind is not None:
                self.daemon.kill_everything()
            self.slots.close()


def outcome_of_reading(path):
    """'' or the error's name."""
    try:
        with open(path, 'rb', buffering=0) as file:
            return '' if os.read(file.fileno(), 65536) else 'empty'
    except OSError as error:
        return errno.errorcode[error.errno]
