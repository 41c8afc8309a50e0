# SPDX-License-Identifier: LGPL-2.1-or-later
"""All of the daemon dies and is started anew, while witnesses read in containers of each kind."""

import contextlib
import mmap
import os
import random
import shutil
import signal
import struct
import subprocess
import time

from lab import MIB, host, inside
from lab.bound import repair_is_over
from lab.check import Failure, eventually
from lab.docker import Docker
from lab.launcher import Launcher
from lab.load import Row
from lab.oci import Runtime

FILES = ('meminfo', 'cpuinfo', 'stat', 'uptime', 'loadavg', 'diskstats', 'swaps')
LIMIT = 256 * MIB
SLOT = struct.Struct('QQQQ')  # phase, since when (ns), readings, failed ones: see slots.h
N_SLOTS = 256
END = (1 << 64) - 1
ALIVE_S = 0.05
DEAD_S = 0.1


# Containers of each kind: the pid of a process in one. The files are bound there.


def oci(lab, daemon):
    runtime = Runtime(lab, daemon)
    return lambda: runtime.start(LIMIT)


def docker(lab, daemon):
    dockerd = Docker(lab, daemon)
    return lambda: dockerd.pid(dockerd.start('-m', str(LIMIT)))


def launcher(lab, daemon):
    box = Launcher(lab)
    flags = ('-m', str(LIMIT), '--net', 'none')
    return lambda: box.inspect(box.start('sleep', '100000', flags=flags, lxcfs=daemon))['pid']


def user(lab, daemon):
    return lambda: lab.container(memory=LIMIT, daemon=daemon, user=True).pid


def nest(ready):
    """In namespaces whose copies of the mounts are locked."""
    host.unshare(host.CLONE_NEWUSER | host.CLONE_NEWNS)
    host.write_new(ready)
    inside.sleep()


def change_root(mnt, root, ready):
    """A root of its own, with a procfs of its own."""
    os.mkdir(root)
    host.mount('/', root, None, host.MS_BIND)
    host.mount('proc', f'{root}/proc', 'proc')
    for name in FILES:
        host.mount(f'{mnt}/proc/{name}', f'{root}/proc/{name}', None, host.MS_BIND)
    host.write_new(f'{root}{ready}')
    os.chroot(root)
    os.chdir('/')
    inside.sleep()


def task_in(lab, daemon, user_namespace, function, *args):
    """A process in a container that has done what is to be done first."""
    os.chmod(lab.folder, 0o777)
    box = lab.container(memory=LIMIT, daemon=daemon, user=user_namespace)
    ready = f'{lab.folder}/ready{box.pid}'
    task = box.start(function, *args, ready)
    eventually(lambda: os.path.exists(ready), function.__name__, step=0.005)
    return task.pid


def nested(lab, daemon):
    return lambda: task_in(lab, daemon, True, nest)


def chroot(lab, daemon):
    def make():
        root = f'{lab.folder}/root{len(lab.made)}'
        return task_in(lab, daemon, False, change_root, daemon.mnt, root)

    return make


# Name: what makes one, and what it needs.
KINDS = {
    'runtime': (oci, 'busybox', ('crun', 'runc')),
    'user': (user, '', ()),
    'nested': (nested, '', ()),
    'chroot': (chroot, '', ()),
    'docker': (docker, 'busybox docker dockerd', ()),
    'launcher': (launcher, 'busybox', ()),
}


MUST_RUN = os.environ.get('MUST_RUN') == '1'


def missing(kind):
    """Why there can be none of a kind here; '' if there can."""
    _make, tools, one_of = KINDS[kind]
    if kind == 'docker' and host.GUEST:
        return 'docker is run on the host alone'
    for tool in tools.split():
        if not shutil.which(tool):
            return f'{tool} is not installed'
    if one_of and not any(shutil.which(tool) for tool in one_of):
        return f'none of {", ".join(one_of)} is installed'
    return ''


def join_memory(pid):
    """Be counted where a process is: on v1 for its memory alone, not for the CPUs."""
    for line in host.read(f'/proc/{pid}/cgroup').splitlines():
        _number, names, path = line.split(':', 2)
        if names == '' and host.KIND == 'v2':
            host.write(f'{host.V2}{path}/cgroup.procs', 0)
        elif 'memory' in names.split(','):
            host.write(f'{host.V1["memory"]}{path}/cgroup.procs', 0)


