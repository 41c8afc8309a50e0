# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clonectl check: what it says when all is well, and when something is not."""

import contextlib
import fcntl
import json
import os
import signal
import time

from lab import MIB, host
from lab.bound import CTL, ctl, dead_files, repair_is_over, total_kb
from lab.cgroup import Cgroup
from lab.check import between, equal, eventually, holds, needs, ok
from test_install import CONTAINERD, DOCKER, HOOKS, PROGRAMS, Root

# containerd cannot be told of another one.
USUAL = '/var/lib/lxcfs-clone'


def check(lab, root, mnt):
    """(status, findings by what they are about)."""
    status, out, err = ctl(lab, 'check', '--json', '--root', root.path, mnt)
    equal(err, '', 'stderr')
    told = json.loads(out)
    equal(told['mountpoint'], mnt, 'mount point')
    found = {}
    for one in told['checks']:
        found.setdefault(one['about'], []).append((one['state'], one['says'], one['remedy']))
    for state in ('ok', 'warn', 'fail'):
        counted = sum(f[0] == state for all_ in found.values() for f in all_)
        equal(told[state], counted, f'how many are {state}')
    equal(status, 1 if told['fail'] else 0, 'status')
    return status, found


def one(found, about, state, words, remedy=None):
    fits = [f for f in found.get(about, []) if f[0] == state and words in f[1]]
    ok(fits, f'{about} {state} {words!r} in {found}')
    if remedy is not None:
        holds(fits[0][2] or '', remedy, about)


def stands_by(daemon):
    """All of its processes are there."""
    names = lambda: [name for _, name, _ in daemon.processes().values()]  # noqa: E731
    eventually(lambda: 'lxcfs-standby' in names(), 'one stands by')
    repair_is_over(daemon)


def left_over():
    """Cgroups of earlier probes."""
    folders = set(host.V1.values()) | ({host.V2} if host.V2 else set())
    return [f for f in folders if os.path.isdir(f'{f}/lxcfs-clone-check')]


def test_all_is_well(lab):
    """Every line is ok, status 0, and the probe leaves no cgroup; for people with one line each."""
    daemon, root = lab.start_daemon(), Root(lab)
    stands_by(daemon)
    root.done('install', 'podman', 'crio', 'docker', 'lxc', '--mountpoint', daemon.mnt)
    root.done('install', 'cdi', '--mountpoint', daemon.mnt)
    status, found = check(lab, root, daemon.mnt)
    equal(status, 0, f'status: {found}')
    one(found, 'daemon', 'ok', 'serves')
    one(found, 'mount', 'ok', f'{daemon.mnt} answers')
    one(found, 'probe', 'ok', 'reads all files, and MemTotal 65536 kB')
    one(found, 'containers', 'ok', 'no dead file')
    one(found, 'cgroups', 'ok', 'memory (v')
    one(found, 'kernel', 'ok', f'Linux {os.uname().release} has: ')
    beneath = 'dead files are replaced without a trace'
    (kernel,) = found['kernel']
    equal(beneath in kernel[1].partition('; not: ')[0], host.KERNEL >= (6, 5), 'what the kernel has')
    for engine in ('podman', 'crio', 'lxc'):
        one(found, engine, 'ok', ': for every container')
    one(found, 'docker', 'ok', f'/{DOCKER}: for docker run --runtime lxcfs-clone')
    one(found, 'cdi', 'ok', ': for --device lxcfs-clone.dev/proc=all')
    equal(left_over(), [], 'cgroups')
    root.done('install', 'docker', '--default', '--mountpoint', daemon.mnt)
    status, out, err = ctl(lab, 'check', '--root', root.path, daemon.mnt)
    equal((status, err), (0, ''), 'status and stderr')
    holds(out, f'/{DOCKER}: for every container', 'docker by default')
    lines = out.splitlines()
    between(len(lines), 8, 24, 'lines')
    ok(all(line.startswith('ok ') for line in lines[:-1]), f'{lines}')
    equal(lines[-1], f'{len(lines) - 1} ok, 0 to be looked at, 0 wrong', 'the last line')


def test_status_tells_which_engines_use_it(lab):
    """Those that it is installed for, and for which of their containers."""
    daemon, root = lab.start_daemon(), Root(lab)

    def installed():
        status, out, err = ctl(lab, 'status', '--json', '--root', root.path, daemon.mnt)
        equal((status, err), (0, ''), 'status and stderr')
        return {one['engine']: (one['for'], one['file']) for one in json.loads(out)['installed']}

    equal(installed(), {}, 'before any')
    root.done('install', 'podman', 'docker', '--mountpoint', daemon.mnt)
    equal(set(installed()), {'podman', 'crio', 'docker'}, 'engines')
    equal(installed()['docker'], ('docker run --runtime lxcfs-clone', f'/{DOCKER}'), 'docker')
    root.done('install', 'docker', '--default', '--mountpoint', daemon.mnt)
    equal(installed()['docker'], ('every container', f'/{DOCKER}'), 'docker by default')
    _status, out, _err = ctl(lab, 'status', '--root', root.path, daemon.mnt)
    holds(out, 'installed for      docker: every container\n', 'for people')
    root.done('uninstall', 'podman', 'docker')
    equal(installed(), {}, 'after all')


