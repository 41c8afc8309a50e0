# SPDX-License-Identifier: LGPL-2.1-or-later
"""What lxcfs-clonectl install writes, taken by the engines themselves: their containers see their own."""

import contextlib
import os
import shutil
import signal
import subprocess

from lab import MIB, host
from lab.bound import ours
from lab.bundle import check_view, program, whole_tree
from lab.check import Failure, equal, eventually, holds, needs, ok
from lab.docker import Docker
from lab.oci import small_root
from lab.podman import Podman
from test_install import CDI, DOCKER, HOOKS, LXC, LXC_PROGRAM, Root

LIMIT = 96 * MIB
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')


def installed(lab, *engines):
    """A root in which they were told of the test's daemon."""
    root = Root(lab)
    root.done('install', *engines, '--mountpoint', lab.daemon.mnt)
    return root


def programs(lab):
    """A command by which our programs lie where they are installed, in a mount namespace alone."""
    folder = f'{lab.folder}/usr'
    for name in ('lxcfs-clone-hook', 'lxcfs-clone-runtime'):
        os.makedirs(f'{folder}/bin', exist_ok=True)
        shutil.copy(program(lab, name), f'{folder}/bin')
    path = f'{lab.folder}/{LXC_PROGRAM}'
    os.makedirs(os.path.dirname(path))
    shutil.copy(f'{SOURCE}/hooks/lxc-mount.sh', path)
    os.chmod(path, 0o755)
    return f'mount -t overlay none -o lowerdir={folder}:/usr /usr'


def hidden():
    """A command for crun, which will not have a v2 tree beside v1 ones."""
    return f'mount -t tmpfs none {host.V2}' if host.KIND == 'v1' and host.V2 else ':'


def check_box(engine, what, *flags, **options):
    box = engine.start('-m', str(LIMIT), '--cpus', '1', *flags, **options)
    bound = sorted(point for point, *_ in ours(engine.daemon.mnt, engine.pid(box)))
    equal(bound, whole_tree(engine.daemon.mnt), f'{what}: files bound')
    check_view(lambda *argv: engine.exec(box, *argv), LIMIT, what)
    engine.remove(box)


@needs(tools='podman runc crun busybox', timeout=120)
def test_podman(lab):
    """Its folder of hooks, and a device of CDI."""
    root, setup = installed(lab, 'podman', 'cdi'), programs(lab)
    podman = Podman(lab, lab.daemon)
    shutil.copy(f'{root.path}/{HOOKS}', f'{podman.folder}/hooks.d')
    script = f'{setup} && cp {root.path}/{CDI} /run/cdi'
    status, _out, err = lab.execute('nsenter', f'--mount=/proc/{podman.holder.pid}/ns/mnt', 'sh', '-ec', script)
    equal(status, 0, err)
    check_box(podman, 'podman', hooks='hooks.d')
    check_box(podman, 'CDI', '--device', 'lxcfs-clone.dev/proc=all')
    if host.GUEST:  # which takes its time
        return
    check_box(podman, 'podman, crun', hooks='hooks.d', runtime='crun')
    box = podman.start('--device', 'lxcfs-clone.dev/proc=meminfo', '--device', 'lxcfs-clone.dev/proc=cpu')
    bound = sorted(point for point, *_ in ours(lab.daemon.mnt, podman.pid(box)))
    equal(bound, ['/proc/meminfo', '/sys/devices/system/cpu'], 'files of two devices')


def who_made(docker, box):
    """The runtime, by the file where it keeps a container's state."""
    names = {'state.json': 'runc', 'status': 'crun'}
    for folder, _, files in os.walk(f'{docker.lab.folder}/docker/exec'):
        for name in files:
            if box in folder and 'runtime-' in folder and name in names:
                return names[name]
    raise Failure(f'no runtime has a state of {box}')


@needs(tools='dockerd docker runc crun busybox', timeout=120)
def test_docker(lab):
    """install docker --default and a reload: every container that is started from then on."""
    root = Root(lab)
    root.write(DOCKER, '{\n  "storage-driver": "vfs"\n}\n')
    setup = f'{programs(lab)} && {hidden()}'
    docker = Docker(lab, lab.daemon, '--config-file', f'{root.path}/{DOCKER}', setup=setup)
    box = docker.start('-m', str(LIMIT), binds=False)
    equal(ours(lab.daemon.mnt, docker.pid(box)), [], 'files bound before')
    root.done('install', 'docker', '--default', '--mountpoint', lab.daemon.mnt)
    docker.process.send_signal(signal.SIGHUP)
    runtime = ('info', '--format', '{{.DefaultRuntime}}')
    eventually(lambda: docker.do(*runtime).strip() == 'lxcfs-clone', 'dockerd has read it')
    box = docker.start(binds=False)
    equal(who_made(docker, box), 'runc', 'who makes containers, as before')
    docker.remove(box)
    check_box(docker, 'docker', binds=False)
    if not host.GUEST:
        check_box(docker, 'docker, read-only', '--read-only', binds=False)
    holds(root.done('uninstall'), 'systemctl restart docker', 'what is to be done')
    equal(root.read(DOCKER), '{\n  "storage-driver": "vfs"\n}\n', 'daemon.json')


