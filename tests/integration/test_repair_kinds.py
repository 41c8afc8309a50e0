# SPDX-License-Identifier: LGPL-2.1-or-later
"""All dies and is started anew under readers in containers of each kind: tests/soak in small."""

from lab import comeback
from lab.check import needs, ok

@needs(timeout=120)
def test_made_by_hand(lab):
    """3 rounds; 3 containers each with a user namespace, with one in it, with another root."""
    row = comeback.comebacks(lab, 3, 3, ('user', 'nested', 'chroot'))
    ok(row.good(), row.why())
    print('#', row.note)
