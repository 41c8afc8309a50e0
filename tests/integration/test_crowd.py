# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many readers while containers come and go: no failed read, no leak, no sanitizer report."""

import os
import random
import time

from lab import MIB, host, parse
from lab.check import Skip, between, equal, needs, ok

READERS = 64
BOXES = 16
FILES = ('meminfo', 'stat', 'cpuinfo', 'uptime', 'loadavg', 'swaps', 'diskstats')


def visit(limit_kb, cpus, stop):
    """Read files at random until told to stop: (readings, what was wrong)."""
    count = 0
    while not os.path.exists(stop):
        name = random.choice(FILES)
        try:
            text = host.read(f'/proc/{name}')
        except OSError as error:
            return count, f'{name}: {error}'
        count += 1
        if name == 'meminfo' and parse.meminfo(text).get('MemTotal') != limit_kb:
            return count, f'meminfo: {text[:60]!r}'
        if name == 'stat' and parse.stat_cpus(text) != cpus:
            return count, f'stat: {text[:60]!r}'
        if name == 'cpuinfo' and parse.cpuinfo_cpus(text) != cpus:
            return count, f'cpuinfo: {text[:60]!r}'
        if not text and name != 'diskstats':
            return count, f'{name} is empty'
    return count, ''


def crowd(lab, seconds, **options):
    """64 readers in live containers while others are made and removed."""
    daemon = lab.start_daemon(**options)
    stop = f'{lab.folder}/stop'
    tasks, boxes = [], []
    for number in range(BOXES):
        limit, cpus = (128 + 8 * number) * MIB, 1 + number % 2
        box = lab.container(daemon=daemon, memory=limit, cpus=cpus, shares=512)
        boxes.append(box)
        tasks += [
            box.start(visit, limit // 1024, host.CPUS[:cpus], stop) for _ in range(READERS // BOXES)
        ]
    start, middle, made = time.monotonic(), None, 0
    while time.monotonic() - start < seconds:
        passing = lab.container(daemon=daemon, memory=(64 + made % 50) * MIB, cpus=1)
        for name in FILES:
            passing.read(f'/proc/{name}')
        equal(
            parse.meminfo(passing.read('/proc/meminfo'))['MemTotal'],
            (64 + made % 50) * 1024,
            'MemTotal',
        )
        passing.close()
        passing.group.remove()
        made += 1
        if middle is None and time.monotonic() - start > seconds / 2:
            middle = daemon.own_kb(), daemon.descriptors()
    last = daemon.own_kb(), daemon.descriptors()
    host.write_new(stop)
    total = 0
    for task in tasks:
        count, wrong = task.result(60)
        equal(wrong, '', f'after {count} readings')
        total += count
    ok(total > READERS * 3, f'{total} readings')
    ok(made >= 1, 'no container came and went')
    equal(daemon.stop(), 0, 'exit status')
    return middle or last, last


@needs(timeout=150)
def test_64_readers_while_containers_come_and_go(lab):
    """A minute of 64 readers and new containers: every value true, no growth."""
    middle, last = crowd(lab, 60 if not host.GUEST else 15)
    between(last[0], 0, middle[0] + 1024, 'kB of its own')
    between(last[1], 0, middle[1] + 40, 'descriptors')


def sanitized(lab, variable, options):
    build = os.environ.get(variable)
    if not build:
        raise Skip(f'{variable} names no build folder')
    crowd(lab, 60 if not host.GUEST else 25, binary=f'{build}/lxcfs-clone', env=options)


@needs('host', timeout=200)
def test_address_sanitizer(lab):
    """The same minute with a build under ASan and LSan: no report."""
    sanitized(
        lab,
        'LXCFS_CLONE_ASAN_BUILD',
        {'ASAN_OPTIONS': 'detect_leaks=1', 'UBSAN_OPTIONS': 'print_stacktrace=1'},
    )


@needs('host', timeout=200)
def test_thread_sanitizer(lab):
    """The same minute with a build under TSan: no report."""
    # GLib's own allocator hands memory from thread to thread by locks that TSan does not see.
    env = {'TSAN_OPTIONS': 'halt_on_error=0', 'G_SLICE': 'always-malloc'}
    sanitized(lab, 'LXCFS_CLONE_TSAN_BUILD', env)
