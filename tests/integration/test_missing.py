# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each controller missing in turn: what it alone tells becomes the host's, the rest stays true."""

import time

from lab import MIB, host, inside, parse
from lab.check import between, equal, near, needs, ok

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
    """No io controller in the group: a file that is whole, of devices that there are."""
    box = lacking(lab, 'io')
    whole(box)
    ok(
        set(parse.diskstats(box.read('/proc/diskstats')))
        <= set(parse.diskstats(host.read('/proc/diskstats'))),
        'devices',
    )


@needs('v2')
def test_group_without_any_controller(lab):
    """A group of v2 without any controller: the host's sizes."""
    parent = lab.cgroup()
    box = lab.container(group=parent.child('box', enabled=()))
    whole(box)
    equal(shown(box), (host_total(), host.CPUS), 'MemTotal and CPUs')
