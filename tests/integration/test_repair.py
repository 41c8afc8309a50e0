# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything died: the next start puts the files back into running containers."""

import errno
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.parse

from lab import MIB, host, inside, parse
from lab.check import between, equal, eventually, holds, needs, ok

CTL = 'lxcfs-clonectl'
SYS_OPEN_TREE, SYS_MOVE_MOUNT = 428, 429
MS_RDONLY, MS_REMOUNT = 1, 32
# What this kernel lets one do with a mount that is not locked: see move_mount(2).
HOW = 'beneath' if tuple(map(int, re.findall(r'\d+', os.uname().release)[:2])) >= (6, 5) else 'stacked'


def ctl(lab, *argv):
    return lab.execute(os.path.join(os.path.dirname(lab.run.binary), CTL), *argv)


def outcome(path):
    """'' when it can be read, else the error's name."""
    try:
        return '' if host.read(path) else 'empty'
    except OSError as error:
        return errno.errorcode[error.errno]


def ours(mnt, pid='self'):
    """(mount point, root, id) of the mounts of the instance at a mount point."""
    found = []
    for line in host.read(f'/proc/{pid}/mountinfo').split('\n'):
        left, _, right = line.partition(' - fuse.lxcfs-clone ')
        if right and host.unescape(right.split(' ')[0]).startswith(f'lxcfs-clone@{mnt}#'):
            fields = left.split(' ')
            found.append((host.unescape(fields[4]), host.unescape(fields[3]), int(fields[0])))
    return found


def total_kb(path='/proc/meminfo'):
    return parse.meminfo(host.read(path))['MemTotal']


def again(lab, daemon):
    """Everything dies, and another instance is started at the same mount point."""
    daemon.kill_everything()
    return lab.start_daemon(mnt=daemon.mnt)


def repaired(box, path='/proc/meminfo'):
    eventually(lambda: box.call(outcome, path) == '', f'{path} can be read again', 10)


def repair_is_over(daemon):
    """The keeper's child that repairs is gone."""
    eventually(lambda: not daemon.repairers(), 'the repair is over', 20)


def test_all_files_come_back(lab):
    """A container reads each file again after the restart, and the log has one line about it."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    before = {(point, root) for point, root, _ in ours(daemon.mnt, box.pid)}
    daemon.kill_everything()
    equal(box.call(outcome, '/proc/meminfo'), 'ENOTCONN', 'reading while all is dead')
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


def live_in_chroot(mnt, root, ready):
    """A root of its own in the same mount namespace, with a procfs and our file over it."""
    os.makedirs(root)
    host.mount('/', root, None, host.MS_BIND | host.MS_REC)
    host.umount(f'{root}/proc', host.MNT_DETACH)
    host.mount('proc', f'{root}/proc', 'proc')
    host.mount(f'{mnt}/proc/meminfo', f'{root}/proc/meminfo', None, host.MS_BIND)
    os.chroot(root)
    os.chdir('/')
    host.write_new(ready)
    inside.until(f'{ready}.go')
    return outcome('/proc/meminfo') or total_kb()


def test_chroot(lab):
    """A process with a root of its own in the container's namespace."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    ready = f'{lab.folder}/ready'
    task = box.start(live_in_chroot, daemon.mnt, f'{lab.folder}/root', ready)
    inside.until(ready)
    daemon = again(lab, daemon)
    repair_is_over(daemon)
    host.write_new(f'{ready}.go')
    equal(task.result(), 256 * 1024, 'MemTotal in the chroot')
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
        child = next(
            int(p)
            for p in os.listdir('/proc')
            if p.isdigit() and host.read(f'/proc/{p}/stat').split(' ')[3] == str(task.pid)
        )
        between(len(ours(daemon.mnt, child)), files, 2 * files, 'mounts in the nested namespace')
        host.write_new(f'{ready}.go')
        equal(task.result()[:2], (0, f'MemTotal:         {256 * 1024} kB\n'), 'nested')
        equal(box.call(total_kb), 256 * 1024, 'MemTotal around it')
        box.close()


def syscall(number, *args):
    result = host.libc.syscall(number, *args)
    if result < 0:
        raise OSError(host.ctypes.get_errno(), f'system call {number}')
    return result


def hold(points, ready):
    """Take mounts away, and put them back once told: dead ones of which no repair knew."""
    trees = []
    for point in points:
        trees.append(syscall(SYS_OPEN_TREE, -100, os.fsencode(point), 1))
        host.umount(point, host.MNT_DETACH)
    host.write_new(ready)
    inside.until(f'{ready}.go')
    for tree, point in zip(trees, points):
        syscall(SYS_MOVE_MOUNT, tree, b'', -100, os.fsencode(point), 4)
    host.write_new(f'{ready}.done')
    inside.sleep()


