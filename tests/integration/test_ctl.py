# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clonectl: repair and detach by hand, status; whose mounts are whose."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

from lab import MIB, host, inside
from lab.bound import HOW, again, ctl, dead_files, ours, outcome, repair_is_over, repaired, total_kb
from lab.check import between, equal, eventually, holds, ok, raises

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


def test_restarts_are_of_workers_that_served(lab):
    """A dead one that stood by is none."""
    daemon = lab.start_daemon()

    def restarts():
        status, out, err = ctl(lab, 'status', '--json', daemon.mnt)
        equal((status, err), (0, ''), 'status and stderr')
        got = json.loads(out)
        equal(len(got['recent_restarts']), got['restarts'], 'reasons')
        return got['restarts']

    def standby():
        return [pid for pid, (_, name, _) in daemon.processes().items() if name == 'lxcfs-standby']

    eventually(standby, 'one stands by')
    (old,) = standby()
    os.kill(old, signal.SIGKILL)
    eventually(lambda: standby() not in ([], [old]), 'another one stands by')
    equal(restarts(), 0, 'restarts after one that stood by died')
    daemon.kill_worker()
    equal(restarts(), 1, 'restarts after the worker died')


def test_a_dead_file_that_is_served_no_more(lab):
    """Of a process that has ended, say: it is told, and not that all is well."""
    daemon = lab.start_daemon()
    gone = lab.container(daemon=daemon, binds=[])
    box = lab.container(daemon=daemon, binds=[])
    box.call(host.mount, f'{daemon.mnt}/containers/{gone.pid}/proc/uptime', '/proc/uptime', None, host.MS_BIND)
    daemon.kill_everything()
    gone.close()
    daemon.start()
    eventually(lambda: 'cannot put back /proc/uptime' in daemon.log(), 'the log says it')
    status, out, _err = ctl(lab, 'repair', '--dry-run', daemon.mnt)
    holds(out, f'{box.pid} /proc/uptime found', 'dry run')
    status, _out, err = ctl(lab, 'repair', daemon.mnt)
    equal(status, 1, 'status')
    holds(err, 'No such file or directory', 'repair')


def test_a_dead_file_below_the_containers_own(lab):
    """What a container has mounted over it is the container's: nothing is wrong."""
    daemon = lab.start_daemon()
    box = lab.container(daemon=daemon, binds=['uptime', 'stat'])
    box.call(host.mount, '/dev/null', '/proc/uptime', None, host.MS_BIND)
    daemon = again(lab, daemon)
    repaired(box, '/proc/stat')
    repair_is_over(daemon)
    status, out, err = ctl(lab, 'repair', daemon.mnt)
    equal((status, err), (0, ''), 'repair')
    holds(out, 'put back 0 files in 0 containers', 'repair')
    ok('not all files' not in daemon.log(), daemon.log())


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
        left = [point for point, *_ in ours(daemon.mnt, box.pid)]
        ok(set(left) <= {daemon.mnt}, f'mounts left: {left}')
        ok(daemon.mounted(), 'the mount point stays')
        box.close()


def test_detach_leaves_a_services_copy_of_the_mount_point(lab):
    """A namespace that only has the mount point's copy is no container."""
    daemon = lab.start_daemon()
    with subprocess.Popen(['unshare', '--mount', 'sleep', '1000']) as service:
        try:
            there = f'/proc/{service.pid}/ns/mnt'
            here = os.readlink('/proc/self/ns/mnt')
            eventually(lambda: os.readlink(there) != here, 'a namespace')
            before = ours(daemon.mnt, service.pid)
            equal(len(before), 1, 'copies')
            status, out, err = ctl(lab, 'detach', daemon.mnt)
            equal((status, err), (0, ''), 'status and stderr')
            holds(out, 'detached 0 files in 0 containers', 'detach')
            equal(ours(daemon.mnt, service.pid), before, 'mounts')
        finally:
            service.kill()


def test_a_daemon_that_does_not_answer(lab):
    """Stopped, it is named in one sentence within seconds; its files can still be taken away."""
    daemon = lab.start_daemon()
    box = lab.container(memory=256 * MIB, daemon=daemon)
    repair_is_over(daemon)  # stopped in the midst of it, it would keep its lock
    processes = list(daemon.processes())
    try:
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        for argv in (('status',), ('repair',)):
            start = time.monotonic()
            status, out, err = ctl(lab, *argv, daemon.mnt)
            between(time.monotonic() - start, 0, 6.5 * host.SCALE, f'seconds of {argv}')
            equal((status, out, len(err.splitlines())), (1, '', 1), f'{argv}')
            holds(err, f'(process {daemon.pid}) does not answer', f'{argv}')
        status, out, err = ctl(lab, 'detach', daemon.mnt)
        equal((status, err), (0, ''), 'detach')
        holds(out, f'{box.pid} /proc/meminfo detached', 'detach')
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: ctl(lab, 'repair', daemon.mnt)[0] == 0, 'repair once it goes on')


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
    os.mkdir(mnt)
    host.write_new(f'{mnt}/something')
    ok(lab.execute(lab.run.binary, mnt)[0] != 0, 'a mount point that is not empty')
    ok(not any('full' in n for n in os.listdir('/run/lxcfs-clone')), 'files below /run')


def forge(source, folder):
    """A file system that calls itself ours and never answers."""
    os.mkdir(folder)
    fd = os.open('/dev/fuse', os.O_RDWR)
    data = f'fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other'
    host.mount(source, folder, 'fuse.lxcfs-clone', 6, data)
    host.write_new(f'{folder}.ready')
    inside.sleep()


def test_a_forged_mount(lab):
    """What a container mounts under our name is repaired; others are for the host's root alone."""
    daemon = lab.start_daemon()
    box, user = lab.container(daemon=daemon), lab.container(daemon=daemon, user=True)
    line = next(m for m in host.read('/proc/self/mountinfo').split('\n') if f'@{daemon.mnt}' in m)
    source = host.unescape(line.partition(' - ')[2].split(' ')[1])
    folder = f'{lab.folder}/forged'
    box.start(forge, source, folder)
    inside.until(f'{folder}.ready')
    status, out, err = ctl(lab, 'repair', daemon.mnt)
    equal((status, err), (0, ''), 'status and stderr')
    holds(out, f'{folder} {HOW}\n', 'repair')
    ok(box.read(f'{folder}/proc/uptime'), 'our tree')
    raises(errno.EACCES, user.call, os.listdir, f'{daemon.mnt}/containers', what='others')
