#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# LXC's mount hook: the daemon's files over the container's own, whose /proc and /sys are mounted
# and whose root is still at $LXC_ROOTFS_MOUNT. A container starts without them rather than not at
# all. LXCFS_CLONE: where the daemon serves.
from=${LXCFS_CLONE:-/var/lib/lxcfs-clone}
root=${LXC_ROOTFS_MOUNT:?}

say() {
	echo "lxcfs-clone: $*" >&2
}

# In what the image has a link could lead anywhere: only the kernel's own files are covered.
is_mounted() {
	[ ! -L "$root/$1" ] && [ "$(stat -f -c %T "$root/$1" 2>/dev/null)" = "$2" ]
}

cover() {
	[ -e "$from/$1" ] && [ -e "$root/$1" ] || return
	mount -n --bind "$from/$1" "$root/$1" || say "$1 stays the host's in $LXC_NAME"
}

# What is only looked at the kernel remembers of a dead daemon; one that stands still is waited for, for
# ever. So this comes first. KILL, as it ends timeout too, whatever becomes of the reader.
{ timeout -s KILL 10 cat "$from/proc/uptime"; } >/dev/null 2>&1
case $? in
0) ;;
137)
	say "who serves $from does not answer: $LXC_NAME starts without"
	exit 0
	;;
*)
	say "nothing is served at $from: $LXC_NAME starts without"
	exit 0
	;;
esac
if is_mounted proc proc; then
	for file in "$from"/proc/*; do
		cover "proc/${file##*/}"
	done
fi
if is_mounted sys sysfs; then
	cover sys/devices/system/cpu
	cover sys/devices/system/node
fi
exit 0
