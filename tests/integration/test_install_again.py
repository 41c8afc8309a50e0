# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clonectl install where it was before: what it wrote is written anew, what others wrote there stays."""

import json
import os

from lab.check import equal, holds, needs, ok
from test_install import CDI, CONTAINERD, DOCKER, HOOKS, LXC, Root, killed_at, operators

CALLS = ('mkdirat', 'openat2', 'write', 'fsync', 'renameat', 'unlinkat')
AGAIN = ('--mountpoint', '/mnt/elsewhere')
STAYS = 'was changed since it was installed, and stays as it is'


@needs('host', tools='strace', timeout=120)
def test_killed_as_it_is_done_again(lab):
    """At each step of an install over another one: the next run of either command goes on."""
    names = ('podman', 'docker', 'cdi', 'lxc')
    for call in CALLS:
        for number in (1, 2, 3, 4, 6, 8, 11, 14):
            root = Root(lab, f'{call}-{number}')
            operators(root)
            before = root.all()
            root.done('install', *names)
            if not killed_at(lab, root, call, number, 'install', *names, *AGAIN):
                break
            if number % 2:
                root.done('install', *names, *AGAIN)
                for path in (HOOKS, DOCKER, CDI, LXC):
                    holds(root.read(path), AGAIN[1], f'{path} after {call} {number}')
            else:
                root.done('install', *names)
                for path in (HOOKS, DOCKER, CDI, LXC):
                    ok(AGAIN[1] not in root.read(path), f'{path} after {call} {number}')
            ok('kept' not in root.done('uninstall'), f'kept after {call} {number}')
            equal(root.all(), before, f'files after {call} {number}')


def changed(root):
    """An operator's words in our part of daemon.json."""
    told = json.loads(root.read(DOCKER))
    told['runtimes']['lxcfs-clone']['runtimeArgs'] += ['--require']
    return json.dumps(told, indent=1)


def test_what_an_operator_changed_in_ours(lab):
    """It stays, as often as it is done again; that is said. What goes with it is kept."""
    root = Root(lab)
    operators(root)
    before = root.all()
    root.done('install', 'docker')
    root.write(DOCKER, changed(root))
    text = root.read(DOCKER)
    for _ in range(2):
        holds(root.done('install', 'docker', *AGAIN), f'docker: /{DOCKER} is as it should be; our part of it {STAYS}',
              'install')
        equal(root.read(DOCKER), text, 'daemon.json')
        holds(root.done('install', 'docker', '--dry-run'), STAYS, 'dry run')
    holds(root.done('install', 'docker', '--default'), f'is written; our part of it {STAYS}', 'the default')
    told = json.loads(root.read(DOCKER))
    equal(told.pop('default-runtime'), 'lxcfs-clone', 'default')
    equal(told, json.loads(text), 'all else')
    text = root.read(DOCKER)
    kept = root.done('uninstall', 'docker').strip().partition(', and is kept as /')[2].partition(';')[0]
    equal(root.read(kept), text, f'what is kept')
    ok('lxcfs-clone' not in root.read(DOCKER), 'daemon.json')
    os.unlink(f'{root.path}/{kept}')
    os.rmdir(os.path.dirname(f'{root.path}/{kept}'))
    ok(before.keys() == root.all().keys(), 'files')
    root.done('install', 'docker')
    ok('--require' not in root.read(DOCKER), 'made anew')


def test_what_an_operator_changed_in_containerds(lab):
    """The same with lines of ours; those that others have above them are no part of it."""
    root = Root(lab)
    operators(root)
    root.done('install', 'containerd')
    text = '# theirs\n' + root.read(CONTAINERD)
    root.write(CONTAINERD, text)
    holds(root.done('install', 'containerd'), 'is as it should be\n', 'theirs')
    text = text.replace('    BinaryName', '    SystemdCgroup = true\n    BinaryName')
    root.write(CONTAINERD, text)
    for _ in range(2):
        holds(root.done('install', 'containerd'), STAYS, 'ours')
        equal(root.read(CONTAINERD), text, 'config.toml')
    holds(root.done('uninstall'), 'is kept as', 'uninstall')


def test_ours_in_another_form(lab):
    """Blanks are no change: what an editor of JSON writes anew is ours as before."""
    root = Root(lab)
    root.done('install', 'docker')
    root.write(DOCKER, json.dumps(dict(json.loads(root.read(DOCKER)), debug=True), separators=(',', ':')))
    out = root.done('install', 'docker', *AGAIN)
    holds(out, 'is written; dockerd must', 'install')
    holds(root.read(DOCKER), AGAIN[1], 'daemon.json')
    ok('kept' not in root.done('uninstall'), 'uninstall')
    equal(root.read(DOCKER), '{"debug":true}', 'what is left')


def test_a_file_that_was_emptied(lab):
    """One that was not there before us: nothing of ours is in it, and it goes, or is filled again."""
    root = Root(lab)
    before = root.all()
    for verb in ('install', 'uninstall'):
        root.done('install', 'docker')
        root.write(DOCKER, '{}')
        holds(root.ctl('check', lab.daemon.mnt)[1], 'warn  docker      not installed: ', 'check')
        root.done(verb, 'docker')
        root.done('uninstall', 'docker')
        equal(root.all(), before, f'files after {verb}')


@needs('host', tools='strace', timeout=120)
def test_killed_beside_what_an_operator_changed(lab):
    """At each step: the operator's words are still there, and in what is kept as they go."""
    for call in CALLS:
        for number in (1, 2, 3, 5, 8):
            root = Root(lab, f'{call}-{number}')
            root.done('install', 'docker')
            root.write(DOCKER, changed(root))
            if not killed_at(lab, root, call, number, 'install', 'docker', '--default'):
                break
            holds(root.done('install', 'docker', '--default'), STAYS, f'{call} {number}')
            holds(root.read(DOCKER), '"--require"', f'daemon.json after {call} {number}')
            killed_at(lab, root, call, number, 'uninstall', 'docker')
            root.done('uninstall', 'docker')
            kept = [text for *_, text, _ in root.all().values() if '"--require"' in text]
            equal((root.has(DOCKER), len(kept)), (False, 1), f'what is kept after {call} {number}')
