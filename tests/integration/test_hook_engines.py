# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hook by way of real engines: podman's hooks and CDI; docker and containerd by the runtime."""

import json
import os

from lab import MIB, host, kinds
from lab.bound import ours
from lab.bundle import RUNTIMES, Bundles, program, whole_tree
from lab.check import equal, holds, needs, ok
from lab.containerd import Containerd
from lab.docker import Docker
from lab.podman import Podman

LIMIT = 96 * MIB
NOBODY = 65534
LIMITS = ('-m', str(LIMIT), '--cpus', '1')


def bound(daemon, pid):
    return sorted(point for point, *_ in ours(daemon.mnt, pid))


def check_box(engine, what, flags, limits=LIMITS, **options):
    kinds.check_box(engine, what, (*limits, *flags), LIMIT, **options)


def some(*every):
    """The guest takes its time: the last of them. The hook itself is tried with each there, too."""
    return every[-1:] if host.GUEST else every


def every_right():
    """docker gives a privileged container rights that this host's root may not have."""
    bounds = next(line for line in host.read('/proc/self/status').splitlines() if line.startswith('CapBnd'))
    return int(bounds.split()[1], 16) + 1 == 1 << int(host.read('/proc/sys/kernel/cap_last_cap')) + 1


def privileged():
    """As near to it as can be had."""
    less = ('--cap-add', 'SYS_ADMIN', '--security-opt', 'systempaths=unconfined', '--security-opt',
            'seccomp=unconfined')
    return ('--privileged',) if every_right() else less


def docker_kinds():
    """A user namespace is a matter of dockerd's own configuration."""
    return (
        (kinds.is_read_only, '--read-only'),
        (kinds.has_host_pids, '--pid', 'host'),
        (kinds.is_privileged if every_right() else None, *privileged()),
    )


PODMAN_KINDS = (
    (kinds.is_read_only, '--read-only'),
    (kinds.is_privileged, '--privileged'),
    (kinds.has_host_pids, '--pid=host'),
    (kinds.has_users, '--uidmap', f'0:{kinds.USER}:65536'),
)


@needs(tools='podman runc crun busybox', timeout=120)
def test_podman_hooks(lab):
    """A folder of hooks: runc and crun, kinds of containers."""
    podman = Podman(lab, lab.daemon)
    for runtime in RUNTIMES:
        check_box(podman, f'podman, {runtime}', (), runtime=runtime, hooks='hooks.d')
    for kind, *flags in some(*PODMAN_KINDS):
        check_box(podman, f'podman {flags[0]}', flags, kind=kind, hooks='hooks.d')
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
    for kind, *flags in () if host.GUEST else PODMAN_KINDS:
        check_box(podman, f'CDI {flags[0]}', (*every, *flags), kind=kind)
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
        (('--require', 'run', '--new', 'value', 'a'), 1, "which bundle the runtime's words name is not clear"),
        (('--require', 'create', '--bundle', '/none', 'a'), 1, '/none/config.json: '),
    ):
        status, out, err = lab.execute(wrapper, *words)
        equal((status, out, err.count('\n')), (wanted, '', 1), f'{words}: {err}')
        ok(err.startswith(f'lxcfs-clone-runtime: {sentence}'), err)
    # Without a word, and without a PATH. crun will not have a host with v1 and v2.
    usual = 'crun' if host.KIND == 'v2' else 'runc'
    equal(lab.execute(wrapper, '--version', env={})[1], lab.execute(usual, '--version')[1], 'the usual runtime')


WAYS = {
    'runc': ('run -bundle {}', '-- run --bundle {}', 'run -b={}'),
    'crun': ('run -db {}', 'run --bun {}', 'run --bundl={}', '--cgroup cgroupfs -- run -b{}'),
}


