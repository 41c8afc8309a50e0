# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service under systemd itself, as PID 1 of the guest (tests/vm/vm.sh -s)."""

import time

from lab import MIB, host, parse
from lab.check import between, equal, needs, ok
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
