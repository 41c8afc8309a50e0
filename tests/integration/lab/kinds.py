# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kinds of containers: that one is of the kind that was asked for, sees its own, and leaves nothing."""

import os

from lab import host
from lab.bound import ours
from lab.bundle import check_view, host_mounts, whole_tree
from lab.check import equal, eventually, ok

# The first user of the host that a container's root may be.
USER = 100000
# CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_ADMIN
PRIVILEGED = 1 << 16 | 1 << 17 | 1 << 21


def is_read_only(pid):
    fields = [line.split() for line in host.read(f'/proc/{pid}/mountinfo').splitlines()]
    return [f[5] for f in fields if f[4] == '/'][-1].split(',')[0] == 'ro'


def is_privileged(pid):
    """It has rights that no other container gets; which are all of them depends on the engine's age."""
    rights = next(line for line in host.read(f'/proc/{pid}/status').splitlines() if line.startswith('CapEff:'))
    return has_host_users(pid) and int(rights.split()[1], 16) & PRIVILEGED == PRIVILEGED


def has_host_users(pid):
    return host.read(f'/proc/{pid}/uid_map').split()[:2] == ['0', '0']


def has_users(pid):
    """Of its own."""
    return not has_host_users(pid)


def has_host_pids(pid):
    return os.stat(f'/proc/{pid}/ns/pid').st_ino == os.stat('/proc/self/ns/pid').st_ino


def holders(daemon):
    """Processes in whose namespaces a file of the daemon's lies over another one."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            if any(root != '/' for _, root, _ in ours(daemon.mnt, pid)):
                found.append(int(pid))
        except OSError:  # it has ended, or may not be looked at
            continue
    return found


def check_box(engine, what, flags, limit, kind=None, without=(), **options):
    """A container that sees its own, by exec too, and is gone with all that was mounted for it."""
    before = host_mounts(engine.lab)
    box = engine.start(*flags, **options)
    pid = engine.pid(box)
    ok(kind is None or kind(pid), f'{what}: not of this kind')
    wanted = [path for path in whole_tree(engine.daemon.mnt) if path not in without]
    equal(sorted(point for point, *_ in ours(engine.daemon.mnt, pid)), wanted, f'{what}: files bound')
    check_view(lambda *argv: engine.exec(box, *argv), limit, what)
    engine.remove(box)
    eventually(lambda: not host.is_alive(pid), f'{what}: it ends')
    eventually(lambda: not holders(engine.daemon), f'{what}: nobody has its mounts')
    more = [mount for mount in host_mounts(engine.lab) if mount not in before]
    equal(more, [], f'{what}: mounts of the host after the end')
