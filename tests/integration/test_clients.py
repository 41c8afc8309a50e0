# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that people use, in a container: they run, and their numbers are the container's."""

import json
import re
import time

from lab import FIRST, MIB, host, inside, parse, terminal
from lab.check import Skip, between, equal, holds, near, needs, ok

LIMIT = 256 * MIB
LIMIT_KB = LIMIT // 1024


def small(lab):
    """256 MiB, one CPU, and that before others."""
    lab.first()
    return lab.container(memory=LIMIT, cpus=1, shares=FIRST)


@needs(tools='free', quiet=True)
def test_free(lab):
    """free: total is the limit, used and free what the group says."""
    box = small(lab)
    box.call(inside.read, '/proc/meminfo')
    total, used, free = map(int, box.output('free', '-k').splitlines()[1].split()[1:4])
    equal(total, LIMIT_KB, 'total')
    between(free, LIMIT_KB - 100 * 1024, LIMIT_KB, 'free')
    between(used, 0, 100 * 1024, 'used')


@needs(tools='top', quiet=True)
def test_top(lab):
    """top -b: memory, tasks, uptime and the CPU of the container."""
    box = small(lab)
    box.spin()
    time.sleep(0.3)
    out = box.output('top', '-b', '-n2', '-d1')
    frame = out[out.rindex('top - ') :]
    total = float(re.search(r'MiB Mem :\s*([\d.]+) total', frame)[1])
    near(total, 256, 0.1, 'total')
    tasks = int(re.search(r'Tasks:\s*(\d+) total', frame)[1])
    between(tasks, 2, 6, 'tasks')
    holds(frame, 'up 0 min', 'uptime')
    used = re.search(r'%Cpu\(s\):\s*([\d.]+) us', frame)
    between(float(used[1]), 30, 100, 'user of a spinner')


@needs(tools='htop', quiet=True)
def test_htop(lab):
    """htop: a frame with the container's memory, CPU and tasks."""
    box = small(lab)
    for wait in (2.0, 4.0, 8.0):  # a busy machine takes its time to draw
        data = box.call(
            inside.screen, ['htop', '-d', '5'], wait * host.SCALE, b'q', lab.folder, seconds=90
        )
        frame = terminal.frame(data)
        if 'Mem[' in frame:
            break
    ok(re.search(r'Mem\[.*[\d.]+[KM]/256M\]', frame), f'no memory of 256M in\n{frame}')
    ok(re.search(r'Tasks: +[1-6],', frame), f'no tasks in\n{frame}')
    ok(re.search(r'Uptime: 00:00:\d\d', frame), f'no uptime in\n{frame}')
    ok(re.search(r'Load average: [0-4]\.\d\d', frame), f'no load average in\n{frame}')


@needs(tools='vmstat', quiet=True)
def test_vmstat(lab):
    """vmstat: free memory within the limit, no swap, idle time of the container."""
    box = small(lab)
    lines = box.output('vmstat', '-w', '1', '2').splitlines()
    names, values = lines[1].split(), [int(n) for n in lines[-1].split()]
    row = dict(zip(names, values))
    between(row['free'], LIMIT_KB - 100 * 1024, LIMIT_KB, 'free')
    equal((row['swpd'], row['si'], row['so']), (0, 0, 0), 'swap')
    between(row['id'], 80, 100, 'idle')


@needs(tools='mpstat', quiet=True)
def test_mpstat(lab):
    """mpstat -P ALL: the visible CPU, idle."""
    box = small(lab)
    out = box.output('mpstat', '-P', 'ALL', '1', '1')
    average = [line.split() for line in out.splitlines() if line.startswith('Average:')][1:]
    rows = {fields[1]: float(fields[-1]) for fields in average}
    ok('0' in rows and 'all' in rows, f'rows in {out}')
    between(rows['0'], 80, 100, 'idle of CPU 0')
    between(rows['all'], 80, 100, 'idle of all')


@needs(tools='uptime', quiet=True)
def test_uptime(lab):
    """uptime: the container's age and load."""
    box = small(lab)
    out = box.output('uptime')
    holds(out, 'up 0 min', 'uptime')
    load = re.search(r'load average: ([\d.]+), ([\d.]+), ([\d.]+)', out)
    between(float(load[1]), 0, 0.5, 'load')


