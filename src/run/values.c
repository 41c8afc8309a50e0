/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/values.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "run/fail.h"
#include "run/flags.h"
#include "run/spec.h"
#include "util/num.h"

#define NAME_MAX_LEN 63

bool values_is_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= NAME_MAX_LEN && g_ascii_isalnum(*text) &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
		       len;
}

static bool set_name(char **field, const char *value, GError **error)
{
	if (!values_is_name(value))
		return run_fail(error, 0,
				"'%.64s' is no name (letters, digits, '_', '.', '-'; at most %d)",
				value, NAME_MAX_LEN);
	g_free(*field);
	*field = g_strdup(value);
	return true;
}

bool values_name(void *spec, const char *value, GError **error)
{
	return set_name(&((struct spec *)spec)->name, value, error);
}

bool values_hostname(void *spec, const char *value, GError **error)
{
	return set_name(&((struct spec *)spec)->hostname, value, error);
}

bool values_rootfs(void *spec, const char *value, GError **error)
{
	g_auto(GStrv) dirs = g_strsplit(value, ",", -1);
	struct spec *s = spec;

	for (char **d = dirs; *d; d++) {
		char *path = **d ? g_canonicalize_filename(*d, NULL) : NULL;
		struct stat st;

		if (!path)
			return run_fail(error, 0, "a folder's name is empty");
		g_ptr_array_add(s->layers, path);
		if (stat(path, &st) < 0)
			return run_fail(error, errno, "'%.256s'", path);
		if (!S_ISDIR(st.st_mode))
			return run_fail(error, ENOTDIR, "'%.256s'", path);
	}
	return true;
}

bool values_add_env(GPtrArray *env, const char *value, GError **error)
{
	const char *ours;

	if (*value == '=')
		return run_fail(error, 0, "'%.64s' has no name", value);
	if (strchr(value, '=')) {
		g_ptr_array_add(env, g_strdup(value));
		return true;
	}
	/* As with docker: the name alone takes what we have, if we have it. */
	ours = g_getenv(value);
	if (ours)
		g_ptr_array_add(env, g_strconcat(value, "=", ours, NULL));
	return true;
}

bool values_env(void *spec, const char *value, GError **error)
{
	return values_add_env(((struct spec *)spec)->env, value, error);
}

bool values_bind(void *spec, const char *value, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(value, ":", -1);
	guint n = g_strv_length(parts);
	struct spec_mount m = { 0 };

	if (n < 2 || n > 3 ||
	    (n == 3 && strcmp(parts[2], "ro") != 0 && strcmp(parts[2], "rw") != 0))
		return run_fail(error, 0, "'%.256s' is not SRC:DST or SRC:DST:ro", value);
	m.read_only = n == 3 && strcmp(parts[2], "ro") == 0;
	m.source = flags_absolute(parts[0], error);
	m.target = m.source ? flags_absolute(parts[1], error) : NULL;
	if (m.target && strcmp(m.target, "/") != 0) {
		g_array_append_val(((struct spec *)spec)->mounts, m);
		return true;
	}
	if (m.target)
		run_fail(error, 0, "nothing is mounted over '/'");
	g_free(m.source);
	g_free(m.target);
	return false;
}

bool values_tmpfs(void *spec, const char *value, GError **error)
{
	struct spec_mount m = { 0 };

	if (strchr(value, ':'))
		return run_fail(error, 0, "'%.256s' is not just a path", value);
	m.target = flags_absolute(value, error);
	if (!m.target)
		return false;
	if (strcmp(m.target, "/") == 0) {
		g_free(m.target);
		return run_fail(error, 0, "nothing is mounted over '/'");
	}
	g_array_append_val(((struct spec *)spec)->mounts, m);
	return true;
}

static bool parse_access(const char *text, unsigned *ret)
{
	static const char letters[] = "rwm";

	*ret = 0;
	for (; *text; text++) {
		const char *p = strchr(letters, *text);

		if (!p)
			return false;
		*ret |= 1u << (p - letters);
	}
	return *ret != 0;
}

bool values_device(void *spec, const char *value, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(value, ":", -1);
	guint n = g_strv_length(parts);
	struct spec_device d = { .access = SPEC_DEVICE_ALL };
	struct stat st;

	if (n > 3 || (n == 3 && !parse_access(parts[2], &d.access)))
		return run_fail(error, 0, "'%.256s' is not HOST[:CONTAINER[:rwm]]", value);
	if (stat(parts[0], &st) < 0)
		return run_fail(error, errno, "'%.256s'", parts[0]);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return run_fail(error, 0, "'%.256s' is no device", parts[0]);
	d.path = flags_absolute(parts[n > 1 ? 1 : 0], error);
	if (!d.path)
		return false;
	d.host = g_strdup(parts[0]);
	d.mode = st.st_mode & (S_IFMT | 0777);
	d.uid = st.st_uid;
	d.gid = st.st_gid;
	d.major = major(st.st_rdev);
	d.minor = minor(st.st_rdev);
	g_array_append_val(((struct spec *)spec)->devices, d);
	return true;
}

