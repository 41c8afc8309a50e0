# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hook by way of real engines: podman's hooks and CDI; docker and containerd by the runtime."""

import json
import os
import subprocess

from lab import MIB, host
from lab.bound import ours
from lab.bundle import RUNTIMES, Bundles, check_view, host_mounts, program, whole_tree
from lab.check import Failure, equal, eventually, needs, ok
from lab.docker import Docker
from lab.oci import small_root
from lab.podman import Podman

LIMIT = 96 * MIB
NOBODY = 65534
LIMITS = ('-m', str(LIMIT), '--cpus', '1')


def bound(daemon, pid):
    return sorted(point for point, *_ in ours(daemon.mnt, pid))


def check_box(engine, what, flags, limits=LIMITS, **options):
    """A container that sees its own, by exec too, and is gone with all that was mounted for it."""
    before = host_mounts(engine.lab)
    box = engine.start(*limits, *flags, **options)
    pid = engine.pid(box)
    equal(bound(engine.daemon, pid), whole_tree(engine.daemon.mnt), f'{what}: files bound')
    check_view(lambda *argv: engine.exec(box, *argv), LIMIT, what)
    engine.remove(box)
    eventually(lambda: not host.is_alive(pid), f'{what}: it ends')
    equal(host_mounts(engine.lab), before, f'{what}: mounts of the host after the end')


def some(*kinds):
    """The guest takes its time: the last of them. The hook itself is tried with each there, too."""
    return kinds[-1:] if host.GUEST else kinds


def every_right():
    """docker gives a privileged container rights that this host's root may not have."""
    bounds = next(line for line in host.read('/proc/self/status').splitlines() if line.startswith('CapBnd'))
    return int(bounds.split()[1], 16) + 1 == 1 << int(host.read('/proc/sys/kernel/cap_last_cap')) + 1


def privileged():
    """As near to it as can be had."""
    less = ('--cap-add', 'SYS_ADMIN', '--security-opt', 'systempaths=unconfined', '--security-opt',
            'seccomp=unconfined')
    return ('--privileged',) if every_right() else less


@needs(tools='podman runc crun busybox', timeout=120)
def test_podman_hooks(lab):
    """A folder of hooks: runc and crun, kinds of containers."""
    podman = Podman(lab, lab.daemon)
    for runtime in RUNTIMES:
        check_box(podman, f'podman, {runtime}', (), runtime=runtime, hooks='hooks.d')
    for flags in some(('--read-only',), ('--privileged',), ('--pid=host',), ('--uidmap', '0:100000:65536')):
        check_box(podman, f'podman {flags[0]}', flags, hooks='hooks.d')
    box = podman.start('--annotation', 'lxcfs-clone=off', hooks='hooks.d')
    equal(bound(lab.daemon, podman.pid(box)), [], 'files bound with the annotation off')


@needs(tools='podman crun busybox', timeout=120)
def test_podman_of_an_ordinary_user(lab):
    """In a user namespace of podman's, without any rights of root's."""
    podman = Podman(lab, lab.daemon, user=NOBODY)
    box = podman.start(hooks='hooks.d', runtime='crun')
    equal(bound(lab.daemon, podman.pid(box)), whole_tree(lab.daemon.mnt), 'files bound')
    podman.remove(box, runtime='crun')


@needs(tools='podman runc crun busybox', timeout=120)
def test_podman_cdi(lab):
    """Devices: all files, or those that are named, also beside a folder of hooks."""
    podman = Podman(lab, lab.daemon)
    every = ('--device', 'lxcfs-clone.dev/proc=all')
    for runtime in some(*RUNTIMES):
        check_box(podman, f'CDI, {runtime}', every, runtime=runtime)
    check_box(podman, 'CDI and hooks', every, hooks='hooks.d')
    two = ('--device', 'lxcfs-clone.dev/proc=meminfo', '--device', 'lxcfs-clone.dev/proc=uptime')
    box = podman.start(*two)
    equal(bound(lab.daemon, podman.pid(box)), ['/proc/meminfo', '/proc/uptime'], 'files of two devices')


