# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pods as a manifest describes them, run by podman: what a kubelet asks a runtime for, and no more.

The node is podman's mount namespace, with a /var and a /run of its own, shared as systemd has them.
"""

import os
import re
import shutil

from lab import host
from lab.bundle import program
from lab.check import equal
from lab.podman import Podman

PROPAGATION = {'Bidirectional': 'rshared', 'HostToContainer': 'rslave', None: 'rprivate'}
UNITS = {'Mi': 1 << 20, 'Gi': 1 << 30}
PROGRAMS = ('lxcfs-clone', 'lxcfs-clonectl', 'lxcfs-clone-hook', 'lxcfs-clone-runtime')
IMAGE = 'lxcfs-clone:0.1.0'

NODE = '''mount -t tmpfs none /var
mkdir -p /var/lib /var/tmp
mount --make-shared /var
'''


def memory(text):
    number, unit = re.fullmatch(r'(\d+)(Mi|Gi)', text).groups()
    return int(number) * UNITS[unit]


class Node:
    """A machine that runs pods."""

    def __init__(self, lab):
        self.lab = lab
        self.mark = f'LXCFS_CLONE_TEST={lab.run.name}.{lab.name}'
        self.podman = Podman(lab, Nothing())
        self.usr = f'{lab.folder}/image'
        os.makedirs(f'{self.usr}/bin')
        for name in PROGRAMS:
            shutil.copy(program(lab, name), f'{self.usr}/bin')
        self.do_there(NODE)
        self.make_image()

    def do_there(self, script):
        """By a shell on the node."""
        argv = ('nsenter', f'--mount=/proc/{self.podman.holder.pid}/ns/mnt', 'sh', '-ec', script)
        status, out, err = self.lab.execute(*argv)
        equal(status, 0, err)
        return out

    def make_image(self):
        """Programs are this machine's own, below ours."""
        root = f'{self.lab.folder}/image-root'
        for name in ('usr', 'proc', 'sys', 'dev', 'etc', 'tmp', 'run', 'var/lib'):
            os.makedirs(f'{root}/{name}')
        for name in ('bin', 'sbin', 'lib', 'lib64'):
            os.symlink(f'usr/{name}', f'{root}/{name}')
        shutil.copy('/etc/ld.so.cache', f'{root}/etc')
        status, _out, err = self.lab.execute('tar', '-C', root, '-cf', f'{self.usr}.tar', '.')
        equal(status, 0, err)
        self.podman.do('import', '-q', f'{self.usr}.tar', IMAGE)
        self.do_there(f'mkdir /run/image; mount -t overlay none -o lowerdir={self.usr}:/usr /run/image')

    def flags(self, pod, container):
        """What podman is to be told of one container."""
        spec = pod['spec']
        volumes = {v['name']: v['hostPath'] for v in spec.get('volumes', [])}
        flags = ['-m', str(memory(container['resources']['limits']['memory']))]
        if spec.get('hostPID'):
            flags += ['--pid=host', '--cgroupns=host']
        if container.get('securityContext', {}).get('privileged'):
            flags.append('--privileged')
        for mount in container.get('volumeMounts', []):
            path = volumes[mount['name']]['path']
            if volumes[mount['name']].get('type', 'DirectoryOrCreate') == 'DirectoryOrCreate':
                self.do_there(f'mkdir -p {path} 2>/dev/null || test -d {path}')
            options = PROPAGATION[mount.get('mountPropagation')]
            options += ',ro' if mount.get('readOnly') else ''
            flags += ['-v', f"{path}:{mount['mountPath']}:rbind,{options}"]
        if container['image'] == IMAGE:
            flags += ['-v', '/run/image:/usr:ro,rbind,rslave']
        return flags

    def run(self, pod, container, name, *extra):
        image = IMAGE if container['image'] == IMAGE else 'small'
        argv = ['run', *extra, '-e', self.mark, '--name', name, '--cgroup-parent', f'/{self.podman.parent.path}']
        argv += [*self.flags(pod, container), image, *container['command']]
        return self.podman.do(*argv)

    def processes(self):
        """All that are left of pods, wherever they went."""
        found = []
        for pid in os.listdir('/proc'):
            try:
                if pid.isdigit() and self.mark in host.read(f'/proc/{pid}/environ').split('\0'):
                    found.append(int(pid))
            except OSError:
                continue
        return [pid for pid in found if host.is_alive(pid)]

    def start(self, pod, name):
        """Init containers one after the other, to their end; then the one that stays."""
        for container in pod['spec'].get('initContainers', []):
            self.run(pod, container, f'{name}-{container["name"]}', '--rm')
        (container,) = pod['spec']['containers']
        self.run(pod, container, name, '-d')

    def is_ready(self, pod, name):
        (container,) = pod['spec']['containers']
        probe = container['readinessProbe']['exec']['command']
        return self.podman.call('exec', name, *probe)[0] == 0

    def delete(self, pod, name):
        """As kubectl delete pod: SIGTERM, and SIGKILL at the end of its time."""
        seconds = str(pod['spec'].get('terminationGracePeriodSeconds', 30))
        self.podman.do('stop', '-t', seconds, name)
        self.podman.remove(name)

    def kill(self, name):
        self.podman.remove(name)


class Nothing:
    """In the place of a daemon of the test's own."""

    mnt = '/var/lib/lxcfs-clone'
