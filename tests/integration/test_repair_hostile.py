# SPDX-License-Identifier: LGPL-2.1-or-later
"""Repair beside containers that are made to hold it up."""

import contextlib
import json
import os
import signal
import time
from typing import Callable, NamedTuple

from lab import MIB, host, inside, silent
from lab.bound import (
    HOW,
    again,
    ctl,
    dead_files,
    outcome,
    repair_is_over,
    repaired,
    total_kb,
)
from lab.check import between, equal, eventually, holds, needs, ok


class Trap(NamedTuple):
    box: object
    tree: str  # above what hangs
    works: Callable


@contextlib.contextmanager
def trap(lab, daemon):
    """A container that has a file of the daemon's below a file system that does not answer."""
    other = lab.start_daemon()
    first = lab.container(daemon=other, binds=[])
    box = lab.container(daemon=daemon, binds=[])
    below = f'{other.mnt}/containers/{first.pid}/proc/uptime'
    box.call(host.mount, f'{daemon.mnt}/proc/uptime', below, None, host.MS_BIND)
    repair_is_over(other)
    for pid in (other.pid, other.worker()):
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(1.5)  # what the kernel knows of the path is forgotten
        yield Trap(box, os.path.dirname(other.mnt), lambda: box.call(outcome, below) == '')
    finally:
        for pid in (other.worker(), other.pid):
            os.kill(pid, signal.SIGCONT)


def propagation(pid, point):
    """The optional fields of a mount in a process's table."""
    for line in host.read(f'/proc/{pid}/mountinfo').split('\n'):
        fields = line.partition(' - ')[0].split(' ')
        if len(fields) > 5 and fields[4] == point:
            found = fields[6:]
    return found


def test_a_repaired_file_is_nobodys_peer(lab):
    """On hosts with a shared mount point, as systemd makes it: else containers could mount there."""
    top = f'{lab.folder}/shared'
    os.mkdir(top)
    host.mount('tmpfs', top, 'tmpfs')
    lab.later(lambda: host.umount(top, host.MNT_DETACH))
    host.mount(None, top, None, host.MS_SHARED)
    daemon = lab.start_daemon(mnt=f'{top}/mnt')
    box = lab.container(memory=256 * MIB, daemon=daemon)
    equal(propagation(box.pid, '/proc/meminfo'), [], 'before')
    daemon = again(lab, daemon)
    ok(propagation('self', daemon.mnt), 'the mount point is not shared')
    repaired(box)
    equal(propagation(box.pid, '/proc/meminfo'), [], 'after')


@needs(timeout=120)
def test_a_container_that_hangs_is_given_up(lab):
    """One that mounted our file below a file system that never answers does not stop the rest."""
    daemon = lab.start_daemon()
    with trap(lab, daemon):
        box = lab.container(memory=256 * MIB, daemon=daemon)
        daemon = again(lab, daemon)
        repaired(box)
        eventually(lambda: 'takes too long' in daemon.log(), 'the log names it', 20)
        repair_is_over(daemon)
        equal(box.call(total_kb), 256 * 1024, 'MemTotal')


