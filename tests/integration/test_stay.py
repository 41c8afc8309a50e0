# SPDX-License-Identifier: LGPL-2.1-or-later
"""A dead worker is replaced, and its readers notice nothing."""

import contextlib
import errno
import os
import shutil
import signal
import time

from lab import MIB, host, parse
from lab.check import between, equal, eventually, needs, ok

FILES = ('meminfo', 'cpuinfo', 'stat', 'uptime', 'loadavg', 'diskstats', 'swaps')
GONE = ('ENOTCONN', 'ECONNABORTED')


def test_keeper_and_two_workers(lab):
    """The daemon is three processes: the keeper, the one that serves, one that stands by."""
    worker = lab.daemon.worker()
    eventually(lambda: len(lab.daemon.children()) == 2, 'two workers')
    eventually(
        lambda: sorted(lab.daemon.processes()[pid][1] for pid in lab.daemon.children())
        == ['lxcfs-standby', 'lxcfs-worker'],
        'their names',
    )
    equal(lab.daemon.worker(), worker, 'the one that serves')


def test_reads_go_on_after_a_dead_worker(lab):
    """Each file can be read after SIGKILL of the worker, a new limit shows too."""
    box = lab.container(memory=256 * MIB)
    for turn in range(5):
        limit = (200 + turn) * MIB
        box.group.set_memory(limit)
        old = lab.daemon.kill_worker()
        ok(old != lab.daemon.worker(), 'the worker is another')
        equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], limit // 1024, 'MemTotal')
        for name in FILES[1:]:
            ok(box.read(f'/proc/{name}') or name == 'diskstats', name)


def hammer(limit_kb, stop):
    """Read until told to stop, whole, in parts, by a held descriptor: (rounds, what is wrong)."""
    held = os.open('/proc/meminfo', os.O_RDONLY)
    count = 0
    while not os.path.exists(stop):
        os.lseek(held, 0, os.SEEK_SET)
        texts = [
            b''.join(iter(lambda: os.read(held, 256), b'')).decode(),
            host.read('/proc/meminfo'),
        ]
        for text in texts:
            if parse.meminfo(text).get('MemTotal') != limit_kb or 'DirectMap' not in text[-200:]:
                return count, f'meminfo {text[:80]!r} … {text[-80:]!r}'
        cpus, _rest = parse.stat(host.read('/proc/stat'))
        if 'cpu' not in cpus:
            return count, 'stat without cpu'
        for name in ('cpuinfo', 'uptime', 'loadavg', 'swaps'):
            if not host.read(f'/proc/{name}'):
                return count, f'{name} is empty'
        count += 1
    return count, ''


@needs(timeout=120)
def test_no_read_fails_while_workers_die(lab):
    """Readers in four containers during 40 kills of the worker: no failed and no torn read."""
    stop = f'{lab.folder}/stop'
    boxes = [lab.container(memory=(128 + 64 * i) * MIB) for i in range(4)]
    tasks = [box.start(hammer, (128 + 64 * i) * 1024, stop) for i, box in enumerate(boxes)]
    kills = 40 if not host.GUEST else 10
    for number in range(kills):
        lab.daemon.kill_worker()
        # Let the next one serve: a request that several workers die of is given up.
        ok(host.read(lab.daemon.path('/proc/uptime')), 'uptime')
        time.sleep(0.01 * (number % 7))
    host.write_new(stop)
    for task in tasks:
        count, wrong = task.result(30)
        equal(wrong, '', f'after {count} rounds')
        ok(count > 0, 'rounds')


def test_stopped_worker_of_a_dead_read(lab):
    """A worker killed while it was stopped in front of waiting readers: they get their answer."""
    box = lab.container(memory=256 * MIB)
    box.read('/proc/meminfo')
    worker = lab.daemon.worker()
    os.kill(worker, signal.SIGSTOP)
    tasks = [box.start(host.read, '/proc/meminfo') for _ in range(4)]
    time.sleep(0.2 * host.SCALE)
    os.kill(worker, signal.SIGKILL)
    for task in tasks:
        equal(parse.meminfo(task.result(20))['MemTotal'], 256 * 1024, 'MemTotal')


def outcome_of_reading(path):
    """'' or the error's name."""
    try:
        return '' if host.read(path) else 'empty'
    except OSError as error:
        return errno.errorcode[error.errno]


