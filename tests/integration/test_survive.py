# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever befalls the daemon's processes, no read fails and none is torn: tests/soak in small."""

import os
import time

from lab import host, survive
from lab.check import between, equal, holds, needs, ok
from lab.load import outcome_of_reading

READERS = 4


def sound(row):
    ok(row.good(), row.why())


def many(count):
    """The guest's CPUs are emulated."""
    return count if not host.GUEST else max(2, count // 5)


@needs(timeout=60)
def test_killed_workers(lab):
    """60 SIGKILLs of the worker, half of them one upon the other."""
    sound(survive.hasty_kills(lab, many(30), READERS))
    sound(survive.worker_kills(lab, many(30), READERS))


def test_killed_workers_of_readers_that_get_signals(lab):
    """30 SIGKILLs while each reader gets a signal every 2 ms."""
    sound(survive.signalled_kills(lab, many(30), READERS))


def test_killed_keepers_and_workers(lab):
    """20 SIGKILLs, of keeper or worker at random."""
    sound(survive.either_kills(lab, many(20), READERS))


def test_upgrades(lab):
    """8 times SIGHUP: the program on the disk serves, in keeper and worker."""
    sound(survive.upgrades(lab, many(8), READERS))


def test_upgrades_between_two_builds(lab):
    """6 times SIGHUP, with another build on the disk each time."""
    sound(survive.alternating_upgrades(lab, many(6), READERS))


def test_worker_killed_for_its_memory(lab):
    """The kernel kills the worker when its cgroup has no memory left."""
    sound(survive.oom_kills(lab, 2, READERS))


def test_stopped_worker(lab):
    """A worker that SIGSTOP stops is replaced."""
    sound(survive.stopped(lab, 1, READERS))


def test_frozen_worker(lab):
    """A worker whose cgroup is frozen is replaced, although v1 cannot kill it."""
    sound(survive.frozen(lab, 1, READERS))


def test_request_that_workers_die_of(lab):
    """It gets EIO after three workers, and the log names file and reader; others read on."""
    sound(survive.poison(lab, READERS))


@needs(timeout=90)
def test_request_that_workers_hang_in(lab):
    """It gets EIO after three workers, and the log names file and reader; others read on."""
    sound(survive.hang(lab, READERS))


def longest_wait(stop):
    """For another reading, in seconds, until told to stop."""
    worst = 0.0
    while not os.path.exists(stop):
        start = time.monotonic()
        host.read('/proc/meminfo')
        worst = max(worst, time.monotonic() - start)
    return worst


@needs(timeout=180)
def test_many_requests_that_workers_hang_in(lab):
    """Of one file and one container: each gets EIO, and others wait no longer than for one of them."""
    stop = f'{lab.folder}/stop'
    daemon = lab.start_daemon(binary=f'{lab.run.build}/tests/lxcfs-clone-faulty')
    bad, box = lab.container(daemon=daemon), lab.container(daemon=daemon)
    other = box.start(longest_wait, stop)
    start = time.monotonic()
    tasks = [bad.start(outcome_of_reading, daemon.path('/proc/hang')) for _ in range(12)]
    equal({task.result(150) for task in tasks}, {'EIO'}, 'reading hang')
    took = time.monotonic() - start
    host.write_new(stop)
    waited = other.result(60)
    print('#', f'others waited {waited:.1f} s, it was over after {took:.1f} s')
    between(took, 0, 20 * host.SCALE, 'seconds until all have their answer')
    between(waited, 0, 14 * host.SCALE, 'seconds of another reader')


def test_broken_program(lab):
    """An upgrade to it is refused, and a dead worker is replaced by the one that runs."""
    kinds = tuple(kind for kind in survive.BROKEN if kind != 'is never ready')
    sound(survive.broken_programs(lab, READERS, kinds))


def test_how_requests_in_hand_are_kept(lab):
    """The status is right in what this kernel can do: all of the above is by the journal alone."""
    status, out, _err = lab.execute(f'{lab.run.build}/lxcfs-clonectl', 'status', lab.daemon.mnt)
    equal(status, 0, 'status')
    words = 'or asked for again (RESEND)' if host.RESEND else 'alone'
    holds(out, f'requests in hand   in a journal {words}\n', 'status')
