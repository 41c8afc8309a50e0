# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whose container a reader belongs to."""

import ctypes
import os
import re
import signal
import socket

from lab import MIB, host, inside, parse
from lab.check import between, equal, eventually, needs, ok

MEMINFO = '/proc/meminfo'
FILES = ('meminfo', 'cpuinfo', 'stat', 'uptime', 'loadavg', 'diskstats', 'swaps')


def total(text):
    return parse.meminfo(text)['MemTotal']


def is_limited(box, limit, what, path=MEMINFO):
    equal(total(box.read(path)), limit // 1024, f'MemTotal {what}')


def deep_groups(box, levels=7):
    """Limited groups below a container's root, and init in init.scope as systemd has it."""
    scope = box.group.bare_child('init.scope')
    scope.join(box.pid)
    group = box.group
    for level in range(levels):
        group = group.child(f'deep{level}', memory=(60 - level) * MIB, cpus=0.5)
    return group


def test_own_cgroup_namespace_and_a_deep_reader(lab):
    """Init in init.scope, the reader seven limited groups deep: the container's root counts."""
    box = lab.container(memory=256 * MIB, cpus=2)
    deep = deep_groups(box)
    equal(total(box.call(inside.read_from, deep, MEMINFO)), 256 * 1024, 'MemTotal of a deep reader')
    equal(
        parse.cpuinfo_cpus(box.call(inside.read_from, deep, '/proc/cpuinfo')), host.CPUS[:2], 'CPUs'
    )
    is_limited(box, 256 * MIB, 'of a reader beside init')


def test_own_cgroup_namespace_with_cgroups_mounted(lab):
    """The same with the container's own cgroup mounts, as container managers make them."""
    box = lab.container(memory=256 * MIB, cgroupfs=True)
    is_limited(box, 256 * MIB, 'with cgroup mounts')
    ok(box.call(os.path.isdir, (host.V1.get('memory') or host.V2)), 'the cgroup mount is there')


def test_own_cgroup_namespace_without_a_pid_namespace(lab):
    """A cgroup namespace alone makes a container."""
    box = lab.container(memory=256 * MIB, pid=False)
    is_limited(box, 256 * MIB, 'in the host pid namespace')
    deep = deep_groups(box, 2)
    equal(total(box.call(inside.read_from, deep, MEMINFO)), 256 * 1024, 'MemTotal of a deep reader')


def test_host_cgroup_namespace_with_own_pid_namespace(lab):
    """Without a cgroup namespace the pid namespace's init tells the root, less init.scope."""
    box = lab.container(memory=256 * MIB, cgroupns=False)
    is_limited(box, 256 * MIB, "of init's own group")
    deep = deep_groups(box, 3)
    equal(total(box.call(inside.read_from, deep, MEMINFO)), 256 * 1024, 'MemTotal of a deep reader')


def test_shared_pid_namespace_with_init_in_another_group(lab):
    """shareProcessNamespace: init is the pause container's, the reader's own group counts."""
    pause = lab.container(memory=64 * MIB, cgroupns=False)
    box = lab.container(memory=256 * MIB, cgroupns=False, pid=False, join_pid=pause.pid)
    is_limited(box, 256 * MIB, 'beside a pause container')
    is_limited(pause, 64 * MIB, 'of the pause container')


def test_shared_pid_namespace_with_own_cgroup_namespaces(lab):
    """The same where each container has a cgroup namespace of its own."""
    pause = lab.container(memory=64 * MIB)
    box = lab.container(memory=256 * MIB, pid=False, join_pid=pause.pid)
    is_limited(box, 256 * MIB, 'beside a pause container')


def test_host_pid_namespace(lab):
    """Host pid and cgroup namespaces: the reader's own group counts."""
    box = lab.container(memory=256 * MIB, pid=False, cgroupns=False)
    is_limited(box, 256 * MIB, 'in the host namespaces')


def test_user_namespace(lab):
    """A container whose root is an ordinary user of the host reads its own values."""
    box = lab.container(memory=256 * MIB, cpus=1, user=True)
    equal(box.read('/proc/self/uid_map').split(), ['0', '100000', '65536'], 'user namespace')
    is_limited(box, 256 * MIB, 'in a user namespace')
    for name, shown in parse.cpu_views(box).items():
        equal(shown, host.CPUS[:1], name)
    between(parse.uptime(box.read('/proc/uptime'))[0], 0, 60 * host.SCALE, 'uptime')
    between(parse.loadavg(box.read('/proc/loadavg'))[4], 1, 10, 'tasks')
    header = host.read('/proc/swaps').splitlines()[0]
    equal(box.read('/proc/swaps').splitlines()[0], header, 'header of swaps')
    disks = parse.diskstats(box.read('/proc/diskstats'))
    mine = parse.diskstats(host.read(f'{lab.daemon.mnt}/containers/{box.pid}/proc/diskstats'))
    equal(list(disks), list(mine), 'devices')
    is_limited(box, 256 * MIB, 'after its other files')


def test_nested_container(lab):
    """A container inside a container has the smaller of the limits, its parent keeps its own."""
    outer = lab.container(memory=256 * MIB)
    outer.group.bare_child('init.scope').join(outer.pid)
    inner = lab.container(group=outer.group.child('inner', memory=128 * MIB))
    is_limited(inner, 128 * MIB, 'of the inner')
    is_limited(outer, 256 * MIB, 'of the outer')


def test_unprivileged_reader_in_a_container(lab):
    """A user without privileges in a container reads as root does."""
    box = lab.container(memory=256 * MIB)
    out = box.output('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'cat', MEMINFO)
    equal(total(out), 256 * 1024, 'MemTotal')


def skeleton(text):
    return re.sub(r'\d+(\.\d+)?', '0', text)


def squeeze(text):
    return re.sub(r' +', ' ', skeleton(text))


def test_host_process_reads_the_hosts_file(lab):
    """At the hierarchies' roots in the host's namespaces: the host's file, byte for byte."""
    outsider = lab.outsider()
    for name in FILES:
        eventually(lambda n=name: same(outsider, n), f'{name} is the host\'s', 5)


def same(outsider, name):
    """The text is the host's: equal to both host texts around it, or each number between theirs."""
    before, ours, after = outsider.call(
        inside.read_all, (f'/proc/{name}', outsider.daemon.path(f'/proc/{name}'), f'/proc/{name}')
    )
    if before == after:
        return ours == before
    if not squeeze(before) == squeeze(ours) == squeeze(after):
        return False
    numbers = [
        [float(n) for n in re.findall(r'\d+(?:\.\d+)?', text)] for text in (before, ours, after)
    ]
    return all(min(a, b) <= x <= max(a, b) for a, x, b in zip(*numbers))


def test_host_process_reads_the_hosts_cpus(lab):
    """The cpu tree read by a host process is the host's."""
    outsider = lab.outsider()
    for name in ('online', 'offline', 'possible', 'cpu1/online'):
        path = f'/sys/devices/system/cpu/{name}'
        equal(outsider.read(outsider.daemon.path(path)), host.read(path), name)


def open_and_pass(path, name):
    """Open a file, hand the descriptor to whoever listens, and wait to be killed."""
    fd = os.open(path, os.O_RDONLY)
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(name)
    socket.send_fds(sock, [b'x'], [fd])
    inside.sleep()


def test_reader_killed_between_open_and_read(lab):
    """A descriptor whose opener is dead gives a whole file: its container's, or the host's."""
    box = lab.container(memory=256 * MIB)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f'{lab.folder}/sock')
    os.chmod(f'{lab.folder}/sock', 0o777)
    listener.listen()
    task = box.start(open_and_pass, MEMINFO, f'{lab.folder}/sock')
    peer = listener.accept()[0]
    _data, fds, _flags, _address = socket.recv_fds(peer, 1, 1)
    task.kill()
    eventually(lambda: not os.path.exists(f'/proc/{task.pid}'), 'the opener is gone')
    text = lab.outsider().call(read_fd_of, os.getpid(), fds[0])
    os.close(fds[0])
    listener.close()
    own = total(host.read(MEMINFO))
    ok(total(text) in (256 * 1024, own), f'MemTotal is {total(text)}')
    equal(parse.meminfo_names(text), parse.meminfo_names(host.read(MEMINFO)), 'lines')


def read_fd_of(pid, fd):
    """Read another process's open file description from where it stands."""
    pidfd = os.pidfd_open(pid)
    copy = host.libc.syscall(438, pidfd, fd, 0)
    if copy < 0:
        raise OSError(ctypes.get_errno(), 'pidfd_getfd')
    parts = []
    while True:
        part = os.read(copy, 65536)
        if not part:
            return b''.join(parts).decode()
        parts.append(part)


def clone_with_pid(number):
    """Fork with a chosen pid; 0 in the child."""
    wanted = (ctypes.c_int * 1)(number)
    args = (ctypes.c_uint64 * 11)()
    args[4] = signal.SIGCHLD
    args[8] = ctypes.addressof(wanted)
    args[9] = 1
    result = host.libc.syscall(435, args, ctypes.sizeof(args))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read_as(number, group, path):
    """Read as the host process with that pid in a group; None if another one has it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    back, out = os.pipe()
    try:
        pid = clone_with_pid(number)
    except FileExistsError:
        os.close(back)
        os.close(out)
        return None
    if pid == 0:
        try:
            group.join()
            os.write(out, host.read(path).encode())
        finally:
            os._exit(0)
    os.close(out)
    parts = []
    while part := os.read(back, 65536):
        parts.append(part)
    os.waitpid(pid, 0)
    return b''.join(parts).decode()


def test_pid_that_is_used_again(lab):
    """Two processes with one pid, one after the other, in two groups: each reads its own limit."""
    groups = [lab.cgroup(memory=size * MIB) for size in (128, 256)]
    outsider = lab.outsider()
    last = int(host.read('/proc/sys/kernel/pid_max')) - 7
    path = lab.daemon.path(MEMINFO)
    for number in range(last, last - 100, -1):
        texts = [outsider.call(read_as, number, groups[turn % 2], path) for turn in range(10)]
        if None not in texts:  # nobody else on the host had it meanwhile
            break
    equal([total(text) for text in texts], [128 * 1024, 256 * 1024] * 5, 'MemTotal of each turn')


@needs(timeout=120)
def test_containers_that_come_and_go_read_their_own(lab):
    """Namespace numbers and pids are used again: every new container reads its own limit."""
    for turn in range(60 if not host.GUEST else 20):
        limit = (64 + turn) * MIB
        box = lab.container(memory=limit)
        is_limited(box, limit, f'of container {turn}')
        box.close()
        box.group.remove()


def test_process_that_moves_reads_its_new_group(lab):
    """A host process that was moved to another group reads that one's limit next."""
    outsider = lab.container(memory=256 * MIB, pid=False, cgroupns=False)
    other = lab.cgroup(memory=128 * MIB)
    is_limited(outsider, 256 * MIB, 'before')
    equal(
        total(outsider.call(inside.read_from, other, MEMINFO)),
        128 * 1024,
        'MemTotal after the move',
    )


def test_container_whose_group_is_made_anew(lab):
    """A group of the same name, removed and made again with another limit, is another container."""
    for limit in (256, 128, 192):
        box = lab.container(group=lab.cgroup('again', memory=limit * MIB))
        is_limited(box, limit * MIB, 'of the new group')
        box.close()
        box.group.remove()


def test_operators_view_of_a_container(lab):
    """containers/PID/proc is the view of the container that the host's PID is in."""
    box = lab.container(memory=256 * MIB, cpus=1, cpuset='1')
    task = box.start(inside.sleep)
    for pid in (box.pid, task.pid):
        folder = f'{lab.daemon.mnt}/containers/{pid}/proc'
        equal(sorted(FILES), sorted(set(FILES) & set(os.listdir(folder))), 'files')
        equal(total(host.read(f'{folder}/meminfo')), 256 * 1024, 'MemTotal')
        equal(parse.cpuinfo_cpus(host.read(f'{folder}/cpuinfo')), [1], 'CPUs of cpuinfo')
        equal(parse.stat_cpus(host.read(f'{folder}/stat')), [1], 'CPUs of stat')
        between(parse.uptime(host.read(f'{folder}/uptime'))[0], 0, 60 * host.SCALE, 'uptime')


def test_operators_view_is_for_root(lab):
    """Another user may not enter containers/, and a pid that is not there has no folder."""
    box = lab.container(memory=256 * MIB)
    path = f'{lab.daemon.mnt}/containers/{box.pid}/proc/meminfo'
    status, out, _err = lab.execute(
        'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'cat', path
    )
    ok(status != 0 and not out, f'another user read {out[:60]!r}')
    for name in ('999999999', '0', '-1', '01', 'self', f'{box.pid}x'):
        ok(not os.path.exists(f'{lab.daemon.mnt}/containers/{name}'), f'containers/{name} exists')


def test_many_containers_at_once(lab):
    """Each of many containers reads its own limit while all are alive."""
    boxes = [lab.container(memory=(64 + 8 * i) * MIB) for i in range(12)]
    for _ in range(3):
        for i, box in enumerate(boxes):
            is_limited(box, (64 + 8 * i) * MIB, f'of container {i}')
