# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run: who is left when a monitor is killed, what rm touches, launches that hang."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time

from lab import MIB, host
from lab.check import equal, eventually, holds, needs, ok
from lab.launcher import CONTAINERS, DATA


@needs(timeout=300)
def test_launcher_killed_anywhere(lab):
    """After SIGKILL at 50 random moments, and in each phase, ps finds what there is and rm -f removes it all."""
    box = lab.launcher
    rest = random.Random(7)
    bridge = f'lck{os.getpid() % 100000}'
    flags = ('-m', '64m', '--net', f'bridge:{bridge}')
    box.run('true', rootfs=box.mappable)
    start = time.monotonic()
    box.run('true', flags=flags, rootfs=box.mappable)
    whole = time.monotonic() - start
    seen = set()
    for i in range(16 if host.GUEST else 50):
        more = ('--userns', 'auto') if i % 2 else ()
        words = ('sleep', '100') if i % 4 < 2 else ('true',)
        seen.add(_kill_launcher(box, (*flags, *more), words, rest.random() * whole * 1.2))
    for phase, first, last in (('nothing', 0, 0), ('creating', 0, whole), ('running', whole, whole * 3)):
        while phase not in seen:  # the test's time limit ends it
            seen.add(_kill_launcher(box, flags, ('sleep', '100'), rest.uniform(first, last)))
    ok(bridge not in os.listdir('/sys/class/net'), 'no bridge is left')


def _kill_launcher(box, flags, words, moment):
    """The phase in which SIGKILL met a launcher that old; nothing is left of it."""
    with box.popen(*flags, words=words, rootfs=box.mappable) as process:
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
    names = box.names()
    known = box.call('ps', '-q')[1].split()
    ok(set(names) <= set(known), f'ps knows {known}, there are {names}')
    phase = box.inspect(names[0])['phase'] if names else 'nothing'
    if phase not in ('nothing', 'exited'):
        box.until(names[0], 'dead')
    if names:
        equal(box.call('rm', '-f', *names), (0, ''.join(f'{n}\n' for n in names), ''), 'rm -f')
    eventually(lambda: not box.traces(), f'killed after {moment:.4f} s, all is gone: {box.traces()}', 5, 0.01)
    return phase


@needs(timeout=120)
def test_launcher_ended_anywhere(lab):
    """After SIGTERM or SIGINT at 40 random moments of a launch with --rm nothing is left."""
    box = lab.launcher
    rest = random.Random(9)
    bridge = f'lce{os.getpid() % 100000}'
    flags = ('--rm', '-m', '64m', '--net', f'bridge:{bridge}')
    start = time.monotonic()
    box.run('true', flags=flags[1:])
    whole = time.monotonic() - start
    for i in range(40):
        number = signal.SIGINT if i % 2 else signal.SIGTERM
        with box.popen(*flags, words=('sleep', '100')) as process:
            time.sleep(rest.random() * whole)
            process.send_signal(number)
            err = process.stderr.read()
        ok(process.returncode in (-number, 128 + number), f'round {i}: {process.returncode} {err}')
        equal(box.traces(), {}, f'what is left in round {i}')
        ok(bridge not in os.listdir('/sys/class/net'), f'no bridge is left in round {i}')


def test_orphans(lab):
    """What lives on without its monitor is seen, is not removed by chance, and is removed by rm -f."""
    box = lab.launcher
    name = box.start('sh', '-c', 'sleep 1000 & sleep 1000', flags=('--pid', 'host'))
    about = box.inspect(name)
    os.kill(about['monitor'], signal.SIGKILL)
    eventually(lambda: not host.is_alive(about['pid']), 'its first process is dead')
    box.until(name, 'orphaned')
    status, _, err = box.call('rm', name)
    equal(status, 125, 'rm')
    holds(err, 'has processes left', 'rm')
    equal(box.call('rm', '-f', name), (0, f'{name}\n', ''), 'rm -f')
    equal(box.traces(), {}, 'what is left')


