# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file system that falls silent: it takes requests and answers none, so that nobody who asks can be killed."""

import errno
import os
import stat
import struct

from lab import host, inside

# <linux/fuse.h>
IN_HEADER, OUT_HEADER = struct.Struct('IIQQIII4x'), struct.Struct('IiQ')
ATTR = struct.Struct('6Q10I')
INIT, LOOKUP, GETATTR, FORGET, INTERRUPT, BATCH_FORGET = 26, 1, 3, 2, 36, 42
FILE = 'file'


def _attr(node):
    mode = stat.S_IFDIR | 0o755 if node == 1 else stat.S_IFREG | 0o444
    return ATTR.pack(node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 0, 0)


def _answer(opcode, node, body):
    """(error, body)"""
    if opcode == INIT:
        return 0, struct.pack('<IIII', 7, 31, 0, 0) + struct.pack('<HHIIHHI7I', 1, 1, 4096, 1, 1, 0, 0, *[0] * 7)
    if opcode == GETATTR:
        return 0, struct.pack('QII', 0, 0, 0) + _attr(node)
    if opcode == LOOKUP and body.rstrip(b'\0').decode() == FILE:
        return 0, struct.pack('QQQQII', 2, 0, 0, 0, 0, 0) + _attr(2)
    return -errno.ENOENT, b''


def serve(point, ready, hush):
    """In a container: mounts it, with one file, and answers until there is a file `hush`."""
    fd = os.open('/dev/fuse', os.O_RDWR)
    host.mount('silent', point, 'fuse', 0, f'fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other')
    host.write_new(ready)
    while True:
        request = os.read(fd, 1 << 17)
        _size, opcode, unique, node, *_ = IN_HEADER.unpack_from(request)
        if opcode in (FORGET, INTERRUPT, BATCH_FORGET) or os.path.exists(hush):
            continue
        error, body = _answer(opcode, node, request[IN_HEADER.size:])
        os.write(fd, OUT_HEADER.pack(OUT_HEADER.size + len(body), error, unique) + body)


def start(box, folder):
    """(The path of its file, what makes it silent); it ends with the container."""
    point, ready, hush = (f'{folder}/silent{box.pid}{word}' for word in ('', '.ready', '.hush'))
    os.mkdir(point)
    box.start(serve, point, ready, hush)
    inside.until(ready)
    return f'{point}/{FILE}', lambda: host.write_new(hush)
