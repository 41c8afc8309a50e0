# SPDX-License-Identifier: LGPL-2.1-or-later
"""lxcfs-clone-run's bridges and NAT, on a "host" that is a network namespace, with another beyond it."""

import os
import random
import shutil
import signal
import subprocess
import time

from lab import host
from lab.check import Skip, equal, eventually, holds, needs, ok
from lab.launcher import LEASES

# What is out there has no route to a container: it answers to the host alone.
HOST, OUTSIDE = '198.51.100.1', '198.51.100.2'
FORWARD = '/proc/sys/net/ipv4/ip_forward'


class Net:
    """A network namespace, as long as somebody sleeps in it."""

    def __init__(self, lab):
        self.lab = lab
        self.holder = subprocess.Popen(['unshare', '-n', 'sleep', '1000'])
        lab.later(self.close)
        own = os.readlink('/proc/self/ns/net')
        eventually(lambda: os.readlink(f'/proc/{self.holder.pid}/ns/net') != own, 'a network')
        self.enter = ['nsenter', f'--net=/proc/{self.holder.pid}/ns/net']
        self.do('ip link set lo up')

    def do(self, script):
        """What a script says in it, which must succeed."""
        status, out, err = self.lab.execute(*self.enter, 'sh', '-ec', script)
        equal(status, 0, f'status of {script!r}, which said {out}{err}')
        return out

    def close(self):
        self.holder.kill()
        self.holder.wait()


class World:
    """The launcher on a host of its own, a wire to the outside, a bridge that nobody else has."""

    def __init__(self, lab):
        self.host, self.outside = Net(lab), Net(lab)
        self.host.do(f'ip link add wire type veth peer name wire netns {self.outside.holder.pid}; '
                     f'ip addr add {HOST}/24 dev wire; ip link set wire up')
        self.outside.do(f'ip addr add {OUTSIDE}/24 dev wire; ip link set wire up')
        self.box = lab.launcher
        self.bridge = f'lcn{os.getpid() % 100000}'
        self.nat = ('--net', f'bridge:{self.bridge},nat')
        self.plain = ('--net', f'bridge:{self.bridge}')
        self.program = f'{lab.folder}/on-host'
        host.write_new(self.program, f'#!/bin/sh\nexec {" ".join(self.host.enter)} {self.box.program} "$@"\n')
        os.chmod(self.program, 0o755)
        self.box.program = self.program
        # Where it is off, as on a host that was just installed.
        self.host.do(f'echo 0 >{FORWARD}')
        self.before = self.state()

    def state(self):
        """All that the launcher may change of its host."""
        return self.host.do('ip -o link | cut -d: -f2; nft list ruleset; ip -4 -o addr | cut -c-40')

    def remove(self, *names):
        status, _, err = self.box.call('rm', '-f', *names)
        equal((status, err), (0, ''), 'rm')

    def is_clean(self):
        equal(self.box.traces(), {}, 'what is left')
        equal([n for n in os.listdir(LEASES) if self.bridge in n], [], 'files')
        equal(self.state(), self.before, 'the host afterwards')


def pings(box, flags, target=OUTSIDE):
    """Whether a container reaches it, and what the launcher said."""
    status, _, err = box.run('ping', '-c', '1', '-W', '2', target, flags=flags)
    return status == 0, err


@needs(tools='ip nft nsenter unshare')
def test_nat(lab):
    """By it a container reaches the outside, and not without; from there nobody comes in."""
    world = World(lab)
    box = world.box
    reached, err = pings(box, world.plain)
    ok(not reached and not err, f'without NAT, forwarding off: {err}')
    reached, err = pings(box, world.nat)
    ok(reached, f'with NAT: {err}')
    equal(err, 'lxcfs-clone-run: net.ipv4.ip_forward was off: it is turned on for NAT, and stays on\n', 'said')
    reached, err = pings(box, world.nat)
    ok(reached and not err, f'again: {err}')
    world.is_clean()
    reached, err = pings(box, world.plain)
    ok(not reached and not err, f'without NAT, forwarding on: {err}')
    first = box.start('sleep', '100', flags=world.nat)
    second = box.start('sleep', '100', flags=world.nat)
    there = box.inspect(second)['address']
    holds(box.inside(first, f'ping -c 1 -W 2 {there}'), ' 0% packet loss', 'each other')
    world.remove(first)
    box.inside(second, f'ping -c 1 -W 2 {OUTSIDE}')
    world.outside.do(f'ip route add 10.86.0.0/16 via {HOST}; ! ping -c 1 -W 1 {there}')
    world.remove(second)
    world.is_clean()


@needs(tools='ip nft nsenter unshare iptables-nft')
def test_nat_where_others_drop(lab):
    """FORWARD's policy is DROP, as docker sets it: the way is opened, and shut again."""
    world = World(lab)
    world.host.do('iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -i x -j ACCEPT; '
                  'nft "table inet wall { chain pass { type filter hook forward priority 10; policy drop; }; }"')
    world.before = world.state()
    name = world.box.start('sleep', '100', flags=world.nat)
    world.box.inside(name, f'ping -c 1 -W 2 {OUTSIDE}')
    equal(world.host.do('iptables-nft -S FORWARD').split('\n')[0], '-P FORWARD DROP', 'for its owner')
    ok(pings(world.box, world.nat)[0], 'a second container')
    world.box.inside(name, f'ping -c 1 -W 2 {OUTSIDE}')
    world.remove(name)
    world.is_clean()


