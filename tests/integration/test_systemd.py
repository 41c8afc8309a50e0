# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service under systemd itself, as PID 1 of the guest (tests/vm/vm.sh -s)."""

import os
import signal
import time

from lab import MIB, host, parse
from lab.check import between, equal, eventually, needs, ok
from lab.load import Load, outcome_of_reading
from lab.unit import NAME, Unit, systemctl

READERS = 3
FILES = ('meminfo', 'uptime', 'stat')
GONE = ('ENOTCONN', 'ECONNABORTED')


def service(lab):
    unit = Unit(lab.run.binary)
    lab.later(unit.close)
    equal(unit.show('NFileDescriptorStore'), '2', 'descriptors stored')
    return unit


def undergo(lab, unit, *events):
    """Each event so many times, under readers that never see it."""
    load = Load(lab, unit, READERS, files=FILES)
    with load:
        for count, function in events:
            for number in range(count):
                load.event(function, number)
    ok(load.row.good(), load.row.why())
    equal(unit.show('NFileDescriptorStore'), '2', 'descriptors stored')
    equal(sum(point == unit.mnt for point, *_ in host.mounts()), 1, 'mounts')


@needs('systemd', timeout=120)
def test_restarts(lab):
    """10 restarts of the service: no failed read."""
    unit = service(lab)
    undergo(lab, unit, (10, unit.restart))


@needs('systemd', timeout=120)
def test_everything_killed(lab):
    """10 times SIGKILL of all of the service's processes: no failed read."""
    unit = service(lab)
    undergo(lab, unit, (10, unit.kill_all))


@needs('systemd', timeout=120)
def test_reloads_and_reexecs(lab):
    """5 reloads, systemd replaced by itself twice, a kill after that, SIGTERMs by hand: the same."""
    unit = service(lab)
    undergo(
        lab,
        unit,
        (5, unit.reload),
        (2, unit.reexec),
        (2, unit.kill_all),
        (2, unit.terminate),
    )


@needs('systemd', timeout=60)
def test_stop(lab):
    """The mount is gone, nothing is stored, and readers get an error at once; then it starts."""
    unit = service(lab)
    box = lab.container(daemon=unit, memory=256 * MIB)
    equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')
    systemctl('stop', NAME)
    ok(not unit.mounted(), 'still mounted')
    equal(unit.show('NFileDescriptorStore'), '0', 'descriptors stored')
    start = time.monotonic()
    ok(box.call(outcome_of_reading, '/proc/meminfo') in GONE, 'reading after the stop')
    between(time.monotonic() - start, 0, 5 * host.SCALE, 'seconds until the error')
    systemctl('start', NAME)
    box = lab.container(daemon=unit, memory=256 * MIB)
    equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')


@needs('systemd', timeout=120)
def test_stop_after_the_keeper_died(lab):
    """systemd has nothing stored after the stop either: readers get an error, the next start repairs."""
    unit = service(lab)
    box = lab.container(daemon=unit, memory=256 * MIB)
    for _ in range(3):
        os.kill(unit.main_pid(), signal.SIGKILL)
        systemctl('stop', NAME)
        equal(unit.show('NFileDescriptorStore'), '0', 'descriptors stored')
        ok(box.call(outcome_of_reading, '/proc/meminfo', seconds=5) in GONE, 'after the stop')
        systemctl('start', NAME)
        eventually(
            lambda: not box.call(outcome_of_reading, '/proc/meminfo', seconds=5), 'put back', 20
        )
        equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')


@needs('systemd', timeout=120)
def test_worker_killed_while_the_keeper_is_stopped(lab):
    """Who stands by ends the keeper, upon which systemd starts another instance: no failed read."""
    unit = service(lab)
    load = Load(lab, unit, READERS, files=FILES)
    with load:
        load.event(lose_worker_of_a_stopped_keeper, unit)
    ok(load.row.good(), load.row.why())


def lose_worker_of_a_stopped_keeper(unit):
    keeper = unit.main_pid()
    os.kill(keeper, signal.SIGSTOP)
    (worker,) = [
        pid
        for pid in map(int, host.read(f'/proc/{keeper}/task/{keeper}/children').split())
        if host.read(f'/proc/{pid}/comm') == 'lxcfs-worker\n'
    ]
    os.kill(worker, signal.SIGKILL)
    unit.serves_anew(keeper)


@needs('systemd', timeout=60)
def test_stop_under_readers(lab):
    """Readers that read all the time hang no longer than the stop takes."""
    unit = service(lab)
    box = lab.container(daemon=unit, memory=256 * MIB)
    tasks = [box.start(read_until_it_fails, '/proc/meminfo') for _ in range(3)]
    time.sleep(0.5 * host.SCALE)
    systemctl('stop', NAME)
    for task in tasks:
        ok(task.result(10) in GONE, 'how reading ended')


def read_until_it_fails(path):
    while not (got := outcome_of_reading(path)):
        pass
    return got
