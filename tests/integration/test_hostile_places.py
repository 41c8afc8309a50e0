# SPDX-License-Identifier: LGPL-2.1-or-later
"""Readers that want to be taken for somebody else: they move about, or hide where they are."""

import os
import select
import signal
import time

from lab import MIB, host, inside, parse
from lab.cgroup import Cgroup
from lab.check import equal

LIMIT = 192 * MIB
MEMINFO = '/proc/meminfo'
SECONDS = 4


def bare(path):
    """A group in one hierarchy, so that many can be made in a second."""
    return Cgroup(path, ('memory',))


def procs(group):
    return os.open(group.file('memory', 'cgroup.procs'), os.O_WRONLY)


def totals(out):
    """Read until killed; tell each other value of MemTotal than the one before."""
    last = None
    while True:
        try:
            now = parse.meminfo(host.read(MEMINFO))['MemTotal']
        except OSError as error:
            now = error.strerror
        if now != last:
            os.write(out, f'{now}\n'.encode())
        last = now


def forked(function, *args):
    pid = os.fork()
    if pid == 0:
        try:
            function(*args)
        finally:
            os._exit(1)
    return pid


def told(ours, theirs):
    """The lines of a pipe that nobody writes to any more."""
    os.close(theirs)
    with os.fdopen(ours) as file:
        return set(file.read().split('\n')) - {''}


def flee(path):
    """A reader in a cgroup namespace of its own, and each cgroup that it was in is removed."""

    def read():
        group.join()
        host.unshare(host.CLONE_NEWCGROUP)
        totals(theirs)

    ours, theirs = os.pipe()
    group, turn, end = bare(f'{path}/m0'), 0, time.monotonic() + SECONDS
    reader = forked(read)
    select.select([ours], [], [], 10)  # it is there, and reads
    while turn < 100 or time.monotonic() < end:
        former, turn = group, turn + 1
        group = bare(f'{path}/m{turn}')
        group.join(reader)
        os.rmdir(former.file('memory', ''))
    os.kill(reader, signal.SIGKILL)
    os.waitpid(reader, 0)
    return told(ours, theirs)


def test_reader_whose_cgroups_are_removed_one_after_the_other(lab):
    """It never gets the host's values, whatever vanishes while they are made."""
    box = lab.container(memory=LIMIT)
    seen = box.call(flee, box.group.path, seconds=30) - {'No such device'}
    equal(seen, {str(LIMIT // 1024)}, 'MemTotal')


def alternate(path):
    """New cgroup namespaces, whose only process goes from one place to another one all the time."""

    def read():
        root.join()
        host.unshare(host.CLONE_NEWCGROUP)
        os.write(theirs, f'{parse.meminfo(host.read(MEMINFO))["MemTotal"]}\n'.encode())

    ours, theirs = os.pipe()
    root, place = bare(path), bare(f'{path}/a')
    deep = root
    # As its namespace shows it, this is what @place is for the host.
    for name in place.path.split('/'):
        deep = bare(f'{deep.path}/{name}')
    files, end = (procs(place), procs(deep)), time.monotonic() + SECONDS
    while time.monotonic() < end:
        reader = forked(read)
        try:
            for turn in range(400):
                os.pwrite(files[turn % 2], str(reader).encode(), 0)
        except ProcessLookupError:
            pass
        os.waitpid(reader, 0)
    return told(ours, theirs)


def test_reader_that_is_in_two_places_by_turns(lab):
    """What it is told by its namespace of one, and by the host's of the other, gives no third."""
    box = lab.container(memory=LIMIT)
    seen = box.call(alternate, box.group.path, seconds=30)
    equal(seen, {str(LIMIT // 1024)}, 'MemTotal')


def read_later(out):
    time.sleep(0.2)
    os.write(out, host.read(MEMINFO).encode())
    os._exit(0)


def by_headless_init(cgroupns):
    host.unshare(host.CLONE_NEWPID | (host.CLONE_NEWCGROUP if cgroupns else 0))
    ours, theirs = os.pipe()
    init = forked(inside.leave_to_thread, read_later, theirs)
    os.close(theirs)
    os.waitpid(init, 0)
    with os.fdopen(ours) as file:
        return file.read()


def test_init_whose_first_thread_has_ended(lab):
    """cgroup v1 tells no cgroups of such an init: its container is not the host for that."""
    for cgroupns in (False, True):
        box = lab.container(memory=LIMIT, pid=False, cgroupns=False)
        text = box.call(by_headless_init, cgroupns)
        equal(parse.meminfo(text)['MemTotal'], LIMIT // 1024, f'MemTotal, cgroupns {cgroupns}')
