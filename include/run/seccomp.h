/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The filter of system calls: made by the parent, loaded by the child. */
#include <glib.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/* What is loaded, and for what. */
struct seccomp_filter {
	struct sock_filter *code; /* owned; NULL: no filter */
	unsigned short n;
};

void seccomp_filter_clear(struct seccomp_filter *filter);

/*
 * The default filter for who has the capabilities @caps: what docker's profile refuses fails with
 * EPERM; clone3, and what is newer than this libseccomp or than the last system call that was
 * looked at, with ENOSYS.
 */
bool seccomp_filter_default(uint64_t caps, struct seccomp_filter *ret, GError **error);

/*
 * The filter that @json says, the "seccomp" of an OCI config.json or a profile of docker's, whose
 * includes and excludes are decided by @caps, architecture and kernel. @source names it in errors.
 */
bool seccomp_filter_profile(const char *json, const char *source, uint64_t caps,
			    struct seccomp_filter *ret, GError **error);

/*
 * The text of the profile that --security-opt seccomp=@option names, owned: NULL for the default
 * (NULL) and for none ("unconfined"). No file is read that is longer than a profile can be.
 */
bool seccomp_profile_read(const char *option, char **ret_profile, GError **error);

/* The filter of @option, with the text that seccomp_profile_read() has made of it. */
bool seccomp_filter_make(const char *option, const char *profile, uint64_t caps,
			 struct seccomp_filter *ret, GError **error);

/*
 * What both are made of: a libseccomp filter context, a void pointer that the caller releases, as
 * code for the kernel. @source names it in errors.
 */
bool seccomp_filter_export(void *context, const char *source, struct seccomp_filter *ret,
			   GError **error);

/* Load it for the calling thread, which has no_new_privs. No allocation. 0 or -errno. */
int seccomp_filter_load(const struct seccomp_filter *filter);
