# SPDX-License-Identifier: LGPL-2.1-or-later
"""However a file is read, it is the same file."""

import ctypes
import errno
import mmap
import os
import stat
import struct

from lab import MIB, host, inside, parse
from lab.check import Skip, equal, needs, ok

FILES = ('meminfo', 'cpuinfo', 'stat', 'uptime', 'loadavg', 'diskstats', 'swaps')
# A size says nothing of the content. Kernels since 6.5 give sendfile nothing of a file of size 0.
PATHS = tuple(f'/proc/{name}' for name in FILES) + ('/sys/devices/system/cpu/online',)


def everything_at(fd, start):
    """What follows an offset, by preads of 1 MiB."""
    parts = []
    while part := os.pread(fd, MIB, start):
        parts.append(part)
        start += len(part)
    return b''.join(parts)


def ways_to_read(path):
    """Every way to read one snapshot of a file; what disagrees."""
    wrong = []
    fd = os.open(path, os.O_RDONLY)
    try:
        # A read at 0 makes a new snapshot, what follows continues it.
        whole = os.pread(fd, 1, 0) + everything_at(fd, 1)
        if len(whole) < 2:
            return [] if path.endswith('diskstats') and not whole else [f'{path} is {whole!r}']
        ways = {
            'pread of 1 byte': b''.join(os.pread(fd, 1, i) for i in range(1, len(whole))),
            'pread of 7 bytes': b''.join(os.pread(fd, 7, i) for i in range(1, len(whole), 7)),
            'pread from the end': b''.join(
                reversed([os.pread(fd, 1, i) for i in range(len(whole) - 1, 0, -1)])
            ),
        }
        os.lseek(fd, 1, os.SEEK_SET)
        byte_wise = []
        while byte := os.read(fd, 1):
            byte_wise.append(byte)
        ways['read of 1 byte'] = b''.join(byte_wise)
        os.lseek(fd, 1, os.SEEK_SET)
        ways['read of 1 MiB'] = os.read(fd, MIB)
        for way, got in ways.items():
            if got != whole[1:]:
                wrong.append(f'{path}: {way} gives {got[:80]!r}…, expected {whole[1:81]!r}…')
        for beyond in (len(whole), len(whole) + 1, MIB, 1 << 40):
            if os.pread(fd, 4096, beyond):
                wrong.append(f'{path}: something at offset {beyond} of {len(whole)}')
        if os.fstat(fd).st_size % 4096 or os.fstat(fd).st_size < len(whole):
            wrong.append(f'{path}: st_size {os.fstat(fd).st_size} for {len(whole)} bytes')
    finally:
        os.close(fd)
    return wrong


@needs(timeout=120)
def test_pread_lseek_and_any_buffer_agree(lab):
    """pread, lseek, 1-byte and 1 MiB buffers give the same bytes of one snapshot."""
    box = lab.container(memory=256 * MIB, cpus=1)
    for path in PATHS:
        equal(box.call(ways_to_read, path), [], path)


@needs(tools='dash')
def test_bytewise_reader(lab):
    """dash, which reads byte by byte, gets whole lines of one snapshot."""
    box = lab.container(memory=256 * MIB)
    script = 'while IFS= read -r line; do printf "%s\\n" "$line"; done </proc/meminfo'
    text = box.output('dash', '-c', script)
    equal(parse.meminfo_names(text), parse.meminfo_names(host.read('/proc/meminfo')), 'lines')
    equal(parse.meminfo(text)['MemTotal'], 256 * 1024, 'MemTotal')
    for line in text.splitlines():
        ok(len(line.split()) in (2, 3), f'line {line!r}')


def sent(path):
    """The file by sendfile, and by read where that is an error: as busybox's cat does."""
    fd = os.open(path, os.O_RDONLY)
    back, out = os.pipe()
    parts = []
    try:
        while os.sendfile(out, fd, None, 4096):
            parts.append(os.read(back, 4096))
    except OSError:
        return host.read(path)
    finally:
        for one in (fd, back, out):
            os.close(one)
    return b''.join(parts).decode()


def test_sendfile_gives_the_whole_file(lab):
    """sendfile, with which busybox reads, gives the container's file or an error, not nothing."""
    boxes = [lab.container(memory=limit * MIB) for limit in (256, 128, 192)]
    names = parse.meminfo_names(host.read('/proc/meminfo'))
    for limit, box in zip((256, 128, 192), boxes):
        text = box.call(sent, '/proc/meminfo')
        equal(parse.meminfo_names(text), names, f'lines of {text!r}')
        equal(parse.meminfo(text)['MemTotal'], limit * 1024, 'MemTotal')


