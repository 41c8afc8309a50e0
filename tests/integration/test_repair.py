# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything died: the next start puts the files back into running containers."""

import errno
import os
import subprocess
import threading
import time

from lab import MIB, host, inside
from lab.bound import (
    HOW,
    again,
    ctl,
    dead_files,
    ours,
    outcome,
    repair_is_over,
    repaired,
    total_kb,
)
from lab.check import between, equal, eventually, holds, needs, ok

# What reading says then; the second only as long as the kernel is at it.
DEAD = ('ENOTCONN', 'ECONNABORTED')
MS_RDONLY, MS_REMOUNT, MS_MOVE, MS_SHARED = 1, 32, 8192, 1 << 20


def test_all_files_come_back(lab):
    """A container reads each file again after the restart, and the log has one line about it."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    before = {(point, root) for point, root, _ in ours(daemon.mnt, box.pid)}
    daemon.kill_everything()
    ok(box.call(outcome, '/proc/meminfo') in DEAD, 'reading while all is dead')
    daemon = lab.start_daemon(mnt=daemon.mnt)
    repair_is_over(daemon)
    equal(box.call(total_kb), 256 * 1024, 'MemTotal')
    for point, _root in before:
        if os.path.basename(point) not in ('diskstats', 'cpu', os.path.basename(daemon.mnt)):
            equal(box.call(outcome, point), '', point)
    ok(box.read('/sys/devices/system/cpu/online'), 'a file in a directory that is bound')
    after = [(point, root) for point, root, _ in ours(daemon.mnt, box.pid)]
    equal(set(after), before, 'mounts and what of us they show')
    if HOW == 'beneath':
        equal(len(after), len(before), 'mounts: no dead one stays')
    holds(daemon.log(), f'put back {len(before)} files in 1 container\n', 'log')


def read_on(told):
    while True:
        host.write_new(f'{told}.new', outcome('/proc/meminfo') or 'good')
        os.rename(f'{told}.new', told)
        time.sleep(0.05)


def read_on_without_first_thread(told):
    host.unshare(host.CLONE_NEWNS)
    inside.leave_to_thread(read_on, told)


def test_process_whose_first_thread_has_ended(lab):
    """It is in no namespace, but its other threads are, and nobody else."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    told = f'{lab.folder}/told'
    box.start(read_on_without_first_thread, told)
    eventually(lambda: os.path.exists(told) and host.read(told) == 'good', 'it reads')
    daemon.kill_everything()
    eventually(lambda: host.read(told) in DEAD, 'nobody serves it')
    daemon = lab.start_daemon(mnt=daemon.mnt)
    repair_is_over(daemon)
    eventually(lambda: host.read(told) == 'good', 'it reads again')


def test_after_an_orderly_stop(lab):
    """A stop and a start are the same to containers as a crash."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    equal(daemon.stop(), 0, 'exit status')
    lab.start_daemon(mnt=daemon.mnt)
    repaired(box)
    equal(box.call(total_kb), 256 * 1024, 'MemTotal')


def test_nothing_to_do_is_not_logged(lab):
    """A start that finds no dead file says nothing about it."""
    daemon = lab.start_daemon()
    lab.container(daemon=daemon)
    repair_is_over(daemon)
    ok('put back' not in daemon.log(), daemon.log())


def bind_read_only(mnt, target):
    """Bind a file below a root that is then made read-only."""
    host.write_new(target)
    host.mount(f'{mnt}/proc/meminfo', target, None, host.MS_BIND)
    for path in (target, '/'):
        host.mount(None, path, None, MS_REMOUNT | host.MS_BIND | MS_RDONLY)


def mount_options(path):
    for line in host.read('/proc/self/mountinfo').split('\n'):
        fields = line.split(' ')
        if len(fields) > 5 and host.unescape(fields[4]) == path:
            last = fields[5]
    return last.split(',')


def test_read_only_stays_read_only(lab):
    """A read-only bind in a read-only root is put back, read-only."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    target = f'{lab.folder}/file'
    box.call(bind_read_only, daemon.mnt, target)
    again(lab, daemon)
    repaired(box, target)
    equal(box.call(total_kb, target), 256 * 1024, 'MemTotal')
    ok('ro' in box.call(mount_options, target), 'the mount is read-only')
    ok('ro' in box.call(mount_options, '/'), 'the root is read-only')


