# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run: images and flags that mean harm, launchers that are killed, what is left."""

import json
import os
import re
import signal
import subprocess
import threading

from lab import host, parse
from lab.check import equal, eventually, holds, needs, ok

BAD_FLAGS = (
    ('-m', '-5'),
    ('-m', ''),
    ('-m', '1e9g'),
    ('-m', '99999999999999999999'),
    ('-m', '9999999999g'),
    ('-m', '4k'),
    ('-m', '64m', '--memory-swap', '32m'),
    ('--memory-swap', '64m'),
    ('--cpus', '0'),
    ('--cpus', '-1'),
    ('--cpus', '1e3'),
    ('--cpus', '99999'),
    ('--cpu-shares', '1'),
    ('--cpuset-cpus', '3-1'),
    ('--cpuset-cpus', ','),
    ('--pids-limit', '0'),
    ('--pids-limit', '-2'),
    ('--device-read-bps', '/dev/null:1m'),
    ('--device-write-bps', '1m'),
    ('--device', '/etc/passwd'),
    ('--device', '/nonexistent'),
    ('--device', '/dev/null:/dev/x:q'),
    ('--name', '../x'),
    ('--name', '.'),
    ('--name', 'a/b'),
    ('--name', 'x' * 4096),
    ('--name', ''),
    ('--hostname', 'a b'),
    ('--hostname', 'x', '--uts', 'host'),
    ('-w', 'relative'),
    ('-w', '/' + 'x' * 4096),
    ('-e', '=x'),
    ('-u', 'x' * 4096),
    ('-v', '/tmp'),
    ('-v', '/tmp:/'),
    ('-v', '/nonexistent:/x'),
    ('-v', 'relative:/x'),
    ('-v', '/tmp:/x:rx'),
    ('--tmpfs', '/x:size=1'),
    ('--tmpfs', '/'),
    ('--net', 'nowhere'),
    ('--net', 'bridge:' + 'x' * 16),
    ('--net', 'bridge:../x'),
    ('--net', 'none', '--ip', '10.0.0.1'),
    ('--net', 'bridge', '--ip', '10.0.0.256'),
    ('--userns', 'x'),
    ('--userns', 'auto', '--pid', 'host'),
    ('--cap-add', 'NOTHING'),
    ('--security-opt', 'seccomp='),
    ('--security-opt', 'seccomp=/nonexistent'),
    ('--security-opt', 'seccomp=/dev/zero'),
    ('--security-opt', 'seccomp=/tmp'),
    ('--security-opt', 'seccomp=/bin/busybox'),
    ('--security-opt', 'apparmor=x'),
    ('--ulimit', 'nofile'),
    ('--ulimit', 'nofile=5:3'),
    ('--ulimit', 'x=1'),
    ('--rootfs', '/nonexistent'),
    ('--rootfs', '/etc/passwd'),
    ('--rootfs', ''),
    ('--rootfs', '/tmp,,/tmp'),
    ('--rm=yes',),
    ('--unknown',),
    ('-Z',),
    ('--lxcfs', 'relative'),
    ('-e', b'A=\xff'),
    ('-w', b'/\xff'),
    ('-u', b'\xff'),
    ('-m',),
    ('--ulimit', 'a\nb\x1b[31m\x9b=1'),
    ('-u', 'a\nb\x1b[31m'),
    ('--security-opt', b'seccomp=/\x1b\xff\n'),
)


def test_bad_flags(lab):
    """Each is a sentence and 125, and nothing is made."""
    box = lab.launcher
    for flags in BAD_FLAGS:
        words = () if len(flags) == 1 else ('true',)
        status, out, err = box.call(*box.argv(*flags), *words)
        what = f'{[f[:20] for f in flags]}: {status} {out!r} {err!r}'
        ok(status == 125 and not out, what)
        ok(err.startswith('lxcfs-clone-run: ') and err.count('\n') == 1 and len(err) < 500, what)
        ok(err[:-1].isprintable(), what)
        equal(box.traces(), {}, what)
    for argv in ((), ('nothing',), ('run',), ('run', '--rootfs', box.rootfs), ('exec', 'x'),
                 ('rm',), ('rm', '../x'), ('stop', 'nobody'), ('logs',), ('ps', 'x'),
                 ('kill', '-s', 'NOPE', 'x'), ('stop', '-t', '-1', 'x')):
        status, _, err = box.call(*argv)
        ok(status == 125 and err.count('\n') == 1, f'{argv}: {status} {err!r}')


