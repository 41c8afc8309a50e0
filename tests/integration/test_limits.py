# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits of memory, CPU time and CPU sets, and where in the chain they stand."""

import os

from lab import MIB, host, inside, parse
from lab.check import between, equal, eventually, near, needs, ok

CPU_TREE = '/sys/devices/system/cpu'
MEMINFO = '/proc/meminfo'


def total_kb(container):
    return parse.meminfo(container.read(MEMINFO))['MemTotal']


def sees(container, cpus, what):
    """The same CPUs in cpuinfo, stat and online, and cpuN/online to match."""
    for name, shown in parse.cpu_views(container).items():
        equal(shown, cpus, f'{what}: CPUs in {name}')
    for cpu in host.CPUS:
        path = f'{CPU_TREE}/cpu{cpu}/online'
        if os.path.exists(path):
            equal(container.read(path), f'{int(cpu in cpus)}\n', f'{what}: {path}')


def test_memory_limit_is_memtotal(lab):
    """A limit of 256 MiB is MemTotal, and free prints it."""
    box = lab.container(memory=256 * MIB)
    equal(total_kb(box), 256 * 1024, 'MemTotal')
    equal(int(box.output('free', '-k').split('\n')[1].split()[1]), 256 * 1024, 'total of free')


def test_quota_of_one_and_a_half_cpus_shows_two(lab):
    """1.5 CPUs of quota round up to two visible CPUs."""
    sees(lab.container(cpus=1.5), host.CPUS[:2], 'quota 1.5')


def test_quota_of_one_cpu_shows_one(lab):
    """A quota of one CPU, or of less, shows one CPU."""
    sees(lab.container(cpus=1), host.CPUS[:1], 'quota 1')
    sees(lab.container(cpus=0.25), host.CPUS[:1], 'quota 0.25')


def test_cpuset_of_one_shows_its_real_number(lab):
    """A cpuset of CPU 1 alone shows CPU 1, not CPU 0."""
    sees(lab.container(cpuset='1'), [1], 'cpuset 1')


def test_cpuset_of_two_and_quota_of_one_shows_the_first(lab):
    """Of a cpuset of two, a quota of one CPU leaves the first."""
    sees(lab.container(cpuset='0-1', cpus=1), [0], 'cpuset 0-1 and quota 1')


@needs('cpus=8')
def test_cpuset_of_three_shows_three(lab):
    """A cpuset of three CPUs shows these three with their real numbers."""
    sees(lab.container(cpuset='1,3,5'), [1, 3, 5], 'cpuset 1,3,5')


@needs('cpus=8')
def test_cpuset_of_three_and_quota_of_one_and_a_half_shows_two(lab):
    """256 MiB, 1.5 CPUs and a cpuset of three: two CPUs in every file, 256 MiB in meminfo."""
    box = lab.container(memory=256 * MIB, cpuset='2,4,6', cpus=1.5)
    sees(box, [2, 4], 'cpuset 2,4,6 and quota 1.5')
    equal(total_kb(box), 256 * 1024, 'MemTotal')


@needs('cpus=8')
def test_quota_larger_than_the_cpuset_changes_nothing(lab):
    """A quota of six CPUs does not add to a cpuset of two."""
    sees(lab.container(cpuset='3-4', cpus=6), [3, 4], 'cpuset 3-4 and quota 6')


def test_siblings_and_cores_do_not_exceed_the_visible_cpus(lab):
    """cpuinfo of one visible CPU says siblings 1 and cpu cores 1."""
    text = lab.container(cpus=1).read('/proc/cpuinfo')
    for field in ('siblings', 'cpu cores'):
        for value in parse.cpuinfo_field(text, field):
            between(value, 1, 1, field)


def test_cpuinfo_blocks_are_the_hosts(lab):
    """A visible CPU's block has the host's lines in the host's order."""
    theirs = lab.container(cpus=1).read('/proc/cpuinfo').split('\n\n')[0]
    ours = host.read('/proc/cpuinfo').split('\n\n')[0]
    equal(
        [line.split('\t')[0] for line in theirs.splitlines()],
        [line.split('\t')[0] for line in ours.splitlines()],
        'names in a block',
    )


def test_possible_present_and_kernel_max_stay_the_hosts(lab):
    """The sizes that programs index tables by are never cut."""
    box = lab.container(cpus=1, cpuset='1')
    for name in ('possible', 'present', 'kernel_max'):
        equal(box.read(f'{CPU_TREE}/{name}'), host.read(f'{CPU_TREE}/{name}'), name)


