# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon under test: started on a mount point of its own, watched, stopped."""

import os
import select
import signal
import socket
import subprocess
import time

from lab import host
from lab.check import Failure

SANITIZER_MARKS = ('AddressSanitizer', 'ThreadSanitizer', 'LeakSanitizer', 'runtime error:')


class Daemon:
    """One instance. `hidden` names v1 controllers whose hierarchy it cannot see; with `journal` it
    is told that its log goes to the journal."""

    def __init__(self, binary, mnt, folder, group, *options, hidden=(), env=None, journal=False):
        self.mnt, self.group, self.hidden = mnt, group, hidden
        self.log_path = f'{folder}/log'
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(f'{folder}/notify')
        with open(self.log_path, 'wb') as log:
            about = os.fstat(log.fileno())
            stream = {'JOURNAL_STREAM': f'{about.st_dev}:{about.st_ino}'} if journal else {}
            self.process = subprocess.Popen(
                [binary, *options, mnt],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ, NOTIFY_SOCKET=f'{folder}/notify', **stream, **(env or {})),
                preexec_fn=self._before_exec,
            )
        self.pid = self.process.pid
        self._wait_ready()

    def _before_exec(self):
        if host.KIND == 'v2':
            self.group.join()
        else:
            host.write(self.group.file('pids', 'cgroup.procs'), 0)
        if self.hidden:
            host.unshare(host.CLONE_NEWNS)
            host.mount(None, '/', None, host.MS_REC | host.MS_PRIVATE)
            for point in {host.V1[name] for name in self.hidden}:
                host.umount(point, host.MNT_DETACH)

    def _wait_ready(self):
        deadline = time.monotonic() + 10 * host.SCALE
        while time.monotonic() < deadline:
            if select.select([self.notify], [], [], 0.02)[0]:
                if b'READY=1' in self.notify.recv(65536).split(b'\n'):
                    return
            elif self.process.poll() is not None:
                raise Failure(
                    f'the daemon ended with {self.process.returncode} at its start: {self.tail()}'
                )
        raise Failure(f'the daemon was not ready in time: {self.tail()}')

    def path(self, name):
        return self.mnt + name

    def log(self):
        return host.read(self.log_path)

    def tail(self):
        return self.log()[-3000:]

    def children(self):
        """The pids of the keeper's children."""
        found = []
        for name in os.listdir('/proc'):
            if name.isdigit():
                try:
                    fields = host.read(f'/proc/{name}/stat').rpartition(')')[2].split()
                except OSError:
                    continue
                if int(fields[1]) == self.pid and fields[0] != 'Z':
                    found.append(int(name))
        return found

    def worker(self):
        """The pid of the process that serves."""
        deadline = time.monotonic() + 5 * host.SCALE
        while time.monotonic() < deadline:
            found = self.children()
            if found:
                return min(found)
            time.sleep(0.01)
        raise Failure(f'the keeper has no worker: {self.tail()}')

    def kill_worker(self):
        """SIGKILL the worker; its pid, once another has its place."""
        old = self.worker()
        os.kill(old, signal.SIGKILL)
        deadline = time.monotonic() + 5 * host.SCALE
        while time.monotonic() < deadline:
            if [pid for pid in self.children() if pid != old]:
                return old
            time.sleep(0.002)
        raise Failure(f'no new worker after SIGKILL: {self.tail()}')

    def mounted(self):
        return any(point == self.mnt for point, *_ in host.mounts())

    def own_kb(self):
        """Memory of keeper and worker that is theirs alone: no program text, no libraries."""
        total = 0
        for pid in [self.pid] + self.children():
            for line in host.read(f'/proc/{pid}/smaps_rollup').splitlines():
                if line.startswith(('Pss_Anon:', 'Pss_Shmem:')):
                    total += int(line.split()[1])
        return total

    def descriptors(self):
        return sum(len(os.listdir(f'/proc/{pid}/fd')) for pid in [self.pid] + self.children())

    def stop(self, number=signal.SIGTERM):
        """Ask it to end; its exit status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(10 * host.SCALE)
        except subprocess.TimeoutExpired:
            raise Failure(
                f'the daemon did not end within {10 * host.SCALE:g} s: {self.tail()}'
            ) from None

    def kill_everything(self):
        """SIGKILL keeper and worker at once: the mount is left behind dead."""
        workers = self.children()
        for pid in [self.pid] + workers:
            os.kill(pid, signal.SIGSTOP)
        for pid in [self.pid] + workers:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for pid in workers:
            while os.path.exists(f'/proc/{pid}') and ' Z ' not in _stat(pid):
                time.sleep(0.002)

    def close(self):
        """End it in any case; complain when it does not end as it should."""
        trouble = ''
        if self.process.poll() is None:
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
        self.notify.close()
        log = self.log()
        if any(mark in log for mark in SANITIZER_MARKS):
            trouble = 'a sanitizer complains'
        if trouble:
            raise Failure(f'daemon: {trouble}: {self.tail()}')


def _stat(pid):
    try:
        return host.read(f'/proc/{pid}/stat')
    except OSError:
        return ' Z '
