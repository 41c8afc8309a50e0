#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real kubelet makes static pods of k8s-daemonset.yaml: one of the daemon, one that has limits and reads on while
the first is deleted and comes back; one that installs the runtime on the node, and one that is run by it.

It takes a machine for itself, so in a guest. There is no package of a kubelet: KUBELET names one. Debian's source makes
it: `apt-get source kubernetes`, which becomes src/k8s.io/kubernetes of a GOPATH, and with golang-1.19 there

    GO111MODULE=off CGO_ENABLED=0 go build -o kubelet k8s.io/kubernetes/cmd/kubelet

    tests/vm/vm.sh -c 4 -m 3072 -t 1500 env KUBELET=/path/to/kubelet python3 $PWD/tests/k8s/kubelet.py $PWD/build
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../integration'))
sys.dont_write_bytecode = True

import test_k8s  # noqa: E402
from lab import host  # noqa: E402
from lab.check import equal, eventually, ok  # noqa: E402

TOP = '/run/k8s'
MANIFESTS, LOGS = f'{TOP}/manifests', f'{TOP}/logs'
SOCKET = f'{TOP}/containerd.sock'
PAUSE = 'localhost/pause:1'
PROGRAMS = ('lxcfs-clone', 'lxcfs-clonectl', 'lxcfs-clone-hook', 'lxcfs-clone-runtime')
READ = f'''while :; do
    if line=$(grep MemTotal /proc/meminfo); then echo "$line"; else echo failed; fi >>{LOGS}/reads
    sleep 0.02
done'''
CONFIG = '/etc/containerd/config.toml'
CONTAINERD = f'''version = 2
root = "{TOP}/containerd"
state = "{TOP}/state"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
'''
OWN = f'cat /proc/meminfo >{LOGS}/new && mv {LOGS}/new {LOGS}/own && exec sleep 100000'


def image(path, *names):
    """An archive as `docker save` makes them: a root directory where the machine's /usr is to be mounted."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode='w') as tar:
        for name in ('usr', 'proc', 'sys', 'dev', 'etc', 'tmp', 'run', 'var', 'var/lib'):
            about = tarfile.TarInfo(name)
            about.type, about.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(about)
        for name in ('bin', 'sbin', 'lib', 'lib64'):
            about = tarfile.TarInfo(name)
            about.type, about.linkname = tarfile.SYMTYPE, f'usr/{name}'
            tar.addfile(about)
        tar.add(os.path.realpath(shutil.which('busybox')), 'busybox')
    config = {'architecture': 'amd64', 'os': 'linux', 'rootfs': {'type': 'layers', 'diff_ids': []},
              'config': {'Entrypoint': ['/busybox', 'sleep', '100000']}}
    config['rootfs']['diff_ids'] = [f'sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}']
    manifest = [{'Config': 'config.json', 'RepoTags': list(names), 'Layers': ['layer.tar']}]
    with tarfile.open(path, 'w') as tar:
        for name, data in (('layer.tar', layer.getvalue()), ('config.json', json.dumps(config).encode()),
                           ('manifest.json', json.dumps(manifest).encode())):
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))


def pod(name, spec):
    """As a file in the kubelet's folder. The network is the machine's: there is no plugin for another."""
    spec = {**spec, 'hostNetwork': True, 'dnsPolicy': 'Default'}
    spec['volumes'] = [*spec.get('volumes', []), {'name': 'usr', 'hostPath': {'path': f'{TOP}/usr'}},
                       {'name': 'logs', 'hostPath': {'path': LOGS}}]
    more = [{'name': 'usr', 'mountPath': '/usr', 'readOnly': True}, {'name': 'logs', 'mountPath': LOGS}]
    for kind in ('initContainers', 'containers'):
        spec[kind] = [{**c, 'volumeMounts': [*c.get('volumeMounts', []), *more]} for c in spec.get(kind, [])]
    return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name, 'namespace': 'default'}, 'spec': spec}


def put(document):
    path = f'{TOP}/{document["metadata"]["name"]}.json'
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(document, file)
    os.rename(path, f'{MANIFESTS}/{os.path.basename(path)}')


def daemons():
    """The pids of a pod's daemon: the holder is in no pod's cgroup."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):
            if host.read(f'/proc/{pid}/comm').startswith('lxcfs-') and 'kubepods' in host.read(f'/proc/{pid}/cgroup'):
                found.append(int(pid))
    return found


def serves():
    try:
        return bool(daemons()) and 'MemTotal' in host.read('/var/lib/lxcfs-clone/proc/meminfo')
    except OSError:
        return False


def lines():
    path = f'{LOGS}/reads'
    return host.read(path).splitlines() if os.path.exists(path) else []


def spawn(name, *argv):
    log = open(f'{TOP}/{name}.log', 'wb')  # pylint: disable=consider-using-with
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def start_containerd():
    process = spawn('containerd', 'containerd')
    command = ['ctr', '-a', SOCKET, 'version']
    eventually(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0, 'containerd is up', 60, 0.5)
    return process