@needs(tools='runc crun busybox')
def test_runtime(lab):
    """Before runc and crun: what they say and how they end is theirs; config.json has one hook more."""
    bundles, wrapper = Bundles(lab, lab.daemon), program(lab, 'lxcfs-clone-runtime')
    for runtime in RUNTIMES:
        first = (wrapper, '--runtime', runtime, '--mountpoint', lab.daemon.mnt)
        box = bundles.make(runtime)
        path = f'{box.folder}/config.json'
        before = json.loads(host.read(path))
        box.start(before=first).check(runtime)
        after = json.loads(host.read(path))
        equal([len(hooks) for hooks in after.pop('hooks').values()], [1], 'hooks of a container')
        equal(after, {key: value for key, value in before.items() if key != 'hooks'}, 'all else')
        equal(os.stat(path).st_mode & 0o777, 0o600, 'mode of config.json')
        box.remove()
        text = host.read(path)
        box.start(before=first).check(f'{runtime}, again')
        equal(host.read(path), text, 'config.json of a bundle that had the hook')
        for words in (('--version',), ('state', 'nobody'), ('create', '--bundle', '/none', 'nobody')):
            real = lab.execute(runtime, *words)
            status, out, err = lab.execute(*first, *words)
            equal((status, out), real[:2], f'{runtime} {words[0]}')
            equal('warning: the container sees' in err, words[0] == 'create', f'a warning with {words[0]}: {err}')
    for words, wanted, sentence in (
        (('--runtime', 'no-such', 'state', 'a'), 127, 'no runtime can be found: no-such'),
        (('--runtime', wrapper, 'state', 'a'), 127, f'no runtime can be found: {wrapper}'),
        (('--runtime', '/etc/passwd', 'state', 'a'), 126, '/etc/passwd cannot be executed'),
        (('--files', '/', 'state', 'a'), 2, '--files: '),
        (('--timeout', '0', 'state', 'a'), 2, "--timeout takes seconds, 1 to 300, not '0'"),
        (('--require', '--timeout=301', 'create', 'a'), 2, "--timeout takes seconds, 1 to 300, not '301'"),
        (('--mountpoint', '--files', '--timeout', 'x', 'state', 'a'), 2, "--timeout takes seconds, 1 to 300, not 'x'"),
        (('--require', 'create', '--bundle', '/none', 'a'), 1, '/none/config.json: '),
    ):
        status, out, err = lab.execute(wrapper, *words)
        equal((status, out, err.count('\n')), (wanted, '', 1), f'{words}: {err}')
        ok(err.startswith(f'lxcfs-clone-runtime: {sentence}'), err)
    # Without a word, and without a PATH: crun, if there is one.
    equal(lab.execute(wrapper, '--version', env={})[1], lab.execute('crun', '--version')[1], 'the usual runtime')


def docker_with_runtime(lab, setup=':', **config):
    """A dockerd whose default runtime is ours, before runc: crun will not have every kind of host."""
    ours_first = {'path': program(lab, 'lxcfs-clone-runtime'),
                  'runtimeArgs': ['--runtime', 'runc', '--mountpoint', lab.daemon.mnt]}
    path = f'{lab.folder}/daemon.json'
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(dict(config, runtimes={'lxcfs-clone': ours_first}), file)
    return Docker(lab, lab.daemon, '--config-file', path, '--storage-driver', 'vfs', setup=setup)


@needs(tools='dockerd docker runc busybox', timeout=120)
def test_docker_runtime(lab):
    """By --runtime, kinds of containers; again after a restart. Others are as they were."""
    docker = docker_with_runtime(lab)
    named = ('--runtime', 'lxcfs-clone')
    for flags in some((), ('--read-only',), ('--pid', 'host'), privileged()):
        check_box(docker, f'docker {flags}', (*named, *flags), binds=False)
    box = docker.start(*LIMITS, *named, binds=False)
    docker.do('restart', '-t', '0', box)
    equal(bound(lab.daemon, docker.pid(box)), whole_tree(lab.daemon.mnt), 'files after a restart')
    equal(bound(lab.daemon, docker.pid(docker.start(binds=False))), [], "files in one of runc's own")