def dead_files(lab, daemon, box, points):
    """Another instance, and in the container dead files that it has not repaired."""
    ready = f'{lab.folder}/hold{len(lab.made)}'
    box.start(hold, points, ready)
    inside.until(ready)
    daemon = again(lab, daemon)
    repair_is_over(daemon)
    host.write_new(f'{ready}.go')
    inside.until(f'{ready}.done')
    return daemon


def test_dry_run_and_repair_by_hand(lab):
    """--dry-run names the dead files and changes nothing; repair puts them back and names how."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    points = ['/proc/meminfo', '/proc/stat']
    daemon = dead_files(lab, daemon, box, points)
    before = ours(daemon.mnt, box.pid)
    status, out, err = ctl(lab, 'repair', '--dry-run', daemon.mnt)
    equal((status, err), (0, ''), 'status and stderr of --dry-run')
    found = [f'{box.pid} {point} found' for point in points]
    equal(sorted(out.splitlines()[:-1]), found, 'dry run')
    holds(out.splitlines()[-1], 'would put back 2 files in 1 container', 'dry run')
    equal(ours(daemon.mnt, box.pid), before, 'mounts after the dry run')
    equal(box.call(outcome, '/proc/meminfo'), 'ENOTCONN', 'reading after the dry run')
    status, out, err = ctl(lab, 'repair', daemon.mnt)
    equal((status, err), (0, ''), 'status and stderr of repair')
    equal(sorted(out.splitlines()[:-1]), [f'{box.pid} {p} {HOW}' for p in points], 'repair')
    holds(out.splitlines()[-1], 'put back 2 files in 1 container', 'repair')
    equal(box.call(total_kb), 256 * 1024, 'MemTotal')
    status, out, err = ctl(lab, 'repair', daemon.mnt)
    equal((status, len(out.splitlines()), err), (0, 1, ''), 'once more')
    holds(out, 'put back 0 files in 0 containers', 'once more')


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


def test_detach(lab):
    """After detach containers see the host's files, by a live daemon and by a dead one."""
    total = total_kb()
    daemon = lab.start_daemon()
    for alive in (True, False):
        box = lab.container(memory=256 * MIB, daemon=daemon)
        count = len([m for m in ours(daemon.mnt, box.pid) if m[0] != daemon.mnt])
        if not alive:
            daemon.kill_everything()
        status, out, err = ctl(lab, 'detach', '--dry-run', daemon.mnt)
        equal((status, err), (0, ''), 'status and stderr of --dry-run')
        holds(out, f'{box.pid} /proc/meminfo found', 'dry run')
        status, out, err = ctl(lab, 'detach', daemon.mnt)
        equal((status, err), (0, ''), 'status and stderr')
        holds(out, f'{box.pid} /proc/meminfo detached', 'detach')
        ok(len(out.splitlines()) > count, 'a line for each file')
        equal(box.call(total_kb), total, 'MemTotal')
        equal(ours(daemon.mnt, box.pid), [], 'mounts')
        ok(daemon.mounted(), 'the mount point stays')
        box.close()


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
    equal(box.call(outcome, f'{odd}/box/file'), 'ENOTCONN', 'reading while all is dead')
    daemon = lab.start_daemon(mnt=daemon.mnt)
    repaired(box, f'{odd}/box/file')
    equal(box.call(total_kb, f'{odd}/box/file'), 256 * 1024, 'MemTotal')
    status, out, _ = ctl(lab, 'detach', daemon.mnt)
    equal(status, 0, 'detach')
    holds(out, 'a\\040b\\012c\\011d\\134e#f\\134040/box/file detached\n', 'escaped, on one line')


def mount_many(folder, count):
    os.mkdir(folder)
    host.mount('tmpfs', folder, 'tmpfs')
    for i in range(count):
        os.mkdir(f'{folder}/{i}')
        host.mount(folder, f'{folder}/{i}', None, host.MS_BIND)


@needs(timeout=180)
def test_a_container_with_thousands_of_mounts(lab):
    """5,000 mounts beside ours cost a fraction of a second."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    box.call(mount_many, f'{lab.folder}/many', 5000, seconds=60)
    daemon = dead_files(lab, daemon, box, ['/proc/meminfo'])
    start = time.monotonic()
    status, out, err = ctl(lab, 'repair', daemon.mnt)
    between(time.monotonic() - start, 0, 2 * host.SCALE, 'seconds')
    equal((status, err), (0, ''), 'status and stderr')
    holds(out, f'{box.pid} /proc/meminfo {HOW}', 'repair')


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


def bind_over(source, target):
    host.mount(source, target, None, host.MS_BIND)


@needs(timeout=120)
def test_a_container_that_hangs_is_given_up(lab):
    """One that mounted our file below a file system that never answers does not stop the rest."""
    trap = lab.start_daemon()
    daemon = lab.start_daemon()
    first = lab.container(daemon=daemon, binds=[])
    box = lab.container(memory=256 * MIB, daemon=daemon)
    below = f'{trap.mnt}/containers/{first.pid}/proc/uptime'
    first.call(bind_over, f'{daemon.mnt}/proc/uptime', below)
    repair_is_over(trap)
    for pid in [trap.pid, trap.worker()]:
        os.kill(pid, 19)
    try:
        time.sleep(1.5)
        daemon = again(lab, daemon)
        repaired(box)
        eventually(lambda: 'takes too long' in daemon.log(), 'the log names it', 20)
        repair_is_over(daemon)
        equal(box.call(total_kb), 256 * 1024, 'MemTotal')
    finally:
        for pid in [trap.worker(), trap.pid]:
            os.kill(pid, 18)


STATUS = '''version 0.1.0
mountpoint /a\\040b
uptime_ms 93784000
keeper_pid 12
standby_pid 0
resend no
beneath yes
requests 18446744073709551615
new_word what\\040is\\012it
restart 2500 killed\\040by\\040signal\\0409
'''


def answer_once(path, text):
    """A daemon as far as the control socket goes: what it was asked is returned by the thread."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.bind(path)
    sock.listen()
    asked = []

    def serve():
        client, _ = sock.accept()
        asked.append(client.recv(1000))
        client.send(text.encode())
        client.close()
        sock.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread, asked


