# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers of crun or runc from bundles of our own: pivot_root, a read-only root."""

import json
import os
import shutil
import subprocess

from lab import host
from lab.check import equal

# The files of /proc that runc lets a container mount over.
ALLOWED = ('cpuinfo', 'diskstats', 'meminfo', 'stat', 'swaps', 'uptime', 'loadavg', 'slabinfo')
APPLETS = ('sh', 'cat', 'dd', 'sleep')
# crun will not have a v2 tree with controllers beside v1 ones: it gets to see none.
WRAP = 'mount -t tmpfs none "$0" && exec "$@"'


def hidden():
    """A command for crun, in a mount namespace alone."""
    return f'mount -t tmpfs none {host.V2}' if host.KIND == 'v1' and host.V2 else ':'


def small_root(lab, root):
    """A root directory with nothing but busybox."""
    for name in ('bin', 'proc', 'sys', 'dev', 'etc', 'tmp'):
        os.makedirs(f'{root}/{name}')
    lab.execute('cp', '/bin/busybox', f'{root}/bin/busybox')
    for name in APPLETS:
        os.symlink('busybox', f'{root}/bin/{name}')


def allowed(mnt):
    """(file of the daemon, where it goes), for all that a runtime lets one mount."""
    names = [name for name in ALLOWED if os.path.exists(f'{mnt}/proc/{name}')]
    return [(f'{mnt}/proc/{name}', f'/proc/{name}') for name in names]


class Runtime:
    """The runtime that is installed, and one root directory for all its containers."""

    def __init__(self, lab, daemon):
        self.lab, self.daemon = lab, daemon
        self.name = shutil.which('crun') or shutil.which('runc')
        self.folder = f'{lab.folder}/oci'
        self.parent = lab.cgroup('oci')
        small_root(lab, f'{self.folder}/root')
        self.count = 0

    def _spec(self, name, memory):
        mounts = [{'destination': '/proc', 'type': 'proc', 'source': 'proc'}]
        for source, target in allowed(self.daemon.mnt):
            options = ['bind', 'ro']
            mounts.append({'destination': target, 'source': source, 'options': options})
        return {
            'ociVersion': '1.0.2',
            'process': {'user': {'uid': 0, 'gid': 0}, 'args': ['/bin/sleep', '100000'], 'cwd': '/'},
            'root': {'path': f'{self.folder}/root', 'readonly': True},
            'mounts': mounts,
            'linux': {
                'namespaces': [{'type': kind} for kind in ('pid', 'mount', 'ipc', 'uts')],
                'cgroupsPath': f'/{self.parent.path}/{name}',
                'resources': {'memory': {'limit': memory}},
            },
        }

    def start(self, memory):
        """The pid of a new container's init."""
        self.count += 1
        name = f'box{self.count}'
        bundle = f'{self.folder}/{name}'
        os.mkdir(bundle)
        with open(f'{bundle}/config.json', 'w', encoding='utf-8') as file:
            json.dump(self._spec(name, memory), file)
        argv = [self.name, '--root', f'{self.folder}/state', 'run', '-d', '-b', bundle]
        argv += ['--pid-file', f'{bundle}/pid', f'{self.lab.run.name}-{name}']
        if host.KIND == 'v1' and host.V2:
            argv = ['unshare', '-m', 'sh', '-c', WRAP, host.V2, *argv]
        with open(f'{bundle}/log', 'w+b') as log:  # a pipe would be open as long as the container
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=20, check=False
            )
        equal(done.returncode, 0, f'{self.name}: {host.read(f"{bundle}/log")}')
        return int(host.read(f'{bundle}/pid'))