def test_rest_of_the_cpu_tree_is_the_hosts(lab):
    """The cpu tree lists what the host's lists, and its other files say the same."""
    box = lab.container(cpus=1)
    equal(sorted(box.call(os.listdir, CPU_TREE)), sorted(os.listdir(CPU_TREE)), 'names')
    equal(
        sorted(box.call(os.listdir, f'{CPU_TREE}/cpu1')),
        sorted(os.listdir(f'{CPU_TREE}/cpu1')),
        'cpu1',
    )
    for name in (
        'cpu0/topology/core_id',
        'cpu1/topology/thread_siblings_list',
        'isolated',
        'vulnerabilities/meltdown',
    ):
        if os.path.exists(f'{CPU_TREE}/{name}'):
            equal(box.read(f'{CPU_TREE}/{name}'), host.read(f'{CPU_TREE}/{name}'), name)


def test_no_cpu_quota_counts_the_cpuset_alone(lab):
    """With --no-cpu-quota a quota hides no CPU, a cpuset still does."""
    daemon = lab.start_daemon('--no-cpu-quota')
    sees(lab.container(daemon=daemon, cpus=1), host.CPUS, 'quota 1')
    sees(lab.container(daemon=daemon, cpus=1, cpuset='1'), [1], 'cpuset 1')


def test_changed_memory_limit_shows_on_the_next_read(lab):
    """A memory limit changed while the container runs shows at once."""
    box = lab.container(memory=256 * MIB)
    for limit in (300, 128, 512):
        box.group.set_memory(limit * MIB)
        equal(total_kb(box), limit * 1024, f'MemTotal at {limit} MiB')
    box.group.set_memory(-1)
    equal(total_kb(box), parse.meminfo(host.read(MEMINFO))['MemTotal'], 'MemTotal without a limit')


def test_changed_quota_shows_on_the_next_read(lab):
    """A quota changed while the container runs shows at once in every file."""
    box = lab.container(cpus=1)
    for quota, count in ((2, 2), (0.5, 1), (1.01, 2), (-1, len(host.CPUS))):
        box.group.set_cpus(quota)
        sees(box, host.CPUS[:count], f'quota {quota}')


def test_changed_cpuset_shows_on_the_next_read(lab):
    """A cpuset changed while the container runs shows at once in every file."""
    box = lab.container(cpuset='0-1')
    for cpus in ([1], [0], [0, 1]):
        box.group.put('cpuset', 'cpuset.cpus', ','.join(map(str, cpus)))
        sees(box, cpus, f'cpuset {cpus}')


def test_limits_on_a_parent_only(lab):
    """What only a parent limits is a limit of the container."""
    parent = lab.cgroup(memory=256 * MIB, cpus=1, cpuset='1')
    if host.KIND == 'v1':
        box = lab.container(parent=parent, cpuset='1')
    else:
        box = lab.container(parent=parent)
    equal(total_kb(box), 256 * 1024, 'MemTotal')
    sees(box, [1], 'limits of the parent')
    parent.set_memory(200 * MIB)
    equal(total_kb(box), 200 * 1024, 'MemTotal after a change')


def test_limits_two_levels_up(lab):
    """The smallest limit of the whole chain counts, wherever it stands."""
    top = lab.cgroup(memory=192 * MIB)
    box = lab.container(parent=lab.cgroup(parent=top, cpus=1), memory=512 * MIB)
    equal(total_kb(box), 192 * 1024, 'MemTotal')
    sees(box, host.CPUS[:1], 'quota of the middle level')


def test_memory_of_a_child_larger_than_its_parent(lab):
    """A child that may use more than its parent has the parent's limit."""
    box = lab.container(parent=lab.cgroup(memory=256 * MIB), memory=1024 * MIB)
    equal(total_kb(box), 256 * 1024, 'MemTotal')


@needs('v2')
def test_quota_of_a_child_larger_than_its_parent(lab):
    """A child's quota of two CPUs below a parent's of one shows one."""
    sees(lab.container(parent=lab.cgroup(cpus=1), cpus=2), host.CPUS[:1], 'parent 1, child 2')


def test_quota_with_another_period(lab):
    """Quotas of different periods are compared as shares of a CPU."""
    box = lab.container()
    box.group.set_cpus(1.5, 20000)
    sees(box, host.CPUS[:2], '30 ms of 20 ms')
    box.group.set_cpus(0.9, 1000000)
    sees(box, host.CPUS[:1], '900 ms of 1 s')


def test_unlimited_container_has_the_hosts_size(lab):
    """Without any limit: the host's MemTotal and CPUs."""
    box = lab.container()
    equal(total_kb(box), parse.meminfo(host.read(MEMINFO))['MemTotal'], 'MemTotal')
    sees(box, host.CPUS, 'no limits')


