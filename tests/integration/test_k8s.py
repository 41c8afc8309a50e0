# SPDX-License-Identifier: LGPL-2.1-or-later
"""k8s-daemonset.yaml: what it says, and what pods made of it do."""

import os
import re
import signal
import subprocess
import sys

from lab import host
from lab.check import Skip, equal, eventually, holds, needs, ok
from lab.oci import small_root
from lab.pods import Node

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
MOUNT = '/var/lib/lxcfs-clone'


def documents(text):
    try:
        import yaml  # pylint: disable=import-outside-toplevel
    except ImportError as error:
        raise Skip('python3-yaml is not installed') from error
    return [document for document in yaml.safe_load_all(text) if document]


def manifest():
    """The objects that kubectl gets, by kind."""
    found = documents(host.read(f'{SOURCE}/k8s-daemonset.yaml'))
    equal([d['kind'] for d in found], ['Namespace', 'ServiceAccount', 'DaemonSet'], 'objects')
    return {d['kind']: d for d in found}


def commented(first):
    """The example in the comments that begins with a line."""
    lines = host.read(f'{SOURCE}/k8s-daemonset.yaml').splitlines()
    blocks = re.split(r'^#$', '\n'.join(lines), flags=re.M)
    (block,) = [b for b in blocks if re.search(f'^# {re.escape(first)}$', b, re.M)]
    text = '\n'.join(line[2:] for line in block.splitlines() if line.startswith('# '))
    return documents(text[text.index(first):])[0]


def by_name(things):
    return {thing['name']: thing for thing in things}


def test_what_the_manifest_says(_lab):
    """Namespace, an account without rights, and a pod on every node that has what the daemon needs."""
    objects = manifest()
    labels = objects['Namespace']['metadata']['labels']
    equal(labels['pod-security.kubernetes.io/enforce'], 'privileged', 'pod security')
    namespace = objects['Namespace']['metadata']['name']
    account, daemonset = objects['ServiceAccount'], objects['DaemonSet']
    equal(account['automountServiceAccountToken'], False, 'a token')
    for thing in (account, daemonset):
        equal(thing['metadata']['namespace'], namespace, 'namespace')
    template = daemonset['spec']['template']
    pod = template['spec']
    wanted = daemonset['spec']['selector']['matchLabels'].items()
    ok(wanted <= template['metadata']['labels'].items(), 'the selector finds the pods')
    equal(pod['serviceAccountName'], account['metadata']['name'], 'account')
    equal((pod['hostPID'], pod['automountServiceAccountToken']), (True, False), 'pids, token')
    equal(pod['priorityClassName'], 'system-node-critical', 'priority')
    equal(pod['tolerations'], [{'operator': 'Exists'}], 'tolerations')
    equal(pod['nodeSelector'], {'kubernetes.io/os': 'linux'}, 'nodes')
    rolling = daemonset['spec']['updateStrategy']
    equal(rolling['rollingUpdate']['maxSurge'], 0, 'two at once would fight for the mount')
    (main,) = pod['containers']
    equal(main['command'], ['lxcfs-clone', '--holder', MOUNT], 'command')
    equal(main['securityContext'], {'privileged': True}, 'rights')
    ok('memory' in main['resources']['limits'] and 'cpu' not in main['resources']['limits'], 'limits')
    ok({'cpu', 'memory'} <= set(main['resources']['requests']), 'requests')
    probe = main['readinessProbe']['exec']['command']
    equal((probe[0], probe[-1]), ('grep', f'{MOUNT}/proc/meminfo'), 'readiness is a real read')
    ok('livenessProbe' not in main, 'no liveness probe')
    mounts, volumes = by_name(main['volumeMounts']), by_name(pod['volumes'])
    equal(mounts['lib']['mountPropagation'], 'Bidirectional', 'propagation')
    # Not the mount itself: who starts the next pod would wait for it, which waits for that pod.
    for name, path in (('lib', os.path.dirname(MOUNT)), ('run', '/run/lxcfs-clone'), ('cgroup', '/sys/fs/cgroup')):
        equal(mounts[name]['mountPath'], path, f'{name} in the pod')
        equal(volumes[name]['hostPath']['path'], path, f'{name} on the node')


