# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a start of a container takes longer with lxcfs-clone-hook, beside a hook that does nothing."""

import os
import shutil
import statistics

from place import Unmeasured
from start import Starts


def hooks(place):
    """What it is called -> the createRuntime hook."""
    program = os.path.join(os.path.dirname(place.binary), 'lxcfs-clone-hook')
    mnt = place.servers['ours'].daemon.mnt
    return {
        'no hook': None,
        '/bin/true': {'path': '/bin/true', 'args': ['true']},
        'lxcfs-clone-hook': {
            'path': program, 'args': ['lxcfs-clone-hook', '--require', '--mountpoint', mnt],
        },
    }


def measure(place, rounds, warm=3):
    """Runtime -> hook -> milliseconds until the container's command ran, the median; in turns."""
    for tool in ('runc', 'crun'):
        if not shutil.which(tool):
            raise Unmeasured(f'{tool} is not installed')
    place.start_servers('ours')
    starts = Starts(place)
    kinds = [(runtime, name, hook) for runtime in ('runc', 'crun') for name, hook in hooks(place).items()]
    times = {(runtime, name): [] for runtime, name, _hook in kinds}

    def start(runtime, hook):
        starts.spec['hooks'] = {'createRuntime': [hook]} if hook else {}
        return starts.run(lambda: starts.runtime(runtime), starts.here if runtime == 'runc' else starts.elsewhere)[0]

    for turn in range(warm + rounds):
        for runtime, name, hook in kinds:
            took = start(runtime, hook)
            if turn >= warm:
                times[runtime, name].append(took)
    place.stop_servers()
    return {key: statistics.median(values) for key, values in times.items()}
