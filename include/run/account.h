/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Whom -u means: numbers, or names of the container's /etc/passwd and /etc/group. */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct account {
	uid_t uid;
	gid_t gid;
	char *home;     /* "/" when nothing says */
	GArray *groups; /* gid_t */
};

void account_clear(struct account *account);
#define AUTO_ACCOUNT __attribute__((cleanup(account_clear)))

/*
 * @user, "UID", "NAME", "UID:GID", "NAME:GROUP" (NULL: 0), by the texts of the two files. Without a
 * group it is the user's own, with those that it is a member of. A number need not be in a file.
 */
bool account_find(const char *user, const char *passwd, const char *group, struct account *ret,
		  GError **error);

/* The same by the files below the root directory; such as are missing or no files are empty. */
bool account_find_here(const char *user, struct account *ret, GError **error);