@needs(tools='runc crun busybox')
def test_runtime_words(lab):
    """The bundle as each runtime understands its words; no other config.json is touched, and none missed."""
    bundles, wrapper = Bundles(lab, lab.daemon), program(lab, 'lxcfs-clone-runtime')
    for runtime, ways in WAYS.items():
        for way in ways:
            box = bundles.make(runtime)
            box.lab.later(box.remove)
            other = bundles.make(runtime)
            words = way.format(box.folder).split()
            first = ('sh', '-c', 'cd "$0" && exec "$@"', other.folder, wrapper, '--runtime', runtime,
                     '--mountpoint', lab.daemon.mnt, '--require')
            text = host.read(f'{other.folder}/config.json')
            status, said = box.call(*words, '--detach', '--pid-file', f'{box.folder}/pid', box.name, before=first)
            equal(host.read(f'{other.folder}/config.json'), text, f'another config.json, {runtime} {words}')
            if '-b=' in way:  # a folder by the name of '=...' to crun
                equal((status, 'is not clear' in said), (1, True), said)
                continue
            equal(status, 0, f'{runtime} {words}: {said}')
            box.check(f'{runtime} {words}')
            box.remove()


@needs(tools='runc busybox')
def test_runtime_keeps_hooks(lab):
    """Keys that runc takes for those of hooks are not put beside others: what is there is run, or nothing is."""
    bundles = Bundles(lab, lab.daemon)
    first = (program(lab, 'lxcfs-clone-runtime'), '--runtime', 'runc', '--mountpoint', lab.daemon.mnt)
    mark = f'{lab.folder}/mark'
    hook = [{'path': '/bin/sh', 'args': ['sh', '-c', f'echo ran >{mark}']}]

    def has(hooks):
        def change(spec):
            del spec['hooks']
            spec.update(hooks)
        return change

    for hooks in ({'Hooks': {'createRuntime': hook}}, {'hooks': {'CreateRuntime': hook}},
                  {'hoo\u212as': {'createRuntime': hook}}, {'hooks': {}, 'HOOKS': {'createRuntime': hook}}):
        box = bundles.make('runc', has(hooks))
        status, said = box.try_start(before=(*first, '--require'))
        equal((status, 'which some take for' in said), (1, True), f'{hooks}: {said}')
        box.start(before=first)
        holds(box.said, 'warning: the container sees', f'{hooks}')
        equal((host.read(mark), box.bound()), ('ran\n', []), f'{hooks}: the hook that was there')
        os.unlink(mark)
        box.remove()
    late = {'hooks': {'createRuntime': hook, 'poststart': [{'path': '/bin/true', 'args': ['lxcfs-clone-hook']}]}}
    os.symlink('/bin/true', f'{lab.folder}/lxcfs-clone-hook')
    late['hooks']['poststart'][0]['path'] = f'{lab.folder}/lxcfs-clone-hook'
    bundles.make('runc', has(late)).start(before=(*first, '--require')).check('one of our name in poststart')
    equal(host.read(mark), 'ran\n', 'the hook that was there')


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
    for kind, *flags in some((None,), *docker_kinds()):
        check_box(docker, f'docker {flags}', (*named, *flags), kind=kind, binds=False)
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
    check_box(docker, 'docker', (), kind=kinds.has_users, binds=False)
    equal(bound(lab.daemon, docker.pid(docker.start('--runtime', 'runc', binds=False))), [], "runc's files")


@needs('host', tools='containerd ctr runc busybox', timeout=120)
def test_containerd_runtime(lab):
    """ctr run with our runtime, kinds of containers."""
    containerd = Containerd(lab, lab.daemon)
    limits = ('--memory-limit', str(LIMIT), '--cpus', '1')
    users = f'0:{kinds.USER}:65536'
    for kind, *flags in (
        (None,),
        (kinds.is_read_only, '--read-only'),
        (kinds.is_privileged, '--privileged'),
        (kinds.has_host_pids, '--with-ns', f'pid:/proc/{os.getpid()}/ns/pid'),
        (kinds.has_users, '--uidmap', users, '--gidmap', users),
    ):
        image = kind == kinds.has_users  # whose files are to be given to the users
        check_box(containerd, f'containerd {flags[:1]}', flags, limits, kind=kind, image=image)