def test_user_namespace(lab):
    """A container with a user namespace of its own."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon, user=True)
    again(lab, daemon)
    repaired(box)
    equal(box.call(total_kb), 256 * 1024, 'MemTotal')


def live_in_chroot(mnt, root, ready, over=False):
    """A root of its own, or one over the former, with a procfs and our file over it."""
    os.makedirs(root)
    host.mount('/', root, None, host.MS_BIND | host.MS_REC)
    host.umount(f'{root}/proc', host.MNT_DETACH)
    host.mount('proc', f'{root}/proc', 'proc')
    host.mount(f'{mnt}/proc/meminfo', f'{root}/proc/meminfo', None, host.MS_BIND)
    os.chdir(root)
    if over:
        host.mount('.', '/', None, MS_MOVE)
    os.chroot('.')
    host.write_new(ready)
    inside.until(f'{ready}.go')
    return outcome('/proc/meminfo') or total_kb()


def test_chroot(lab):
    """Processes with a root of their own in the container's namespace, beside or over its."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    ready = f'{lab.folder}/ready'
    roots = [(f'{lab.folder}/root{over}', f'{ready}{over}', over) for over in (False, True)]
    tasks = []
    for root in roots:
        tasks.append(box.start(live_in_chroot, daemon.mnt, *root))
        inside.until(root[1])
    daemon = again(lab, daemon)
    repair_is_over(daemon)
    for task, (_root, flag, over) in zip(tasks, roots):
        host.write_new(f'{flag}.go')
        equal(task.result(), 256 * 1024, f'MemTotal in the chroot, over the former root: {over}')
    equal(box.call(total_kb), 256 * 1024, 'MemTotal beside it')


NEST = 'touch {0}; while [ ! -e {0}.go ]; do sleep 0.01; done; grep MemTotal /proc/meminfo'


def nest(ready):
    """In namespaces whose copies of the mounts are locked."""
    return inside.run(['unshare', '-Urm', 'sh', '-c', NEST.format(ready)], {})


@needs(tools='unshare', timeout=120)
def test_locked_copies_in_a_nested_user_namespace(lab):
    """Copies that cannot be taken away are covered, once, however often all dies."""
    os.chmod(lab.folder, 0o777)
    daemon = lab.start_daemon()
    for user in (False, True):
        box = lab.container(memory=256 * MIB, daemon=daemon, user=user)
        ready = f'{lab.folder}/ready{int(user)}'
        task = box.start(nest, ready)
        inside.until(ready)
        files = len({point for point, *_ in ours(daemon.mnt, task.pid)})
        for _ in range(3):
            daemon = again(lab, daemon)
            repair_is_over(daemon)
        child = host.read(f'/proc/{task.pid}/task/{task.pid}/children').split()[0]
        between(len(ours(daemon.mnt, child)), files, 2 * files, 'mounts in the nested namespace')
        host.write_new(f'{ready}.go')
        equal(task.result()[:2], (0, f'MemTotal:         {256 * 1024} kB\n'), 'nested')
        equal(box.call(total_kb), 256 * 1024, 'MemTotal around it')
        box.close()


def test_another_live_instance_is_left_alone(lab):
    """Mounts of a second daemon stay as they are."""
    other = lab.start_daemon()
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=other)
    before = ours(other.mnt, box.pid)
    daemon = again(lab, daemon)
    repair_is_over(daemon)
    equal(ctl(lab, 'detach', daemon.mnt)[0], 0, 'detach')
    equal(ours(other.mnt, box.pid), before, 'mounts of the other')
    equal(box.call(total_kb), 256 * 1024, 'MemTotal')


