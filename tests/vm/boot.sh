#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# PID 1 of the initramfs: an overlay of the host's / (virtiofs, read-only) and a tmpfs, the usual
# mounts, cgroups as asked for, then run.sh as PID 1 on it, or systemd with run.sh as a unit.
/bin/busybox mkdir -p /proc /sys /dev /lower /upper /new
/bin/busybox --install -s /bin
export PATH=/bin

die() {
	echo "boot.sh: $*" >/dev/console
	poweroff -f
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in virtio_pci virtio_console virtio_blk overlay virtiofs; do
	modprobe $module || die "modprobe $module"
done

mount -t virtiofs -o ro root /lower || die "mount virtiofs"
mount -t tmpfs -o size=90% upper /upper
mkdir /upper/upper /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work overlay /new ||
	die "mount overlay"

cd /new
mkdir -p proc sys dev run tmp lib/modules
chmod 1777 tmp
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t debugfs debugfs sys/kernel/debug
mount -t devtmpfs devtmpfs dev
mkdir -p dev/pts dev/shm dev/mqueue
mount -t devpts -o mode=620,gid=5,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -sf /proc/self/fd dev/fd
ln -sf fd/0 dev/stdin
ln -sf fd/1 dev/stdout
ln -sf fd/2 dev/stderr
mount -t tmpfs -o mode=755 run run
# for modprobe in the guest: the kernel is not among the host's packages
mount --bind "/lower$(cat /modules)" lib/modules
mkdir -p run/vm/out run/vm/bin
cp /command /run.sh /bin/busybox run/vm/
ip link set lo up
hostname vmguest

cgroup=sys/fs/cgroup
case $(cat /mode) in
v1)
	mount -t tmpfs -o mode=755 cgroup $cgroup
	for controllers in cpuset cpu,cpuacct memory blkio pids freezer devices; do
		mkdir $cgroup/$controllers
		mount -t cgroup -o $controllers cgroup $cgroup/$controllers
	done
	mkdir $cgroup/unified
	mount -t cgroup2 cgroup2 $cgroup/unified
	;;
systemd)
	units=run/systemd/system
	mkdir -p $units
	cat >$units/vm.target <<-'UNIT'
		[Unit]
		Requires=basic.target vm-command.service
		After=basic.target
		AllowIsolate=yes
	UNIT
	cat >$units/vm-command.service <<-'UNIT'
		[Unit]
		After=basic.target
		[Service]
		Environment=VM_SYSTEMD=yes
		ExecStart=/run/vm/run.sh
		TimeoutStopSec=5
	UNIT
	# what only costs time: walks of the whole tree, catalogs, timers
	for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service \
		systemd-hwdb-update.service systemd-journal-catalog-update.service \
		systemd-update-utmp.service systemd-update-done.service systemd-sysusers.service \
		systemd-timesyncd.service systemd-random-seed.service ldconfig.service \
		timers.target; do
		ln -s /dev/null $units/$unit
	done
	exec switch_root /new /lib/systemd/systemd systemd.unit=vm.target
	;;
*)
	mount -t cgroup2 -o nsdelegate cgroup2 $cgroup
	;;
esac
exec switch_root /new /run/vm/run.sh
