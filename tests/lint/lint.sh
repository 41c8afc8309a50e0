#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# One check of the source tree: lint.sh CHECK BUILD. Status 77: its tool is missing (with
# MUST_RUN=1 a failure).
set -eu
check=$1
build=$(realpath "$2")
cd "$(dirname "$0")/../.."

need() {
	command -v "$1" >/dev/null && return
	echo "no $1" >&2
	[ "${MUST_RUN-}" = 1 ] && exit 1
	exit 77
}

c_files() {
	find include src hooks tests -name '*.[ch]' 2>/dev/null | sort
}

compiled_files() {
	sed -n 's/^ *"file": "\(.*\/\(src\|hooks\)\/.*\)",*$/\1/p' "$build/compile_commands.json" | sort -u
}

case $check in
layers) need python3 && python3 tests/lint/layers.py . ;;
files) need python3 && python3 tests/lint/files.py . ;;
format)
	need clang-format
	c_files | xargs clang-format --dry-run -Werror
	;;
tidy)
	need clang-tidy
	# Options that the build gives gcc and this clang may not know. It counts what it does not tell.
	log=$build/tidy.log
	compiled_files | (cd "$build" && xargs -n 4 -P "$(nproc)" clang-tidy -p . --quiet \
		--extra-arg=-Wno-unknown-warning-option \
		--extra-arg=-ftrivial-auto-var-init=uninitialized) 2>"$log" ||
		{ grep -v ' generated\.$' "$log"; exit 1; }
	;;
cppcheck)
	need cppcheck
	# It does not know __attribute__((cleanup)), and mmap's -1 for no file.
	cppcheck --quiet --enable=warning,performance,portability --inline-suppr --std=c11 \
		--error-exitcode=1 --library=gnu --library=gtk --library=posix \
		--suppress=resourceLeak --suppress=memleak --suppress=invalidFunctionArg \
		--suppress=readdirCalled -D__linux__ '-DG_GNUC_PRINTF(a, b)=' -Iinclude src hooks
	;;
headers)
	need pkg-config
	flags=$(pkg-config --cflags glib-2.0 fuse3 json-glib-1.0)
	status=0
	for header in $(find include -name '*.h' | sort); do
		# twice: the guard works
		printf '#include "%s"\n' "${header#include/}" "${header#include/}" |
			${CC:-cc} -std=c17 -D_GNU_SOURCE -DFUSE_USE_VERSION=314 -Wall -Wextra -Werror \
				-Iinclude $flags -fsyntax-only -x c - || status=1
	done
	exit $status
	;;
scripts)
	status=0
	for script in dev .ci/run $(find hooks tests -name '*.sh' | sort); do
		case $(head -n 1 "$script") in
		*bash) bash -n "$script" || status=1 ;;
		*) sh -n "$script" || status=1 ;;
		esac
	done
	find tests -name '*.py' -exec python3 -c '
import ast, sys
for name in sys.argv[1:]:
    ast.parse(open(name).read(), name)' {} + || status=1
	exit $status
	;;
unit-file)
	need systemd-analyze
	copy=$(mktemp -d)
	trap 'rm -rf "$copy"' EXIT
	sed "s|/usr/bin/lxcfs-clone|$build/lxcfs-clone|" lxcfs-clone.service >"$copy/lxcfs-clone.service"
	systemd-analyze verify "$copy/lxcfs-clone.service" 2>"$copy/all" || echo "status $?" >>"$copy/all"
	# This key alone: systemd knows it since version 254, and before drops what it stands for.
	grep -v "lxcfs-clone.service:[0-9]*: Unknown key '\?FileDescriptorStorePreserve'\? in section \[Service\], ignoring\.$" \
		"$copy/all" >"$copy/said" || :
	cat "$copy/said" >&2
	[ ! -s "$copy/said" ]
	;;
*)
	echo "lint.sh: no check is called $check" >&2
	exit 2
	;;
esac