@needs(tools='ip nft nsenter unshare iptables-legacy')
def test_nat_where_legacy_rules_drop(lab):
    """nft cannot see nor change these: a sentence that says what to do, and that is right."""
    world = World(lab)
    world.host.do('iptables-legacy -P FORWARD DROP')
    reached, err = pings(world.box, world.nat)
    ok(not reached, 'dropped')
    holds(err, 'iptables-legacy drops what is forwarded', 'the sentence')
    world.is_clean()
    world.host.do(err.split('(')[1].split(')')[0])
    reached, err = pings(world.box, world.nat)
    ok(reached, f'as was said: {err}')


@needs(tools='ip nft nsenter unshare')
def test_nat_without_nft(lab):
    """A sentence, 125, nothing done."""
    world = World(lab)
    path = f'{lab.folder}/bin'
    os.mkdir(path)
    os.symlink(shutil.which('nsenter'), f'{path}/nsenter')
    status, _, err = world.box.run('true', flags=world.nat, env={'PATH': path})
    equal(status, 125, 'status')
    holds(err, 'NAT needs nft, which is not installed', 'the sentence')
    world.is_clean()


@needs(tools='ip nft nsenter unshare')
def test_host_takes_no_ipv6_from_containers(lab):
    """It has none on the bridge and its end of the wire: no router advertisement is listened to."""
    if not os.path.isdir('/proc/sys/net/ipv6'):
        raise Skip('this kernel has no IPv6')
    world = World(lab)
    name = world.box.start('sleep', '100', flags=world.plain)
    there = world.host.do('cd /proc/sys/net/ipv6/conf; grep . */disable_ipv6').split()
    for link in (world.bridge, *(line.split('/')[0] for line in there if line.startswith('lcr'))):
        holds(there, f'{link}/disable_ipv6:1', link)
        equal(world.host.do(f'ip -6 -o addr show dev {link}'), '', f'addresses of {link}')
    equal(sum(line.startswith('lcr') for line in there), 1, "the host's ends")
    world.remove(name)


@needs(tools='ip nft nsenter unshare')
def test_addresses_are_given_back(lab):
    """However a container ended; --ip that cannot be had is a sentence."""
    world = World(lab)
    box = world.box
    wanted = (*world.plain, '--ip', '10.86.0.77')
    first = box.start('sleep', '100', flags=wanted)
    equal(box.inspect(first)['address'], '10.86.0.77', 'its address')
    status, _, err = box.run('true', flags=wanted)
    equal(status, 125, 'status')
    holds(err, f'10.86.0.77 of bridge {world.bridge}: held by container {first}', 'the sentence')
    for ip, word in (('10.86.0.1', 'not to be had'), ('10.86.0.255', 'not to be had'),
                     ('10.99.0.1', 'not in the subnet'), ('10.86', 'no IPv4 address')):
        status, _, err = box.run('true', flags=(*world.plain, '--ip', ip))
        equal(status, 125, f'status of {ip}')
        holds(err, word, ip)
    record = box.inspect(first)
    os.kill(record['pid'], signal.SIGKILL)
    box.until(first, 'exited')
    second = box.start('sleep', '100', flags=wanted)
    os.kill(box.inspect(second)['monitor'], signal.SIGKILL)
    box.until(second, 'dead')
    world.remove(second)
    third = box.start('sleep', '100', flags=wanted)
    world.remove(first, third)
    world.is_clean()


@needs(tools='ip nft nsenter unshare')
def test_interface_that_is_no_bridge(lab):
    """It and a bridge of others without --ip: a sentence, nothing done."""
    world = World(lab)
    world.host.do('ip link add theirs type bridge; ip addr add 10.99.0.1/24 dev theirs; ip link set theirs up')
    world.before = world.state()
    for bridge, word in (('wire', 'wire is no bridge'), ('theirs', '--ip')):
        status, _, err = world.box.run('true', flags=('--net', f'bridge:{bridge}'))
        equal(status, 125, 'status')
        holds(err, word, 'the sentence')
    flags = ('--net', 'bridge:theirs', '--ip', '10.99.0.200')
    ok(pings(world.box, flags, '10.99.0.1')[0], 'the host by a bridge of others')
    world.is_clean()


@needs(tools='ip nft nsenter unshare', timeout=120)
def test_launcher_is_killed_on_its_way(lab):
    """At any moment, with a bridge and NAT: rm -f finds what is there, or there is nothing."""
    world = World(lab)
    box = world.box
    chance = random.Random(4)
    for _ in range(30):
        name = box.name()
        argv = [box.program, *box.argv(*world.nat, name=name), 'sleep', '100']
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as launcher:
            time.sleep(chance.random() * 0.15 * host.SCALE)
            launcher.kill()
        if name in box.names():
            world.remove(name)
    world.is_clean()
