# SPDX-License-Identifier: LGPL-2.1-or-later
"""What may befall the daemon under load: each scenario returns a Row."""

import os
import random
import shutil
import signal
import tempfile

from lab import MIB, host
from lab.check import equal, eventually, holds, ok
from lab.load import Load, outcome_of_reading

# How long a worker that hangs may go unnoticed.
HUNG_S = 20
# How long an upgrade to a program that is never ready may be tried.
NEVER_READY_S = 15
# So many workers may die of one request.
ATTEMPTS = 3
SIGNAL_MS = 2
# What lies on the disk instead of a good program, and what is said of it then.
BROKEN = {
    'no program': 'ended with status 1',
    'ends at once': 'ended with status 1',
    'is never ready': 'did not get ready',
    'keeps another memory': 'does not fit this mount',
    'wants other FUSE flags': 'does not fit this mount',
}
REFUSAL = 'the new binary is not taken'
# Seconds between kills, so that they are apart enough for each to be made good at once.
APART = (0.15, 0.35)


class Program:
    """A program file with faults built in, that can be replaced as package managers do it."""

    def __init__(self, lab):
        self.builds = f'{lab.run.build}/tests/lxcfs-clone-'
        self.folder = tempfile.mkdtemp(prefix='bin', dir=lab.folder)
        self.path = f'{self.folder}/lxcfs-clone'
        self.put('faulty')
        self.broken = dict(
            zip(
                BROKEN,
                (
                    __file__,
                    shutil.which('false'),
                    f'{lab.run.build}/tests/mute',
                    f'{self.builds}texts',
                    f'{self.builds}greedy',
                ),
            )
        )

    def put(self, build):
        self._replace(self.builds + build)

    def put_broken(self, kind):
        self._replace(self.broken[kind])

    def _replace(self, source):
        shutil.copy(source, f'{self.folder}/new')
        os.chmod(f'{self.folder}/new', 0o755)
        os.rename(f'{self.folder}/new', self.path)

    def runs(self, pid):
        """Whether a process runs what lies on the disk now."""
        return os.path.samestat(os.stat(f'/proc/{pid}/exe'), os.stat(self.path))


class Scene:
    """A daemon of the program above, and its readers."""

    def __init__(self, lab, name, readers, *options, controllers=('pids',), **load):
        self.lab, self.name = lab, name
        self.program = Program(lab)
        self.daemon = lab.start_daemon(
            *options, binary=self.program.path, controllers=controllers
        )
        self.load = Load(lab, self.daemon, readers, **load)
        self.load.row.name = name

    def __enter__(self):
        self.load.__enter__()
        return self

    def __exit__(self, *about):
        self.load.__exit__(*about)

    @property
    def row(self):
        return self.load.row

    def repeat(self, count, function, *args, pause=(0, 0.03)):
        with self:
            for number in range(count):
                self.load.event(function, number, *args, pause=pause)
        return self.row

    # Events

    def kill_worker(self, _number=0):
        worker = self.daemon.worker()
        self.load.mark()
        os.kill(worker, signal.SIGKILL)

    def kill_either(self, _number=0):
        keeper, worker = self.daemon.keeper(), self.daemon.worker()
        self.load.mark()
        os.kill(random.choice((keeper, worker)), signal.SIGKILL)

    def upgrade(self, number, builds=('faulty',)):
        keeper, worker = self.daemon.keeper(), self.daemon.worker()
        self.program.put(builds[number % len(builds)])
        self.load.mark()
        os.kill(keeper, signal.SIGHUP)
        new = self.daemon.worker(worker, seconds=20)
        ok(self.program.runs(new), 'the new worker runs another program than what is on the disk')
        eventually(lambda: self.program.runs(self.daemon.keeper()), 'the keeper is upgraded', 20)

    def replaced(self, old):
        """The worker hangs: wait for another one."""
        self.daemon.worker(old, seconds=HUNG_S)

    def stop_worker(self, _number=0):
        old = self.daemon.worker()
        os.kill(old, signal.SIGSTOP)
        self.replaced(old)
        self.gone(old)

    def freeze_worker(self, _number=0):
        group = self.lab.cgroup(controllers=('freezer',))
        old = self.daemon.worker()
        group.join(old)
        group.freeze(True)
        try:
            self.replaced(old)
        finally:
            group.freeze(False)
        self.gone(old)

    def gone(self, pid):
        eventually(lambda: pid not in self.daemon.processes(), f'worker {pid} ends', HUNG_S)


def worker_kills(lab, count, readers):
    scene = Scene(lab, 'worker killed', readers)
    return scene.repeat(count, scene.kill_worker, pause=APART)


def hasty_kills(lab, count, readers):
    """Each killed as soon as it serves: the keeper takes its time, then."""
    scene = Scene(lab, 'worker killed as soon as it serves', readers)
    return scene.repeat(count, scene.kill_worker)


