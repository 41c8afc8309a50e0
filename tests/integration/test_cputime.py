# SPDX-License-Identifier: LGPL-2.1-or-later
"""CPU time in stat and uptime: truthful shares, and counters that never go back."""

import itertools
import re
import time

from lab import FIRST, host, inside, parse
from lab.check import between, equal, near, needs, ok

STAT = '/proc/stat'
UPTIME = '/proc/uptime'
SECONDS = 3.0


def shares_of(boxes, seconds=SECONDS):
    """Percent of each field of the cpu line in each container, over the same time."""
    tasks = [box.start(inside.sampled, STAT, seconds) for box in boxes]
    return [parse.share(*task.result(seconds + 20)[:2]) for task in tasks]


@needs(quiet=True)
def test_spinner_is_busy_and_its_neighbour_idle(lab):
    """A spinner in a 1-CPU container reads 100 % busy, an idle neighbour on the same host 0 %."""
    lab.first()
    busy, idle = lab.container(cpus=1, shares=FIRST), lab.container(cpus=1)
    busy.spin()
    time.sleep(0.5)
    spinner, neighbour = shares_of([busy, idle])
    between(spinner['user'] + spinner['system'] + spinner['steal'], 97, 100, 'busy of the spinner')
    between(spinner['user'], 90, 100, 'user of the spinner')
    between(neighbour['idle'], 98, 100, 'idle of the neighbour')


@needs(quiet=True, tools='top mpstat')
def test_top_and_mpstat_compute_the_same(lab):
    """top and mpstat print 100 % for the spinner's container and 0 % for the neighbour's."""
    lab.first()
    busy, idle = lab.container(cpus=1, shares=FIRST), lab.container(cpus=1)
    busy.spin()
    tasks = [
        (box, box.start(inside.run, argv, {}))
        for box in (busy, idle)
        for argv in (['top', '-b', '-n2', '-d2'], ['mpstat', '2', '1'])
    ]
    for box, task in tasks:
        status, out, err = task.result(60)
        equal(status, 0, err)
        if '%Cpu(s)' in out:
            us, sy, ni, left = map(
                float,
                re.findall(
                    r'%Cpu\(s\):\s*([\d.]+) us,\s*([\d.]+) sy,\s*([\d.]+) ni,\s*([\d.]+) id', out
                )[-1],
            )
            used = us + sy + ni
        else:
            numbers = out.strip().splitlines()[-1].split()[2:]
            used, left = float(numbers[0]) + float(numbers[2]), float(numbers[-1])
        if box is busy:
            between(used, 93, 101, f'busy in {out[-300:]}')
        else:
            # What top and mpstat take themselves is the container's too.
            between(left, 95 if not host.GUEST else 65, 101, f'idle in {out[-300:]}')


@needs(quiet=True)
def test_held_at_one_and_a_half_of_two_cpus(lab):
    """Two spinners held at 1.5 of two visible CPUs: 75 us, 25 st, 0 id."""
    lab.first()
    box = lab.container(cpus=1.5, shares=FIRST)
    box.spin(2)
    time.sleep(1)
    for _ in range(5):  # until the machine, which may be busy otherwise, gives it its 1.5 CPUs
        start, used = time.monotonic(), box.group.cpu_usage_us()
        got = shares_of([box], 4.0)[0]
        used = (box.group.cpu_usage_us() - used) / (time.monotonic() - start) / 20000
        near(got['user'] + got['system'], used, 6, 'busy against what the group used')
        if used > 72 or host.GUEST:
            break
    if used > 72 or not host.GUEST:
        near(got['user'] + got['system'], 75, 5, 'busy')
        near(got['steal'], 25, 5, 'steal')
        between(got['idle'], 0, 4, 'idle')


@needs(quiet=True)
def test_all_time_of_a_cpu_is_accounted_for(lab):
    """user + nice + system + steal + idle of each line grow by the time that passed."""
    lab.first()
    for spinners in (0, 1):
        box = lab.container(cpus=1.5, shares=FIRST)
        box.spin(spinners)
        box.read(STAT)
        before, after, seconds = box.call(inside.sampled, STAT, 2.0)
        first, last = parse.stat(before)[0], parse.stat(after)[0]
        for name in ('cpu0', 'cpu1'):
            grown = sum(last[name][:8]) - sum(first[name][:8])
            near(grown, seconds * host.HZ, 6, f'ticks of {name} with {spinners} spinners')


def idle_agrees(box):
    """The second number of uptime lies between stat's idle before and after it."""
    box.spin()
    for _ in range(5):
        before, middle, after = box.call(inside.read_all, (STAT, UPTIME, STAT))
        low, high = (parse.stat(text)[0]['cpu'][3] / host.HZ for text in (before, after))
        between(parse.uptime(middle)[1], low - 0.03, high + 0.03, 'idle of uptime')
        time.sleep(0.3)


@needs(quiet=True)
def test_uptime_idle_is_the_idle_of_stat(lab):
    """The second number of uptime is stat's idle over the visible CPUs."""
    lab.first()
    idle_agrees(lab.container(cpus=1.5))


