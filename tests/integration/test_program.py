# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line, the start and the end of the program."""

import contextlib
import os
import re
import signal
import subprocess
import time
import urllib.parse

from lab import MIB, host, parse
from lab.check import between, equal, eventually, needs, ok

LOCKS = '/run/lxcfs-clone'


def run(lab, *argv):
    """The program to its end: (status, stdout, stderr)."""
    return lab.execute(lab.run.binary, *argv)


def refuses(result, *words):
    """It fails with one clear sentence that names the object."""
    status, out, err = result
    ok(0 < status < 128, f'exit status {status}')
    equal(out, '', 'stdout')
    lines = err.strip().splitlines()
    equal(len(lines), 1, f'lines in {err!r}')
    for word in words:
        ok(word.lower() in err.lower(), f'no {word!r} in {err!r}')


def no_mount(path):
    ok(all(point != path for point, *_ in host.mounts()), f'something is mounted on {path}')


def locks(lab):
    """The locks that instances on mount points in the test's folder hold, or left."""
    return [name for name in run_files(lab) if name.endswith('.lock')]


def run_files(lab):
    """All that they have below /run."""
    mine = urllib.parse.quote(lab.folder, safe='')
    names = os.listdir(LOCKS) if os.path.isdir(LOCKS) else []
    return [name for name in names if name.startswith(mine)]


def nothing_left(lab, path):
    """After a failed start: no mount, no lock, no mount point that was not there before."""
    no_mount(path)
    equal(run_files(lab), [], 'locks and ids')
    ok(not os.path.exists(path), f'{path} was made and is left')


def test_help_fits_a_screen(lab):
    """--help succeeds, names every option and fits 24 lines of 80 columns."""
    status, out, err = run(lab, '--help')
    equal((status, err), (0, ''), 'status and stderr')
    lines = out.rstrip('\n').split('\n')
    between(len(lines), 5, 24, 'lines')
    between(max(map(len, lines)), 20, 80, 'columns')
    for option in (
        '--version',
        '--no-cpu-quota',
        '--disable-swap',
        '--disable-loadavg',
        '--holder',
        '-p',
        '-o',
        '-d',
        '-f',
        '-u',
    ):
        ok(option in out, f'no {option} in the help')
    ok('MOUNTPOINT' in out, 'no MOUNTPOINT in the help')


def test_version_is_one_line(lab):
    """--version prints the name and a number."""
    status, out, err = run(lab, '--version')
    equal((status, err), (0, ''), 'status and stderr')
    ok(re.fullmatch(r'lxcfs-clone \d+(\.\d+)*\S*\n', out), f'version {out!r}')


def test_bad_option(lab):
    """An unknown option, and one mount point too many: one sentence and a status."""
    refuses(run(lab, '--no-such-option', f'{lab.folder}/made'), '--no-such-option')
    nothing_left(lab, f'{lab.folder}/made')
    refuses(run(lab, f'{lab.folder}/a', f'{lab.folder}/b'))
    for name in 'ab':
        nothing_left(lab, f'{lab.folder}/{name}')
    no_mount(lab.folder)


def test_bad_fuse_option(lab):
    """A mount option that nobody knows is refused by name, nothing is left mounted."""
    os.mkdir(f'{lab.folder}/mnt')
    refuses(run(lab, '-o', 'nosuchoption', f'{lab.folder}/mnt'), 'nosuchoption')
    no_mount(f'{lab.folder}/mnt')
    ok(os.path.isdir(f'{lab.folder}/mnt'), 'a mount point that was there is gone')
    refuses(run(lab, '-o', 'nosuchoption', f'{lab.folder}/made'), 'nosuchoption')
    nothing_left(lab, f'{lab.folder}/made')


def test_options_of_lxcfs_are_accepted(lab):
    """-f -l --enable-cfs --enable-pidfd mean what is on already."""
    daemon = lab.start_daemon('-f', '-l', '--enable-cfs', '--enable-pidfd', '-o', 'allow_other')
    box = lab.container(daemon=daemon, memory=256 * MIB, cpus=1)
    equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')
    equal(parse.stat_cpus(box.read('/proc/stat')), host.CPUS[:1], 'CPUs')


