# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one warm `cat` costs a server: FUSE requests and system calls, as strace sees them."""

import collections
import dataclasses
import re
import shutil
import statistics
import struct
import subprocess
import time

from lab import host, inside
from lab.container import Container
from place import Unmeasured

OPCODES = {1: 'LOOKUP', 2: 'FORGET', 3: 'GETATTR', 14: 'OPEN', 15: 'READ', 18: 'RELEASE', 25: 'FLUSH',
           36: 'INTERRUPT', 42: 'BATCH_FORGET'}
ASYNCHRONOUS = ('FORGET', 'RELEASE', 'BATCH_FORGET')
HEADER = struct.Struct('<IIQQIII')
WARM, CATS = 5, 9
# PID TIME name(… = result <DURATION>, or PID TIME <... name resumed>… = result <DURATION>
LINE = re.compile(r'^\d+ +(?P<time>\d+\.\d+) (?P<resumed><\.\.\. )?(?P<name>\w+)(?:\(| resumed>)(?P<text>.*)'
                  r' = (?P<result>-?\d+).* <(?P<took>\d+\.\d+)>$')
BYTES = re.compile(r'"((?:\\x[0-9a-f]{2})+)"')


@dataclasses.dataclass
class Cost:
    """Of one cat: the requests in their order, and how many system calls."""
    requests: list
    calls: int
    names: collections.Counter

    def synchronous(self):
        return [r for r in self.requests if r not in ASYNCHRONOUS]


class Tracer:
    """strace on a server's process."""

    def __init__(self, pid, log):
        if not shutil.which('strace'):
            raise Unmeasured('strace is not installed')
        self.log = log
        self.process = subprocess.Popen(['strace', '-f', '-ttt', '-T', '-xx', '-s', '48', '-o', log, '-p', str(pid)],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        first = self.process.stderr.readline()
        if 'attached' not in first:
            raise Unmeasured(f'strace cannot attach: {first.strip()}')
        time.sleep(0.2)

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        return host.read(self.log)


def request(name, text, result):
    """The FUSE request that a read brought, if it did."""
    data = BYTES.search(text) if name == 'read' else None
    data = bytes.fromhex(data[1].replace('\\x', '')) if data else b''
    if len(data) < HEADER.size:
        return None
    size, opcode, *_rest = HEADER.unpack_from(data)
    return OPCODES.get(opcode, str(opcode)) if size == result else None


def between(log, start, end):
    """What was done in a time."""
    cost = Cost([], 0, collections.Counter())
    for line in log.splitlines():
        m = LINE.match(line)
        if not m:
            continue
        # A call on one line has the time of its begin.
        ended = float(m['time']) + (0.0 if m['resumed'] else float(m['took']))
        if start <= ended <= end:
            cost.calls += 1
            cost.names[m['name']] += 1
            asked = request(m['name'], m['text'], int(m['result']))
            if asked:
                cost.requests.append(asked)
    return cost


def cat(box, path):
    """Run cat and let what it leaves be done; when it began and when all had ended."""
    start = time.time()
    status, out, err = box.call(inside.run, ['cat', path], {})
    if status or not out and not path.endswith('diskstats'):
        raise Unmeasured(f'cat {path}: {err}')
    time.sleep(0.03)
    return start, time.time()


def measure(place, server, group, files, cgroupns):
    """File -> the cost of a warm cat in a container; the median of several."""
    box = Container(group, None, pid=True, mnt=False, cgroupns=cgroupns)
    found = {}
    try:
        for file in files:
            path = place.path(server, file)
            for _ in range(WARM):
                cat(box, path)
            tracer = Tracer(place.servers[server].worker, f'{place.folder}/strace')
            times = [cat(box, path) for _ in range(CATS)]
            log = tracer.close()
            costs = [between(log, *t) for t in times]
            middle = statistics.median_low(c.calls for c in costs)
            found[file] = next(c for c in costs if c.calls == middle)
            if 'READ' not in found[file].requests:
                raise Unmeasured(f'strace shows no read of {path}')
    finally:
        box.close()
    return found
