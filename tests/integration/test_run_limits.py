# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run: each limit is in the kernel's file, and one that cannot be is a sentence."""

import os

from lab import MIB, disk, host
from lab.check import equal, holds, needs

ABOVE = 'lxcfs-clone-run'


def device(lab):
    """A block device, and its numbers as the kernel writes them."""
    path = disk.loop_device(lab, 1)
    number = os.stat(path).st_rdev
    return path, f'{os.major(number)}:{os.minor(number)}'


def setting(name, controller, file):
    """What stands in a file of a container's cgroup."""
    top = host.V2 if host.KIND == 'v2' else host.V1[controller]
    return host.read(f'{top}/{ABOVE}/{name}/{file}').strip()


def test_each_limit_is_written(lab):
    """In the units of v1 and v2."""
    path, number = device(lab)
    flags = ('-m', '64m', '--cpus', '0.5', '--cpu-shares', '512', '--cpuset-cpus', '0', '--cpuset-mems', '0',
             '--pids-limit', '50', '--device-read-bps', f'{path}:1mb', '--device-write-bps', f'{path}:2mb')
    name = lab.launcher.start('sleep', '100', flags=flags)
    v1 = (
        ('memory', 'memory.limit_in_bytes', str(64 * MIB)),
        ('cpu', 'cpu.cfs_quota_us', '50000'),
        ('cpu', 'cpu.cfs_period_us', '100000'),
        ('cpu', 'cpu.shares', '512'),
        ('cpuset', 'cpuset.cpus', '0'),
        ('cpuset', 'cpuset.mems', '0'),
        ('pids', 'pids.max', '50'),
        ('blkio', 'blkio.throttle.read_bps_device', f'{number} {MIB}'),
        ('blkio', 'blkio.throttle.write_bps_device', f'{number} {2 * MIB}'),
    )
    v2 = (
        ('memory', 'memory.max', str(64 * MIB)),
        ('memory', 'memory.swap.max', str(64 * MIB)),
        ('cpu', 'cpu.max', '50000 100000'),
        ('cpu', 'cpu.weight', '20'),
        ('cpuset', 'cpuset.cpus', '0'),
        ('cpuset', 'cpuset.mems', '0'),
        ('pids', 'pids.max', '50'),
        ('io', 'io.max', f'{number} rbps={MIB} wbps={2 * MIB} riops=max wiops=max'),
    )
    for controller, file, text in v1 if host.KIND == 'v1' else v2:
        equal(setting(name, controller, file), text, file)
    told = {'memory': 64 * MIB, 'cpu_quota': 50000, 'cpu_shares': 512, 'cpuset_cpus': '0', 'cpuset_mems': '0',
            'pids_limit': 50, 'device_bps': [f'{number} read {MIB}', f'{number} write {2 * MIB}']}
    about = lab.launcher.inspect(name)
    equal({key: about.get(key) for key in (*told, 'memory_swap')}, {**told, 'memory_swap': None}, 'inspect')


@needs('v1', tools='unshare')
def test_missing_controller_is_told(lab):
    """Each of v1's, where it is not mounted; without the limit it is not missed."""
    box = lab.launcher
    path, _ = device(lab)
    program = box.program
    for controller, word, file, flags in (
        ('memory', 'memory', 'memory', ('-m', '64m')),
        ('cpu', 'cpu', 'cpu', ('--cpus', '1')),
        ('cpuset', 'cpuset', 'cpuset.cpus', ('--cpuset-cpus', '0')),
        ('pids', 'pids', 'pids.max', ('--pids-limit', '20')),
        ('blkio', 'io', 'io.max', ('--device-read-bps', f'{path}:1mb')),
    ):
        box.program = f'{lab.folder}/without-{controller}'
        host.write_new(box.program, '#!/bin/sh\nexec unshare -m --propagation private sh -ec \''
                       f'umount {host.V1[controller]}; exec {program} "$@"\' - "$@"\n')
        os.chmod(box.program, 0o755)
        status, _, err = box.run('true', flags=flags)
        equal(status, 125, f'status without {controller}')
        holds(err, f'controller {word} has no file {file}', 'the sentence')
        equal(box.traces(), {}, 'what is left')
        equal(box.run('true')[0], 0, f'no limit, without {controller}')


@needs('v2', tools='unshare')
def test_controller_that_is_not_handed_down_is_told(lab):
    """Where the launcher is in a cgroup namespace whose root has processes, v2 hands nothing down."""
    box = lab.launcher
    where = lab.cgroup()
    program = box.program
    box.program = f'{lab.folder}/below'
    host.write_new(box.program, '#!/bin/sh\n'
                   f'echo $$ >{where.folders[""]}/cgroup.procs\n'
                   'exec unshare -mC --propagation private sh -ec \''
                   f'umount {host.V2}; mount -t cgroup2 none {host.V2}; exec {program} "$@"\' - "$@"\n')
    os.chmod(box.program, 0o755)
    for file, flags in (('memory.max', ('-m', '64m')), ('pids.max', ('--pids-limit', '20'))):
        status, _, err = box.run('true', flags=flags)
        equal(status, 125, 'status')
        holds(err, f'has no file {file}', 'the sentence')
    equal(box.run('true'), (0, '', ''), 'no limit')