def live_elsewhere(tree, root, ready):
    """In a copy of what is mounted at a folder and below."""
    os.mkdir(root)
    host.mount(tree, root, None, host.MS_BIND | host.MS_REC)
    folder = os.open(os.path.dirname(ready), os.O_PATH)
    os.chroot(root)
    os.close(os.open(os.path.basename(ready), os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    inside.sleep()


def shares_its_file(lab, daemon):
    """A container whose file is repaired when nobody else is at work."""
    box = lab.container(memory=256 * MIB, daemon=daemon, binds=[])
    box.call(host.mount, None, '/proc', None, host.MS_SHARED)
    box.call(host.mount, f'{daemon.mnt}/proc/meminfo', '/proc/meminfo', None, host.MS_BIND)
    return box


@needs(timeout=120)
def test_a_container_that_hangs_by_many_roots(lab):
    """Each is given up after seconds: those whose files others share are not behind them in the line."""
    daemon = lab.start_daemon()
    shared = shares_its_file(lab, daemon)
    with trap(lab, daemon) as hanging:
        for number in range(12):
            root, ready = (f'{lab.folder}/{word}{number}' for word in ('root', 'ready'))
            hanging.box.start(live_elsewhere, hanging.tree, root, ready)
            eventually(lambda ready=ready: os.path.exists(ready), 'another root')
        daemon = again(lab, daemon)
        eventually(lambda: shared.call(outcome, '/proc/meminfo') == '', 'the file works', 8)
        equal(shared.call(total_kb), 256 * 1024, 'MemTotal')
        ok(daemon.repairers(), 'others are waited for no more')
        daemon.kill_everything()


def repair_word(lab, daemon):
    """What the status says about repair."""
    return json.loads(ctl(lab, 'status', '--json', daemon.mnt)[1])['repair']


@needs(timeout=120)
def test_a_repair_that_failed_is_tried_again(lab):
    """A container that was held up gets its file by itself once it goes on."""
    daemon = lab.start_daemon()
    eventually(lambda: repair_word(lab, daemon) == 'done', 'nothing to do', 5)
    with trap(lab, daemon) as hanging:
        daemon = again(lab, daemon)
        equal(repair_word(lab, daemon), 'running', 'status')
        eventually(lambda: 'takes too long' in daemon.log(), 'the log names the container', 20)
        eventually(lambda: repair_word(lab, daemon) == 'waiting', 'it is to be tried again', 5)
        holds(daemon.log(), f'not all files of {daemon.mnt} are back in containers', 'log')
    eventually(hanging.works, 'the file works', 20)
    eventually(lambda: repair_word(lab, daemon) == 'done', 'it is done', 5)
    holds(daemon.log(), 'put back 1 file in 1 container\n', 'log')


def zombies(parent):
    """Names of the dead children that nobody has asked after."""
    found = []
    for pid in host.read(f'/proc/{parent}/task/{parent}/children').split():
        left, _, right = host.read(f'/proc/{pid}/stat').rpartition(')')
        if right.split()[0] == 'Z':
            found.append(left.split('(', 1)[1])
    return found


@needs(timeout=120)
def test_an_upgrade_while_repair_is_at_work(lab):
    """The keeper that became another binary has the same repair as a child, and asks after it."""
    daemon = lab.start_daemon()
    with trap(lab, daemon):
        daemon = again(lab, daemon)
        repairer = eventually(daemon.repairers, 'repair is at work')[0]
        os.kill(daemon.pid, signal.SIGHUP)
        eventually(lambda: 'upgraded to' in daemon.log(), 'the upgrade', step=0.005)
        ok(repairer in daemon.repairers(), 'it still is at work')
        equal(os.getpriority(os.PRIO_PROCESS, repairer), -10, 'whom dead files keep waiting comes first')
        eventually(lambda: 'takes too long' in daemon.log(), 'the log names the container', 20)
        repair_is_over(daemon)
        eventually(lambda: not zombies(daemon.pid), 'no zombie is left', 3)
        equal(daemon.log().count('takes too long'), 1, 'repairs that came to the container')


def copy_mounts(ready):
    host.unshare(host.CLONE_NEWNS)
    host.write_new(ready)
    inside.sleep()


@needs(timeout=180)
def test_a_container_that_hangs_in_many_namespaces(lab):
    """Who goes there cannot be killed, so there is an end of that: all other containers come first."""
    daemon = lab.start_daemon()
    hanging = lab.container(daemon=daemon, binds=[])
    path, hush = silent.start(hanging, lab.folder)
    hanging.call(host.mount, f'{daemon.mnt}/proc/uptime', path, None, host.MS_BIND)
    for number in range(150):
        hanging.start(copy_mounts, f'{lab.folder}/copy{number}')
    for number in range(150):
        inside.until(f'{lab.folder}/copy{number}')
    boxes = [lab.container(memory=256 * MIB, daemon=daemon) for _ in range(2)]
    hush()
    daemon = again(lab, daemon)
    for box in boxes:
        repaired(box)
        equal(box.call(total_kb), 256 * 1024, 'MemTotal')
    eventually(lambda: 'takes too long' in daemon.log(), 'the log names one that hangs', 20)
    hanging.close()
    repair_is_over(daemon)


def mount_many(folder, count):
    os.mkdir(folder)
    host.mount('tmpfs', folder, 'tmpfs')
    for i in range(count):
        os.mkdir(f'{folder}/{i}')
        host.mount(folder, f'{folder}/{i}', None, host.MS_BIND)


@needs(timeout=180)
def test_a_container_with_thousands_of_mounts(lab):
    """5,000 mounts beside ours cost a fraction of a second."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    box.call(mount_many, f'{lab.folder}/many', 5000, seconds=60)
    daemon = dead_files(lab, daemon, box, ['/proc/meminfo'])
    start = time.monotonic()
    status, out, err = ctl(lab, 'repair', daemon.mnt)
    between(time.monotonic() - start, 0, 2 * host.SCALE, 'seconds')
    equal((status, err), (0, ''), 'status and stderr')
    holds(out, f'{box.pid} /proc/meminfo {HOW}', 'repair')


def mount_as_many_as_one_can(folder):
    """Copies of the tree within itself, until the kernel says that it is enough (fs.mount-max)."""
    os.mkdir(folder)
    host.mount('tmpfs', folder, 'tmpfs')
    host.mount(None, folder, None, host.MS_PRIVATE)
    trees, number = [folder], 0
    while trees:
        number += 1
        target = f'{folder}/{number}'
        os.mkdir(target)
        try:
            host.mount(trees[-1], target, None, host.MS_BIND | host.MS_REC)
            # The whole tree at first, twice as big each time; then smaller and smaller parts.
            if len(trees) == number:
                trees.insert(-1, target)
        except OSError:
            trees.pop()
    return len(host.read('/proc/self/mountinfo').splitlines())


def unmount_a_few(folder, count):
    for line in host.read('/proc/self/mountinfo').splitlines()[-count:]:
        point = host.unescape(line.split(' ')[4])
        if point.startswith(f'{folder}/'):
            with contextlib.suppress(OSError):  # it went with another one
                host.umount(point, host.MNT_DETACH)


@needs(timeout=180)
def test_a_container_with_as_many_mounts_as_there_can_be(lab):
    """100,000: it keeps none waiting, and is repaired once it has room for our files."""
    daemon = lab.start_daemon()
    first = lab.container(memory=256 * MIB, daemon=daemon)
    box = lab.container(memory=256 * MIB, daemon=daemon)
    last = lab.container(memory=256 * MIB, daemon=daemon)
    count = box.call(mount_as_many_as_one_can, f'{lab.folder}/many', seconds=60)
    most = int(host.read('/proc/sys/fs/mount-max'))
    between(count, most * 0.95, most, 'mounts')
    daemon.kill_everything()
    start = time.monotonic()
    daemon.start()
    repaired(first)
    between_them = time.monotonic()
    repaired(last)
    now = time.monotonic()
    print('#', f'{count} mounts; the others after {between_them - start:.2f} and {now - start:.2f} s')
    between(now - between_them, 0, 1 * host.SCALE, 'seconds between the one before and behind it')
    full = f'cannot put back /proc/meminfo of process {box.pid}: No space left on device'
    late = f'putting back the files of process {box.pid} takes too long'
    eventually(lambda: full in daemon.log() or late in daemon.log(), 'the log names it', 20)
    repair_is_over(daemon)
    if host.GUEST:  # its CPUs are emulated: the table alone may take longer than a repair is given
        return
    box.call(unmount_a_few, f'{lab.folder}/many', 100)
    status, out, err = ctl(lab, 'repair', daemon.mnt)
    equal((status, err), (0, ''), 'status and stderr')
    holds(out, f'{box.pid} /proc/meminfo {HOW}', 'repair')
    equal(box.call(total_kb), 256 * 1024, 'MemTotal')


def live_in(root, ready):
    os.mkdir(root)
    host.write_new(ready)
    os.chroot(root)
    inside.sleep()


@needs(timeout=180)
def test_a_container_with_a_long_table_and_many_roots(lab):
    """Its table is read for each of them: those whose files others share are not behind all of that."""
    daemon = lab.start_daemon()
    shared = shares_its_file(lab, daemon)
    box = lab.container(daemon=daemon)
    box.call(mount_as_many_as_one_can, f'{lab.folder}/many', seconds=60)
    for number in range(60):
        box.start(live_in, f'{lab.folder}/root{number}', f'{lab.folder}/in{number}')
    for number in range(60):
        inside.until(f'{lab.folder}/in{number}')
    daemon.kill_everything()
    start = time.monotonic()
    daemon.start()
    eventually(lambda: shared.call(outcome, '/proc/meminfo') == '', 'the file works', 60)
    print('#', f'after {time.monotonic() - start:.2f} s')
    between(time.monotonic() - start, 0, 8 * host.SCALE, 'seconds')
    equal(shared.call(total_kb), 256 * 1024, 'MemTotal')
    eventually(lambda: daemon.told('repair') != 'running', 'it ends', 90)
    ok(daemon.told('repair') in ('waiting', 'done'), 'what there was no time for is tried again')
    if daemon.told('repair') == 'done':
        equal(box.call(outcome, '/proc/meminfo'), '', 'its own file')
