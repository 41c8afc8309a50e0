# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names and readers that mean no good."""

import ctypes
import os
import resource
import signal
import time

from lab import MIB, host, inside, parse
from lab.check import between, equal, needs, ok

LIMIT = 192 * MIB
NAMES = {
    'space': 'a b  c',
    'dots': 'a..b',
    'three dots': '...',
    'long': 'x' * 255,
    'deleted': 'x (deleted)',
    'not UTF-8': os.fsdecode(b'\xff\xfe\x80\xc3'),
    'colon': 'a:b:memory:',
    'octal': '\\040\\012x\\',
    'percent': '%s%n%d',
    'dash': '-n',
    'tab': 'a\tb',
    'quotes': '\'"`$(id)',
    'comma': 'a,b',
    'scope': 'x.scope',
    'control': 'a\x01\x7f',
    'fuse': ' - cgroup2 cgroup rw',
    'init': 'init.scope.x',
}


def true_values(box, what):
    equal(
        parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], LIMIT // 1024, f'MemTotal of {what}'
    )
    equal(parse.stat_cpus(box.read('/proc/stat')), host.CPUS[:1], f'CPUs of {what}')


def hold_half_read(count, ready):
    """Open files of which a part was read."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
    held = [os.open('/proc/meminfo', os.O_RDONLY) for _ in range(count)]
    for fd in held:
        os.read(fd, 100)
    host.write_new(ready)
    inside.sleep()


def read_half(ready, go):
    """meminfo, of which all but the first bytes is read later."""
    with open('/proc/meminfo', 'rb', buffering=0) as file:
        first = file.read(len('MemTotal:'))
        host.write_new(ready)
        inside.until(go)
        return (first + file.read(100)).decode()


def test_thousands_of_half_read_files(lab):
    """A container that holds 2,000 open files costs another one none of its texts."""
    greedy, box = lab.container(), lab.container(memory=LIMIT)
    ready, go = f'{lab.folder}/ready', f'{lab.folder}/go'
    task = box.start(read_half, ready, go)
    inside.until(ready)
    greedy.start(hold_half_read, 2000, f'{ready}.greedy')
    inside.until(f'{ready}.greedy')
    box.group.set_memory(LIMIT // 2)
    host.write_new(go)
    text = task.result()
    equal(parse.meminfo(text)['MemTotal'], LIMIT // 1024, 'MemTotal in a text that was begun before')


def test_cgroup_names(lab):
    """Names with spaces, dots, colons, backslashes, 255 bytes, no UTF-8, (deleted): true values."""
    for what, name in NAMES.items():
        true_values(lab.container(group=lab.cgroup(name, memory=LIMIT, cpus=1)), what)


def test_cgroup_names_in_the_host_cgroup_namespace(lab):
    """The same by the pid namespace's init and by the reader itself."""
    for what, name in NAMES.items():
        group = lab.cgroup(name, memory=LIMIT, cpus=1)
        for pid in (True, False):
            true_values(
                lab.container(group=group, pid=pid, cgroupns=False), f'{what}, pid namespace {pid}'
            )


def test_cgroup_names_in_mountinfo(lab):
    """The same with the container's own cgroup mounts, whose roots mountinfo escapes."""
    for what, name in NAMES.items():
        true_values(
            lab.container(group=lab.cgroup(name, memory=LIMIT, cpus=1), cgroupfs=True), what
        )


def test_deep_cgroup_path(lab):
    """A path of more than 2000 bytes."""
    group = lab.cgroup('d' * 250)
    for _ in range(7):
        group = group.child('d' * 250)
    group.limit(memory=LIMIT, cpus=1)
    for cgroupns in (True, False):
        true_values(lab.container(group=group, cgroupns=cgroupns), 'a long path')


def test_process_names(lab):
    """Names of processes with parentheses, newlines and states do not confuse any file."""
    box = lab.container(memory=LIMIT, cpus=1)
    for name in (b') R 1 (', b'a b) Z 0', b'x\n) R', b'\xff\xfe)', b'((((', b''):
        box.start(inside.sleep_named, name)
    true_values(box, 'odd process names')
    between(parse.uptime(box.read('/proc/uptime'))[0], 0, 60 * host.SCALE, 'uptime')


def renamed(path):
    host.prctl(15, ctypes.c_char_p(b') S 1 1 1 0 -1'))
    return host.read(path)


