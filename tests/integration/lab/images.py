# SPDX-License-Identifier: LGPL-2.1-or-later
"""Root file systems for containers: of this machine's own files, and a Debian."""

import fcntl
import glob
import os
import shutil
import subprocess

from lab.check import Skip

SUITE = 'bookworm'
PACKAGES = 'procps'
DEBIAN = 'images/debian-' + SUITE


def of_this_machine(folder):
    """(root, flags): programs and libraries bound read-only, what names users and libraries copied."""
    os.makedirs(f'{folder}/etc')
    os.makedirs(f'{folder}/tmp')
    flags = []
    for top in sorted(['/usr', '/bin', '/sbin', *glob.glob('/lib*')]):
        if os.path.islink(top):
            os.symlink(os.readlink(top), folder + top)
        elif os.path.isdir(top):
            flags += ['-v', f'{top}:{top}:ro']
    for name in ('passwd', 'ld.so.cache'):
        if os.path.exists(f'/etc/{name}'):
            shutil.copy(f'/etc/{name}', f'{folder}/etc')
    return folder, flags


def debian(build):
    """The folder of a small Debian, made once below the build folder; containers only read it."""
    folder = f'{build}/{DEBIAN}'
    if not os.path.exists(folder):
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        with open(f'{folder}.lock', 'w', encoding='ascii') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(folder):
                _bootstrap(folder)
    return folder


def _bootstrap(folder):
    """A name that is there means that it is whole."""
    new = f'{folder}.new'
    shutil.rmtree(new, ignore_errors=True)
    if not shutil.which('debootstrap'):
        raise Skip('debootstrap is not installed')
    # What it mounts and starts goes with it, also when the test's time is over.
    done = subprocess.run(
        ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'debootstrap',
         '--variant=minbase', f'--include={PACKAGES}', SUITE, new],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    if done.returncode:
        raise Skip(f'no Debian can be had: {done.stdout[-300:]}')
    os.rename(new, folder)