LXC_CONFIG = '''lxc.include = {include}
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


class Lxc:
    """One container, with everything of its own."""

    def __init__(self, lab, include, setup):
        self.lab, self.folder, self.daemon = lab, f'{lab.folder}/lxc', lab.daemon
        small_root(lab, f'{self.folder}/root')
        self.config = f'{self.folder}/config'
        self.setup = setup
        keys = ('lxc.cgroup2.memory.max', 'lxc.cgroup2.cpu.max', '100000 100000')
        if host.KIND == 'v1':
            keys = ('lxc.cgroup.memory.limit_in_bytes', 'lxc.cgroup.cpu.cfs_quota_us', '100000')
        group = lab.cgroup('lxc')
        # LXC makes groups in it, and leaves it to the kernel what their CPUs are.
        if 'cpuset' in group.folders:
            host.write(f'{group.folders["cpuset"]}/cgroup.clone_children', 1)
        limits = f'{keys[0]} = {LIMIT}\n{keys[1]} = {keys[2]}'
        text = LXC_CONFIG.format(
            include=include, root=f'{self.folder}/root', cgroup=f'{group.path}/box', limits=limits
        )
        host.write_new(self.config, text)
        self.name = f'{lab.run.name}-{lab.name}'.replace('.', '-')

    def tool(self, word, *argv):
        return (f'lxc-{word}', '-P', self.folder, '-n', self.name, *argv)

    def do(self, *argv):
        status, out, err = self.lab.execute(*argv)
        if status:
            log = f'{self.folder}/log'
            raise Failure(f'{argv[0]}: {err} {host.read(log) if os.path.exists(log) else ""}')
        return out

    def start(self):
        self.lab.later(self.stop)
        argv = self.tool('start', '-f', self.config, '-d', '-o', f'{self.folder}/log', '-l', 'INFO')
        self.do('unshare', '-m', 'sh', '-ec', f'{self.setup} && exec "$@"', 'sh', *argv)

    def pid(self):
        return int(self.do(*self.tool('info', '-p', '-H')))

    def exec(self, *argv):
        return self.do(*self.tool('attach', '--clear-env', '--', *argv))

    def stop(self):
        self.lab.execute(*self.tool('stop', '-k'))


@needs(tools='lxc-start lxc-attach busybox', timeout=120)
def test_lxc(lab):
    """Its mount hook, as the distribution's configuration includes it; without a daemon it starts, too."""
    root, setup = installed(lab, 'lxc'), programs(lab)
    box = Lxc(lab, f'{root.path}/{LXC}', setup)
    box.start()
    bound = sorted(point for point, *_ in ours(lab.daemon.mnt, box.pid()))
    equal(bound, whole_tree(lab.daemon.mnt), 'files bound')
    check_view(box.exec, LIMIT, 'LXC')
    box.stop()
    dev = os.path.join(box.folder, 'root', 'dev')
    shutil.rmtree(dev)
    os.mkdir(dev)
    os.chown(dev, 100000, 100000)
    with open(box.config, 'a', encoding='ascii') as file:
        file.write('lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n')
    box.start()
    bound = sorted(point for point, *_ in ours(lab.daemon.mnt, box.pid()))
    equal(bound, whole_tree(lab.daemon.mnt), 'files bound in a user namespace')
    check_view(box.exec, LIMIT, 'LXC, user namespace')
    box.stop()
    root.done('uninstall')
    root.done('install', 'lxc', '--mountpoint', f'{lab.folder}/nowhere')
    box.start()
    equal(ours(lab.daemon.mnt, box.pid()), [], 'files bound without a daemon')
    holds(box.exec('/bin/cat', '/proc/meminfo'), 'MemTotal', 'meminfo')


HOOKED = """mount -t proc none {root}/proc
mount -t sysfs none {root}/sys
LXC_NAME=box LXC_ROOTFS_MOUNT={root} LXCFS_CLONE={mnt} {hook}
grep -c ' {root}/.* - fuse.lxcfs-clone ' /proc/self/mountinfo || true
"""


def test_lxc_hook_with_a_daemon_that_is_none(lab):
    """One that is dead, or stands still: one sentence, no file is bound, and the container may start."""
    daemon, root = lab.start_daemon(), f'{lab.folder}/box'
    for name in ('proc', 'sys'):
        os.makedirs(f'{root}/{name}')
    script = HOOKED.format(root=root, mnt=daemon.mnt, hook=f'sh {SOURCE}/hooks/lxc-mount.sh')
    hook = ('unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', script)
    equal(lab.execute(*hook), (0, f'{len(whole_tree(daemon.mnt))}\n', ''), 'with one that serves')
    processes = list(daemon.processes())
    try:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        still = lab.execute(*hook)
    finally:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    wanted = f'lxcfs-clone: who serves {daemon.mnt} does not answer: box starts without\n'
    equal(still, (0, '0\n', wanted), 'with one that stands still')
    equal(lab.execute(*hook)[1:], (f'{len(whole_tree(daemon.mnt))}\n', ''), 'with one that goes on')
    # What was looked at is remembered by the kernel, and looks alive.
    os.listdir(f'{daemon.mnt}/proc')
    daemon.kill_everything()
    wanted = f'lxcfs-clone: nothing is served at {daemon.mnt}: box starts without\n'
    equal(lab.execute(*hook), (0, '0\n', wanted), 'with one that is dead')


LXD = """mount -t tmpfs none /var/lib
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
    """One lxd, on a machine that has the test's daemon at /var/lib/lxcfs."""

    def __init__(self, lab):
        self.lab, self.folder = lab, f'{lab.folder}/lxd'
        self.group = lab.cgroup('lxd-boxes')
        os.mkdir(self.folder)
        self.env = dict(os.environ, LXD_DIR=self.folder, HOME=lab.folder)
        script = LXD.format(mnt=lab.daemon.mnt, hidden=hidden())
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

    def close(self):
        self.call('delete', '-f', 'box')
        self.process.terminate()
        self.process.wait(20 * host.SCALE)


@needs('host', tools='lxd lxc busybox', timeout=120)
def test_lxd(lab):
    """What is served at /var/lib/lxcfs LXD takes by itself."""
    lxd = Lxd(lab)
    lxd.do('init', 'small', 'box', '-c', 'security.privileged=true', '-c', f'limits.memory={LIMIT}B',
           '-c', 'limits.cpu.allowance=100ms/100ms', '-c', f'raw.lxc=lxc.cgroup.dir = {lxd.group.path}/box')
    if 'cpuset' in lxd.group.folders:
        host.write(f'{lxd.group.folders["cpuset"]}/cgroup.clone_children', 1)
    lxd.do('start', 'box')
    check_view(lambda *argv: lxd.do('exec', 'box', '--', *argv), LIMIT, 'LXD')
    mounts = lxd.do('exec', 'box', '--', '/bin/cat', '/proc/mounts')
    bound = {line.split()[1] for line in mounts.splitlines() if 'fuse.lxcfs-clone' in line}
    ok({path for path in whole_tree(lab.daemon.mnt) if path.startswith('/proc')} <= bound, f'files: {bound}')


@needs(tools='dockerd docker runc busybox', timeout=120)
def test_check_asks_dockerd(lab):
    """One that has not read daemon.json yet is told of."""
    docker = Docker(lab, lab.daemon, '--storage-driver', 'vfs', setup=hidden())
    root = installed(lab, 'docker')
    script = f'''{programs(lab)}