def test_reader_with_an_odd_name(lab):
    """The reader's own name does not change what it reads."""
    box = lab.container(memory=LIMIT)
    equal(parse.meminfo(box.call(renamed, '/proc/meminfo'))['MemTotal'], LIMIT // 1024, 'MemTotal')


def test_mount_point_names(lab):
    """Mount points that mountinfo escapes are mounted, served and unmounted."""
    for name in (
        'a b',
        'tab\there',
        'back\\slash',
        'new\nline',
        'x' * 255,
        os.fsdecode(b'\xff\xfe'),
        'a,b=c:d',
    ):
        os.mkdir(f'{lab.folder}/{name}')
        daemon = lab.start_daemon(mnt=f'{lab.folder}/{name}')
        box = lab.container(daemon=daemon, memory=LIMIT, cpus=1)
        true_values(box, f'a mount point named {name!r}')
        box.close()
        equal(daemon.stop(), 0, f'exit status with {name!r}')
        ok(
            not any(m[0].startswith(lab.folder + '/' + name[:3]) for m in host.mounts()),
            f'{name!r} is left mounted',
        )


def read_for_ever(paths):
    while True:
        for path in paths:
            host.read(path)


def slowest_of(path, count):
    """The longest of some reads."""
    worst = 0.0
    for _ in range(count):
        start = time.monotonic()
        host.read(path)
        worst = max(worst, time.monotonic() - start)
    return worst


def begun(path):
    """Open, read one byte, and wait with the rest."""
    fd = os.open(path, os.O_RDONLY)
    os.read(fd, 1)
    inside.sleep()


def others_read(lab, box, what):
    worst = box.call(slowest_of, '/proc/stat', 20, seconds=20)
    between(worst, 0, 1.5 * host.SCALE, f'seconds of a read beside {what}')


FILES = ('/proc/meminfo', '/proc/stat', '/proc/cpuinfo', '/proc/loadavg')


@needs(timeout=120)
def test_frozen_readers_block_nobody(lab):
    """Readers frozen in the middle of whatever: others read, and the daemon ends as ever."""
    victim, other = lab.container(memory=LIMIT, shares=64), lab.container(memory=LIMIT)
    for path in FILES:
        victim.start(begun, path)
    for _ in range(4):
        victim.start(read_for_ever, FILES)
    for turn in range(15):
        victim.group.freeze(True)
        others_read(lab, other, 'frozen readers')
        victim.group.freeze(False)
        time.sleep(0.003 * turn)
    victim.group.freeze(True)
    try:
        others_read(lab, other, 'frozen readers')
        equal(
            parse.meminfo(victim.seen('/proc/meminfo'))['MemTotal'],
            LIMIT // 1024,
            "the operator's view",
        )
        equal(lab.daemon.stop(), 0, 'exit status with frozen readers')
    finally:
        victim.group.freeze(False)


@needs(timeout=120)
def test_stopped_readers_block_nobody(lab):
    """The same with SIGSTOP."""
    victim, other = lab.container(memory=LIMIT, shares=64), lab.container(memory=LIMIT)
    tasks = [victim.start(begun, path) for path in FILES]
    tasks += [victim.start(read_for_ever, FILES) for _ in range(4)]
    for turn in range(15):
        for task in tasks:
            task.signal(signal.SIGSTOP)
        others_read(lab, other, 'stopped readers')
        for task in tasks:
            task.signal(signal.SIGCONT)
        time.sleep(0.003 * turn)


@needs(timeout=120)
def test_killed_readers_block_nobody(lab):
    """Readers that are killed at any moment leave nothing behind that others wait for."""
    victim, other = lab.container(memory=LIMIT, shares=64), lab.container(memory=LIMIT)
    other.read('/proc/meminfo')
    for turn in range(40 if not host.GUEST else 10):
        tasks = [victim.start(read_for_ever, FILES) for _ in range(3)]
        time.sleep(0.001 * (turn % 10))
        for task in tasks:
            task.kill()
    others_read(lab, other, 'killed readers')
    # What is kept of recent readers is bounded, whatever becomes of them.
    between(lab.daemon.descriptors(), 0, 700, 'descriptors')


def test_container_killed_while_it_reads(lab):
    """The whole container goes while its processes read; the next one is served."""
    for _ in range(10):
        box = lab.container(memory=LIMIT, cpus=1)
        for _ in range(3):
            box.start(read_for_ever, FILES)
        time.sleep(0.03)
        box.close()
        box.group.remove()
    true_values(lab.container(memory=LIMIT, cpus=1), 'the next container')


def test_container_cannot_reach_out(lab):
    """What a container mounts or links over its own /proc changes nothing that others read."""
    box, other = lab.container(memory=LIMIT, cpus=1), lab.container(memory=LIMIT, cpus=1)
    box.call(overmount, lab.folder)
    true_values(other, 'a neighbour')
    equal(
        parse.meminfo(box.seen('/proc/meminfo'))['MemTotal'], LIMIT // 1024, "the operator's view"
    )


def overmount(folder):
    host.write_new(f'{folder}/lie', '1:memory:/\n0::/\n')
    for name in ('cgroup', 'mountinfo', 'stat'):
        host.mount(f'{folder}/lie', f'/proc/1/{name}', None, host.MS_BIND)
