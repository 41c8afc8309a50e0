#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A container of 256 MiB and 1 CPU with this machine's own programs, and what free, lscpu, uptime, top
# and ps say on the host and in it, side by side: demo.sh BUILD. All is removed again, also after ^C.
set -eu

say() { # FOLDER: one file a command
	free -m >"$1/1-free"
	{
		lscpu | grep '^On-line' | tr -s ' '
		echo "in /proc/cpuinfo: $(grep -c '^processor' /proc/cpuinfo)"
		echo "getconf _NPROCESSORS_ONLN: $(getconf _NPROCESSORS_ONLN)"
	} >"$1/2-cpus"
	uptime >"$1/3-uptime"
	HOME=$1 top -b -n 2 -d 1 -w 79 >"$1/4-top" # it makes a folder there
	ps -p 1 -o pid,lstart,etime,comm >"$1/5-ps"
}

# In the container, with a busy loop for top to see.
if [ "${1-}" = --inside ]; then
	while :; do :; done &
	sleep 3 && say /out
	exit
fi

fail() { echo "demo: $*" >&2; exit 1; }
build=$(realpath "${1:?demo.sh BUILD}") here=$(realpath "$0")
[ "$(id -u)" = 0 ] || fail "cgroups and mounts need root: sudo ./dev demo"
[ -c /dev/fuse ] || modprobe fuse 2>/dev/null || fail "no /dev/fuse"

work=$(mktemp -d -t lxcfs-clone-demo.XXXXXX) name=lxcfs-clone-demo-$$ served='' launcher=''
cleanup() {
	trap '' INT TERM HUP PIPE
	[ -z "$launcher" ] || "$build/lxcfs-clone-run" rm -f $name >/dev/null 2>&1 || :
	[ -z "$served" ] || kill $served 2>/dev/null || :
	wait
	! mountpoint -q "$work/mnt" || umount -l "$work/mnt"
	rm -rf --one-file-system "$work" /run/lxcfs-clone/*"${work##*/}"*
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP PIPE
chmod 755 "$work"
mkdir "$work/mnt" "$work/host" "$work/inside" "$work/root" "$work/root/etc" "$work/root/tmp"

# The machine's programs and libraries, read-only, and what names users and libraries.
set --
for dir in /usr /bin /sbin /lib*; do
	if [ -L "$dir" ]; then cp -P "$dir" "$work/root"
	elif [ -d "$dir" ]; then set -- "$@" -v "$dir:$dir:ro"; fi
done
for file in passwd ld.so.cache; do [ ! -e /etc/$file ] || cp /etc/$file "$work/root/etc"; done

"$build/lxcfs-clone" "$work/mnt" &
served=$!
until [ -e "$work/mnt/proc/meminfo" ]; do
	kill -0 $served 2>/dev/null || fail "the daemon ended"
	sleep 0.1
done

"$build/lxcfs-clone-run" run --rm --name $name --lxcfs "$work/mnt" -m 256m --cpus 1 \
	--rootfs "$work/root" "$@" -v "$here:/demo:ro" -v "$work/inside:/out" /bin/sh /demo --inside &
launcher=$!
sleep 3 && say "$work/host"
wait $launcher || fail "the container failed"

# Half a screen: the columns closer together, and of top the last frame, which is a second's difference.
for view in host inside; do
	sed -i 's/^\(.....\) /\1/' "$work/$view/1-free"
	awk '/^top - / { n = 0 } n++ < 12 { at[n] = $0 } END { for (i = 1; i <= 12; i++) print at[i] }' \
		"$work/$view/4-top" >"$work/top" && mv "$work/top" "$work/$view/4-top"
done
width=$( (stty size </dev/tty || echo 0 160) 2>/dev/null | cut -d' ' -f2)
for host in "$work"/host/*; do
	sed "1i === host: ${host##*-}" "$host" >"$work/left"
	sed '1i === container of 256 MiB, 1 CPU' "$work/inside/${host##*/}" >"$work/right"
	echo
	[ "$width" -ge 160 ] || { cat "$work/left" "$work/right"; continue; }
	paste -d '\n' "$work/left" "$work/right" |
		awk 'NR % 2 { left = $0; next } { printf "%-79.79s  %s\n", left, $0 }'
done
