# SPDX-License-Identifier: LGPL-2.1-or-later
"""Swap: limits, none, usage above the limit; meminfo and swaps agree."""

import os

from lab import MIB, guardian, host, inside, parse
from lab.check import between, equal, eventually, near, needs, ok

MEMINFO = '/proc/meminfo'
SWAPS = '/proc/swaps'
SIZE = 256 * MIB


def swap_on(lab, size=SIZE):
    """The guest's spare disk, or one in memory, as swap, until the test ends."""
    host.write_new(f'{lab.run.folder}/{guardian.SWAP_FILE}', host.SWAP_DISK)
    lab.later(guardian.end_swap, lab.run.folder)
    if 'zram' in host.SWAP_DISK:
        host.write('/sys/block/zram0/disksize', size)
    status, _out, err = lab.execute('mkswap', host.SWAP_DISK, str(size // 1024))
    equal(status, 0, err)
    status, _out, err = lab.execute('swapon', host.SWAP_DISK)
    equal(status, 0, err)


def promised(memory, swap):
    """kB of SwapTotal for such limits in MiB; v1 limits the two together, all may be swap."""
    return min(swap if host.KIND == 'v2' else memory + swap, SIZE // MIB) * 1024


def total_and_free(box):
    """SwapTotal and SwapFree of meminfo, which must be what swaps says."""
    info, text = box.call(inside.read_all, (MEMINFO, SWAPS))
    info = parse.meminfo(info)
    rows = parse.swaps(text)
    equal(text.splitlines()[0], host.read(SWAPS).splitlines()[0], 'header of swaps')
    if info['SwapTotal'] == 0:
        equal(rows, [], 'lines of swaps without swap')
    else:
        equal([(row[0], row[1], row[4]) for row in rows], [('none', 'virtual', 0)], 'line of swaps')
        equal(rows[0][2], info['SwapTotal'], 'size in swaps against SwapTotal')
        near(
            rows[0][3], info['SwapTotal'] - info['SwapFree'], 2048, 'used in swaps against meminfo'
        )
    ok(info['SwapFree'] <= info['SwapTotal'], 'SwapFree ≤ SwapTotal')
    return info['SwapTotal'], info['SwapFree']


def swapped_out(lab, size, **limits):
    """A container that wants so much more than its memory limit that much of it is in swap."""
    box = lab.container(**limits)
    mark = f'{lab.folder}/mark'
    host.write_new(mark)
    box.start(inside.fill_and_sleep, size, mark)
    eventually(lambda: os.path.getsize(mark), 'memory filled', 20)
    return box


@needs('noswap')
def test_host_without_swap(lab):
    """Where the host has no swap no container has any, whatever its limit."""
    equal(total_and_free(lab.container()), (0, 0), 'swap of an unlimited container')
    box = lab.container(memory=256 * MIB, swap=128 * MIB)
    equal(total_and_free(box), (0, 0), 'swap of a limited container')


@needs('swapdisk')
def test_swap_limit_is_swaptotal(lab):
    """A swap limit of 64 MiB is SwapTotal, and the size in swaps."""
    swap_on(lab)
    box = lab.container(memory=128 * MIB, swap=64 * MIB)
    wanted = promised(128, 64)
    equal(total_and_free(box), (wanted, wanted), 'swap')
    equal(box.output('free', '-k').split('\n')[2].split()[1], str(wanted), 'swap of free')


@needs('swapdisk', 'v2')
def test_no_swap_allowed(lab):
    """A limit of 0 is no swap: SwapTotal 0, swaps with the header alone."""
    swap_on(lab)
    equal(total_and_free(lab.container(memory=128 * MIB, swap=0)), (0, 0), 'swap')


@needs('swapdisk')
def test_unlimited_swap_is_the_hosts(lab):
    """Without a limit, and with one above it: what the host has."""
    swap_on(lab)
    mine = parse.meminfo(host.read(MEMINFO))['SwapTotal']
    ok(mine > 200 * 1024, 'the host has swap')
    equal(total_and_free(lab.container())[0], mine, 'SwapTotal without a limit')
    box = lab.container(memory=128 * MIB, swap=4096 * MIB)
    equal(total_and_free(box)[0], mine, 'SwapTotal with a huge limit')


@needs('swapdisk')
def test_swap_limit_of_a_parent(lab):
    """The smallest swap limit of the chain counts."""
    swap_on(lab)
    parent = lab.cgroup(memory=128 * MIB, swap=32 * MIB)
    equal(
        total_and_free(lab.container(parent=parent))[0], promised(128, 32), 'SwapTotal of the child'
    )


@needs('swapdisk')
def test_used_swap_shows(lab):
    """What the container has in swap is used there, in meminfo and in swaps."""
    swap_on(lab)
    box = swapped_out(lab, 80 * MIB, memory=40 * MIB, swap=128 * MIB)
    total, free = total_and_free(box)
    equal(total, promised(40, 128), 'SwapTotal')
    near(total - free, box.group.swap_usage() // 1024, 2048, 'used')
    between(total - free, 30 * 1024, 90 * 1024, 'used')


@needs('swapdisk', 'v2')
def test_usage_above_the_limit(lab):
    """A limit set below what is in swap: SwapTotal is the usage, SwapFree 0."""
    swap_on(lab)
    box = swapped_out(lab, 80 * MIB, memory=40 * MIB, swap=128 * MIB)
    box.group.set_swap(8 * MIB)
    info = parse.meminfo(box.seen(MEMINFO))
    near(info['SwapTotal'], box.group.swap_usage() // 1024, 2048, 'SwapTotal')
    ok(info['SwapTotal'] > 20 * 1024, 'SwapTotal is more than the limit')
    equal(info['SwapFree'], 0, 'SwapFree')
    rows = parse.swaps(box.seen(SWAPS))
    near(rows[0][2], info['SwapTotal'], 1024, 'size in swaps')
    equal(rows[0][2], rows[0][3], 'used in swaps')


@needs('swapdisk')
def test_changed_swap_limit_shows_on_the_next_read(lab):
    """A swap limit changed while the container runs shows at once."""
    swap_on(lab)
    box = lab.container(memory=128 * MIB, swap=64 * MIB)
    box.group.set_swap(96 * MIB, 128 * MIB)
    equal(total_and_free(box)[0], promised(128, 96), 'SwapTotal')


@needs('swapdisk', 'v1')
def test_swappiness_of_zero_is_no_swap(lab):
    """v1: a group that never swaps and has nothing in swap has none."""
    swap_on(lab)
    box = lab.container(memory=128 * MIB, swap=64 * MIB)
    equal(total_and_free(box)[0], promised(128, 64), 'SwapTotal')
    box.group.put('memory', 'memory.swappiness', 0)
    equal(total_and_free(box), (0, 0), 'swap')


@needs('swapdisk')
def test_disable_swap_option(lab):
    """With --disable-swap (-u) containers show no swap."""
    swap_on(lab)
    for option in ('--disable-swap', '-u'):
        box = lab.container(daemon=lab.start_daemon(option), memory=128 * MIB, swap=64 * MIB)
        equal(total_and_free(box), (0, 0), f'swap with {option}')
