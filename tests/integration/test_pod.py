# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Kubernetes pod that is deleted and made anew: the holder keeps the mount meanwhile."""

import os

from lab import host, outlive
from lab.check import equal, needs, ok
from lab.load import Load

READERS = 4
FILES = ('meminfo', 'stat', 'uptime', 'cpuinfo', 'loadavg')

# As a runtime makes it: a root file system of its own, the host's pids and cgroups, and what the
# pod asks for of the host, with mounts that go both ways below the folder that is shared.
POD = """#!/bin/sh
[ "$1" = inside ] || exec unshare --mount --propagation unchanged "$0" inside "$@"
set -e
shift
mount --make-private /
mount -t tmpfs pod {root}
cd {root}
ln -s usr/bin usr/sbin usr/lib usr/lib64 .
for folder in usr etc dev sys run/lxcfs-clone {build} {folder}; do
    mkdir -p ./$folder
    mount --rbind /$folder ./$folder
done
mkdir proc old
mount -t proc proc proc
pivot_root . old
# or else what is taken away here is gone on the host, too
mount --make-rslave old
umount -l old
exec {binary} "$@"
"""


class Pod:
    """A daemon in one; `daemon.start()` makes another pod for the next instance."""

    def __init__(self, lab):
        self.lab = lab
        shared, root, program = (f'{lab.folder}/{name}' for name in ('shared', 'root', 'pod'))
        os.mkdir(shared)
        os.mkdir(root)
        os.makedirs('/run/lxcfs-clone', exist_ok=True)
        host.mount(shared, shared, None, host.MS_BIND)
        lab.later(host.umount, shared, host.MNT_DETACH)
        host.mount(None, shared, None, host.MS_SHARED)
        host.write_new(program, '')
        host.write(
            program,
            POD.format(
                root=root, build=lab.run.build, folder=lab.folder, binary=lab.run.binary
            ),
        )
        os.chmod(program, 0o755)
        os.mkdir(f'{shared}/mnt')
        self.daemon = lab.start_daemon(
            '--holder=60', mnt=f'{shared}/mnt', binary=program, controllers=('pids', 'freezer')
        )

    def make_anew(self, _number=0):
        """Another instance, in a cgroup and a mount namespace that are new, too."""
        old, self.daemon.group = self.daemon.group, self.lab.cgroup(controllers=('pids', 'freezer'))
        old.remove()
        self.daemon.start()

    def kill(self, number=0):
        """As runtimes do it: all at once."""
        group = self.daemon.group
        if host.KIND == 'v2':
            group.put('', 'cgroup.kill', 1)
        else:
            group.freeze(True)
            group.kill()
            group.freeze(False)
        self.daemon.kill_everything()
        self.make_anew(number)

    def delete(self, number=0):
        equal(self.daemon.stop(), 0, 'exit status')
        self.make_anew(number)


def undergo(lab, function):
    pod = Pod(lab)
    daemon = pod.daemon
    with outlive.ending(daemon):
        first = outlive.holders(daemon)
        equal(len(first), 1, 'holders')
        load = Load(lab, daemon, READERS, files=FILES)
        with load:
            for number in range(6 if not host.GUEST else 2):
                load.event(getattr(pod, function), number)
        ok(load.row.good(), load.row.why())
        spaces = [os.readlink(f'/proc/{pid}/ns/mnt') for pid in (daemon.keeper(), 'self')]
        ok(spaces[0] != spaces[1], 'the pod is in the mount namespace of the host')
        equal(outlive.holders(daemon), first, 'holders at the end')
        equal(sum(point == daemon.mnt for point, *_ in host.mounts()), 1, 'mounts')


@needs(timeout=90)
def test_killed_pod(lab):
    """Its cgroup is killed, then there is another pod: no failed read in other containers."""
    undergo(lab, 'kill')


@needs(timeout=90)
def test_deleted_pod(lab):
    """SIGTERM, then another pod: no failed read either."""
    undergo(lab, 'delete')
