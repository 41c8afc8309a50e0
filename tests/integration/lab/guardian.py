# SPDX-License-Identifier: LGPL-2.1-or-later
"""Removes all that a run made, also when the run itself was killed."""

import os
import select
import signal
import subprocess
import time
import urllib.parse

from lab import host

RUN_FILES = '/run/lxcfs-clone'
CONTAINERS = f'{RUN_FILES}/containers'
LXC_LOCKS = '/run/lxc/lock'
SWAP_FILE = 'swaps-to'


def start(name, folder, build):
    """A process that outlives this one and tidies up after it."""
    runner = os.pidfd_open(os.getpid())
    pid = os.fork()
    if pid:
        os.close(runner)
        return pid
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    null = os.open('/dev/null', os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    poll = select.poll()
    poll.register(runner, select.POLLIN)
    poll.poll()
    try:
        sweep(name, folder, build)
    finally:
        os._exit(0)


def _roots():
    """All hierarchies, those that only container managers use too."""
    return sorted(
        {
            point
            for point, _root, fstype, _options in host.mounts()
            if fstype in ('cgroup', 'cgroup2')
        }
    )


def _tree(top):
    """The folders of a cgroup tree, the deepest first."""
    found = []
    for folder, _names, _files in os.walk(top, topdown=False):
        found.append(folder)
    return found


def _quietly(function, *args):
    try:
        return function(*args)
    except OSError:
        return None


def kill_all(top):
    """One round of SIGKILL for whatever runs below a cgroup; how many there were."""
    count = 0
    for folder in _tree(top):
        for name, thawed in (('freezer.state', 'THAWED'), ('cgroup.freeze', '0')):
            if os.path.exists(f'{folder}/{name}'):
                _quietly(host.write, f'{folder}/{name}', thawed)
        for pid in (_quietly(host.read, f'{folder}/cgroup.procs') or '').split():
            if int(pid) not in (0, os.getpid()):
                count += 1
                _quietly(os.kill, int(pid), signal.SIGKILL)
    return count


def remove_cgroups(name, wait=5.0):
    deadline = time.monotonic() + wait * host.SCALE
    while True:
        left = 0
        for root in _roots():
            top = f'{root}/{name}'
            kill_all(top)
            for folder in _tree(top):
                try:
                    os.rmdir(folder)
                except OSError:
                    left += 1
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def unmount_below(folder):
    points = [m[0] for m in host.mounts() if m[0] == folder or m[0].startswith(folder + '/')]
    for point in reversed(points):
        if _quietly(host.umount, point, host.UMOUNT_NOFOLLOW) is None:
            _quietly(host.umount, point, host.MNT_DETACH | host.UMOUNT_NOFOLLOW)


def remove_folder(folder):
    """Removes a tree, never crossing into another file system."""
    device = os.lstat(folder).st_dev
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
            elif entry.stat(follow_symlinks=False).st_dev == device:
                remove_folder(entry.path)
    os.rmdir(folder)


def remove_run_files(folder):
    """What instances with mount points below a folder keep until the host is booted anew."""
    start = urllib.parse.quote(folder + '/', safe='')
    for name in _quietly(os.listdir, RUN_FILES) or ():
        if name.startswith(start):
            _quietly(os.unlink, f'{RUN_FILES}/{name}')


def remove_containers(name, build):
    """Those of the launcher; their names begin with the run's."""
    names = [n for n in _quietly(os.listdir, CONTAINERS) or () if n.startswith(name + '.')]
    if names:
        subprocess.run([f'{build}/lxcfs-clone-run', 'rm', '-f', *names], check=False)


def end_swap(folder):
    """To the disk that a test named in a file there, if one did."""
    disk = _quietly(host.read, f'{folder}/{SWAP_FILE}')
    if disk:
        subprocess.run(['swapoff', disk], check=False)
        _quietly(host.write, f'/sys/block/{os.path.basename(disk)}/reset', 1)
        os.unlink(f'{folder}/{SWAP_FILE}')


def sweep(name, folder, build):
    remove_containers(name, build)
    remove_cgroups(name)
    end_swap(folder)
    unmount_below(folder)
    remove_run_files(folder)
    for left in (folder, f'{LXC_LOCKS}{folder}'):
        if os.path.isdir(left):
            _quietly(remove_folder, left)
