# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each line of meminfo against the cgroup's own numbers."""

import os

from lab import MIB, host, inside, parse
from lab.check import Skip, between, equal, eventually, near, needs, ok

MEMINFO = '/proc/meminfo'
# meminfo line -> keys of memory.stat that it is the sum of
V2_FIELDS = {
    'Cached': ('file',),
    'Active(anon)': ('active_anon',),
    'Inactive(anon)': ('inactive_anon',),
    'Active(file)': ('active_file',),
    'Inactive(file)': ('inactive_file',),
    'Unevictable': ('unevictable',),
    'AnonPages': ('anon',),
    'Mapped': ('file_mapped',),
    'Shmem': ('shmem',),
    'Slab': ('slab',),
    'SReclaimable': ('slab_reclaimable',),
    'SUnreclaim': ('slab_unreclaimable',),
    'KReclaimable': ('slab_reclaimable',),
    'KernelStack': ('kernel_stack',),
    'PageTables': ('pagetables',),
    'Percpu': ('percpu',),
    'AnonHugePages': ('anon_thp',),
    'ShmemHugePages': ('shmem_thp',),
    'FileHugePages': ('file_thp',),
    'SwapCached': ('swapcached',),
    'VmallocUsed': ('vmalloc',),
    'SecPageTables': ('sec_pagetables',),
    'Committed_AS': ('anon', 'shmem'),
}
V1_FIELDS = {
    'Cached': ('total_cache',),
    'Active(anon)': ('total_active_anon',),
    'Inactive(anon)': ('total_inactive_anon',),
    'Active(file)': ('total_active_file',),
    'Inactive(file)': ('total_inactive_file',),
    'Unevictable': ('total_unevictable',),
    'AnonPages': ('total_rss',),
    'Mapped': ('total_mapped_file',),
    'Shmem': ('total_shmem',),
    'AnonHugePages': ('total_rss_huge',),
    'SwapCached': ('total_swapcached',),
    'Committed_AS': ('total_rss', 'total_shmem'),
}
ALWAYS_ZERO = (
    'Buffers',
    'ShmemPmdMapped',
    'FilePmdMapped',
    'NFS_Unstable',
    'Bounce',
    'WritebackTmp',
    'CmaTotal',
    'CmaFree',
    'HardwareCorrupted',
    'Balloon',
    'Unaccepted',
)
HOSTS = ('VmallocTotal', 'VmallocChunk', 'Hugepagesize')


def seen(box):
    """meminfo as the operator sees it: reading it takes nothing from the container."""
    return parse.meminfo(box.seen(MEMINFO))


def test_same_lines_in_the_same_order(lab):
    """The lines, their order, their padding and unit are the host's."""
    ours = lab.container(memory=256 * MIB).read(MEMINFO)
    theirs = host.read(MEMINFO)
    equal(parse.meminfo_names(ours), parse.meminfo_names(theirs), 'names')
    for got, wanted in zip(ours.splitlines(), theirs.splitlines()):
        equal(len(got), len(wanted), f'length of {got!r} beside {wanted!r}')
        equal(got.endswith(' kB'), wanted.endswith(' kB'), f'unit of {got!r}')


def test_sums_and_bounds_hold(lab):
    """Free and available are within the total, and the sums are sums."""
    info = parse.meminfo(lab.container(memory=256 * MIB).read(MEMINFO))
    ok(info['MemFree'] <= info['MemTotal'], 'MemFree ≤ MemTotal')
    ok(info['MemAvailable'] <= info['MemTotal'], 'MemAvailable ≤ MemTotal')
    ok(info['SwapFree'] <= info['SwapTotal'], 'SwapFree ≤ SwapTotal')
    near(info['Active'], info['Active(anon)'] + info['Active(file)'], 1, 'Active')
    near(info['Inactive'], info['Inactive(anon)'] + info['Inactive(file)'], 1, 'Inactive')
    near(info['Slab'], info['SReclaimable'] + info['SUnreclaim'], 1, 'Slab')


def test_lines_without_a_source_are_zero_or_the_hosts(lab):
    """What has no source in a cgroup is 0, what describes the machine is the machine's."""
    info = parse.meminfo(lab.container(memory=256 * MIB).read(MEMINFO))
    theirs = parse.meminfo(host.read(MEMINFO))
    for name in ALWAYS_ZERO:
        equal(info.get(name, 0), 0, name)
    for name in HOSTS + tuple(n for n in theirs if n.startswith('DirectMap')):
        equal(info.get(name), theirs.get(name), name)


def test_memory_free_is_limit_less_usage(lab):
    """MemFree is the limit less what the group uses."""
    box = lab.container(memory=256 * MIB)
    low, info, high = box.group.usage(), seen(box), box.group.usage()
    # v1 counts usage in batches of 64 pages a CPU.
    slack = 256 * len(host.CPUS)
    between(
        info['MemFree'],
        256 * 1024 - high // 1024 - slack,
        256 * 1024 - low // 1024 + slack,
        'MemFree',
    )