@needs('host', tools='dockerd docker runc busybox', timeout=120)
def test_docker_default_runtime(lab):
    """Without a flag, in user namespaces too; --runtime runc goes without."""
    users = f'{lab.folder}/subuid'
    with open(users, 'w', encoding='ascii') as file:
        file.write('daemon:100000:65536\n')
    setup = f'mount --bind {users} /etc/subuid && mount --bind {users} /etc/subgid'
    docker = docker_with_runtime(lab, setup, **{'default-runtime': 'lxcfs-clone', 'userns-remap': 'daemon'})
    check_box(docker, 'docker', (), binds=False)
    equal(bound(lab.daemon, docker.pid(docker.start('--runtime', 'runc', binds=False))), [], "runc's files")


class Containerd:
    """One with everything of its own; its containers have a folder as root."""

    def __init__(self, lab, daemon):
        self.lab, self.daemon = lab, daemon
        self.folder = f'{lab.folder}/containerd'
        self.parent, self.count = lab.cgroup('ctr'), 0
        small_root(lab, f'{self.folder}/image')
        # ctr has no way to give a runtime arguments.
        self.runtime = f'{self.folder}/runtime'
        with open(self.runtime, 'w', encoding='utf-8') as file:
            argv = (program(lab, 'lxcfs-clone-runtime'), '--runtime', 'runc', '--mountpoint', daemon.mnt)
            file.write(f'#!/bin/sh\nexec {" ".join(argv)} "$@"\n')
        os.chmod(self.runtime, 0o755)
        with open(f'{self.folder}/config.toml', 'w', encoding='utf-8') as file:
            file.write('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        self.socket = f'{self.folder}/sock'
        argv = ['unshare', '-n', 'containerd', '-c', f'{self.folder}/config.toml', '-a', self.socket,
                '--root', f'{self.folder}/root', '--state', f'{self.folder}/state']
        with open(f'{self.folder}/log', 'wb') as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=lab.cgroup('containerd').join)
        lab.later(self.close)
        eventually(lambda: lab.execute('ctr', '-a', self.socket, 'version')[0] == 0, 'containerd answers', 30)

    def do(self, *argv):
        status, out, err = self.lab.execute('ctr', '-a', self.socket, *argv)
        if status:
            raise Failure(f'ctr {argv[:2]}: {err.strip()} {host.read(f"{self.folder}/log")[-600:]}')
        return out

    def start(self, *flags):
        self.count += 1
        name = f'task{self.count}'
        self.do('run', '-d', '--null-io', '--runc-binary', self.runtime, '--cgroup', f'/{self.parent.path}/{name}',
                *flags, '--rootfs', f'{self.folder}/image', name, '/bin/sleep', '1000')
        return name

    def pid(self, name):
        rows = [line.split() for line in self.do('tasks', 'ls').splitlines()]
        return next(int(pid) for task, pid, *_ in rows if task == name)

    def exec(self, name, *argv):
        return self.do('tasks', 'exec', '--exec-id', f'x{os.urandom(4).hex()}', name, *argv)

    def remove(self, name):
        self.do('tasks', 'delete', '-f', name)
        self.do('containers', 'delete', name)

    def close(self):
        for name in self.lab.execute('ctr', '-a', self.socket, 'tasks', 'ls', '-q')[1].split():
            self.lab.execute('ctr', '-a', self.socket, 'tasks', 'delete', '-f', name)
        self.process.terminate()
        self.process.wait(20 * host.SCALE)


@needs('host', tools='containerd ctr runc busybox', timeout=120)
def test_containerd_runtime(lab):
    """ctr run with our runtime, kinds of containers."""
    containerd = Containerd(lab, lab.daemon)
    limits = ('--memory-limit', str(LIMIT), '--cpus', '1')
    for flags in ((), ('--read-only',), ('--privileged',)) if every_right() else ((), ('--read-only',)):
        check_box(containerd, f'containerd {flags}', flags, limits=limits)