def start_node(build):
    """A machine that runs pods; our programs are in the image alone. Returns its containerd."""
    host.mount(None, '/', None, host.MS_SHARED | host.MS_REC)
    os.makedirs(TOP)
    host.mount('tmpfs', TOP, 'tmpfs')
    for path in (MANIFESTS, LOGS, f'{TOP}/image/bin', f'{TOP}/usr', os.path.dirname(CONFIG)):
        os.makedirs(path, exist_ok=True)
    for name in PROGRAMS:
        shutil.copy(f'{build}/{name}', f'{TOP}/image/bin')
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f'/usr/bin/{name}')
    host.mount('overlay', f'{TOP}/usr', 'overlay', 0, f'lowerdir={TOP}/image:/usr')
    with open(CONFIG, 'w', encoding='utf-8') as file:
        file.write(CONTAINERD)
    process = start_containerd()
    image(f'{TOP}/image.tar', PAUSE, 'docker.io/library/lxcfs-clone:0.1.0', 'docker.io/library/debian:12')
    subprocess.run(['ctr', '-a', SOCKET, '-n', 'k8s.io', 'images', 'import', f'{TOP}/image.tar'], check=True)
    spawn('kubelet', os.environ['KUBELET'], '--container-runtime=remote', f'--container-runtime-endpoint=unix://{SOCKET}',
          f'--pod-manifest-path={MANIFESTS}', f'--root-dir={TOP}/kubelet', f'--cert-dir={TOP}/pki', '--cgroup-driver=cgroupfs',
          '--fail-swap-on=false', '--enforce-node-allocatable=', '--hostname-override=node', '--read-only-port=0',
          '--file-check-frequency=2s', '--sync-frequency=5s', '--resolv-conf=', '--v=2')
    return process


def install(containerd):
    """The step, in a pod. Without a control plane a kubelet knows no RuntimeClass: its handler becomes the default."""
    (step,) = test_k8s.commented('- name: install')
    main = {'name': 'main', 'image': 'debian:12', 'command': ['sleep', '100000']}
    put(pod('install', {'initContainers': [step], 'containers': [main],
                        'volumes': [{'name': 'host', 'hostPath': {'path': '/'}}]}))
    eventually(lambda: '# lxcfs-clone: end' in host.read(CONFIG), 'the step is done', 60, 0.5)
    ok(all(os.access(f'/usr/bin/{name}', os.X_OK) for name in PROGRAMS[2:]), 'programs on the node')
    handler = test_k8s.commented('apiVersion: node.k8s.io/v1')['handler']
    text = host.read(CONFIG).replace('default_runtime_name = "runc"', f'default_runtime_name = "{handler}"')
    with open(CONFIG, 'w', encoding='utf-8') as file:
        file.write(text)
    containerd.terminate()
    containerd.wait(60)
    start_containerd()
    print('# the runtime is installed, containerd started anew', flush=True)


def show_runtime():
    """A pod that names no file."""
    main = {'name': 'main', 'image': 'debian:12', 'command': ['/bin/sh', '-c', OWN], 'resources': {'limits': {'memory': '128Mi'}}}
    put(pod('own', {'containers': [main]}))
    eventually(lambda: os.path.exists(f'{LOGS}/own'), 'a pod by the runtime reads', 120, 0.5)
    first = host.read(f'{LOGS}/own').splitlines()[0]
    equal(first.split(), ['MemTotal:', str(128 * 1024), 'kB'], 'what a pod by the runtime read')
    print(f'ok - by the runtime that the step installed: {first}', flush=True)


def show(build):
    containerd = start_node(build)
    daemon = pod('lxcfs-clone', test_k8s.manifest()['DaemonSet']['spec']['template']['spec'])
    put(daemon)
    eventually(serves, 'the pod of the daemon serves', 60, 0.5)
    first = daemons()
    print(f'# the daemon pod serves: processes {first}', flush=True)
    user = test_k8s.commented('apiVersion: v1')['spec']
    user['containers'][0]['command'] = ['/bin/sh', '-c', READ]
    put(pod('user', user))
    eventually(lambda: len(lines()) > 20, 'the second pod reads', 60, 0.5)
    os.unlink(f'{MANIFESTS}/lxcfs-clone.json')
    eventually(lambda: not daemons(), 'the pod is deleted', 60, 0.5)
    print(f'# the daemon pod is deleted; {len(lines())} reads', flush=True)
    time.sleep(5)
    put(daemon)
    eventually(serves, 'the pod is back', 60, 0.5)
    ok(not set(first) & set(daemons()), 'its processes are new')
    install(containerd)
    show_runtime()
    count = len(lines())
    eventually(lambda: len(lines()) > count + 20, 'the second pod reads on', 60, 0.5)
    words = {line.split()[-2] if line.endswith('kB') else line for line in lines()}
    equal(words, {str(256 * 1024)}, 'what was read')
    print(f'ok - the daemon pod is back as {daemons()}; {len(lines())} reads, none failed, all of 262144 kB')


def main():
    if len(sys.argv) != 2 or not host.GUEST or 'KUBELET' not in os.environ:
        sys.exit(__doc__)
    try:
        show(os.path.abspath(sys.argv[1]))
    except BaseException:
        for name in ('containerd', 'kubelet'):
            with contextlib.suppress(OSError):
                print(f'# {name}: {host.read(f"{TOP}/{name}.log")[-6000:]}', flush=True)
        raise


if __name__ == '__main__':
    main()