def test_hostile_image(lab):
    """Symlinks in the image lead nowhere, files of the wrong kind hang nobody."""
    box = lab.launcher
    victim = f'{lab.folder}/victim'
    os.mkdir(victim)
    host.write_new(f'{victim}/hosts', 'ours\n')
    image = f'{lab.folder}/image'
    os.makedirs(f'{image}/bin')
    os.symlink(f'{box.rootfs}/bin/busybox', f'{image}/unused')
    os.link(f'{box.rootfs}/bin/busybox', f'{image}/bin/busybox')
    for name in ('sh', 'ls', 'cat', 'echo', 'id', 'grep'):
        os.symlink('busybox', f'{image}/bin/{name}')
    for name in ('proc', 'sys', 'dev', 'etc', 'data', 'place', 'link'):
        os.symlink(f'../../../../../..{victim}', f'{image}/{name}')
    os.symlink('/proc/self/fd/3', f'{image}/fd')
    os.mkfifo(f'{image}/fifo')
    os.makedirs(f'{image}/{victim}/inner')
    source = f'{lab.folder}/source'
    os.mkdir(source)
    host.write_new(f'{source}/theirs')
    out = box.shell(
        'grep " /proc " /proc/mounts; ls /etc /data/inner; pwd; id',
        '-v',
        f'{source}:/data/inner/new',
        '--tmpfs',
        '/link/deep',
        '-w',
        '/place/here',
        rootfs=image,
    )
    holds(out, 'proc /proc proc', 'proc is where it belongs')
    holds(out, '\nnew\n', 'the bind is within the image')
    equal(sorted(os.listdir(victim)), ['hosts'], "the host's folder is as before")
    equal(host.read(f'{victim}/hosts'), 'ours\n', "the host's file is as before")
    status, _, err = box.run('sh', '-c', 'echo ran', flags=('-v', f'{source}:/fd/x'), rootfs=image)
    equal(status, 125, 'a bind through a link of procfs')
    holds(err, '/fd/x', 'the sentence')
    equal(box.run('/fifo', rootfs=image)[0], 126, 'a fifo as the command')
    os.unlink(f'{image}/etc')
    os.mkdir(f'{image}/etc')
    os.mkfifo(f'{image}/etc/passwd')
    equal(box.run('echo', rootfs=image)[0], 0, 'a fifo as /etc/passwd')
    equal(box.traces(), {}, 'what is left')


def test_one_name_twice(lab):
    """Of many starts at once one wins, the others get a sentence."""
    box = lab.launcher
    name = box.name()
    done = []

    def start():
        done.append(box.call(*box.argv('-d', name=name), 'sleep', '100'))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(sorted(status for status, *_ in done), [0] + [125] * 5, 'statuses')
    for status, _, err in done:
        ok(status == 0 or 'already' in err, f'the sentence: {err}')
    equal(box.status(name), 'running', 'the winner')


def test_container_dies_with_its_monitor(lab):
    """A monitor that is killed takes the container along; rm clears the rest without -f."""
    box = lab.launcher
    name = box.start('sh', '-c', 'sleep 1000 & sleep 1000')
    about = box.inspect(name)
    pid, monitor = about['pid'], about['monitor']
    os.kill(monitor, signal.SIGKILL)
    eventually(lambda: not host.is_alive(pid), 'pid 1 is dead')
    equal(box.status(name), 'dead', 'status')
    equal(box.call('rm', name)[0], 0, 'rm')
    equal(box.traces(), {}, 'what is left')


