# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run: what the machine's own tools show in a container, and that devices are as slow as told."""

import datetime
import os

from lab import MIB, disk, host
from lab.check import Skip, between, equal, holds, near, needs, ok


@needs(tools='free top ps uptime nproc lscpu')
def test_tools_show_the_limits(lab):
    """free, top, uptime, nproc, lscpu: memory, swap, CPUs and time are the container's."""
    flags, rootfs = lab.launcher.machine()
    out = lab.launcher.shell(
        'free -b; echo --; top -bn1; echo --; nproc; grep -c ^processor /proc/cpuinfo; '
        'getconf _NPROCESSORS_ONLN; lscpu -p=cpu | grep -vc "#"; echo --; uptime; uptime -p',
        *flags, '-m', '200m', '--memory-swap', '200m', '--cpus', '1', '--cpuset-cpus', '0',
        rootfs=rootfs, lxcfs=lab.daemon,
    )
    free, top, counts, uptime = out.split('--\n')
    memory, swap = (line.split() for line in free.splitlines()[1:])
    equal((memory[1], swap[1]), (str(200 * MIB), '0'), 'totals of free')
    between(int(memory[2]), 0, 100 * MIB, 'used')
    holds(top, 'MiB Mem :    200.0 total', 'top')
    holds(top, 'up 0 min', 'top')
    ok(1 < int(top.split('Tasks:')[1].split()[0]) < 8, f'processes of its own: {top}')
    equal(counts.split(), ['1'] * 4, 'CPUs')
    holds(uptime, 'up 0 min', 'uptime')
    holds(uptime, 'up 0 minutes', 'uptime -p')


@needs(tools='ps')
def test_ps_knows_when_it_began(lab):
    """etime and lstart of a process agree with the clock, with and without lxcfs-clone."""
    flags, rootfs = lab.launcher.machine()
    for lxcfs in (lab.daemon, None):
        out = lab.launcher.shell('date +%s; sleep 3; ps -o etime=,lstart= -p $$', *flags,
                                 rootfs=rootfs, lxcfs=lxcfs)
        begun, (etime, *lstart) = out.splitlines()[0], out.splitlines()[1].split()
        minutes, seconds = etime.split(':')
        between(int(minutes) * 60 + int(seconds), 3, 4 + 3 * host.SCALE, f'etime {etime}')
        started = datetime.datetime.strptime(' '.join(lstart), '%a %b %d %H:%M:%S %Y')
        started = started.replace(tzinfo=datetime.timezone.utc).timestamp()
        near(started, int(begun), 1.5 + host.SCALE, 'lstart')


def test_device_at_its_rate(lab):
    """dd writes and reads as many bytes a second as it may, and faster without a limit."""
    if host.KIND == 'v1' and not os.path.exists(f'{host.V1["blkio"]}/blkio.throttle.write_bps_device'):
        raise Skip('this kernel throttles no devices')
    box = lab.launcher
    device = disk.loop_device(lab, 16)
    write = f'time -p dd if=/dev/zero of={device} bs=64k count=48 oflag=direct'
    read = f'time -p dd if={device} of=/dev/null bs=64k count=48 iflag=direct'
    for script, flag in ((write, '--device-write-bps'), (read, '--device-read-bps')):
        for limit, least, most in (((), 0, 2), ((flag, f'{device}:1m'), 2.4, 5)):
            status, _, said = box.run('sh', '-c', script, flags=('--device', device, *limit))
            equal(status, 0, script)
            seconds = float(said.split('real ')[1].split()[0])
            between(seconds, least, most, f'seconds for 3 MiB, {limit}: {said}')
