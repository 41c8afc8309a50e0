# SPDX-License-Identifier: LGPL-2.1-or-later
"""Load averages, task counts and the newest pid."""

import math
import time

from lab import host, inside, parse
from lab.check import between, equal, eventually, near, ok

LOADAVG = '/proc/loadavg'


def load(box):
    return parse.loadavg(box.read(LOADAVG))


def expected(count, seconds, minutes=1):
    return count * (1 - math.exp(-seconds / 60.0 / minutes))


def test_four_spinners_for_a_minute(lab):
    """Four spinners for 60 s: loadavg 2.5, four running; an idle neighbour has none."""
    box, idle = lab.container(shares=2), lab.container()
    load(box), load(idle)
    box.spin(4)
    start = time.monotonic()
    yield 61
    one, five, fifteen, running, total, _last = load(box)
    seconds = time.monotonic() - start
    near(one, expected(4, seconds), 0.4, f'load of 1 minute after {seconds:.0f} s')
    near(five, expected(4, seconds, 5), 0.2, 'load of 5 minutes')
    near(fifteen, expected(4, seconds, 15), 0.1, 'load of 15 minutes')
    between(running, 4, 5, 'running')
    between(total, 5, 7, 'tasks')
    between(load(idle)[0], 0, 0.15, 'load of the idle neighbour')


def test_first_read_is_not_zero(lab):
    """A container first seen at age a starts at active × (1 − e^(−a/60))."""
    idle = lab.container()
    box = lab.container(shares=2)
    box.spin(3)
    born = time.monotonic()
    yield 8
    one, five, _fifteen, running, *_rest = load(box)
    age = time.monotonic() - born
    between(running, 3, 4, 'running')
    near(one, expected(3, age), 0.25 + expected(1, age), 'load of 1 minute')
    ok(one > 0.2, f'load of 1 minute is {one}')
    near(five, expected(3, age, 5), 0.15, 'load of 5 minutes')
    between(load(idle)[0], 0, 0.2, 'load of the idle neighbour')


def test_threads_and_nested_groups_count(lab):
    """Three threads and two spinners in nested groups are five running tasks."""
    box = lab.container(shares=2)
    deep = box.group.bare_child('a').bare_child('b')
    box.start(inside.spin_threads, 3)
    for _ in range(2):
        box.start(inside.spin_in, deep)
    eventually(lambda: 5 <= load(box)[3] <= 6, 'five running tasks', 12, 0.3)


def test_last_pid_is_in_the_containers_numbering(lab):
    """The fifth field is a small number, that of the container's newest process."""
    box = lab.container()
    task = box.start(inside.sleep)
    own = int(
        next(
            line
            for line in host.read(f'/proc/{task.pid}/status').splitlines()
            if line.startswith('NSpid')
        ).split()[-1]
    )
    last = eventually(
        lambda: (lambda n: n if n >= own else 0)(load(box)[5]), 'the newest pid', 12, 0.3
    )
    between(last, own, own + 60, 'last pid')


def test_total_counts_all_tasks(lab):
    """The total of field 4 is the container's threads, sleeping ones too."""
    box = lab.container()
    for _ in range(6):
        box.start(inside.sleep)
    eventually(lambda: 7 <= load(box)[4] <= 9, 'seven tasks and the reader', 12, 0.3)


def test_name_that_looks_like_a_state_is_no_load(lab):
    """A sleeper named `) R 1 (` is not counted as running."""
    box = lab.container()
    for name in (b'a) R 1 (b) R', b') R', b'x\n) R 1 1'):
        box.start(inside.sleep_named, name)
    load(box)
    time.sleep(6)
    between(load(box)[3], 0, 1, 'running')


def test_disabled_loadavg_is_the_hosts(lab):
    """With --disable-loadavg the file is not a container's: the host's averages."""
    daemon = lab.start_daemon('--disable-loadavg')
    box = lab.container(daemon=daemon)
    eventually(
        lambda: load(box)[:3] == parse.loadavg(host.read(LOADAVG))[:3],
        "the host's averages",
        8,
        0.2,
    )
    total = parse.loadavg(host.read(LOADAVG))[4]
    near(load(box)[4], total, 30, 'tasks')
    equal(len(box.read(LOADAVG).split()), 5, 'fields')
