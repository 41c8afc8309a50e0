# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clonectl install and uninstall, in a folder that is a host's root for them."""

import json
import os
import shutil
import signal
import subprocess

from lab import host
from lab.bound import ctl
from lab.check import equal, holds, needs, ok

FIXTURES = os.path.join(os.path.dirname(__file__), '..', 'fixtures')
HOOKS = 'usr/share/containers/oci/hooks.d/lxcfs-clone.json'
DOCKER, CONTAINERD = 'etc/docker/daemon.json', 'etc/containerd/config.toml'
CDI = 'etc/cdi/lxcfs-clone.json'
LXC = 'usr/share/lxc/config/common.conf.d/50-lxcfs-clone.conf'
PROGRAMS = ('usr/bin/lxcfs-clone-hook', 'usr/bin/lxcfs-clone-runtime')
LXC_PROGRAM = 'usr/share/lxcfs-clone/lxc.mount.hook'
ENGINES = ('podman', 'crio', 'docker', 'cdi', 'lxc', 'containerd')


def fixture(name):
    return host.read(f'{FIXTURES}/{name}')


class Root:
    """A host's files, as far as it matters."""

    def __init__(self, lab, name='root'):
        self.lab, self.path = lab, f'{lab.folder}/{name}'
        for program in (*PROGRAMS, LXC_PROGRAM, *(f'usr/bin/{e}' for e in ('podman', 'crio'))):
            self.write(program, '#!/bin/sh\nexit 0\n', 0o755)
        self.write('usr/sbin/dockerd', '', 0o755)
        os.makedirs(f'{self.path}/{os.path.dirname(LXC)}')
        os.makedirs(f'{self.path}/var/lib')

    def write(self, path, text, mode=0o644):
        full = f'{self.path}/{path}'
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8', newline='') as file:
            file.write(text)
        os.chmod(full, mode)
        return full

    def read(self, path):
        return host.read(f'{self.path}/{path}')

    def has(self, path):
        return os.path.lexists(f'{self.path}/{path}')

    def ctl(self, *argv):
        return ctl(self.lab, *argv, '--root', self.path)

    def done(self, *argv):
        status, out, err = self.ctl(*argv)
        equal((status, err), (0, ''), f'status and stderr of {argv}')
        return out

    def refused(self, words, *argv, lines=1):
        before = self.all()
        status, out, err = self.ctl(*argv)
        equal((status, out, len(err.splitlines())), (1, '', lines), f'{argv}: {err}')
        holds(err, words, f'{argv}')
        equal(self.all(), before, f'files after {argv}')

    def all(self, inodes=False):
        """Each file and folder with what must not change."""
        found = {}
        for folder, folders, files in os.walk(self.path):
            for name in folders + files:
                path = f'{folder}/{name}'
                st = os.lstat(path)
                text = host.read(path) if os.path.isfile(path) and not os.path.islink(path) else ''
                if os.path.islink(path):
                    text = os.readlink(path)
                found[path] = (st.st_mode, st.st_uid, st.st_gid, text, st.st_ino * inodes)
        return found


def operators(root):
    """What an operator has: files with an owner and a mode of their own."""
    path = root.write(DOCKER, fixture('install/docker-tabs.json'), 0o640)
    os.chown(path, 1, 2)
    root.write(CONTAINERD, fixture('install/containerd-3.toml'), 0o600)