@needs(tools='busybox')
def test_busybox_cat(lab):
    """busybox's cat prints what cat prints."""
    box = lab.container(memory=256 * MIB, cpus=1)
    for path in ('/proc/cpuinfo', '/proc/swaps', '/sys/devices/system/cpu/online'):
        equal(
            box.output('busybox', 'cat', path).split('cpu MHz')[0],
            box.output('cat', path).split('cpu MHz')[0],
            path,
        )


@needs(tools='dash cat dd head tail')
def test_programs_with_other_buffers(lab):
    """cat, dd of 1 byte, dd of 1 MiB, head and tail read the same CPU model."""
    box = lab.container(cpus=1)
    whole = box.output('cat', '/proc/cpuinfo').split('cpu MHz')[0]
    for argv in (
        ('dd', 'bs=1', 'if=/proc/cpuinfo'),
        ('dd', 'bs=1M', 'if=/proc/cpuinfo'),
        ('head', '-c', '100000', '/proc/cpuinfo'),
        ('tail', '-n', '+1', '/proc/cpuinfo'),
    ):
        equal(box.output(*argv).split('cpu MHz')[0], whole, ' '.join(argv))


def rewound(path, ready, go):
    """Read through one descriptor, wait for a change, rewind, read again."""
    fd = os.open(path, os.O_RDONLY)
    first = os.read(fd, MIB)
    host.write(ready, 'x')
    inside.until(go)
    rest = os.read(fd, MIB)
    os.lseek(fd, 0, os.SEEK_SET)
    return first.decode(), rest.decode(), os.read(fd, MIB).decode()


def change(lab, box, path, how):
    ready, go = f'{lab.folder}/ready', f'{lab.folder}/go'
    host.write_new(ready)
    if os.path.exists(go):
        os.unlink(go)
    task = box.start(rewound, path, ready, go)
    while not os.path.getsize(ready):
        pass
    how()
    host.write_new(go)
    return task.result()


def test_held_descriptor_rewound_shows_new_values(lab):
    """A descriptor kept open shows what changed after a rewind, and nothing new before it."""
    box = lab.container(memory=256 * MIB, cpus=1)
    first, rest, second = change(lab, box, '/proc/meminfo', lambda: box.group.set_memory(128 * MIB))
    equal(parse.meminfo(first)['MemTotal'], 256 * 1024, 'MemTotal before')
    equal(rest, '', 'the rest of the first snapshot')
    equal(parse.meminfo(second)['MemTotal'], 128 * 1024, 'MemTotal after')
    first, rest, second = change(lab, box, '/proc/cpuinfo', lambda: box.group.set_cpus(2))
    equal(len(parse.cpuinfo_cpus(first)), 1, 'CPUs before')
    equal(len(parse.cpuinfo_cpus(second)), 2, 'CPUs after')


def snapshot_in_parts(path, ready, go):
    """The first 100 bytes, then (after a change) the rest."""
    fd = os.open(path, os.O_RDONLY)
    first = os.read(fd, 100)
    host.write(ready, 'x')
    inside.until(go)
    return (first + os.read(fd, MIB)).decode()


def test_snapshot_is_one_even_if_limits_change(lab):
    """What is read in parts is one moment, whatever changes in between."""
    box = lab.container(cpus=2)
    ready, go = f'{lab.folder}/ready', f'{lab.folder}/go'
    host.write_new(ready)
    task = box.start(snapshot_in_parts, '/proc/cpuinfo', ready, go)
    while not os.path.getsize(ready):
        pass
    box.group.set_cpus(1)
    host.write_new(go)
    text = task.result()
    equal(parse.cpuinfo_cpus(text), host.CPUS[:2], 'CPUs')
    equal(
        text.count('flags'),
        host.read('/proc/cpuinfo').count('flags') * 2 // len(host.CPUS),
        'flags lines',
    )


def modes(paths):
    return [stat.S_IMODE(os.stat(path).st_mode) for path in paths]


