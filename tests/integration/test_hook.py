# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-hook in real containers: each stage of runc and crun, each kind of container."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

from lab import MIB, host
from lab.bound import again, ctl, ours, repair_is_over
from lab.bundle import (
    LIMIT,
    RUNTIMES,
    STAGES,
    Bundles,
    check_view,
    host_mounts,
    nothing_is_left,
    program,
    whole_tree,
)
from lab.check import between, equal, eventually, holds, needs, ok

USER = 1000


def call(lab, *argv, stdin='', **options):
    """(status, what it says) of the hook itself."""
    done = subprocess.run([program(lab), *argv], input=stdin, capture_output=True, text=True,
                          timeout=20 * host.SCALE, check=False, **options)
    equal(done.stdout, '', 'standard output')
    return done.returncode, done.stderr


@needs(tools='runc crun busybox', timeout=120)
def test_each_stage(lab):
    """All files, the container's values, exec too, in each stage of runc and crun; nothing is left."""
    bundles = Bundles(lab, lab.daemon)
    for runtime in RUNTIMES:
        for stage in STAGES:
            before = host_mounts(lab)
            box = bundles.start(runtime, **{stage: bundles.hook('--require')})
            box.check(f'{runtime}, {stage}')
            nothing_is_left(box, before)


def writable(spec):
    spec['root']['readonly'] = False


def with_user_namespace(spec):
    spec['linux']['namespaces'].append({'type': 'user'})
    for kind in ('uidMappings', 'gidMappings'):
        spec['linux'][kind] = [{'containerID': 0, 'hostID': 100000, 'size': 65536}]


def privileged(spec):
    every = [f'CAP_{name}' for name in ('SYS_ADMIN', 'SYS_PTRACE', 'SYS_CHROOT', 'MKNOD', 'SETUID', 'SETGID')]
    spec['process']['capabilities'] = {k: every for k in ('bounding', 'effective', 'permitted')}
    spec['linux'].update(maskedPaths=[], readonlyPaths=[])
    spec['mounts'][1]['options'] = ['nosuid']


def of_the_hosts_pids(spec):
    spec['linux']['namespaces'] = [n for n in spec['linux']['namespaces'] if n['type'] != 'pid']


def with_cgroup_namespace(spec):
    spec['linux']['namespaces'].append({'type': 'cgroup'})


# Inside, it matters whose user and whose pids one has.
KINDS = {
    writable: ('createRuntime',),
    with_user_namespace: ('createRuntime', 'createContainer'),
    privileged: ('createRuntime',),
    of_the_hosts_pids: ('createRuntime', 'createContainer'),
    with_cgroup_namespace: ('createRuntime',),
}


