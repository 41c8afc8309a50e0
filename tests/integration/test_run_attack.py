# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run: images, neighbours and machines that are in the way."""

import os
import re
import subprocess
import threading
import time

from lab import host
from lab.check import equal, eventually, holds, needs, ok


def test_files_of_the_image_in_place_of_ours(lab):
    """/etc/hosts and the like as a link, a fifo or a folder: the container has ours, the host its own."""
    box = lab.launcher
    victim = f'{lab.folder}/victim'
    host.write_new(victim, 'theirs\n')
    kinds = (lambda path: os.symlink(f'../../../../../..{victim}', path), os.mkfifo, os.makedirs,
             lambda path: os.mknod(path, 0o20666, os.makedev(1, 8)))
    for i, make in enumerate(kinds):
        top = f'{lab.folder}/top{i}'
        os.makedirs(f'{top}/etc')
        for name in ('hosts', 'hostname', 'resolv.conf'):
            make(f'{top}/etc/{name}')
        out = box.shell('cat /etc/hosts /etc/hostname /etc/resolv.conf; cd /etc; test -f hosts -a ! -L hosts && '
                        'echo more >>hosts && cat hosts', '--hostname', 'here', rootfs=f'{top},{box.rootfs}')
        equal((out.count('localhost\n'), out.count('here\n'), out.endswith('more\n')), (4, 3, True), f'{i}: {out}')
        equal(host.read(victim), 'theirs\n', "the host's file")
    equal(box.traces(), {}, 'what is left')


def test_image_that_changes_while_it_is_started(lab):
    """A folder that is a link to the host's by turns: what is mounted and made there stays in the container."""
    box = lab.launcher
    victim, place, source = (f'{lab.folder}/{name}' for name in ('victim', 'rootfs/data', 'source'))
    for path in (victim, place, source):
        os.mkdir(path)
    over = threading.Event()

    def swap():
        while not over.is_set():
            os.rmdir(place)
            os.symlink(f'../../../../../..{victim}', place)
            os.unlink(place)
            os.mkdir(place)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for i in range(20 if not host.GUEST else 4):
            status, out, err = box.run('sh', '-c', 'grep -c victim /proc/mounts; ls /data/new', flags=(
                '-v', f'{source}:/data/new', '--tmpfs', '/data/deep/t', '-w', '/data/here', '--device', '/dev/null:/data/n'))
            ok(status in (0, 125) and (status or out == '0\n'), f'{i}: {status} {out} {err}')
    finally:
        over.set()
        thread.join()
    equal((os.listdir(victim), os.listdir(source)), ([], []), "the host's folders")
    equal(box.traces(), {}, 'what is left')


def test_neighbour_that_has_dev(lab):
    """Of a /dev that others have, too, nothing is laid over what is hidden but the device itself."""
    box = lab.launcher
    shared = f'{lab.folder}/dev'
    os.mkdir(shared)
    attack = 'echo reached >/proc/keys; cat /proc/sys/kernel/domainname'
    for make in (lambda path: os.symlink('/proc/sys/kernel/domainname', path), os.mkfifo, host.write_new):
        make(f'{shared}/null')
        status, out, err = box.run('sh', '-c', attack, flags=('-v', f'{shared}:/dev'))
        equal((status, out), (125, ''), f'status: {err}')
        holds(err, 'cannot hide /proc/', 'the sentence')
        os.unlink(f'{shared}/null')
    os.mknod(f'{shared}/null', 0o20666, os.makedev(1, 3))
    equal(box.run('cat', '/proc/keys', flags=('-v', f'{shared}:/dev')), (0, '', ''), 'with the device')
    equal(box.traces(), {}, 'what is left')


def _full_run(options):
    host.unshare(host.CLONE_NEWNS)
    host.mount(None, '/', None, host.MS_REC | host.MS_PRIVATE)
    host.mount('tmpfs', '/run', 'tmpfs', 0, f'mode=755,{options}')