def test_sigterm_and_sigint_unmount_and_exit_0(lab):
    """Both signals end it with status 0 and without a mount."""
    for number in (signal.SIGTERM, signal.SIGINT):
        daemon = lab.start_daemon()
        workers = daemon.children()
        host.read(daemon.path('/proc/meminfo'))
        equal(daemon.stop(number), 0, f'status after signal {number}')
        no_mount(daemon.mnt)
        for pid in workers:
            ok(not os.path.exists(f'/proc/{pid}'), f'worker {pid} is left')


def test_sigterm_while_containers_hold_files(lab):
    """Ends at once though containers have its files bound and open."""
    daemon = lab.start_daemon()
    box = lab.container(daemon=daemon)
    box.start(hold, '/proc/meminfo')
    eventually(lambda: len(box.tasks) == 1, 'the holder runs')
    start = time.monotonic()
    equal(daemon.stop(), 0, 'exit status')
    between(time.monotonic() - start, 0, 3 * host.SCALE, 'seconds to the end')
    no_mount(daemon.mnt)


def hold(path):
    with open(path, 'rb') as file:
        file.read()
        time.sleep(1000)


def test_missing_mount_point_is_made(lab):
    """A mount point that is missing is made, with its parents' last folder."""
    daemon = lab.start_daemon(mnt=f'{lab.folder}/made')
    ok(daemon.mounted(), 'mounted')
    ok(host.read(daemon.path('/proc/meminfo')), 'meminfo')


def test_second_instance_on_the_same_mount_point(lab):
    """The second is refused; the first goes on undisturbed."""
    daemon = lab.daemon
    refuses(run(lab, daemon.mnt), daemon.mnt)
    ok(host.read(daemon.path('/proc/meminfo')), 'meminfo of the first')
    equal(sum(point == daemon.mnt for point, *_ in host.mounts()), 1, 'mounts')


def test_two_instances_on_two_mount_points(lab):
    """Two instances serve side by side."""
    first, second = lab.start_daemon(), lab.start_daemon('--no-cpu-quota')
    group = lab.cgroup(cpus=1)
    for daemon, cpus in ((first, 1), (second, len(host.CPUS))):
        box = lab.container(group=group, daemon=daemon)
        equal(len(parse.stat_cpus(box.read('/proc/stat'))), cpus, 'CPUs')
        box.close()


def test_mount_point_is_a_file(lab):
    """A file as mount point is refused by name."""
    path = f'{lab.folder}/file'
    host.write_new(path, 'x')
    refuses(run(lab, path), path)
    equal(host.read(path), 'x', 'the file')
    equal(locks(lab), [], 'locks')


def test_mount_point_that_is_not_empty(lab):
    """Refused in a sentence that names the option; with it, mounted and given back untouched."""
    mnt = f'{lab.folder}/mnt'
    os.mkdir(mnt)
    host.write_new(f'{mnt}/file', 'x')
    refuses(run(lab, mnt), mnt, '-o nonempty')
    no_mount(mnt)
    equal(locks(lab), [], 'locks')
    daemon = lab.start_daemon('-o', 'nonempty', mnt=mnt)
    ok(daemon.mounted(), 'mounted')
    ok(host.read(daemon.path('/proc/meminfo')), 'meminfo')
    equal(len(locks(lab)), 1, 'locks of one that serves')
    equal(daemon.stop(), 0, 'exit status')
    equal(host.read(f'{mnt}/file'), 'x', 'the file below')
    equal(locks(lab), [], 'locks after its end')


def test_mount_point_that_engines_made_folders_in(lab):
    """docker run -v makes what is missing, as folders, while nobody serves: no reason to refuse."""
    mnt = f'{lab.folder}/mnt'
    os.makedirs(f'{mnt}/proc/meminfo')
    os.makedirs(f'{mnt}/sys/devices/system/cpu')
    daemon = lab.start_daemon(mnt=mnt)
    ok(host.read(daemon.path('/proc/meminfo')), 'meminfo')
    equal(daemon.stop(), 0, 'exit status')
    os.symlink('/', f'{mnt}/sys/devices/system/node')
    refuses(run(lab, mnt), mnt, '-o nonempty')