def test_what_was_there_comes_back(lab):
    """install writes each engine's file, keeps mode and owner; uninstall: byte for byte, no trace."""
    root = Root(lab)
    operators(root)
    before = root.all()
    out = root.done('install')
    for word in ENGINES:
        holds(out, f'{word}: ', 'install')
    holds(out, 'dockerd must read it', 'install')
    st = os.stat(f'{root.path}/{DOCKER}')
    equal((st.st_mode & 0o7777, st.st_uid, st.st_gid), (0o640, 1, 2), 'mode and owner')
    equal(json.loads(root.read(DOCKER))['live-restore'], True, 'their key')
    ok(root.read(CONTAINERD).startswith(fixture('install/containerd-3.toml')), 'their lines')
    for path, golden in ((HOOKS, 'hooks'), (CDI, 'cdi'), (LXC, 'lxc')):
        equal(root.read(path), fixture(f'golden/install-{golden}'), path)
    for folder, _, files in os.walk(f'{root.path}/var/lib/lxcfs-clone.d'):
        modes = {os.stat(f'{folder}/{name}').st_mode & 0o7777 for name in files}
        equal((os.stat(folder).st_mode & 0o7777, modes), (0o700, {0o600}), 'modes of the record')
    holds(root.done('uninstall'), f'docker: /{DOCKER} is what it was', 'uninstall')
    equal(root.all(), before, 'files')


def test_folders_above_the_record(lab):
    """Made where a host has none: they are everybody's, but for the record's own."""
    root = Root(lab)
    shutil.rmtree(f'{root.path}/var')
    root.done('install', 'cdi')
    modes = [os.stat(f'{root.path}/{path}').st_mode & 0o7777 for path in ('var', 'var/lib', 'var/lib/lxcfs-clone.d')]
    equal(modes, [0o755, 0o755, 0o700], 'modes')
    root.done('uninstall', 'cdi')
    ok(not root.has('var/lib/lxcfs-clone.d'), 'the record is gone')


def test_done_twice_is_done_once(lab):
    """A second install touches nothing; so does a second uninstall; --dry-run never does."""
    root = Root(lab)
    operators(root)
    before = root.all(inodes=True)
    holds(root.done('install', '--dry-run'), '+\t"runtimes": {', 'dry run')
    equal(root.all(inodes=True), before, 'files after a dry run')
    root.done('install')
    installed = root.all(inodes=True)
    holds(root.done('install'), f'docker: /{DOCKER} is as it should be', 'again')
    equal(root.all(inodes=True), installed, 'files')
    holds(root.done('install', '--dry-run'), f'cdi: nothing to do in /{CDI}', 'dry run')
    holds(root.done('uninstall', '--dry-run'), f'would remove /{CDI}', 'dry run')
    equal(root.all(inodes=True), installed, 'files after dry runs')
    root.done('uninstall')
    gone = root.all(inodes=True)
    equal(root.done('uninstall'), 'nothing is installed\n', 'again')
    holds(root.done('uninstall', 'docker'), f'/{DOCKER} has nothing of ours', 'again')
    equal(root.all(inodes=True), gone, 'files')


def test_what_others_change_stays(lab):
    """Keys and lines that came later stay; only ours go."""
    root = Root(lab)
    operators(root)
    root.done('install', '--default')
    text = root.read(DOCKER)
    root.write(DOCKER, text.replace('"live-restore" : true', '"live-restore" : false'))
    root.write(CONTAINERD, '# theirs\n' + root.read(CONTAINERD) + '[debug]\n')
    holds(root.done('install'), f'/{DOCKER} is as it should be', 'install')
    root.done('uninstall')
    wanted = fixture('install/docker-tabs.json').replace(': true', ': false')
    equal(root.read(DOCKER), wanted, 'daemon.json')
    wanted = '# theirs\n' + fixture('install/containerd-3.toml') + '\n[debug]\n'
    equal(root.read(CONTAINERD), wanted, 'config.toml')


def test_a_file_of_ours_that_was_changed_is_kept(lab):
    """It is not overwritten, and not lost when it goes."""
    root = Root(lab)
    root.done('install', 'podman')
    changed = root.read(HOOKS).replace('"always": true', '"annotations": {"a": "b"}')
    root.write(HOOKS, changed)
    root.refused('was changed since it was installed: uninstall podman first', 'install', 'podman')
    out = root.done('uninstall', 'podman')
    kept = out.strip().rpartition(' ')[2].lstrip('/')
    equal((root.has(HOOKS), root.read(kept)), (False, changed), 'files')


