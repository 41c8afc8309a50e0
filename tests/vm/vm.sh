#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Boot a guest on a throw-away overlay of this machine's /, run one command in it, exit with the
# command's status; its stdout and stderr come back as they are written.
#
#   vm.sh [OPTIONS] COMMAND [ARG...]
#   vm.sh [OPTIONS] -               the command is a bash script on stdin
#
#   -c CPUS    CPUs of the guest (2)
#   -m MIB     its memory (1024)
#   -d MIB     an empty disk /dev/vda of this size, for swap and io tests
#   -t SECONDS end the guest after so long (300)
#   -1         cgroup v1 (a hierarchy per controller, and an empty v2 one); default: v2 alone
#   -s         systemd is PID 1 and the command a unit of it (v2 alone)
#   -o DIR     unpack into DIR what the command leaves in $VM_OUT
#   -a ARGS    more kernel arguments
#
# The kernel is Debian's: downloaded once into a cache ($VM_CACHE), never installed. Status 77 with
# a reason: no guest can be had here. Status 125: the guest ended without the command's status.
# Needs root, qemu-system-x86_64, virtiofsd, busybox (static). Nothing outlives this script, even
# killed: all of it runs in a PID namespace, its files on a tmpfs in a mount namespace.
set -eu
here=$(dirname "$(realpath "$0")")
cache=${VM_CACHE:-${XDG_CACHE_HOME:-/var/cache}/lxcfs-clone-vm}

cpus=2 memory=1024 disk=0 seconds=300 v1= systemd= out= kernel_args=
while getopts c:m:d:t:1so:a: option; do
	case $option in
	c) cpus=$OPTARG ;;
	m) memory=$OPTARG ;;
	d) disk=$OPTARG ;;
	t) seconds=$OPTARG ;;
	1) v1=yes ;;
	s) systemd=yes ;;
	o) out=$(realpath -m "$OPTARG") ;;
	a) kernel_args=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { echo "vm.sh: no command" >&2; exit 2; }

skip() {
	echo "vm.sh: $*" >&2
	exit 77
}

virtiofsd=
for candidate in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do
	[ ! -x $candidate ] || { virtiofsd=$candidate; break; }
done

check_tools() {
	[ "$(id -u)" = 0 ] || skip "a guest needs root"
	[ "$(uname -m)" = x86_64 ] || skip "the guest's kernel is for x86_64 alone"
	for tool in qemu-system-x86_64 busybox; do
		command -v $tool >/dev/null || skip "no $tool"
	done
	[ -n "$virtiofsd" ] || skip "no virtiofsd"
}