def test_limit_larger_than_the_host_is_the_hosts_size(lab):
    """A limit above what the machine has promises no more than that."""
    mine = parse.meminfo(host.read(MEMINFO))['MemTotal']
    equal(total_kb(lab.container(memory=(mine + (1 << 20)) * 1024)), mine, 'MemTotal')


@needs('v2', 'guest')
def test_usage_above_the_limit_does_not_wrap(lab):
    """A limit set below what is used: MemFree is 0, MemTotal the limit, never a huge number."""
    parent = lab.cgroup()
    box = lab.container(parent=parent)
    hog = lab.container(parent=parent)
    keeper = box.start(inside.sleep)
    mark = f'{lab.folder}/filled'
    host.write_new(mark)
    filler = hog.start(inside.fill_and_sleep, 96 * MIB, mark)
    eventually(lambda: os.path.getsize(mark), 'memory filled')
    # Nothing of the group may be killed, so that the limit stays below the usage.
    for task in (keeper, filler):
        host.write(f'/proc/{task.pid}/oom_score_adj', -1000)
    for one in (box, hog):
        host.write(f'/proc/{one.pid}/oom_score_adj', -1000)
    parent.set_memory(48 * MIB)
    lab.later(parent.set_memory, -1)
    ok(parent.usage() > 60 * MIB, f'the usage {parent.usage()} should be above the limit')
    info = parse.meminfo(host.read(f'{lab.daemon.mnt}/containers/{keeper.pid}/proc/meminfo'))
    equal(info['MemTotal'], 48 * 1024, 'MemTotal')
    equal(info['MemFree'], 0, 'MemFree')
    between(info['MemAvailable'], 0, 1024, 'MemAvailable')


def filled(lab, size, **limits):
    """A container that holds that much memory."""
    box = lab.container(**limits)
    mark = f'{lab.folder}/filled{lab.count}'
    host.write_new(mark)
    box.start(inside.fill_and_sleep, size, mark)
    eventually(lambda: os.path.getsize(mark), 'memory filled')
    return box


def free_and_available(box):
    info = parse.meminfo(box.read(MEMINFO))
    return info['MemFree'], info['MemAvailable']


def test_full_container_has_little_memory(lab):
    """What the container itself holds is not free."""
    box = filled(lab, 160 * MIB, memory=256 * MIB)
    for name, value in zip(('MemFree', 'MemAvailable'), free_and_available(box)):
        between(value, 40 * 1024, 96 * 1024, name)


def test_full_sibling_takes_from_the_child(lab):
    """A sibling that fills the parent leaves as little to the child."""
    parent = lab.cgroup(memory=256 * MIB)
    box = lab.container(parent=parent, memory=200 * MIB)
    for name, value in zip(('MemFree', 'MemAvailable'), free_and_available(box)):
        between(value, 120 * 1024, 200 * 1024, f'{name} before')
    filled(lab, 160 * MIB, parent=parent)
    free, available = free_and_available(box)
    limit = 256 * 1024 - parent.usage() // 1024
    near(free, limit, 4096, 'MemFree')
    between(free, 0, 96 * 1024, 'MemFree')
    between(available, 0, 96 * 1024, 'MemAvailable')


def test_full_parent_without_a_limit_of_the_child(lab):
    """An unlimited child of a full parent has what the parent has left."""
    parent = lab.cgroup(memory=256 * MIB)
    filled(lab, 200 * MIB, parent=parent)
    for name, value in zip(
        ('MemFree', 'MemAvailable'), free_and_available(lab.container(parent=parent))
    ):
        between(value, 0, 56 * 1024, name)


@needs(quiet=True)
def test_full_host_shows_in_an_unlimited_container(lab):
    """Memory taken from the host is gone from an unlimited container's too."""
    box = lab.container()
    size = min(1024 * MIB, parse.meminfo(host.read(MEMINFO))['MemFree'] * 1024 // 2)
    before = free_and_available(box)
    filled(lab, size)
    info = parse.meminfo(host.read(MEMINFO))
    after = free_and_available(box)
    for name, first, last in zip(('MemFree', 'MemAvailable'), before, after):
        near(last, info[name], 64 * 1024, f'{name} against the host')
        ok(
            first - last > size // 1024 * 3 // 4,
            f'{name}: {first} and then {last} after {size >> 10} kB',
        )


def test_limit_above_what_the_host_has_left(lab):
    """A container may not be promised more than the host has free."""
    info = parse.meminfo(host.read(MEMINFO))
    box = lab.container(memory=info['MemTotal'] * 1024 - MIB)
    free, available = free_and_available(box)
    info = parse.meminfo(host.read(MEMINFO))
    between(free, 0, info['MemFree'] + 32 * 1024, 'MemFree')
    between(available, 0, info['MemAvailable'] + 32 * 1024, 'MemAvailable')
