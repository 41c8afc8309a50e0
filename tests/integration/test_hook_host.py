# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-hook and the mounts of the host, which gets none of what a container does."""

from lab import host
from lab.bundle import program, whole_tree
from lab.check import equal, holds, needs

# A host whose /sys is shared, as systemd has it, and a container that was given that one.
SHARING = '''mount --make-rprivate / && mount --make-rshared /sys || exit 9
mkfifo "$0" "$0.up"
unshare -m --propagation unchanged sh -c 'echo >"$0.up"; read line <"$0"; cat /proc/self/mountinfo >&3' "$0" 3>"$0.inside" &
read line <"$0.up"
"$@" $! || exit 8
cat /proc/self/mountinfo >"$0.outside"
echo >"$0"
wait'''


@needs()
def test_what_the_host_would_see(lab):
    """Files of a /sys that is shared with the host are left alone, with a warning; others are not."""
    fifo = f'{lab.folder}/fifo'
    attach = (program(lab), 'attach', '--mountpoint', lab.daemon.mnt)
    status, _out, err = lab.execute('unshare', '-m', 'sh', '-c', SHARING, fifo, *attach)
    equal(status, 0, err)
    holds(err, 'warning: 2 of its files are left as they are: the host would see', 'what is said')
    inside, outside = (host.read(f'{fifo}.{where}').count(' - fuse.lxcfs-clone lxcfs-clone@' + lab.daemon.mnt)
                       for where in ('inside', 'outside'))
    equal(outside, 1, 'mounts in the namespace of the host')
    equal(inside, 1 + len([p for p in whole_tree(lab.daemon.mnt) if p.startswith('/proc')]), 'mounts inside')


# A host in small, with its own init and /proc: what is done to it is done to nothing else.
ALONE = ('unshare', '--fork', '--pid', '--kill-child', '--mount', '--mount-proc', 'sh', '-c')

# As fast as it can, in a namespace of its own and in that of init.
FLIPPER = '''
import ctypes, os
libc = ctypes.CDLL(None)
init = os.open('/proc/self/ns/mnt', os.O_RDONLY)
assert libc.unshare(0x20000) == 0
own = os.open('/proc/self/ns/mnt', os.O_RDONLY)
open(__import__('sys').argv[1], 'w').write(str(os.getpid()))
setns = libc.setns
while True:
    setns(init, 0x20000)
    setns(own, 0x20000)
'''

FLIPPED = '''python3 -c "$FLIPPER" "$0" & until test -s "$0"; do sleep 0.1; done
for n in $(seq %d); do "$@" "$(cat "$0")"; done 2>"$0.said"
cat /proc/self/mountinfo >"$0.init"'''


@needs(timeout=120)
def test_a_process_that_is_now_here_now_there(lab):
    """One that goes from its namespace to init's and back: init's gets no file."""
    attach = (program(lab), 'attach', '--mountpoint', lab.daemon.mnt, '--files', 'uptime')
    said = f'{lab.folder}/flipped'
    script = f"FLIPPER='{FLIPPER.replace(chr(39), chr(34))}'; {FLIPPED % (40 if host.GUEST else 500)}"
    status, _out, err = lab.execute(*ALONE, script, said, *attach)
    equal(status, 0, err)
    equal([line for line in host.read(f'{said}.init').splitlines() if ' /proc/uptime ' in line], [], 'mounts of init')
    holds(host.read(f'{said}.said'), 'namespace', 'what is said')


# Neither may look at init's namespaces; the first one is in it.
FEWER = '''fewer="setpriv --bounding-set -sys_ptrace,-net_raw"
$fewer sleep 60 & sleep 0.1
unshare -m --propagation private $fewer sh -c 'test -e /proc/1/ns/mnt && exit 9; exec "$@"' sh "$@" $!
echo $? >"$0.status"
cat /proc/self/mountinfo >"$0.init"'''


@needs(tools='setpriv')
def test_init_that_may_not_be_looked_at(lab):
    """By its table of mounts a process is known to be in its namespace."""
    path = f'{lab.folder}/fewer'
    attach = (program(lab), 'attach', '--mountpoint', lab.daemon.mnt)
    _status, _out, err = lab.execute(*ALONE, FEWER, path, *attach)
    equal(host.read(f'{path}.init').count(' - fuse.lxcfs-clone lxcfs-clone@' + lab.daemon.mnt), 1, 'mounts of init')
    equal(host.read(f'{path}.status'), '1\n', f'status: {err}')
    holds(err, 'its mount namespace is that of the host', 'what is said')


# The caller is in neither of two namespaces that share their /sys: in init's, and in the container's.
BETWEEN = '''mount --make-rprivate / && mount --make-rshared /sys || exit 9
mkfifo "$0"
unshare -m --propagation unchanged sh -c 'echo >"$0"; exec sleep 60' "$0" & read line <"$0"
unshare -m --propagation private "$@" $! || exit 8
cat /proc/self/mountinfo >"$0.init"'''


@needs()
def test_what_init_would_see(lab):
    """The same where it is not the caller that shares the container's /sys, but init."""
    fifo = f'{lab.folder}/between'
    attach = (program(lab), 'attach', '--mountpoint', lab.daemon.mnt)
    status, _out, err = lab.execute(*ALONE, BETWEEN, fifo, *attach)
    equal(status, 0, err)
    holds(err, 'warning: 2 of its files are left as they are: the host would see', 'what is said')
    equal(host.read(f'{fifo}.init').count(' - fuse.lxcfs-clone lxcfs-clone@' + lab.daemon.mnt), 1, 'mounts of init')
