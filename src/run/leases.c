/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/leases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "util/fail.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/sys.h"

/* Before the name of a lock: no kind begins like it. */
#define LOCK_PREFIX "lock,"

/*
 * For who has it: nft is slow where there are many rules, and may have to be waited for several
 * times.
 */
#define PATIENCE_MS 30000u

struct lease {
	uint32_t number;
	char *name;
};

static void lease_clear(gpointer p)
{
	g_free(((struct lease *)p)->name);
}

/* Lines that are none of ours are dropped. Owned array of struct lease. */
static GArray *parse(const char *text)
{
	GArray *leases = g_array_new(FALSE, FALSE, sizeof(struct lease));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	g_array_set_clear_func(leases, lease_clear);
	for (char **line = lines; *line; line++) {
		const char *p = *line;
		uint64_t number;

		if (num_take(&p, &number) && number < LEASES_ANY && p[0] == ' ' && p[1]) {
			struct lease l = { .number = (uint32_t)number, .name = g_strdup(p + 1) };

			g_array_append_val(leases, l);
		}
	}
	return leases;
}

static char *format(const GArray *leases)
{
	GString *out = g_string_new(NULL);

	for (guint i = 0; i < leases->len; i++) {
		const struct lease *l = &g_array_index(leases, struct lease, i);

		g_string_append_printf(out, "%u %s\n", l->number, l->name);
	}
	return g_string_free(out, FALSE);
}

static const struct lease *find_name(const GArray *leases, const char *name)
{
	for (guint i = 0; i < leases->len; i++)
		if (strcmp(g_array_index(leases, struct lease, i).name, name) == 0)
			return &g_array_index(leases, struct lease, i);
	return NULL;
}

static const struct lease *find_number(const GArray *leases, uint32_t number)
{
	for (guint i = 0; i < leases->len; i++)
		if (g_array_index(leases, struct lease, i).number == number)
			return &g_array_index(leases, struct lease, i);
	return NULL;
}

static void forget_name(GArray *leases, const char *name)
{
	for (guint i = leases->len; i > 0; i--)
		if (strcmp(g_array_index(leases, struct lease, i - 1).name, name) == 0)
			g_array_remove_index(leases, i - 1);
}

static bool may_have(const struct leases_wish *wish, uint32_t number)
{
	return number >= wish->first && number <= wish->last &&
	       (!wish->usable || wish->usable(number, wish->arg));
}

static bool choose(const GArray *leases, const struct leases_wish *wish, uint32_t *ret,
		   GError **error)
{
	if (wish->wanted != LEASES_ANY) {
		const struct lease *l = find_number(leases, wish->wanted);

		if (l || !may_have(wish, wish->wanted)) {
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST, "%s%s",
				    l ? "held by container " : "not to be had", l ? l->name : "");
			return false;
		}
		*ret = wish->wanted;
		return true;
	}
	for (uint64_t n = wish->first; n <= wish->last; n++)
		if (!find_number(leases, (uint32_t)n) && may_have(wish, (uint32_t)n)) {
			*ret = (uint32_t)n;
			return true;
		}
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "none is free");
	return false;
}

/* 0 or -errno; -EWOULDBLOCK: somebody else has it all the time. */
static int lock_patiently(int fd)
{
	uint64_t start = sys_coarse_ms();

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EINTR && errno != EWOULDBLOCK)
			return -errno;
		if (sys_coarse_ms() - start >= PATIENCE_MS)
			return -EWOULDBLOCK;
		g_usleep(2000);
	}
	return 0;
}

/* What store() had not yet given its name when its launcher was killed. */
static void clear_half_made(const char *dir, const char *what)
{
	g_autofree char *prefix = g_strconcat(".", what, NULL);
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);

		if (g_str_has_prefix(name, prefix))
			(void)unlink(path);
	}
	if (d)
		g_dir_close(d);
}

