# SPDX-License-Identifier: LGPL-2.1-or-later
"""A process tree in cgroups and namespaces of its own that runs functions when asked.

The container's init is a fork of the runner: it waits on a socket for functions (of modules, by
name) and runs each in a child, whose result comes back over a socket of its own.
"""

import os
import pickle
import select
import signal
import socket
import struct
import sys
import time
import traceback

from lab import cgroup as cgroups
from lab import host, inside
from lab.check import Failure

SCM_CREDENTIALS = 2


def _recv_with_pid(sock, size):
    """One message and the sender's pid as this process sees it."""
    data, ancillary, _flags, _address = sock.recvmsg(size, socket.CMSG_SPACE(12))
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == SCM_CREDENTIALS:
            return data, struct.unpack('3i', payload[:12])[0]
    return data, 0


def _wait_readable(sock, seconds, what):
    if not select.select([sock], [], [], max(0.0, seconds))[0]:
        raise Failure(f'{what}: nothing came within the time allowed')


class Task:
    """A function that runs in a container; pid is the host's number for its process."""

    def __init__(self, container, function, args):
        self.name = function.__name__
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        message = pickle.dumps((function, args))
        socket.send_fds(container.control, [message], [theirs.fileno()])
        theirs.close()
        self.sock = ours
        _wait_readable(ours, 10 * host.SCALE, f'start of {self.name}')
        data, self.pid = _recv_with_pid(ours, 1)
        if data != b'+':
            raise Failure(f'{self.name} did not start in the container')

    def done(self, seconds=0.0):
        return bool(select.select([self.sock], [], [], seconds)[0])

    def result(self, seconds=20.0):
        """Wait for the function's value; what it raised is raised here."""
        deadline = time.monotonic() + seconds * host.SCALE
        data = bytearray()
        while True:
            _wait_readable(self.sock, deadline - time.monotonic(), self.name)
            part = self.sock.recv(1 << 20)
            if not part:
                break
            data += part
        self.sock.close()
        if not data:
            raise Failure(f'{self.name} died in the container')
        good, value = pickle.loads(bytes(data))
        if good:
            return value
        raise value

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.sock.close()


