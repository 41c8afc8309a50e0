#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run every test there is, each where it belongs, and close with one line that sums them up.

check.py BUILD: lint, unit tests with sanitizers (in BUILD-sanitize), integration tests on this
host (also of the daemons in BUILD-sanitize and BUILD-thread, built with sanitizers) and in a guest
with cgroup v2 alone, 8 CPUs and a disk for swap; the service in a guest with systemd."""
import os
import pathlib
import re
import select
import subprocess
import sys
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
GUEST = [ROOT / "tests/vm/vm.sh", "-c", "8", "-m", "2048", "-d", "512", "-t", "2400"]
SYSTEMD = [ROOT / "tests/vm/vm.sh", "-s", "-m", "2048", "-t", "900"]
# What has nothing to do with the kernel's version or its cgroups: emulated CPUs take ten times as long.
HOST_ALONE = """
    check.no_daemon check.a_daemon_that_does_not_answer check.engines_* check.containerd_*
    clients.node clients.htop clients.vmstat
    ctl.a_daemon_that_does_not_answer
    hook.hostile_states hook.command_line hook.some_files_or_none hook.nothing_is_served
    hook.attach_where_it_cannot_be hook.a_container_that_hangs
    install install_again install_engines.check_asks_dockerd install_lxc.lxc k8s.what_*
    program.container_cannot_fill_the_log
    reads.pread_lseek_and_any_buffer_agree reads.bytewise_reader
    repair.processes_that_end_meanwhile
    repair_hostile.a_container_that_hangs_in_many_* repair_hostile.a_container_with_a_long_*
    run.status_is_the_commands run.user_and_environment
    run_attack.files_of_* run_attack.image_that_* run_attack.no_room_* run_attack.very_many_*
    run_attack.limits_of_our_own
    run_ending run_hostile.bad_flags run_hostile.one_name_twice run_hostile.tree_*
    run_hostile.program_* run_hostile.exec_* run_hostile.filter_*
    run_images.age_* run_images.debian
    run_left.launcher_ended_anywhere run_left.rm_* run_left.removed_* run_left.nothing_* run_left.log_*
    run_left.launch_* run_left.reader_* run_left.missing_* run_left.signals_* run_left.record_*
    run_left.files_*
    run_life.pid_file run_life.stop_* run_life.signals_* run_life.input_* run_life.terminal*
    run_life.window_* run_life.exec_that_* run_life.help_*
    run_net.nat_* run_net.host_* run_net.interface_* run_net.launcher_*
    run_outside.man_page_has_all
""".split()
NO_GUEST, GUEST_LOST = 77, 125
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
# The longest test takes a minute; in the guest all take longer.
SILENCE_S = 900
MUST_RUN = os.environ.get("MUST_RUN", "")


def build(folder, *options, target=None):
    """Configure (again) and compile, warnings being errors."""
    configured = (folder / "build.ninja").exists()
    verb = ["configure", folder] if configured else ["setup", folder, "--prefix=/usr"]
    subprocess.run(["meson", *verb, "-Dwerror=true", *options], cwd=ROOT, check=True)
    subprocess.run(["meson", "compile", "-C", folder, *([target] if target else [])], check=True)


def meson_suite(folder, suite):
    """By case: meson's report lists the cases of each test that speaks TAP."""
    report = folder / "meson-logs/testlog.junit.xml"
    report.unlink(missing_ok=True)
    command = ["meson", "test", "-C", folder, "--suite", suite, "--print-errorlogs"]
    status = subprocess.run(command).returncode
    if status:
        explain(folder / "meson-logs/testlog.txt")
    counts = [0, 0, 0]
    if report.exists():
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            failed = case.find("failure") is not None or case.find("error") is not None
            counts[1 if failed else 2 if case.find("skipped") is not None else 0] += 1
    return settled(counts, status)


def explain(log):
    """Why cases failed: meson shows no output of a test that speaks TAP."""
    telling = False
    for line in log.read_text(errors="replace").splitlines():
        telling = line.startswith("not ok") or (telling and line.startswith("#"))
        if telling:
            print(line)


def run_tests(command):
    """([passed, failed, skipped], exit status): the runner's closing line, swallowed here, counts. One
    that says nothing for too long is left behind: it may be past killing."""
    counts = [0, 0, 0]
    run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    text = b""
    while True:
        if not select.select([run.stdout], [], [], SILENCE_S)[0]:
            print(f"# nothing was said for {SILENCE_S} s: given up", flush=True)
            run.kill()
            return [counts[0], counts[1] + 1, counts[2]], 1
        more = os.read(run.stdout.fileno(), 65536)
        *lines, text = (text + more).split(b"\n")
        for line in lines if more else [*lines, text]:
            line = line.decode(errors="replace")
            if closing := CLOSING.match(line.strip()):
                counts = [int(n) for n in closing.groups()]
            elif line or more:
                print(line, flush=True)
        if not more:
            return counts, run.wait()


def integration(folder, where=(), names=(), without=()):
    runner = [sys.executable, ROOT / "tests/integration/run.py", "--build", folder, *names]
    runner += [f"--without={name}" for name in without]
    command = [str(word) for word in [*where, *runner]]
    counts, status = run_tests(command)
    if where and status == GUEST_LOST and not any(counts):
        print("# QEMU's emulated CPUs crash now and then: once more", flush=True)
        counts, status = run_tests(command)
    if where and status == NO_GUEST:
        return [0, 1, 0] if MUST_RUN == "1" else [0, 0, 1]
    return settled(counts, status)


def settled(counts, status):
    """No test at all, or a bad end that no test accounts for, is a failure."""
    if sum(counts) == 0 or (status and not counts[1]):
        counts[1] += 1
    return counts


def main():
    plain = pathlib.Path(sys.argv[1]).resolve()
    sanitized = plain.with_name(plain.name + "-sanitize")
    threaded = plain.with_name(plain.name + "-thread")
    guest = [*GUEST, "env", f"MUST_RUN={MUST_RUN}"]
    systemd = [*SYSTEMD, "env", f"MUST_RUN={MUST_RUN}"]
    os.environ["LXCFS_CLONE_ASAN_BUILD"] = str(sanitized)
    os.environ["LXCFS_CLONE_TSAN_BUILD"] = str(threaded)
    build(plain)
    build(sanitized, "-Db_sanitize=address,undefined", "-Db_lundef=false")
    build(threaded, "-Db_sanitize=thread", "-Db_lundef=false", target="lxcfs-clone")
    stages = [
        ("lint", lambda: meson_suite(plain, "lint")),
        ("unit, sanitized", lambda: meson_suite(sanitized, "unit")),
        ("integration, this host", lambda: integration(plain)),
        ("integration, v2 guest", lambda: integration(plain, guest, without=HOST_ALONE)),
        ("integration, systemd guest", lambda: integration(plain, systemd, ["systemd"])),
    ]
    total = [0, 0, 0]
    for name, run in stages:
        print(f"\n== {name}", flush=True)
        counts = run()
        print("   {}: {} ok, {} not ok, {} left out".format(name, *counts), flush=True)
        total = [a + b for a, b in zip(total, counts)]
    print("\n{} passed, {} failed, {} skipped".format(*total))
    sys.exit(bool(total[1]))


main()
