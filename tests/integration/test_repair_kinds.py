# SPDX-License-Identifier: LGPL-2.1-or-later
"""All dies and is started anew under readers in containers of each kind: tests/soak in small."""

from lab import comeback
from lab.check import Skip, needs, ok


def undergo(lab, count, each, *kinds):
    for kind in kinds:
        if reason := comeback.missing(kind):
            raise Skip(reason)
    row = comeback.comebacks(lab, count, each, kinds)
    ok(row.good(), row.why())
    print('#', row.note)


def test_witnesses_see_the_hosts_files(lab):
    """Of a daemon that takes dead files away before it puts others back: the tests below can fail."""
    comeback.exposure(lab)


@needs(timeout=120)
def test_made_by_hand(lab):
    """3 rounds; 3 containers each with a user namespace, with one in it, with another root."""
    undergo(lab, 3, 3, 'user', 'nested', 'chroot')


@needs('host', timeout=120)
def test_of_runtimes(lab):
    """3 rounds; 2 containers each of crun or runc, with a read-only root, of docker and of the launcher."""
    undergo(lab, 3, 2, 'runtime', 'docker', 'launcher')
