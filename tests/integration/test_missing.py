# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each controller missing in turn: what it alone tells becomes the host's, the rest stays true."""

import os
import time

from lab import MIB, host, inside, parse
from lab.check import between, equal, eventually, near, needs, ok

FILES = ('meminfo', 'cpuinfo', 'stat', 'uptime', 'loadavg', 'swaps', 'diskstats')
LIMIT = 256 * MIB


def host_total():
    return parse.meminfo(host.read('/proc/meminfo'))['MemTotal']


def whole(box):
    """Every file can be read and is not empty (diskstats of a container may be)."""
    for name in FILES:
        ok(box.read(f'/proc/{name}') or name == 'diskstats', f'{name} is empty')
    cpus = parse.stat(box.read('/proc/stat'))[0]
    total = [sum(column) for column in zip(*(cpus[name] for name in cpus if name != 'cpu'))]
    for field, got, wanted in zip(parse.CPU_FIELDS, cpus['cpu'], total):
        near(got, wanted, 2 * len(cpus), f'sum of {field}')


def limited_without(lab, *names):
    """A container of 256 MiB, CPU 1 alone of which half may be used, before such a daemon."""
    daemon = lab.start_daemon(hidden=[name for name in names if name in host.V1])
    box = lab.container(daemon=daemon, memory=LIMIT, cpus=0.5, cpuset='1')
    whole(box)
    return box


def shown(box):
    info = parse.meminfo(box.read('/proc/meminfo'))
    return info['MemTotal'], parse.cpuinfo_cpus(box.read('/proc/cpuinfo'))


def without(name):
    """True where hiding a v1 controller hides no other one with it."""
    return list(host.V1.values()).count(host.V1.get(name)) == 1


@needs('v1')
def test_without_the_memory_controller(lab):
    """No memory controller: the host's meminfo, the container's CPUs."""
    equal(shown(limited_without(lab, 'memory')), (host_total(), [1]), 'MemTotal and CPUs')


