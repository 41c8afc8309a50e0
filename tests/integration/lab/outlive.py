# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who keeps a mount while no process of the daemon lives: a service manager, the holder."""

import contextlib
import hashlib
import os
import socket
import time
import urllib.parse

from lab import host
from lab.check import Failure, ok
from lab.daemon import HOLDER

RUN = '/run/lxcfs-clone'
CGROUP = 'lxcfs-clone-holder'

# Descriptors from 3 on, and our own pid, as a service manager has them.
PASS = (
    'export LISTEN_PID=$$ LISTEN_FDS=$1 LISTEN_FDNAMES=$2; n=3; for fd in $3; do '
    'eval "exec $n<&$fd-"; n=$((n + 1)); done; shift 3; exec "$@"'
)


def start_with_stored(daemon, names=('fuse', 'state')):
    """What systemd does: another instance, with what the former one has stored."""
    daemon.hear_all()
    pairs = [(name, fd) for name in names for fd in daemon.stored.get(name, [])]
    fds = [fd for _name, fd in pairs]
    daemon.start(
        (
            'bash',
            '-c',
            PASS,
            'bash',
            str(len(fds)),
            ':'.join(name for name, _fd in pairs),
            ' '.join(map(str, fds)),
        ),
        pass_fds=fds,
    )


def replace_all(daemon, *_number):
    """SIGKILL everything, then start another instance by what is stored."""
    daemon.kill_everything()
    start_with_stored(daemon)


def socket_path(daemon):
    name = urllib.parse.quote(daemon.mnt, safe='')
    if len(name) > 82:
        name = hashlib.sha256(os.fsencode(daemon.mnt)).hexdigest()
    return f'{RUN}/{name}.holder'


def holders(daemon):
    """The pids of the mount point's holders, not counting dead ones."""
    found = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                if daemon.mnt in host.read(f'/proc/{name}/cmdline').split('\0'):
                    if host.read(f'/proc/{name}/comm').strip() == HOLDER:
                        found.append(int(name))
            except OSError:
                continue
    return found


def call_holder(daemon, word):
    """A connection on which the word was said."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(socket_path(daemon))
    sock.settimeout(10 * host.SCALE)
    sock.send(word)
    return sock


def quit_holder(daemon):
    """Have it let go; returns when it has."""
    try:
        with call_holder(daemon, b'quit') as sock:
            sock.recv(16)
    except OSError:
        pass


def holder_groups():
    """The holders' cgroups: there are some as long as there is any holder on this machine."""
    roots = sorted(set(host.V1.values()) | ({host.V2} if host.V2 else set()))
    return [f'{root}/{CGROUP}' for root in roots if os.path.isdir(f'{root}/{CGROUP}')]


@contextlib.contextmanager
def ending(daemon):
    """Whatever happens: no process, holder or mount of it is left, and nobody hangs."""
    try:
        yield daemon
    finally:
        daemon.kill_everything()
        daemon.forget_stored()
        quit_holder(daemon)
        deadline = time.monotonic() + 5 * host.SCALE
        while holders(daemon):
            if time.monotonic() > deadline:
                raise Failure('the holder did not let go')
            time.sleep(0.005)
        ok(not os.path.exists(socket_path(daemon)), "the holder's socket is left")
        if daemon.mounted():
            host.umount(daemon.mnt, host.MNT_DETACH | host.UMOUNT_NOFOLLOW)