def test_tree_of_any_depth_is_removed(lab):
    """Folders within folders, beyond what a path can name."""
    box = lab.launcher
    script = 'i=0; while [ $i -lt 2000 ]; do mkdir abcdef && cd abcdef; i=$((i+1)); done; echo >x'
    equal(box.run('sh', '-c', script)[0], 0, 'status')
    equal(box.traces(), {}, 'what is left')


@needs(tools='ip', timeout=300)
def test_many_come_and_go(lab):
    """After 200 containers, with addresses and user ids of their own, the machine has what it had before."""
    box = lab.launcher
    bridge = f'lcm{os.getpid() % 100000}'
    flags = ('-m', '64m', '--cpus', '1', '--net', f'bridge:{bridge}', '--userns', 'auto')

    def machine():
        """Cgroups, mounts and links, but not what others on this machine have just now."""
        tops = [point for point, _, kind, _ in host.mounts() if kind.startswith('cgroup')]
        found = [folder for top in tops for folder, *_ in os.walk(f'{top}/lxcfs-clone-run')]
        found += [f'{kind} at {point}' for point, _, kind, _ in host.mounts() if 'lxcfs-clone' in point]
        found += os.listdir('/sys/class/net')
        return sorted(f for f in found if box.prefix in f or not re.search(r'lxcfs-clone-\w+\.', f))

    def kernel_kb():
        has = parse.meminfo(host.read('/proc/meminfo'))
        return sum(has[key] for key in ('SUnreclaim', 'Percpu'))

    box.run('true', flags=flags, rootfs=box.mappable)
    before, memory = machine(), kernel_kb()
    for i in range(200 if not host.GUEST else 20):
        out = box.shell('echo >/file; cat /proc/self/uid_map; ip -4 addr', *flags, rootfs=box.mappable)
        ok('inet 10.' in out or 'inet 172.' in out or 'inet 192.' in out, f'container {i}: {out}')
    equal([f for f in machine() if f not in before], [], 'cgroups, mounts, links')
    equal(box.traces(), {}, 'what is left')
    # Its network namespaces it clears up by and by.
    eventually(lambda: kernel_kb() - memory < 16 << 10, f"kB more of the kernel's own: {kernel_kb() - memory}", 10)


def test_program_cannot_be_overwritten(lab):
    """CVE-2019-5736: neither through pid 1, nor through ourselves as the interpreter, nor by exec."""
    box = lab.launcher
    before = host.read(box.program)[:4096], os.stat(box.program).st_mtime_ns
    flags, machine = box.machine()
    attack = 'exec 3</proc/$1/exe && echo x 2>&1 >/proc/self/fd/3'
    host.write_new(f'{machine}/self', '#!/proc/self/exe\n')
    os.chmod(f'{machine}/self', 0o755)
    flags = (*flags, '--cap-add', 'SYS_PTRACE')
    name = box.start('sleep', '100', flags=flags, rootfs=machine)
    out = box.call('exec', name, 'sh', '-c', attack, 'sh', '1')[1]
    holds(out, 'Read-only file system', 'through pid 1')
    for status, _, err in (box.run('/self', flags=flags, rootfs=machine),
                           box.run('/self', flags=(*flags, '--no-init'), rootfs=machine),
                           box.call('exec', name, '/self')):
        equal(status, 125, 'ourselves as the interpreter')
        holds(err, "no command '/self'", 'our own program ran in there')
    watch = ('while :; do for p in /proc/[0-9]*; do { echo x >/proc/self/fd/3; } 3<$p/exe; '
             'done 2>/dev/null; done')
    name = box.start('sh', '-c', watch, flags=('--cap-add', 'SYS_PTRACE'))
    for _ in range(10):
        equal(box.call('exec', name, 'true')[0], 0, 'exec')
    equal((host.read(box.program)[:4096], os.stat(box.program).st_mtime_ns), before, 'our program')


