/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "run/leases.h"
#include "util/fd.h"
#include "util/num.h"

#define KIND "users"

#define SUBUID "/etc/subuid"
#define SUBGID "/etc/subgid"

/*
 * Where ranges are taken from when nobody gives root any, or those are all in use (a container of
 * LXD's may have them all): below 2^31, above what systemd keeps for containers (its nspawn takes
 * ranges of that without a word to anybody) and what distributions and directories hand out to
 * users.
 */
#define FREE_FIRST 0x70000000u
#define FREE_LAST  0x7ffdffffu

/* The kernel allows 340 lines. */
#define MAP_SIZE 16384

/* One line of the files, "NAME:FIRST:COUNT"; root may be written as 0. */
struct line {
	bool root;
	uint64_t first, count;
};

/*
 * Takes the line at *@p, and *@p to the next one. False: the end. What is no such line has count 0.
 */
static bool next_line(const char **p, struct line *ret)
{
	const char *line = *p, *end = strchrnul(line, '\n'), *at = memchr(line, ':', end - line);

	if (!*line)
		return false;
	*p = *end ? end + 1 : end;
	*ret = (struct line){ 0 };
	if (!at)
		return true;
	ret->root = (at - line == 4 && memcmp(line, "root", 4) == 0) ||
		    (at - line == 1 && line[0] == '0');
	at++;
	if (!num_take(&at, &ret->first) || *at++ != ':' || !num_take(&at, &ret->count) ||
	    at != end || ret->first > UINT32_MAX || ret->count > UINT32_MAX)
		ret->count = 0;
	return true;
}

/* How many ranges root has. */
static uint32_t count_of_root(const char *text)
{
	uint64_t n = 0;
	struct line l;

	while (next_line(&text, &l))
		n += l.root ? l.count / USERS_N : 0;
	return (uint32_t)MIN(n, UINT32_MAX / USERS_N);
}

/* Range @number of those of root. */
static bool of_root(const char *text, uint32_t number, uint32_t *ret)
{
	struct line l;

	while (next_line(&text, &l)) {
		uint64_t here = l.root ? l.count / USERS_N : 0;

		if (number < here && l.first + (number + UINT64_C(1)) * USERS_N <= UINT32_MAX) {
			*ret = (uint32_t)(l.first + (uint64_t)number * USERS_N);
			return true;
		}
		number -= (uint32_t)MIN(number, here);
	}
	return false;
}

/* No line of @text has any of the ids from @first on. */
static bool is_free(const char *text, uint32_t first)
{
	struct line l;

	while (next_line(&text, &l))
		if (l.first < (uint64_t)first + USERS_N && first < l.first + l.count)
			return false;
	return true;
}

bool users_range(const char *subuid, const char *subgid, uint32_t number, struct users *ret)
{
	uint32_t n = MIN(count_of_root(subuid), count_of_root(subgid));
	struct users u = { 0 };
	uint64_t first;

	if (number < n) {
		if (!of_root(subuid, number, &u.uid) || !of_root(subgid, number, &u.gid))
			return false;
		*ret = u;
		return true;
	}
	first = FREE_FIRST + (uint64_t)(number - n) * USERS_N;
	if (first + USERS_N - 1 > FREE_LAST || !is_free(subuid, (uint32_t)first) ||
	    !is_free(subgid, (uint32_t)first))
		return false;
	*ret = (struct users){ .uid = (uint32_t)first, .gid = (uint32_t)first };
	return true;
}

bool users_map_has(const char *map, uint32_t first)
{
	uint64_t inside, outside, count;
	const char *p = map;

	for (;;) {
		p += strspn(p, " ");
		if (!num_take(&p, &inside))
			return false;
		p += strspn(p, " ");
		if (!num_take(&p, &outside))
			return false;
		p += strspn(p, " ");
		if (!num_take(&p, &count))
			return false;
		p += strspn(p, "\n");
		/* That ids are what they are outside says nothing of whose they are. */
		if (inside != outside && outside < (uint64_t)first + USERS_N &&
		    first < outside + count)
			return true;
	}
}

