# SPDX-License-Identifier: LGPL-2.1-or-later
"""Block I/O of the container, device by device."""

import os
import re

from lab import MIB, host, inside, parse
from lab.check import Skip, between, equal, near, ok

DISKSTATS = '/proc/diskstats'
SECTORS = 10 * MIB // 512


class Disk:
    """A device, and a file (or the device itself) to move 10 MiB from and to."""

    def __init__(self, lab):
        if host.SPARE_DISK:
            self.path = host.SPARE_DISK
            number = os.stat(self.path).st_rdev
        else:
            self.path = f'{lab.folder}/disk'
            number = os.stat(lab.folder).st_dev
            inside.write_file(self.path, 10 * MIB)
            os.sync()
        self.major, self.minor = os.major(number), os.minor(number)
        rows = [line.split() for line in host.read(DISKSTATS).splitlines()]
        names = [r[2] for r in rows if (int(r[0]), int(r[1])) == (self.major, self.minor)]
        if not names:
            raise Skip(f'{lab.folder} is on no disk of its own')
        self.name = names[0]

    def count_in(self, group):
        """v1 of newer kernels counts a device's I/O only where a limit was set for it."""
        if host.KIND == 'v1':
            for way in ('read', 'write'):
                group.put(
                    'blkio',
                    f'blkio.throttle.{way}_bps_device',
                    f'{self.major}:{self.minor} {1 << 40}',
                )


def used(box, disk):
    return parse.diskstats(box.read(DISKSTATS)).get(disk.name, [0] * 17)


def moved(lab, to_disk):
    """The device's counters around 10 MiB of direct I/O; the best of a few tries, since the
    container may have to page a program in meanwhile."""
    disk = Disk(lab)
    box = lab.container(memory=256 * MIB)
    disk.count_in(box.group)
    best = None
    for _ in range(3):
        before = used(box, disk)
        status, _out, err = box.call(inside.direct_io, disk.path, 10 * MIB, to_disk)
        equal(status, 0, err)
        after = used(box, disk)
        grown = [b - a for a, b in zip(before, after)]
        if best is None or sum(grown) < sum(best):
            best = grown
    return box, disk, best


def test_direct_read_of_ten_mib(lab):
    """dd of 10 MiB direct from a disk: 20480 sectors read more on its line."""
    _box, _disk, grown = moved(lab, False)
    equal(grown[2], SECTORS, 'sectors read')
    between(grown[0], 10, 400, 'reads')
    between(grown[6], 0, 64, 'sectors written')


def test_direct_write_of_ten_mib(lab):
    """dd of 10 MiB direct to a disk: 20480 sectors written more on its line."""
    _box, _disk, grown = moved(lab, True)
    near(grown[6], SECTORS, 64, 'sectors written')
    between(grown[4], 10, 400, 'writes')
    equal(grown[2], 0, 'sectors read')


def test_untouched_devices_do_not_appear(lab):
    """A fresh container has no device; after I/O on one it has that one alone."""
    disk = Disk(lab)
    box = lab.container()
    disk.count_in(box.group)
    equal(set(parse.diskstats(box.seen(DISKSTATS))), set(), 'devices of a fresh container')
    box.call(inside.direct_io, disk.path, MIB, False)
    equal(set(parse.diskstats(box.read(DISKSTATS))), {disk.name}, 'devices after I/O')


def test_another_containers_io_does_not_appear(lab):
    """What a neighbour reads is on the neighbour's line."""
    disk = Disk(lab)
    box, other = lab.container(), lab.container()
    for one in (box, other):
        disk.count_in(one.group)
    before = used(box, disk)
    equal(other.call(inside.direct_io, disk.path, 10 * MIB, False)[0], 0, 'dd')
    between(used(box, disk)[2] - before[2], 0, 2048, 'sectors read')
    ok(used(other, disk)[2] >= SECTORS, "the neighbour's sectors read")


def test_line_is_as_the_kernel_writes_it(lab):
    """Numbers of the device padded as the host's, 17 counters, sourceless ones 0."""
    box, disk, _grown = moved(lab, False)
    line = next(line for line in box.read(DISKSTATS).splitlines() if line.split()[2] == disk.name)
    ours = next(line for line in host.read(DISKSTATS).splitlines() if line.split()[2] == disk.name)
    equal(line[: ours.index(disk.name)], ours[: ours.index(disk.name)], 'columns before the name')
    ok(re.fullmatch(r' *\d+ +\d+ \S+( \d+){17}', line), f'form of {line!r}')
    counters = [int(n) for n in line.split()[3:]]
    equal(
        [counters[i] for i in (1, 3, 5, 7, 8, 9, 10, 12, 14, 15, 16)],
        [0] * 11,
        'sourceless counters',
    )


def test_nested_groups_count(lab):
    """I/O of a group below the container's root is the container's."""
    disk = Disk(lab)
    box = lab.container()
    deep = box.group.bare_child('a')
    disk.count_in(box.group)
    if host.KIND == 'v1':
        disk.count_in(deep)
    before = used(box, disk)
    box.call(io_in, deep, disk.path)
    between(used(box, disk)[2] - before[2], SECTORS, SECTORS + 4096, 'sectors read')


def io_in(group, path):
    group.join()
    return inside.direct_io(path, 10 * MIB, False)