def test_exec_shows_nothing_of_the_host(lab):
    """Who may trace all processes in a container finds none that still is the host's."""
    box = lab.launcher
    secret = f'{lab.folder}/secret'
    host.write_new(secret, 'secret\n')
    watch = f'''while read key own; do [ $key = CapPrm: ] && break; done </proc/self/status
        while :; do for p in /proc/[0-9]*; do
            for f in root{secret} fd/0 fd/1 fd/2; do
                [ -f $p/$f ] && read x <$p/$f && [ "$x" = secret ] && echo "$f"
            done
            while read key value; do case $key in
                CapPrm:|CapBnd:) [ $value = $own ] || echo "$key $value, not $own" ;;
            esac; done <$p/status
        done; done 2>/dev/null >>/seen'''
    for flags, rootfs in ((), box.rootfs), (('--userns', 'auto'), box.mappable):
        name = box.start('sh', '-c', watch, flags=('--cap-add', 'SYS_PTRACE', *flags), rootfs=rootfs)
        eventually(lambda: box.call('exec', name, 'ls', '/seen')[0] == 0, 'it watches')
        for _ in range(20 if not host.GUEST else 5):
            with open(secret, encoding='ascii') as file:
                argv = (box.program, 'exec', name, 'true')
                equal(subprocess.run(argv, stdin=file, check=False).returncode, 0, f'exec {flags}')
        equal(box.inside(name, 'sort /seen'), '', f'what it has seen {flags}')


def test_filter_that_refuses_our_own_calls(lab):
    """A profile is for the command: what the launcher needs to get there is not asked of it."""
    profile = f'{lab.folder}/profile.json'
    names = ('setsid fork vfork clone clone3 dup2 dup3 close_range prctl setresuid setgroups capset mount '
             'rt_sigaction rt_sigprocmask fchown sendmsg socketpair pipe2').split()
    rule = {'names': names, 'action': 'SCMP_ACT_ERRNO'}
    host.write_new(profile, json.dumps({'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [rule]}))
    box = lab.launcher
    flags = ('--security-opt', f'seccomp={profile}')
    for more in ((), ('--no-init',)):
        status, out, err = box.run('echo', 'ran', flags=(*flags, *more))
        equal((status, out), (0, 'ran\n'), f'{more}: {err}')
    status, _, err = box.run('sh', '-c', 'ls & wait', flags=flags)
    holds(err, "can't fork", 'and it holds for the command')
    equal(fields_of(box, '1', *flags)['Seccomp'].strip(), '2', 'pid 1 has it, too')


def test_exec_has_the_filter_that_the_container_has(lab):
    """Whatever became of the profile's file, which may be a link to it."""
    profile = f'{lab.folder}/profile.json'
    box = lab.launcher

    def write(*names):
        rule = {'names': names, 'action': 'SCMP_ACT_ERRNO'}
        host.write_new(profile, json.dumps({'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [rule]}))

    write('mkdir', 'mkdirat')
    os.symlink(profile, f'{lab.folder}/link.json')
    name = box.start('sleep', '100', flags=('--security-opt', f'seccomp={lab.folder}/link.json'))
    for change in (lambda: write('getppid'), lambda: os.unlink(profile)):
        change()
        status, out, err = box.call('exec', name, 'sh', '-c', 'echo in; mkdir /tmp/new')
        equal((status, out), (1, 'in\n'), f'exec: {err}')
        holds(err, 'Operation not permitted', 'mkdir')


def fields_of(box, pid, *flags):
    """/proc/PID/status as the command sees it."""
    _, out, _ = box.run('cat', f'/proc/{pid}/status', flags=flags)
    return dict(line.split(':', 1) for line in out.splitlines() if ':' in line)


@needs('host')
def test_overmounted_proc(lab):
    """A user namespace gets no proc where the host's own is partly hidden: a sentence says so. (The
    guest has another one, outside of its root.)"""
    box = lab.launcher
    script = 'mount --bind /dev/null /proc/uptime && exec "$@"'
    argv = box.argv('--rm', '--userns', 'auto', rootfs=box.mappable)
    status, _, err = lab.execute('unshare', '-m', 'sh', '-c', script, 'sh', box.program, *argv, 'true')
    equal(status, 125, 'status')
    holds(err, "mounted over a part of the host's own", 'the sentence')
    equal(box.traces(), {}, 'what is left')
