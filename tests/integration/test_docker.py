# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real dockerd, its containers with the files bound over /proc."""

import time

from lab import MIB, host, parse
from lab.cgroup import Cgroup
from lab.check import between, equal, needs, ok
from lab.docker import CPU_TREE, Docker
from test_diskstats import Disk


def moves_show_in_diskstats(lab, docker, box):
    """10 MiB read from the disk in the container's group are on the disk's line."""
    disk = Disk(lab)
    group = Cgroup(f'{docker.parent.path}/{box}', controllers=('blkio',))
    disk.count_in(group)
    argv = ('dd', f'if={disk.path}', 'of=/dev/null', 'bs=1M', 'count=10', 'iflag=direct')
    status, _out, err = lab.execute(*argv, preexec_fn=group.join)
    equal(status, 0, err)
    counters = parse.diskstats(docker.cat(box, '/proc/diskstats')).get(disk.name, [])
    equal(len(counters), 17, f'counters of {disk.name}')
    between(counters[2], 10 * MIB // 512, 20 * MIB // 512, 'sectors read')


@needs('host', tools='dockerd docker busybox', timeout=240)
def test_docker(lab):
    """docker run -m 256m --cpus 1 with the files that runc allows; docker update shows at once."""
    docker = Docker(lab, lab.daemon)
    box = docker.start('-m', '256m', '--cpus', '1')
    started = time.monotonic()
    info = parse.meminfo(docker.cat(box, '/proc/meminfo'))
    equal(info['MemTotal'], 256 * 1024, 'MemTotal')
    between(info['MemFree'], 128 * 1024, 256 * 1024, 'MemFree')
    equal(parse.cpuinfo_cpus(docker.cat(box, '/proc/cpuinfo')), host.CPUS[:1], 'CPUs of cpuinfo')
    equal(parse.stat_cpus(docker.cat(box, '/proc/stat')), host.CPUS[:1], 'CPUs of stat')
    equal(host.parse_list(docker.cat(box, f'{CPU_TREE}/online')), host.CPUS[:1], 'online')
    up = parse.uptime(docker.cat(box, '/proc/uptime'))[0]
    between(up, 0, time.monotonic() - started + 10, 'uptime')
    load = parse.loadavg(docker.cat(box, '/proc/loadavg'))
    between(load[0], 0, 1, 'load')
    between(load[5], 1, 200, 'last pid')
    equal(
        len(parse.swaps(docker.cat(box, '/proc/swaps'))),
        0 if info['SwapTotal'] == 0 else 1,
        'swaps',
    )
    moves_show_in_diskstats(lab, docker, box)

    docker.do('update', '--memory', '128m', '--memory-swap', '256m', '--cpus', '2', box)
    equal(
        parse.meminfo(docker.cat(box, '/proc/meminfo'))['MemTotal'],
        128 * 1024,
        'MemTotal after update',
    )
    equal(parse.cpuinfo_cpus(docker.cat(box, '/proc/cpuinfo')), host.CPUS[:2], 'CPUs after update')
    docker.do('update', '--cpus', '2', '--cpuset-cpus', '1', box)
    equal(parse.stat_cpus(docker.cat(box, '/proc/stat')), [1], 'CPUs after an update of the cpuset')
    equal(docker.cat(box, f'{CPU_TREE}/online'), '1\n', 'online after an update of the cpuset')

    private = docker.start('-m', '192m', '--cgroupns', 'private')
    equal(
        parse.meminfo(docker.cat(private, '/proc/meminfo'))['MemTotal'],
        192 * 1024,
        'MemTotal with a private cgroup namespace',
    )
    shared = docker.start('-m', '64m', '--pid', 'host')
    equal(
        parse.meminfo(docker.cat(shared, '/proc/meminfo'))['MemTotal'],
        64 * 1024,
        'MemTotal in the host pid namespace',
    )

    lab.daemon.kill_worker()
    equal(
        parse.meminfo(docker.cat(box, '/proc/meminfo'))['MemTotal'],
        128 * 1024,
        'MemTotal after SIGKILL of the worker',
    )
    seen = host.read(f'{lab.daemon.mnt}/containers/{docker.pid(box)}/proc/meminfo')
    equal(parse.meminfo(seen)['MemTotal'], 128 * MIB // 1024, "MemTotal in the operator's view")
    ok(docker.do('restart', '-t', '0', box), 'restart')
    equal(
        parse.meminfo(docker.cat(box, '/proc/meminfo'))['MemTotal'],
        128 * 1024,
        'MemTotal after a restart',
    )
