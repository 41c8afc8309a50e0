# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon's files bound into containers: dead, alive, put back."""

import errno
import os

from lab import host, inside, parse
from lab.check import eventually

CTL = 'lxcfs-clonectl'
SYS_OPEN_TREE, SYS_MOVE_MOUNT = 428, 429
# What this kernel lets one do with a mount that is not locked: see move_mount(2).
HOW = 'beneath' if host.KERNEL >= (6, 5) else 'stacked'


def ctl(lab, *argv):
    return lab.execute(os.path.join(os.path.dirname(lab.run.binary), CTL), *argv)


def outcome(path):
    """'' when it can be read, else the error's name."""
    try:
        return '' if host.read(path) else 'empty'
    except OSError as error:
        return errno.errorcode[error.errno]


def ours(mnt, pid='self'):
    """(mount point, root, id) of the mounts of the instance at a mount point."""
    found = []
    for line in host.read(f'/proc/{pid}/mountinfo').split('\n'):
        left, _, right = line.partition(' - fuse.lxcfs-clone ')
        if right and host.unescape(right.split(' ')[0]).startswith(f'lxcfs-clone@{mnt}#'):
            fields = left.split(' ')
            found.append((host.unescape(fields[4]), host.unescape(fields[3]), int(fields[0])))
    return found


def total_kb(path='/proc/meminfo'):
    return parse.meminfo(host.read(path))['MemTotal']


def again(lab, daemon):
    """Everything dies, and another instance is started at the same mount point."""
    daemon.kill_everything()
    return lab.start_daemon(mnt=daemon.mnt)


def repaired(box, path='/proc/meminfo'):
    eventually(lambda: box.call(outcome, path) == '', f'{path} can be read again', 10)


def repair_is_over(daemon):
    """By the keeper's own word: its child that repairs has another name at first."""
    eventually(lambda: daemon.told('repair') not in (None, 'running'), 'the repair is over', 20)


def syscall(number, *args):
    result = host.libc.syscall(number, *args)
    if result < 0:
        raise OSError(host.ctypes.get_errno(), f'system call {number}')
    return result


def hold(points, ready):
    """Take mounts away, and put them back once told: dead ones of which no repair knew."""
    trees = []
    for point in points:
        trees.append(syscall(SYS_OPEN_TREE, -100, os.fsencode(point), 1))
        host.umount(point, host.MNT_DETACH)
    host.write_new(ready)
    inside.until(f'{ready}.go')
    for tree, point in zip(trees, points):
        syscall(SYS_MOVE_MOUNT, tree, b'', -100, os.fsencode(point), 4)
    host.write_new(f'{ready}.done')
    inside.sleep()


def dead_files(lab, daemon, box, points):
    """Another instance, and in the container dead files that it has not repaired."""
    ready = f'{lab.folder}/hold{len(lab.made)}'
    box.start(hold, points, ready)
    inside.until(ready)
    daemon = again(lab, daemon)
    repair_is_over(daemon)
    host.write_new(f'{ready}.go')
    inside.until(f'{ready}.done')
    return daemon