def test_two_engines_with_one_file(lab):
    """podman and CRI-O look at the same folder: the file goes with the last of them."""
    root = Root(lab)
    root.done('install', 'podman', 'crio')
    holds(root.done('uninstall', 'podman'), f'podman: /{HOOKS} stays for crio', 'podman')
    ok(root.has(HOOKS), 'it stays')
    equal(root.done('uninstall', 'crio'), f'crio: /{HOOKS} is removed\n', 'crio')
    equal((root.has(HOOKS), root.has('usr/share/containers')), (False, False), 'file and folder')


def test_the_default_runtime(lab):
    """--default is kept by later installs, and what was the default before comes back."""
    root = Root(lab)
    root.write(DOCKER, fixture('install/docker-runtimes.json'))
    root.done('install', 'docker', '--default')
    root.done('install', 'docker')
    equal(json.loads(root.read(DOCKER))['default-runtime'], 'lxcfs-clone', 'default')
    root.write(DOCKER, root.read(DOCKER) + '\n')
    holds(root.done('uninstall'), f'/{DOCKER} has nothing of ours any more', 'uninstall')
    equal(root.read(DOCKER), fixture('install/docker-runtimes.json') + '\n', 'daemon.json')
    root.write(DOCKER, '{"default-runtime": "nvidia"}')
    root.refused('"default-runtime" is "nvidia"', 'install', 'docker', '--default')


def test_an_operators_own_entry(lab):
    """A runtime of ours that an operator had told docker of keeps its words, and is there again after us."""
    root = Root(lab)
    own = {'path': '/usr/bin/lxcfs-clone-runtime', 'runtimeArgs': ['--runtime', 'crun', '--require']}
    for before in (json.dumps({'runtimes': {'lxcfs-clone': own}}),
                   json.dumps({'default-runtime': 'lxcfs-clone', 'runtimes': {'lxcfs-clone': own}}, indent=4)):
        root.write(DOCKER, before)
        root.done('install', 'docker', '--default')
        told = json.loads(root.read(DOCKER))
        equal((told['default-runtime'], told['runtimes']), ('lxcfs-clone', {'lxcfs-clone': own}), 'installed')
        holds(root.done('install', 'docker'), 'is as it should be', 'again')
        root.done('uninstall')
        equal(root.read(DOCKER), before, 'daemon.json')
        root.done('install', 'docker', '--default')
        root.write(DOCKER, root.read(DOCKER) + '\n')
        root.done('uninstall')
        equal(root.read(DOCKER), before + '\n', 'daemon.json that somebody else changed')


def test_what_is_not_understood_is_left_alone(lab):
    """One sentence, status 1, and no file is changed: neither this nor those of other engines."""
    root = Root(lab)
    for path, text, engine, words in (
        (DOCKER, '{"debug": true,}', 'docker', 'line 1, column 16: a string is missing'),
        (DOCKER, '[1]', 'docker', 'it is no JSON object'),
        (DOCKER, '{"runtimes": {"lxcfs-clone": {"path": "/x"}}}', 'docker', 'is not /usr/bin'),
        (DOCKER, '{}\0', 'docker', f'/{DOCKER} is no text'),
        (DOCKER, ' ' * (1 << 20) + '{}', 'docker', 'longer than a megabyte'),
        (CONTAINERD, 'version = 1\n', 'containerd', 'does not begin with "version = 2"'),
        (HOOKS, '{}', 'crio', 'was not made by lxcfs-clonectl install'),
        (CDI, '{}', 'cdi', 'was not made by lxcfs-clonectl install'),
        (LXC, 'lxc.hook.mount = x\n', 'lxc', 'was not made by lxcfs-clonectl install'),
    ):
        root.write(path, text)
        root.refused(words, 'install', engine)
        root.refused(words, 'install', *(e for e in ENGINES if e != 'podman'), lines=2)
        os.unlink(f'{root.path}/{path}')
    root.write('elsewhere', '{}')
    for path, engine in ((DOCKER, 'docker'), (CDI, 'cdi')):
        os.symlink(f'{root.path}/elsewhere', f'{root.path}/{path}')
        root.refused(f'/{path} is a symlink', 'install', engine)
        root.refused(f'/{path} is a symlink', 'uninstall', engine)
        os.unlink(f'{root.path}/{path}')
        os.mkdir(f'{root.path}/{path}')
        root.refused(f'/{path} is no plain file', 'install', engine)
        os.rmdir(f'{root.path}/{path}')
    os.unlink(f'{root.path}/{PROGRAMS[0]}')
    root.refused(f'/{PROGRAMS[0]}, which is not there', 'install', 'podman')


