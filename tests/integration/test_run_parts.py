# SPDX-License-Identifier: LGPL-2.1-or-later
"""The parts of the launcher, each alone: the programs of tests/real on this kernel."""

import os

from lab.check import equal, needs


def part(lab, name):
    path = os.path.join(os.path.dirname(lab.run.binary), 'tests', f'real_{name}')
    status, out, err = lab.execute(path)
    equal(status, 0, f'status of {path}, which said\n{out}{err}')


def test_cgroups(lab):
    """Limits, devices, pause and kill by the cgroups that are made for a container."""
    part(lab, 'run_cgroups')


@needs(tools='ip')
def test_net(lab):
    """Bridges and addresses in a network namespace of the test's own."""
    part(lab, 'run_net')


def test_security(lab):
    """What a process has after exec: capabilities, user, filter, also in a user namespace."""
    part(lab, 'run_security')
