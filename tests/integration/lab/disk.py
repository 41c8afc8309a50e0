# SPDX-License-Identifier: LGPL-2.1-or-later
"""Block devices of a test's own."""

import os
import shutil
import subprocess

from lab import host
from lab.check import Skip


def _run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skip(f'no loop device: {done.stderr.strip()}')
    return done.stdout.strip()


def loop_device(lab, mib):
    """Its path, until the test's end."""
    for tool in ('losetup', 'mke2fs'):
        if not shutil.which(tool):
            raise Skip(f'{tool} is not installed')
    subprocess.run(['modprobe', 'loop'], capture_output=True, check=False)
    path = f'{lab.folder}/disk'
    host.write_new(path)
    os.truncate(path, mib << 20)
    device = _run('losetup', '-f', '--show', path)
    lab.later(_run, 'losetup', '-d', device)
    return device


def file_system(lab, mib):
    """The mount point of an ext4 of its own."""
    device, point = loop_device(lab, mib), f'{lab.folder}/mounted'
    _run('mke2fs', '-q', '-t', 'ext4', device)
    os.mkdir(point)
    host.mount(device, point, 'ext4')
    lab.later(host.umount, point)
    return point


def maps_owners(path):
    """Whether the file system there lets a mount have other owners (of every kernel since 5.12)."""
    found = [kind for point, _, kind, _ in host.mounts() if f'{path}/'.startswith(point.rstrip('/') + '/')]
    return found[-1] in ('ext4', 'xfs')