def quiet_kills(lab, count):
    """One reader on an otherwise idle machine: how long a kill takes."""
    load = {'gap_ms': 1, 'files': ('meminfo',), 'modes': 'w'}
    scene = Scene(lab, 'worker killed, one reader', 1, **load)
    return scene.repeat(count, scene.kill_worker, pause=APART)


def signalled_kills(lab, count, readers):
    name = f'worker killed, readers get a signal each {SIGNAL_MS} ms'
    scene = Scene(lab, name, readers, signal_ms=SIGNAL_MS)
    return scene.repeat(count, scene.kill_worker, pause=APART)


def either_kills(lab, count, readers):
    scene = Scene(lab, 'keeper or worker killed', readers)
    return scene.repeat(count, scene.kill_either, pause=APART)


def upgrades(lab, count, readers):
    scene = Scene(lab, 'upgrade', readers)
    return scene.repeat(count, scene.upgrade)


def alternating_upgrades(lab, count, readers):
    scene = Scene(lab, 'upgrade to another build and back', readers)
    return scene.repeat(count, scene.upgrade, ('other', 'faulty'))


def stopped(lab, count, readers):
    scene = Scene(lab, 'worker stopped (SIGSTOP)', readers)
    return scene.repeat(count, scene.stop_worker)


def frozen(lab, count, readers):
    scene = Scene(lab, 'worker frozen with its cgroup', readers)
    return scene.repeat(count, scene.freeze_worker)


# The kernel ends a worker


def _oom_kills(group):
    name = 'memory.events' if host.KIND == 'v2' else 'memory.oom_control'
    for line in group.get('memory', name).splitlines():
        if line.startswith('oom_kill '):
            return int(line.split()[1])
    return 0


def _eat(group):
    """Take memory until the kernel kills somebody; a moment later that may be us."""
    before, fd = _oom_kills(group), os.memfd_create('eaten')
    while _oom_kills(group) == before:
        os.write(fd, bytes(64 << 10))
    os.close(fd)


def oom_kills(lab, count, readers):
    """The worker is what the kernel prefers, and its cgroup has next to nothing left."""
    scene = Scene(lab, 'worker killed for its memory', readers, controllers=('pids', 'memory'))
    group = scene.daemon.group

    def starve(_number):
        # Anew each time: should the kernel take more than one, this may be among them.
        glutton = lab.container(group=group, daemon=scene.daemon, pid=False, mnt=False, cgroupns=False)
        worker, before = scene.daemon.worker(), _oom_kills(group)
        # That makes it as bad as if it had the whole limit: more than an interpreter's memory.
        host.write(f'/proc/{worker}/oom_score_adj', 1000)
        group.set_memory(group.usage() + 32 * MIB)
        glutton.start(_eat, group)
        eventually(lambda: _oom_kills(group) > before, 'the kernel kills somebody', 30)
        group.set_memory(-1)
        scene.gone(worker)

    return scene.repeat(count, starve)


# Requests that no worker survives


def _fatal_request(lab, readers, file, name, seconds):
    scene = Scene(lab, name, readers)
    box = lab.container(daemon=scene.daemon)
    path = scene.daemon.path(f'/proc/{file}')

    def ask(_number):
        task = box.start(outcome_of_reading, path)
        equal(task.result(seconds), 'EIO', f'reading {file}')
        equal(scene.daemon.log().count('takes over'), ATTEMPTS, 'workers that died of it')
        lines = [line for line in scene.daemon.log().splitlines() if 'EIO' in line]
        holds(lines[-1] if lines else '', f'proc/{file}', 'the log')
        holds(lines[-1], str(task.pid), 'the log')

    return scene.repeat(1, ask)


def poison(lab, readers):
    return _fatal_request(lab, readers, 'poison', 'request that workers die of', 20)


def hang(lab, readers):
    return _fatal_request(lab, readers, 'hang', 'request that workers hang in', ATTEMPTS * HUNG_S)


# Programs that do not work


def broken_programs(lab, readers, kinds=tuple(BROKEN)):
    """In the place of a good one, at SIGHUP and when the worker dies; then the good one again."""
    scene = Scene(lab, 'broken program on the disk', readers)

    def refuse(_number, kind):
        keeper, worker = scene.daemon.keeper(), scene.daemon.worker()
        before = len(scene.daemon.log())
        scene.program.put_broken(kind)
        os.kill(keeper, signal.SIGHUP)
        eventually(lambda: REFUSAL in scene.daemon.log()[before:], 'it is refused', NEVER_READY_S)
        scene.load.progress()
        lines = scene.daemon.log()[before:].splitlines()
        said = [line for line in lines if 'error: ' in line and 'Exec format' not in line]
        equal(len(said), 1, f'sentences for what {kind}: {lines}')
        holds(said[0], BROKEN[kind], kind)
        equal(scene.daemon.keeper(), keeper, 'keeper')
        equal(scene.daemon.worker(), worker, 'worker')
        scene.kill_worker()
        scene.load.progress()
        scene.daemon.worker(worker)

    with scene:
        for number, kind in enumerate(kinds):
            scene.load.event(refuse, number, kind)
            scene.load.event(scene.upgrade, 0)
    return scene.row