def test_no_daemon(lab):
    """Nothing ever served, or all processes were killed: how to start it."""
    root, daemon = Root(lab), lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    daemon.kill_everything()
    status, found = check(lab, root, daemon.mnt)
    equal(status, 1, 'status')
    one(found, 'daemon', 'fail', f'no lxcfs-clone serves {daemon.mnt}', 'systemctl start')
    one(found, 'mount', 'fail', 'a dead one is left', 'systemctl restart')
    one(found, 'containers', 'fail', f'process {box.pid} has /proc/', 'systemctl start')
    ok('probe' not in found, 'nothing to probe')
    status, found = check(lab, root, f'{lab.folder}/nowhere')
    equal(status, 1, 'status')
    one(found, 'mount', 'fail', f'nothing of ours is at {lab.folder}/nowhere', 'systemctl start')
    os.mkdir(f'{lab.folder}/empty')
    _status, found = check(lab, root, f'{lab.folder}/empty')
    one(found, 'mount', 'fail', 'nothing of ours', 'systemctl start')


def test_a_daemon_that_does_not_answer(lab):
    """It is named, and the check ends."""
    root, daemon = Root(lab), lab.start_daemon()
    stands_by(daemon)
    processes = list(daemon.processes())
    try:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
        status, found = check(lab, root, daemon.mnt)
        between(time.monotonic() - start, 0, 13 * host.SCALE, 'seconds')
    finally:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    equal(status, 1, 'status')
    one(found, 'daemon', 'fail', f'(process {daemon.pid}) does not answer', 'systemctl restart')
    one(found, 'mount', 'fail', 'does not answer', 'systemctl restart')


def test_dead_files_in_a_container(lab):
    """They are listed with their process, and repair is what helps."""
    root, daemon = Root(lab), lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    daemon = dead_files(lab, daemon, box, ['/proc/meminfo', '/proc/stat'])
    status, found = check(lab, root, daemon.mnt)
    equal(status, 1, 'status')
    one(found, 'containers', 'fail', '2 dead files in 1 container', 'lxcfs-clonectl repair')
    one(found, 'containers', 'fail', f'process {box.pid} has /proc/meminfo, /proc/stat')
    equal(ctl(lab, 'repair', daemon.mnt)[0], 0, 'repair')
    one(check(lab, root, daemon.mnt)[1], 'containers', 'ok', 'no dead file')
    equal(box.call(total_kb), 256 * 1024, 'MemTotal')


def test_a_repair_at_work(lab):
    """Dead files are looked for with the same lock: who has it for long is told of, and not waited for."""
    root, daemon = Root(lab), lab.start_daemon()
    stands_by(daemon)
    with open(f'/run/lxcfs-clone/{daemon.mnt.replace("/", "%2F")}.id', 'rb') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        start = time.monotonic()
        status, found = check(lab, root, daemon.mnt)
        between(time.monotonic() - start, 0, 12 * host.SCALE, 'seconds')
    equal(status, 0, 'status')
    equal(len(found['containers']), 1, 'lines about containers')
    one(found, 'containers', 'warn', 'a repair is at work', 'lxcfs-clonectl check')
    one(check(lab, root, daemon.mnt)[1], 'containers', 'ok', 'no dead file')


@needs(tools='strace')
def test_a_check_that_was_killed(lab):
    """Its cgroup goes with the next one; that of one that runs stays."""
    root, daemon = Root(lab), lab.start_daemon()
    argv = (os.path.join(lab.run.build, CTL), 'check', '--root', root.path, daemon.mnt)
    folders = lambda: [f'{f}/lxcfs-clone-check' for f in left_over()]  # noqa: E731
    names = lambda: {name for f in folders() for name in os.listdir(f) if name.isdigit()}  # noqa: E731
    for number in range(1, 20):
        lab.execute('strace', '-o', f'{lab.folder}/trace', '-e', f'inject=pipe2:signal=KILL:when={number}', *argv)
        if names():
            break
    ok(names(), 'a check that was killed leaves its cgroup')
    others = [f'{folder}/{os.getpid()}' for folder in folders()]
    for folder in others:
        os.mkdir(folder)
        lab.later(rmdirs, folder, os.path.dirname(folder))
    check(lab, root, daemon.mnt)
    equal(names(), {str(os.getpid())}, 'cgroups')
    for folder in others:
        os.rmdir(folder)
    check(lab, root, daemon.mnt)
    equal(left_over(), [], 'cgroups')


def rmdirs(*folders):
    for folder in folders:
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def test_a_worker_that_was_replaced(lab):
    """It is worth a look, and no failure."""
    root, daemon = Root(lab), lab.start_daemon()
    daemon.kill_worker()
    status, found = check(lab, root, daemon.mnt)
    equal(status, 0, 'status')
    one(found, 'daemon', 'warn', 's ago: was ended by signal 9', 'journalctl')