/* The maps of all processes that have others than we have, each once; owned. */
static GPtrArray *read_maps(const struct host *host, const char *file)
{
	GPtrArray *maps = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *text = g_malloc(MAP_SIZE), *own = g_malloc0(MAP_SIZE);
	AUTO_FD int fd = openat(host_proc_dir(host), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *proc = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	(void)host_read_self(host, file, own, MAP_SIZE);
	while (proc && (e = readdir(proc))) {
		g_autofree char *path = g_strconcat(e->d_name, "/", file, NULL);

		if (g_ascii_isdigit(e->d_name[0]) &&
		    fd_read_at(host_proc_dir(host), path, text, MAP_SIZE) > 0 &&
		    strcmp(text, own) != 0 &&
		    !g_ptr_array_find_with_equal_func(maps, text, g_str_equal, NULL))
			g_ptr_array_add(maps, g_strdup(text));
	}
	if (proc) {
		(void)fd_steal(&fd);
		closedir(proc);
	}
	return maps;
}

static bool any_has(const GPtrArray *maps, uint32_t first)
{
	for (guint i = 0; i < maps->len; i++)
		if (users_map_has(maps->pdata[i], first))
			return true;
	return false;
}

struct known {
	const char *subuid, *subgid;
	const GPtrArray *uid_maps, *gid_maps;
};

/* What is given to root, other programs of root's take ranges of, too. */
static bool usable(uint32_t number, const void *arg)
{
	const struct known *k = arg;
	struct users u;

	return users_range(k->subuid, k->subgid, number, &u) && !any_has(k->uid_maps, u.uid) &&
	       !any_has(k->gid_maps, u.gid);
}

/* One that is not there gives nobody anything. */
static bool read_file(const char *path, char **ret, GError **error)
{
	g_autoptr(GError) failure = NULL;

	if (g_file_get_contents(path, ret, NULL, &failure))
		return true;
	if (g_error_matches(failure, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		*ret = g_strdup("");
		return true;
	}
	g_propagate_error(error, g_steal_pointer(&failure));
	return false;
}

bool users_take(const struct host *host, const char *dir, const char *name, struct users *ret,
		GError **error)
{
	g_autofree char *subuid = NULL, *subgid = NULL;
	AUTO_FD int lock = leases_lock(dir, KIND, error);
	g_autoptr(GPtrArray) uid_maps = NULL, gid_maps = NULL;
	struct leases_wish wish = { .last = UINT32_MAX / USERS_N,
				    .wanted = LEASES_ANY,
				    .usable = usable };
	struct known known;
	uint32_t number;

	if (lock < 0 || !read_file(SUBUID, &subuid, error) || !read_file(SUBGID, &subgid, error))
		return false;
	uid_maps = read_maps(host, "uid_map");
	gid_maps = read_maps(host, "gid_map");
	known = (struct known){
		.subuid = subuid, .subgid = subgid, .uid_maps = uid_maps, .gid_maps = gid_maps
	};
	wish.arg = &known;
	if (!leases_take(dir, KIND, name, &wish, &number, error)) {
		g_prefix_error(error, "a range of user ids by " SUBUID " and " SUBGID ": ");
		return false;
	}
	return users_range(subuid, subgid, number, ret);
}

bool users_drop(const char *dir, const char *name, GError **error)
{
	AUTO_FD int lock = -1;

	/* Most have none, and need neither wait for those that have nor room for a lock. */
	if (!leases_has(dir, KIND, name))
		return true;
	lock = leases_lock(dir, KIND, error);
	return lock >= 0 && leases_drop(dir, KIND, name, error);
}

static int write_map(const struct host *host, pid_t pid, const char *file, uint32_t first)
{
	g_autofree char *path = g_strdup_printf("%d/%s", (int)pid, file);
	g_autofree char *text = g_strdup_printf("0 %u %u\n", first, USERS_N);

	return fd_write_at(host_proc_dir(host), path, text);
}

bool users_map(const struct host *host, pid_t pid, const struct users *users, GError **error)
{
	int r = write_map(host, pid, "uid_map", users->uid);

	if (r == 0)
		r = write_map(host, pid, "gid_map", users->gid);
	if (r == 0)
		return true;
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-r),
		    "cannot map the container's users to the host's from %u and %u on: %s",
		    users->uid, users->gid, g_strerror(-r));
	return false;
}
