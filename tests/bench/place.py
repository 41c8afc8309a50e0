# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the benchmark runs: both servers mounted, their files bound as a container has them, cgroups."""

import dataclasses
import os
import shutil
import subprocess
import tempfile
import time

from lab import guardian, host
from lab.cgroup import Cgroup
from lab.daemon import Daemon

FILES = ('meminfo', 'stat', 'cpuinfo', 'swaps', 'uptime', 'loadavg', 'diskstats')
LXCFS_RUN = '/run/lxcfs'


class Unmeasured(Exception):
    """Something that the benchmark is for cannot be measured here."""


@dataclasses.dataclass
class Reading:
    """What procread says of one file; times in microseconds."""
    bytes: int
    reads: int
    median: float
    p90: float
    p99: float
    rate: float


def threads(pid):
    return [int(tid) for tid in os.listdir(f'/proc/{pid}/task')]


def pin(pids, cpu):
    for pid in pids:
        for tid in threads(pid):
            os.sched_setaffinity(tid, {cpu})


class Lxcfs:
    """The lxcfs installed here on a mount point of its own, showing loads and CPU quotas as we do."""

    options = ('-f', '-l', '--enable-cfs')

    def __init__(self, mnt, folder, group):
        program = shutil.which('lxcfs')
        if not program:
            raise Unmeasured('lxcfs is not installed')
        self.mnt, self.group = mnt, group
        self.made_run = not os.path.exists(LXCFS_RUN)
        with open(f'{folder}/log', 'wb') as log:
            self.process = subprocess.Popen([program, *self.options, '-p', f'{folder}/pid', mnt], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, preexec_fn=self._before_exec)
        deadline = time.monotonic() + 10
        while not os.path.exists(f'{mnt}/proc/meminfo'):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Unmeasured(f'lxcfs does not start: {host.read(f"{folder}/log")[-1000:]}')
            time.sleep(0.02)

    def _before_exec(self):
        host.write(self.group.file('pids', 'cgroup.procs'), 0)

    def pids(self):
        return [self.process.pid]

    worker = property(lambda self: self.process.pid)

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        if any(point == self.mnt for point, *_ in host.mounts()):
            host.umount(self.mnt, host.MNT_DETACH)
        if self.made_run and os.path.isdir(LXCFS_RUN) and not os.listdir(LXCFS_RUN):
            os.rmdir(LXCFS_RUN)


class Ours:
    """lxcfs-clone on a mount point of its own."""

    def __init__(self, binary, mnt, folder, group):
        self.daemon = Daemon(binary, mnt, folder, group)
        self.worker = self.daemon.worker()

    def pids(self):
        return [self.daemon.pid, self.worker]

    def close(self):
        self.daemon.close()


class Place:
    """Everything that the benchmark makes; removed at the end, by the guardian if it is killed."""

    def __init__(self, binary, procread):
        self.binary, self.procread = binary, procread
        host.unshare(host.CLONE_NEWNS)
        host.mount(None, '/', None, host.MS_REC | host.MS_PRIVATE)
        self.name = f'lxcfs-clone-bench.{os.getpid()}'
        self.folder = tempfile.mkdtemp(prefix='lxcfs-clone-bench.', dir='/tmp')
        guardian.start(self.name, self.folder, os.path.dirname(binary))
        host.become_subreaper()
        self.top = Cgroup.top(self.name)
        self.servers = {}
        self.count = 0

    def _start(self, name):
        self.count += 1
        folder = f'{self.folder}/{name}{self.count}'
        for part in ('', '/mnt', '/bound'):
            os.mkdir(folder + part)
        group = self.top.child(f'{name}{self.count}', controllers=('pids',))
        server = (Lxcfs(f'{folder}/mnt', folder, group) if name == 'lxcfs'
                  else Ours(self.binary, f'{folder}/mnt', folder, group))
        self.servers[name] = server
        for file in FILES:
            host.write_new(f'{folder}/bound/{file}')
            host.mount(f'{folder}/mnt/proc/{file}', f'{folder}/bound/{file}', None, host.MS_BIND)
        server.bound = f'{folder}/bound'

    def start_servers(self, *names):
        for name in names:
            self._start(name)

    def stop_servers(self):
        while self.servers:
            _name, server = self.servers.popitem()
            for file in FILES:
                host.umount(f'{server.bound}/{file}')
            server.close()

    def path(self, server, file):
        return f'/proc/{file}' if server == 'kernel' else f'{self.servers[server].bound}/{file}'

    def containers(self, name, count, **limits):
        """Limited cgroups name0, name1, … below an unlimited one; the arguments for procread to join them."""
        limits = limits or {'memory': 256 * host.MIB, 'cpus': 1.5}
        groups = [self.top.child(f'{name}{n}', **limits) for n in range(count)]
        self._use_disk(groups[0])
        prefixes = sorted(folder[:-1] for folder in groups[0].folders.values())
        return groups, [arg for prefix in prefixes for arg in ('-g', prefix)]

    def _use_disk(self, group):
        """Have a group write to a disk, so that diskstats has a line; a folder in memory leaves it empty."""
        subprocess.run(['dd', 'if=/dev/zero', f'of={self.folder}/disk', 'bs=64k', 'count=1', 'oflag=direct'],
                       stderr=subprocess.DEVNULL, preexec_fn=group.join, check=False)

    def read(self, files, *options):
        """Run procread to its end."""
        with self.start_reading(files, *options) as process:
            out, _err = process.communicate(timeout=600)
            if process.returncode:
                raise Unmeasured(f'procread ended with {process.returncode}')
            return parse(out)

    def start_reading(self, files, *options):
        return subprocess.Popen([self.procread, *options, *files], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)

    def close(self):
        try:
            self.stop_servers()
        finally:
            guardian.sweep(self.name, self.folder, os.path.dirname(self.binary))


def parse(text):
    """What procread printed: file -> Reading."""
    found = {}
    for line in text.splitlines():
        name, size, reads, *times, rate = line.split('\t')
        found[name] = Reading(int(size), int(reads), *(int(t) / 1000 for t in times), float(rate))
    return found
