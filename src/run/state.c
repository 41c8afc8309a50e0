/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/fail.h"
#include "run/remove.h"
#include "run/rootfs.h"
#include "run/values.h"
#include "util/fd.h"
#include "util/sys.h"

#define RECORD      "state.json"
#define RECORD_NEW  "state.json.new"
#define RECORD_SIZE ((size_t)4 << 20)
#define LOCK        "lock"

/* The name of no container. */
#define ALL_LOCK STATE_DIR "/.lock"

void state_place_close(struct state_place *place)
{
	fd_close(&place->dir);
	fd_close(&place->lock);
}

static struct state_place steal(struct state_place *place)
{
	struct state_place p = *place;

	*place = (struct state_place)STATE_PLACE_INIT;
	return p;
}

/* Held while places are made and taken, so that nobody removes one that is being made. */
static bool lock_all(int *ret, GError **error)
{
	AUTO_FD int fd = -1;

	/* The daemon's files lie in the upper one, too. */
	if (g_mkdir_with_parents(RUN_DIR, 0755) < 0 ||
	    (mkdir(STATE_DIR, 0700) < 0 && errno != EEXIST))
		return run_fail(error, errno, "cannot make " STATE_DIR);
	fd = open(ALL_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return run_fail(error, errno, "cannot open " ALL_LOCK);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return run_fail(error, errno, "cannot lock " ALL_LOCK);
	*ret = fd_steal(&fd);
	return true;
}

static int open_place(const char *name, struct state_place *ret)
{
	g_autofree char *path = g_build_filename(STATE_DIR, name, NULL);
	AUTO_PLACE struct state_place p = STATE_PLACE_INIT;

	p.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p.dir < 0)
		return -errno;
	p.lock = openat(p.dir, LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (p.lock < 0 && errno != ENOENT)
		return -errno;
	*ret = steal(&p);
	return 0;
}

/* Of the open file, not of the process: a fork that still has it holds it too. */
static int lock_file(int fd, int command, struct flock *lock)
{
	*lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
	return fcntl(fd, command, lock) < 0 ? -errno : 0;
}

bool state_is_held(const struct state_place *place)
{
	struct flock lock;

	return lock_file(place->lock, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/*
 * With everything locked. A killed launcher may not have got as far as to make the file, a killed
 * rm may have removed the one that we have.
 */
static int lock_place(struct state_place *place)
{
	struct flock lock;
	struct stat st;

	if (place->lock >= 0 && fstat(place->lock, &st) == 0 && st.st_nlink == 0)
		fd_close(&place->lock);
	if (place->lock < 0)
		place->lock =
			openat(place->dir, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return place->lock < 0 ? -errno : lock_file(place->lock, F_OFD_SETLK, &lock);
}

bool state_take(struct state_place *place, unsigned wait_ms)
{
	uint64_t end = sys_coarse_ms() + wait_ms;

	for (;;) {
		AUTO_FD int all = -1;

		if (lock_all(&all, NULL) && lock_place(place) == 0)
			return true;
		if (sys_coarse_ms() >= end)
			return false;
		fd_close(&all);
		g_usleep(5000);
	}
}

/* With everything locked. */
static int remove_place(const char *name)
{
	AUTO_FD int dir = open(STATE_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -errno : remove_tree(dir, name);
}

static bool fill_place(const struct state *state, struct state_place *ret, GError **error)
{
	AUTO_PLACE struct state_place p = STATE_PLACE_INIT;
	int r = open_place(state->name, &p);

	if (r == 0)
		r = lock_place(&p);
	if (r < 0)
		return run_fail(error, -r, "cannot lock " STATE_DIR "/%s", state->name);
	if (!state_save(&p, state, error))
		return false;
	*ret = steal(&p);
	return true;
}

bool state_create(const struct state *state, struct state_place *ret, GError **error)
{
	g_autofree char *path = g_build_filename(STATE_DIR, state->name, NULL);
	AUTO_FD int all = -1;

	if (!lock_all(&all, error))
		return false;
	if (access(path, F_OK) == 0 || rootfs_is_there(state->name))
		return run_fail(error, 0, "there is a container '%s' already ('rm %s' removes it)",
				state->name, state->name);
	if (mkdir(path, 0700) < 0)
		return run_fail(error, errno, "cannot make %s", path);
	if (fill_place(state, ret, error))
		return true;
	(void)remove_place(state->name);
	return false;
}

static bool write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text += n;
		len -= (size_t)n;
	}
	return true;
}

bool state_save(const struct state_place *place, const struct state *state, GError **error)
{
	g_autofree char *text = state_to_json(state);
	AUTO_FD int fd = -1;

	/* What state_load() could not read would be a container that nobody can stop. */
	if (strlen(text) >= RECORD_SIZE)
		return run_fail(error, 0, "the command line is too long for the record of '%s'",
				state->name);
	fd = openat(place->dir, RECORD_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0 || !write_all(fd, text, strlen(text)) ||
	    renameat(place->dir, RECORD_NEW, place->dir, RECORD) < 0)
		return run_fail(error, errno, "cannot write the record of '%s'", state->name);
	return true;
}

/*
 * The records are in memory, own files may be on the disk. Whoever removes both takes the record
 * last, so that files without one are those of an earlier boot.
 */
static bool make_place_of_left(const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(STATE_DIR, name, NULL);
	AUTO_FD int all = -1;

	return lock_all(&all, error) &&
	       (!rootfs_is_there(name) || mkdir(path, 0700) == 0 || errno == EEXIST ||
		run_fail(error, errno, "cannot make %s", path));
}

bool state_open(const char *name, struct state_place *ret, GError **error)
{
	bool valid = values_is_name(name);
	int r = valid ? open_place(name, ret) : -ENOENT;

	if (r == -ENOENT && valid && rootfs_is_there(name)) {
		if (!make_place_of_left(name, error))
			return false;
		r = open_place(name, ret);
	}
	if (r == -ENOENT)
		return run_fail(error, 0, "there is no container '%.64s'", name);
	return r == 0 || run_fail(error, -r, "cannot open " STATE_DIR "/%s", name);
}

bool state_load(const struct state_place *place, const char *name, struct state *ret,
		GError **error)
{
	g_autofree char *text = g_malloc(RECORD_SIZE);
	ssize_t n = fd_read_at(place->dir, RECORD, text, RECORD_SIZE);
	g_autofree char *unborn = NULL;

	if (n == -ENOENT) {
		unborn =
			g_strdup_printf("{\"name\":\"%s\",\"phase\":\"" STATE_CREATING "\"}", name);
		return state_from_json(unborn, ret, error);
	}
	if (n < 0)
		return run_fail(error, (int)-n, "cannot read the record of '%s'", name);
	if (state_from_json(text, ret, error))
		return true;
	g_prefix_error(error, "the record of '%s': ", name);
	return false;
}

bool state_remove(const char *name, GError **error)
{
	AUTO_FD int all = -1;
	int r;

	if (!lock_all(&all, error))
		return false;
	r = remove_place(name);
	return r == 0 || run_fail(error, -r, "cannot remove " STATE_DIR "/%s", name);
}

bool state_is_gone(const struct state_place *place, const char *name)
{
	g_autofree char *path = g_build_filename(STATE_DIR, name, NULL);
	struct stat here, there;

	return lstat(path, &there) < 0 || fstat(place->dir, &here) < 0 ||
	       here.st_ino != there.st_ino || here.st_dev != there.st_dev;
}

static int compare(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_names(const char *folder, bool (*is_one)(const char *name), GPtrArray *names)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir)))
		if (values_is_name(name) && is_one(name) &&
		    !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
			g_ptr_array_add(names, g_strdup(name));
}

char **state_names(void)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();

	add_names(STATE_DIR, values_is_name, names);
	for (const char *const *place = rootfs_places(); *place; place++)
		add_names(*place, rootfs_is_there, names);
	g_ptr_array_sort(names, compare);
	g_ptr_array_add(names, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}
