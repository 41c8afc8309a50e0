# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a test says what it needs and what it expects."""

import shutil
import time

from lab import host


class Failure(Exception):
    """The product did not do what the test expects."""


class Skip(Exception):
    """The test cannot run here; the reason is the message."""


def needs(*words, tools='', timeout=60, quiet=False):
    """A test's needs: kinds of host (structural), tools (else skipped), an undisturbed CPU."""

    def mark(function):
        function.needs = words
        function.tools = tools.split()
        function.timeout = timeout
        function.quiet = quiet
        return function

    return mark


def _met(word):
    if word.startswith('cpus='):
        return len(host.CPUS) >= int(word[5:])
    if word.startswith('controller='):
        return word[11:] in host.V1
    return {
        'v1': host.KIND == 'v1',
        'v2': host.KIND == 'v2',
        'hybrid': host.KIND == 'v1' and host.V2 is not None,
        'guest': host.GUEST,
        'host': not host.GUEST,
        'systemd': host.SYSTEMD,
        'swapdisk': host.SWAP_DISK is not None,
        'noswap': len(host.read('/proc/swaps').splitlines()) == 1,
    }[word]


def fits(function):
    """Whether this kind of host can ever run the test."""
    return all(_met(word) for word in getattr(function, 'needs', ()))


def require_tools(function):
    for tool in getattr(function, 'tools', ()):
        if not shutil.which(tool):
            raise Skip(f'{tool} is not installed')


def ok(condition, message):
    if not condition:
        raise Failure(message)


def equal(got, wanted, what):
    if got != wanted:
        raise Failure(f'{what}: {got!r}, expected {wanted!r}')


def near(got, wanted, tolerance, what):
    if abs(got - wanted) > tolerance:
        raise Failure(f'{what}: {got}, expected {wanted} ± {tolerance}')


def between(got, low, high, what):
    if not low <= got <= high:
        raise Failure(f'{what}: {got}, expected {low} … {high}')


def holds(text, part, what):
    if part not in text:
        raise Failure(f'{what}: no {part!r} in {text!r}')


def raises(code, function, *args, what=''):
    """The call must fail with this errno."""
    try:
        function(*args)
    except OSError as error:
        equal(error.errno, code, f'errno of {what or function.__name__}')
        return
    raise Failure(f'{what or function.__name__} succeeded, expected errno {code}')


def eventually(probe, what, seconds=10.0, step=0.05):
    """Wait until probe() is true; its last value is returned."""
    deadline = time.monotonic() + seconds * host.SCALE
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f'{what}: still not so after {seconds * host.SCALE:g} s')
        time.sleep(step)