@needs(tools='ip')
def test_no_room_in_run(lab):
    """Whatever it is that cannot be written there: a sentence, and nothing of it is left."""
    box = lab.launcher
    bridge = f'lcf{os.getpid() % 100000}'
    flags = ('--rm', '--net', f'bridge:{bridge}', '--userns', 'auto')
    script = '"$@"; echo status $?; find /run -mindepth 1 ! -name ".lock" ! -name "lock*"'
    own = {'', '/run/lxcfs-clone', '/run/lxcfs-clone/containers', '/run/lxcfs-clone/leases', '/run/lxcfs-clone-run'}
    seen = set()
    # In the guest the container's own files lie there, too.
    options = [f'nr_inodes={n}' for n in (range(1, 16) if not host.GUEST else range(3, 36, 5))]
    options += [f'size={4 * n}k' for n in (range(1, 6) if not host.GUEST else (1, 5))]
    for option in (*options, 'size=4m'):
        argv = [box.program, *box.argv(*flags, rootfs=box.mappable), 'true']
        _, out, err = lab.execute('sh', '-c', script, 'sh', *argv, preexec_fn=lambda o=option: _full_run(o))
        status, *left = out.split('\n')
        seen.add(status)
        equal((set(left) - own, box.traces()), (set(), {}), f'{option}: what is left')
        ok(bridge not in os.listdir('/sys/class/net'), f'{option}: the bridge is left')
        if status != 'status 0':
            ok(status == 'status 125' and err.startswith('lxcfs-clone-run: ') and 'No space left' in err,
               f'{option}: {status} {err}')
    equal(seen, {'status 0', 'status 125'}, 'what has come of them')


@needs('v2')
def test_container_with_cgroups_of_its_own(lab):
    """One that hands controllers down, as systemd does: exec goes where its pid 1 is, rm removes all."""
    box = lab.launcher
    script = '''mount -o remount,rw /sys/fs/cgroup && cd /sys/fs/cgroup && mkdir -p init/deep other && echo 0 >init/cgroup.procs
        echo 1 >init/cgroup.procs; echo +pids >cgroup.subtree_control && echo up; sleep 1000'''
    name = box.start('sh', '-c', script, flags=('--cap-add', 'SYS_ADMIN', '-m', '64m'))
    eventually(lambda: 'up\n' in box.call('logs', name)[1], 'it has made them')
    equal(box.inside(name, 'cat /proc/self/cgroup'), '0::/init\n', 'exec')
    equal(box.call('stop', name)[0], 0, 'stop')
    equal(box.call('rm', name)[0], 0, 'rm')
    equal(box.traces(), {}, 'what is left')


def test_limits_that_hardly_anything_runs_with(lab):
    """They are for the command, not for what is done before it: a sentence of ours, or the kernel kills it."""
    box = lab.launcher
    for limit, statuses in (('as=1000000', (137, 139)), ('stack=0', (0, 137, 139)), ('nofile=0', (125,)), ('nofile=6', (0,))):
        status, out, err = box.run('true', flags=('--ulimit', limit))
        ok(status in statuses and not out, f'{limit}: {status} {out} {err}')
        equal((err.count('\n'), 'GLib' in err), (int(status == 125), False), f'{limit}: {err}')
    name = box.start('sleep', '1000', flags=('--ulimit', 'nofile=6:7', '--ulimit', 'as=100000000'))
    equal(box.inside(name, 'ulimit -n; ulimit -Hn; ulimit -v').split(), ['6', '7', '97656'], 'exec')


def test_limits_of_our_own(lab):
    """Few descriptors, files of no size, nobody who hears us: a sentence, and nothing is left."""
    box = lab.launcher
    for limit, part in (('-n 12', 'Too many open files'), ('-f 0', 'seccomp filter')):
        argv = [box.program, *box.argv('--rm'), 'sh', '-c', 'echo ran']
        status, out, err = lab.execute('sh', '-c', f'ulimit {limit}; exec "$@"', 'sh', *argv)
        equal((status, out, err.count('\n')), (125, '', 1), f'{limit}: {err}')
        holds(err, part, limit)
        equal(box.traces(), {}, f'{limit}: what is left')
    reader, writer = os.pipe()
    os.close(reader)
    argv = [box.program, 'run', '--lxcfs', '/nonexistent', '--rm', '--name', box.name(), '--rootfs', box.rootfs]
    with subprocess.Popen([*argv, 'sh', '-c', 'kill -PIPE $$'], stderr=writer, stdout=writer) as process:
        equal(process.wait(timeout=20 * host.SCALE), 141, 'its own SIGPIPE')
    os.close(writer)
    equal(box.traces(), {}, 'what is left')


