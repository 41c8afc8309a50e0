# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run: what a container is, and what of it is left."""

import os

from lab import MIB, host, parse
from lab.check import between, equal, eventually, holds, needs, ok


def fields(text):
    """"Key: value" lines."""
    return dict(line.split(':', 1) for line in text.splitlines() if ':' in line)


def test_status_is_the_commands(lab):
    """Its own, 128 and the signal, 126 and 127; with and without our pid 1."""
    box = lab.launcher
    for flags in ((), ('--no-init',)):
        equal(box.run('sh', '-c', 'exit 7', flags=flags)[0], 7, 'exit 7')
        equal(box.run('true', flags=flags)[0], 0, 'true')
        status, _, err = box.run('/nope', flags=flags)
        equal(status, 127, '/nope')
        holds(err, "cannot run '/nope': No such file", 'the sentence')
        equal(box.run('nope', flags=flags)[0], 127, 'nope')
        equal(box.run('/etc/passwd', flags=flags)[0], 126, 'no program')
        equal(box.run('/tmp', flags=flags)[0], 126, 'a folder')
    equal(box.run('sh', '-c', 'kill -9 $$')[0], 137, 'killed')
    equal(box.run('sh', '-c', 'kill -15 $$')[0], 143, 'terminated')
    equal(box.traces(), {}, 'what is left')


def test_namespaces_are_its_own(lab):
    """All eight, and the user's with --userns; the host's where asked for."""
    box = lab.launcher
    kinds = ('cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts')
    ours = {kind: os.readlink(f'/proc/self/ns/{kind}') for kind in kinds}
    script = 'cd /proc/self/ns; for i in *; do echo $i:$(readlink $i); done'

    def shared(*flags, **options):
        theirs = fields(box.shell(script, *flags, **options))
        return {kind for kind in kinds if theirs[kind] == ours[kind]}

    equal(shared(), {'user'}, 'shared with the host')
    equal(shared('--userns', 'auto', rootfs=box.mappable), set(), 'shared with --userns auto')
    equal(shared('--uts', 'host', '--ipc', 'host'), {'user', 'uts', 'ipc'}, 'shared')
    equal(
        shared('--net', 'host', '--pid', 'host', '--cgroupns', 'host', '--no-time-ns'),
        {'user', 'net', 'pid', 'cgroup', 'time'},
        'shared',
    )


def test_clock_starts_at_zero(lab):
    """The uptime of the kernel's own files, and of who asks the kernel; start times agree."""
    out = lab.launcher.shell('cat /proc/uptime; uptime; ps -o pid,etime; cut -d" " -f22 /proc/1/stat')
    lines = out.splitlines()
    between(float(lines[0].split()[0]), 0, 5, 'uptime')
    holds(out, 'up 0 min', 'sysinfo')
    between(int(lines[-1]), 0, 500, 'start time of pid 1 in ticks')


