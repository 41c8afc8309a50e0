# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run as a new user meets it: the demo, the help, the man page."""

import os
import re
import signal
import subprocess

from lab import host
from lab.check import between, equal, eventually, holds, needs, ok
from lab.launcher import CONTAINERS, DATA

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..')
DEMO = f'{TOP}/tests/demo.sh'
COMMANDS = ('run', 'exec', 'ps', 'stop', 'kill', 'pause', 'resume', 'logs', 'rm', 'inspect')


def demo(build, seconds=None):
    """(status, stdout) of the demo, interrupted as ^C does after so long."""
    with subprocess.Popen(
        [DEMO, build],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), start_new_session=True,
    ) as process:
        try:
            out = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)
            out = process.communicate()[0]
    return process.returncode, out


def left_by_demo():
    """Its mounts, cgroups, files and processes."""
    tops = {point for point, _, fstype, _ in host.mounts() if fstype.startswith('cgroup')}
    folders = [f'{top}/lxcfs-clone-run' for top in tops] + ['/tmp', '/run/lxcfs-clone', CONTAINERS, *DATA]
    found = [f'{f}/{name}' for f in folders if os.path.isdir(f) for name in os.listdir(f)]
    found += [point for point, *_ in host.mounts()]
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            found.append(host.read(f'/proc/{pid}/cmdline'))
        except OSError:
            continue
    return [name for name in found if 'lxcfs-clone-demo' in name]


@needs(tools='lscpu free top')
def test_demo(lab):
    """Host and container side by side; nothing is left, also when it is interrupted."""
    status, out = demo(lab.run.build)
    equal(status, 0, f'status: {out}')
    between(len(re.findall('=== host', out)), 5, 5, 'what it shows of the host')
    right = [line[81:] for line in out.splitlines()]
    ok(any(re.match(r'Mem: +256 ', line) for line in right), f'no 256 MiB: {out}')
    holds(right, 'in /proc/cpuinfo: 1', 'CPUs')
    ok(any(re.match(r' +1 .* 00:\d\d lxcfs-init$', line) for line in right), f'no age: {out}')
    for seconds in (0.2, 0.6, 2):
        status, out = demo(lab.run.build, seconds * host.SCALE)
        equal(status, 130, f'status after ^C: {out}')
    eventually(lambda: not left_by_demo(), f'all is removed: {left_by_demo()}')


def test_man_page_has_all(lab):
    """Each command and each option that --help names, and no others."""
    program = lab.launcher.program
    page = host.read(f'{TOP}/docs/lxcfs-clone-run.8').replace('\\', '')
    long = re.compile(r'--[a-z][a-z-]+')
    known = {'--help', '--version'}
    for command in COMMANDS:
        status, out, _ = lab.execute(program, command, '--help')
        equal(status, 0, f'{command} --help')
        holds(page, f'{command}', 'the man page')
        known |= set(long.findall(out))
        if command == 'run':
            missing = sorted(word for word in set(long.findall(out)) if word not in page)
            equal(missing, [], 'not in the man page')
    # An example has debootstrap's.
    unknown = set(long.findall(page)) - known - {'--variant', '--include'}
    equal(sorted(unknown), [], 'in the man page alone')
