# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon as the service that is installed, in a guest whose PID 1 is systemd."""

import os
import shutil
import subprocess

from lab import host
from lab.check import Failure, equal, eventually, ok

NAME = 'lxcfs-clone.service'
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../..', NAME)
INSTALLED = f'/run/systemd/system/{NAME}'
PROGRAM = '/usr/bin/lxcfs-clone'


def systemctl(*words):
    """What it prints; its failure is the test's."""
    done = subprocess.run(
        ('systemctl', '--no-pager', *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
        timeout=30 * host.SCALE,
        check=False,
    )
    if done.returncode:
        raise Failure(f'systemctl {" ".join(words)}: {done.stdout.strip()} {log()}')
    return done.stdout


def log():
    """The service's last lines."""
    done = subprocess.run(
        ('journalctl', '--no-pager', '-n', '40', '-o', 'cat', '-u', NAME),
        capture_output=True,
        text=True,
        errors='replace',
        check=False,
    )
    return done.stdout


class Unit:
    """The service, installed in the guest's throw-away overlay. It looks like a Daemon to those who
    only read."""

    mnt = '/var/lib/lxcfs-clone'
    hidden = ()

    def __init__(self, binary):
        shutil.copy(binary, PROGRAM)
        shutil.copy(SOURCE, INSTALLED)
        systemctl('daemon-reload')
        systemctl('start', NAME)

    def path(self, name):
        return self.mnt + name

    def tail(self):
        return log()

    def forget_stored(self):
        """systemd has what there is."""

    def show(self, name):
        return systemctl('show', '--value', '--property', name, NAME).strip()

    def main_pid(self):
        return int(self.show('MainPID'))

    def mounted(self):
        return any(point == self.mnt for point, *_ in host.mounts())

    def serves_anew(self, old):
        """Wait until another main process is up."""
        eventually(
            lambda: self.main_pid() not in (0, old) and self.show('ActiveState') == 'active',
            'another instance is active',
            20,
        )

    # Events

    def restart(self, *_number):
        old = self.main_pid()
        systemctl('restart', NAME)
        ok(self.main_pid() != old, 'the main process is the same after a restart')

    def kill_all(self, *_number):
        old = self.main_pid()
        systemctl('kill', '--kill-who=all', '--signal=KILL', NAME)
        self.serves_anew(old)

    def terminate(self, *_number):
        """SIGTERM by hand is no stop: systemd has no job for it and restarts the service."""
        old = self.main_pid()
        os.kill(old, 15)
        self.serves_anew(old)

    def reload(self, *_number):
        old = self.main_pid()
        systemctl('reload', NAME)
        equal(self.main_pid(), old, 'main process after a reload')

    def reexec(self, *_number):
        systemctl('daemon-reexec')
        equal(self.show('NFileDescriptorStore'), '2', 'descriptors stored')

    def kill_everything(self):
        """For the end of a test that failed: nobody is to hang."""
        try:
            systemctl('stop', NAME)
        except (Failure, subprocess.TimeoutExpired):
            pass
        if self.mounted():
            host.umount(self.mnt, host.MNT_FORCE)

    def close(self):
        self.kill_everything()
        os.unlink(INSTALLED)
        os.unlink(PROGRAM)
        systemctl('daemon-reload')
        if self.mounted():
            raise Failure(f'{self.mnt} is still mounted')
