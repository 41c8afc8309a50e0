# SPDX-License-Identifier: LGPL-2.1-or-later
"""The laboratory: what a test asks for is made at once and removed at its end."""

import os
import subprocess
import tempfile

from lab import guardian, host
from lab.cgroup import Cgroup
from lab.check import Failure
from lab.container import Container
from lab.daemon import Daemon
from lab.launcher import Launcher

MIB = host.MIB
# A share of the CPUs that leaves next to nothing to the other groups.
FIRST = 262144


class Run:
    """All tests of one run: one folder, one group at the top of the hierarchies, one guardian."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.binary = f'{self.build}/lxcfs-clone'
        self.folder = tempfile.mkdtemp(prefix='lxcfs-clone-test.', dir='/tmp')
        os.chmod(self.folder, 0o755)
        self.name = f'lxcfs-clone-test.{os.getpid()}'
        self.guardian = guardian.start(self.name, self.folder, self.build)
        host.become_subreaper()
        self.top = Cgroup.top(self.name)
        self.count = 0

    def lab(self):
        self.count += 1
        return Lab(self, f't{self.count}')

    def close(self):
        guardian.sweep(self.name, self.folder, self.build)


class Lab:
    """What one test uses."""

    def __init__(self, run, name):
        self.run, self.name = run, name
        self.folder = f'{run.folder}/{name}'
        os.mkdir(self.folder, 0o755)
        self.made = []
        self.group = None
        self.count = 0
        self._daemon = self._launcher = None

    def _next(self, what):
        self.count += 1
        return f'{what}{self.count}'

    def later(self, function, *args):
        """Have something done at the test's end."""
        self.made.append((function, args))

    def cgroup(self, name=None, parent=None, **limits):
        """A cgroup, below the test's own unless a parent is given."""
        if self.group is None:
            self.group = self.run.top.child(self.name)
            self.later(self.group.remove)
        return (parent or self.group).child(name or self._next('c'), **limits)

    def first(self):
        """Until the test's end the run's groups get their CPUs before all else on the machine."""
        self.cgroup()
        for group in (self.run.top, self.group):
            group.set_shares(FIRST)
            self.later(group.set_shares, 1024)

    @property
    def launcher(self):
        """The test's launcher."""
        if self._launcher is None:
            self._launcher = Launcher(self)
        return self._launcher

    @property
    def daemon(self):
        """The test's usual daemon, without options."""
        if self._daemon is None:
            self._daemon = self.start_daemon()
        return self._daemon

    def start_daemon(
        self,
        *options,
        mnt=None,
        binary=None,
        hidden=(),
        env=None,
        journal=False,
        store=False,
        controllers=('pids',),
    ):
        folder = f'{self.folder}/{self._next("daemon")}'
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        if mnt is None:
            mnt = f'{folder}/mnt'
            os.mkdir(mnt)
        group = self.cgroup(self._next('daemon'), controllers=controllers)
        daemon = Daemon(
            binary or self.run.binary,
            mnt,
            folder,
            group,
            *options,
            hidden=hidden,
            env=env,
            journal=journal,
            store=store,
        )
        self.later(daemon.close)
        return daemon

    def container(
        self,
        group=None,
        daemon=None,
        *,
        parent=None,
        pid=True,
        mnt=True,
        cgroupns=True,
        user=False,
        cgroupfs=False,
        join_pid=None,
        binds=None,
        **limits,
    ):
        """A container with these limits in a new group (or in one that is given)."""
        group = group or self.cgroup(parent=parent, **limits)
        made = Container(
            group,
            daemon or self.daemon,
            pid=pid,
            mnt=mnt,
            cgroupns=cgroupns,
            user=user,
            cgroupfs=cgroupfs,
            join_pid=join_pid,
            binds=binds,
        )
        self.later(made.close)
        return made

    def outsider(self, daemon=None, mnt=False):
        """A process of the host itself, at the root of every hierarchy."""
        made = Container(None, daemon or self.daemon, pid=False, mnt=mnt, cgroupns=False)
        self.later(made.close)
        return made

    def execute(self, *argv, **options):
        """A program on the host: (status, stdout, stderr)."""
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors='replace',
                timeout=20 * host.SCALE,
                check=False,
                **options,
            )
        except subprocess.TimeoutExpired as error:
            raise Failure(f'{" ".join(argv)} did not end') from error
        return done.returncode, done.stdout, done.stderr

    def close(self):
        """Undo everything, the last first; what goes wrong comes back as text."""
        trouble = []
        while self.made:
            function, args = self.made.pop()
            try:
                function(*args)
            except Exception as error:  # every other thing still has to be undone
                trouble.append(f'{type(error).__name__}: {error}')
        return trouble