@needs(tools='lscpu', quiet=True)
def test_lscpu(lab):
    """lscpu: the visible CPU is on line, the others are listed off line."""
    box = small(lab)
    out = box.output('lscpu')
    online = re.search(r'On-line CPU\(s\) list:\s*(\S+)', out)
    equal(online[1], '0', 'on line')
    ok(re.search(r'Model name:\s*\S', out), 'model name')
    both = lab.container(cpus=2).output('lscpu')
    equal(
        re.search(r'On-line CPU\(s\) list:\s*(\S+)', both)[1],
        '0,1' if '0,1' in both else '0-1',
        'on line',
    )


@needs(tools='getconf', quiet=True)
def test_getconf(lab):
    """getconf _NPROCESSORS_ONLN: the visible CPUs; _CONF: the host's."""
    box = small(lab)
    equal(box.output('getconf', '_NPROCESSORS_ONLN').strip(), '1', 'processors on line')
    equal(int(box.output('getconf', '_NPROCESSORS_CONF')), len(host.CPUS), 'processors')


@needs(tools='ps', quiet=True)
def test_ps(lab):
    """ps: the container's processes, their share of its memory."""
    box = small(lab)
    task = box.start(inside.fill_and_sleep, 64 * MIB, '/dev/null')
    time.sleep(1 * host.SCALE)
    rows = [
        line.split(None, 3)
        for line in box.output('ps', '-eo', 'pid,rss,pmem,args', '--no-headers').splitlines()
    ]
    between(len(rows), 3, 5, 'processes')
    largest = max(rows, key=lambda row: int(row[1]))
    near(float(largest[2]), 100.0 * int(largest[1]) / LIMIT_KB, 0.2, '%mem')
    ok(float(largest[2]) >= 25, '%mem of 64 MiB in 256')
    box.output('ps', 'aux')
    task.kill()


NODE = '''const os = require('os');
console.log(JSON.stringify({total: os.totalmem(), free: os.freemem(), cpus: os.cpus().length,
  model: os.cpus()[0].model, times: os.cpus()[0].times,
  uptime: os.uptime(), load: os.loadavg()}));'''


@needs(tools='node', quiet=True)
def test_node(lab):
    """node's os module: memory, CPUs, uptime and load of the container."""
    box = lab.container(memory=LIMIT, cpus=1)
    got = json.loads(box.output('node', '-e', NODE))
    equal(got['total'], LIMIT, 'totalmem')
    between(got['free'], 64 * MIB, LIMIT, 'freemem')
    equal(got['cpus'], 1, 'cpus')
    ok(got['model'] and got['model'] != 'unknown', f'model {got["model"]!r}')
    between(sum(got['times'].values()), 0, 120000 * host.SCALE, 'milliseconds of CPU time')
    between(got['uptime'], 0, 120 * host.SCALE, 'uptime')
    between(got['load'][0], 0, 4, 'load')


PSUTIL = '''import json, psutil
psutil.cpu_times()
me, memory = psutil.Process(), psutil.virtual_memory()
print(json.dumps({'total': memory.total, 'available': memory.available,
  'swap': psutil.swap_memory().total, 'cpus': psutil.cpu_count(),
  'times': len(psutil.cpu_times(percpu=True)), 'percent': psutil.cpu_percent(interval=1),
  'load': psutil.getloadavg(), 'pids': len(psutil.pids()), 'memory': me.memory_percent(),
  'disks': list(psutil.disk_io_counters(perdisk=True) or {}), 'rss': me.memory_info().rss}))'''


@needs(quiet=True)
def test_psutil(lab):
    """psutil: memory, CPU count and times, load, disks and processes of the container."""
    python = '/usr/bin/python3'
    if lab.execute(python, '-c', 'import psutil')[0]:
        raise Skip('psutil is not installed')
    got = json.loads(small(lab).output(python, '-W', 'ignore', '-c', PSUTIL))
    equal(got['total'], LIMIT, 'total')
    between(got['available'], 128 * MIB, LIMIT, 'available')
    equal(got['swap'], parse.meminfo(host.read('/proc/meminfo'))['SwapTotal'] * 1024, 'swap')
    equal((got['cpus'], got['times']), (1, 1), 'CPUs')
    between(got['percent'], 0, 30, 'percent')
    between(got['pids'], 2, 4, 'pids')
    near(got['memory'], 100.0 * got['rss'] / LIMIT, 0.5, 'percent of memory')