def test_each_line_is_what_memory_stat_says(lab):
    """Every line with a source in memory.stat carries that number, with all kinds of memory."""
    box = lab.container(memory=256 * MIB)
    mark, size = f'{lab.folder}/mark', 24 * MIB
    host.write_new(mark)
    os.mkdir(f'{lab.folder}/shm')
    host.mount('tmpfs', f'{lab.folder}/shm', 'tmpfs')
    lab.later(host.umount, f'{lab.folder}/shm', host.MNT_DETACH)
    box.start(inside.fill_and_sleep, size, mark)
    eventually(lambda: os.path.getsize(mark), 'anonymous memory')
    deep = lab.cgroup(parent=box.group) if host.KIND == 'v1' else box.group
    filler = lab.outsider()
    filler.call(into_files, deep, f'{lab.folder}/shm/file', f'{lab.folder}/cached', size)
    # The kernel's own numbers may be two seconds old.
    least = {'AnonPages': 24, 'Shmem': 24, 'Cached': 48, 'Committed_AS': 48}
    info = eventually(lambda: agrees(box, least), 'meminfo agrees with memory.stat, and all is counted', 10)
    for name in least:
        between(info[name], 0, 256 * 1024, name)


def into_files(group, shm, cached, size):
    group.join()
    inside.write_file(shm, size)
    inside.write_file(cached, size)


def agrees(box, least):
    """meminfo, when each line lies between the two memory.stat around it and has so many MiB; else None."""
    fields = V2_FIELDS if host.KIND == 'v2' else V1_FIELDS
    before, info, after = box.group.memory_stat(), seen(box), box.group.memory_stat()
    agrees.wrong = [f'{name} {info[name]}' for name in least if info[name] < least[name] * 1024 - 64]
    for name, keys in fields.items():
        if name in info and all(key in before for key in keys):
            low, high = sorted(sum(s[k] for k in keys) // 1024 for s in (before, after))
            if not low - 1 <= info[name] <= high + 1:
                agrees.wrong.append(f'{name} {info[name]} not in {low}…{high}')
    return info if not agrees.wrong else None


def test_locked_memory_is_mlocked(lab):
    """Memory that the container locks is Unevictable and Mlocked."""
    box = lab.container(memory=256 * MIB)
    mark = f'{lab.folder}/mark'
    host.write_new(mark)
    box.start(inside.lock_and_sleep, 4 * MIB, mark)
    eventually(lambda: os.path.getsize(mark), 'memory locked')
    info = eventually(
        lambda: (lambda i: i if i['Unevictable'] >= 4 * 1024 - 128 else None)(seen(box)),
        'locked memory is unevictable',
    )
    between(info['Mlocked'], 4 * 1024 - 128, info['Unevictable'], 'Mlocked')


def test_file_cache_is_available(lab):
    """Page cache takes from MemFree but not from MemAvailable."""
    box = lab.container(memory=256 * MIB)
    before = seen(box)
    mark = f'{lab.folder}/mark'
    host.write_new(mark)
    path = host.SPARE_DISK or f'{lab.folder}/cached'
    box.start(inside.write_and_sleep, path, 64 * MIB, mark)
    eventually(lambda: os.path.getsize(mark), 'file written', 20)
    after = seen(box)
    if after['Shmem'] - before['Shmem'] > 32 * 1024:
        raise Skip(f'{lab.folder} is in memory, not on a disk')
    ok(
        before['MemFree'] - after['MemFree'] > 56 * 1024,
        f'MemFree {before["MemFree"]} and {after["MemFree"]}',
    )
    near(after['MemAvailable'], before['MemAvailable'], 12 * 1024, 'MemAvailable')
    ok(after['Cached'] - before['Cached'] > 60 * 1024, 'Cached')


def test_commit_limit_is_the_kernels_formula(lab):
    """CommitLimit is swap plus the ratio's part of MemTotal."""
    ratio = int(host.read('/proc/sys/vm/overcommit_ratio'))
    if int(host.read('/proc/sys/vm/overcommit_kbytes')):
        return
    info = parse.meminfo(lab.container(memory=256 * MIB).read(MEMINFO))
    near(info['CommitLimit'], info['SwapTotal'] + info['MemTotal'] * ratio // 100, 8, 'CommitLimit')


def test_huge_pages_are_none_without_a_controller(lab):
    """A group that the hugetlb controller does not bound has no huge pages of its own."""
    info = parse.meminfo(lab.container(memory=256 * MIB).read(MEMINFO))
    for name in (
        'HugePages_Total',
        'HugePages_Free',
        'HugePages_Rsvd',
        'HugePages_Surp',
        'Hugetlb',
    ):
        equal(info.get(name, 0), 0, name)


@needs('v2')
def test_memory_high_bounds_available_alone(lab):
    """Above memory.high the kernel throttles: it bounds MemAvailable, not MemTotal."""
    info = parse.meminfo(lab.container(memory=256 * MIB, high=128 * MIB).read(MEMINFO))
    equal(info['MemTotal'], 256 * 1024, 'MemTotal')
    between(info['MemAvailable'], 64 * 1024, 128 * 1024, 'MemAvailable')
    between(info['MemFree'], 129 * 1024, 256 * 1024, 'MemFree')
