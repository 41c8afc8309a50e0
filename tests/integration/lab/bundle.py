# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers of runc and crun from bundles, with lxcfs-clone-hook in a stage of one's choice."""

import json
import os
import subprocess

from lab import MIB, host, parse
from lab.bound import ours
from lab.check import Failure, equal, eventually
from lab.oci import WRAP, small_root

RUNTIMES = ('runc', 'crun')
STAGES = ('prestart', 'createRuntime', 'createContainer', 'poststart')
TREE = 'sys/devices/system'
LIMIT = 128 * MIB
CAPS = 'CHOWN DAC_OVERRIDE KILL MKNOD NET_BIND_SERVICE SETGID SETUID SYS_CHROOT'
# As `runc spec` has them: what docker and podman do, too.
MASKED = ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware']
READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']


def program(lab, name='lxcfs-clone-hook'):
    return os.path.join(os.path.dirname(lab.run.binary), name)


def whole_tree(mnt):
    """Where all that a daemon serves belongs, if this kernel has such a file."""
    found = [f'/{folder}/{name}' for folder in ('proc', TREE) for name in os.listdir(f'{mnt}/{folder}')]
    return sorted(path for path in found if os.path.exists(path))


def command(runtime, *argv):
    """crun will not have a v2 tree with controllers beside v1 ones: it gets to see none."""
    wrap = ['unshare', '-m', 'sh', '-c', WRAP, host.V2]
    alone = runtime == 'crun' and host.KIND == 'v1' and host.V2
    return [*(wrap if alone else []), *argv]


VIEW = ('/proc/meminfo', '/proc/cpuinfo', '/proc/stat', f'/{TREE}/cpu/online')
# Not by cat: busybox's is a matter of its own, see reads.sendfile_gives_the_whole_file.
SHOW = 'for file; do echo "== $file"; dd bs=64k status=none "if=$file"; done'


def check_view(run, limit=LIMIT, what=''):
    """What run(*argv) prints in a container with this limit and one CPU."""
    out = run('/bin/sh', '-c', SHOW, 'sh', *VIEW)
    parts = dict(part.split('\n', 1) for part in out.split('== ')[1:])
    equal(tuple(parts), VIEW, f'{what}: files shown in {out!r}')
    meminfo, cpuinfo, stat, online = parts.values()
    equal(parse.meminfo(meminfo)['MemTotal'], limit // 1024, f'{what}: MemTotal')
    equal(len(parse.cpuinfo_cpus(cpuinfo)), 1, f'{what}: CPUs of cpuinfo')
    equal(len(parse.stat_cpus(stat)), 1, f'{what}: CPUs of stat')
    equal(len(host.parse_list(online)), 1, f'{what}: CPUs online')


def host_mounts(lab):
    """What lies over the host's own files, and in the test's folder: other tests go on beside this one."""
    tops = (lab.folder, '/proc', '/sys', '/dev', '/etc', '/run', '/var')
    return sorted(m for m in host.mounts() if m[0].startswith(tops))


class Bundles:
    """One root directory, read or shared by all containers."""

    def __init__(self, lab, daemon):
        self.lab, self.daemon = lab, daemon
        self.folder = f'{lab.folder}/bundles'
        self.parent = lab.cgroup('bundles')
        self.root = f'{self.folder}/root'
        small_root(lab, self.root)
        self.hook_program = program(lab)
        self.count = 0

    def hook(self, *options):
        argv = ['lxcfs-clone-hook', '--mountpoint', self.daemon.mnt, *options]
        return {'path': self.hook_program, 'args': argv}

    def spec(self, name):
        caps = [f'CAP_{cap}' for cap in CAPS.split()]
        mounts = [('/proc', 'proc', []), ('/sys', 'sysfs', ['nosuid', 'noexec', 'nodev', 'ro']),
                  ('/dev', 'tmpfs', ['nosuid', 'mode=755'])]
        return {
            'ociVersion': '1.0.2',
            'process': {
                'user': {'uid': 0, 'gid': 0}, 'args': ['/bin/sleep', '100000'], 'cwd': '/',
                'env': ['PATH=/bin'],
                'capabilities': {kind: caps for kind in ('bounding', 'effective', 'permitted')},
            },
            'root': {'path': self.root, 'readonly': True},
            'mounts': [{'destination': target, 'type': kind, 'source': kind, 'options': options}
                       for target, kind, options in mounts],
            'annotations': {},
            'linux': {
                'namespaces': [{'type': kind} for kind in ('pid', 'mount', 'ipc', 'uts', 'network')],
                'cgroupsPath': f'/{self.parent.path}/{name}',
                'resources': {'memory': {'limit': LIMIT}, 'cpu': {'quota': 100000, 'period': 100000}},
                'maskedPaths': MASKED, 'readonlyPaths': READ_ONLY,
            },
        }

    def make(self, runtime, change=None, **hooks):
        """A Box that is not started; stage=hook, and change(spec)."""
        self.count += 1
        name = f'box{self.count}'
        spec = self.spec(name)
        spec['hooks'] = {stage: [hook] for stage, hook in hooks.items()}
        if change:
            change(spec)
        return Box(self, runtime, name, spec)

    def start(self, runtime, change=None, **hooks):
        return self.make(runtime, change, **hooks).start()


class Box:
    """One container."""

    def __init__(self, bundles, runtime, name, spec):
        self.lab, self.daemon, self.runtime = bundles.lab, bundles.daemon, runtime
        self.name = f'{bundles.lab.run.name}-{bundles.lab.name}-{name}'
        self.folder = f'{bundles.folder}/{name}'
        self.state = f'{bundles.folder}/{runtime}'
        # crun goes there before it calls a hook; what the config says is root's alone.
        os.mkdir(self.folder, 0o711)
        with open(f'{self.folder}/config.json', 'w', encoding='utf-8') as file:
            os.chmod(file.fileno(), 0o600)
            json.dump(spec, file)

    def call(self, *words, before=()):
        """(status, all that it says); `before`: words that it is started by."""
        argv = [*command(self.runtime, *(before or (self.runtime,))), '--root', self.state, *words]
        with open(f'{self.folder}/log', 'w+b') as log:  # a pipe would be open as long as the container
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  timeout=20 * host.SCALE, check=False)
        return done.returncode, host.read(f'{self.folder}/log')

    def try_start(self, before=()):
        self.lab.later(self.remove)
        return self.call('run', '-d', '-b', self.folder, '--pid-file', f'{self.folder}/pid', self.name,
                         before=before)

    def start(self, before=()):
        status, said = self.try_start(before)
        equal(status, 0, f'{self.runtime}: {said}')
        self.said = said
        return self

    def pid(self):
        return int(host.read(f'{self.folder}/pid'))

    def bound(self):
        return sorted(point for point, *_ in ours(self.daemon.mnt, self.pid()))

    def exec(self, *argv):
        """What a program prints that the runtime puts into it."""
        status, out = self.call('exec', self.name, *argv)
        if status:
            raise Failure(f'{self.runtime} exec: {out}')
        return out

    def check(self, what):
        """All files are there, and what a process of exec's reads is the container's."""
        equal(self.bound(), whole_tree(self.daemon.mnt), f'{what}: files bound')
        check_view(self.exec, what=f'{what}, exec')

    def remove(self):
        self.call('delete', '-f', self.name)


def nothing_is_left(box, before):
    """The container ends, and with it all that was mounted for it."""
    pid = box.pid()
    box.remove()
    eventually(lambda: not host.is_alive(pid), 'the container ends')
    equal(host_mounts(box.lab), before, 'mounts of the host after the end')