@needs(tools='setpriv')
def test_orphan_of_its_own_making(lab):
    """A pid 1 that does not die with its monitor: exec and stop work, rm clears what is left."""
    box = lab.launcher
    flags, rootfs = box.machine()
    script = 'trap "exit 1" TERM; echo up; while :; do sleep 0.05; done'
    name = box.start('setpriv', '--pdeathsig', 'clear', 'sh', '-c', script,
                     flags=(*flags, '--no-init'), rootfs=rootfs)
    eventually(lambda: box.call('logs', name)[1] == 'up\n', 'its trap is set')
    monitor = box.inspect(name)['monitor']
    os.kill(monitor, signal.SIGKILL)
    eventually(lambda: not host.is_alive(monitor), 'the monitor is dead')
    equal(box.status(name), 'orphaned', 'status')
    equal(box.inside(name, 'echo here'), 'here\n', 'exec')
    equal(box.call('stop', name)[0], 0, 'stop')
    equal(box.status(name), 'dead', 'status')
    equal(box.call('rm', name)[0], 0, 'rm')
    equal(box.traces(), {}, 'what is left')


def test_host_pids_end_together(lab):
    """With --pid host nothing outlives the command, nor rm -f."""
    box = lab.launcher
    equal(box.run('sh', '-c', 'sleep 1000 & exit 4', flags=('--pid', 'host'))[0], 4, 'status')
    name = box.start('sh', '-c', 'sleep 1000 & sleep 1000', flags=('--pid', 'host', '--no-init'))
    equal(box.call('rm', '-f', name)[0], 0, 'rm -f')
    equal(box.traces(), {}, 'what is left')


def test_frozen_below(lab):
    """rm -f kills what a cgroup below the container's keeps frozen."""
    box = lab.launcher
    name = box.start('sleep', '1000')
    groups = [f'{top}/lxcfs-clone-run/{name}' for top, _, fstype, _ in host.mounts() if fstype.startswith('cgroup')]
    group, file, word = next((group, file, word)
                             for file, word in (('freezer.state', 'FROZEN'), ('cgroup.freeze', '1'))
                             for group in groups if os.path.exists(f'{group}/{file}'))
    os.makedirs(f'{group}/a/b')
    host.write(f'{group}/a/b/cgroup.procs', box.inspect(name)['pid'])
    host.write(f'{group}/a/b/{file}', word)
    equal(box.call('rm', '-f', name), (0, f'{name}\n', ''), 'rm -f')
    equal(box.traces(), {}, 'what is left')


def test_rm_touches_no_mount(lab):
    """What somebody has mounted in a container's folder is neither entered nor emptied."""
    box = lab.launcher
    name = box.start('sh', '-c', 'mkdir /place; exec sleep 1000')
    data = box.inspect(name)['data']
    eventually(lambda: os.path.isdir(f'{data}/upper/place'), 'the folder')
    image = f'{lab.folder}/image'
    os.makedirs(f'{image}/inner')
    host.write_new(f'{image}/inner/file')
    host.write_new(f'{image}/file')
    for place in (f'{data}/upper/place', f'{data}/merged'):
        host.mount(image, place, None, host.MS_BIND)
        lab.later(_umount_if_mounted, place)
    status, _, err = box.call('rm', '-f', name)
    equal(status, 125, 'rm -f')
    holds(err, 'busy', 'the sentence')
    equal(sorted(os.listdir(image)), ['file', 'inner'], 'what was mounted')
    equal(os.listdir(f'{image}/inner'), ['file'], 'within')
    for place in (f'{data}/upper/place', f'{data}/merged'):
        host.umount(place)
    equal(box.call('rm', name)[0], 0, 'rm')
    equal(box.traces(), {}, 'what is left')


def _umount_if_mounted(place):
    if any(point == place for point, *_ in host.mounts()):
        host.umount(place, host.MNT_DETACH)


