# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container of LXC's."""

import os
import shutil

from lab import host, kinds
from lab.check import Failure
from lab.oci import small_root

CONFIG = '''lxc.include = {include}
lxc.rootfs.path = dir:{root}
lxc.mount.auto = proc:mixed sys:mixed
lxc.uts.name = box
lxc.net.0.type = empty
lxc.apparmor.profile = unconfined
lxc.init.cmd = /bin/sleep 1000
lxc.autodev = 0
lxc.cgroup.dir = {cgroup}
{limits}
'''
USERS = (f'lxc.idmap = u 0 {kinds.USER} 65536', f'lxc.idmap = g 0 {kinds.USER} 65536')


class Lxc:
    """One container at a time, with everything of its own."""

    def __init__(self, lab, include, setup, limit):
        self.lab, self.folder, self.daemon = lab, f'{lab.folder}/lxc', lab.daemon
        self.root, self.setup = f'{self.folder}/root', setup
        small_root(lab, self.root)
        keys = ('lxc.cgroup2.memory.max', 'lxc.cgroup2.cpu.max', '100000 100000')
        if host.KIND == 'v1':
            keys = ('lxc.cgroup.memory.limit_in_bytes', 'lxc.cgroup.cpu.cfs_quota_us', '100000')
        group = lab.cgroup('lxc')
        # LXC makes groups in it, and leaves it to the kernel what their CPUs are.
        if 'cpuset' in group.folders:
            host.write(f'{group.folders["cpuset"]}/cgroup.clone_children', 1)
        limits = f'{keys[0]} = {limit}\n{keys[1]} = {keys[2]}'
        self.config = CONFIG.format(
            include=include, root=self.root, cgroup=f'{group.path}/box', limits=limits
        )
        self.name = f'{lab.run.name}-{lab.name}'.replace('.', '-')

    def tool(self, word, *argv):
        return (f'lxc-{word}', '-P', self.folder, '-n', self.name, *argv)

    def do(self, *argv):
        status, out, err = self.lab.execute(*argv)
        if status:
            log = f'{self.folder}/log'
            raise Failure(f'{argv[0]}: {err} {host.read(log) if os.path.exists(log) else ""}')
        return out

    def start(self, *lines):
        """lines: of a configuration, behind the usual ones."""
        path, dev = f'{self.folder}/config', f'{self.root}/dev'
        with open(path, 'w', encoding='ascii') as file:
            file.write(self.config + ''.join(f'{line}\n' for line in lines))
        # LXC makes files in it, in the name of the container's root; in one that is read-only it cannot.
        shutil.rmtree(dev)
        os.mkdir(dev)
        host.write_new(f'{dev}/console')
        if USERS[0] in lines:
            os.chown(dev, kinds.USER, kinds.USER)
        self.lab.later(self.remove)
        argv = self.tool('start', '-f', path, '-d', '-o', f'{self.folder}/log', '-l', 'INFO')
        self.do('unshare', '-m', 'sh', '-ec', f'{self.setup} && exec "$@"', 'sh', *argv)

    def pid(self, _box=None):
        return int(self.do(*self.tool('info', '-p', '-H')))

    def exec(self, _box, *argv):
        return self.do(*self.tool('attach', '--clear-env', '--', *argv))

    def remove(self, _box=None):
        self.lab.execute(*self.tool('stop', '-k'))