@needs('v1')
def test_without_the_cpu_controller(lab):
    """No cpu controller: the cpuset alone decides."""
    box = limited_without(lab, 'cpu')
    equal(shown(box), (LIMIT // 1024, [1]), 'MemTotal and CPUs')
    box.group.put('cpuset', 'cpuset.cpus', '0-1')
    equal(shown(box), (LIMIT // 1024, [0, 1]), 'MemTotal and CPUs')


@needs('v1')
def test_without_the_cpuset_controller(lab):
    """No cpuset controller: the quota alone decides, of the host's CPUs."""
    equal(
        shown(limited_without(lab, 'cpuset')), (LIMIT // 1024, host.CPUS[:1]), 'MemTotal and CPUs'
    )


@needs('v1')
def test_without_the_cpuacct_controller(lab):
    """No cpuacct controller: stat and uptime are whole and never go back."""
    box = limited_without(lab, 'cpuacct')
    total, cpus = shown(box)
    equal(total, LIMIT // 1024, 'MemTotal')
    if without('cpuacct'):
        equal(cpus, [1], 'CPUs')
    before, after, _seconds = box.call(inside.sampled, '/proc/stat', 0.5)
    first, last = parse.stat(before)[0], parse.stat(after)[0]
    for name in first:
        ok(all(a <= b for a, b in zip(first[name], last[name])), f'{name} fell')


@needs('v1')
def test_without_the_blkio_controller(lab):
    """No blkio controller: the host's devices."""
    box = limited_without(lab, 'blkio')
    equal(
        list(parse.diskstats(box.read('/proc/diskstats'))),
        list(parse.diskstats(host.read('/proc/diskstats'))),
        'devices',
    )
    equal(shown(box), (LIMIT // 1024, [1]), 'MemTotal and CPUs')


@needs('v1', timeout=90)
def test_without_each_other_controller(lab):
    """Without freezer, pids or devices everything is as with them, load averages too."""
    boxes = [limited_without(lab, name) for name in ('freezer', 'devices', 'pids')]
    for box in boxes:
        box.read('/proc/loadavg')
        box.spin()
    time.sleep(6)
    for box in boxes:
        equal(shown(box), (LIMIT // 1024, [1]), 'MemTotal and CPUs')
        between(parse.loadavg(box.read('/proc/loadavg'))[3], 1, 2, 'running')


@needs('v1')
def test_without_any_controller(lab):
    """Without all of them: the host's values, and no empty file."""
    box = limited_without(lab, 'memory', 'cpu', 'cpuacct', 'cpuset', 'blkio')
    equal(shown(box), (host_total(), host.CPUS), 'MemTotal and CPUs')


def lacking(lab, name, **limits):
    """A v2 container whose parent has these limits and hands one controller not down."""
    parent = lab.cgroup(**limits)
    return lab.container(
        group=parent.child(
            'box', enabled=[c for c in ('cpu', 'memory', 'cpuset', 'io', 'pids') if c != name]
        )
    )


@needs('v2')
def test_group_without_memory(lab):
    """The nearest group with the controller limits; without any limit there, the host's total."""
    box = lacking(lab, 'memory')
    whole(box)
    equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], host_total(), 'MemTotal')
    box = lacking(lab, 'memory', memory=LIMIT)
    whole(box)
    equal(
        parse.meminfo(box.read('/proc/meminfo'))['MemTotal'],
        LIMIT // 1024,
        "MemTotal of the parent's limit",
    )


@needs('v2')
def test_group_without_cpu(lab):
    """No cpu controller in the group: the parent's quota, and CPU time is still counted."""
    box = lacking(lab, 'cpu', cpus=1)
    whole(box)
    equal(parse.cpuinfo_cpus(box.read('/proc/cpuinfo')), host.CPUS[:1], 'CPUs')
    box.spin()
    before, after, _seconds = box.call(inside.sampled, '/proc/stat', 2.0)
    between(parse.share(before, after)['idle'], 0, 50, 'idle beside a spinner')


@needs('v2')
def test_group_without_cpuset(lab):
    """No cpuset controller in the group: the parent's, or all of the host's."""
    box = lacking(lab, 'cpuset', cpuset='1')
    whole(box)
    equal(parse.cpuinfo_cpus(box.read('/proc/cpuinfo')), [1], 'CPUs')
    box = lacking(lab, 'cpuset')
    equal(parse.cpuinfo_cpus(box.read('/proc/cpuinfo')), host.CPUS, 'CPUs without a cpuset')


@needs('v2')
def test_group_without_io(lab):
    """No io controller in the group: what the parent's io.stat counts, to the last number."""
    parent = lab.cgroup()
    box = lab.container(group=parent.child('box', enabled=('cpu', 'memory', 'cpuset', 'pids')))
    whole(box)
    ok(not os.path.exists(box.group.file('io', 'io.stat')), 'the group has the io controller')
    if host.SPARE_DISK:
        status, _out, err = box.call(inside.direct_io, host.SPARE_DISK, MIB, False)
        equal(status, 0, err)

    def exact():
        before = parent.get('io', 'io.stat')
        text = box.seen('/proc/diskstats')
        if parent.get('io', 'io.stat') != before:
            return None
        return (text, diskstats_of(before))

    text, wanted = eventually(exact, 'io.stat stays the same for a moment')
    equal(text, wanted, 'diskstats')
    if host.SPARE_DISK:
        device = parse.diskstats(text)[os.path.basename(host.SPARE_DISK)]
        between(device[2], MIB // 512, 2 * MIB // 512, 'sectors read')


def diskstats_of(io_stat):
    """The host's diskstats with these counters, of the devices that have any."""
    devices = {
        number: {key: int(value) for key, value in (pair.split('=') for pair in pairs)}
        for number, *pairs in (line.split() for line in io_stat.splitlines())
    }
    lines = []
    for line in host.read('/proc/diskstats').splitlines():
        major, minor, name = line.split()[:3]
        counted = devices.get(f'{major}:{minor}', {})
        if any(counted.values()):
            numbers = [0] * 17
            for i, way in ((0, 'r'), (4, 'w'), (11, 'd')):
                numbers[i] = counted[f'{way}ios']
                numbers[i + 2] = counted[f'{way}bytes'] // 512
            start = line[: line.index(f' {name} ') + len(name) + 1]
            lines.append(' '.join([start, *map(str, numbers)]) + '\n')
    return ''.join(lines)


@needs('v2')
def test_memory_controller_that_comes_later(lab):
    """The parent hands memory down only after a first read: the group's own limit shows next."""
    parent = lab.cgroup(memory=2 * LIMIT)
    group = parent.child('box', enabled=('cpu', 'cpuset', 'io', 'pids'))
    box = lab.container(group=group)
    ok(not os.path.exists(group.file('memory', 'memory.max')), 'the group has a limit already')
    equal(shown(box)[0], 2 * LIMIT // 1024, "MemTotal of the parent's limit")
    parent.enable('memory')
    group.set_memory(LIMIT)
    equal(shown(box)[0], LIMIT // 1024, 'MemTotal of its own limit')
    group.set_memory(LIMIT // 2)
    equal(shown(box)[0], LIMIT // 2 // 1024, 'MemTotal after a change')


@needs('v2')
def test_group_without_any_controller(lab):
    """A group of v2 without any controller: the host's sizes."""
    parent = lab.cgroup()
    box = lab.container(group=parent.child('box', enabled=()))
    whole(box)
    equal(shown(box), (host_total(), host.CPUS), 'MemTotal and CPUs')
