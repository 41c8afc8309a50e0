# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a test asks a container to do; each of these runs in a process there."""

import ctypes
import fcntl
import hashlib
import mmap
import os
import platform
import pty
import select
import struct
import subprocess
import termios
import threading
import time

from lab import host

_kept = []


def read(path):
    return host.read(path)


def read_all(paths):
    return [host.read(path) for path in paths]


def read_from(group, path):
    """Move to a group (as this mount namespace shows it) and read."""
    group.join()
    return host.read(path)


def run(argv, options):
    env = dict(os.environ, LC_ALL='C', **options.pop('env', {}))
    done = subprocess.run(
        argv,
        env=env,
        stdin=options.pop('stdin', subprocess.DEVNULL),
        text=True,
        capture_output=True,
        errors='replace',
        timeout=50 * host.SCALE,
        check=False,
        **options,
    )
    return done.returncode, done.stdout, done.stderr


def spin():
    while True:
        pass


def spin_on(cpu):
    os.sched_setaffinity(0, {cpu})
    spin()


def spin_in(group):
    group.join()
    spin()


def spin_threads(count):
    """Threads that compute without the interpreter's lock."""
    work = ('sha256', b'', b'', (1 << 31) - 1)
    for _ in range(count - 1):
        threading.Thread(target=hashlib.pbkdf2_hmac, args=work, daemon=True).start()
    hashlib.pbkdf2_hmac(*work)


def sleep():
    while True:
        time.sleep(1000)


def sleep_named(name):
    """Sleep under a name of at most 15 bytes."""
    host.prctl(15, ctypes.c_char_p(name))
    sleep()


def leave_to_thread(function, *args):
    """Go on in another thread: the first one ends, which stands for the process in /proc."""
    threading.Thread(target=function, args=args).start()
    host.libc.syscall(60 if platform.machine() == 'x86_64' else 93, 0)


def fill(size):
    """Touch that much anonymous memory and keep it."""
    block = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for offset in range(0, size, host.PAGE):
        block[offset] = 1
    _kept.append(block)
    return size


def fill_and_sleep(size, done):
    fill(size)
    host.write(done, 'x')
    sleep()


def lock_and_sleep(size, done):
    """Keep locked memory."""
    block = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(block))
    if host.libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)):
        raise OSError(ctypes.get_errno(), 'mlock')
    host.write(done, 'x')
    sleep()


def write_file(path, size):
    """A file of that size, its pages left to the page cache (or tmpfs)."""
    chunk = b'x' * host.MIB
    with open(path, 'wb', buffering=0) as file:
        for _ in range(size // host.MIB):
            file.write(chunk)
    return size


def write_and_sleep(path, size, done):
    """Write a file or device and keep it open: a device's cache goes with its last user."""
    with open(path, 'wb', buffering=0) as file:
        for _ in range(size // host.MIB):
            file.write(b'x' * host.MIB)
        host.write(done, 'x')
        sleep()


def direct_io(path, size, to_disk):
    """dd of a size in direct blocks of 1 MiB; the text that dd prints."""
    argv = ['dd', 'bs=1M', f'count={size // host.MIB}']
    argv += (
        ['if=/dev/zero', f'of={path}', 'oflag=direct', 'conv=notrunc']
        if to_disk
        else [f'if={path}', 'of=/dev/null', 'iflag=direct']
    )
    return run(argv, {})


def until(path):
    """Wait for a file to exist."""
    while not os.path.exists(path):
        time.sleep(0.005)


def sampled(path, seconds):
    """A file twice, the time between the two."""
    first, start = host.read(path), time.clock_gettime(time.CLOCK_BOOTTIME)
    time.sleep(seconds)
    last, end = host.read(path), time.clock_gettime(time.CLOCK_BOOTTIME)
    return first, last, end - start


def screen(argv, seconds, keys, home, rows=24, columns=100):
    """What a full-screen program wrote to its terminal within a time, after which it gets keys."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(
            argv[0],
            argv,
            dict(
                os.environ,
                TERM='vt100',
                LC_ALL='C',
                HOME=home,
                LINES=str(rows),
                COLUMNS=str(columns),
            ),
        )
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('4H', rows, columns, 0, 0))
    data, deadline, asked = bytearray(), time.monotonic() + seconds, False
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            if asked:
                os.kill(pid, 9)
                break
            os.write(fd, keys)
            asked, deadline = True, time.monotonic() + seconds
            continue
        if select.select([fd], [], [], left)[0]:
            try:
                part = os.read(fd, 65536)
            except OSError:
                break
            if not part:
                break
            if not asked:
                data += part
    os.waitpid(pid, 0)
    return bytes(data)