mkdir -p {lab.folder}/etc/docker && cp {root.path}/{DOCKER} {lab.folder}/etc/docker
mount -t overlay none -o lowerdir={lab.folder}/etc:/etc /etc
exec "$@"'''
    argv = ('unshare', '-m', 'sh', '-ec', script, 'sh', f'{lab.run.build}/lxcfs-clonectl', 'check', lab.daemon.mnt)
    env = dict(os.environ, DOCKER_HOST=docker.socket)
    _status, out, err = lab.execute(*argv, env=env)
    holds(out, 'dockerd has not read /etc/docker/daemon.json yet', err)
    holds(out, '-> systemctl reload docker', 'remedy')


@needs('host', tools='dockerd docker runc busybox', timeout=120)
def test_check_asks_a_dockerd_that_has_not_forgotten(lab):
    """A runtime that daemon.json has no more: its containers end with the program."""
    root = installed(lab, 'docker')
    docker = Docker(lab, lab.daemon, '--config-file', f'{root.path}/{DOCKER}', '--storage-driver', 'vfs',
                    setup=hidden())
    env = dict(os.environ, DOCKER_HOST=docker.socket)
    os.makedirs(f'{lab.folder}/etc/docker')
    host.write_new(f'{lab.folder}/etc/docker/daemon.json', '{}')
    script = f'mount -t overlay none -o lowerdir={lab.folder}/etc:/etc /etc && exec "$@"'
    argv = ('unshare', '-m', 'sh', '-ec', script, 'sh', f'{lab.run.build}/lxcfs-clonectl', 'check', lab.daemon.mnt)
    _status, out, err = lab.execute(*argv, env=env)
    holds(out, 'dockerd still has the runtime lxcfs-clone', err)
    holds(out, '-> systemctl restart docker', 'remedy')