def test_mount_point_is_a_link_to_nothing(lab):
    """The sentence says that what it points to is missing."""
    path = f'{lab.folder}/link'
    os.symlink('nothing', path)
    refuses(run(lab, path), path, 'no such file')
    equal(os.readlink(path), 'nothing', 'the link')
    equal(locks(lab), [], 'locks')


def test_outside_the_hosts_pid_namespace(lab):
    """A warning: who is outside of it cannot be told apart."""
    mnt = f'{lab.folder}/mnt'
    command = ['unshare', '--pid', '--fork', '--kill-child', lab.run.binary, mnt]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        first = process.stderr.readline()
        eventually(lambda: os.path.ismount(mnt), 'mounted')
        process.kill()
    subprocess.run(['umount', '-l', mnt], check=True)
    ok("not the host's pid namespace" in first, f'log {first!r}')


def test_no_fuse_device(lab):
    """Without /dev/fuse: a sentence that names it, nothing mounted."""
    mnt = f'{lab.folder}/made'
    script = 'mount -t tmpfs tmpfs /dev && exec "$@" 2>&1 >/dev/null'
    status, out, err = lab.execute(
        'unshare', '-m', 'sh', '-c', script, 'sh', lab.run.binary, mnt
    )
    refuses((status, '', err or out), '/dev/fuse')
    nothing_left(lab, mnt)


@needs(tools='setpriv')
def test_not_root(lab):
    """Another user is told that root is needed."""
    # Where another user may make folders.
    os.mkdir(f'{lab.folder}/open')
    os.chmod(f'{lab.folder}/open', 0o777)
    mnt = f'{lab.folder}/open/made'
    argv = ('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')
    result = lab.execute(*argv, lab.run.binary, mnt)
    if result[0] == 126 or 'failed to execute' in result[2]:
        copy = f'{lab.folder}/program'
        with open(lab.run.binary, 'rb') as source, open(copy, 'wb') as target:
            target.write(source.read())
        os.chmod(copy, 0o755)
        result = lab.execute(*argv, copy, mnt)
    refuses(result, 'root')
    nothing_left(lab, mnt)


def test_stale_mount_is_cleaned_up(lab):
    """After SIGKILL of everything a new start clears the dead mount away and serves."""
    first = lab.start_daemon()
    host.read(first.path('/proc/meminfo'))
    first.kill_everything()
    ok(first.mounted(), 'the dead mount is there')
    try:
        host.read(first.path('/proc/meminfo'))
        ok(False, 'the dead mount answers')
    except OSError:
        pass
    second = lab.start_daemon(mnt=first.mnt)
    box = lab.container(daemon=second, memory=256 * MIB)
    equal(parse.meminfo(box.read('/proc/meminfo'))['MemTotal'], 256 * 1024, 'MemTotal')
    equal(sum(point == first.mnt for point, *_ in host.mounts()), 1, 'mounts')


def test_foreign_mount_is_left_alone(lab):
    """A live mount of another kind on the mount point is not taken away."""
    mnt = f'{lab.folder}/mnt'
    os.mkdir(mnt)
    host.mount('tmpfs', mnt, 'tmpfs')
    lab.later(host.umount, mnt, host.MNT_DETACH)
    host.write_new(f'{mnt}/file', 'x')
    process = lab.execute('timeout', '2', lab.run.binary, mnt)
    ok(process[0] != 0, 'exit status')
    equal(host.read(f'{mnt}/file'), 'x', 'the file below')


def test_pid_file(lab):
    """-p writes the keeper's pid, and the file goes with it."""
    path = f'{lab.folder}/pid'
    daemon = lab.start_daemon('-p', path)
    equal(host.read(path), f'{daemon.pid}\n', 'pid file')
    equal(daemon.stop(), 0, 'exit status')
    ok(not os.path.exists(path), 'the pid file is left')


