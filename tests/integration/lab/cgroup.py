# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cgroups with limits, the same words for v1 and v2."""

import os
import time

from lab import guardian, host

WANTED = ('cpuset', 'cpu', 'io', 'memory', 'pids')
PERIOD_US = 100000
UNLIMITED = -1


def _keyed(text):
    return {key: int(value) for key, value in (line.split() for line in text.splitlines())}


class Cgroup:
    """One group: a folder in each v1 hierarchy, or one folder of the v2 tree."""

    def __init__(self, path, controllers=None, unified=False):
        self.path = path
        self.unified = unified
        if host.KIND == 'v2':
            self.folders = {'': f'{host.V2}/{path}'}
        else:
            chosen = {k: v for k, v in host.V1.items() if controllers is None or k in controllers}
            self.folders = {k: f'{v}/{path}' for k, v in chosen.items()}
            if unified:
                self.folders['unified'] = f'{host.V2}/{path}'
        for key, folder in self.folders.items():
            if not os.path.isdir(folder):
                os.mkdir(folder)
            if key == 'cpuset':
                for name in ('cpuset.mems', 'cpuset.cpus'):
                    host.write(f'{folder}/{name}', host.read(f'{folder}/../{name}').strip())

    @classmethod
    def top(cls, name):
        """The run's own group below the hierarchies' roots."""
        if host.KIND == 'v2':
            enable(host.V2)
        group = cls(name)
        group.enable()
        if host.KIND == 'v1' and host.V2:
            os.makedirs(f'{host.V2}/{name}', exist_ok=True)
        return group

    def enable(self, *controllers):
        if host.KIND == 'v2':
            enable(self.folders[''], controllers or WANTED)

    def child(self, name, *, controllers=None, unified=False, enabled=None, **limits):
        """A group below this one; enabled: the v2 controllers that this one hands down."""
        if host.KIND == 'v2':
            enable(self.folders[''], WANTED if enabled is None else enabled)
        return Cgroup(f'{self.path}/{name}', controllers, unified).limit(**limits)

    def bare_child(self, name):
        """A group below without limits; on v2 without controllers, so this may have processes."""
        return Cgroup(f'{self.path}/{name}')

    def limit(self, memory=None, high=None, cpus=None, cpuset=None, swap=None, shares=None):
        if memory is not None:
            self.set_memory(memory)
        if high is not None:
            self.put('memory', 'memory.high', high)
        if cpus is not None:
            self.set_cpus(cpus)
        if cpuset is not None:
            self.put('cpuset', 'cpuset.cpus', cpuset)
        if swap is not None:
            self.set_swap(swap, memory)
        if shares is not None:
            self.set_shares(shares)
        return self

    def file(self, controller, name):
        return f"{self.folders['' if host.KIND == 'v2' else controller]}/{name}"

    def put(self, controller, name, value):
        host.write(self.file(controller, name), value)

    def get(self, controller, name):
        return host.read(self.file(controller, name)).strip()

    def set_memory(self, limit):
        if host.KIND == 'v2':
            self.put('memory', 'memory.max', 'max' if limit == UNLIMITED else limit)
        else:
            self.put('memory', 'memory.limit_in_bytes', limit)

    def set_swap(self, limit, memory=None):
        """The most swap; on v1, where memory and swap share a limit, memory says the rest."""
        if host.KIND == 'v2':
            self.put('memory', 'memory.swap.max', 'max' if limit == UNLIMITED else limit)
        else:
            self.put(
                'memory',
                'memory.memsw.limit_in_bytes',
                limit if limit == UNLIMITED else limit + memory,
            )

    def set_cpus(self, cpus, period=PERIOD_US):
        quota = None if cpus == UNLIMITED else int(cpus * period)
        if host.KIND == 'v2':
            self.put('cpu', 'cpu.max', f'{quota or "max"} {period}')
        else:
            self.put('cpu', 'cpu.cfs_period_us', period)
            self.put('cpu', 'cpu.cfs_quota_us', quota or -1)

    def set_shares(self, shares):
        """1024 is a group's usual share of the CPUs."""
        if host.KIND == 'v2':
            self.put('cpu', 'cpu.weight', max(1, min(10000, shares * 100 // 1024)))
        else:
            self.put('cpu', 'cpu.shares', shares)

    def usage(self):
        name = 'memory.current' if host.KIND == 'v2' else 'memory.usage_in_bytes'
        return int(self.get('memory', name))

    def swap_usage(self):
        if host.KIND == 'v2':
            return int(self.get('memory', 'memory.swap.current'))
        both = int(self.get('memory', 'memory.memsw.usage_in_bytes'))
        return max(0, both - self.usage())

    def memory_stat(self):
        return _keyed(self.get('memory', 'memory.stat'))

    def cpu_usage_us(self):
        if host.KIND == 'v2':
            return _keyed(self.get('cpu', 'cpu.stat'))['usage_usec']
        return int(self.get('cpuacct', 'cpuacct.usage')) // 1000

    def freeze(self, frozen):
        """Freeze or thaw, and wait until it is so."""
        if host.KIND == 'v2':
            self.put('', 'cgroup.freeze', int(frozen))
            done = f'frozen {int(frozen)}'
            while done not in host.read(self.file('', 'cgroup.events')).splitlines():
                time.sleep(0.002)
        else:
            self.put('freezer', 'freezer.state', 'FROZEN' if frozen else 'THAWED')
            while self.get('freezer', 'freezer.state') == 'FREEZING':
                time.sleep(0.002)

    def join(self, pid=0):
        """Move a process (0: the caller) here."""
        for folder in self.folders.values():
            host.write(f'{folder}/cgroup.procs', pid)

    def kill(self):
        return sum(guardian.kill_all(folder) for folder in self.folders.values())

    def remove(self):
        """Kill what runs here and below, and remove the groups."""
        left = guardian.remove_cgroups(self.path, 2.0)
        if left:
            raise OSError(f'{left} cgroups of {self.path} cannot be removed')


def enable(folder, controllers=WANTED):
    """Hand the v2 controllers that there are down to the children."""
    has = host.read(f'{folder}/cgroup.controllers').split()
    on = host.read(f'{folder}/cgroup.subtree_control').split()
    for name in controllers:
        if name in has and name not in on:
            host.write(f'{folder}/cgroup.subtree_control', f'+{name}')


def join_root():
    """Move the caller to the root of every hierarchy."""
    for folder in sorted(set(host.V1.values()) | ({host.V2} if host.V2 else set())):
        host.write(f'{folder}/cgroup.procs', 0)