def test_what_the_comments_say(lab):
    """The examples are YAML, and name every file that the daemon serves."""
    pod = commented('apiVersion: v1')
    (container,) = pod['spec']['containers']
    volumes = by_name(pod['spec']['volumes'])
    targets = []
    for mount in container['volumeMounts']:
        path = volumes[mount['name']]['hostPath']
        equal(path['path'], MOUNT + mount['mountPath'], mount['name'])
        equal(mount['readOnly'], True, mount['name'])
        below = path['path'].replace(MOUNT, lab.daemon.mnt)
        equal(path['type'], 'Directory' if os.path.isdir(below) else 'File', mount['name'])
        targets.append(mount['mountPath'])
    served = [f'/proc/{name}' for name in os.listdir(f'{lab.daemon.mnt}/proc')]
    tree = 'sys/devices/system'
    served += [f'/{tree}/{name}' for name in os.listdir(f'{lab.daemon.mnt}/{tree}')]
    allowed = [t for t in served if t.count('/') == 2 or t.startswith('/sys')]
    equal(sorted(targets), sorted(allowed), 'files')
    runtime = commented('apiVersion: node.k8s.io/v1')
    equal((runtime['kind'], runtime['handler']), ('RuntimeClass', 'lxcfs-clone'), 'RuntimeClass')
    (step,) = commented('- name: install')
    holds(step['command'][-1], 'lxcfs-clonectl install containerd --root /host', 'install step')


def packages_of_dev():
    """What ./dev installs on Debian to build."""
    rows = re.findall(r'^\s*build\|[^|]*\|([^|]*)\|', host.read(f'{SOURCE}/dev'), re.M)
    return {package for row in rows for package in row.split()}


def libraries(lab):
    """The packages of what the programs are linked with, but for the C library's."""
    paths = set()
    for name in ('lxcfs-clone', 'lxcfs-clonectl', 'lxcfs-clone-run', 'lxcfs-clone-hook', 'lxcfs-clone-runtime'):
        program = f'{lab.run.build}/{name}'
        needed = re.findall(r'NEEDED\s+(\S+)', lab.execute('objdump', '-p', program)[1])
        known = dict(re.findall(r'(\S+) => (\S+)', lab.execute('ldd', program)[1]))
        paths |= {os.path.realpath(known[library]) for library in needed if library in known}
    # Of a time when /lib was a folder of its own.
    names = paths | {path.replace('/usr/', '/', 1) for path in paths}
    owners = lab.execute('dpkg', '-S', *sorted(names))[1]
    return {line.partition(':')[0] for line in owners.splitlines()} - {'libc6'}


@needs('host', tools='dpkg objdump ldd')
def test_what_the_image_is_made_of(lab):
    """Each folder is there; packages to build are those of ./dev, to run those of the libraries."""
    text = host.read(f'{SOURCE}/docs/Dockerfile').replace('\\\n', ' ')
    build, _, run = text.partition('\nFROM $BASE\n')
    copied = {word for line in re.findall('^COPY (?!--)(.*)$', text, re.M) for word in line.split()[:-1]}
    for source in copied:
        ok(os.path.exists(f'{SOURCE}/{source}'), f'COPY {source}')
    named = re.findall(r"(?:subdir|include_directories|install_man|install_data)\('([^'/]+)",
                       host.read(f'{SOURCE}/meson.build'))
    equal({'meson.build', 'meson_options.txt', *named} - copied, set(), 'what meson needs and is not copied')
    install = r'--no-install-recommends ([^&\n]*)'
    equal(set(re.search(install, build)[1].split()), packages_of_dev(), 'packages to build')
    equal(set(re.search(install, run)[1].split()), libraries(lab), 'packages to run')
    pod = manifest()['DaemonSet']['spec']['template']['spec']
    holds(text, f"docker build -t {pod['containers'][0]['image']} ", 'the name of the image')


