# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real dockerd, its containers with the files bound over /proc."""

import os
import subprocess
import time

from lab import MIB, host, parse
from lab.cgroup import Cgroup
from lab.check import Failure, between, equal, eventually, needs, ok
from test_diskstats import Disk

# The files of /proc that runc lets a container mount over.
ALLOWED = ('cpuinfo', 'diskstats', 'meminfo', 'stat', 'swaps', 'uptime', 'loadavg', 'slabinfo')
CPU_TREE = '/sys/devices/system/cpu'
APPLETS = ('sh', 'cat', 'dd', 'sleep')


class Docker:
    """One dockerd with everything of its own: folders, socket, network, mounts, cgroups."""

    def __init__(self, lab):
        self.lab = lab
        self.daemon = lab.daemon
        self.socket = f'unix://{lab.folder}/docker.sock'
        self.parent = lab.cgroup('docker')
        service = lab.cgroup('dockerd')
        folder = f'{lab.folder}/docker'
        os.mkdir(folder)
        argv = [
            'unshare',
            '-n',
            '-m',
            'dockerd',
            '--iptables=false',
            '--ip6tables=false',
            '--bridge=none',
            '--data-root',
            f'{folder}/data',
            '--exec-root',
            f'{folder}/exec',
            '-H',
            self.socket,
            '--pidfile',
            f'{folder}/pid',
            '--cgroup-parent',
            f'/{self.parent.path}',
        ]
        self.log = f'{folder}/log'
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ, DOCKER_RAMDISK='1'),
                preexec_fn=service.join,
            )
        lab.later(self.close)
        eventually(self.answers, 'dockerd answers', 60, 0.2)
        self.import_image(folder)

    def answers(self):
        if self.process.poll() is not None:
            raise Failure(f'dockerd ended: {host.read(self.log)[-2000:]}')
        return self.lab.execute('docker', '-H', self.socket, 'version')[0] == 0

    def import_image(self, folder):
        root = f'{folder}/root'
        for name in ('bin', 'proc', 'sys', 'dev', 'etc', 'tmp'):
            os.makedirs(f'{root}/{name}')
        self.lab.execute('cp', '/bin/busybox', f'{root}/bin/busybox')
        for name in APPLETS:
            os.symlink('busybox', f'{root}/bin/{name}')
        status, _out, err = self.lab.execute('tar', '-C', root, '-cf', f'{folder}/image.tar', '.')
        equal(status, 0, err)
        self.do('import', f'{folder}/image.tar', 'small')

    def do(self, *argv):
        status, out, err = self.lab.execute(
            'docker', '-H', self.socket, *argv, env=dict(os.environ, HOME=self.lab.folder)
        )
        if status:
            raise Failure(f'docker {argv[0]}: {err.strip()} {host.read(self.log)[-600:]}')
        return out

    def start(self, *options):
        mnt = self.daemon.mnt
        binds = []
        for name in ALLOWED:
            if os.path.exists(f'{mnt}/proc/{name}'):
                binds += ['-v', f'{mnt}/proc/{name}:/proc/{name}']
        binds += ['-v', f'{mnt}{CPU_TREE}:{CPU_TREE}']
        return self.do(
            'run', '-d', '--network', 'none', *options, *binds, 'small', 'sleep', '1000'
        ).strip()

    def cat(self, box, path):
        # busybox's cat is a matter of its own: see reads.sendfile_gives_the_whole_file
        return self.do('exec', box, 'dd', 'bs=64k', 'status=none', f'if={path}')

    def close(self):
        ids = self.lab.execute('docker', '-H', self.socket, 'ps', '-q')[1].split()
        if ids:
            self.lab.execute('docker', '-H', self.socket, 'rm', '-f', *ids)
        self.process.terminate()
        try:
            self.process.wait(20 * host.SCALE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def moves_show_in_diskstats(lab, docker, box):
    """10 MiB read from the disk in the container's group are on the disk's line."""
    disk = Disk(lab)
    group = Cgroup(f'{docker.parent.path}/{box}', controllers=('blkio',))
    disk.count_in(group)
    argv = ('dd', f'if={disk.path}', 'of=/dev/null', 'bs=1M', 'count=10', 'iflag=direct')
    status, _out, err = lab.execute(*argv, preexec_fn=group.join)
    equal(status, 0, err)
    counters = parse.diskstats(docker.cat(box, '/proc/diskstats')).get(disk.name, [])
    equal(len(counters), 17, f'counters of {disk.name}')
    between(counters[2], 10 * MIB // 512, 20 * MIB // 512, 'sectors read')


@needs('host', tools='dockerd docker busybox', timeout=240)
def test_docker(lab):
    """docker run -m 256m --cpus 1 with the files that runc allows; docker update shows at once."""
    docker = Docker(lab)
    box = docker.start('-m', '256m', '--cpus', '1')
    started = time.monotonic()
    info = parse.meminfo(docker.cat(box, '/proc/meminfo'))
    equal(info['MemTotal'], 256 * 1024, 'MemTotal')
    between(info['MemFree'], 128 * 1024, 256 * 1024, 'MemFree')
    equal(parse.cpuinfo_cpus(docker.cat(box, '/proc/cpuinfo')), host.CPUS[:1], 'CPUs of cpuinfo')
    equal(parse.stat_cpus(docker.cat(box, '/proc/stat')), host.CPUS[:1], 'CPUs of stat')
    equal(host.parse_list(docker.cat(box, f'{CPU_TREE}/online')), host.CPUS[:1], 'online')
    up = parse.uptime(docker.cat(box, '/proc/uptime'))[0]
    between(up, 0, time.monotonic() - started + 10, 'uptime')
    load = parse.loadavg(docker.cat(box, '/proc/loadavg'))
    between(load[0], 0, 1, 'load')
    between(load[5], 1, 200, 'last pid')
    equal(
        len(parse.swaps(docker.cat(box, '/proc/swaps'))),
        0 if info['SwapTotal'] == 0 else 1,
        'swaps',
    )
    moves_show_in_diskstats(lab, docker, box)

    docker.do('update', '--memory', '128m', '--memory-swap', '256m', '--cpus', '2', box)
    equal(
        parse.meminfo(docker.cat(box, '/proc/meminfo'))['MemTotal'],
        128 * 1024,
        'MemTotal after update',
    )
    equal(parse.cpuinfo_cpus(docker.cat(box, '/proc/cpuinfo')), host.CPUS[:2], 'CPUs after update')
    docker.do('update', '--cpus', '2', '--cpuset-cpus', '1', box)
    equal(parse.stat_cpus(docker.cat(box, '/proc/stat')), [1], 'CPUs after an update of the cpuset')
    equal(docker.cat(box, f'{CPU_TREE}/online'), '1\n', 'online after an update of the cpuset')

    private = docker.start('-m', '192m', '--cgroupns', 'private')
    equal(
        parse.meminfo(docker.cat(private, '/proc/meminfo'))['MemTotal'],
        192 * 1024,
        'MemTotal with a private cgroup namespace',
    )
    shared = docker.start('-m', '64m', '--pid', 'host')
    equal(
        parse.meminfo(docker.cat(shared, '/proc/meminfo'))['MemTotal'],
        64 * 1024,
        'MemTotal in the host pid namespace',
    )

    lab.daemon.kill_worker()
    equal(
        parse.meminfo(docker.cat(box, '/proc/meminfo'))['MemTotal'],
        128 * 1024,
        'MemTotal after SIGKILL of the worker',
    )
    pid = docker.do('inspect', '-f', '{{.State.Pid}}', box).strip()
    seen = host.read(f'{lab.daemon.mnt}/containers/{pid}/proc/meminfo')
    equal(parse.meminfo(seen)['MemTotal'], 128 * MIB // 1024, "MemTotal in the operator's view")
    ok(docker.do('restart', '-t', '0', box), 'restart')
    equal(
        parse.meminfo(docker.cat(box, '/proc/meminfo'))['MemTotal'],
        128 * 1024,
        'MemTotal after a restart',
    )
