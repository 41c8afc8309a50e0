/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "install/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "install/place.h"
#include "util/fail.h"
#include "util/fd.h"

#define HEAD "lxcfs-clone 1\n"

#define LOCK_TRIES 1000u

#define SUM_LEN 64u

void record_init(struct record *r)
{
	*r = (struct record){ .wrote = g_ptr_array_new_with_free_func(g_free),
			      .parts = g_ptr_array_new_with_free_func(g_free),
			      .users = g_ptr_array_new_with_free_func(g_free),
			      .made = g_ptr_array_new_with_free_func(g_free) };
}

void record_clear(struct record *r)
{
	g_free(r->original);
	g_ptr_array_unref(r->wrote);
	g_ptr_array_unref(r->parts);
	g_ptr_array_unref(r->users);
	g_ptr_array_unref(r->made);
}

static gboolean same(const void *a, const void *b)
{
	return strcmp(a, b) == 0;
}

bool record_has(const struct record *r, const char *user)
{
	return g_ptr_array_find_with_equal_func(r->users, user, same, NULL);
}

void record_add(struct record *r, const char *user)
{
	if (!record_has(r, user))
		g_ptr_array_add(r->users, g_strdup(user));
}

void record_drop(struct record *r, const char *user)
{
	guint i;

	if (g_ptr_array_find_with_equal_func(r->users, user, same, &i))
		g_ptr_array_remove_index(r->users, i);
}

static char *sum_of(const char *text)
{
	return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
}

static bool has_sum(GPtrArray *sums, const char *text)
{
	g_autofree char *sum = text ? sum_of(text) : NULL;

	return sum && g_ptr_array_find_with_equal_func(sums, sum, same, NULL);
}

bool record_fits(const struct record *r, const char *text)
{
	return r->known && has_sum(r->wrote, text);
}

bool record_fits_part(const struct record *r, const char *part)
{
	return r->known && has_sum(r->parts, part);
}

static char *file_of(const char *path, const char *suffix)
{
	g_autofree char *name = g_uri_escape_string(path + 1, NULL, FALSE);

	return g_strdup_printf(RECORD_DIR "/%s.%s", name, suffix);
}

/* One line of a record. Unknown words are a later version's, which knows better. */
static bool take(struct record *r, const char *line, bool *original)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 2);

	if (!words[0] || !words[1])
		return false;
	if (strcmp(words[0], "wrote") == 0 && strlen(words[1]) == SUM_LEN) {
		g_ptr_array_add(r->wrote, g_strdup(words[1]));
	} else if (strcmp(words[0], "part") == 0 && strlen(words[1]) == SUM_LEN) {
		g_ptr_array_add(r->parts, g_strdup(words[1]));
	} else if (strcmp(words[0], "for") == 0) {
		record_add(r, words[1]);
	} else if (strcmp(words[0], "made") == 0 && *words[1] == '/') {
		g_ptr_array_add(r->made, g_strdup(words[1]));
	} else if (strcmp(words[0], "original") == 0) {
		*original = strcmp(words[1], "yes") == 0;
	} else {
		return false;
	}
	return true;
}

static bool parse(struct record *r, const char *text, bool *original)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	if (!g_str_has_prefix(text, HEAD))
		return false;
	for (char **l = lines + 1; *l; l++)
		if (**l && !take(r, *l, original))
			return false;
	return r->wrote->len > 0;
}

bool record_load(int root, const char *path, struct record *ret, GError **error)
{
	g_autofree char *file = file_of(path, "record");
	g_autofree char *before = file_of(path, "original");
	g_autofree char *text = NULL;
	bool original = false;

	if (!place_read(root, file, &text, error))
		return false;
	if (!text)
		return true;
	if (!parse(ret, text, &original)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "%s is no record of ours: without it, take what is ours out of %s by "
			    "hand",
			    file, path);
		return false;
	}
	if (original && !place_read(root, before, &ret->original, error))
		return false;
	if (original && !ret->original) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "%s is gone, which %s told of",
			    before, file);
		return false;
	}
	ret->known = true;
	return true;
}

static void renew(GPtrArray *sums, const char *text, const char *former)
{
	bool stays = g_strcmp0(text, former) != 0 && has_sum(sums, former);

	g_ptr_array_set_size(sums, 0);
	g_ptr_array_add(sums, sum_of(text));
	if (stays)
		g_ptr_array_add(sums, sum_of(former));
}

void record_wrote(struct record *r, const char *text, const char *former)
{
	renew(r->wrote, text, former);
}

void record_wrote_part(struct record *r, const char *part, const char *former)
{
	renew(r->parts, part, former);
}

static void add_lines(GString *text, const char *word, const GPtrArray *values)
{
	for (guint i = 0; i < values->len; i++)
		g_string_append_printf(text, "%s %s\n", word, (char *)values->pdata[i]);
}

/* The record last: it tells of a text that is there by then. */
bool record_save(int root, const char *path, const struct record *r, GError **error)
{
	g_autofree char *file = file_of(path, "record");
	g_autofree char *before = file_of(path, "original");
	g_autoptr(GString) text = g_string_new(HEAD);

	add_lines(text, "wrote", r->wrote);
	add_lines(text, "part", r->parts);
	g_string_append_printf(text, "original %s\n", r->original ? "yes" : "no");
	add_lines(text, "for", r->users);
	add_lines(text, "made", r->made);
	if (r->original && !place_write(root, before, r->original, 0600, error))
		return false;
	return place_write(root, file, text->str, 0600, error);
}

bool record_remove(int root, const char *path, GError **error)
{
	g_autofree char *file = file_of(path, "record");
	g_autofree char *before = file_of(path, "original");

	place_tidy(root, file);
	place_tidy(root, before);
	return place_remove(root, file, error) && place_remove(root, before, error);
}

bool record_exists(int root, const char *path)
{
	g_autofree char *file = file_of(path, "record");
	g_autofree char *before = file_of(path, "original");

	return place_exists(root, file) || place_exists(root, before);
}

char *record_keep(int root, const char *path, const char *text, GError **error)
{
	g_autofree char *kept = file_of(path, "changed");

	return place_write(root, kept, text, 0600, error) ? g_steal_pointer(&kept) : NULL;
}

/* The folder goes with the last record: whoever waited for it then waits for the next one. */
static int lock_folder(int root, GError **error)
{
	AUTO_FD int folder = place_folder(root, RECORD_DIR, 0700, error);
	AUTO_FD int fd = -1;
	struct stat st;

	if (folder < 0)
		return -1;
	fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
		return fd_steal(&fd);
	fail(error, fd >= 0 ? EAGAIN : errno, "cannot lock " RECORD_DIR);
	return -1;
}

int record_lock(int root, GError **error)
{
	for (unsigned i = 0;; i++) {
		g_autoptr(GError) why = NULL;
		int fd = lock_folder(root, &why);

		if (fd >= 0)
			return fd;
		if (i == LOCK_TRIES || !(g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT) ||
					 g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_AGAIN))) {
			g_propagate_error(error, g_steal_pointer(&why));
			return -1;
		}
	}
}

void record_unlock(int root, int *fd)
{
	place_remove_folder(root, RECORD_DIR);
	fd_close(fd);
}
