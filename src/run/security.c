/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/security.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run/caps.h"

bool security_make(const struct security_choice *c, struct security *ret, GError **error)
{
	uint64_t available = c->own_userns ? UINT64_MAX : caps_bounding();

	*ret = (struct security){ 0 };
	return caps_choose(c->cap_add, c->cap_drop, available, &ret->caps, error) &&
	       seccomp_filter_make(c->seccomp, c->profile, ret->caps, &ret->filter, error);
}

void security_clear(struct security *security)
{
	seccomp_filter_clear(&security->filter);
}

/* Who is no longer root has lost the capabilities with it. */
static int become(const struct security_user *u)
{
	if (setgroups(u->n_groups, u->groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		return -errno;
	return 0;
}

int security_confine(const struct security *security, const struct security_user *user,
		     const char **ret_what)
{
	int r;

	*ret_what = "bound the capabilities";
	r = caps_bound(security->caps);
	if (r < 0)
		return r;
	*ret_what = "take on the user";
	r = become(user);
	if (r < 0)
		return r;
	*ret_what = "set the capabilities";
	r = caps_set(user->uid == 0 ? security->caps : 0);
	if (r < 0)
		return r;
	*ret_what = "set no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	*ret_what = "load the seccomp filter";
	return seccomp_filter_load(&security->filter);
}
