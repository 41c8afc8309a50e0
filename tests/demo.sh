#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A container of 256 MiB and 1 CPU, made of unshare and cgroups, and what free, lscpu, uptime and top
# say on the host and in it, side by side: demo.sh DAEMON. All is removed again, also after ^C.
set -eu

say() { # FOLDER: one file a command; the last frame of top, which is a second's difference
	free -m | sed 's/^\(.....\) /\1/' >"$1/1-free"
	{
		lscpu | grep '^On-line' | tr -s ' '
		echo "in /proc/cpuinfo: $(grep -c '^processor' /proc/cpuinfo)"
		echo "getconf _NPROCESSORS_ONLN: $(getconf _NPROCESSORS_ONLN)"
	} >"$1/2-cpus"
	uptime >"$1/3-uptime"
	top -b -n 2 -d 1 -w 79 | awk '/^top - / { n = 0 } n++ < 12 { at[n] = $0 }
		END { for (i = 1; i <= 12; i++) print at[i] }' >"$1/4-top"
}

# In the container: our files over its own /proc and /sys, then a busy loop for top to see.
if [ "${1-}" = --inside ]; then
	for file in "$2"/proc/*; do
		[ ! -f "$file" ] || mount --bind "$file" "/proc/${file##*/}"
	done
	mount --bind "$2/sys/devices/system/cpu" /sys/devices/system/cpu
	while :; do :; done &
	sleep 3 && say "$3"
	exit
fi

fail() { echo "demo: $*" >&2; exit 1; }
daemon=$(realpath "${1:?demo.sh DAEMON}")
[ "$(id -u)" = 0 ] || fail "cgroups and mounts need root: sudo ./dev demo"
[ -c /dev/fuse ] || modprobe fuse 2>/dev/null || fail "no /dev/fuse"

work=$(mktemp -d) name=lxcfs-clone-demo-$$ groups='' enabled='' served='' container=''
cleanup() {
	trap '' INT TERM HUP PIPE
	[ -z "$container" ] || kill -KILL "$container" 2>/dev/null || :
	[ -z "$served" ] || kill "$served" 2>/dev/null || :
	wait
	for dir in $groups; do
		for _ in $(seq 20); do [ -d "$dir" ] && ! rmdir "$dir" 2>/dev/null && sleep 0.1; done
	done
	for controller in $enabled; do echo "-$controller" >"$root/cgroup.subtree_control"; done
	! mountpoint -q "$work/mnt" || umount -l "$work/mnt"
	rm -rf --one-file-system "$work" /run/lxcfs-clone/*"${work##*/}"*
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP PIPE
mkdir "$work/mnt" "$work/host" "$work/inside"

limit_v1() { # CONTROLLER [FILE VALUE]
	root=$(findmnt -rn -o TARGET -t cgroup -O "$1" | head -n 1)
	[ -n "$root" ] || fail "no cgroup hierarchy has the controller $1"
	groups="$groups $root/$name"
	mkdir -p "$root/$name"
	[ $# = 1 ] || echo "$3" >"$root/$name/$2"
}

root=$(findmnt -rn -o TARGET -t cgroup2 | head -n 1)
if [ -n "$root" ] && grep -qw memory "$root/cgroup.controllers"; then
	for controller in memory cpu; do
		grep -qw $controller "$root/cgroup.subtree_control" && continue
		echo +$controller >"$root/cgroup.subtree_control" || fail "$root: cannot enable $controller"
		enabled="$enabled $controller"
	done
	mkdir "${groups:=$root/$name}"
	echo 256M >"$groups/memory.max"
	echo '100000 100000' >"$groups/cpu.max"
else
	limit_v1 memory memory.limit_in_bytes 256M
	limit_v1 cpu cpu.cfs_quota_us 100000
	limit_v1 cpuacct
fi

"$daemon" "$work/mnt" &
served=$!
until [ -e "$work/mnt/proc/meminfo" ]; do
	kill -0 $served 2>/dev/null || fail "the daemon ended"
	sleep 0.1
done

# shellcheck disable=SC2016 # for the inner shell
sh -c 'for dir in '"$groups"'; do echo $$ >"$dir/cgroup.procs"; done; exec "$@"' sh \
	unshare --pid --fork --kill-child --mount --mount-proc --cgroup --uts \
	"$0" --inside "$work/mnt" "$work/inside" &
container=$!
sleep 3 && say "$work/host"
wait $container || fail "the container failed"

width=$( (stty size </dev/tty || echo 0 160) 2>/dev/null | cut -d' ' -f2)
for host in "$work"/host/*; do
	sed "1i === host: ${host##*-}" "$host" >"$work/left"
	sed '1i === container of 256 MiB, 1 CPU' "$work/inside/${host##*/}" >"$work/right"
	echo
	[ "$width" -ge 160 ] || { cat "$work/left" "$work/right"; continue; }
	paste -d '\n' "$work/left" "$work/right" |
		awk 'NR % 2 { left = $0; next } { printf "%-79.79s  %s\n", left, $0 }'
done
