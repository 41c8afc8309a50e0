# SPDX-License-Identifier: LGPL-2.1-or-later
"""A dockerd of the test's own, and containers with the daemon's files in them."""

import os
import subprocess

from lab import host
from lab.check import Failure, equal, eventually
from lab.oci import allowed, small_root

CPU_TREE = '/sys/devices/system/cpu'


class Docker:
    """One dockerd with everything of its own: folders, socket, network, mounts, cgroups."""

    def __init__(self, lab, daemon, *options, setup=':'):
        """setup: what a shell does first in its mount namespace."""
        self.lab = lab
        self.daemon = daemon
        self.socket = f'unix://{lab.folder}/docker.sock'
        self.parent = lab.cgroup('docker')
        service = lab.cgroup('dockerd')
        folder = f'{lab.folder}/docker'
        os.mkdir(folder)
        argv = [
            'unshare',
            '-n',
            '-m',
            'sh',
            '-c',
            f'{setup} && exec "$@"',
            'sh',
            'dockerd',
            '--iptables=false',
            '--ip6tables=false',
            '--bridge=none',
            '--data-root',
            f'{folder}/data',
            '--exec-root',
            f'{folder}/exec',
            '-H',
            self.socket,
            '--pidfile',
            f'{folder}/pid',
            '--cgroup-parent',
            f'/{self.parent.path}',
            *options,
        ]
        self.log = f'{folder}/log'
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ, DOCKER_RAMDISK='1'),
                preexec_fn=service.join,
            )
        lab.later(self.close)
        eventually(self.answers, 'dockerd answers', 60, 0.2)
        self.import_image(folder)

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f'dockerd ended: {host.read(self.log)[-2000:]}')
        return self.lab.execute('docker', '-H', self.socket, 'version')[0] == 0

    def import_image(self, folder):
        root = f'{folder}/root'
        small_root(self.lab, root)
        status, _out, err = self.lab.execute('tar', '-C', root, '-cf', f'{folder}/image.tar', '.')
        equal(status, 0, err)
        self.do('import', f'{folder}/image.tar', 'small')

    def do(self, *argv):
        status, out, err = self.lab.execute(
            'docker', '-H', self.socket, *argv, env=dict(os.environ, HOME=self.lab.folder)
        )
        if status:
            raise Failure(f'docker {argv[0]}: {err.strip()} {host.read(self.log)[-600:]}')
        return out

    def start(self, *options, binds=True):
        """A container that sleeps; with the files bound that a runtime lets one bind."""
        mnt, flags = self.daemon.mnt, []
        if binds:
            for source, target in [*allowed(mnt), (mnt + CPU_TREE, CPU_TREE)]:
                flags += ['-v', f'{source}:{target}']
        return self.do(
            'run', '-d', '--network', 'none', *options, *flags, 'small', 'sleep', '1000'
        ).strip()

    def remove(self, box):
        self.do('rm', '-f', box)

    def pid(self, box):
        return int(self.do('inspect', '-f', '{{.State.Pid}}', box))

    def exec(self, box, *argv):
        return self.do('exec', box, *argv)

    def cat(self, box, path):
        # busybox's cat is a matter of its own: see reads.sendfile_gives_the_whole_file
        return self.exec(box, 'dd', 'bs=64k', 'status=none', f'if={path}')

    def close(self):
        ids = self.lab.execute('docker', '-H', self.socket, 'ps', '-q')[1].split()
        if ids:
            self.lab.execute('docker', '-H', self.socket, 'rm', '-f', *ids)
        host.end(self.process)
