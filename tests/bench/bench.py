#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How fast lxcfs-clone is, and how small, beside lxcfs and the kernel's own files. Run as root.

Prints tables and whether each requirement is met. That it is not is no failure: the exit status is
0 unless something could not be measured.
"""

import argparse
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'integration')]
sys.dont_write_bytecode = True

import cost  # noqa: E402
import hook  # noqa: E402
import start  # noqa: E402
from lab import host  # noqa: E402
from place import FILES, Place, Unmeasured, pin  # noqa: E402
from report import Report  # noqa: E402

TIMES_AS_FAST = {'meminfo': 3.3, 'stat': 3.3, 'cpuinfo': 3.3, 'swaps': 2.8, 'uptime': 1.8, 'loadavg': 1.8,
                 'diskstats': 1.8}
KINDS = {'own': 'its own cgroup namespace', 'host': "the host's cgroup namespace"}
CROWD, CROWD_FILES, CROWD_TIMES = 64, ('meminfo', 'stat', 'cpuinfo'), 4.0
MANY, MEMORY_MIB = 1000, 12.0
CALLS = {'meminfo': 18, 'uptime': 14}
REQUESTS = 3
START_TIMES = 1.5
HOOK_MS = 10.0
SETTLE_S = 6  # the load of each container is sampled every 5 s


def options_of(kind):
    return ['-p'] + (['-C'] if kind == 'own' else [])


def measure_speed(place, report, cpu, rounds):
    """open+read+close of each file, reader and server on one CPU, the three taking turns."""
    place.start_servers('lxcfs', 'ours')
    for server in place.servers.values():
        pin(server.pids(), cpu)
    _groups, join = place.containers('reader', 1)
    for kind, words in KINDS.items():
        names = {(s, f): f'cat:{place.path(s, f)}' for f in FILES for s in ('kernel', 'lxcfs', 'ours')}
        found = place.read(list(names.values()), '-c', str(cpu), '-n', '100', '-r', str(rounds), *join,
                           *options_of(kind))
        report.table(f'open + read + close in a container with {words}: µs, median of {rounds * 100}',
                     ('file', 'kernel', 'lxcfs', 'lxcfs-clone', 'times as fast', 'at least', ''))
        for file in FILES:
            kernel, lxcfs, ours = (found[names[s, file]].median for s in ('kernel', 'lxcfs', 'ours'))
            report.row(file, f'{kernel:.1f}', f'{lxcfs:.1f}', f'{ours:.1f}', f'{lxcfs / ours:.2f}',
                       TIMES_AS_FAST[file], report.judge(lxcfs / ours >= TIMES_AS_FAST[file]))
    place.stop_servers()


def measure_crowd(place, report, rounds):
    """Many readers at once, each in a container of its own, on all CPUs."""
    place.start_servers('lxcfs', 'ours')
    _groups, join = place.containers('crowd', CROWD)
    names = {(s, f): f'cat:{place.path(s, f)}' for f in CROWD_FILES for s in ('lxcfs', 'ours')}
    found = place.read(list(names.values()), '-N', str(CROWD), '-n', '100', '-r', str(max(rounds // 2, 1)), *join,
                       *options_of('own'))
    report.table(f'{CROWD} readers in {CROWD} containers at once, {len(host.CPUS)} CPUs',
                 ('file', 'reads/s: lxcfs', 'lxcfs-clone', 'times', 'at least', '', 'ms: lxcfs median',
                  'lxcfs-clone median', 'p99', ''))
    for file in CROWD_FILES:
        lxcfs, ours = (found[names[s, file]] for s in ('lxcfs', 'ours'))
        report.row(file, f'{lxcfs.rate:.0f}', f'{ours.rate:.0f}', f'{ours.rate / lxcfs.rate:.2f}', CROWD_TIMES,
                   report.judge(ours.rate >= CROWD_TIMES * lxcfs.rate), f'{lxcfs.median / 1000:.2f}',
                   f'{ours.median / 1000:.2f}', f'{ours.p99 / 1000:.2f}', report.judge(ours.p99 < lxcfs.median))
    place.stop_servers()


def resident(pids):
    """MiB: the sum of VmRSS, of Pss."""
    sums = {'Rss:': 0, 'Pss:': 0}
    for pid in pids:
        for line in host.read(f'/proc/{pid}/smaps_rollup').splitlines():
            key, _, rest = line.partition(' ')
            if key in sums:
                sums[key] += int(rest.split()[0]) / 1024
    return sums['Rss:'], sums['Pss:']


def measure_memory(place, report):
    """What is resident while many containers live that were each read once."""
    report.table(f'resident with {MANY} live containers: MiB',
                 ('each read', 'keeper', 'worker', 'both', 'at most', '', 'Pss of both', 'lxcfs', 'Pss of lxcfs'))
    _groups, join = place.containers('many', MANY)
    for words, files in (('meminfo', FILES[:1]), ('all files', FILES)):
        place.start_servers('lxcfs', 'ours')
        names = [f'cat:{place.path(s, f)}' for f in files for s in ('lxcfs', 'ours')]
        with place.start_reading(names, '-N', str(MANY), '-n', '1', '-r', '1', '-w', '0', '-k', *join,
                                 *options_of('own')) as process:
            for _ in names:
                if not process.stdout.readline():
                    raise Unmeasured(f'{MANY} containers cannot be made')
            time.sleep(SETTLE_S)
            ours = place.servers['ours']
            keeper, worker = (resident([pid])[0] for pid in ours.pids())
            lxcfs, lxcfs_pss = resident(place.servers['lxcfs'].pids())
            pss = resident(ours.pids())[1]
            process.stdin.close()
        report.row(words, f'{keeper:.1f}', f'{worker:.1f}', f'{keeper + worker:.1f}', MEMORY_MIB,
                   report.judge(keeper + worker < MEMORY_MIB), f'{pss:.1f}', f'{lxcfs:.1f}', f'{lxcfs_pss:.1f}')
        place.stop_servers()


def measure_cost(place, report):
    """Requests and system calls of a warm cat, in a container with a limit of memory; then with a CPU quota too."""
    place.start_servers('lxcfs', 'ours')
    (group,), _join = place.containers('cat', 1, memory=256 * host.MIB)
    (both,), _join = place.containers('both', 1)
    for kind, words in KINDS.items():
        lxcfs = cost.measure(place, 'lxcfs', group, FILES, kind == 'own')
        ours = cost.measure(place, 'ours', group, FILES, kind == 'own')
        quota = cost.measure(place, 'ours', both, FILES, kind == 'own')
        report.table(f'a warm cat in a container with {words} and a limit of memory',
                     ('file', 'requests that cat waits for', '', 'system calls', 'at most', '',
                      'with a CPU quota', 'lxcfs: requests', 'system calls'))
        for file in FILES:
            waited, limit = ours[file].synchronous(), CALLS.get(file)
            few = len(waited) <= REQUESTS and set(waited) <= {'OPEN', 'READ'}
            report.row(file, ' '.join(waited), report.judge(few), ours[file].calls, limit or '',
                       report.judge(ours[file].calls <= limit) if limit else '', quota[file].calls,
                       len(lxcfs[file].synchronous()), lxcfs[file].calls)
            report.detail(f'{file}: ' + ', '.join(f'{n} {name}' for name, n in ours[file].names.most_common()))
    place.stop_servers()


def measure_start(place, report, rounds):
    """A container of the launcher's beside runc's of the same bundle."""
    found = start.measure(place, rounds)
    runc = found['runc'][0]
    report.table(f'start of a container (busybox, limits of memory, CPU and processes): ms, median of {rounds}',
                 ('by', 'until its command runs', "times runc's", 'at most', '', 'until all is removed'))
    for name, (until_run, until_end) in found.items():
        judged = name == 'lxcfs-clone-run'
        report.row(name, f'{until_run:.1f}', f'{until_run / runc:.2f}', START_TIMES if judged else '',
                   report.judge(until_run <= START_TIMES * runc) if judged else '', f'{until_end:.1f}')


def measure_hook(place, report, rounds):
    """The start of a container with our hook beside one with a hook that does nothing."""
    found = hook.measure(place, rounds)
    report.table(f'start of a container with a createRuntime hook: ms until its command runs, median of {rounds}',
                 ('by', 'no hook', '/bin/true', 'lxcfs-clone-hook', 'more than /bin/true', 'at most', ''))
    for runtime in ('runc', 'crun'):
        none, true, ours = (found[runtime, name] for name in ('no hook', '/bin/true', 'lxcfs-clone-hook'))
        report.row(runtime, f'{none:.1f}', f'{true:.1f}', f'{ours:.1f}', f'{ours - true:.1f}', HOOK_MS,
                   report.judge(ours - true <= HOOK_MS))


def main():
    parser = argparse.ArgumentParser(description='Benchmark against lxcfs and the kernel; root only.')
    parser.add_argument('--build', required=True, help='the build folder')
    parser.add_argument('--procread', required=True, help='the reader that measures')
    parser.add_argument('--markdown', metavar='FILE', help='write the tables there')
    parser.add_argument('--only', metavar='PART', action='append', choices=('speed', 'crowd', 'memory', 'cost', 'start', 'hook'))
    parser.add_argument('--rounds', type=int, default=30, help='of 100 reads, of one start (30)')
    parser.add_argument('--cpu', type=int, default=host.CPUS[-1], help='that reader and server share')
    parser.add_argument('-v', '--verbose', action='store_true')
    args = parser.parse_args()
    if os.geteuid() != 0:
        parser.error('root is needed')
    os.umask(0o022)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report(args.verbose)
    parts = {
        'speed': lambda: measure_speed(place, report, args.cpu, args.rounds),
        'crowd': lambda: measure_crowd(place, report, args.rounds),
        'cost': lambda: measure_cost(place, report),
        'memory': lambda: measure_memory(place, report),
        'start': lambda: measure_start(place, report, args.rounds),
        'hook': lambda: measure_hook(place, report, args.rounds),
    }
    place = Place(os.path.join(os.path.abspath(args.build), 'lxcfs-clone'), os.path.abspath(args.procread))
    try:
        for name in args.only or parts:
            parts[name]()
    except Unmeasured as reason:
        report.cannot(str(reason))
    finally:
        place.close()
    report.finish(args.markdown)
    return 1 if report.unmeasured else 0


if __name__ == '__main__':
    sys.exit(main())
