# SPDX-License-Identifier: LGPL-2.1-or-later
"""podman with everything of its own: storage, folders of hooks and of CDI, cgroups, mounts."""

import json
import os
import shutil
import subprocess
import time

from lab import host
from lab.bundle import program
from lab.check import Failure, equal
from lab.oci import small_root

CONFIG = '''[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
'''
STORAGE = '''[storage]
driver = "vfs"
graphroot = "{folder}/graph"
rootless_storage_path = "{folder}/graph"
runroot = "{folder}/run"
[storage.options]
ignore_chown_errors = "true"
'''
# Its own /run, for CDI's folder too; no v2 tree beside v1 ones, which crun will not have.
ALONE = '''set -e
mount -t tmpfs none /run
mkdir /run/cdi /run/lock
cp "$2" /run/cdi/lxcfs-clone.json
[ -z "$1" ] || mount -t tmpfs none "$1"
echo ready
read -r line'''


def cdi(hook):
    """What lxcfs-clonectl makes: a device for all files, one for each."""
    def device(name, args):
        edit = {'hookName': 'createRuntime', 'path': hook['path'], 'args': [*hook['args'], *args]}
        return {'name': name, 'containerEdits': {'hooks': [edit]}}
    devices = [device('all', []), *(device(name, ['--files', name]) for name in ('meminfo', 'uptime'))]
    return {'cdiVersion': '0.3.0', 'kind': 'lxcfs-clone.dev/proc', 'devices': devices}


def hooks_d(hook):
    return {'version': '1.0.0', 'hook': hook, 'when': {'always': True}, 'stages': ['createRuntime']}


class Podman:
    """The same containers by runc or crun."""

    def __init__(self, lab, daemon, user=None):
        """user: the number of an ordinary one, whose containers are in no cgroup of their own."""
        self.lab, self.daemon, self.user = lab, daemon, user
        self.folder = f'{lab.folder}/podman'
        self.parent, self.service = lab.cgroup('pods'), lab.cgroup('podman')
        # Where any user can get at it.
        self.hook = {'path': shutil.copy(program(lab), lab.folder), 'args': ['lxcfs-clone-hook', '--mountpoint', daemon.mnt, '--require']}
        os.makedirs(f'{self.folder}/hooks.d')
        os.mkdir(f'{self.folder}/no-hooks.d')
        self._write('containers.conf', CONFIG)
        self._write('storage.conf', STORAGE.format(folder=self.folder))
        self._write('hooks.d/lxcfs-clone.json', json.dumps(hooks_d(self.hook)))
        self._write('cdi.json', json.dumps(cdi(self.hook)))
        os.mkdir(f'{self.folder}/xdg', 0o700)
        if user:
            for path in (self.folder, f'{self.folder}/xdg'):
                os.chown(path, user, user)
        self._part()
        root = f'{self.folder}/root'
        small_root(lab, root)
        status, _out, err = lab.execute('tar', '-C', root, '-cf', f'{self.folder}/image.tar', '.')
        equal(status, 0, err)
        self.do('import', '-q', f'{self.folder}/image.tar', 'small')

    def _write(self, name, text):
        with open(f'{self.folder}/{name}', 'w', encoding='utf-8') as file:
            file.write(text)

    def _part(self):
        """A mount namespace for as long as the test."""
        hidden = host.V2 if host.KIND == 'v1' and host.V2 else ''
        argv = ['unshare', '-m', 'sh', '-c', ALONE, 'sh', hidden, f'{self.folder}/cdi.json']
        self.holder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       preexec_fn=self.service.join)
        self.lab.later(self.close)
        equal(self.holder.stdout.readline(), b'ready\n', 'a mount namespace for podman')
        self.mounts = os.open(f'/proc/{self.holder.pid}/ns/mnt', os.O_RDONLY | os.O_CLOEXEC)

    def _enter(self):
        self.service.join()
        host.setns(self.mounts, host.CLONE_NEWNS)
        if self.user:
            os.setgroups([])
            os.setgid(self.user)
            os.setuid(self.user)

    def call(self, *argv, hooks='no-hooks.d', runtime='runc'):
        """(status, stdout, stderr)"""
        env = dict(os.environ, CONTAINERS_CONF=f'{self.folder}/containers.conf', HOME=self.folder,
                   CONTAINERS_STORAGE_CONF=f'{self.folder}/storage.conf')
        if self.user:
            env['XDG_RUNTIME_DIR'] = f'{self.folder}/xdg'
        words = ('podman', '--hooks-dir', f'{self.folder}/{hooks}', '--tmpdir', f'{self.folder}/tmp',
                 '--runtime', runtime, *argv)
        with open(f'{self.folder}/err', 'w+b') as err, open(f'{self.folder}/out', 'w+b') as out:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd='/',
                                  timeout=30 * host.SCALE, preexec_fn=self._enter, check=False)
        return done.returncode, host.read(f'{self.folder}/out'), host.read(f'{self.folder}/err')

    def do(self, *argv, **options):
        status, out, err = self.call(*argv, **options)
        if status:
            raise Failure(f'podman {argv[0]}: {err.strip()}')
        return out

    def start(self, *flags, **options):
        """The id of a container that sleeps."""
        where = ('--cgroups=disabled',) if self.user else ('--cgroup-parent', f'/{self.parent.path}')
        return self.do('run', '-d', *where, *flags, 'small', 'sleep', '1000', **options).strip()

    def pid(self, box):
        return int(self.do('inspect', '-f', '{{.State.Pid}}', box))

    def exec(self, box, *argv):
        return self.do('exec', box, *argv)

    def remove(self, box, runtime='runc'):
        """podman rm and the cleanup that conmon starts get into each other's way at times: podman's issue 11594."""
        for _ in range(5):
            status, _out, err = self.call('rm', '-f', '-t', '0', box, runtime=runtime)
            if not status:
                return
            if 'userdata/shm: device or resource busy' not in err:
                break
            time.sleep(0.2 * host.SCALE)
        raise Failure(f'podman rm: {err.strip()}')

    def close(self):
        self.call('rm', '-f', '-t', '0', '-a')
        os.close(self.mounts)
        self.holder.stdin.close()
        self.holder.wait(20 * host.SCALE)
        self.holder.stdout.close()