static bool parse_limit(const char *text, rlim_t *ret)
{
	uint64_t v;

	if (strcmp(text, "-1") == 0 || strcmp(text, "unlimited") == 0)
		*ret = RLIM_INFINITY;
	else if (num_parse(text, &v) && v < RLIM_INFINITY)
		*ret = v;
	else
		return false;
	return true;
}

bool values_parse_ulimit(const char *value, struct spec_rlimit *ret, GError **error)
{
	static const struct {
		const char *name;
		int resource;
	} names[] = {
		{ .name = "as", .resource = RLIMIT_AS },
		{ .name = "core", .resource = RLIMIT_CORE },
		{ .name = "cpu", .resource = RLIMIT_CPU },
		{ .name = "data", .resource = RLIMIT_DATA },
		{ .name = "fsize", .resource = RLIMIT_FSIZE },
		{ .name = "locks", .resource = RLIMIT_LOCKS },
		{ .name = "memlock", .resource = RLIMIT_MEMLOCK },
		{ .name = "msgqueue", .resource = RLIMIT_MSGQUEUE },
		{ .name = "nice", .resource = RLIMIT_NICE },
		{ .name = "nofile", .resource = RLIMIT_NOFILE },
		{ .name = "nproc", .resource = RLIMIT_NPROC },
		{ .name = "rss", .resource = RLIMIT_RSS },
		{ .name = "rtprio", .resource = RLIMIT_RTPRIO },
		{ .name = "rttime", .resource = RLIMIT_RTTIME },
		{ .name = "sigpending", .resource = RLIMIT_SIGPENDING },
		{ .name = "stack", .resource = RLIMIT_STACK },
	};
	g_auto(GStrv) sides = g_strsplit(value, "=", 2);
	g_auto(GStrv) limits = sides[1] ? g_strsplit(sides[1], ":", 2) : NULL;
	struct spec_rlimit r = { .resource = -1 };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(names[i].name, sides[0]) == 0)
			r.resource = names[i].resource;
	if (r.resource < 0)
		return run_fail(error, 0, "there is no limit '%.64s'", sides[0]);
	if (!limits || !limits[0] || !parse_limit(limits[0], &r.limit.rlim_cur) ||
	    !parse_limit(limits[limits[1] ? 1 : 0], &r.limit.rlim_max))
		return run_fail(error, 0, "'%.64s' is not NAME=SOFT[:HARD]", value);
	if (r.limit.rlim_cur > r.limit.rlim_max)
		return run_fail(error, 0, "'%.64s' has a soft limit above the hard one", value);
	*ret = r;
	return true;
}

bool values_ulimit(void *spec, const char *value, GError **error)
{
	struct spec_rlimit r;

	if (!values_parse_ulimit(value, &r, error))
		return false;
	g_ptr_array_add(((struct spec *)spec)->ulimits, g_strdup(value));
	return true;
}

bool values_userns(void *spec, const char *value, GError **error)
{
	((struct spec *)spec)->userns = strcmp(value, "auto") == 0;
	return strcmp(value, "auto") == 0 || strcmp(value, "host") == 0 ||
	       run_fail(error, 0, "'%.64s' is neither 'host' nor 'auto'", value);
}

bool values_security(void *spec, const char *value, GError **error)
{
	struct spec *s = spec;
	char *path;

	if (strcmp(value, "no-new-privileges") == 0)
		return true;
	if (!g_str_has_prefix(value, "seccomp=") || !value[strlen("seccomp=")])
		return run_fail(error, 0, "'%.64s' is neither seccomp=unconfined nor seccomp=FILE",
				value);
	value += strlen("seccomp=");
	path = strcmp(value, "unconfined") == 0 ? g_strdup(value)
						: g_canonicalize_filename(value, NULL);
	g_free(s->seccomp);
	s->seccomp = path;
	return true;
}

static bool set_shared(bool *field, const char *value, GError **error)
{
	*field = strcmp(value, "host") == 0;
	return *field || strcmp(value, "private") == 0 ||
	       run_fail(error, 0, "'%.64s' is neither 'host' nor 'private'", value);
}

bool values_uts(void *spec, const char *value, GError **error)
{
	return set_shared(&((struct spec *)spec)->shared.uts, value, error);
}

bool values_ipc(void *spec, const char *value, GError **error)
{
	return set_shared(&((struct spec *)spec)->shared.ipc, value, error);
}

bool values_pid(void *spec, const char *value, GError **error)
{
	return set_shared(&((struct spec *)spec)->shared.pid, value, error);
}

bool values_cgroupns(void *spec, const char *value, GError **error)
{
	return set_shared(&((struct spec *)spec)->shared.cgroup, value, error);
}
