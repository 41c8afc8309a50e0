# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run: whatever root the launcher has, the container's is its own."""

import contextlib
import ctypes
import os

from lab import host
from lab.check import equal, needs, ok

OPEN_TREE, MOVE_MOUNT = 428, 429
AT_FDCWD, OPEN_TREE_CLONE, AT_RECURSIVE, MOVE_MOUNT_F_EMPTY_PATH = -100, 1, 0x8000, 4


def bind_all(top, root):
    """What is in the folder @top is in @root, too, with all that is mounted there."""
    for name in os.listdir(top):
        there, here = f'{top}/{name}', f'{root}/{name}'
        if os.path.islink(there) and not os.path.isdir(here):
            with contextlib.suppress(FileExistsError):
                os.symlink(os.readlink(there), here)
        elif os.path.isdir(there):
            os.makedirs(here, exist_ok=True)
            host.mount(there, here, None, host.MS_BIND | host.MS_REC)


def part():
    host.unshare(host.CLONE_NEWNS)
    host.mount(None, '/', None, host.MS_REC | host.MS_PRIVATE)


def go_to_mount(root):
    """A chroot that is a mount."""
    part()
    host.mount('/', root, None, host.MS_BIND | host.MS_REC)
    os.chroot(root)
    os.chdir('/')


def go_to_folder(root):
    """One that is none: no propagation can be set there, and nothing be pivoted."""
    part()
    bind_all('/', root)
    os.chroot(root)
    os.chdir('/')


def go_to_ramfs():
    """To the initial root file system, of which the kernel lets nobody be rid."""
    libc = ctypes.CDLL(None, use_errno=True)
    part()
    namespace = os.open('/proc/self/ns/mnt', os.O_RDONLY)
    tree = libc.syscall(OPEN_TREE, AT_FDCWD, b'/', OPEN_TREE_CLONE | AT_RECURSIVE)
    host.umount('/', host.MNT_DETACH)
    host.setns(namespace, host.CLONE_NEWNS)
    os.makedirs('/all', exist_ok=True)
    ok(libc.syscall(MOVE_MOUNT, tree, b'', AT_FDCWD, b'/all', MOVE_MOUNT_F_EMPTY_PATH) == 0, 'move_mount')
    bind_all('/all', '')
    host.umount('/all', host.MNT_DETACH)


def sees_itself_alone(box, go, *flags):
    """A container that is started, entered and removed from there; who enters it from here comes to it, too."""
    name = box.name()
    script = 'ls /; cat /proc/mounts'
    status, out, err = box.call(*box.argv('-d', *flags, name=name), 'sleep', '1000', preexec_fn=go)
    equal((status, out), (0, f'{name}\n'), f'run -d: {err}')
    for where in (go, None):
        status, out, err = box.call('exec', name, 'sh', '-c', script, preexec_fn=where)
        equal(status, 0, f'exec: {err}')
        ok('overlay / overlay' in out and 'usr' not in out.split(), f'what it sees: {out}')
    if flags:  # who joins the namespace then is at what was below
        box.inside(name, 'umount -l /')
        status, out, err = box.call('exec', name, '/bin/ls', '/')
        ok(status in (125, 126, 127) and not out, f'below its root: {status} {out} {err}')
    status, _, err = box.call('rm', '-f', name, preexec_fn=go)
    equal(status, 0, f'rm: {err}')
    status, out, err = box.call(*box.argv('--rm', *flags), 'sh', '-c', script, preexec_fn=go)
    equal(status, 0, f'run --rm: {err}')
    ok('overlay / overlay' in out and 'usr' not in out.split(), f'what it sees: {out}')
    equal(box.traces(), {}, 'what is left')


def test_in_a_chroot(lab):
    """Neither run nor exec leads to what is around the chroot."""
    box = lab.launcher
    for go in (go_to_mount, go_to_folder):
        root = f'{lab.folder}/{go.__name__}'
        os.mkdir(root)
        sees_itself_alone(box, lambda go=go, root=root: go(root))


@needs('guest')
def test_on_a_ramfs(lab):
    """The host's mounts are gone from below the container's root, whatever it may unmount."""
    box = lab.launcher
    for flags in ((), ('--cap-add', 'SYS_ADMIN')):
        sees_itself_alone(box, go_to_ramfs, *flags)
