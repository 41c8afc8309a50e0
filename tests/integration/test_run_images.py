# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run with real programs: this machine's own, and a whole Debian."""

import os
import re
import time

from lab import MIB, host, images
from lab.check import between, equal, holds, needs, ok

LIMITS = ('-m', '256m', '--cpus', '1', '--cpuset-cpus', str(host.CPUS[0]))
# Each program's number in a line of its own.
SCRIPT = '''free -b | sed -n 's/^Mem: *//p' | cut -d' ' -f1
nproc; getconf _NPROCESSORS_ONLN; lscpu | grep '^On-line' | tr -s ' '
top -b -n 1 | head -n 5; uptime; ps -e -o comm='''


def check_views(out):
    """What SCRIPT says in a container with LIMITS."""
    total, nproc, online, lscpu, *rest = out.splitlines()
    equal((int(total), int(nproc), int(online)), (256 * MIB, 1, 1), 'free, nproc, getconf')
    equal(lscpu, f'On-line CPU(s) list: {host.CPUS[0]}', 'lscpu')
    top, tasks, cpus, memory, _swap, uptime, *processes = rest
    ok(re.search(r' up 0 min,.* load average: 0\.0', top), f'top: {top}')
    ok(re.search(r' up 0 min,.* load average: 0\.0', uptime), f'uptime: {uptime}')
    between(int(re.search(r'(\d+) total', tasks)[1]), 3, 4, 'tasks of top')
    ok(cpus.startswith('%Cpu'), f'top: {cpus}')
    holds(memory, ' 256.0 total', 'memory of top')
    equal(processes, ['lxcfs-init', 'sh', 'ps'], 'processes')


def test_machines_own_programs_see_the_container(lab):
    """free, nproc, getconf, lscpu, top, uptime and ps of this machine, in a container."""
    root, flags = images.of_this_machine(f'{lab.folder}/own')
    out = lab.launcher.shell(SCRIPT, *LIMITS, *flags, rootfs=root, lxcfs=lab.daemon)
    check_views(out)


def test_age_and_start_of_processes(lab):
    """What ps and uptime say of when things began is when they did, with the daemon and without."""
    root, flags = images.of_this_machine(f'{lab.folder}/own')
    box = lab.launcher
    for lxcfs in (lab.daemon, None):
        before = time.time()
        name = box.start('sleep', '100', flags=flags, rootfs=root, lxcfs=lxcfs)
        after = time.time()
        time.sleep(2)
        asked = time.time()
        out = box.inside(name, 'ps -o etimes= -p 1; date -d "$(ps -o lstart= -p 1)" +%s; '
                         'date -d "$(uptime -s)" +%s; cut -d. -f1 /proc/uptime; ps -o etime= -p $$')
        now = time.time()
        age, start, boot, up, fresh = out.split()
        # Whole seconds, cut off by one and rounded by another.
        between(int(age), int(asked - after) - 1, now - before + 1, 'etimes')
        between(int(start), before - 2, after + 1, 'lstart')
        between(int(boot), before - 2, after + 1, 'uptime -s')
        between(int(up), int(asked - after) - 1, now - before + 1, '/proc/uptime')
        between(int(fresh[-2:]), 0, 3 * host.SCALE, 'etime of a new one')


@needs(timeout=150)
def test_debian(lab):
    """A debootstrap'ed Debian: what its programs see, and a package made and installed in it."""
    root = images.debian(lab.run.build)
    box = lab.launcher
    check_views(box.shell(SCRIPT, *LIMITS, rootfs=root, lxcfs=lab.daemon))
    steps = ('''mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin; echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/quick
        printf 'Package: greet\nVersion: 1.0\nArchitecture: all\nMaintainer: a <a@b>\nDescription: x\n' \
            >/tmp/p/DEBIAN/control
        printf '#!/bin/sh\necho greetings from $(id -un)\n' >/tmp/p/usr/bin/greet
        chmod 755 /tmp/p/usr/bin/greet; chown -R 5:6 /tmp/p/usr; dpkg-deb -b /tmp/p /tmp/greet.deb''',
        'apt-get install -y /tmp/greet.deb; dpkg -s greet | grep Status; dpkg --audit',
        'useradd -m someone; su someone -c greet',
        'apt-get purge -y greet; ! dpkg -s greet')
    # The guest's root is an overlay, whose owners cannot be mapped.
    for flags in ((),) if host.GUEST else ((), ('--userns', 'auto')):
        name = box.start('sleep', '1000', flags=('-e', 'DEBIAN_FRONTEND=noninteractive', *flags), rootfs=root)
        out = ''.join(box.inside(name, f'set -e; {step}') for step in steps)
        for line in ('Status: install ok installed', 'greetings from someone'):
            holds(out.splitlines(), line, f'apt with {flags}')
    ok(not os.path.exists(f'{root}/tmp/p'), 'the layer is as before')
