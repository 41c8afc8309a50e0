#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# In the guest, PID 1 or a unit of systemd: run the command, send back what it wrote and its
# status over the virtio ports, power off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/vm/bin
export HOME=/root TERM=linux VM_OUT=/run/vm/out
for tool in modprobe insmod lsmod rmmod depmod ip; do
	command -v $tool >/dev/null || ln -sf ../busybox /run/vm/bin/$tool
done

declare -A port
for dir in /sys/class/virtio-ports/*; do
	port[$(<"$dir/name")]=/dev/${dir##*/}
done

# A leaf of its own for the command: the root's children have controllers then.
leaf=/sys/fs/cgroup/vm.command
if [ -n "${VM_SYSTEMD-}" ]; then
	leaf=
elif [ -d /sys/fs/cgroup/unified ]; then
	leaf=/sys/fs/cgroup/unified/vm.command
else
	for controller in memory cpu cpuset io pids hugetlb misc; do
		echo +$controller >/sys/fs/cgroup/cgroup.subtree_control
	done 2>/dev/null
fi
[ -z "$leaf" ] || mkdir "$leaf"

mkfifo /run/vm/stdout /run/vm/stderr
cat /run/vm/stdout >"${port[vm.stdout]}" &
cat /run/vm/stderr >"${port[vm.stderr]}" &
(
	[ -z "$leaf" ] || echo $BASHPID >"$leaf/cgroup.procs"
	exec setsid --wait bash /run/vm/command
) </dev/null >/run/vm/stdout 2>/run/vm/stderr
status=$?

# Stragglers hold the pipes open: end them, so that the copies end.
[ -z "$leaf" ] || echo 1 >"$leaf/cgroup.kill"
wait
tar -C "$VM_OUT" -cf - . >"${port[vm.out]}"
echo $status >"${port[vm.status]}"
sync
exec /run/vm/busybox poweroff -f