def test_names_that_are_too_long(lab):
    """A sentence that fits the screen, and nothing is left."""
    box = lab.launcher
    part, path = 'y' * 256, '/' + '/'.join(['z' * 200] * 19)
    for flags in (('-w', f'/{part}'), ('-v', f'/tmp:/{part}/x'), ('--tmpfs', f'/{part}'), ('--pid-file', f'/tmp/{part}'),
                  ('--device', f'/dev/null:/{part}'), ('--rootfs', f'/{part}'), ('--net', f'bridge:{part}')):
        status, out, err = box.run('true', flags=flags)
        equal((status, out, err.count('\n')), (125, '', 1), f'{flags[0]}: {err}')
        equal(box.traces(), {}, f'{flags[0]}: what is left')
    equal(box.shell('pwd', '-w', path, '--tmpfs', f'{path}/t'), f'{path}\n', 'a long path')
    equal(box.run(f'/{part}')[0], 126, 'as the command')
    status, _, err = box.call('exec', 'x' * 4096, 'true')
    ok(status == 125 and len(err) < 200, f'a name of 4096: {err}')


def test_very_many_variables(lab):
    """As many as a command line holds: in a moment, the last of a name counts, exec has them, too."""
    box = lab.launcher
    flags = [f'-eA{i}={i}' for i in range(40000)]
    start = time.monotonic()
    name = box.start('sleep', '1000', flags=(*flags, '-eA7=seven', '-eHOME=/there'))
    lines = box.call('exec', '-eA8=8=', '-eAB=', name, 'env')[1].splitlines()
    ok(time.monotonic() - start < 4 * host.SCALE, f'{time.monotonic() - start} s')
    equal(len([line for line in lines if line.startswith('A')]), 40001, 'variables')
    equal({'A7=seven', 'A8=8=', 'AB=', 'A39999=39999', 'HOME=/there'} - set(lines), set(), 'what is missing')
    name = box.start('sleep', '1000')
    env = dict(os.environ, GIVEN='ours')
    out = box.call('exec', '-e', 'GIVEN', '-e', 'NOTHING', name, 'sh', '-c', 'echo $GIVEN${NOTHING-none}', env=env)[1]
    equal(out, 'oursnone\n', 'a name alone')
    status, _, err = box.call('exec', '-e', '=x', name, 'true')
    equal(status, 125, 'a value alone')
    holds(err, 'has no name', 'the sentence')


@needs(tools='strace')
def test_no_window_outside_the_limits(lab):
    """The child is told to go on when it is in all cgroups; on v2 it is born in its own."""
    box = lab.launcher
    trace = f'{lab.folder}/trace'
    name = box.name()
    argv = [box.program, *box.argv('--rm', '--cgroupns', 'host', '--no-init', '--no-time-ns', name=name)]
    status, out, err = lab.execute('strace', '-f', '-qq', '-s', '64', '-o', trace, '-e', 'trace=clone3,write,sendmsg,execve',
                                   *argv, 'cat', '/proc/self/cgroup')
    equal(status, 0, f'run: {err}')
    tops = {line.split(':', 2)[1]: line.split(':', 2)[2] for line in out.splitlines()}
    with_limits = {c for c, path in tops.items() if path == f'/lxcfs-clone-run/{name}' or path.endswith(f'/{name}')}
    lines = host.read(trace).splitlines()
    clone = next(i for i, line in enumerate(lines) if 'CLONE_NEWNS' in line and 'clone3' in line)
    child = re.search(r'= (\d+)$', '\n'.join(lines[clone:]), re.M).group(1)
    go = next(i for i, line in enumerate(lines) if 'sendmsg' in line and '"G"' in line)
    enters = [i for i, line in enumerate(lines) if re.search(rf'write\(\d+, "{child}', line)]
    first = next(i for i, line in enumerate(lines) if line.startswith(f'{child} '))
    ok(all(i < go for i in enters) and first > clone, 'it is in its cgroups before it may go on')
    if host.KIND == 'v2':
        holds(lines[clone], 'CLONE_INTO_CGROUP', 'how it is made')
        equal(with_limits, {''}, 'where it is')
    else:
        ok(len(enters) >= len(with_limits - {''}) > 3, f'it is in {with_limits}, by {len(enters)} writes')
        ok(all(c in with_limits for c in host.V1), f'{tops}')
    done = [i for i, line in enumerate(lines) if line.startswith(f'{child} ') and 'sendmsg(' in line or 'execve("/bin/cat"' in line]
    ok(done and done[0] > go, 'it says and does nothing before')