# $cache/linux: vmlinuz and lib/modules/VERSION of Debian's current cloud kernel.
fetch_kernel() (
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	[ ! -e "$cache/linux/vmlinuz" ] || exit 0
	command -v apt-get >/dev/null || skip "no apt-get to fetch a Debian kernel with"
	package=$(kernel_package)
	if [ -z "$package" ]; then
		apt-get update -q >/dev/null 2>&1 || :
		package=$(kernel_package)
	fi
	[ -n "$package" ] || skip "apt knows no linux-image-cloud-amd64"
	rm -rf "$cache/new" "$cache/linux"
	mkdir "$cache/new"
	cd "$cache/new"
	apt-get download -q "$package" >/dev/null 2>&1 || skip "cannot download $package"
	dpkg-deb -x ./*.deb .
	[ -d lib/modules ] || { mkdir -p lib && mv usr/lib/modules lib/; }
	version=$(ls lib/modules)
	# kmod's writes the tables that kmod's modprobe wants; who has no kmod needs them not
	{ command -v depmod >/dev/null && depmod -b . "$version"; } || busybox depmod -b . "$version"
	mv "boot/vmlinuz-$version" vmlinuz
	rm -rf ./*.deb boot
	mv "$cache/new" "$cache/linux"
)

kernel_package() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

# Closed, the descriptor would be reused.
[ -e /dev/fd/0 ] || exec </dev/null

# First pass: once more in namespaces of our own. Killing any process of the chain ends the rest.
if [ -z "${VM_INSIDE-}" ] || [ $$ != 1 ]; then
	check_tools
	fetch_kernel || exit
	args=(-c "$cpus" -m "$memory" -d "$disk" -t "$seconds" -a "$kernel_args"
	      ${v1:+-1} ${systemd:+-s} ${out:+-o "$out"})
	VM_INSIDE=yes VM_CACHE=$cache setpriv --pdeathsig KILL \
		unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
		"$0" "${args[@]}" -- "$@" <&0 &
	trap 'kill -KILL $!; exit 143' TERM INT HUP
	wait $!
	exit
fi

# virtiofsd writes to /run, too
run=/run/vm
mount -t tmpfs run /run
mkdir $run

# One initramfs a run: busybox, the modules that reach /, our two scripts, and the command.
make_initramfs() {
	local root=$run/initramfs version modules file
	version=$(ls "$cache/linux/lib/modules")
	modules=$root/lib/modules/$version
	mkdir -p "$root/bin" "$modules"
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$here/boot.sh" "$root/init"
	cp "$here/run.sh" "$root/run.sh"
	for module in virtio_pci virtio_console virtio_blk overlay virtiofs; do
		file=$(grep -E "/$module\.ko(\.xz)?:" "$cache/linux/lib/modules/$version/modules.dep")
		for file in ${file/:/ }; do
			(cd "$cache/linux/lib/modules/$version" && cp --parents "$file" "$modules")
		done
	done
	busybox depmod -b "$root" "$version"
	echo "$cache/linux/lib/modules" >"$root/modules"
	echo "${v1:+v1}${systemd:+systemd}" >"$root/mode"
	{
		printf 'cd %q || cd /\n' "$PWD"
		[ "$1" = - ] && cat || printf '%q ' "$@"
	} >"$root/command"
	chmod +x "$root/init" "$root/run.sh"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$run/initrd"
}

# The guest's lower layer: / alone, read-only, without what is mounted on it; and those of the
# folders we need that are mounts of their own.
share_root() {
	local options=(-o "source=$run/root" -o cache=always -o log_level=err -f)
	[ $virtiofsd = /usr/lib/qemu/virtiofsd ] ||
		options=(--shared-dir="$run/root" --cache=always --log-level=error)
	mkdir "$run/root"
	mount --bind / "$run/root"
	for dir in "$PWD" "$here" "$cache"; do
		[ "$(stat -c %d "$dir")" = "$(stat -c %d /)" ] ||
			mount --bind "$dir" "$run/root$dir"
	done
	mount -o remount,ro,bind "$run/root"
	# each file that the guest has seen keeps a descriptor open here
	ulimit -n "$(ulimit -Hn)"
	$virtiofsd --socket-path="$run/virtiofsd" "${options[@]}" >"$run/virtiofsd.log" 2>&1 &
	for _ in $(seq 250); do
		[ ! -S "$run/virtiofsd" ] || return 0
		sleep 0.02
	done
	cat "$run/virtiofsd.log" >&2
	exit 125
}

make_initramfs "$@"
share_root
qemu=(qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp "$cpus" -m "$memory"
      -display none -nodefaults -no-user-config -no-reboot
      -kernel "$cache/linux/vmlinuz" -initrd "$run/initrd"
      -append "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off random.trust_cpu=on $kernel_args"
      -object "memory-backend-memfd,id=memory,size=${memory}M,share=on" -numa node,memdev=memory
      -chardev "socket,id=root,path=$run/virtiofsd" -device vhost-user-fs-pci,chardev=root,tag=root
      -serial "file:$run/console" -device virtio-serial-pci)
for port in stdout stderr out status; do
	: >"$run/$port"
	qemu+=(-chardev "file,id=$port,path=$run/$port"
	       -device "virtserialport,chardev=$port,name=vm.$port")
done
if [ "$disk" -gt 0 ]; then
	truncate -s "${disk}M" "$run/disk"
	qemu+=(-drive "file=$run/disk,format=raw,if=virtio,cache=unsafe")
fi
timeout -k 5 "$seconds" "${qemu[@]}" </dev/null >"$run/qemu.log" 2>&1 &
guest=$!
tail -q -n +1 -f --pid=$guest -s 0.1 "$run/stdout" &
tail -q -n +1 -f --pid=$guest -s 0.1 "$run/stderr" >&2 &
tails="$(jobs -p | tail -n 2)"
ended=0
wait $guest || ended=$?
wait $tails || :
if [ -n "$out" ] && [ -s "$run/out" ]; then
	mkdir -p "$out"
	tar -C "$out" -xf "$run/out"
fi
if [ ! -s "$run/status" ]; then
	[ $ended = 124 ] && reason="$seconds s are over" || reason="qemu's status: $ended"
	echo "vm.sh: the guest ended without a status ($reason)" >&2
	tail -n 30 "$run/console" "$run/qemu.log" >&2
	exit 125
fi
exit "$(cat "$run/status")"