def test_file_systems(lab):
    """Its own proc, sys, dev and cgroups; what docker hides is hidden."""
    out = lab.launcher.shell(
        '''cat /proc/mounts; echo --; ls -l /dev; echo --; cat /proc/self/cgroup; echo --
        for i in /proc/kcore /proc/keys /proc/timer_list /sys/firmware/* /proc/acpi/*; do
            [ ! -s $i ] || cat $i 2>/dev/null; done; echo --
        echo x 2>/dev/null >/proc/sys/kernel/domainname && echo written
        mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x 2>/dev/null && echo made
        mount -t tmpfs x /tmp 2>/dev/null && echo mounted; echo --; ls /proc/self/fd | wc -l
        cat /etc/hostname; hostname; grep -c "$(hostname)" /etc/hosts'''
    )
    mounts, devices, cgroups, hidden, written, rest = out.split('--\n')
    points = {line.split()[1]: line.split() for line in mounts.splitlines()}
    equal(points['/'][2], 'overlay', 'the root')
    ok('nosuid' in points['/proc'][3] and points['/sys'][3].startswith('ro,'), 'options')
    for name in ('null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'fd', 'stdout'):
        holds(devices, f' {name}', 'devices')
    ok(all(line.endswith(':/') for line in cgroups.splitlines()), f'cgroups: {cgroups}')
    equal(hidden.strip(), '', 'hidden files')
    equal(written.strip(), '', 'what could be changed')
    count, hostname, also, in_hosts = rest.split()
    equal((count, hostname, in_hosts), ('4', also, '1'), 'descriptors and names')


def test_confined(lab):
    """Docker's capabilities, no new privileges, a filter; nothing of our environment or program."""
    box = lab.launcher
    status = fields(box.shell('cat /proc/self/status'))
    equal(status['CapEff'].strip(), '00000000a80425fb', 'capabilities')
    equal(status['CapBnd'].strip(), '00000000a80425fb', 'bounding set')
    equal((status['NoNewPrivs'].strip(), status['Seccomp'].strip()), ('1', '2'), 'privileges')
    status = fields(box.shell('cat /proc/self/status', '--cap-drop', 'ALL', '--cap-add', 'chown'))
    equal(int(status['CapEff'], 16), 1, '--cap-add chown alone')
    free = fields(box.shell('cat /proc/self/status', '--security-opt', 'seccomp=unconfined'))
    equal(free['Seccomp'].strip(), '0', 'unconfined')
    env = dict(os.environ, SECRET='sesame')
    _, out, _ = box.run(
        'sh', '-c', 'env; cat /proc/1/environ /proc/1/cmdline; cat /proc/*/cmdline',
        flags=('--cap-add', 'SYS_PTRACE'), env=env,
    )
    ok('sesame' not in out and box.rootfs not in out, f'the host shows: {out}')
    name = box.start('sleep', '100')
    flags = os.statvfs(f'/proc/{box.inspect(name)["pid"]}/exe').f_flag
    ok(flags & os.ST_RDONLY, 'our program cannot be written to through pid 1')


def test_user_and_environment(lab):
    """-u by number and name, -e, -w, --ulimit, --hostname."""
    box = lab.launcher
    equal(box.shell('id', '-u', '5').strip(), 'uid=5 gid=0(root)', 'a number')
    equal(box.shell('id', '-u', 'app').strip(), 'uid=1000(app) gid=1000(app) groups=77(extra)', 'app')
    equal(box.shell('id', '-u', 'app:extra').strip(), 'uid=1000(app) gid=77(extra)', 'app:extra')
    equal(box.shell('id', '-u', '5:6').strip(), 'uid=5 gid=6', '5:6')
    status, _, err = box.run('id', flags=('-u', 'nobody-here'))
    equal(status, 125, 'no such user')
    holds(err, "no user 'nobody-here'", 'no such user')
    equal(box.shell('cat /proc/self/status', '-u', 'app').count('CapEff:\t0000000000000000'), 1, 'caps')
    equal(box.shell('echo x >/dev/stdout', '-u', 'app'), 'x\n', 'its own stdout')
    out = box.shell('pwd; echo $A-$B; ulimit -n; hostname; echo $HOME', '-w', '/new/dir', '-e', 'A=b=c',
                    '-e', 'B=', '--ulimit', 'nofile=100:200', '--hostname', 'other')
    equal(out.split(), ['/new/dir', 'b=c-', '100', 'other', '/root'], 'what it sees')


def test_binds(lab):
    """-v, also read-only and of a file, --tmpfs, --read-only; several layers."""
    box = lab.launcher
    there = f'{lab.folder}/there'
    for name in ('folder', 'top/etc', 'lower'):
        os.makedirs(f'{there}/{name}')
    host.write_new(f'{there}/file', 'text\n')
    host.write_new(f'{there}/top/which', 'top\n')
    host.write_new(f'{box.rootfs}/which', 'bottom\n')
    out = box.shell(
        'echo a >/data/a && cat /deep/in/file; echo b 2>/dev/null >/ro/b || echo refused; '
        'echo c >/scratch/c && echo written; echo d 2>/dev/null >/d || echo refused; cat /which',
        '-v', f'{there}/folder:/data', '-v', f'{there}/file:/deep/in/file:ro',
        '-v', f'{there}/folder:/ro:ro', '--tmpfs', '/scratch', '--read-only',
        rootfs=f'{there}/top,{box.rootfs}',
    )
    equal(out.split(), ['text', 'refused', 'written', 'refused', 'top'], 'what it could do')
    equal(os.listdir(f'{there}/folder'), ['a'], 'in the folder')
    equal(sorted(os.listdir(f'{there}/top')), ['etc', 'which'], 'the layer is as before')


def test_devices(lab):
    """--device adds a node, also one that is there already, and nothing else may be opened."""
    box = lab.launcher
    script = ('echo x >/dev/null && ls -l /dev/null /dev/there && head -c 3 /dev/there | wc -c; '
              'mknod /dev/kmsg c 1 11; cat /dev/kmsg 2>&1 | head -1')
    for flags, rootfs in (((), box.rootfs), (('--userns', 'auto'), box.mappable)):
        out = box.shell(script, '--device', '/dev/null', '--device', '/dev/zero:/dev/there:r', *flags, rootfs=rootfs)
        holds(out, '1,   3', '/dev/null')
        holds(out, '1,   5', '/dev/zero')
        holds(out, '\n3\n', 'what is read')
        if not flags:
            holds(out, 'Operation not permitted', 'another device')
    flags = ('--device', '/dev/fuse:/dev/there:r')
    equal(box.run('sh', '-c', ': </dev/there', flags=flags)[0], 0, 'to be read')
    status, _, err = box.run('sh', '-c', ': >/dev/there', flags=flags)
    ok(status and 'not permitted' in err, f'to be written to: {status} {err}')


def test_shared_memory(lab):
    """/dev/shm is its own, and the host's with --ipc host."""
    box = lab.launcher
    name = f'/dev/shm/{box.name()}'
    host.write_new(name, 'ours')
    lab.later(os.unlink, name)
    equal(box.run('cat', name)[0], 1, 'its own')
    equal(box.shell(f'cat {name}', '--ipc', 'host'), 'ours', "the host's")


def test_the_hosts_root(lab):
    """--rootfs /, though our own data lies in it: in memory then, if that is not in it, too."""
    mark = f'/root/{lab.run.name}'
    if not os.path.ismount('/run'):
        status, _, err = lab.launcher.run('true', rootfs='/')
        equal(status, 125, 'status')
        holds(err, 'no layer may hold another one', 'the sentence')
        return
    out = lab.launcher.shell(f'ls -d /usr; id -u; echo x >{mark} && cat {mark}', rootfs='/')
    equal(out.split(), ['/usr', '0', 'x'], 'what it sees')
    ok(not os.path.exists(mark), 'the host has what was written')


def test_what_others_on_the_host_see(lab):
    """Nobody there runs what the container made setuid, whatever umask we were started with."""
    box = lab.launcher
    name = box.start('sh', '-c', 'mkdir /s; cp /bin/busybox /s; chmod 4755 /s/busybox; sleep 1000')
    path = f'{box.inspect(name)["data"]}/upper/s/busybox'
    eventually(lambda: os.path.exists(path) and os.stat(path).st_mode & 0o4000, 'it is there')
    nobody = ('setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', 'sh', '-c')
    status, _, err = lab.execute(*nobody, f'{path} true')  # not by setpriv, which still has its rights
    equal((status, 'Permission denied' in err), (126, True), f'as nobody: {err}')
    argv = [box.program, *box.argv('--rm', '-u', 'app'), 'sh', '-c', 'ls -ld / /etc /etc/hosts; umask']
    status, out, err = lab.execute('sh', '-c', 'umask 077; exec "$@"', 'sh', *argv)
    equal((status, [line.split()[0] for line in out.splitlines()]),
          (0, ['drwxr-xr-x', 'drwxr-xr-x', '-rw-r--r--', '0022']), f'with umask 077: {err}')


def test_keys(lab):
    """Not our caller's session keyring."""
    box = lab.launcher
    number = {'x86_64': 250, 'aarch64': 219}[os.uname().machine]  # keyctl(GET_KEYRING_ID, SESSION, 0)
    script = f'import ctypes; print(ctypes.CDLL(None).syscall({number}, 0, -3, 0))'
    flags, rootfs = box.machine()
    theirs = box.shell(f"python3 -c '{script}'", '--security-opt', 'seccomp=unconfined', *flags, rootfs=rootfs)
    ours = lab.execute('python3', '-c', script)[1]
    ok(int(theirs) > 0 and theirs != ours, f'{theirs} here and there')


def test_limits_are_written_and_hold(lab):
    """Memory, CPU, processes: what the cgroup has, and what happens at the limit."""
    box = lab.launcher
    status, _, _ = box.run('dd', 'if=/dev/zero', 'of=/dev/null', 'bs=200M', 'count=1',
                           flags=('-m', '64m'))
    equal(status, 137, 'status after the OOM kill')
    forks = 'for i in $(seq 40); do sleep 1 & done; wait'
    status, out, err = box.run('true', flags=('--pids-limit', '1'))
    equal((status, out), (125, ''), 'no room beside the init')
    holds(err, '--pids-limit: two are needed, or --no-init', 'the sentence')
    err = box.run('sh', '-c', forks, flags=('--pids-limit', '20'))[2]
    holds(err, "can't fork", 'the fork bomb')
    loop = 'i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat'
    _, out, _ = box.run('sh', '-c', loop, flags=('--cpus', '0.1'))
    between(int(out.split('nr_throttled ')[1].split()[0]), 3, 1000, 'times that it was throttled')


def test_limit_that_cannot_be_set(lab):
    """A sentence that names it, 125, and nothing is left."""
    box = lab.launcher
    status, _, err = box.run('true', flags=('--cpuset-cpus', '8000'))
    equal(status, 125, 'status')
    holds(err, 'cpuset', 'the sentence')
    equal(box.traces(), {}, 'what is left')


def test_lxcfs_clone_is_bound(lab):
    """All that the daemon serves, with the container's values; a note when there is none."""
    box = lab.launcher
    daemon = lab.daemon
    out = box.shell('cat /proc/meminfo; grep -c processor /proc/cpuinfo; cat /proc/mounts', '-m', '64m',
                    '--cpus', '1', lxcfs=daemon)
    equal(parse.meminfo(out.split('\n1\n')[0])['MemTotal'], 64 * MIB // 1024, 'MemTotal')
    bound = {line.split()[1] for line in out.splitlines() if ' fuse.lxcfs-clone ' in line}
    served = {f'/proc/{name}' for name in os.listdir(f'{daemon.mnt}/proc')} | {
        f'/sys/devices/system/{name}' for name in os.listdir(f'{daemon.mnt}/sys/devices/system')
    }
    equal(bound, {path for path in served if os.path.exists(path)}, 'what is bound')
    argv = ['run', '--lxcfs', '/nonexistent', '--rm', '--name', box.name(), '--rootfs', box.rootfs, 'true']
    status, _, err = box.call(*argv)
    equal(status, 0, 'without a daemon')
    holds(err, 'no lxcfs-clone at /nonexistent', 'the note')


def test_user_namespace(lab):
    """Its root is nobody on the host, and yet owns its files."""
    box = lab.launcher
    name = box.start('sh', '-c', 'touch /mine; while :; do sleep 1; done', flags=('--userns', 'auto'),
                     rootfs=box.mappable)
    eventually(lambda: box.inside(name, 'ls -ln / | grep mine || true'), 'the file')
    out = box.inside(name, 'ls -ln /mine /bin/busybox; id -u; cat /proc/self/uid_map; '
                     'chown 5:6 /mine && echo x >/dev/null && ls -ln /mine')
    equal([line.split()[2:4] for line in out.splitlines() if line.startswith('-')],
          [['0', '0'], ['0', '0'], ['5', '6']], 'owners')
    status = fields(host.read(f'/proc/{box.inspect(name)["pid"]}/status'))
    ok(int(status['Uid'].split()[0]) >= 65536, f"uid on the host: {status['Uid']}")


@needs(tools='ip')
def test_bridge(lab):
    """Two containers reach each other and the host; nothing of it is left."""
    box = lab.launcher
    bridge = f'lcr{os.getpid() % 100000}'
    first = box.start('sleep', '100', flags=('--net', f'bridge:{bridge}'))
    second = box.start('sleep', '100', flags=('--net', f'bridge:{bridge}'))
    there = box.inspect(first)['address']
    gateway = box.inside(second, 'ip route').split('default via ')[1].split()[0]
    for target in (there, gateway):
        holds(box.inside(second, f'ping -c 1 -W 2 {target}'), ' 0% packet loss', target)
    box.call('rm', '-f', first, second)
    ok(bridge not in os.listdir('/sys/class/net'), 'the bridge is gone')