def test_values_that_are_not_the_containers(lab):
    """The probe compares: what lies over the file is found."""
    root, daemon = Root(lab), lab.start_daemon()
    path = f'{daemon.mnt}/proc/meminfo'
    text = f'{lab.folder}/meminfo'
    host.write_new(text, 'MemTotal:       24105 kB\nMemFree:        1 kB\n')
    host.mount(text, path, None, host.MS_BIND)
    try:
        _status, found = check(lab, root, daemon.mnt)
        one(found, 'probe', 'fail', 'with a limit of 65536 kB reads MemTotal 24105 kB', 'status')
        host.write(text, '')
        os.truncate(text, 0)
        _status, found = check(lab, root, daemon.mnt)
        one(found, 'probe', 'fail', 'reads MemTotal 0 kB')
    finally:
        host.umount(path)
    one(check(lab, root, daemon.mnt)[1], 'probe', 'ok', 'MemTotal 65536 kB')


def test_engines_that_are_not_well(lab):
    """Not installed, changed, not understood: to be looked at. What stops containers: wrong."""
    daemon, root = lab.daemon, Root(lab)
    where = ('--mountpoint', daemon.mnt)
    status, found = check(lab, root, daemon.mnt)
    equal(status, 0, 'status')
    one(found, 'docker', 'warn', 'not installed', 'lxcfs-clonectl install docker')
    status, out, _err = ctl(lab, 'check', '--root', f'{root.path}/none', daemon.mnt)
    equal(status, 1, 'status where there is no such root')
    holds(out, f'{root.path}/none: No such file or directory', 'no such root')
    root.done('install', 'podman', 'docker', *where)
    root.write(HOOKS, root.read(HOOKS).replace('true', 'false'))
    root.write(DOCKER, root.read(DOCKER).replace(daemon.mnt, '/elsewhere'))
    _status, found = check(lab, root, daemon.mnt)
    one(found, 'podman', 'warn', 'was changed since it was installed')
    one(found, 'docker', 'warn', f'our part of /{DOCKER} was changed since it was installed', 'uninstall docker')
    root.done('uninstall', 'docker')
    root.done('install', 'docker', '--mountpoint', '/elsewhere')
    _status, found = check(lab, root, daemon.mnt)
    one(found, 'docker', 'warn', 'is not as it would be written now', 'install docker')
    root.write(DOCKER, '{')
    _status, found = check(lab, root, daemon.mnt)
    one(found, 'docker', 'warn', 'line 1, column 2: a string is missing')
    os.unlink(f'{root.path}/{DOCKER}')
    root.done('install', 'docker', *where)
    os.unlink(f'{root.path}/{PROGRAMS[1]}')
    status, found = check(lab, root, daemon.mnt)
    equal(status, 1, 'status')
    one(found, 'docker', 'fail', f'/{PROGRAMS[1]}, which is not there', 'uninstall docker')


@needs(tools='containerd')
def test_containerd_itself_is_asked(lab):
    """What is installed is read by the real containerd; a file that it does not take is wrong."""
    root = Root(lab)
    root.write(CONTAINERD, 'version = 2\n')
    root.done('install', 'containerd')
    argv = ('containerd', '--config', f'{root.path}/{CONTAINERD}', 'config', 'dump')
    status, out, err = lab.execute(*argv)
    equal(status, 0, err)
    for line in ('.runtimes.lxcfs-clone]', '.runtimes.runc]'):
        holds(out, line, "containerd's own view")
    holds(out, 'BinaryName = "/usr/bin/lxcfs-clone-runtime"', "containerd's own view")
    one(check(lab, root, USUAL)[1], 'containerd', 'ok', f'/{CONTAINERD}: for pods of a RuntimeClass')
    root.write(CONTAINERD, root.read(CONTAINERD) + '[grpc\n')
    _status, found = check(lab, root, USUAL)
    one(found, 'containerd', 'fail', 'containerd does not understand', 'uninstall containerd')


def test_where_no_cgroup_can_be_made(lab):
    """Hierarchies that are read-only: the probe is left out, and that is said."""
    root, daemon = Root(lab), lab.start_daemon()
    program = os.path.join(lab.run.build, CTL)
    script = 'for d in "$@"; do mount -o bind,ro "$d" "$d"; done; shift $#; exec ' \
        f'{program} check --json --root {root.path} {daemon.mnt}'
    folders = sorted(set(host.V1.values()) | ({host.V2} if host.V2 else set()))
    argv = ('unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script, 'sh', *folders)
    status, out, err = lab.execute(*argv)
    equal((status, err), (0, ''), 'status and stderr')
    words = [c['says'] for c in json.loads(out)['checks'] if c['about'] == 'probe']
    holds(words[0], 'no cgroup with a limit can be made', 'probe')
