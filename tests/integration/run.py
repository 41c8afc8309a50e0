#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the integration tests as root and prints TAP.

A test is a function test_* of a module test_*.py. It gets a Lab. One that yields a number of
seconds goes on after at least that time, and other tests run meanwhile; those that need an
undisturbed CPU (quiet) run when none of these is left.
"""

import argparse
import fnmatch
import importlib
import os
import signal
import sys
import time
import traceback
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import lab as laboratory  # noqa: E402
from lab import check, host  # noqa: E402


class Timeout(Exception):
    """Again and again, so that cleaning up does not take for ever either."""


AGAIN_S = 20


def set_alarm(seconds):
    signal.setitimer(signal.ITIMER_REAL, seconds * host.SCALE, AGAIN_S * host.SCALE)


def stop_alarm():
    signal.setitimer(signal.ITIMER_REAL, 0)


def on_alarm(_number, _frame):
    raise Timeout('the test did not end in time')


def collect():
    """Every test that this kind of host can run, as (name, function)."""
    found = []
    folder = os.path.dirname(os.path.abspath(__file__))
    for file in sorted(os.listdir(folder)):
        if file.startswith('test_') and file.endswith('.py'):
            module = importlib.import_module(file[:-3])
            for name, function in vars(module).items():
                if name.startswith('test_') and isinstance(function, types.FunctionType):
                    if function.__module__ == module.__name__ and check.fits(function):
                        found.append((f'{file[5:-3]}.{name[5:]}', function))
    return found


def is_one_of(name, patterns):
    return any(fnmatch.fnmatch(name, p) or name.startswith(p + '.') for p in patterns)


def chosen(tests, patterns, without):
    return [
        t
        for t in tests
        if (not patterns or is_one_of(t[0], patterns)) and not is_one_of(t[0], without)
    ]


def is_generator(function):
    return bool(function.__code__.co_flags & 0x20)


class Running:
    """One test on its way."""

    def __init__(self, run, name, function):
        self.name, self.function = name, function
        self.lab = run.lab()
        self.steps = None
        self.due = 0.0
        self.spent = 0.0

    def step(self):
        """Run on to the next pause or the end; the outcome, or None at a pause."""
        start = time.monotonic()
        set_alarm(getattr(self.function, 'timeout', 60))
        outcome = self._guarded()
        stop_alarm()
        self.spent += time.monotonic() - start
        if outcome is not None:
            set_alarm(60)
            try:
                trouble = self.lab.close()
            except Timeout:
                trouble = ['cleaning up did not end in time']
            stop_alarm()
            if trouble and outcome[0] != 'fail':
                outcome = ('fail', 'after the test: ' + '; '.join(trouble))
        return outcome

    def _guarded(self):
        try:
            if self.steps is None:
                check.require_tools(self.function)
                result = self.function(self.lab)
                self.steps = result if is_generator(self.function) else iter(())
            wait = next(self.steps, None)
            if wait is not None:
                self.due = time.monotonic() + wait
                return None
            return ('pass', '')
        except check.Skip as skip:
            return ('skip', str(skip))
        except (check.Failure, Timeout) as failure:
            where = traceback.extract_tb(failure.__traceback__)
            line = next(
                (f.lineno for f in where if os.path.basename(f.filename).startswith('test_')), 0
            )
            return ('fail', f'line {line}: {failure}')
        except Exception:  # a test's own mistake is a failed test
            return ('fail', traceback.format_exc())


class Tap:
    """The report."""

    def __init__(self, count):
        self.number = 0
        self.counts = {'pass': 0, 'fail': 0, 'skip': 0}
        print(f'1..{count}', flush=True)

    def say(self, running, outcome):
        kind, text = outcome
        if kind == 'skip' and os.environ.get('MUST_RUN') == '1':
            kind, text = 'fail', f'skipped: {text}'
        self.number += 1
        self.counts[kind] += 1
        word = 'not ok' if kind == 'fail' else 'ok'
        note = f' # SKIP {text}' if kind == 'skip' else ''
        print(f'{word} {self.number} - {running.name}{note}')
        print(f'# {running.spent:.2f} s')
        if kind == 'fail':
            for line in text.rstrip().split('\n'):
                print(f'# {line}')
        sys.stdout.flush()


def run_all(run, tests, tap):
    paused = []

    def advance(running):
        outcome = running.step()
        if outcome is None:
            paused.append(running)
        else:
            tap.say(running, outcome)

    def resume(wait):
        while paused:
            paused.sort(key=lambda r: r.due)
            left = paused[0].due - time.monotonic()
            if left > 0 and not wait:
                return
            time.sleep(max(0.0, left))
            advance(paused.pop(0))

    long = [t for t in tests if is_generator(t[1])]
    quiet = [t for t in tests if t not in long and getattr(t[1], 'quiet', False)]
    rest = [t for t in tests if t not in long and t not in quiet]
    for name, function in long + rest:
        advance(Running(run, name, function))
        resume(False)
    resume(True)
    for name, function in quiet:
        advance(Running(run, name, function))


def main():
    parser = argparse.ArgumentParser(description='Integration tests; root only.')
    parser.add_argument('--build', help='the build folder')
    parser.add_argument('--list', action='store_true', help='list the tests that fit this host')
    parser.add_argument('--without', action='append', default=[], metavar='NAME-PATTERN')
    parser.add_argument('patterns', nargs='*', metavar='NAME-PATTERN')
    args = parser.parse_args()
    tests = chosen(collect(), args.patterns, args.without)
    if args.list:
        for name, function in tests:
            print(f'{name}: {(function.__doc__ or "").strip()}')
        return 0
    if not args.build or os.geteuid() != 0:
        parser.error('root and --build are needed')
    os.umask(0o022)
    # A shell that starts us in the background has these ignored, and so would all that is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = laboratory.Run(args.build)
    tap = Tap(len(tests))
    try:
        run_all(run, tests, tap)
    finally:
        run.close()
    counts = tap.counts
    print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped", flush=True)
    return 1 if counts['fail'] else 0


if __name__ == '__main__':
    sys.exit(main())
