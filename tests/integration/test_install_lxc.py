# SPDX-License-Identifier: LGPL-2.1-or-later
"""LXC by its mount hook, LXD by what is served at /var/lib/lxcfs: their containers see their own."""

import contextlib
import os
import signal

from lab import MIB, kinds
from lab.bound import ours
from lab.bundle import whole_tree
from lab.check import equal, holds, needs
from lab.lxc import USERS, Lxc
from lab.lxd import Lxd
from test_install import LXC
from test_install_engines import SOURCE, installed, programs

LIMIT = 96 * MIB
NODES = '/sys/devices/system/node'


@needs(tools='lxc-start lxc-attach busybox', timeout=120)
def test_lxc(lab):
    """Its mount hook, as the distribution's configuration includes it; without a daemon it starts, too."""
    root, setup = installed(lab, 'lxc'), programs(lab)
    box = Lxc(lab, f'{root.path}/{LXC}', setup, LIMIT)
    for kind, *lines in (
        (kinds.has_host_users,),
        (kinds.has_users, *USERS),
        (kinds.is_read_only, 'lxc.rootfs.options = ro'),
        (kinds.has_host_pids, 'lxc.namespace.keep = pid user'),
    ):
        kinds.check_box(box, f'LXC {lines}', lines, LIMIT, kind)
    root.done('uninstall')
    root.done('install', 'lxc', '--mountpoint', f'{lab.folder}/nowhere')
    box.start()
    equal(ours(lab.daemon.mnt, box.pid()), [], 'files bound without a daemon')
    holds(box.exec(None, '/bin/cat', '/proc/meminfo'), 'MemTotal', 'meminfo')


HOOKED = """mount -t proc none {root}/proc
mount -t sysfs none {root}/sys
LXC_NAME=box LXC_ROOTFS_MOUNT={root} LXCFS_CLONE={mnt} {hook}
grep -c ' {root}/.* - fuse.lxcfs-clone ' /proc/self/mountinfo || true
"""


def test_lxc_hook_with_a_daemon_that_is_none(lab):
    """One that is dead, or stands still: one sentence, no file is bound, and the container may start."""
    daemon, root = lab.start_daemon(), f'{lab.folder}/box'
    for name in ('proc', 'sys'):
        os.makedirs(f'{root}/{name}')
    script = HOOKED.format(root=root, mnt=daemon.mnt, hook=f'sh {SOURCE}/hooks/lxc-mount.sh')
    hook = ('unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', script)
    equal(lab.execute(*hook), (0, f'{len(whole_tree(daemon.mnt))}\n', ''), 'with one that serves')
    processes = list(daemon.processes())
    try:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        still = lab.execute(*hook)
    finally:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    wanted = f'lxcfs-clone: who serves {daemon.mnt} does not answer: box starts without\n'
    equal(still, (0, '0\n', wanted), 'with one that stands still')
    equal(lab.execute(*hook)[1:], (f'{len(whole_tree(daemon.mnt))}\n', ''), 'with one that goes on')
    # What was looked at is remembered by the kernel, and looks alive.
    os.listdir(f'{daemon.mnt}/proc')
    daemon.kill_everything()
    wanted = f'lxcfs-clone: nothing is served at {daemon.mnt}: box starts without\n'
    equal(lab.execute(*hook), (0, '0\n', wanted), 'with one that is dead')


@needs('host', tools='lxd lxc busybox', timeout=120)
def test_lxd(lab):
    """What is served at /var/lib/lxcfs LXD takes by itself."""
    lxd = Lxd(lab)
    for kind, *flags, raw in (
        (kinds.has_host_users, 'security.privileged=true', ()),
        (kinds.has_users, ()),
        (kinds.is_read_only, ('lxc.rootfs.options = ro',)),
        (kinds.has_host_pids, ('lxc.namespace.keep = pid user',)),
    ):
        # The hook is that of lxcfs, which knows of no nodes.
        kinds.check_box(lxd, f'LXD {flags} {raw}', (LIMIT, *flags), LIMIT, kind, (NODES,), raw=raw)