def test_modes_are_the_hosts(lab):
    """Each file has the host's type and mode, a size that says nothing, root as owner."""
    for path in PATHS:
        ours, theirs = os.stat(lab.daemon.path(path)), os.stat(path)
        equal(stat.S_IFMT(ours.st_mode), stat.S_IFREG, f'type of {path}')
        equal(
            oct(stat.S_IMODE(ours.st_mode) & ~0o222),
            oct(stat.S_IMODE(theirs.st_mode) & ~0o222),
            f'mode of {path}',
        )
        equal((ours.st_uid, ours.st_gid), (0, 0), f'owner of {path}')
        if path.startswith('/proc'):
            equal(ours.st_size % 4096, 0, f'bytes of the size of {path} beyond whole pages')
            ok(ours.st_size >= len(open(path, 'rb').read()), f'size of {path} is {ours.st_size}')


def test_nothing_can_be_written(lab):
    """Opening for writing, making, removing and renaming all fail."""
    outsider = lab.outsider()
    base = lab.daemon.mnt
    for path in (
        f'{base}/proc/meminfo',
        f'{base}/sys/devices/system/cpu/online',
        f'{base}/sys/devices/system/cpu/cpu1/online',
    ):
        error = outsider.call(attempt, 'write', path)
        ok(error in (errno.EROFS, errno.EACCES), f'writing {path}: errno {error}')
    for action in ('create', 'mkdir', 'unlink', 'rename', 'chmod', 'truncate'):
        error = outsider.call(attempt, action, base)
        ok(error in (errno.EROFS, errno.EACCES, errno.EPERM), f'{action}: errno {error}')


def attempt(action, path):
    """The errno of an attempt to change something; 0 when it succeeded."""
    file = f'{path}/proc/meminfo'
    try:
        {
            'write': lambda: os.close(os.open(path, os.O_WRONLY)),
            'create': lambda: os.close(os.open(f'{path}/proc/new', os.O_CREAT | os.O_WRONLY)),
            'mkdir': lambda: os.mkdir(f'{path}/new'),
            'unlink': lambda: os.unlink(file),
            'rename': lambda: os.rename(file, file + '2'),
            'chmod': lambda: os.chmod(file, 0o666),
            'truncate': lambda: os.truncate(file, 0),
        }[action]()
    except OSError as error:
        return error.errno
    return 0


def test_names_that_are_not_there(lab):
    """A name that the tree does not have is ENOENT, and listing the tree works at every level."""
    base = lab.daemon.mnt
    for name in (
        'nothing',
        'proc/nothing',
        'proc/meminfo2',
        'proc/self',
        'sys/nothing',
        'proc/' + 'x' * 255,
    ):
        ok(not os.path.exists(f'{base}/{name}'), name)
    ok({'proc', 'sys'} <= set(os.listdir(base)), 'the root')
    ok(set(FILES) <= set(os.listdir(f'{base}/proc')), 'proc')
    equal(os.listdir(f'{base}/sys/devices'), ['system'], 'sys/devices')
    ok('cpu' in os.listdir(f'{base}/sys/devices/system'), 'sys/devices/system')


def by_io_uring(path):
    """What one read of a large buffer gets; None where the kernel offers no io_uring."""
    params, text = ctypes.create_string_buffer(120), ctypes.create_string_buffer(65536)
    ring = host.libc.syscall(425, 1, params)
    if ring < 0:
        return None
    array, cqes = struct.unpack_from('I', params, 64)[0], struct.unpack_from('I', params, 100)[0]
    tail, size = struct.unpack_from('I', params, 44)[0], mmap.PAGESIZE
    submitted, entries = mmap.mmap(ring, size), mmap.mmap(ring, size, offset=0x10000000)
    completed = mmap.mmap(ring, size, offset=0x8000000)
    file = os.open(path, os.O_RDONLY)
    # IORING_OP_READ of all of the text's room, at offset 0
    entries[:28] = struct.pack('=BBHiQQI', 22, 0, 0, file, 0, ctypes.addressof(text), 65536)
    submitted[array : array + 4] = bytes(4)
    submitted[tail : tail + 4] = struct.pack('I', 1)
    ok(host.libc.syscall(426, ring, 1, 1, 1, None, 0) == 1, 'io_uring_enter')
    length = struct.unpack_from('i', completed, cqes + 8)[0]
    ok(length >= 0, f'reading by io_uring: {length}')
    return text.raw[:length].decode()


def test_io_uring(lab):
    """It fills its buffer as long as there is more: there is no more than the text, once."""
    box = lab.container(memory=64 * MIB)
    for name in ('meminfo', 'cpuinfo', 'uptime'):
        text = box.call(by_io_uring, f'/proc/{name}')
        if text is None:
            raise Skip('this kernel offers no io_uring')
        equal(text.count('\n'), box.read(f'/proc/{name}').count('\n'), f'lines of {name}')