def told(lab, text, *options):
    mnt = f'{lab.folder}/told'
    path = f"/run/lxcfs-clone/{urllib.parse.quote(mnt, safe='')}.sock"
    os.makedirs('/run/lxcfs-clone', exist_ok=True)
    thread, asked = answer_once(path, text)
    try:
        result = ctl(lab, 'status', *options, mnt)
        thread.join(5)
        equal(asked, [b'status\n'], 'request')
    finally:
        os.unlink(path)
    return result


def test_status_for_people_and_programs(lab):
    """Each line of the daemon's answer is shown; --json has numbers, booleans and plain text."""
    status, out, err = told(lab, STATUS)
    equal((status, err), (0, ''), 'status and stderr')
    for line in ('up +1 d 02:03:04', 'keeper +12', 'standby +none', r'mount point +/a\\040b'):
        ok(re.search(f'^{line}$', out, re.M), f'{line} in {out}')
    holds(out, '2 s ago: killed by signal 9\n', 'restarts')
    status, out, err = told(lab, STATUS, '--json')
    equal((status, err), (0, ''), 'status and stderr of --json')
    got = json.loads(out)
    equal(got['mountpoint'], '/a b', 'mountpoint')
    equal((got['keeper_pid'], got['resend'], got['beneath']), (12, False, True), 'values')
    equal(got['new_word'], 'what is\nit', 'a word that it does not know')
    equal(got['recent_restarts'], [{'age_ms': 2500, 'reason': 'killed by signal 9'}], 'restarts')
    status, out, err = told(lab, 'error no such thing\n')
    equal((status, out), (1, ''), 'an error')
    holds(err, 'no such thing', 'an error')


def test_command_line(lab):
    """Help fits a screen; what is wrong is one sentence and a status."""
    status, out, err = ctl(lab, '--help')
    equal((status, err), (0, ''), 'help')
    between(len(out.splitlines()), 5, 24, 'lines')
    for argv, wanted, word in (
        ((), 2, 'command'),
        (('mend',), 2, "'mend'"),
        (('repair', '--json'), 2, "'--json'"),
        (('repair', '/a', '/b'), 2, "'/b'"),
        (('repair', f'{lab.folder}/nowhere'), 1, f'{lab.folder}/nowhere'),
        (('detach', f'{lab.folder}/nowhere'), 1, f'{lab.folder}/nowhere'),
        (('status', f'{lab.folder}/nowhere'), 1, f'{lab.folder}/nowhere'),
    ):
        status, out, err = ctl(lab, *argv)
        equal((status, out, len(err.splitlines())), (wanted, '', 1), f'{argv}')
        holds(err, word, f'{argv}')
    daemon = lab.start_daemon()
    daemon.kill_everything()
    status, out, err = ctl(lab, 'repair', daemon.mnt)
    equal((status, out), (1, ''), 'repair without a daemon')
    holds(err, f'no lxcfs-clone serves {daemon.mnt}: start it first', 'repair without a daemon')


def test_the_id_goes_with_a_failed_start_alone(lab):
    """An instance keeps its id over restarts; a start that fails leaves none behind."""
    daemon = lab.start_daemon()
    source = [m for m in host.read('/proc/self/mountinfo').split('\n') if f'@{daemon.mnt}' in m]
    daemon.stop()
    lab.start_daemon(mnt=daemon.mnt)
    later = [m for m in host.read('/proc/self/mountinfo').split('\n') if f'@{daemon.mnt}' in m]
    name = re.compile(r'#\S+|\\043\S+')
    equal(name.findall(later[0]), name.findall(source[0]), 'id')
    mnt = f'{lab.folder}/full'
    os.makedirs(f'{mnt}/something')
    ok(lab.execute(lab.run.binary, mnt)[0] != 0, 'a mount point that is not empty')
    ok(not any('full' in n for n in os.listdir('/run/lxcfs-clone')), 'files below /run')
