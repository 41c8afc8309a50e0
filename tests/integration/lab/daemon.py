# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon under test: started on a mount point of its own, watched, stopped."""

import fcntl
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import time
import urllib.parse

from lab import host
from lab.check import Failure

WORKER = 'lxcfs-worker'
HOLDER = 'lxcfs-holder'
REPAIR = 'lxcfs-repair'
SANITIZER_MARKS = ('AddressSanitizer', 'ThreadSanitizer', 'LeakSanitizer', 'runtime error:')


class Daemon:
    """One instance. `hidden` names v1 controllers whose hierarchy it cannot see; with `journal` it
    is told that its log goes to the journal; with `store` we keep descriptors as systemd does."""

    def __init__(
        self,
        binary,
        mnt,
        folder,
        group,
        *options,
        hidden=(),
        env=None,
        journal=False,
        store=False,
    ):
        self.mnt, self.group, self.hidden = mnt, group, hidden
        self.log_path = f'{folder}/log'
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(f'{folder}/notify')
        self.argv = [binary, *options, mnt]
        self.env = dict(os.environ, NOTIFY_SOCKET=f'{folder}/notify', **(env or {}))
        self.journal = journal
        self.store, self.stored = store, {}
        self.executed = mmap.mmap(-1, mmap.PAGESIZE)
        self.start()

    def start(self, prefix=(), **options):
        """The first instance, or another one after its end."""
        with open(self.log_path, 'ab') as log:
            env = dict(self.env)
            if self.journal:
                about = os.fstat(log.fileno())
                env['JOURNAL_STREAM'] = f'{about.st_dev}:{about.st_ino}'
            self.process = subprocess.Popen(
                [*prefix, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                preexec_fn=self._before_exec,
                **options,
            )
        self.pid = self.process.pid
        self._wait_ready()

    def _before_exec(self):
        self.group.join()
        if self.hidden:
            host.unshare(host.CLONE_NEWNS)
            host.mount(None, '/', None, host.MS_REC | host.MS_PRIVATE)
            for point in {host.V1[name] for name in self.hidden}:
                host.umount(point, host.MNT_DETACH)
        struct.pack_into('Q', self.executed, 0, time.monotonic_ns())

    def executed_ns(self):
        """When the last instance's program was executed (CLOCK_MONOTONIC)."""
        return struct.unpack_from('Q', self.executed)[0]

    def _wait_ready(self):
        deadline = time.monotonic() + 10 * host.SCALE
        while time.monotonic() < deadline:
            if select.select([self.notify], [], [], 0.02)[0]:
                if 'READY=1' in self.hear():
                    return
            elif self.process.poll() is not None:
                raise Failure(
                    f'the daemon ended with {self.process.returncode} at its start: {self.tail()}'
                )
        raise Failure(f'the daemon was not ready in time: {self.tail()}')

    def hear(self):
        """The lines of the next message to the service manager; it stores what it is to."""
        message, fds, _flags, _address = socket.recv_fds(self.notify, 65536, 4)
        lines = message.decode().split('\n')
        name = next((line[7:] for line in lines if line.startswith('FDNAME=')), 'stored')
        if 'FDSTOREREMOVE=1' in lines:
            for fd in self.stored.pop(name, []):
                os.close(fd)
        for fd in fds:
            if self.store:
                copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50)
                self.stored.setdefault(name, []).append(copy)
            os.close(fd)
        return lines

    def hear_all(self):
        while self.notify.fileno() >= 0 and select.select([self.notify], [], [], 0)[0]:
            self.hear()

    def forget_stored(self):
        for fd in sum(self.stored.values(), []):
            os.close(fd)
        self.stored = {}

    def path(self, name):
        return self.mnt + name

    def log(self):
        return host.read(self.log_path)

    def tail(self):
        """The end of the log, and who there is."""
        there = '; '.join(
            f'{pid} {name} child of {parent}' for pid, (parent, name, _) in self.processes().items()
        )
        return f'{self.log()[-3000:]}processes: {there or "none"}'

    def processes(self):
        """Whoever has our mount point in its command line, by pid: (parent, name, arguments). A
        holder is none of the instance's."""
        self.hear_all()
        found, here = {}, os.readlink('/proc/self/ns/pid')
        for name in filter(str.isdigit, os.listdir('/proc')):
            try:
                line = host.read(f'/proc/{name}/cmdline').split('\0')
                # A launcher is told where we are. One in a container may have the same mount point
                # in its own namespace.
                if self.mnt not in line or line[1] == 'run' or os.readlink(f'/proc/{name}/ns/pid') != here:
                    continue
                left, _, right = host.read(f'/proc/{name}/stat').rpartition(')')
                about = int(right.split()[1]), left.split('(', 1)[1], line
                if about[1] != HOLDER:
                    found[int(name)] = about
            except OSError:
                continue
        return found

    def _wait(self, fits, other_than, seconds, what):
        """The pid of the one that fits. A fork of it that is to become something else fits not."""
        deadline = time.monotonic() + seconds * host.SCALE
        while time.monotonic() < deadline:
            fitting = {pid: about for pid, about in self.processes().items() if fits(*about)}
            for pid, (parent, *_) in sorted(fitting.items()):
                if parent not in fitting and pid != other_than:
                    return pid
            time.sleep(0.005)
        raise Failure(f'there is no {what}: {self.tail()}')

    def keeper(self, other_than=None, seconds=5):
        """The pid of the process that keeps the mount; it may die and be made anew."""
        return self._wait(
            lambda _parent, _name, line: not _is_worker(line), other_than, seconds, 'keeper'
        )

    def children(self):
        """The pids of all but the keeper."""
        return [pid for pid, (_, _, line) in self.processes().items() if _is_worker(line)]

    def worker(self, other_than=None, seconds=5):
        """The pid of the process that serves: one that stands by has another name."""
        return self._wait(
            lambda _parent, name, line: name == WORKER and _is_worker(line),
            other_than,
            seconds,
            'worker',
        )

    def kill_worker(self):
        """SIGKILL the worker; its pid, once another has its place."""
        old = self.worker()
        os.kill(old, signal.SIGKILL)
        self.worker(old)
        return old

    def mounted(self):
        return any(point == self.mnt for point, *_ in host.mounts())

    def own_kb(self):
        """Memory of keeper and worker that is theirs alone: no program text, no libraries."""
        total = 0
        for pid in self.processes():
            for line in host.read(f'/proc/{pid}/smaps_rollup').splitlines():
                if line.startswith(('Pss_Anon:', 'Pss_Shmem:')):
                    total += int(line.split()[1])
        return total

    def descriptors(self):
        return sum(len(os.listdir(f'/proc/{pid}/fd')) for pid in self.processes())

    def repairers(self):
        """They look for what a dead instance left in containers; the keeper's own child first."""
        there = {pid: up for pid, (up, name, _) in self.processes().items() if name == REPAIR}
        return sorted(there, key=lambda pid: there[pid] in there)

    def told(self, key):
        """What the keeper tells of itself on its control socket; None where it cannot be asked."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
            asking.settimeout(5)
            try:
                asking.connect(f"/run/lxcfs-clone/{urllib.parse.quote(self.mnt, safe='')}.sock")
                asking.send(b'status\n')
                lines = asking.recv(65536).decode().split('\n')
            except OSError:
                return None
        return next((line.partition(' ')[2] for line in lines if line.startswith(f'{key} ')), None)

    def stop(self, number=signal.SIGTERM):
        """Ask it to end; its exit status (of the first keeper: later ones have other parents)."""
        first = self.process.poll() is None
        if first:
            self.process.send_signal(number)
        else:
            os.kill(self.keeper(), number)
        deadline = time.monotonic() + 10 * host.SCALE
        while self.process.poll() is None if first else self.processes():
            if time.monotonic() > deadline:
                raise Failure(f'the daemon did not end in time: {self.tail()}')
            time.sleep(0.002)
        return self.process.returncode if first else 0

    def kill_everything(self):
        """SIGKILL keeper and workers at once: the mount is left behind dead."""
        everyone = set()
        # More than once: whoever is killed later may have started another one first.
        while now := [pid for pid in self.processes() if not _asks_the_dead(pid)]:
            everyone.update(now)
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in now:
                    try:
                        os.kill(pid, number)
                    except ProcessLookupError:
                        pass
            time.sleep(0.002)
        self.process.wait()
        # A zombie has closed its descriptors, the lock among them.
        while any(host.is_alive(pid) and not _asks_the_dead(pid) for pid in everyone):
            time.sleep(0.002)

    def close(self):
        """End it in any case; complain when it does not end as it should."""
        trouble = ''
        # What dies with its keeper may be seen for a moment longer.
        deadline = time.monotonic() + 1 * host.SCALE
        while (left := self.processes()) and time.monotonic() < deadline:
            if not all(name == REPAIR or _is_worker(line) for _, name, line in left.values()):
                break
            time.sleep(0.005)
        if left:
            try:
                status = self.stop()
                if status:
                    trouble = f'exit status {status} after SIGTERM'
                elif self.mounted():
                    trouble = 'still mounted after it ended'
            except Failure as failure:
                trouble = str(failure)
                self.kill_everything()
        if self.mounted():
            for flags in (host.MNT_FORCE, host.MNT_DETACH):
                try:
                    host.umount(self.mnt, flags | host.UMOUNT_NOFOLLOW)
                except OSError:
                    pass
        self.forget_stored()
        self.notify.close()
        log = self.log()
        if any(mark in log for mark in SANITIZER_MARKS):
            trouble = 'a sanitizer complains'
        if trouble:
            raise Failure(f'daemon: {trouble}: {self.tail()}')


def _asks_the_dead(pid):
    """One that repairs has asked the mount, and is dead when that is: whoever has its descriptor keeps
    both as they are."""
    try:
        left, _, right = host.read(f'/proc/{pid}/stat').rpartition(')')
        return left.endswith(f'({REPAIR}') and right.split()[0] == 'D'
    except OSError:
        return False


def _is_worker(line):
    return any(word.startswith('--worker') for word in line)