def test_no_read_fails_after_the_keeper_died(lab):
    """When the keeper is killed its worker serves on, and starts another one."""
    daemon = lab.start_daemon()
    box = lab.container(daemon=daemon)
    worker = daemon.worker()
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait()
    for _ in range(5):
        equal(box.call(outcome_of_reading, '/proc/meminfo', seconds=5), '', 'reading')
    daemon.keeper(daemon.pid)
    equal(daemon.worker(), worker, 'the worker')


@needs(timeout=90)
def test_keeper_and_worker_killed_at_once(lab):
    """One after the other within a millisecond: the one that stands by makes a keeper of itself."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    for number in range(12 if not host.GUEST else 4):
        eventually(
            lambda: any(name == 'lxcfs-standby' for _, name, _ in daemon.processes().values()),
            'one stands by',
        )
        keeper, worker = daemon.keeper(), daemon.worker()
        os.kill(keeper, signal.SIGKILL)
        time.sleep(0.0001 * (number % 6))
        os.kill(worker, signal.SIGKILL)
        equal(box.call(outcome_of_reading, '/proc/meminfo', seconds=15), '', f'reading {number}')
        daemon.worker(worker, 15)
        time.sleep(0.2)
    named = {pid: about for pid, about in daemon.processes().items() if about[1] == 'lxcfs-clone'}
    # Its fork that is to become something else has that name for a moment.
    equal(len([pid for pid, (parent, *_) in named.items() if parent not in named]), 1, 'keepers')


@needs(timeout=60)
def test_keeper_killed_while_the_worker_is_stopped(lab):
    """Neither can help the other: the one that stands by takes the keeper's place."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    keeper, worker = daemon.keeper(), daemon.worker()
    os.kill(worker, signal.SIGSTOP)
    os.kill(keeper, signal.SIGKILL)
    equal(box.call(outcome_of_reading, '/proc/meminfo', seconds=20), '', 'reading')
    ok(daemon.worker() != worker, 'another worker')


def freeze(lab, pid):
    """Freeze a process; the group that does."""
    group = lab.cgroup(controllers=('freezer',))
    lab.later(group.freeze, False)
    group.join(pid)
    group.freeze(True)
    return group


@needs('v1', timeout=60)
def test_end_beside_a_frozen_worker(lab):
    """It has been replaced, but cannot die: nobody waits for it after the daemon's end."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    frozen = daemon.worker()
    freeze(lab, frozen)
    equal(box.call(outcome_of_reading, '/proc/meminfo', seconds=15), '', 'reading')
    equal(daemon.stop(), 0, 'exit status')
    ok(host.is_alive(frozen), 'the frozen worker is not dead')
    ok(box.call(outcome_of_reading, '/proc/meminfo', seconds=5) in GONE, 'reading after the end')
    daemon.start()
    ok(host.read(daemon.path('/proc/meminfo')), 'meminfo of the next instance')


@needs('v1', timeout=60)
def test_start_beside_a_frozen_worker(lab):
    """All are killed, one of them cannot die: it neither keeps an instance out nor a reader."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    frozen = daemon.worker()
    freeze(lab, frozen)
    waiting = box.start(outcome_of_reading, '/proc/meminfo')
    os.kill(frozen, signal.SIGKILL)
    while others := [pid for pid in daemon.processes() if pid != frozen]:
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    daemon.process.wait()
    ok(host.is_alive(frozen), 'the frozen worker is not dead')
    daemon.start()
    ok(waiting.result(10) in GONE, 'a reader that waited')
    eventually(
        lambda: box.call(outcome_of_reading, '/proc/meminfo', seconds=5) == '', 'files put back'
    )
    equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')


@needs(timeout=60)
def test_worker_killed_while_the_keeper_is_stopped(lab):
    """The one that stands by sees that nobody has it go on, and takes the keeper's place."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    keeper, worker = daemon.keeper(), daemon.worker()
    os.kill(keeper, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    equal(box.call(outcome_of_reading, '/proc/meminfo', seconds=20), '', 'reading')
    daemon.keeper(keeper)
    ok(not host.is_alive(keeper), 'the keeper that was stopped is alive')


@needs(timeout=90)
def test_worker_and_keeper_are_stopped(lab):
    """The one that stands by sees that nothing moves, and takes the keeper's place."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    keeper, worker = daemon.keeper(), daemon.worker()
    for pid in (keeper, worker):
        os.kill(pid, signal.SIGSTOP)
    equal(box.call(outcome_of_reading, '/proc/meminfo', seconds=40), '', 'reading')
    ok(daemon.worker() != worker, 'another worker')
    daemon.keeper(keeper)
    ok(not host.is_alive(keeper), 'the keeper that was stopped is alive')


