# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a container takes to start: from exec of the runtime until its command runs."""

import json
import mmap
import os
import select
import shutil
import statistics
import struct
import subprocess
import tempfile
import time

from lab import host
from lab.launcher import make_rootfs
from place import Unmeasured

MEMORY = 256 * host.MIB
NAMESPACES = ('pid', 'mount', 'uts', 'ipc', 'network', 'cgroup')
# What the launcher does beside that unless told not to.
LIKE_THEM = ('--no-init', '--no-time-ns', '--security-opt', 'seccomp=unconfined')
COMMAND = ('/bin/sh', '-c', 'echo >/started')


def mount_namespace(*points):
    """A copy of ours with empty folders in the place of these, as a descriptor."""
    script = 'for point; do mount -t tmpfs none "$point"; done; echo; read line'
    with subprocess.Popen(['unshare', '-m', 'sh', '-c', script, 'sh', *points], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.read(1)
        return os.open(f'/proc/{process.pid}/ns/mnt', os.O_RDONLY | os.O_CLOEXEC)


class Starts:
    """One root file system, one set of limits, and what starts a container with them."""

    def __init__(self, place):
        self.place = place
        self.folder = tempfile.mkdtemp(prefix='start', dir=place.folder)
        os.chmod(self.folder, 0o755)
        self.rootfs = make_rootfs(f'{self.folder}/bundle/rootfs')
        self.launcher = os.path.join(os.path.dirname(place.binary), 'lxcfs-clone-run')
        self.fifo = f'{self.folder}/started'
        os.mkfifo(self.fifo)
        host.write_new(f'{self.rootfs}/started')
        for name in ('proc', 'sys', 'dev'):
            os.mkdir(f'{self.rootfs}/{name}')
        # Both ends: neither side waits for the other to open it.
        self.started = os.open(self.fifo, os.O_RDWR | os.O_CLOEXEC)
        self.executed = mmap.mmap(-1, mmap.PAGESIZE)
        self.here = mount_namespace()
        # crun will not have a v2 tree with controllers beside v1 ones.
        self.elsewhere = mount_namespace(*([host.V2] if host.KIND == 'v1' and host.V2 else []))
        self.count = 0
        self._write_bundle()

    def _write_bundle(self):
        """What `runc spec` writes, which is all that makes a usual container but for seccomp."""
        path = f'{self.folder}/bundle/config.json'
        subprocess.run(['runc', 'spec', '-b', f'{self.folder}/bundle'], check=True)
        with open(path, encoding='utf-8') as file:
            spec = json.load(file)
        spec['process'].update(terminal=False, args=list(COMMAND))
        spec['root']['readonly'] = False
        spec['mounts'].append({'destination': '/started', 'source': self.fifo, 'options': ['bind']})
        spec['linux']['namespaces'] = [{'type': kind} for kind in NAMESPACES]
        spec['linux']['resources'].update(
            memory={'limit': MEMORY}, cpu={'quota': 100000, 'period': 100000}, pids={'limit': 100}
        )
        self.spec = spec
        self.config = path

    def runtime(self, name):
        """Arguments for the next container of runc or crun."""
        self.spec['linux']['cgroupsPath'] = f'/{self.place.name}/start{self.count}'
        with open(self.config, 'w', encoding='utf-8') as file:
            json.dump(self.spec, file)
        return [name, '--root', f'{self.folder}/{name}', 'run', '-b', f'{self.folder}/bundle',
                f'{self.place.name}-{self.count}']

    def ours(self, *flags):
        return [self.launcher, 'run', '--rm', '--name', f'{self.place.name}.{self.count}', '-m', str(MEMORY),
                '--cpus', '1', '--pids-limit', '100', '-v', f'{self.fifo}:/started', *flags,
                '--rootfs', self.rootfs, *COMMAND]

    def _before_exec(self, namespace):
        host.setns(namespace, host.CLONE_NEWNS)
        struct.pack_into('Q', self.executed, 0, time.monotonic_ns())

    def run(self, argv, namespace):
        """Milliseconds until the command ran, and until all was over."""
        self.count += 1
        words = argv()
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, preexec_fn=lambda: self._before_exec(namespace)) as process:
            running = os.pidfd_open(process.pid)
            ready = select.select([self.started, running], [], [], 20)[0]
            started = time.monotonic_ns()
            process.wait(20)
            ended = time.monotonic_ns()
            os.close(running)
            if self.started not in ready or process.returncode:
                raise Unmeasured(f'{words[0]} ended with {process.returncode}: {process.stderr.read()[-500:]}')
            os.read(self.started, 1)
        begun = struct.unpack_from('Q', self.executed)[0]
        return (started - begun) / 1e6, (ended - begun) / 1e6


def measure(place, rounds, warm=3):
    """What it is called -> (median until the command ran, median until all was over), in turns."""
    for tool in ('runc', 'crun'):
        if not shutil.which(tool):
            raise Unmeasured(f'{tool} is not installed')
    place.start_servers('ours')
    starts = Starts(place)
    mnt = place.servers['ours'].daemon.mnt
    kinds = {
        'runc': (lambda: starts.runtime('runc'), starts.here),
        'crun': (lambda: starts.runtime('crun'), starts.elsewhere),
        'lxcfs-clone-run': (lambda: starts.ours('--no-lxcfs'), starts.here),
        'no pid 1, time namespace, seccomp': (lambda: starts.ours('--no-lxcfs', *LIKE_THEM), starts.here),
        "with lxcfs-clone's files": (lambda: starts.ours('--lxcfs', mnt), starts.here),
    }
    times = {name: [] for name in kinds}
    for turn in range(warm + rounds):
        for name, kind in kinds.items():
            found = starts.run(*kind)
            if turn >= warm:
                times[name].append(found)
    place.stop_servers()
    return {name: [statistics.median(column) for column in zip(*rows)] for name, rows in times.items()}
