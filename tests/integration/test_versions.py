# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything dies, and the next instance is of another version: it goes on with the mount."""

import os
import signal
import time

from lab import MIB, host, outlive, parse
from lab.check import equal, eventually, holds, needs, ok
from lab.load import Load, outcome_of_reading
from lab.survive import Program

READERS = 3
SLOW_READERS = 3
GONE = ('ENOTCONN', 'ECONNABORTED')


def read_slowly(path, stop):
    """Have a request in hand at every moment; returns how it went on."""
    count = 0
    while not os.path.exists(stop):
        got = outcome_of_reading(path)
        if got:
            return f'{got} after {count}'
        count += 1
    return ''


class Stage:
    """A daemon with a holder, and readers of files that take their time."""

    def __init__(self, lab):
        self.lab = lab
        self.program = Program(lab)
        self.daemon = lab.start_daemon('--holder=60', binary=self.program.path)
        self.stop = f'{lab.folder}/stop'
        box = lab.container(daemon=self.daemon, memory=256 * MIB)
        path = self.daemon.path('/proc/slow')
        self.slow = [box.start(read_slowly, path, self.stop) for _ in range(SLOW_READERS)]

    def outcomes(self):
        host.write_new(self.stop)
        return [task.result(10) for task in self.slow]

    def change(self, number, builds):
        """SIGKILL of everything, then an instance of another build. Returns what it says."""
        time.sleep(0.1 * host.SCALE)
        before = len(self.daemon.log())
        self.daemon.kill_everything()
        self.program.put(builds[number % len(builds)])
        self.daemon.start()
        return self.daemon.log()[before:]


def many(count):
    """The guest's CPUs are emulated."""
    return count if not host.GUEST else max(2, count // 3)


def undergo(lab, builds, files, words):
    stage = Stage(lab)
    with outlive.ending(stage.daemon):
        load = Load(lab, stage.daemon, READERS, files=files)

        def change(number):
            holds(stage.change(number, builds), words, 'the log')

        with load:
            for number in range(many(6)):
                load.event(change, number)
            equal(stage.outcomes(), [''] * SLOW_READERS, 'slow reads')
        ok(load.row.good(), load.row.why())
        equal(len(outlive.holders(stage.daemon)), 1, 'holders')


@needs(timeout=90)
def test_texts_and_counters_of_another_version(lab):
    """What was in hand is in the journal still; open files have a new text, no read fails."""
    words = 'going on with the mount of another version\n'
    undergo(lab, ('texts', 'faulty'), ('meminfo', 'cpuinfo'), words)


@needs(timeout=90)
def test_journal_of_another_version(lab):
    """The kernel is told to ask again: no read fails, none is torn, no counter falls."""
    if host.RESEND:
        words = 'of another version, the kernel asks again'
        undergo(lab, ('journal', 'faulty'), ('selftest', 'meminfo', 'stat', 'uptime'), words)
    else:
        mounts_anew(lab, 'journal')


def test_names_of_another_version(lab):
    """The kernel has numbers that mean nothing any more: all is mounted anew."""
    mounts_anew(lab, 'names')


def mounts_anew(lab, build):
    """Nobody waits for ever: who had asked gets an error, later ones the files again."""
    stage = Stage(lab)
    with outlive.ending(stage.daemon):
        box = lab.container(daemon=stage.daemon, memory=256 * MIB)
        holds(stage.change(0, (build,)), 'mounting anew', 'the log')
        for task in stage.slow:
            ok(task.result(10).split()[0] in GONE, 'a reader that waited')
        eventually(lambda: box.call(outcome_of_reading, '/proc/meminfo') == '', 'it is repaired')
        equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')
        equal(sum(point == stage.daemon.mnt for point, *_ in host.mounts()), 1, 'mounts')
        equal(len(outlive.holders(stage.daemon)), 1, 'holders')


def hold_and_rewind(path, ready, go):
    """Read on in a file that was opened, and half of it read, long before; then from its begin."""
    with open(path, 'rb', buffering=0) as file:
        os.read(file.fileno(), 64)
        host.write_new(ready)
        while not os.path.exists(go):
            time.sleep(0.002)
        os.read(file.fileno(), 64)
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        parts = iter(lambda: os.read(file.fileno(), 64), b'')
        return b''.join(parts).decode()


def test_descriptors_of_another_version(lab):
    """One that was held shows its own container's text again, whoever has opened what since."""
    stage = Stage(lab)
    with outlive.ending(stage.daemon):
        sizes = (128, 192, 256)
        boxes = [lab.container(daemon=stage.daemon, memory=size * MIB) for size in sizes]
        go, tasks = f'{lab.folder}/go', []
        for box, size in zip(boxes, sizes):
            ready = f'{lab.folder}/ready{size}'
            tasks.append(box.start(hold_and_rewind, '/proc/meminfo', ready, go))
            eventually(lambda ready=ready: os.path.exists(ready), 'it is open')
        stage.change(0, ('texts',))
        for box in boxes:
            ready = f'{lab.folder}/again{box.pid}'
            tasks.append(box.start(hold_and_rewind, '/proc/meminfo', ready, go))
        host.write_new(go)
        for task, size in zip(tasks, sizes * 2):
            equal(parse.meminfo(task.result())['MemTotal'], size * 1024, 'MemTotal')
        equal(stage.outcomes(), [''] * SLOW_READERS, 'slow reads')


def test_stopped_for_an_upgrade(lab):
    """SIGHUP does not take another version, a restart does."""
    stage = Stage(lab)
    with outlive.ending(stage.daemon):
        stage.program.put('texts')
        os.kill(stage.daemon.keeper(), signal.SIGHUP)
        words = 'does not fit this mount, which a restart can change: the former one serves on'
        eventually(lambda: words in stage.daemon.log(), 'it is refused')
        equal(stage.daemon.stop(), 0, 'exit status')
        stage.daemon.start()
        ok(stage.program.runs(stage.daemon.worker()), 'the worker runs another program')
        equal(stage.outcomes(), [''] * SLOW_READERS, 'slow reads')
