/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/account.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "run/fail.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/sys.h"

#define FILE_SIZE ((size_t)1 << 20)

void account_clear(struct account *account)
{
	g_clear_pointer(&account->home, g_free);
	if (account->groups)
		g_array_unref(account->groups);
	account->groups = NULL;
}

static struct account steal(struct account *account)
{
	struct account a = *account;

	*account = (struct account){ 0 };
	return a;
}

static bool parse_id(const char *text, uint32_t *ret)
{
	uint64_t v;

	/* The last number means "leave it" to the kernel. */
	if (!text || strchr(text, '\n') || !num_parse(text, &v) || v >= UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* The fields of the first line with @n of them at least whose field @key is @value. */
static char **find_line(const char *text, guint n, guint key, const char *value)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, ":", -1);

		if (g_strv_length(fields) >= n && strcmp(fields[key], value) == 0)
			return g_steal_pointer(&fields);
	}
	return NULL;
}

static void add_memberships(const char *group, const char *name, GArray *groups)
{
	g_auto(GStrv) lines = g_strsplit(group, "\n", -1);

	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, ":", -1);
		g_auto(GStrv) members = NULL;
		gid_t gid;

		if (g_strv_length(fields) < 4 || !parse_id(fields[2], &gid))
			continue;
		members = g_strsplit(fields[3], ",", -1);
		if (g_strv_contains((const char *const *)members, name) &&
		    groups->len < NGROUPS_MAX)
			g_array_append_val(groups, gid);
	}
}

static bool find_group(const char *name, const char *group, gid_t *ret, GError **error)
{
	g_auto(GStrv) fields = NULL;

	if (parse_id(name, ret))
		return true;
	fields = find_line(group, 3, 0, name);
	return (fields && parse_id(fields[2], ret)) ||
	       run_fail(error, 0, "there is no group '%.64s' in the container", name);
}

bool account_find(const char *user, const char *passwd, const char *group, struct account *ret,
		  GError **error)
{
	g_autofree char *name = g_strndup(user, strcspn(user, ":"));
	const char *colon = strchr(user, ':');
	g_auto(GStrv) fields = NULL;
	AUTO_ACCOUNT struct account a = { .groups = g_array_new(FALSE, FALSE, sizeof(gid_t)) };
	bool number = parse_id(name, &a.uid);

	fields = find_line(passwd, 7, number ? 2 : 0, name);
	if (!number && !(fields && parse_id(fields[2], &a.uid)))
		return run_fail(error, 0, "there is no user '%.64s' in the container", name);
	if (fields && !parse_id(fields[3], &a.gid))
		return run_fail(error, 0, "user '%.64s' has no group in the container", name);
	if (colon && !find_group(colon + 1, group, &a.gid, error))
		return false;
	if (fields && !colon)
		add_memberships(group, fields[0], a.groups);
	a.home = g_strdup(fields && fields[5][0] == '/' ? fields[5] : "/");
	*ret = steal(&a);
	return true;
}

/* Whatever an image has there: a fifo does not hang us, a link does not lead out. */
static char *read_here(const char *path)
{
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int fd = sys_open_rooted(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	g_autofree char *text = g_malloc(FILE_SIZE);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    fd_read(fd, text, FILE_SIZE) < 0)
		return g_strdup("");
	return g_steal_pointer(&text);
}

bool account_find_here(const char *user, struct account *ret, GError **error)
{
	g_autofree char *passwd = read_here("/etc/passwd");
	g_autofree char *group = read_here("/etc/group");

	return account_find(user ? user : "0", passwd, group, ret, error);
}