class Witnesses:
    """One in each container, and a lookout; see witness.c, lookout.c."""

    def __init__(self, lab, daemon, pids, ordinary=False):
        self.daemon = daemon
        self.phase = 0
        path = f'{lab.folder}/witnesses'
        with open(path, 'w+b') as control:
            control.truncate(N_SLOTS * SLOT.size)
            self.slots = mmap.mmap(control.fileno(), 0)
        self.next_phase()
        self.next_phase()
        self.tell_live()
        self.n, self.watchers = len(pids), []  # processes, with their logs
        lab.later(self.kill)
        files = [f'/proc/{name}' for name in FILES]
        processes = [word for pid in pids for word in ('-p', str(pid))]
        self._start(lab, ['lookout', '-c', path, *processes, *files])
        for number, pid in enumerate(pids, 1):
            argv = ['witness', '-c', path, '-i', str(number)] + ['-o'] * ordinary
            argv += ['-k', str(LIMIT // 1024), '-p', str(pid), *files]
            self._start(lab, argv, lambda pid=pid: join_memory(pid))
        self.read_on()

    def _start(self, lab, argv, preexec=None):
        log = f'{lab.folder}/watcher{len(self.watchers)}'
        argv[0] = f'{lab.run.build}/tests/{argv[0]}'
        with open(log, 'wb') as stderr:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stderr=stderr, preexec_fn=preexec
            )
        self.watchers.append((process, log))

    def next_phase(self):
        self.phase += 1
        struct.pack_into('QQ', self.slots, 0, self.phase, 0)

    def tell_live(self):
        """Which file system is the one that works in this phase."""
        struct.pack_into('Q', self.slots, 8, os.minor(os.stat(self.daemon.mnt).st_dev))

    def _slot(self, number):
        return SLOT.unpack_from(self.slots, (1 + number) * SLOT.size)

    def total(self, field):
        return sum(self._slot(n)[field] for n in range(self.n))

    def _said(self, ended):
        logs = [log for process, log in self.watchers if ended(process)]
        return '; '.join(host.read(log).strip() or 'killed' for log in logs)

    def wrong(self):
        """What those say that have ended before their time."""
        return self._said(lambda process: process.poll() is not None)

    def read_on(self):
        """Wait until each has read all files twice."""
        goals = [self._slot(n)[2] + 2 * len(FILES) for n in range(self.n)]

        def all_did():
            if self.wrong():
                raise Failure(f'witness: {self.wrong()}')
            return all(self._slot(n)[2] >= goal for n, goal in enumerate(goals))

        eventually(all_did, 'each witness reads', step=0.01)

    def all_good(self, seconds=10):
        """Since when all files of each work in this phase, in ns; in the containers' order."""
        deadline = time.monotonic() + seconds * host.SCALE
        while True:
            slots = [self._slot(n) for n in range(self.n)]
            late = [n for n, slot in enumerate(slots) if slot[0] != self.phase]
            if self.wrong():
                raise Failure(f'witness: {self.wrong()}')
            if not late:
                return [slot[1] for slot in slots]
            if time.monotonic() > deadline:
                raise Failure(f'files of containers {late} do not work: {self.daemon.tail()}')
            time.sleep(0.002)

    def end(self):
        """What those say that have seen something wrong until the end."""
        self.phase = END
        struct.pack_into('Q', self.slots, 0, END)
        for process, _log in self.watchers:
            process.wait(20 * host.SCALE)
        return self._said(lambda process: process.returncode != 0)

    def kill(self):
        for process, _log in self.watchers:
            if process.poll() is not None:
                continue
            # Its child: were it ours, to be asked after, its namespace could not end before.
            for pid in host.children(process.pid) or [process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(20 * host.SCALE)


def share(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def in_ms(values_us):
    return ' / '.join(f'{share(values_us, part) / 1000:.1f}' for part in (0.5, 0.99, 1)) + ' ms'


def containers(lab, daemon, each, kinds):
    """(pids of processes in `each` containers of each kind, those, why there are none of others)."""
    pids, there, reasons = [], [], []
    for kind in kinds:
        reason = missing(kind)
        if reason:
            reasons.append(f'{kind}: {reason}')
        else:
            make = KINDS[kind][0](lab, daemon)
            pids += [make() for _ in range(each)]
            there.append(kind)
    return pids, there, reasons


def comebacks(lab, count, each=10, kinds=tuple(KINDS), ordinary=False):
    """`count` times; a row whose stalls are from the program's start to the last file's."""
    daemon = lab.start_daemon()
    pids, there, reasons = containers(lab, daemon, each, kinds)
    of = ', readers of ordinary priority' if ordinary else ''
    row = Row(f'all killed and started anew, {len(pids)} containers{of}', events=count)
    witnesses = Witnesses(lab, daemon, pids, ordinary)
    witnesses.all_good()
    single = []
    for _ in range(count):
        time.sleep(random.uniform(0, ALIVE_S))
        witnesses.next_phase()
        daemon.kill_everything()
        time.sleep(random.uniform(0, DEAD_S))
        witnesses.next_phase()
        daemon.start()
        witnesses.tell_live()
        since = [(ns - daemon.executed_ns()) / 1000 for ns in witnesses.all_good()]
        row.stalls_us.append(max(since))
        single += since
        repair_is_over(daemon)
        witnesses.read_on()
    row.trouble = witnesses.end()
    row.readings, expected = witnesses.total(2), witnesses.total(3)
    row.note = f'{each} containers each of the kinds {", ".join(there)}'
    row.note += ''.join(f', none of {reason}' for reason in reasons)
    row.note += f'; {expected:,} readings failed while nothing served, as they must; from the start '
    row.note += f'until all files of a container work {in_ms(single)}, of all containers '
    row.note += in_ms(row.stalls_us)
    if reasons and MUST_RUN:
        row.trouble += f' no containers of {"; ".join(reasons)}'
    return row


def exposure(lab, each=3):
    """What witnesses say when repair lets the host's files show for a moment."""
    daemon = lab.start_daemon(binary=f'{lab.run.build}/tests/lxcfs-clone-exposing')
    pids, _there, _reasons = containers(lab, daemon, each, ('user',))
    witnesses = Witnesses(lab, daemon, pids)
    witnesses.all_good()

    def one_sees_it():
        witnesses.next_phase()
        daemon.kill_everything()
        witnesses.next_phase()
        daemon.start()
        repair_is_over(daemon)
        return "is the host's" in witnesses.wrong()

    # In the moment of one round they may have no CPU: they have idle priority.
    eventually(one_sees_it, 'one sees it', 20)