@needs(tools='runc crun busybox', timeout=120)
def test_each_kind_of_container(lab):
    """A root that can be written, a user namespace, privileged, the host's pids; before and inside."""
    bundles = Bundles(lab, lab.daemon)
    os.chmod(lab.folder, 0o755)
    cases = [(runtime, kind, stage) for kind, stages in KINDS.items() for stage in stages for runtime in RUNTIMES]
    # The guest takes its time: each with one of them, in turns.
    for runtime, kind, stage in [c for n, c in enumerate(cases) if n // 2 % 2 == n % 2] if host.GUEST else cases:
        before = host_mounts(lab)
        box = bundles.start(runtime, kind, **{stage: bundles.hook('--require')})
        box.check(f'{runtime}, {stage}, {kind.__name__}')
        nothing_is_left(box, before)


@needs(tools='runc busybox')
def test_some_files_or_none(lab):
    """--files, and the annotations, which go before; of a file that is not served a warning."""
    bundles = Bundles(lab, lab.daemon)

    def annotated(**values):
        return lambda spec: spec['annotations'].update(
            {key.replace('__', '-').replace('_', '/'): value for key, value in values.items()}
        )

    wanted = bundles.hook('--files', 'meminfo,sys/devices/system/cpu')
    cases = (
        ('createRuntime', None, ['/proc/meminfo', '/sys/devices/system/cpu']),
        ('createContainer', annotated(lxcfs__clone_files='uptime, stat'), ['/proc/stat', '/proc/uptime']),
        ('poststart', annotated(lxcfs__clone='off'), []),
        ('createContainer', annotated(lxcfs__clone='off'), []),
        ('poststart', annotated(lxcfs__clone='on', lxcfs__clone_files='uptime,of-tomorrow'), ['/proc/uptime']),
    )
    for stage, change, files in cases:
        box = bundles.start('runc', change, **{stage: wanted})
        equal(box.bound(), files, f'files bound by {stage}')
        box.remove()
    unknown = bundles.make('runc', createRuntime=bundles.hook('--files', 'of-tomorrow')).start()
    equal(unknown.bound(), [], 'files bound of none that is served')
    status, said = bundles.make('runc', createRuntime=bundles.hook('--require', '--files', 'of-tomorrow')).try_start()
    equal((status, 'nothing is covered' in said), (1, True), said)
    for bad in ({'lxcfs__clone': 'maybe'}, {'lxcfs__clone_files': '../../etc'}):
        status, said = bundles.make('runc', annotated(**bad), createRuntime=wanted).try_start()
        ok(status, f'a container with {bad} starts')
        holds(said, 'lxcfs-clone-hook: the state on standard input: its annotation', 'what is said')


@needs(tools='runc busybox')
def test_twice(lab):
    """Two hooks, or one in two stages, bind each file once."""
    bundles = Bundles(lab, lab.daemon)
    hooks = {stage: bundles.hook('--require') for stage in STAGES}
    hooks['prestart'] = bundles.hook('--files', 'meminfo')
    bundles.start('runc', **hooks).check('four hooks')


def test_the_systems_log(lab):
    """Engines keep to themselves what a hook warns of."""
    box, nobody = lab.container(binds=[]), f'{lab.folder}/nobody'
    state = {'ociVersion': '1.0.2', 'id': 'a', 'status': 'created', 'pid': box.pid, 'bundle': lab.folder}
    script = f'mount -t tmpfs none /dev; ln -s {lab.folder}/log /dev/log; exec "$@"'
    host.write_new(f'{lab.folder}/config.json', '{"root": {"path": "/"}}')
    argv = ['unshare', '-m', 'sh', '-ec', script, 'sh', program(lab), '--mountpoint', nobody]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.settimeout(5 * host.SCALE)
        log.bind(f'{lab.folder}/log')
        done = subprocess.run(argv, input=json.dumps(state), stderr=subprocess.PIPE, text=True, check=False)
        equal(done.returncode, 0, f'status: {done.stderr}')
        said = f'no lxcfs-clone at {nobody}: No such file'
        holds(done.stderr, f'lxcfs-clone-hook: warning: {said}', 'stderr')
        holds(log.recv(1000).decode(), f'<28>lxcfs-clone-hook: {said}', 'the log')


@needs(tools='runc busybox')
def test_nothing_is_served(lab):
    """No daemon, a dead one, one that stands still: a warning and no files, with --require a failure."""
    daemon = lab.start_daemon()
    bundles = Bundles(lab, daemon)

    def check(what, sentence, *options):
        before = host_mounts(lab)
        began = time.monotonic()
        box = bundles.start('runc', createRuntime=bundles.hook(*options))
        between(time.monotonic() - began, 0, 5 * host.SCALE, f'{what}: seconds')
        equal(box.bound(), [], what)
        box.remove()
        status, said = bundles.make('runc', createRuntime=bundles.hook('--require', *options)).try_start()
        ok(status, f'{what}: it starts with --require')
        holds(said, sentence, what)
        equal(host_mounts(lab), before, 'mounts afterwards')

    everyone = (daemon.keeper(), daemon.worker())
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    try:
        check('one that stands still', 'does not answer within 1 s', '--timeout', '1')
    finally:
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
    daemon.kill_everything()
    sentence = f'no lxcfs-clone at {daemon.mnt}: Transport endpoint is not connected'
    check('a dead one', sentence)
    host.umount(daemon.mnt)
    check('none', f'no lxcfs-clone runs at {daemon.mnt}')
    state = {'ociVersion': '1.0', 'id': 'a', 'status': 'running', 'pid': os.getpid(), 'bundle': '/'}
    holds(call(lab, '--mountpoint', daemon.mnt, stdin=json.dumps(state))[1], '/config.json: ', 'pid of ours')


def hostile_states():
    """What no runtime would say."""
    good = {'ociVersion': '1.0', 'id': 'a', 'status': 'created', 'pid': 1 << 22, 'bundle': '/none'}
    yield from ('', ' ', '[]', 'null', '{', '\0', '{}', '[' * 100000, '{"a":' * 100000, '\xff', 'x' * (2 << 20))
    for key in good:
        for value in (None, 0, -1, 1.5, 1 << 63, '', '\n', [], {}, 'x' * 5000, '/../..', '\0'):
            yield json.dumps(dict(good, **{key: value}))
        yield json.dumps({k: v for k, v in good.items() if k != key})
    for pid in (2, os.getpid()):
        for bundle in ('/proc/self/fd', '/dev', '/dev/stdin', '/etc/passwd'):
            yield json.dumps(dict(good, pid=pid, bundle=bundle))
    for annotations in ({'lxcfs-clone': 1}, {'lxcfs-clone/files': '/'}, {'lxcfs-clone/files': 'a,' * 100}, 'x'):
        yield json.dumps(dict(good, annotations=annotations))


def test_hostile_states(lab):
    """Each is refused with one sentence, and nothing is mounted."""
    mnt = lab.daemon.mnt
    before = host_mounts(lab)
    for text in list(hostile_states())[:: 4 if host.GUEST else 1]:
        status, said = call(lab, '--mountpoint', mnt, stdin=text, errors='surrogateescape')
        equal(status, 1, f'status of {text[:80]!r}')
        ok(said.startswith('lxcfs-clone-hook: ') and said.count('\n') == 1, f'of {text[:80]!r} it says {said!r}')
    equal(host_mounts(lab), before, 'mounts of the host')


def test_command_line(lab):
    """What is no command line is said in one sentence, status 2."""
    for argv in (['--files'], ['--files', '/'], ['--x'], ['detach'], ['attach'], ['attach', '0'],
                 ['attach', '1', '2'], ['attach', 'x'], ['--timeout', '0'], ['--timeout', '301'], ['attach', '99999999'], ['--mountpoint']):
        status, said = call(lab, *argv)
        equal((status, said.count('\n')), (2, 1), f'{argv}: {said!r}')


def files_of(daemon, box):
    """A container that was made by hand has the host's mounts, too."""
    return sorted(point for point, *_ in ours(daemon.mnt, box.pid) if point != daemon.mnt)


def shared_everywhere():
    """As systemd has it in a container."""
    host.mount(None, '/', None, host.MS_REC | host.MS_SHARED)


def tmpfs_over(path):
    host.mount('tmpfs', path, 'tmpfs')


def files_at(folder, names):
    host.mount('tmpfs', folder, 'tmpfs')
    for name in names:
        host.write_new(f'{folder}/{name}', 'its own\n')


def links_at(folder, target, names):
    host.mount('tmpfs', folder, 'tmpfs')
    for name in names:
        os.symlink(f'{target}/{name}', f'{folder}/{name}')


@needs()
def test_attach(lab):
    """Into containers that run; a second time changes nothing."""
    for user in (False, True):
        box = lab.container(memory=LIMIT, cpus=1, binds=[], user=user)
        for _ in range(2):
            equal(call(lab, 'attach', '--mountpoint', lab.daemon.mnt, str(box.pid)), (0, ''), 'attach')
            equal(files_of(lab.daemon, box), whole_tree(lab.daemon.mnt), 'files')
        check_view(box.output)
    box = lab.container(memory=LIMIT, cpus=1, binds=[])
    box.call(shared_everywhere)
    equal(call(lab, 'attach', '--mountpoint', lab.daemon.mnt, str(box.pid)), (0, ''), 'shared within')
    check_view(box.output)


@needs()
def test_attach_where_it_cannot_be(lab):
    """No process, no namespace of its own, no daemon: a sentence, and status 1."""
    mnt, gone = lab.daemon.mnt, subprocess.Popen(['true'])
    gone.wait()
    box, bare = lab.container(binds=[]), lab.container(binds=[])
    for path in ('/proc', '/sys'):
        bare.call(tmpfs_over, path)
    for pid, where, sentence in (
        (gone.pid, mnt, f'process {gone.pid} cannot be found'),
        (os.getpid(), mnt, 'has no mount namespace of its own'),
        (box.pid, lab.folder, f'no lxcfs-clone runs at {lab.folder}'),
        (bare.pid, mnt, f'nothing is covered: the container has none of the files of the lxcfs-clone at {mnt}'),
    ):
        status, said = call(lab, 'attach', '--mountpoint', where, str(pid))
        equal((status, said.count('\n')), (1, 1), said)
        holds(said, sentence, 'what it says')


@needs()
def test_what_a_container_has_made_of_itself(lab):
    """Files of its own stay; links lead nowhere out; the host's mounts are not touched."""
    mnt, before = lab.daemon.mnt, host_mounts(lab)
    names = os.listdir(f'{mnt}/proc')
    for function, args, left in (
        (files_at, ('/proc', names), '/sys'),
        (links_at, ('/proc', '/etc', names), '/sys'),
        (links_at, ('/proc', '/sys/devices/system/cpu', names), '/sys'),
        (tmpfs_over, ('/sys/devices/system',), '/proc'),
        (tmpfs_over, ('/sys',), '/proc'),
    ):
        box = lab.container(binds=[])
        box.call(function, *args)
        status, said = call(lab, 'attach', '--mountpoint', mnt, str(box.pid))
        warned = 'warning: nothing in its /proc is covered: ' in said
        equal((status, warned, said.count('\n')), (0, left == '/sys', left == '/sys'), f'{function.__name__}: {said}')
        there = files_of(lab.daemon, box)
        equal(there, [p for p in whole_tree(mnt) if p.startswith(left + '/')], f'{function.__name__}{args[:2]}')
    equal(host_mounts(lab), before, 'mounts of the host')


def of_an_ordinary_user(spec):
    spec['linux']['namespaces'].append({'type': 'user'})
    for kind in ('uidMappings', 'gidMappings'):
        spec['linux'][kind] = [{'containerID': 0, 'hostID': USER, 'size': 1}]
    del spec['linux']['cgroupsPath'], spec['linux']['resources']


@needs(tools='runc busybox setpriv')
def test_of_an_ordinary_user(lab):
    """Without any rights of root's: by those of the owner of the user namespace, or from inside."""
    bundles = Bundles(lab, lab.daemon)
    bundles.hook_program = shutil.copy(program(lab), lab.folder)
    for stage in ('prestart', 'createRuntime', 'createContainer'):
        box = bundles.make('runc', of_an_ordinary_user, **{stage: bundles.hook('--require')})
        box.state = f'{box.folder}/state'
        for path in (box.folder, f'{box.folder}/config.json'):
            os.chown(path, USER, USER)
        user = ('setpriv', f'--reuid={USER}', f'--regid={USER}', '--clear-groups', 'runc', '--rootless=true')
        box.start(before=user)
        equal(box.bound(), whole_tree(lab.daemon.mnt), f'files bound by {stage}')
        box.remove()


@needs(tools='pgrep')
def test_a_container_that_hangs(lab):
    """Its /proc is a file system that does not answer: it is given up, and nobody is left waiting."""
    other, mnt = lab.start_daemon(), lab.daemon.mnt
    first, box = lab.container(daemon=other, binds=[]), lab.container(binds=[])
    box.call(host.mount, f'{other.mnt}/containers/{first.pid}/proc', '/proc', None, host.MS_BIND)
    everyone = (other.keeper(), other.worker())
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(1.5)  # what the kernel knows of names there is forgotten
        status, said = call(lab, 'attach', '--timeout', '1', '--mountpoint', mnt, str(box.pid))
        equal((status, said.count('\n')), (1, 1), said)
        holds(said, 'or the container, does not answer within 1 s', 'what it says')
        eventually(lambda: not lab.execute('pgrep', '-f', f'attach.*{mnt}')[1], 'none of its processes is left')
    finally:
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
    equal(files_of(lab.daemon, box), [], 'files bound')


@needs(tools='runc busybox')
def test_all_dies_and_comes_back(lab):
    """What the hook has bound is repaired, and taken away, like all else."""
    daemon = lab.start_daemon()
    bundles = Bundles(lab, daemon)
    box = bundles.start('runc', with_user_namespace, createRuntime=bundles.hook('--require'))
    daemon = again(lab, daemon)
    repair_is_over(daemon)
    # Before Linux 6.5 a live one lies on each dead one.
    equal(sorted(set(box.bound())), whole_tree(daemon.mnt), 'files bound after the repair')
    check_view(box.exec, what='after the repair')
    status, _out, err = ctl(lab, 'detach', daemon.mnt)
    equal((status, box.bound()), (0, []), f'files left by detach: {err}')