@needs(quiet=True)
def test_uptime_idle_without_a_pid_namespace(lab):
    """The same in the host's pid namespace, with the host's cgroup namespace and with its own."""
    lab.first()
    for cgroupns in (False, True):
        idle_agrees(lab.container(cpus=1.5, pid=False, cgroupns=cgroupns))


def test_uptime_starts_with_the_container(lab):
    """The first number of uptime is the age of the container's init."""
    box = lab.container()
    time.sleep(1.2)
    ticks = int(host.read(f'/proc/{box.pid}/stat').rpartition(')')[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / host.HZ
    near(parse.uptime(box.read(UPTIME))[0], age, 0.3 * host.SCALE, 'uptime')


def test_stat_lines_without_a_source(lab):
    """No iowait, irq, softirq, guest; intr and softirq are one total; btime is the host's."""
    text = lab.container(cpus=1).read(STAT)
    cpus, rest = parse.stat(text)
    ours, theirs = parse.stat(host.read(STAT))
    equal(list(rest), list(theirs), 'names after the cpu lines')
    for name, ticks in cpus.items():
        equal(len(ticks), len(ours['cpu']), f'numbers of {name}')
        equal([ticks[i] for i in (4, 5, 6, 8, 9)], [0] * 5, f'sourceless fields of {name}')
    near(rest['btime'], theirs['btime'], 1, 'btime')
    ok(text.startswith('cpu  '), 'the sum line is padded as the kernel pads it')
    for name in ('intr', 'ctxt', 'processes', 'softirq'):
        between(rest[name], theirs[name] // 2, theirs[name], name)


def test_first_read_is_of_the_container_alone(lab):
    """A fresh container has used no CPU time to speak of, whatever the host has."""
    ticks = parse.stat(lab.container(cpus=1).read(STAT))[0]['cpu']
    between(ticks[0] + ticks[2], 0, int(100 * host.SCALE), 'busy ticks')
    between(sum(ticks[:8]), 0, int(1000 * host.SCALE), 'all ticks')


@needs('v1', quiet=True)
def test_time_of_a_cpu_is_on_its_line(lab):
    """While the whole cpuset is visible, v1 tells exactly which CPU was busy."""
    lab.first()
    box = lab.container(shares=FIRST)
    box.start(inside.spin_on, 1)
    before, after, _seconds = box.call(inside.sampled, STAT, 2.0)
    between(parse.share(before, after, 'cpu1')['user'], 85, 100, 'user of cpu1')
    between(parse.share(before, after, 'cpu0')['idle'], 90, 100, 'idle of cpu0')


@needs('v1', quiet=True)
def test_time_on_a_hidden_cpu_is_folded_into_the_visible(lab):
    """What runs on a CPU that the quota hides shows on the one that is visible."""
    lab.first()
    box = lab.container(cpus=1, shares=FIRST)
    box.start(inside.spin_on, 1)
    before, after, _seconds = box.call(inside.sampled, STAT, 2.0)
    share = parse.share(before, after, 'cpu0')
    between(share['user'] + share['system'] + share['steal'], 90, 100, 'busy of cpu0')


@needs('v2', quiet=True)
def test_time_is_spread_over_the_visible_cpus(lab):
    """v2 has totals alone: one spinner of four CPUs is a quarter of each."""
    lab.first()
    box = lab.container(cpuset='0-3')
    box.start(inside.spin_on, 1)
    before, after, _seconds = box.call(inside.sampled, STAT, 3.0)
    for name in ('cpu0', 'cpu1', 'cpu2', 'cpu3'):
        near(parse.share(before, after, name)['idle'], 75, 10, f'idle of {name}')


@needs(quiet=True)
def test_later_cpu_starts_at_zero_and_a_hidden_one_keeps_its_counters(lab):
    """A CPU that becomes visible has been busy 0 ticks; one that went comes back as it was."""
    lab.first()
    box = lab.container(cpus=1, shares=FIRST)
    task = box.start(inside.spin)
    box.call(inside.sampled, STAT, 1.0)
    task.kill()
    box.group.set_cpus(2)
    first = parse.stat(box.read(STAT))[0]
    ok(sum(first['cpu1']) > 0, 'a line of zeros is that of a CPU which is off line')
    between(
        sum(first['cpu1'][i] for i in (0, 1, 2, 7)), 0, 20, 'busy ticks of a CPU that just came'
    )
    box.group.put('cpuset', 'cpuset.cpus', '0')
    equal(parse.stat_cpus(box.read(STAT)), [0], 'visible CPUs')
    box.group.put('cpuset', 'cpuset.cpus', '0-1')
    last = parse.stat(box.read(STAT))[0]
    for name in ('cpu0', 'cpu1'):
        for field, low, high in zip(parse.CPU_FIELDS, first[name], last[name]):
            ok(high >= low, f'{field} of {name} fell from {low} to {high}')


def falls(old, new):
    return [field for field, a, b in zip(parse.CPU_FIELDS, old, new) if b < a]


# What was used ahead of the clock for so long is made good later, see sample/cputime.h.
DEBT_S = 0.02


def ahead(gap):
    """Seconds that a line may be ahead for ever: what ran on all CPUs between two readings is on the
    one that is visible at the second, if it is the only one."""
    return max(0.0, gap - DEBT_S) * (len(host.CPUS) - 1)


def contradiction(cpus, best, most):
    """What is wrong with one reading, after the last ones by line; a line has no more seconds
    than `most`."""
    seen = [cpus[name] for name in cpus if name != 'cpu']
    hidden = [ticks for name, ticks in best.items() if name != 'cpu' and name not in cpus]
    total = [sum(column) for column in zip(*seen)]
    # As the kernel does for a CPU that is off line, the sum goes on counting one that went away.
    if any(a < b for a, b in zip(cpus['cpu'], total)) or (not hidden and cpus['cpu'] != total):
        return f'cpu is {cpus["cpu"]}, the sum {total}'
    for name, ticks in cpus.items():
        if falls(best.get(name, ticks), ticks):
            return f'{falls(best[name], ticks)} of {name} fell: {best[name]} and then {ticks}'
        if name != 'cpu' and sum(ticks) > most * host.HZ + 50:
            return f'{name} has {sum(ticks)} ticks, {most * host.HZ:.0f} at most have passed'
    return ''


def watch(count, seconds, born):
    """Read many times, and so long; the first contradiction found, and how many readings there were."""
    # A CPU may have been seen, and be hidden by now, before the first reading.
    best = {f'cpu{number}': [0] * len(parse.CPU_FIELDS) for number in host.CPUS}
    previous, most = 0.0, 1.0
    since, end = born, born + seconds
    for number in itertools.count():
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        if number >= count and before > end:
            return '', number
        cpus, _rest = parse.stat(host.read(STAT))
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        most += before - since + ahead(now - since)
        since = before
        wrong = contradiction(cpus, best, most + now - before) if len(cpus) > 1 else 'no CPU'
        best.update(cpus)
        if number % 100 == 0:
            up, _idle = parse.uptime(host.read(UPTIME))
            wrong = wrong or (f'uptime fell from {previous} to {up}' if up < previous else '')
            previous = up
        if wrong:
            return f'reading {number}: {wrong}', number


@needs(quiet=True, timeout=170)
def test_no_counter_goes_back(lab):
    """10,000 readings during changes of quota and cpuset and kills of the worker: no decrease."""
    lab.first()
    readings = 10000 if not host.GUEST else 2000
    box = lab.container(cpus=1.5)
    box.spin(2)
    task = box.start(watch, readings, 4, time.clock_gettime(time.CLOCK_BOOTTIME))
    quotas = (1, 2, 0.5, 1.5, -1)
    sets = ('0', '0-1', '1', '0-1')
    step = 0
    while not task.done(0.03):
        box.group.set_cpus(quotas[step % len(quotas)])
        box.group.put('cpuset', 'cpuset.cpus', sets[step % len(sets)])
        if step % 20 == 10:
            lab.daemon.kill_worker()
        step += 1
    problem, count = task.result(120)
    equal(problem, '', 'contradiction')
    ok(count >= readings, f'only {count} readings')
    ok(step > 40, f'only {step} changes were made meanwhile')


@needs(quiet=True)
def test_counters_outlive_the_worker(lab):
    """After SIGKILL of the worker the counters go on where they were, and no CPU time appears."""
    lab.first()
    box = lab.container(cpus=1, shares=FIRST)
    box.spin()
    first, before, _seconds = box.call(inside.sampled, STAT, 1.0)
    lab.daemon.kill_worker()
    after = box.read(STAT)
    for field, low, high in zip(
        parse.CPU_FIELDS, parse.stat(before)[0]['cpu'], parse.stat(after)[0]['cpu']
    ):
        between(high, low, low + int(200 * host.SCALE), f'{field} after the kill')
    ok(parse.stat(first)[0]['cpu'] < parse.stat(after)[0]['cpu'], 'the counters move')


def test_running_and_blocked_are_the_containers(lab):
    """procs_running counts the container's tasks, not the host's."""
    busy = lab.container(shares=64)
    busy.spin(3)
    idle = lab.container()
    idle.read('/proc/loadavg')
    busy.read('/proc/loadavg')
    time.sleep(5.5)
    rest = parse.stat(idle.read(STAT))[1]
    between(rest['procs_running'], 0, 1, 'procs_running of an idle container')
    equal(rest['procs_blocked'], 0, 'procs_blocked of an idle container')
    between(
        parse.stat(busy.read(STAT))[1]['procs_running'], 3, 4, 'procs_running of three spinners'
    )


@needs(quiet=True)
def test_usage_of_nested_groups_counts(lab):
    """CPU time used in a group below the container's root is the container's."""
    lab.first()
    box = lab.container(shares=FIRST)
    deep = box.group.bare_child('a').bare_child('b')
    box.start(inside.spin_in, deep)
    before, after, _seconds = box.call(inside.sampled, STAT, 1.5)
    grown = parse.stat(after)[0]['cpu'][0] - parse.stat(before)[0]['cpu'][0]
    between(grown, host.HZ // 2, 2 * host.HZ, 'user ticks')