READ = '''while :; do
    if line=$(grep MemTotal /proc/meminfo); then echo "$line"; else echo failed; fi >>/log/reads
done'''


def lines_of(path):
    return host.read(path).splitlines() if os.path.exists(path) else []


@needs(tools='podman runc busybox nsenter', timeout=120)
def test_the_daemons_pod_is_replaced(lab):
    """Pods made of the manifest: one with limits reads on while the daemon's is deleted, killed and made anew."""
    pod, user = manifest()['DaemonSet']['spec']['template'], commented('apiVersion: v1')
    node = Node(lab)
    node.start(pod, 'first')
    lab.later(end, node)
    eventually(lambda: node.is_ready(pod, 'first'), 'the pod is ready', 20, 0.3)
    (container,) = user['spec']['containers']
    os.mkdir(f'{lab.folder}/log')
    container['command'] = ['/bin/sh', '-c', READ]
    container['volumeMounts'].append({'name': 'log', 'mountPath': '/log'})
    user['spec']['volumes'].append({'name': 'log', 'hostPath': {'path': f'{lab.folder}/log', 'type': 'Directory'}})
    node.start(user, 'user')
    log = f'{lab.folder}/log/reads'
    eventually(lambda: len(lines_of(log)) > 20, 'it reads', 20)
    ways = {'first': node.kill, 'second': lambda name: node.delete(pod, name)}
    if host.GUEST:  # which takes its time
        ways = {'second': ways['second']}
        node.podman.do('rename', 'first', 'second')
    for old, new in (('first', 'second'), ('second', 'third')):
        if old not in ways:
            continue
        ways[old](old)
        node.start(pod, new)
        eventually(lambda name=new: node.is_ready(pod, name), f'the {new} pod is ready', 20, 0.3)
        count = len(lines_of(log))
        eventually(lambda n=count: len(lines_of(log)) > n + 20, f'it reads on beside the {new} pod', 20)
    status, out, err = node.podman.call('exec', 'third', 'lxcfs-clonectl', 'check')
    equal((status, 'fail ' in out), (0, False), f'check in the pod: {out} {err}')
    holds(out, 'MemTotal 65536 kB', 'check in the pod')
    words = {line.split()[-2] if line.endswith('kB') else line for line in lines_of(log)}
    equal(words, {str(256 * 1024)}, 'what was read')


def end(node):
    """SIGINT is the end of the holder, too."""
    node.podman.call('rm', '-f', '-t', '0', 'user')
    for name in ('third', 'second', 'first'):
        if node.podman.call('kill', '-s', 'INT', name)[0] == 0:
            node.podman.call('wait', name)
    try:
        eventually(lambda: not node.processes(), 'no process is left', 10)
    finally:
        for pid in node.processes():
            os.kill(pid, signal.SIGKILL)


MEMORY = 256 << 20


class Containerd:
    """The node's, by the file of another root directory, whose programs are the node's, too."""

    def __init__(self, lab, node, root):
        self.lab, self.node, self.parent = lab, node, lab.cgroup('ctr')
        folder = f'{lab.folder}/containerd'
        self.socket, self.root = f'{folder}/sock', f'{folder}/image'
        small_root(lab, self.root)
        node.do_there(f'mount -t overlay none -o lowerdir={root}/usr/bin:/usr/bin /usr/bin')
        argv = ['nsenter', f'--mount=/proc/{node.podman.holder.pid}/ns/mnt', 'unshare', '-n', 'containerd',
                '-c', f'{root}/etc/containerd/config.toml', '-a', self.socket,
                '--root', f'{folder}/root', '--state', f'{folder}/state']
        with open(f'{folder}/log', 'wb') as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=lab.cgroup('containerd').join)
        lab.later(self.close)
        eventually(lambda: lab.execute('ctr', '-a', self.socket, 'version')[0] == 0, 'containerd answers', 30)

    def ctr(self, *words):
        return self.node.do_there(' '.join(('ctr', '-a', self.socket, *words)))

    def total(self, name, *words):
        """MemTotal, in kB, in a container of its own."""
        said = self.ctr('run', '--rm', *words, '--memory-limit', str(MEMORY), '--cgroup', f'/{self.parent.path}/{name}',
                        '--rootfs', self.root, name, '/bin/cat', '/proc/meminfo')
        return int(re.search(r'MemTotal: +(\d+) kB', said)[1])

    def close(self):
        host.end(self.process)


