#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does to the daemon what may befall it, often, while containers read: a row a scenario.

soak.py --build BUILD [--markdown FILE] [--readers N] [SCENARIO[=COUNT]...]"""

import argparse
import os
import pathlib
import platform
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'integration'))
sys.dont_write_bytecode = True

import lab as laboratory  # noqa: E402
from lab import check, comeback, host, load, survive  # noqa: E402

import passing  # noqa: E402

# Name: how often, and what; without a count: once for each of a few kinds.
SCENARIOS = {
    'kills': (1000, survive.worker_kills),
    'hasty': (300, survive.hasty_kills),
    'signals': (300, survive.signalled_kills),
    'quiet': (300, lambda lab, count, _readers: survive.quiet_kills(lab, count)),
    'either': (200, survive.either_kills),
    'upgrades': (50, survive.upgrades),
    'alternating': (100, survive.alternating_upgrades),
    'oom': (20, survive.oom_kills),
    'stopped': (10, survive.stopped),
    'frozen': (10, survive.frozen),
    'poison': (1, lambda lab, _count, readers: survive.poison(lab, readers)),
    'hang': (1, lambda lab, _count, readers: survive.hang(lab, readers)),
    'broken': (1, lambda lab, _count, readers: survive.broken_programs(lab, readers)),
    'repair': (60, lambda lab, count, _readers: comeback.comebacks(lab, count)),
    'throng': (60, lambda lab, count, _readers: comeback.comebacks(lab, count, ordinary=True)),
    'containers': (100000, lambda lab, count, _readers: passing.containers(lab, count)),
}

HEAD = ('scenario', 'times', 'reads', 'failed', 'torn', 'stall p50 / p99 / max', 'p99 of calls')


def milliseconds(*values_us):
    return ' / '.join(f'{us / 1000:.1f}' for us in values_us) + ' ms'


def cells(row):
    stalls = calls = '-'
    if row.stalls_us:
        stalls = milliseconds(row.stall_us(0.5), row.stall_us(0.99), row.stall_us(1))
    if row.calls:
        calls = milliseconds(row.call_us(0.99))
    failed = ', '.join(f'{count} {name}' for name, count in row.failed.items()) or '0'
    return row.name, f'{row.events:,}', f'{row.readings:,}', failed, str(row.torn), stalls, calls


def markdown(rows):
    """The table, and below it what is to be said of a row."""
    lines = [HEAD, ('---',) * len(HEAD), *(cells(row) for row in rows)]
    table = ''.join(f'| {" | ".join(line)} |\n' for line in lines)
    notes = ''.join(
        f'- {row.name}: {text}\n' for row in rows for text in (row.note, row.trouble) if text
    )
    about = f'Linux {platform.release()}, cgroup {host.KIND}, {len(host.CPUS)} CPUs, '
    return f'{about}{time.strftime("%Y-%m-%d")}.\n\n{table}' + (notes and f'\n{notes}')


def run_one(run, name, count, readers):
    """A scenario that cannot go on is a row with what was wrong."""
    lab = run.lab()
    start = time.monotonic()
    try:
        row = SCENARIOS[name][1](lab, count, readers)
    except (check.Failure, OSError) as failure:
        row = load.Row(name, trouble=' '.join(str(failure).split())[:600])
    left = '; '.join(lab.close())
    if left and not row.trouble:
        row.trouble = f'after the scenario: {left}'
    print(f'| {" | ".join(cells(row))} | {time.monotonic() - start:.0f} s', flush=True)
    for text in (row.note, row.trouble, *row.incidents):
        if text:
            print(f'    {text}', flush=True)
    return row


def wanted(words):
    """[(name, count)]"""
    chosen = []
    for word in words or SCENARIOS:
        name, _, count = word.partition('=')
        if name not in SCENARIOS or (count and not count.isdigit()):
            sys.exit(f'soak.py: {word}: scenarios are {", ".join(SCENARIOS)}, each with =COUNT')
        chosen.append((name, int(count or SCENARIOS[name][0])))
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build', required=True)
    parser.add_argument('--markdown', help='write the table there')
    parser.add_argument('--readers', type=int, default=8)
    parser.add_argument('scenarios', nargs='*', metavar='SCENARIO[=COUNT]')
    args = parser.parse_args()
    scenarios = wanted(args.scenarios)
    if os.geteuid() != 0:
        parser.error('root is needed')
    os.umask(0o022)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = laboratory.Run(args.build)
    rows = []
    try:
        for name, count in scenarios:
            rows.append(run_one(run, name, count, args.readers))
    finally:
        run.close()
        if args.markdown and rows:
            pathlib.Path(args.markdown).write_text(markdown(rows), encoding='utf-8')
    return 0 if all(row.good() for row in rows) else 1


if __name__ == '__main__':
    sys.exit(main())