def serve_inside(binary, mnt, ready):
    """A daemon of the container's own, at the host's mount point, with a /run of its own."""
    host.umount(mnt, host.MNT_DETACH)
    host.mount('tmpfs', '/run', 'tmpfs')
    with subprocess.Popen([binary, mnt], stderr=subprocess.DEVNULL) as daemon:
        while not os.path.exists(f'{mnt}/proc/meminfo'):
            time.sleep(0.01)
        host.mount(f'{mnt}/proc/stat', '/proc/stat', None, host.MS_BIND)
        host.write_new(ready)
        daemon.wait()


def test_an_instance_in_a_container_at_the_same_path(lab):
    """What a container's own daemon serves is not taken for ours, though all but the id is equal."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon, binds=['meminfo'])
    ready = f'{lab.folder}/ready'
    box.start(serve_inside, lab.run.binary, daemon.mnt, ready)
    eventually(lambda: os.path.exists(ready), 'the inner daemon serves')
    before = [m for m in ours(daemon.mnt, box.pid) if m[0] != '/proc/meminfo']
    equal(len(before), 2, 'mounts of the inner one')
    daemon = again(lab, daemon)
    repaired(box)
    repair_is_over(daemon)
    equal(ctl(lab, 'detach', daemon.mnt)[0], 0, 'detach')
    equal(ours(daemon.mnt, box.pid), before, 'mounts of the inner one')
    equal(box.call(outcome, '/proc/stat'), '', 'its file')


def hammer(stop):
    """All values of MemTotal that are ever read until told to stop, and how often it failed."""
    seen, failed, count = set(), 0, 0
    os.nice(10)  # the daemon's start needs a CPU, too
    while not os.path.exists(stop):
        count += 1
        try:
            seen.add(total_kb())
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.ECONNABORTED):
                raise
            failed += 1
    return seen, failed, count


@needs(timeout=180)
def test_the_host_never_shows(lab):
    """Readers that never stop see the container's memory or an error, never the host's."""
    stop = f'{lab.folder}/stop'
    daemon = lab.start_daemon()
    boxes = [lab.container(memory=256 * MIB, daemon=daemon, user=i == 1) for i in range(2)]
    tasks = [box.start(hammer, stop) for box in boxes for _ in range(2)]
    for _ in range(12 if not host.GUEST else 4):
        daemon = again(lab, daemon)
        for box in boxes:
            repaired(box)
    host.write_new(stop)
    for task in tasks:
        seen, failed, count = task.result(30)
        equal(seen, {256 * 1024}, f'MemTotal in {count} reads, {failed} of them failed')


def test_forced_unmount_and_a_new_start(lab):
    """umount -f ends the instance; the next start puts the files back."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    lab.execute('umount', '-f', daemon.mnt)
    eventually(lambda: daemon.process.poll() is not None, 'the daemon ends')
    lab.start_daemon(mnt=daemon.mnt)
    repaired(box)
    equal(box.call(total_kb), 256 * 1024, 'MemTotal')


def bind_at(mnt, folder):
    os.mkdir(folder)
    host.write_new(f'{folder}/file')
    host.mount(f'{mnt}/proc/meminfo', f'{folder}/file', None, host.MS_BIND)


def test_paths_that_need_escapes(lab):
    """Blanks, newlines, tabs, backslashes and # in the mount point and in the container's path."""
    odd = f'{lab.folder}/a b\nc\td\\e#f\\040'
    os.mkdir(odd)
    daemon = lab.start_daemon(mnt=f'{odd}/mnt')
    box = lab.container(memory=256 * MIB, daemon=daemon, binds=[])
    box.call(bind_at, daemon.mnt, f'{odd}/box')
    daemon.kill_everything()
    ok(box.call(outcome, f'{odd}/box/file') in DEAD, 'reading while all is dead')
    daemon = lab.start_daemon(mnt=daemon.mnt)
    repaired(box, f'{odd}/box/file')
    equal(box.call(total_kb, f'{odd}/box/file'), 256 * 1024, 'MemTotal')
    status, out, _ = ctl(lab, 'detach', daemon.mnt)
    equal(status, 0, 'detach')
    holds(out, 'a\\040b\\012c\\011d\\134e#f\\134040/box/file detached\n', 'escaped, on one line')


