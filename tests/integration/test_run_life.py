# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run: its commands, signals, input and output, terminals."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

from lab import host
from lab.check import between, equal, eventually, holds, needs, ok


def test_life(lab):
    """In the background: ps, exec, pause, resume, logs, stop, inspect, rm."""
    box = lab.launcher
    name = box.start('sh', '-c', 'echo begun; trap "echo ended; exit 5" TERM; while :; do sleep 0.05; done',
                     flags=('-m', '64m', '-e', 'A=b', '--pid-file', f'{lab.folder}/pid'))
    equal(int(host.read(f'{lab.folder}/pid')), box.inspect(name)['pid'], '--pid-file')
    line = next(line for line in box.call('ps')[1].splitlines() if line.startswith(name))
    holds(line, f'{box.inspect(name)["pid"]}  ', 'ps')
    holds(line, 'sh -c echo begun; trap', 'ps')
    equal(box.status(name), 'running', 'status')
    out = box.inside(name, 'echo $A; cat /proc/1/comm; grep -E "Seccomp:|CapEff" /proc/self/status', '-e', 'C=d')
    equal(out.split()[:2], ['b', 'lxcfs-init'], 'exec')
    holds(out, '00000000a80425fb', 'capabilities of exec')
    equal(box.call('exec', name, 'sh', '-c', 'exit 9')[0], 9, 'status of exec')
    equal(box.call('exec', name, 'nope')[0], 127, 'exec of nothing')
    for kind in ('cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'uts'):
        both = box.inside(name, f'readlink /proc/self/ns/{kind} /proc/2/ns/{kind}; '
                          f'readlink /proc/self/ns/{kind}; readlink /proc/2/ns/{kind}').split()
        equal(both[-1], both[-2], f'{kind} namespace of exec')
    equal(box.call('pause', name)[0], 0, 'pause')
    equal(box.status(name), 'paused', 'status')
    status, _, err = box.call('exec', name, 'true')
    equal(status, 125, 'exec while paused')
    holds(err, 'is paused', 'exec while paused')
    equal(box.call('resume', name)[0], 0, 'resume')
    status, _, err = box.call('rm', name)
    equal(status, 125, 'rm of one that runs')
    holds(err, 'is still running', 'rm')
    equal(box.call('stop', name)[0], 0, 'stop')
    equal((box.status(name), box.inspect(name)['exit_status']), ('exited', 5), 'after stop')
    equal(box.call('logs', name)[1], 'begun\nended\n', 'logs')
    equal(box.call('exec', name, 'true')[0], 125, 'exec after its end')
    equal(box.call('rm', name)[0], 0, 'rm')
    equal(box.traces(), {}, 'what is left')


def test_pid_file(lab):
    """It goes with the process that it names, whoever clears up; what others put there stays."""
    box = lab.launcher
    path = f'{lab.folder}/pid'
    name = box.start('sleep', '100', flags=('--pid-file', path))
    equal(int(host.read(path)), box.inspect(name)['pid'], 'the pid')
    box.call('kill', name)
    ok(not os.path.exists(path), 'it is left after the end')
    box.call('rm', name)
    name = box.start('sleep', '100', flags=('--pid-file', path))
    os.kill(box.inspect(name)['monitor'], signal.SIGKILL)
    box.until(name, 'dead')
    box.call('rm', name)
    ok(not os.path.exists(path), 'it is left when the launcher was killed')
    name = box.start('sleep', '100', flags=('--pid-file', path))
    host.write_new(path, '1\n')
    box.call('rm', '-f', name)
    equal(host.read(path), '1\n', 'the file of somebody else')
    for make in (lambda: os.mknod(path, 0o20600, os.makedev(1, 3)), lambda: os.mkfifo(path),
                 lambda: os.symlink('/nonexistent', path)):
        os.unlink(path)
        make()
        before = os.lstat(path)
        status, _, err = box.run('true', flags=('--pid-file', path))
        equal((status, os.lstat(path).st_mode), (125, before.st_mode), 'what is no file')
        holds(err, 'is no regular file', 'the sentence')
    equal(box.traces(), {}, 'what is left')


def test_stop_kills_who_does_not_listen(lab):
    """After the time given; a paused one too."""
    box = lab.launcher
    name = box.start('sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.05; done')
    eventually(lambda: box.call('logs', name)[1] == 'up\n', 'it does not listen')
    start = time.monotonic()
    equal(box.call('stop', '-t', '1', name)[0], 0, 'stop')
    between(time.monotonic() - start, 0.9, 8 * host.SCALE, 'seconds')
    equal(box.inspect(name)['exit_status'], 137, 'status')
    equal(box.call('stop', name), (0, f'{name}\n', ''), 'stop of one that has ended')
    name = box.start('sleep', '100')
    box.call('pause', name)
    equal(box.call('stop', '-t', '5', name)[0], 0, 'stop of a paused one')
    equal(box.inspect(name)['exit_status'], 143, 'status')
    name = box.start('sh', '-c', 'trap "exit 3" USR1; echo up; while :; do sleep 0.05; done')
    eventually(lambda: box.call('logs', name)[1] == 'up\n', 'it listens')
    eventually(lambda: box.call('kill', '-s', 'USR1', name) and box.status(name) == 'exited', 'kill')
    equal(box.inspect(name)['exit_status'], 3, 'status')


def test_signals_reach_the_command(lab):
    """What the launcher gets the command gets."""
    box = lab.launcher
    argv = [box.program, *box.argv('--rm'), 'sh', '-c',
            'trap "echo got; exit 4" TERM; echo up; while :; do sleep 0.05; done']
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        equal(process.stdout.readline(), 'up\n', 'its output')
        process.send_signal(signal.SIGTERM)
        equal(process.stdout.read(), 'got\n', 'its answer')
        equal(process.wait(), 4, 'its status')


def test_input_and_output(lab):
    """-i passes all on, both ways, and its end; without it there is none."""
    box = lab.launcher
    data = os.urandom(300000)
    argv = [box.program, *box.argv('--rm', '-i'), 'cat']
    done = subprocess.run(argv, input=data, capture_output=True, check=False, timeout=20)
    equal((done.returncode, done.stdout == data), (0, True), 'cat')
    argv = [box.program, *box.argv('--rm'), 'cat']
    done = subprocess.run(argv, input=b'x', capture_output=True, check=False, timeout=20)
    equal((done.returncode, done.stdout), (0, b''), 'without -i')
    argv = [box.program, *box.argv('--rm'), 'sh', '-c', 'while echo y; do :; done']
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.read(100)
        process.stdout.close()
        ok(process.wait(timeout=20 * host.SCALE) != 0, 'ends when nobody reads')


def _in_terminal(argv):
    """A shell on a new terminal that runs a program and then stays: (its pid, the master)."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvp('sh', ['sh', '-c', 'stty rows 33 cols 99; "$@"; echo "ended $?"; read x', 'sh', *argv])
    return pid, master


def _is_raw(master):
    return not termios.tcgetattr(master)[3] & termios.ECHO


def _launcher_of(shell):
    """The pid of the launcher that this shell runs."""
    pids = host.read(f'/proc/{shell}/task/{shell}/children').split()
    return int(pids[0])


def test_input_in_the_background(lab):
    """-d -i: no input, and no end of it; -d -t: a terminal that stays."""
    box = lab.launcher
    for flags in (('-i',), ('-it',), ('-t',)):
        name = box.start('sh', '-c', 'test -t 0 && echo terminal; echo up; read x; echo over', flags=flags)
        eventually(lambda: box.call('logs', name)[1].endswith(('up\n', 'up\r\n')), 'it has begun')
        time.sleep(0.2 * host.SCALE)
        equal(box.status(name), 'running', f'with {flags}')
        equal('terminal' in box.call('logs', name)[1], '-i' not in flags, f'with {flags}')


def test_terminal_that_is_none(lab):
    """-it without a terminal: a sentence, where bash would wait for ever."""
    box = lab.launcher
    other = box.start('sleep', '1000')
    for argv in (box.argv('--rm', '-it'), ['exec', '-it', other]):
        status, _, err = box.call(*argv, 'true')
        equal(status, 125, 'status')
        holds(err, 'standard input is not', 'the sentence')
    equal(box.names(), [other], 'what is there')


def test_terminal(lab):
    """-t: one of its own devpts, our window, raw while it lasts, restored whatever ends us."""
    box = lab.launcher
    script = 'tty; stty size; test -t 0 && echo terminal; ls -l /dev/console; read x; echo "<$x>"'
    other = box.start('sleep', '1000')
    for kind, console in (('run', b'console'), ('exec', b'No such')):
        for end in (None, signal.SIGKILL, signal.SIGTERM):
            argv = box.argv('--rm', '-it') if kind == 'run' else ['exec', '-it', other]
            pid, master = _in_terminal([box.program, *argv, 'sh', '-c', script])
            seen = _read_until(master, console)
            for part in (b'/dev/pts/', b'33 99', b'terminal'):
                ok(part in seen, f'no {part} in {seen}')
            eventually(lambda: _is_raw(master), 'raw')
            if end:
                os.kill(_launcher_of(pid), end)
            else:
                os.write(master, b'word\r')
                _read_until(master, b'<word>')
            _read_until(master, b'ended ')
            eventually(lambda: not _is_raw(master), f'restored after {end}')
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(master)


def test_window_and_keys(lab):
    """The window follows ours; ^C is for the command; who does not read stops nobody."""
    box = lab.launcher
    script = ('trap "stty size" WINCH; trap "echo int" INT; echo up; while [ ! -e /raw ]; do sleep 0.05; done; '
              'stty raw -echo; touch /ready; sleep 1000')
    pid, master = _in_terminal([box.program, *box.argv('--rm', '-it'), 'sh', '-c', script])
    _read_until(master, b'up')
    eventually(lambda: _is_raw(master), 'raw')
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', 22, 77, 0, 0))
    _read_until(master, b'22 77')
    os.write(master, b'\x03')
    _read_until(master, b'int')
    name = box.names()[0]
    box.inside(name, 'touch /raw; while [ ! -e /ready ]; do sleep 0.05; done')
    os.set_blocking(master, False)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            os.write(master, b'x' * 4096)
    os.kill(_launcher_of(pid), signal.SIGTERM)
    _read_until(master, b'ended 143')
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(master)


@needs(timeout=120)
def test_exec(lab):
    """-i, -u, -w, -e; the container's cgroups, limits and confinement; its status and signals."""
    box = lab.launcher
    for flags, rootfs in ((('-u', 'app'), box.rootfs), (('--userns', 'auto'), box.mappable),
                          (('--no-init', '--read-only'), box.rootfs)):
        flags = ('-m', '64m', '-e', 'A=b', '-w', '/tmp', '--ulimit', 'nofile=99:100', *flags)
        name = box.start('sleep', '1000', flags=flags, rootfs=rootfs)
        out = box.inside(name, 'pwd; echo $A$C; cat /proc/self/cgroup; id -u', '-e', 'C=d')
        words = out.split()
        equal((words[0], words[1], words[-1]), ('/tmp', 'bd', '1000' if '-u' in flags else '0'), 'exec')
        ok(all(word.endswith(':/') for word in words[2:-1]), f'cgroups: {out}')
        equal(box.inside(name, 'pwd; id -u; echo $A; ulimit -n', '-w', '/etc', '-u', '5:6', '-e', 'A=c').split(),
              ['/etc', '5', 'c', '99'], '-w -u -e, and its --ulimit')
        done = subprocess.run([box.program, 'exec', '-i', name, 'sh', '-c', 'cat; exit 6'], input=b'data',
                              capture_output=True, check=False, timeout=20 * host.SCALE)
        equal((done.returncode, done.stdout), (6, b'data'), 'exec -i')
        status = box.call('exec', name, 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1')[0]
        equal(status, 137, 'exec at the memory limit')
        with subprocess.Popen([box.program, 'exec', name, 'sleep', '1000']) as process:
            eventually(lambda: _sleepers(box, name) == 2, 'it runs')
            process.send_signal(signal.SIGTERM)
            equal(process.wait(timeout=20 * host.SCALE), 143, 'its signal')
        with subprocess.Popen([box.program, 'exec', name, 'sleep', '1000']) as process:
            eventually(lambda: _sleepers(box, name) == 2, 'it runs')
            process.kill()
        eventually(lambda: _sleepers(box, name) == 1, 'it dies with who started it')
        _reap()
        equal(box.call('rm', '-f', name)[0], 0, 'rm')
    for argv, part in ((('exec', '-u', 'nobody-here', name, 'true'), 'no container'), (('exec', '-e'), '--env')):
        status, _, err = box.call(*argv)
        equal(status, 125, f'{argv}')
        holds(err, part, f'{argv}')


def test_exec_that_is_stopped(lab):
    """^Z of an exec keeps no container from ending: neither by stop, nor by itself."""
    box = lab.launcher
    for number, end in ((signal.SIGSTOP, 'stop'), (signal.SIGTSTP, 'kill')):
        name = box.start('sleep', '1000')
        with subprocess.Popen([box.program, 'exec', name, 'sleep', '1000'], process_group=0) as process:
            eventually(lambda: _sleepers(box, name) == 2, 'it runs')
            os.killpg(process.pid, number)
            eventually(lambda: host.read(f'/proc/{process.pid}/stat').split()[2] == 'T', 'it is stopped')
            start = time.monotonic()
            equal(box.call(end, name), (0, f'{name}\n', ''), end)
            between(time.monotonic() - start, 0, 3 * host.SCALE, f'seconds of {end}')
            equal(box.status(name), 'exited', 'status')
            os.killpg(process.pid, signal.SIGCONT)
            equal(process.wait(timeout=20 * host.SCALE), 137, 'status of exec')
        equal(box.call('rm', name)[0], 0, 'rm')
    equal(box.traces(), {}, 'what is left')


def test_exec_whose_parent_is_killed(lab):
    """The process that waits for the command takes it along."""
    box = lab.launcher
    name = box.start('sleep', '1000')
    with subprocess.Popen([box.program, 'exec', name, 'sleep', '1000']) as process:
        eventually(lambda: _sleepers(box, name) == 2, 'it runs')
        for pid in host.children(process.pid):
            os.kill(pid, signal.SIGKILL)
        equal(process.wait(timeout=20 * host.SCALE), 137, 'status of exec')
    eventually(lambda: _sleepers(box, name) == 1, 'it is dead, too')
    _reap()
    equal(box.call('stop', '-t', '0', name)[0], 0, 'stop')


def test_exec_at_the_limit(lab):
    """As many processes as there may be: a sentence, at once."""
    box = lab.launcher
    for n in (6, 5):
        name = box.start('sh', '-c', f'for i in $(seq {n}); do sleep 1000 & done; echo up; wait', flags=('--pids-limit', '8'))
        eventually(lambda: box.call('logs', name)[1] == 'up\n', 'it is full')
        status, _, err = box.call('exec', name, 'true')
        equal(status, 125, f'status beside {n}')
        holds(err, 'may be at its --pids-limit', 'the sentence')
        equal(box.status(name), 'running', 'the container')


def _reap():
    """The child of a launcher that was killed is ours now: its pid namespace waits for that."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


def _sleepers(box, name):
    """How many of these are alive."""
    return box.call('exec', name, 'sh', '-c', 'cat /proc/[0-9]*/stat')[1].count('(sleep) S')


def test_kill_and_pause(lab):
    """Signals by any name; a paused one stands still, and is killed nevertheless."""
    box = lab.launcher
    loop = 'i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.02; done'
    for number in ('KILL', 'SIGKILL', '9', None):
        name = box.start('sh', '-c', loop)
        flags = ('-s', number) if number else ()
        count = lambda name=name: host.read(f'{box.inspect(name)["data"]}/upper/tmp/count')
        eventually(lambda: os.path.exists(f'{box.inspect(name)["data"]}/upper/tmp/count'), 'it runs')
        equal(box.call('pause', name)[0], 0, 'pause')
        before = count()
        time.sleep(0.3)
        equal(count(), before, 'while it is paused')
        equal(box.call('pause', name)[0], 125, 'pause again')
        equal(box.call('kill', *flags, name)[0], 0, 'kill')
        equal((box.status(name), box.inspect(name)['exit_status']), ('exited', 137), 'after kill')
        equal(box.call('resume', name)[0], 125, 'resume after its end')
    name = box.start('sh', '-c', loop)
    box.call('pause', name)
    equal(box.call('resume', name)[0], 0, 'resume')
    before = host.read(f'{box.inspect(name)["data"]}/upper/tmp/count')
    eventually(lambda: host.read(f'{box.inspect(name)["data"]}/upper/tmp/count') not in (before, ''), 'it goes on')
    box.call('pause', name)
    equal(box.call('rm', '-f', name)[0], 0, 'rm -f of a paused one')
    equal(box.call('rm', *box.names())[0], 0, 'rm')
    equal(box.traces(), {}, 'what is left')


def test_help_fits_a_screen(lab):
    """24 lines of 80 columns, for each command."""
    box = lab.launcher
    commands = [line.split()[0] for line in box.call('--help')[1].splitlines() if line.startswith('  ')]
    equal(len(commands), 10, f'{commands}')
    for argv in ((), *((command,) for command in commands)):
        status, out, err = box.call(*argv, '--help')
        equal((status, err), (0, ''), f'{argv}')
        lines = out.splitlines()
        ok(len(lines) <= 24 and max(map(len, lines)) <= 80 and '(null)' not in out, f'{argv}: {out}')
        ok(len(lines) > 1 or '[' not in lines[0], f'{argv} tells of its options: {out}')
        columns = 2 if argv == ('run',) else 1
        for line in lines[1:] if argv else ():
            cells = (line[:38], line[40:])[:columns]
            ok(all(cell.count('--') == 1 and cell.startswith('-') for cell in cells), f'a flag each: {line}')


def _read_until(fd, part):
    seen = b''
    deadline = time.monotonic() + 10 * host.SCALE
    while part not in seen and time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            seen += os.read(fd, 65536)
    ok(part in seen, f'no {part} in {seen}')
    return seen
