# SPDX-License-Identifier: LGPL-2.1-or-later
"""What lxcfs-clonectl install writes, taken by the engines themselves: their containers see their own."""

import os
import shutil
import signal

from lab import MIB, host, kinds
from lab.bound import ours
from lab.bundle import program
from lab.check import Failure, equal, eventually, holds, needs
from lab.docker import Docker
from lab.oci import hidden
from lab.podman import Podman
from test_hook_engines import docker_kinds
from test_install import CDI, DOCKER, HOOKS, LXC_PROGRAM, Root

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


def check_box(engine, what, *flags, **options):
    kinds.check_box(engine, what, ('-m', str(LIMIT), '--cpus', '1', *flags), LIMIT, **options)


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
    for kind, *flags in () if host.GUEST else docker_kinds():
        check_box(docker, f'docker {flags}', *flags, kind=kind, binds=False)
    holds(root.done('uninstall'), 'systemctl restart docker', 'what is to be done')
    equal(root.read(DOCKER), '{\n  "storage-driver": "vfs"\n}\n', 'daemon.json')


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