@needs('v1', timeout=60)
def test_worker_killed_while_the_keeper_is_frozen(lab):
    """The same; and when it is thawed it is dead."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    keeper, worker = daemon.keeper(), daemon.worker()
    group = freeze(lab, keeper)
    os.kill(worker, signal.SIGKILL)
    equal(box.call(outcome_of_reading, '/proc/meminfo', seconds=20), '', 'reading')
    group.freeze(False)
    eventually(lambda: not host.is_alive(keeper), 'the keeper that was frozen is dead')
    equal(box.call(outcome_of_reading, '/proc/meminfo'), '', 'reading')


def put_in_place(lab, name, program):
    """What is started from now on is one of the programs that fail on purpose."""
    shutil.copy(f'{os.path.dirname(lab.run.binary)}/tests/{name}', f'{program}.new')
    os.rename(f'{program}.new', program)


@needs(timeout=60)
def test_worker_killed_while_an_upgrade_does_not_get_ready(lab):
    """The one that stands by is of the former program, and takes over at once."""
    program = f'{lab.folder}/program'
    shutil.copy(lab.run.binary, program)
    daemon = lab.start_daemon(binary=program)
    box = lab.container(memory=256 * MIB, daemon=daemon)
    put_in_place(lab, 'mute', program)
    os.kill(daemon.keeper(), signal.SIGHUP)
    time.sleep(0.3 * host.SCALE)
    start = time.monotonic()
    daemon.kill_worker()
    equal(box.call(outcome_of_reading, '/proc/meminfo'), '', 'reading')
    between(time.monotonic() - start, 0, 1.5 * host.SCALE, 'seconds')
    eventually(lambda: 'the new binary is not taken' in daemon.log(), 'it is refused', 10)


def cpu_seconds(pid):
    """Of a process, user and system."""
    fields = host.read(f'/proc/{pid}/stat').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_upgrade_that_hangs_up(lab):
    """The keeper waits for it in peace, then refuses it."""
    program = f'{lab.folder}/program'
    shutil.copy(lab.run.binary, program)
    daemon = lab.start_daemon(binary=program)
    keeper = daemon.keeper()
    put_in_place(lab, 'mute-hangs-up', program)
    before = cpu_seconds(keeper)
    os.kill(keeper, signal.SIGHUP)
    eventually(lambda: 'the new binary is not taken' in daemon.log(), 'it is refused', 10)
    between(cpu_seconds(keeper) - before, 0, 0.5 * host.SCALE, 'seconds of CPU time')


def test_upgrade_whose_worker_dies_at_once(lab):
    """It got ready and served, then it was killed: back to the former program."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    keeper, worker = daemon.keeper(), daemon.worker()
    os.kill(keeper, signal.SIGHUP)
    os.kill(daemon.worker(worker), signal.SIGKILL)
    equal(box.call(outcome_of_reading, '/proc/meminfo'), '', 'reading')
    eventually(lambda: 'back to the former one' in daemon.log(), 'the log tells')
    ok('upgraded to' not in daemon.log(), 'the upgrade is off')
    equal(daemon.keeper(), keeper, 'keeper')


def test_little_memory_and_few_descriptors(lab):
    """After many containers came and went both processes are as small as before."""
    box = lab.container()
    box.read('/proc/meminfo')

    def crowd(count):
        for _ in range(count):
            one = lab.container()
            for name in FILES:
                one.read(f'/proc/{name}')
            one.close()
            one.group.remove()

    crowd(5)
    memory, descriptors = lab.daemon.own_kb(), lab.daemon.descriptors()
    crowd(40 if not host.GUEST else 10)
    eventually(
        lambda: lab.daemon.descriptors() <= descriptors + 30, 'descriptors are given back', 15
    )
    between(lab.daemon.own_kb(), 0, memory + 1024, 'kB of its own')