def test_no_way_out_of_the_root(lab):
    """Symlinks on the way are the host's own: followed below its root, and never out of it."""
    root = Root(lab)
    for folder in ('srv/docker', 'etc'):
        os.makedirs(f'{root.path}/{folder}')
    os.symlink('/srv/docker', f'{root.path}/etc/docker')
    os.symlink(f'../../../../..{lab.folder}/outside', f'{root.path}/etc/cdi')
    os.mkdir(f'{lab.folder}/outside')
    root.done('install', 'docker')
    ok(root.has('srv/docker/daemon.json'), 'followed')
    root.refused('etc/cdi', 'install', 'cdi')
    equal(os.listdir(f'{lab.folder}/outside'), [], 'files outside')


def test_left_by_one_that_was_killed(lab):
    """A half-written file, or a record of a text that never came, is in nobody's way."""
    root = Root(lab)
    operators(root)
    before = root.all()
    root.write('etc/docker/.daemon.json.lxcfs-clone', '{"ha')
    root.done('install', 'docker')
    path = root.write(DOCKER, fixture('install/docker-tabs.json'), 0o640)
    os.chown(path, 1, 2)
    root.done('install', 'docker')
    holds(root.read(DOCKER), '"lxcfs-clone": {', 'installed')
    path = root.write(DOCKER, fixture('install/docker-tabs.json'), 0o640)
    os.chown(path, 1, 2)
    root.done('uninstall', 'docker')
    equal(root.all(), before, 'files')


def killed_at(lab, root, call, number, *argv):
    """Whether lxcfs-clonectl was, as it came to a system call for the nth time."""
    program = os.path.join(lab.run.build, 'lxcfs-clonectl')
    inject = ('strace', '-f', '-o', f'{lab.folder}/trace', '-e', f'inject={call}:signal=KILL:when={number}')
    status, _out, err = lab.execute(*inject, program, *argv, '--root', root.path)
    ok(status in (0, -signal.SIGKILL), f'neither done nor killed, but {status}: {err}')
    return status != 0


@needs('host', tools='strace', timeout=120)
def test_killed_wherever(lab):
    """At each step: the file is the former or the new one, and the next run knows how to go on."""
    for verb in ('install', 'uninstall'):
        for call in ('mkdirat', 'openat2', 'write', 'fsync', 'renameat', 'unlinkat'):
            for number in (1, 2, 3, 4, 6, 9):
                root = Root(lab, f'{verb}-{call}-{number}')
                operators(root)
                before = root.all()
                former = root.read(DOCKER)
                if verb == 'uninstall':
                    root.done('install', 'docker', 'cdi')
                if not killed_at(lab, root, call, number, verb, 'docker', 'cdi'):
                    break
                text = root.read(DOCKER)
                ok(text == former or '"lxcfs-clone": {' in text, f'{verb}, {call} {number}: {text}')
                json.loads(text)
                if number % 2:
                    root.done('install', 'docker', 'cdi')
                    holds(root.read(DOCKER), '"lxcfs-clone": {', f'{verb}, {call} {number}')
                root.done('uninstall', 'docker', 'cdi')
                after = root.all()
                equal(after, before, f'files after {verb}, {call} {number}')


