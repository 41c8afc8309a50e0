# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run: containers that end, monitors that take their time."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time

from lab import host
from lab.check import equal, eventually, ok

PTRACE_ATTACH, PTRACE_DETACH = 16, 17


def _trace(request, pid):
    ok(ctypes.CDLL(None, use_errno=True).ptrace(request, pid, 0, 0) == 0, f'ptrace of {pid}')


@contextlib.contextmanager
def _held(pid):
    """A process that does nothing, whatever it is sent, but dies of SIGKILL."""
    _trace(PTRACE_ATTACH, pid)
    os.waitpid(pid, 0)
    try:
        yield
    finally:
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            _trace(PTRACE_DETACH, pid)


# 60 and 93 are exit(2), of the calling thread alone.
HEADLESS = """
import ctypes, platform, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
print('begun', flush=True)
ctypes.CDLL(None).syscall(60 if platform.machine() == 'x86_64' else 93, 0)
"""


def test_pid_1_whose_first_thread_has_ended(lab):
    """It runs on, and can be paused and stopped as any other."""
    box = lab.launcher
    flags, rootfs = box.machine()
    name = box.start('python3', '-c', HEADLESS, flags=('--no-init', *flags), rootfs=rootfs)
    pid = box.inspect(name)['pid']
    eventually(lambda: host.read(f'/proc/{pid}/stat').split()[2] == 'Z', 'the first thread ends')
    equal((box.status(name), box.call('pause', name)[0]), ('running', 0), 'pause')
    equal((box.status(name), box.call('resume', name)[0]), ('paused', 0), 'resume')
    equal(box.call('stop', '-t', '1', name)[0], 0, 'stop')
    equal((box.status(name), box.inspect(name)['exit_status']), ('exited', 137), 'after stop')
    equal(box.call('rm', name)[0], 0, 'rm')
    equal(box.traces(), {}, 'what is left')


def test_monitor_that_hangs(lab):
    """rm -f does not wait for it for ever."""
    box = lab.launcher
    name = box.start('sleep', '1000')
    with _held(box.inspect(name)['monitor']):
        equal(box.call('rm', name)[0], 125, 'rm')
        equal(box.call('rm', '-f', name)[0], 0, 'rm -f')
    equal(box.traces(), {}, 'what is left')


def test_monitor_that_is_stopped(lab):
    """^Z of a run keeps nobody from ending and removing its container."""
    box = lab.launcher
    for ends in (('stop', 'rm'), ('kill', 'rm'), ('rm -f',)):
        with box.popen(words=('sleep', '1000')) as process:
            eventually(lambda: box.names() and box.status(box.names()[0]) == 'running', 'it runs')
            name = box.names()[0]
            process.send_signal(signal.SIGSTOP)
            start = time.monotonic()
            for end in ends:
                equal(box.call(*end.split(), name), (0, f'{name}\n', ''), end)
            ok(time.monotonic() - start < 3 * host.SCALE, f'{ends}: {time.monotonic() - start} s')
            equal(process.wait(timeout=20 * host.SCALE), 137 if ends[0] != 'stop' else 143, f'{ends}')
    equal(box.traces(), {}, 'what is left')


def test_rm_of_one_that_is_ending(lab):
    """It waits for the monitor to tidy up."""
    box = lab.launcher
    name = box.start('sleep', '1000')
    about = box.inspect(name)
    with _held(about['monitor']):
        os.kill(about['pid'], signal.SIGKILL)
        rm = subprocess.Popen([box.program, 'rm', name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
    equal((*rm.communicate(timeout=20 * host.SCALE), rm.returncode), (f'{name}\n', '', 0), 'rm')
    equal(box.traces(), {}, 'what is left')
