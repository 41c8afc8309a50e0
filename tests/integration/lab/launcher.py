# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run under test: a root file system of busybox's, containers that are removed again."""

import json
import os
import shutil
import subprocess

from lab import disk, host
from lab.check import Failure, Skip, eventually

CONTAINERS = '/run/lxcfs-clone/containers'
LEASES = '/run/lxcfs-clone/leases'
DATA = ('/var/lib/lxcfs-clone-run', '/run/lxcfs-clone-run')
APPLETS = '''sh cat echo ls id env ps top free uptime hostname mount umount sleep dd touch stat mkdir
    readlink tty stty ip ping grep head wc kill seq true false pwd date mknod chmod ln test nproc
    chown cut sort tr find yes time'''.split()


def make_rootfs(folder):
    """A folder with busybox and what names its users."""
    busybox = shutil.which('busybox')
    if not busybox or subprocess.run(['ldd', busybox], capture_output=True, check=False).returncode == 0:
        raise Skip('there is no static busybox')
    for name in ('bin', 'etc', 'tmp', 'root'):
        os.makedirs(f'{folder}/{name}', mode=0o755)
    shutil.copy(busybox, f'{folder}/bin/busybox')
    for applet in APPLETS:
        os.symlink('busybox', f'{folder}/bin/{applet}')
    host.write_new(
        f'{folder}/etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n'
    )
    host.write_new(f'{folder}/etc/group', 'root:x:0:\napp:x:1000:\nextra:x:77:app\n')
    return folder


def make_machine_rootfs(folder):
    """A folder where the machine's own /usr is to be bound."""
    for name in ('etc', 'tmp', 'usr', 'root', 'var'):
        os.makedirs(f'{folder}/{name}')
    for name in ('bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'):
        if os.path.islink(f'/{name}'):
            os.symlink(f'usr/{name}', f'{folder}/{name}')
        elif os.path.isdir(f'/{name}'):
            raise Skip(f'/{name} is a folder of its own')
    host.write_new(f'{folder}/etc/passwd', 'root:x:0:0::/root:/bin/sh\n')


class Launcher:
    """The program, and containers whose names nobody else has."""

    def __init__(self, lab):
        self.lab = lab
        self.program = os.path.join(os.path.dirname(lab.run.binary), 'lxcfs-clone-run')
        self.prefix = f'{lab.run.name}.{lab.name}.'
        self.rootfs = make_rootfs(f'{lab.folder}/rootfs')
        self.count = 0
        self._mappable = None
        lab.later(self.close)

    @property
    def mappable(self):
        """A root file system like the usual one, for --userns auto: not every kind of file system can
        map owners."""
        if disk.maps_owners(self.rootfs):
            return self.rootfs
        if self._mappable is None:
            self._mappable = f'{disk.file_system(self.lab, 64)}/rootfs'
            shutil.copytree(self.rootfs, self._mappable, symlinks=True)
        return self._mappable

    def machine(self):
        """Flags and a root file system for a container of the machine's own files."""
        folder = f'{self.lab.folder}/machine'
        make_machine_rootfs(folder)
        return ('-v', '/usr:/usr:ro', '-e', 'LC_ALL=C', '-e', 'TZ=UTC'), folder

    def name(self):
        self.count += 1
        return f'{self.prefix}{self.count}'

    def call(self, *argv, **options):
        """(status, stdout, stderr) of a command."""
        return self.lab.execute(self.program, *argv, **options)

    def argv(self, *flags, name=None, rootfs=None, lxcfs=None):
        where = ('--lxcfs', lxcfs.mnt) if lxcfs else ('--no-lxcfs',)
        return [
            'run',
            *where,
            '--name',
            name or self.name(),
            '--rootfs',
            rootfs or self.rootfs,
            *flags,
        ]

    def run(self, *words, flags=(), lxcfs=None, rootfs=None, **options):
        """A container that is removed at its end: (status, stdout, stderr)."""
        return self.call(
            *self.argv('--rm', *flags, rootfs=rootfs, lxcfs=lxcfs), '--', *words, **options
        )

    def popen(self, *flags, words=('true',), rootfs=None, **options):
        """A launcher that can be sent signals."""
        options = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True, **options}
        return subprocess.Popen([self.program, *self.argv(*flags, rootfs=rootfs), *words], **options)

    def shell(self, script, *flags, **options):
        """What a script says in a container, which must succeed."""
        status, out, err = self.run('sh', '-c', script, flags=flags, **options)
        if status:
            raise Failure(f'{script!r} ended with {status}: {out}{err}')
        return out

    def start(self, *words, flags=(), **options):
        """The name of a container in the background."""
        name = self.name()
        status, out, err = self.call(*self.argv('-d', *flags, name=name, **options), '--', *words)
        if (status, out) != (0, f'{name}\n'):
            raise Failure(f'run -d: {status} {out!r} {err!r}')
        return name

    def inside(self, name, script, *flags):
        """What a script says in a container that runs."""
        status, out, err = self.call('exec', *flags, name, 'sh', '-c', script)
        if status:
            raise Failure(f'{script!r} ended with {status}: {out}{err}')
        return out

    def inspect(self, name):
        status, out, err = self.call('inspect', name)
        if status:
            raise Failure(f'inspect: {err}')
        return json.loads(out)

    def status(self, name):
        return self.inspect(name)['status']

    def until(self, name, status):
        eventually(lambda: self.status(name) == status, f'{name} is {status}', 10, 0.01)

    def names(self):
        """Those of this test."""
        return [n for n in _listdir(CONTAINERS) if n.startswith(self.prefix)]

    def traces(self):
        """All that the kernel and the file systems have of this test's containers."""
        found = {n: 'state' for n in self.names()}
        for top in {point for point, _, fstype, _ in host.mounts() if fstype.startswith('cgroup')}:
            for name in _listdir(f'{top}/lxcfs-clone-run'):
                if name.startswith(self.prefix):
                    found[f'{top}/{name}'] = 'cgroup'
        for top in DATA:
            for name in _listdir(top):
                if name.startswith(self.prefix):
                    found[f'{top}/{name}'] = 'folder'
        for point, *_ in host.mounts():
            if self.prefix in point:
                found[point] = 'mount'
        for kind in _listdir(LEASES):
            text = host.read(f'{LEASES}/{kind}')
            if self.prefix in text:
                found[f'{LEASES}/{kind}'] = text
        for pid in _listdir('/proc'):
            if pid.isdigit() and _is_of(pid, self.prefix):
                found[pid] = 'process'
        return found

    def close(self):
        """Nothing is left, and nothing was there that rm -f does not remove."""
        names = self.names()
        if names:
            self.call('rm', '-f', *names)
        eventually(lambda: not self.traces(), f'all is removed: {self.traces()}', 5)


def _listdir(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def _is_of(pid, prefix):
    """A launcher of a container of ours; zombies have no command line."""
    try:
        line = host.read(f'/proc/{pid}/cmdline').split('\0')
        return 'run' in line[1:2] and any(word.startswith(prefix) for word in line)
    except OSError:
        return False
