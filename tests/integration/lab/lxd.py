# SPDX-License-Identifier: LGPL-2.1-or-later
"""An lxd of the test's own."""

import os
import subprocess

from lab import host
from lab.check import Failure, equal, eventually
from lab.oci import hidden, small_root

SETUP = """mount -t tmpfs none /var/lib
mkdir /var/lib/lxcfs
mount --bind {mnt} /var/lib/lxcfs
{hidden}
exec lxd --group root
"""
IMAGE = """architecture: x86_64
creation_date: 1600000000
properties:
  description: small
"""


class Lxd:
    """One lxd, on a machine that has the test's daemon at /var/lib/lxcfs; one container at a time."""

    def __init__(self, lab):
        self.lab, self.daemon, self.folder = lab, lab.daemon, f'{lab.folder}/lxd'
        self.group = lab.cgroup('lxd-boxes')
        # LXC makes groups in it, and leaves it to the kernel what their CPUs are.
        if 'cpuset' in self.group.folders:
            host.write(f'{self.group.folders["cpuset"]}/cgroup.clone_children', 1)
        os.mkdir(self.folder)
        self.env = dict(os.environ, LXD_DIR=self.folder, HOME=lab.folder)
        script = SETUP.format(mnt=lab.daemon.mnt, hidden=hidden())
        with open(f'{self.folder}/log', 'wb') as log:
            self.process = subprocess.Popen(
                ['unshare', '-m', '-n', 'sh', '-ec', script], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=self.env, preexec_fn=lab.cgroup('lxd').join,
            )
        lab.later(self.close)
        eventually(lambda: self.call('info')[0] == 0, 'lxd answers', 30, 0.3)
        self.do('storage', 'create', 'pool', 'dir')
        self.do('profile', 'device', 'add', 'default', 'root', 'disk', 'path=/', 'pool=pool')
        self.do('image', 'import', self.image(), '--alias', 'small')

    def call(self, *argv):
        return self.lab.execute('lxc', *argv, env=self.env)

    def do(self, *argv):
        status, out, err = self.call(*argv)
        if status:
            raise Failure(f'lxc {argv[0]}: {err} {host.read(f"{self.folder}/log")[-900:]}')
        return out

    def image(self):
        folder = f'{self.lab.folder}/lxd-image'
        small_root(self.lab, f'{folder}/rootfs')
        for name in ('sbin', 'run'):
            os.mkdir(f'{folder}/rootfs/{name}')
        init = f'{folder}/rootfs/sbin/init'
        host.write_new(init, '#!/bin/sh\nexec sleep 1000\n')
        os.chmod(init, 0o755)
        host.write_new(f'{folder}/metadata.yaml', IMAGE)
        equal(self.lab.execute('tar', '-C', folder, '-cf', f'{folder}.tar', 'metadata.yaml', 'rootfs')[0], 0, 'tar')
        return f'{folder}.tar'

    def start(self, limit, *options, raw=()):
        """options: key=value; raw: lines for LXC."""
        lines = (f'lxc.cgroup.dir = {self.group.path}/box', *raw)
        flags = (f'limits.memory={limit}B', 'limits.cpu.allowance=100ms/100ms', 'raw.lxc=' + '\n'.join(lines), *options)
        self.do('init', 'small', 'box', *(word for flag in flags for word in ('-c', flag)))
        status, _out, err = self.call('start', 'box')
        if status:
            raise Failure(f'lxc start: {err} {self.call("info", "--show-log", "box")[1]}')

    def pid(self, _box=None):
        lines = self.do('info', 'box').splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith('PID:'))

    def exec(self, _box, *argv):
        return self.do('exec', 'box', '--', *argv)

    def remove(self, _box=None):
        self.do('delete', '-f', 'box')

    def close(self):
        self.call('delete', '-f', 'box')
        self.process.terminate()
        self.process.wait(20 * host.SCALE)
