/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util/fd.h"

static int result(long r)
{
	return r < 0 ? -errno : (int)r;
}

static int open_how(int dirfd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? 0644 : 0,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};

	return result(syscall(SYS_openat2, dirfd, path, &how, sizeof(how)));
}

int sys_open_beneath(int dirfd, const char *path, int flags)
{
	return open_how(dirfd, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int sys_open_child(int dirfd, const char *path, int flags)
{
	return open_how(dirfd, path, flags,
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

int sys_mount_id(int fd, uint64_t *ret)
{
	struct statx st;

	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
		return -errno;
	if (!(st.stx_mask & STATX_MNT_ID))
		return -ENOSYS;
	*ret = st.stx_mnt_id;
	return 0;
}

/* Linux 6.8; this libc's headers may be older. */
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000u
#endif

/* struct mnt_id_req and struct statmount as they began; the kernel knows by their sizes. */
struct mount_request {
	uint32_t size, spare;
	uint64_t mount, wanted;
};

struct mount_answer {
	uint32_t size, options;
	uint64_t mask;
	uint32_t major, minor;
	uint64_t magic;
	uint32_t sb_flags, fs_type;
	uint64_t id, parent;
	uint32_t old_id, old_parent;
	uint64_t attrs, propagation, peers;
	uint64_t rest[64];
};

#define MOUNT_SB    0x1u /* STATMOUNT_SB_BASIC */
#define MOUNT_BASIC 0x2u /* STATMOUNT_MNT_BASIC */

int sys_mount_about(int fd, struct sys_mount *ret)
{
	struct mount_request request = { .size = sizeof(request),
					 .wanted = MOUNT_SB | MOUNT_BASIC };
	struct mount_answer answer = { 0 };
	struct statx st;

	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE,
		    &st) < 0)
		return -errno;
	if (!(st.stx_mask & STATX_MNT_ID_UNIQUE))
		return -ENOSYS;
	request.mount = st.stx_mnt_id;
	if (syscall(SYS_statmount, &request, &answer, sizeof(answer), 0) < 0)
		return -errno;
	if ((answer.mask & (MOUNT_SB | MOUNT_BASIC)) != (MOUNT_SB | MOUNT_BASIC))
		return -ENOSYS;
	*ret = (struct sys_mount){ .magic = answer.magic, .peers = answer.peers };
	return 0;
}

int sys_pidfd_open(pid_t pid)
{
	return result(syscall(SYS_pidfd_open, pid, 0));
}

int sys_pidfd_getfd(int pidfd, int fd)
{
	return result(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

int sys_mount_private_proc(void)
{
	AUTO_FD int fs = result(syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC));

	if (fs < 0)
		return fs;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	return result(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
}

int sys_clone_tree(const char *path)
{
	return result(syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

/* Linux 6.5; this libc's headers may be older. */
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif

int sys_open_in_root(int dirfd, const char *path, int flags)
{
	return open_how(dirfd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

int sys_open_rooted(int dirfd, const char *path, int flags)
{
	return open_how(dirfd, path, flags, RESOLVE_IN_ROOT);
}

int sys_clone_trees_at(int fd)
{
	return result(syscall(SYS_open_tree, fd, "",
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE));
}

int sys_clone_tree_at(int fd)
{
	return result(syscall(SYS_open_tree, fd, "",
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
}

static int move_mount_fd(int tree, int target, unsigned flags)
{
	return result(syscall(SYS_move_mount, tree, "", target, "",
			      flags | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

int sys_mount_onto(int tree, int target)
{
	return move_mount_fd(tree, target, 0);
}

int sys_mount_beneath(int tree, int target)
{
	return move_mount_fd(tree, target, MOVE_MOUNT_BENEATH);
}

bool sys_has_mount_beneath(void)
{
	/* Flags are looked at before descriptors. */
	return sys_mount_beneath(-1, -1) == -EBADF;
}

int sys_mount_attr_set(int tree, uint64_t attrs)
{
	struct mount_attr attr = { .attr_set = attrs, .propagation = MS_PRIVATE };

	return result(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
}

int sys_mount_attr_set_all(int tree, uint64_t attrs)
{
	struct mount_attr attr = { .attr_set = attrs, .propagation = MS_PRIVATE };

	return result(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
			      sizeof(attr)));
}

int sys_mount_idmap(int tree, int userns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP,
				   .propagation = MS_PRIVATE,
				   .userns_fd = (uint64_t)(unsigned)userns };

	return result(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return result(syscall(SYS_pivot_root, new_root, put_old));
}

int sys_pidfd_kill(int pidfd, int number)
{
	return result(syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0));
}

pid_t sys_clone(uint64_t flags, int cgroup, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
		.cgroup = cgroup >= 0 ? (uint64_t)(unsigned)cgroup : 0,
	};

	return result(syscall(SYS_clone3, &args, sizeof(args)));
}

static struct timespec clock_now(clockid_t clock)
{
	struct timespec ts;

	/* Cannot fail: both clocks exist since Linux 2.6.39. */
	clock_gettime(clock, &ts);
	return ts;
}

uint64_t sys_boottime_ns(void)
{
	struct timespec ts = clock_now(CLOCK_BOOTTIME);

	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t sys_coarse_ms(void)
{
	struct timespec ts = clock_now(CLOCK_MONOTONIC_COARSE);

	return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}
