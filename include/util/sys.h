/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* System calls that this libc has no function for. Each returns a value >= 0 or -errno. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* openat2(2): open @path below @dirfd, never out of it, following no symlink. */
int sys_open_beneath(int dirfd, const char *path, int flags);

/* The same, and into no other mount. */
int sys_open_child(int dirfd, const char *path, int flags);

/*
 * The id, in the tables of mounts, of the mount that @fd is open in: its file system is not asked.
 * Linux 5.8.
 */
int sys_mount_id(int fd, uint64_t *ret);

/* What there is to know of a mount without a table. */
struct sys_mount {
	uint64_t magic; /* of its file system, as in statfs(2) */
	uint64_t peers; /* its peer group; 0: none */
};

/*
 * statmount(2) of the mount that @fd is open in, which is in our mount namespace; its file system
 * is not asked. -ENOSYS before Linux 6.8.
 */
int sys_mount_about(int fd, struct sys_mount *ret);

/* pidfd_open(2), close-on-exec. */
int sys_pidfd_open(pid_t pid);

/*
 * pidfd_getfd(2): what is number @fd in the process of @pidfd, close-on-exec. -ENOSYS before 5.6.
 */
int sys_pidfd_getfd(int pidfd, int fd);

/*
 * A procfs of our own that is mounted nowhere (fsopen, fsmount): files bound over /proc don't hide
 * it.
 */
int sys_mount_private_proc(void);

/* The tree at @path without what is mounted on top of it below (open_tree, not recursive). */
int sys_clone_tree(const char *path);

/*
 * openat2(2): as if @dirfd (AT_FDCWD: the working directory) were the root; following no symlink.
 */
int sys_open_in_root(int dirfd, const char *path, int flags);

/*
 * openat2(2): as if @dirfd were the root, symlinks and all; a file that is made has mode 0644. No
 * link of procfs leads out.
 */
int sys_open_rooted(int dirfd, const char *path, int flags);

/* The tree at the descriptor @fd with all that is mounted below, as one that is mounted nowhere. */
int sys_clone_trees_at(int fd);

/* The tree at the descriptor @fd as one that is mounted nowhere yet (open_tree, not recursive). */
int sys_clone_tree_at(int fd);

/* Mount the detached @tree on top of the mount at @target. */
int sys_mount_onto(int tree, int target);

/* Mount it between the mount at @target and what that is mounted on: Linux 6.5, else -EINVAL. */
int sys_mount_beneath(int tree, int target);
bool sys_has_mount_beneath(void);

/* Give the mount at @tree more MOUNT_ATTR_ bits, and no peers. -ENOSYS before Linux 5.12. */
int sys_mount_attr_set(int tree, uint64_t attrs);

/* The same, and to all mounts below. */
int sys_mount_attr_set_all(int tree, uint64_t attrs);

/*
 * Owners of files in the mount at @tree are those that the user namespace @userns maps them to; and
 * it has no peers.
 */
int sys_mount_idmap(int tree, int userns);

/* pivot_root(2) */
int sys_pivot_root(const char *new_root, const char *put_old);

/* pidfd_send_signal(2) */
int sys_pidfd_kill(int pidfd, int number);

/*
 * clone3(2) with SIGCHLD (CLONE_PARENT: what our own parent gets) and the CLONE_ @flags, into the
 * cgroup at @cgroup unless that is -1; as fork(2) returns, or -errno. *@ret_pidfd is close-on-exec.
 */
pid_t sys_clone(uint64_t flags, int cgroup, int *ret_pidfd);

/* CLOCK_BOOTTIME in nanoseconds. */
uint64_t sys_boottime_ns(void);

/* CLOCK_MONOTONIC_COARSE in milliseconds: good to one tick, never a system call. */
uint64_t sys_coarse_ms(void);