int leases_lock(const char *dir, const char *what, GError **error)
{
	g_autofree char *name = g_strconcat(LOCK_PREFIX, what, NULL);
	g_autofree char *path = g_build_filename(dir, name, NULL);
	AUTO_FD int fd = -1;
	int r;

	/*
	 * Not O_CLOEXEC: a program that was started under the lock, as nft, and that goes on when
	 * we are killed, holds it until it is done.
	 */
	if (g_mkdir_with_parents(dir, 0700) == 0)
		fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : lock_patiently(fd);
	if (r == 0) {
		clear_half_made(dir, what);
		return fd_steal(&fd);
	}
	if (r == -EWOULDBLOCK)
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
			    "%s is held by another lxcfs-clone-run (or its nft) for %u s", path,
			    PATIENCE_MS / 1000);
	else
		fail(error, -r, "cannot lock %s", path);
	return -1;
}

/* NULL: it cannot be read, which is not the same as that it is not there. */
static GArray *load(const char *path, GError **error)
{
	g_autoptr(GError) failure = NULL;
	g_autofree char *text = NULL;

	if (g_file_get_contents(path, &text, NULL, &failure))
		return parse(text);
	if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return parse("");
	g_propagate_error(error, g_steal_pointer(&failure));
	return NULL;
}

/* One without leases is none. */
static bool store(const char *path, const GArray *leases, GError **error)
{
	g_autofree char *text = format(leases), *dir = g_path_get_dirname(path);
	g_autofree char *name = g_path_get_basename(path);
	g_autofree char *new = g_strconcat(dir, "/.", name, NULL);

	if (leases->len == 0)
		return ((unlink(new) == 0 || errno == ENOENT) &&
			(unlink(path) == 0 || errno == ENOENT)) ||
		       fail(error, errno, "cannot remove %s", path);
	/* Whole under its name, or not there; see clear_half_made(). */
	if (g_file_set_contents_full(new, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, error) &&
	    (rename(new, path) == 0 || fail(error, errno, "cannot write %s", path)))
		return true;
	(void)unlink(new);
	return false;
}

bool leases_take(const char *dir, const char *kind, const char *name,
		 const struct leases_wish *wish, uint32_t *ret, GError **error)
{
	g_autofree char *path = g_build_filename(dir, kind, NULL);
	g_autoptr(GArray) leases = load(path, error);
	const struct lease *own;
	struct lease l = { 0 };

	if (!leases)
		return false;
	own = find_name(leases, name);
	if (own && may_have(wish, own->number) &&
	    (wish->wanted == LEASES_ANY || wish->wanted == own->number)) {
		*ret = own->number;
		return true;
	}
	forget_name(leases, name);
	if (!choose(leases, wish, &l.number, error))
		return false;
	l.name = g_strdup(name);
	g_array_append_val(leases, l);
	if (!store(path, leases, error))
		return false;
	*ret = l.number;
	return true;
}

bool leases_has(const char *dir, const char *kind, const char *name)
{
	g_autofree char *path = g_build_filename(dir, kind, NULL);
	g_autoptr(GArray) leases = load(path, NULL);

	return !leases || find_name(leases, name);
}

int leases_others(const char *dir, const char *kind, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(dir, kind, NULL);
	g_autoptr(GArray) leases = load(path, error);

	if (!leases)
		return -1;
	forget_name(leases, name);
	return (int)leases->len;
}

bool leases_drop(const char *dir, const char *kind, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(dir, kind, NULL);
	g_autoptr(GArray) leases = load(path, error);
	guint before;

	if (!leases)
		return false;
	before = leases->len;
	forget_name(leases, name);
	return (leases->len == before && before > 0) || store(path, leases, error);
}

char **leases_kinds(const char *dir, const char *prefix)
{
	GPtrArray *kinds = g_ptr_array_new();
	GDir *d = g_dir_open(dir, 0, NULL);
	const char *name;

	while (d && (name = g_dir_read_name(d)))
		if (g_str_has_prefix(name, prefix))
			g_ptr_array_add(kinds, g_strdup(name));
	if (d)
		g_dir_close(d);
	g_ptr_array_add(kinds, NULL);
	return (char **)g_ptr_array_free(kinds, FALSE);
}
