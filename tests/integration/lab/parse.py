# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files' text as numbers."""

import re

from lab import host

CPU_FIELDS = (
    'user',
    'nice',
    'system',
    'idle',
    'iowait',
    'irq',
    'softirq',
    'steal',
    'guest',
    'guest_nice',
)


def meminfo(text):
    """Field -> kB (or the bare number of the HugePages lines)."""
    return {m[1]: int(m[2]) for m in re.finditer(r'^(\S+):\s+(\d+)', text, re.M)}


def meminfo_names(text):
    return re.findall(r'^(\S+):', text, re.M)


def stat(text):
    """cpu lines by name as lists of ticks, the other lines by name as their first number."""
    cpus, rest = {}, {}
    for line in text.splitlines():
        name, *numbers = line.split()
        if name.startswith('cpu'):
            cpus[name] = [int(n) for n in numbers]
        else:
            rest[name] = int(numbers[0])
    return cpus, rest


def share(before, after, name='cpu'):
    """What part of the time between two stat texts each field took, in percent of one line."""
    first, last = stat(before)[0][name], stat(after)[0][name]
    ticks = [b - a for a, b in zip(first, last)]
    total = sum(ticks[:8]) or 1
    return {field: 100.0 * n / total for field, n in zip(CPU_FIELDS, ticks)}


def stat_cpus(text):
    return [int(n) for n in re.findall(r'^cpu(\d+) ', text, re.M)]


def cpuinfo_cpus(text):
    return [int(n) for n in re.findall(r'^processor\s*:\s*(\d+)', text, re.M)]


def cpuinfo_field(text, name):
    return [int(n) for n in re.findall(rf'^{name}\s*:\s*(\d+)', text, re.M)]


def uptime(text):
    up, idle = text.split()
    return float(up), float(idle)


def loadavg(text):
    """(1 min, 5 min, 15 min, running, total, last pid)."""
    m = re.fullmatch(r'(\d+\.\d\d) (\d+\.\d\d) (\d+\.\d\d) (\d+)/(\d+) (\d+)\n', text)
    if not m:
        raise ValueError(f'loadavg: {text!r}')
    return float(m[1]), float(m[2]), float(m[3]), int(m[4]), int(m[5]), int(m[6])


def diskstats(text):
    """Device -> its counters."""
    return {f[2]: [int(n) for n in f[3:]] for f in (line.split() for line in text.splitlines())}


def swaps(text):
    """[(name, kind, size, used, priority)] after the header."""
    return [
        (f[0], f[1], int(f[2]), int(f[3]), int(f[4]))
        for f in (line.split() for line in text.splitlines()[1:])
    ]


def cpu_views(container):
    """The CPUs that each of the container's files shows."""
    info = container.read('/proc/cpuinfo')
    stat_text = container.read('/proc/stat')
    online = container.read('/sys/devices/system/cpu/online')
    return {
        'cpuinfo': cpuinfo_cpus(info),
        'stat': stat_cpus(stat_text),
        'online': host.parse_list(online),
    }
