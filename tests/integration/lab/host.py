# SPDX-License-Identifier: LGPL-2.1-or-later
"""What this machine is: its cgroup hierarchies, its CPUs, whether it is the test guest."""

import ctypes
import os
import re
import socket
import subprocess

MIB = 1 << 20
PAGE = os.sysconf('SC_PAGESIZE')
CONTROLLERS = ('memory', 'cpu', 'cpuacct', 'cpuset', 'blkio', 'freezer', 'pids', 'devices')

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SHARED = 1 << 20
MNT_FORCE = 1
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

KERNEL = tuple(int(n) for n in re.findall(r'\d+', os.uname().release)[:2])
# Whether it can be told to ask again (FUSE_NOTIFY_RESEND).
RESEND = KERNEL >= (6, 9)

libc = ctypes.CDLL(None, use_errno=True)


def _checked(name, result):
    if result < 0:
        err = ctypes.get_errno()
        raise OSError(err, f'{name}: {os.strerror(err)}')
    return result


def _text(value):
    return None if value is None else os.fsencode(value)


def mount(source, target, fstype=None, flags=0, data=None):
    args = _text(source), _text(target), _text(fstype), ctypes.c_ulong(flags), _text(data)
    _checked(f'mount {source} on {target}', libc.mount(*args))


def umount(target, flags=0):
    _checked(f'umount {target}', libc.umount2(_text(target), flags))


def unshare(flags):
    _checked('unshare', libc.unshare(flags))


def setns(fd, flags):
    _checked('setns', libc.setns(fd, flags))


def prctl(option, arg):
    _checked(
        'prctl', libc.prctl(option, ctypes.c_ulong(arg) if isinstance(arg, int) else arg, 0, 0, 0)
    )


def die_with_parent():
    prctl(1, 9)


def become_subreaper():
    prctl(36, 1)


def end(process):
    """Ask a process that we started to end, and have it end if it does not."""
    process.terminate()
    try:
        process.wait(20 * SCALE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def read(path):
    with open(path, 'rb', buffering=0) as file:
        return file.read().decode(errors='surrogateescape')


def children(pid):
    """The pids of a process's children; none if it is gone."""
    try:
        return [int(child) for child in read(f'/proc/{pid}/task/{pid}/children').split()]
    except OSError:
        return []


def is_alive(pid):
    """Neither gone nor a zombie."""
    try:
        return read(f'/proc/{pid}/stat').rpartition(')')[2].split()[0] not in 'ZX'
    except OSError:
        return False


def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, os.fsencode(str(text)))
    finally:
        os.close(fd)


def unescape(field):
    """Undo the octal escapes of mountinfo."""
    return re.sub(r'\\([0-7]{3})', lambda m: chr(int(m.group(1), 8)), field)


def mounts(pid='self'):
    """The mount table as a list of (mount point, root, type, super options)."""
    table = []
    for line in read(f'/proc/{pid}/mountinfo').split('\n'):
        if line:
            left, right = line.split(' - ', 1)
            fields = left.split(' ')
            fstype, _source, options = (right.split(' ') + ['', ''])[:3]
            table.append((unescape(fields[4]), unescape(fields[3]), fstype, options))
    return table


def hierarchies():
    """Controller name -> mount point for cgroup v1, and the mount point of the v2 tree or None."""
    v1, v2 = {}, None
    for point, _root, fstype, options in mounts():
        if fstype == 'cgroup2':
            v2 = v2 or point
        elif fstype == 'cgroup':
            for name in options.split(','):
                if name in CONTROLLERS:
                    v1.setdefault(name, point)
    return v1, v2


def parse_list(text):
    """A kernel list such as 0-2,5 as a list of numbers."""
    numbers = []
    for part in text.strip().split(','):
        if part:
            first, _, last = part.partition('-')
            numbers += range(int(first), int(last or first) + 1)
    return numbers


V1, V2 = hierarchies()
KIND = 'v1' if 'memory' in V1 else 'v2'
# systemd gives the guest another name.
GUEST = os.path.isdir('/run/vm') and (
    socket.gethostname() == 'vmguest' or 'VM_SYSTEMD' in os.environ
)
# PID 1 of the guest; what is installed there is gone with it.
SYSTEMD = GUEST and os.path.isdir('/run/systemd/system')
CPUS = parse_list(read('/sys/devices/system/cpu/online'))
# The guest's CPUs are emulated: whatever waits for something waits that much longer.
SCALE = float(os.environ.get('LXCFS_CLONE_TEST_SCALE', 5 if GUEST else 1))
HZ = os.sysconf('SC_CLK_TCK')
SPARE_DISK = '/dev/vda' if GUEST and os.path.exists('/dev/vda') else None


def free_zram():
    """A disk in memory that nobody has given a size yet."""
    size = '/sys/block/zram0/disksize'
    return '/dev/zram0' if os.path.exists(size) and read(size).strip() == '0' else None


SWAP_DISK = SPARE_DISK or free_zram()


def write_new(path, text=''):
    """A file that any user may write."""
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    os.chmod(path, 0o666)
