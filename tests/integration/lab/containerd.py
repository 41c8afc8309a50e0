# SPDX-License-Identifier: LGPL-2.1-or-later
"""A containerd of the test's own, and containers of ctr by our runtime."""

import hashlib
import json
import os
import shutil
import subprocess

from lab import host
from lab.bundle import program
from lab.check import Failure, equal, eventually
from lab.oci import small_root

IMAGE = 'docker.io/library/small:latest'


class Containerd:
    """One with everything of its own."""

    def __init__(self, lab, daemon):
        self.lab, self.daemon = lab, daemon
        self.folder = f'{lab.folder}/containerd'
        self.parent, self.count = lab.cgroup('ctr'), 0
        small_root(lab, f'{self.folder}/root')
        # ctr has no way to give a runtime arguments. Beside --uidmap it forgets which runtime it was
        # told of: containerd then takes the first runc of its PATH.
        self.runtime = f'{self.folder}/bin/runc'
        os.mkdir(os.path.dirname(self.runtime))
        argv = (program(lab, 'lxcfs-clone-runtime'), '--runtime', shutil.which('runc'), '--mountpoint', daemon.mnt)
        host.write_new(self.runtime, f'#!/bin/sh\nexec {" ".join(argv)} "$@"\n')
        os.chmod(self.runtime, 0o755)
        with open(f'{self.folder}/config.toml', 'w', encoding='utf-8') as file:
            file.write('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        self.socket = f'{self.folder}/sock'
        # Its shims have their sockets in /run, whatever it is told.
        alone = ['unshare', '-n', '-m', 'sh', '-ec', 'mount -t tmpfs none /run; exec "$@"', 'sh']
        argv = [*alone, 'containerd', '-c', f'{self.folder}/config.toml', '-a', self.socket,
                '--root', f'{self.folder}/data', '--state', f'{self.folder}/state']
        with open(f'{self.folder}/log', 'wb') as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, PATH=f'{self.folder}/bin:{os.environ["PATH"]}'),
                                            preexec_fn=lab.cgroup('containerd').join)
        lab.later(self.close)
        eventually(lambda: lab.execute('ctr', '-a', self.socket, 'version')[0] == 0, 'containerd answers', 30)

    def do(self, *argv):
        status, out, err = self.lab.execute('ctr', '-a', self.socket, *argv)
        if status:
            raise Failure(f'ctr {argv[:2]}: {err.strip()} {host.read(f"{self.folder}/log")[-600:]}')
        return out

    def import_image(self):
        """The same root as an image, in the form of docker's."""
        folder = f'{self.folder}/image'
        os.mkdir(folder)
        layer = f'{folder}/layer.tar'
        equal(self.lab.execute('tar', '-C', f'{self.folder}/root', '-cf', layer, '.')[0], 0, 'tar')
        with open(layer, 'rb') as file:
            layers = [f'sha256:{hashlib.sha256(file.read()).hexdigest()}']
        layers = {'type': 'layers', 'diff_ids': layers}
        config = {'architecture': 'amd64', 'os': 'linux', 'config': {}, 'rootfs': layers}
        manifest = [{'Config': 'config.json', 'RepoTags': [IMAGE], 'Layers': ['layer.tar']}]
        for name, what in (('config', config), ('manifest', manifest)):
            with open(f'{folder}/{name}.json', 'w', encoding='ascii') as file:
                json.dump(what, file)
        equal(self.lab.execute('tar', '-C', folder, '-cf', f'{folder}.tar', '.')[0], 0, 'tar')
        self.do('images', 'import', '--snapshotter', 'native', f'{folder}.tar')

    def start(self, *flags, image=False):
        """image: its root is a copy of the image's; else it is a folder of the host's."""
        self.count += 1
        name = f'task{self.count}'
        if image:
            self.import_image()
        root = ('--snapshotter', 'native', IMAGE) if image else ('--rootfs', f'{self.folder}/root')
        self.do('run', '-d', '--null-io', '--runc-binary', self.runtime, '--runc-root', f'{self.folder}/runc',
                '--cgroup', f'/{self.parent.path}/{name}', *flags, *root, name, '/bin/sleep', '1000')
        return name

    def pid(self, name):
        rows = [line.split() for line in self.do('tasks', 'ls').splitlines()]
        return next(int(pid) for task, pid, *_ in rows if task == name)

    def exec(self, name, *argv):
        return self.do('tasks', 'exec', '--exec-id', f'x{os.urandom(4).hex()}', '--fifo-dir', f'{self.folder}/fifos',
                       name, *argv)

    def remove(self, name):
        self.do('tasks', 'delete', '-f', name)
        self.do('containers', 'delete', name)

    def close(self):
        for name in self.lab.execute('ctr', '-a', self.socket, 'tasks', 'ls', '-q')[1].split():
            self.lab.execute('ctr', '-a', self.socket, 'tasks', 'delete', '-f', name)
        self.process.terminate()
        self.process.wait(20 * host.SCALE)