def test_serves_at_the_priority_that_it_was_given(lab):
    """However much in haste it starts: each thread, also of those that come later."""
    daemon = lab.start_daemon()
    daemon.stop()
    given = os.getpriority(os.PRIO_PROCESS, 0) + 3
    daemon.start(prefix=('nice', '-n', '3'))

    def all_have_it(worker):
        standby = [pid for pid in host.children(daemon.pid) if pid != worker]
        tasks = [daemon.pid, *standby, *map(int, os.listdir(f'/proc/{worker}/task'))]
        values = set()
        for task in tasks:
            with contextlib.suppress(ProcessLookupError):
                values.add(os.getpriority(os.PRIO_PROCESS, task))
        return standby and len(tasks) > 3 and values == {given}

    worker = daemon.worker()
    eventually(lambda: all_have_it(worker), 'priority at the start')
    for pid, number in ((worker, signal.SIGKILL), (daemon.pid, signal.SIGHUP)):
        os.kill(pid, number)
        worker = daemon.worker(other_than=worker)
        eventually(lambda worker=worker: all_have_it(worker), f'priority after {number!r}')


def test_quiet_by_default(lab):
    """A start, some reads and an end log a few lines at most, none of a problem."""
    daemon = lab.start_daemon()
    box = lab.container(daemon=daemon, memory=256 * MIB)
    for name in os.listdir(daemon.path('/proc')):
        box.read(f'/proc/{name}')
    daemon.stop()
    log = daemon.log()
    between(len(log.splitlines()), 0, 5, f'lines in {log!r}')
    ok(not re.search(r'error|warning|fail|critical', log, re.I), f'log {log!r}')


def test_debug_log(lab):
    """-d logs more than without it, and says so in each line that is there for it alone."""
    counts = []
    for options in ((), ('-d',)):
        daemon = lab.start_daemon(*options)
        lab.container(daemon=daemon).read('/proc/meminfo')
        daemon.stop()
        counts.append(daemon.log().count('debug'))
    equal(counts[0], 0, 'debug lines without -d')
    ok(counts[1] > 0, 'no debug line with -d')


def test_journald_prefixes(lab):
    """Under systemd (JOURNAL_STREAM names stderr) lines begin with their level."""
    daemon = lab.start_daemon('-d', journal=True)
    lab.container(daemon=daemon).read('/proc/meminfo')
    log = eventually(daemon.log, 'a log')
    for line in log.splitlines():
        ok(re.match(r'<[0-7]>', line), f'line {line!r}')


@needs(timeout=90)
def test_container_cannot_fill_the_log(lab):
    """15 crashes of the worker and thousands of failing requests leave a short log."""
    daemon = lab.start_daemon()
    box = lab.container(daemon=daemon)
    for _ in range(15):
        daemon.kill_worker()
        box.read('/proc/meminfo')
    box.call(pester, daemon.mnt, 3000 if not host.GUEST else 300)
    between(len(daemon.log().splitlines()), 0, 120, 'log lines')


def pester(mnt, count):
    for number in range(count):
        for path in (f'{mnt}/proc/x{number}', f'{mnt}/containers/{number}/proc/meminfo'):
            try:
                host.read(path)
            except OSError:
                pass


def test_mount_options(lab):
    """Read-only for its users, nosuid, nodev, and a type that names the program."""
    point = lab.daemon.mnt
    fstype = next(kind for where, _root, kind, _options in host.mounts() if where == point)
    equal(fstype, 'fuse.lxcfs-clone', 'type')
    line = next(line for line in host.read('/proc/self/mounts').splitlines() if point in line)
    options = line.split()[3].split(',')
    for option in ('ro', 'nosuid', 'nodev', 'allow_other', 'default_permissions'):
        ok(option in options, f'no {option} in {options}')


def test_service_file(_lab):
    """The unit starts before what starts containers. (Lint has systemd-analyze look at it.)"""
    unit = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../lxcfs-clone.service')
    text = host.read(unit)
    for line in ('Type=notify', 'Restart=always'):
        ok(line in text.splitlines(), f'no {line}')
    before = ' '.join(re.findall(r'^Before=(.*)$', text, re.M))
    for service in ('docker', 'containerd', 'podman', 'kubelet', 'lxc'):
        ok(f'{service}.service' in before, f'not before {service}')