def test_removed_twice_at_once(lab):
    """Several rm -f of a name whose container is made anew meanwhile: each removes a whole one."""
    box = lab.launcher
    for _ in range(5):
        name = box.start('sleep', '100')
        done = []
        threads = [threading.Thread(target=lambda: done.append(box.call('rm', '-f', name)))
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        status, _, err = box.call(*box.argv('-d', name=name), 'sleep', '100')
        for thread in threads:
            thread.join()
        ok(status == 0 or 'already' in err, f'run: {status} {err}')
        for code, _, text in done:
            ok(code == 0 or 'no container' in text, f'rm -f: {code} {text}')
        box.call('rm', '-f', name)
        equal(box.traces(), {}, 'what is left')


def test_nothing_is_mounted_across(lab):
    """-v of a shared mount: what either side mounts there the other does not see."""
    box = lab.launcher
    shared = f'{lab.folder}/shared'
    os.mkdir(shared)
    host.mount('x', shared, 'tmpfs')
    lab.later(host.umount, shared, host.MNT_DETACH)
    host.mount(None, shared, None, host.MS_SHARED)
    for name in ('ours', 'theirs'):
        os.mkdir(f'{shared}/{name}')
    before = lab.daemon and _mounts_below(lab.folder)
    name = box.start(
        'sh', '-c', 'mount -t tmpfs x /data/theirs && echo >/data/theirs/done; exec sleep 100',
        flags=('--cap-add', 'SYS_ADMIN', '-v', f'{shared}:/data'), lxcfs=lab.daemon,
    )
    eventually(lambda: box.inside(name, 'ls /data/theirs') == 'done\n', 'it has mounted')
    host.mount('x', f'{shared}/ours', 'tmpfs')
    host.write_new(f'{shared}/ours/file')
    equal(os.listdir(f'{shared}/theirs'), [], 'what we see')
    equal(box.inside(name, 'ls /data/ours'), '', 'what it sees')
    box.inside(name, 'mount -t tmpfs x /proc/meminfo 2>/dev/null || mount --bind /etc/hosts /proc/meminfo')
    host.umount(f'{shared}/ours')
    equal(_mounts_below(lab.folder), before, 'mounts of the host')
    equal([point for point, *_ in host.mounts() if name in point], [], "its own on the host")
    with open(f'{lab.daemon.mnt}/proc/meminfo', encoding='ascii') as file:
        holds(file.read(), 'MemTotal', "the daemon's own file")


def _mounts_below(folder):
    return sorted(point for point, *_ in host.mounts() if point.startswith(f'{folder}/'))


def test_log_is_bounded(lab):
    """Of 20 MiB some are kept, the last ones, and not in memory."""
    box = lab.launcher
    name = box.start('sh', '-c', 'yes 0123456789abcdef0123456789abcde | head -c 20971520; echo end')
    box.until(name, 'exited')
    log = box.call('logs', name)[1]
    ok(8 * MIB <= len(log) <= 17 * MIB, f'{len(log)} bytes')
    ok(log.endswith('\nend\n') and log.startswith('0123456789'), 'the last of it')


def test_log_is_followed(lab):
    """logs -f shows what comes, and ends with the container."""
    box = lab.launcher
    name = box.start('sh', '-c', 'echo one; while [ ! -e /go ]; do sleep 0.05; done; echo two')
    with subprocess.Popen([box.program, 'logs', '-f', name], stdout=subprocess.PIPE, text=True) as logs:
        equal(logs.stdout.readline(), 'one\n', 'the first line')
        box.inside(name, 'touch /go')
        equal(logs.stdout.read(), 'two\n', 'the rest')
        equal(logs.wait(), 0, 'status')


def test_launch_that_hangs_is_given_up(lab):
    """^C ends a launch that waits for a file system, and all that was made."""
    box = lab.launcher
    daemon = lab.daemon
    _signal_all(daemon, signal.SIGSTOP)
    lab.later(_signal_all, daemon, signal.SIGCONT)
    with box.popen('-v', f'{daemon.mnt}:/x', '-w', '/x/containers/1/nothing') as process:
        eventually(lambda: box.names(), 'it has begun')
        time.sleep(0.3 * host.SCALE)
        ok(process.poll() is None, 'it hangs')
        process.send_signal(signal.SIGINT)
        equal(process.wait(timeout=20 * host.SCALE), 130, 'status')
        holds(process.stderr.read(), 'given up', 'the sentence')
    equal(box.traces(), {}, 'what is left')


def _signal_all(daemon, number):
    for pid in daemon.processes():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # its end was known before it was listed


def test_reader_that_stands_still(lab):
    """A full pipe of ours makes us deaf to nothing."""
    box = lab.launcher
    with box.popen('--rm', words=('yes',)) as process:
        process.stdout.read(10)
        time.sleep(0.5 * host.SCALE)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5 * host.SCALE)
        process.send_signal(signal.SIGTERM)
        equal(process.wait(timeout=20 * host.SCALE), 143, 'status')
    equal(box.traces(), {}, 'what is left')