def handler_of(path):
    """What containerd is told of the RuntimeClass."""
    try:
        import tomllib  # pylint: disable=import-outside-toplevel
    except ImportError as error:
        raise Skip('this Python has no tomllib') from error
    handler = commented('apiVersion: node.k8s.io/v1')['handler']
    cri = tomllib.loads(host.read(path))['plugins']['io.containerd.grpc.v1.cri']
    return cri['containerd']['runtimes'][handler]


def small_host(lab):
    """A root directory with containerd's own configuration."""
    root = f'{lab.folder}/host'
    for name in ('etc/containerd', 'usr/bin', 'var/lib'):
        os.makedirs(f'{root}/{name}')
    status, text, err = lab.execute('containerd', 'config', 'default')
    equal(status, 0, err)
    with open(f'{root}/etc/containerd/config.toml', 'w', encoding='utf-8') as file:
        file.write(text)
    return root, text


IN_MODIFY, IN_DELETE = 0x2, 0x200


class Watch:
    """The files of a folder that are missing, or a part of what they will be, at some time."""

    def __init__(self, folder):
        self.fd = host.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        ok(host.libc.inotify_add_watch(self.fd, os.fsencode(folder), IN_MODIFY | IN_DELETE) > 0, 'a watch')

    def end(self):
        try:
            events = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            events = b''
        os.close(self.fd)
        names = set()
        while events:
            size = int.from_bytes(events[12:16], sys.byteorder)
            names.add(os.fsdecode(events[16:16 + size].rstrip(b'\0')))
            events = events[16 + size:]
        return names


@needs('host', tools='podman runc busybox nsenter containerd ctr', timeout=120)
def test_the_install_step(lab):
    """The step puts a runtime on the node: containers of the RuntimeClass see their own. Undone, no trace is left."""
    node = Node(lab)
    root, before = small_host(lab)
    node.start(manifest()['DaemonSet']['spec']['template'], 'first')
    lab.later(end, node)
    (step,) = commented('- name: install')
    step['resources'] = {'limits': {'memory': '64Mi'}}
    volume = {'name': 'host', 'hostPath': {'path': root, 'type': 'Directory'}}

    def run(name):
        return node.run({'spec': {'volumes': [volume]}}, step, name, '--rm')

    holds(run('install'), 'containerd must read it', 'the step')
    config = f'{root}/etc/containerd/config.toml'
    text = host.read(config)
    ok(text.startswith(before), 'the lines of before')
    programs = set(os.listdir(f'{root}/usr/bin'))
    equal(len(programs), 2, 'programs')
    watch = Watch(f'{root}/usr/bin')
    run('again')
    equal(programs & watch.end(), set(), 'what a container that starts meanwhile does without')
    ok(host.read(config) == text, 'a second time changes nothing')
    handler = handler_of(config)
    containerd = Containerd(lab, node, root)
    plugins = {line.split()[1]: line.split()[-1] for line in containerd.ctr('plugins', 'ls').splitlines()}
    equal(plugins['cri'], 'ok', 'the plugin that reads of the runtime')
    by_handler = ('--runtime', handler['runtime_type'], '--runc-binary', handler['options']['BinaryName'])
    equal(containerd.total('ours', *by_handler) << 10, MEMORY, 'MemTotal by the handler')
    ok(containerd.total('other') << 10 > MEMORY, 'MemTotal without it')
    undo = re.search(r'^# +(lxcfs-clonectl uninstall .*)$', host.read(f'{SOURCE}/k8s-daemonset.yaml'), re.M)[1]
    step['command'] = ['sh', '-ec', undo]
    holds(run('undo'), 'is what it was', undo)
    equal((host.read(config), os.listdir(f'{root}/var/lib')), (before, []), 'files after it')
