/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a process in the container gives up just before exec: groups, user, capabilities, new
 * privileges, system calls. The parent makes it, where a failure is a sentence; the child applies
 * it.
 */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "run/seccomp.h"

struct security {
	uint64_t caps;
	struct seccomp_filter filter;
};

/* The flags, all borrowed: see caps_choose() and seccomp_filter_make(). */
struct security_choice {
	const char *const *cap_add, *const *cap_drop; /* NULL-terminated; NULL: none */
	const char *seccomp, *profile;
	bool own_userns; /* in which every capability is to be had */
};

bool security_make(const struct security_choice *choice, struct security *ret, GError **error);
void security_clear(struct security *security);

/* Who the process is to be, ids as the container has them. */
struct security_user {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* .n_groups of them, supplementary */
	size_t n_groups;
};

/*
 * All of it, as the last thing before execve: the filter may refuse anything else. With --init it
 * is PID 1 that calls it, before it starts the command, which inherits all. *@ret_what says what
 * failed. No allocation. 0 or -errno.
 */
int security_confine(const struct security *security, const struct security_user *user,
		     const char **ret_what);