def test_missing_descriptors(lab):
    """Whatever of our standard descriptors is closed: data goes where it belongs."""
    box = lab.launcher
    script = 'echo out; echo err >&2; cat; ls /proc/self/fd | wc -l'
    for closed, out, err in (('<&-', 'out\n4\n', 'err\n'), ('<&- 2>&-', 'out\n4\n', ''),
                             ('<&- >&-', '', 'err\n'), ('>&- 2>&-', '', '')):
        argv = ['sh', '-c', f'exec "$@" {closed}', 'sh', box.program, *box.argv('--rm', '-i')]
        done = subprocess.run([*argv, 'sh', '-c', script], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=60)
        equal((done.returncode, done.stdout, done.stderr), (0, out, err), closed)


def test_signals_that_our_caller_ignores(lab):
    """SIGCHLD ignored hides no end from us; SIGHUP of nohup(1) ends nobody."""
    box = lab.launcher

    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    script = 'echo up; sleep 0.5; exit 7'
    with box.popen('--rm', words=('sh', '-c', script), preexec_fn=ignore) as process:
        equal(process.stdout.readline(), 'up\n', 'its output')
        process.send_signal(signal.SIGHUP)
        equal(process.wait(timeout=20 * host.SCALE), 7, 'status')


def test_record_that_would_be_too_long(lab):
    """A command line whose record nobody could read starts nothing."""
    box = lab.launcher
    words = ['\1' * 100000] * 10
    status, _, err = box.call(*box.argv('-d'), 'sleep', '1000', *words)
    equal(status, 125, 'run')
    holds(err, 'the command line is too long', 'the sentence')
    equal(box.traces(), {}, 'what is left')


def test_record_that_was_never_written(lab):
    """A launcher that was killed at once leaves a place that ps shows and rm removes."""
    box = lab.launcher
    box.run('true')
    name = box.name()
    os.mkdir(f'{CONTAINERS}/{name}', 0o700)
    line = next(line for line in box.call('ps')[1].splitlines() if line.startswith(name))
    equal(line.split(), [name, 'dead', '-', '-', '-'], 'ps')
    equal(box.call('rm', name), (0, f'{name}\n', ''), 'rm')
    equal(box.traces(), {}, 'what is left')


def test_record_that_is_broken(lab):
    """rm -f needs no record to end a container and to remove it with its files."""
    box = lab.launcher
    for text in ('', '{"name":', '{"name":"other","phase":7}', ' ' * 5 * MIB):
        name = box.start('sleep', '1000')
        host.write_new(f'{CONTAINERS}/{name}/state.json', text)
        holds(box.call('ps')[1], f'the record of \'{name}\'', 'ps')
        equal(box.call('rm', name)[0], 125, 'rm')
        equal(box.call('rm', '-f', name), (0, f'{name}\n', ''), 'rm -f')
        equal(box.traces(), {}, 'what is left')


def test_files_of_an_earlier_boot(lab):
    """Own files without a record are a dead container: nobody overwrites them, rm takes them away."""
    box = lab.launcher
    box.run('true')
    for top in DATA:
        name = box.name()
        os.makedirs(f'{top}/{name}/upper')
        lab.later(shutil.rmtree, f'{top}/{name}', True)
        host.write_new(f'{top}/{name}/upper/file')
        holds(box.call('ps', '-q')[1].split(), name, 'ps -q')
        status, _, err = box.call(*box.argv(name=name), 'true')
        equal(status, 125, 'run')
        holds(err, f"('rm {name}' removes it)", 'the sentence')
        ok(os.path.exists(f'{top}/{name}/upper/file'), 'the file is there')
        line = next(line for line in box.call('ps')[1].splitlines() if line.startswith(name))
        equal(line.split(), [name, 'dead', '-', '-', '-'], 'ps')
        equal(box.call('rm', name), (0, f'{name}\n', ''), 'rm')
        equal(box.traces(), {}, 'what is left')
        equal(box.call(*box.argv('--rm', name=name), 'true')[0], 0, 'run')