def share_and_bind(mnt, file):
    """A namespace that is a peer of the host's: what is mounted here shows there."""
    host.unshare(host.CLONE_NEWNS)
    host.mount(f'{mnt}/proc/meminfo', file, None, host.MS_BIND)
    inside.sleep()


def shown(daemon, pid, file):
    return [m for m in ours(daemon.mnt, pid) if m[0] == file]


def test_namespaces_that_share_their_mounts(lab):
    """Repaired in one, a file is repaired in all; the daemon's own mount outlives detach."""
    shared, file = f'{lab.folder}/shared', f'{lab.folder}/shared/file'
    os.mkdir(shared)
    host.mount(shared, shared, None, host.MS_BIND)
    lab.later(host.umount, shared, host.MNT_DETACH)
    host.mount(None, shared, None, MS_SHARED)
    host.write_new(file)
    daemon = lab.start_daemon(mnt=f'{shared}/mnt')
    box = lab.outsider(daemon=daemon)
    peers = [box.start(share_and_bind, daemon.mnt, file) for _ in range(2)]
    pids = ['self'] + [peer.pid for peer in peers]
    eventually(lambda: all(len(shown(daemon, pid, file)) == 2 for pid in pids), 'two binds each')
    for _ in range(3):
        daemon = again(lab, daemon)
        repair_is_over(daemon)
        ok('warning' not in daemon.log(), daemon.log())
        equal(outcome(file), '', 'the file')
        counts = [len(shown(daemon, pid, file)) for pid in pids]
        between(max(counts), 1, 2 if HOW == 'beneath' else 12, f'mounts in {counts}')
    status, _out, err = ctl(lab, 'detach', daemon.mnt)
    equal((status, err), (0, ''), 'detach')
    equal([shown(daemon, pid, file) for pid in pids], [[], [], []], 'mounts after detach')
    equal(host.read(file), '', 'the file below')
    ok(daemon.mounted(), 'the mount point stays')
    ok(host.read(daemon.path('/proc/uptime')), 'the daemon serves')


def storm(stop):
    """Processes with a mount namespace of their own that live for a moment."""
    while not os.path.exists(stop):
        pid = os.fork()
        if pid == 0:
            host.unshare(host.CLONE_NEWNS)
            os._exit(0)
        os.waitpid(pid, 0)


@needs(timeout=120)
def test_processes_that_end_meanwhile(lab):
    """Containers that die during the repair are no error, and the others are repaired."""
    stop = f'{lab.folder}/stop'
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    tasks = [lab.container(daemon=daemon).start(storm, stop) for _ in range(2)]
    doomed = [lab.container(daemon=daemon) for _ in range(6)]
    for _ in range(3):
        daemon.kill_everything()
        killers = [threading.Timer(0.02 * i, b.close) for i, b in enumerate(doomed[:2])]
        daemon = lab.start_daemon(mnt=daemon.mnt)
        for killer in killers:
            killer.start()
        for _ in range(3):
            status, _out, err = ctl(lab, 'repair', daemon.mnt)
            equal((status, err), (0, ''), 'repair')
        for killer in killers:
            killer.join()
        doomed = doomed[2:]
        repair_is_over(daemon)
        equal(box.call(total_kb), 256 * 1024, 'MemTotal')
        ok('warning' not in daemon.log().replace('detaching', ''), daemon.log())
    host.write_new(stop)
    for task in tasks:
        task.result()