class Container:
    """See Lab.container for how it is made; `None` as group is the hierarchies' root."""

    def __init__(
        self,
        group=None,
        daemon=None,
        *,
        pid=True,
        mnt=True,
        cgroupns=True,
        user=False,
        cgroupfs=False,
        join_pid=None,
        binds=None,
    ):
        self.group, self.daemon = group, daemon
        self.pidns, self.mnt, self.cgroupns, self.user = pid, mnt, cgroupns, user
        self.cgroupfs, self.join_pid = cgroupfs, join_pid
        self.binds = binds
        self.pid = 0
        self.tasks = []
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        sys.stdout.flush()
        self.starter = os.fork()
        if self.starter == 0:
            self.control.close()
            self._enter(theirs)
        theirs.close()
        self._started()

    def _started(self):
        """Serve the starter's wishes until init says that it is ready."""
        while True:
            _wait_readable(self.control, 20 * host.SCALE, 'start of a container')
            data, pid = _recv_with_pid(self.control, 65536)
            if data == b'map':
                host.write(f'/proc/{pid}/uid_map', '0 100000 65536')
                host.write(f'/proc/{pid}/gid_map', '0 100000 65536')
                self.control.send(b'mapped')
            elif data == b'ready':
                self.pid = pid
                break
            else:
                raise Failure(f'container: {data.decode(errors="replace") or "died at its start"}')
        if self.pid != self.starter:
            os.waitpid(self.starter, 0)

    # In the new process, up to the loop of init

    def _enter(self, control):
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            if self.daemon:
                self.daemon.forget_stored()
            if self.group:
                self.group.join()
            else:
                cgroups.join_root()
            if self.daemon and self.daemon.hidden:
                _setns(self.daemon.pid, 'mnt', host.CLONE_NEWNS)
            if self.join_pid:
                _setns(self.join_pid, 'pid', host.CLONE_NEWPID)
            self._unshare(control)
            if self.pidns or self.join_pid:
                if os.fork():
                    os._exit(0)
            if self.mnt:
                self._mount()
            control.send(b'ready')
            _serve(control)
        except BaseException:  # whatever it is, the runner must hear of it
            control.send(traceback.format_exc().encode()[-60000:])
        finally:
            os._exit(1)

    def _unshare(self, control):
        flags = (
            (host.CLONE_NEWPID if self.pidns and not self.join_pid else 0)
            | (host.CLONE_NEWNS if self.mnt else 0)
            | (host.CLONE_NEWCGROUP if self.cgroupns else 0)
            | (host.CLONE_NEWUSER if self.user else 0)
        )
        if flags:
            host.unshare(flags)
        if self.user:
            control.send(b'map')
            control.recv(16)
            os.setgid(0)
            os.setuid(0)

    def _mount(self):
        host.mount(None, '/', None, host.MS_REC | host.MS_PRIVATE)
        if self.pidns or self.join_pid:
            host.mount('proc', '/proc', 'proc')
        if self.cgroupfs:
            self._mount_cgroups()
        if self.daemon:
            self._bind(self.daemon.mnt)

    def _mount_cgroups(self):
        for point in set(host.V1.values()) or {host.V2}:
            host.umount(point, host.MNT_DETACH)
        if host.KIND == 'v2':
            host.mount('cgroup2', host.V2, 'cgroup2')
        else:
            for point in set(host.V1.values()):
                names = ','.join(name for name, where in host.V1.items() if where == point)
                host.mount('cgroup', point, 'cgroup', 0, names)

    def _bind(self, mnt):
        names = self.binds if self.binds is not None else os.listdir(f'{mnt}/proc')
        for name in names:
            if os.path.isfile(f'/proc/{name}'):
                host.mount(f'{mnt}/proc/{name}', f'/proc/{name}', None, host.MS_BIND)
        if self.binds is None:
            tree = '/sys/devices/system/cpu'
            host.mount(mnt + tree, tree, None, host.MS_BIND)

    # In the runner

    def start(self, function, *args):
        """Run a function in a new process of the container and return at once."""
        task = Task(self, function, args)
        self.tasks.append(task)
        return task

    def call(self, function, *args, seconds=20.0):
        return self.start(function, *args).result(seconds)

    def read(self, path):
        return self.call(inside.read, path)

    def run(self, *argv, **options):
        """A program's (status, stdout, stderr)."""
        return self.call(inside.run, argv, options, seconds=60)

    def output(self, *argv, **options):
        """A program's stdout; its failure is the test's."""
        status, out, err = self.run(*argv, **options)
        if status:
            raise Failure(f'{" ".join(argv)} ended with {status}: {err.strip()} {out.strip()}')
        return out

    def spin(self, count=1):
        """Start busy loops."""
        return [self.start(inside.spin) for _ in range(count)]

    def seen(self, path):
        """The file of this container as the host's operator reads it."""
        return host.read(f'{self.daemon.mnt}/containers/{self.pid}{path}')

    def close(self):
        for task in self.tasks:
            task.kill()
        self.control.close()
        try:
            os.kill(self.pid or self.starter, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            os.waitpid(self.pid or self.starter, 0)
        except ChildProcessError:
            pass


def _setns(pid, kind, flag):
    fd = os.open(f'/proc/{pid}/ns/{kind}', os.O_RDONLY)
    try:
        host.setns(fd, flag)
    finally:
        os.close(fd)


def _serve(control):
    """The loop of init. Children are reaped by the kernel."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, fds, _flags, _address = socket.recv_fds(control, 1 << 20, 1)
        if not message:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            _work(message, fds[0])
        os.close(fds[0])


def _work(message, fd):
    answer = socket.socket(fileno=fd)
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if os.getppid() != 1:
            host.die_with_parent()
        answer.send(b'+')
        function, args = pickle.loads(message)
        try:
            result = pickle.dumps((True, function(*args)))
        except (OSError, Failure) as error:
            result = pickle.dumps((False, error))
        except BaseException:  # its text is what the test shows
            result = pickle.dumps((False, Failure(traceback.format_exc())))
        answer.sendall(result)
    finally:
        os._exit(0)
