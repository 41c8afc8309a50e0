# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything dies, and somebody else has kept the mount: no read fails; or nobody has."""

import os
import signal
import time

from lab import MIB, host, outlive, parse
from lab.bound import ctl
from lab.check import between, equal, eventually, holds, needs, ok
from lab.load import Load, outcome_of_reading

READERS = 4
FILES = ('meminfo', 'stat', 'uptime', 'cpuinfo', 'loadavg')
GONE = ('ENOTCONN', 'ECONNABORTED')


def many(count):
    """The guest's CPUs are emulated."""
    return count if not host.GUEST else max(2, count // 4)


def undergo(lab, daemon, count, function):
    """Something befalls the daemon, again and again, under readers that never see it."""
    load = Load(lab, daemon, READERS, files=FILES)
    with load:
        for number in range(count):
            load.event(function, daemon, number)
    ok(load.row.good(), load.row.why())


# A service manager


@needs(timeout=90)
def test_manager_keeps_the_mount(lab):
    """20 SIGKILLs of all processes; a manager has both descriptors and starts it again."""
    daemon = lab.start_daemon(store=True)
    with outlive.ending(daemon):
        undergo(lab, daemon, many(20), outlive.replace_all)
        daemon.hear_all()
        equal({name: len(fds) for name, fds in daemon.stored.items()}, {'fuse': 1, 'state': 1},
              'stored')
        equal(sum(point == daemon.mnt for point, *_ in host.mounts()), 1, 'mounts')


def start_anew(lab, daemon, names):
    """Another instance that gets only some of what was stored: it mounts anew and serves."""
    daemon.kill_everything()
    outlive.start_with_stored(daemon, names)
    daemon.hear_all()
    box = lab.container(daemon=daemon, memory=256 * MIB)
    equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')
    equal(sum(point == daemon.mnt for point, *_ in host.mounts()), 1, 'mounts')
    equal({name: len(fds) for name, fds in daemon.stored.items()}, {'fuse': 1, 'state': 1}, 'stored')


def test_half_of_what_was_stored(lab):
    """With one descriptor alone, or none, it mounts anew and has one pair stored."""
    daemon = lab.start_daemon(store=True)
    with outlive.ending(daemon):
        for names in (('fuse',), ('state',), ()):
            start_anew(lab, daemon, names)


def test_stored_connection_was_aborted(lab):
    """Descriptors of a mount that is dead are of no use: it mounts anew."""
    daemon = lab.start_daemon(store=True)
    with outlive.ending(daemon):
        daemon.kill_everything()
        host.umount(daemon.mnt, host.MNT_FORCE | host.MNT_DETACH)
        outlive.start_with_stored(daemon)
        daemon.hear_all()
        ok(host.read(daemon.path('/proc/meminfo')), 'meminfo')
        equal({name: len(fds) for name, fds in daemon.stored.items()}, {'fuse': 1, 'state': 1},
              'stored')


def test_stop_takes_the_descriptors_back(lab):
    """SIGTERM unmounts and has nothing stored any more: nobody waits for an answer."""
    daemon = lab.start_daemon(store=True)
    box = lab.container(daemon=daemon)
    ok(box.read('/proc/meminfo'), 'meminfo')
    equal(daemon.stop(), 0, 'exit status')
    daemon.hear_all()
    equal(daemon.stored, {}, 'stored')
    ok(not daemon.mounted(), 'still mounted')
    ok(box.call(outcome_of_reading, '/proc/meminfo', seconds=5) in GONE, 'reading after the end')


SYSTEMCTL = '''#!/bin/sh
case $1 in
show) echo 2;;
*)    touch "$0.asked"; sleep 4; echo "1 lxcfs-clone.service restart running";;
esac
'''


def test_worker_dies_while_systemctl_is_asked(lab):
    """Why it is to end the keeper has found out by somebody else, and replaces the worker."""
    tools = f'{lab.folder}/tools'
    os.mkdir(tools)
    host.write_new(f'{tools}/systemctl', SYSTEMCTL)
    os.chmod(f'{tools}/systemctl', 0o755)
    unit = lab.run.top.child('lxcfs-clone.service', controllers=('pids',), unified=True)
    lab.later(unit.remove)
    daemon = lab.start_daemon(store=True, env={'PATH': f'{tools}:{os.environ["PATH"]}'})
    with outlive.ending(daemon):
        box = lab.container(daemon=daemon)
        unit.join(daemon.pid)
        os.kill(daemon.pid, signal.SIGTERM)
        eventually(lambda: os.path.exists(f'{tools}/systemctl.asked'), 'systemctl is asked')
        worker = daemon.worker()
        os.kill(worker, signal.SIGKILL)
        equal(box.call(outcome_of_reading, '/proc/meminfo', seconds=2), '', 'reading')
        ok(daemon.worker() != worker, 'another worker')
        equal(daemon.process.wait(20), 0, 'exit status')
        ok(daemon.mounted(), 'the mount is gone')
        outlive.start_with_stored(daemon)
        equal(box.call(outcome_of_reading, '/proc/meminfo'), '', 'reading of the next instance')


# The holder


def start_again(daemon, *_number):
    """SIGKILL of everything, then another instance."""
    daemon.kill_everything()
    daemon.start()


def kill_group(daemon, _number):
    """The whole cgroup is killed, as a pod's is, then another instance is started."""
    ok(daemon.group.kill() > 0, 'nothing was in the cgroup of the daemon')
    # On v1 one by one: some may have been started meanwhile.
    daemon.kill_everything()
    daemon.start()


def stop_and_start(daemon, _number):
    """SIGTERM, as a pod is deleted; then another instance."""
    equal(daemon.stop(), 0, 'exit status')
    ok(daemon.mounted(), 'the mount is gone')
    daemon.start()


@needs(timeout=90)
def test_holder_outlives_the_daemon(lab):
    """SIGKILLs of all processes, of the whole cgroup, and SIGTERMs: no failed read."""
    daemon = lab.start_daemon('--holder=60')
    with outlive.ending(daemon):
        first = outlive.holders(daemon)
        equal(len(first), 1, 'holders')
        for function in (start_again, kill_group, stop_and_start):
            undergo(lab, daemon, many(7), function)
        equal(outlive.holders(daemon), first, 'holders at the end')


def test_holder_is_in_a_cgroup_of_its_own(lab):
    """At the top of each hierarchy, which is gone with the last holder."""
    daemon = lab.start_daemon('--holder=60')
    with outlive.ending(daemon):
        (pid,) = outlive.holders(daemon)
        for line in host.read(f'/proc/{pid}/cgroup').splitlines():
            equal(line.split(':', 2)[2], f'/{outlive.CGROUP}', line)
        equal(host.read(f'/proc/{pid}/comm'), 'lxcfs-holder\n', 'name')
        equal(os.readlink(f'/proc/{pid}/cwd'), '/', 'directory')
        equal(os.stat(outlive.socket_path(daemon)).st_mode & 0o777, 0o600, 'mode of the socket')
        names = [os.readlink(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd')]
        equal(names.count('/dev/fuse'), 1, f'/dev/fuse in {names}')
        ok(not [name for name in names if name.endswith('.lock')], f'the lock is in {names}')
    eventually(lambda: not outlive.holder_groups(), 'cgroups of holders are gone')


def test_holder_is_told_of(lab):
    """Nobody is said to hang when there only is nobody."""
    daemon = lab.start_daemon('--holder=60')
    with outlive.ending(daemon):
        daemon.kill_everything()
        for command in ('status', 'repair'):
            status, out, err = ctl(lab, command, daemon.mnt)
            equal((status, out), (1, ''), command)
            holds(err, f'no lxcfs-clone serves {daemon.mnt}, whose readers wait: a holder', command)
        daemon.start()
        equal(ctl(lab, 'status', daemon.mnt)[0], 0, 'status of the next one')


def test_holder_lets_go(lab):
    """When nobody comes in time readers get an error, and nothing of the holder is left."""
    daemon = lab.start_daemon('--holder=2')
    with outlive.ending(daemon):
        box = lab.container(daemon=daemon)
        ok(box.read('/proc/meminfo'), 'meminfo')
        # while an instance serves it is not in a hurry
        time.sleep(2.5)
        equal(len(outlive.holders(daemon)), 1, 'holders')
        daemon.kill_everything()
        start = time.monotonic()
        task = box.start(outcome_of_reading, '/proc/meminfo')
        ok(task.result(20) in GONE, 'a reader that waited')
        between(time.monotonic() - start, 1, 10 * host.SCALE, 'seconds it waited')
        ok(box.call(outcome_of_reading, '/proc/meminfo', seconds=5) in GONE, 'a later one')
        eventually(lambda: not outlive.holders(daemon), 'the holder ends')
        ok(not os.path.exists(outlive.socket_path(daemon)), 'its socket is left')
        ok('lets go' in daemon.log(), f'nothing in the log: {daemon.tail()}')
        daemon.start()
        ok(host.read(daemon.path('/proc/meminfo')), 'meminfo of an instance that mounts anew')
        equal(len(outlive.holders(daemon)), 1, 'holders of the new mount')


def test_holder_is_patient_with_bad_clients(lab):
    """Silent ones, and ones that talk nonsense, do not keep an instance out."""
    daemon = lab.start_daemon('--holder=60')
    with outlive.ending(daemon):
        clients = [outlive.call_holder(daemon, word) for word in (b'?', b'fetch', b'x' * 5000) * 5]
        start_again(daemon)
        ok(host.read(daemon.path('/proc/meminfo')), 'meminfo')
        for client in clients:
            client.close()


def test_manager_lost_what_the_holder_has(lab):
    """The next instance goes on with the holder's, and has the manager keep it, too."""
    daemon = lab.start_daemon('--holder=60', store=True)
    with outlive.ending(daemon):
        box = lab.container(daemon=daemon, memory=256 * MIB)
        daemon.kill_everything()
        daemon.hear_all()
        daemon.forget_stored()
        daemon.start()
        daemon.hear_all()
        equal({name: len(fds) for name, fds in daemon.stored.items()}, {'fuse': 1, 'state': 1},
              'stored')
        equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')


def test_holder_was_killed(lab):
    """The daemon serves on; when it dies, too, the next instance mounts anew."""
    daemon = lab.start_daemon('--holder=60')
    with outlive.ending(daemon):
        (pid,) = outlive.holders(daemon)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: pid not in outlive.holders(daemon), 'the holder is dead')
        box = lab.container(daemon=daemon, memory=256 * MIB)
        equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')
        start_again(daemon)
        box = lab.container(daemon=daemon, memory=256 * MIB)
        equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')
        equal(len(outlive.holders(daemon)), 1, 'holders')


def test_holder_that_is_stopped(lab):
    """It keeps the next instance waiting for seconds; that one mounts anew, and repairs."""
    daemon = lab.start_daemon('--holder=60')
    with outlive.ending(daemon):
        (pid,) = outlive.holders(daemon)
        box = lab.container(daemon=daemon, memory=256 * MIB)
        os.kill(pid, signal.SIGSTOP)
        try:
            daemon.kill_everything()
            waiting = box.start(outcome_of_reading, '/proc/meminfo')
            start = time.monotonic()
            daemon.start()
            between(time.monotonic() - start, 0, 5 * host.SCALE, 'seconds until it is ready')
            ok(waiting.result(5) in GONE, 'a reader that waited')
            eventually(
                lambda: box.call(outcome_of_reading, '/proc/meminfo') == '', 'the file is put back'
            )
        finally:
            os.kill(pid, signal.SIGCONT)
        eventually(lambda: pid not in outlive.holders(daemon), 'it ends once it goes on')
        equal(len(outlive.holders(daemon)), 1, 'holders')


def test_holder_ends_with_the_mount(lab):
    """Unmounted everywhere and nobody serving: there is nothing left to hold."""
    daemon = lab.start_daemon('--holder=60')
    with outlive.ending(daemon):
        daemon.kill_everything()
        host.umount(daemon.mnt, host.MNT_DETACH)
        eventually(lambda: not outlive.holders(daemon), 'the holder ends')
        daemon.start()
        ok(host.read(daemon.path('/proc/meminfo')), 'meminfo')