def test_a_record_that_is_none(lab):
    """It is named, and so is the file that it is about; nothing is changed."""
    root = Root(lab)
    operators(root)
    root.done('install', 'docker')
    record = next(n for n in os.listdir(f'{root.path}/var/lib/lxcfs-clone.d') if n.endswith('docker%2Fdaemon.json.record'))
    path = f'var/lib/lxcfs-clone.d/{record}'
    good = root.read(path)
    for text in ('', 'lxcfs-clone 2\n', good + 'what\n', good.replace('wrote ', 'wrote 0'), 'x' * 9999, good[:30]):
        root.write(path, text)
        for verb in ('install', 'uninstall'):
            root.refused('is no record of ours', verb, 'docker')
    root.write(path, good)
    os.unlink(f'{root.path}/{path[:-6]}original')
    root.refused('original is gone', 'uninstall')


def test_a_full_disk(lab):
    """What cannot be written leaves what was there."""
    folder = f'{lab.folder}/root'
    os.mkdir(folder)
    host.mount('small', folder, 'tmpfs', 0, 'size=256k')
    lab.later(host.umount, folder, host.MNT_DETACH)
    root = Root(lab)
    operators(root)
    fd = os.open(f'{folder}/filler', os.O_CREAT | os.O_WRONLY)
    try:
        while os.write(fd, b'x' * 4096):
            pass
    except OSError:
        pass
    os.close(fd)
    root.refused('No space left on device', 'install', 'docker')


def test_many_at_once(lab):
    """Installs and uninstalls beside each other wait for each other."""
    root = Root(lab)
    operators(root)
    before = root.all()
    program = os.path.join(lab.run.build, 'lxcfs-clonectl')
    running = [
        subprocess.Popen(
            [program, verb, 'docker', 'cdi', '--root', root.path],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for verb in ('install', 'uninstall') * 6
    ]
    for process in running:
        err = process.communicate(timeout=60)[1]
        equal((process.returncode, err), (0, b''), 'status and stderr')
    root.done('uninstall', 'docker', 'cdi')
    equal(root.all(), before, 'files')


def test_what_a_host_has(lab):
    """Without a name: the engines that are there, and would take notice."""
    root = Root(lab)
    for program in ('usr/bin/podman', 'usr/bin/crio', 'usr/sbin/dockerd'):
        os.unlink(f'{root.path}/{program}')
    os.rmdir(f'{root.path}/{os.path.dirname(LXC)}')
    equal(root.done('install'), 'this host has no engine that is known\n', 'none')
    root.write(CONTAINERD, 'version = 2\ndisabled_plugins = ["cri"]\n')
    holds(root.done('install'), 'containerd: left out, its CRI plugin is off', 'CRI off')
    root.write('usr/bin/podman', '', 0o755)
    out = root.done('install')
    holds(out, f'podman: /{HOOKS} is written', 'podman')
    holds(out, f'cdi: /{CDI} is written', 'podman')
    ok('docker' not in out, 'docker is not there')


def test_command_line(lab):
    """What is wrong is one sentence and a status."""
    for argv, wanted, word in (
        (('install', 'rkt'), 2, "there is no engine 'rkt'"),
        (('install', '--json'), 2, "'--json'"),
        (('install', '--root'), 2, "there is no folder behind '--root'"),
        (('install', '--root='), 2, "'--root='"),
        (('install', '--rooted', '/'), 2, "'--rooted'"),
        (('uninstall', '--default'), 2, "'--default'"),
        (('uninstall', '--mountpoint', '/mnt'), 2, "there is no option '--mountpoint'"),
        (('uninstall', 'docker', '--mountpoint=/mnt'), 2, "there is no option '--mountpoint=/mnt'"),
        (('install', f'--root={lab.folder}/nowhere'), 1, f'{lab.folder}/nowhere'),
    ):
        status, out, err = ctl(lab, *argv)
        equal((status, out, len(err.splitlines())), (wanted, '', 1), f'{argv}')
        holds(err, word, f'{argv}')
