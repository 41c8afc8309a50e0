/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/table.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bind/instance.h"
#include "util/sys.h"

#define FIRST_SIZE ((size_t)16 << 10)

struct reader {
	char *buf;
	size_t size, len;
	unsigned n_lines;
	bool skip; /* in the midst of a line that is too long */
};

/* Takes the whole lines out of the buffer. Returns false when @fn has had enough. */
static bool take_lines(struct reader *r, table_fn *fn, void *arg)
{
	char *line = r->buf, *end;
	struct mountinfo m;
	bool more = true;

	while (more && (end = memchr(line, '\n', r->len - (size_t)(line - r->buf)))) {
		*end = '\0';
		if (!r->skip && mountinfo_parse(line, &m) == 0)
			more = fn(&m, arg);
		r->skip = false;
		r->n_lines++;
		line = end + 1;
	}
	r->len -= (size_t)(line - r->buf);
	memmove(r->buf, line, r->len);
	return more && r->n_lines < TABLE_LINES_MAX;
}

/* Room for more of the line that fills the buffer, or none is kept of it. */
static void make_room(struct reader *r)
{
	if (r->len < r->size)
		return;
	if (r->size >= TABLE_LINE_MAX) {
		r->skip = true;
		r->len = 0;
		return;
	}
	r->size *= 2;
	r->buf = g_realloc(r->buf, r->size);
}

int table_each(int fd, uint64_t deadline_ms, table_fn *fn, void *arg)
{
	struct reader r = { .buf = g_malloc(FIRST_SIZE), .size = FIRST_SIZE };
	int result = 0;

	for (;;) {
		ssize_t n;

		make_room(&r);
		n = read(fd, r.buf + r.len, r.size - r.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			result = n < 0 ? -errno : 0;
			break;
		}
		r.len += (size_t)n;
		if (!take_lines(&r, fn, arg))
			break;
		if (sys_coarse_ms() > deadline_ms) {
			result = -ETIME;
			break;
		}
	}
	g_free(r.buf);
	return result;
}

static void bound_free(void *data)
{
	struct bound *b = data;

	g_free(b->root);
	g_free(b->point);
	g_free(b);
}

struct collect {
	const struct ours *ours;
	GPtrArray *found;
	GArray *private; /* uint64_t: the ids of those without peers and master, ours or not */
};

static bool is_private(const struct mountinfo *m)
{
	return !m->peers && !m->master;
}

/* What is mounted on something comes behind it, but for what was moved there. */
static void note_cover(const GPtrArray *found, const struct mountinfo *m)
{
	for (size_t i = 0; i < found->len; i++) {
		struct bound *b = found->pdata[i];

		if (b->id == m->parent && strcmp(b->point, m->point) == 0)
			b->covered = true;
	}
}

static bool collect_one(const struct mountinfo *m, void *arg)
{
	const struct collect *c = arg;
	struct bound *b;

	if (is_private(m))
		g_array_append_val(c->private, m->id);
	if (strcmp(m->fstype, INSTANCE_FS_TYPE) != 0 || strcmp(m->source, c->ours->source) != 0) {
		note_cover(c->found, m);
		return true;
	}
	b = g_new(struct bound, 1);
	*b = (struct bound){ .id = m->id,
			     .parent = m->parent,
			     .peers = m->peers,
			     .attrs = mountinfo_attrs(m->options),
			     .root = g_strdup(m->root),
			     .point = g_strdup(m->point),
			     .live = c->ours->serving && m->major == c->ours->major &&
				     m->minor == c->ours->minor,
			     .alone = is_private(m) };
	g_ptr_array_add(c->found, b);
	return c->found->len < TABLE_OURS_MAX;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Parents may come behind in the table, or, outside of the root directory, not at all. */
static void look_at_parents(const struct collect *c)
{
	if (c->found->len)
		g_array_sort(c->private, compare_ids);
	for (size_t i = 0; i < c->found->len; i++) {
		struct bound *b = c->found->pdata[i];

		b->alone = b->alone &&
			   g_array_binary_search(c->private, &b->parent, compare_ids, NULL);
	}
}

int table_ours(int fd, const struct ours *ours, uint64_t deadline_ms, GPtrArray **ret)
{
	struct collect c = { .ours = ours,
			     .found = g_ptr_array_new_with_free_func(bound_free),
			     .private = g_array_new(FALSE, FALSE, sizeof(uint64_t)) };
	int r = table_each(fd, deadline_ms, collect_one, &c);

	look_at_parents(&c);
	g_array_unref(c.private);
	if (r < 0) {
		g_ptr_array_unref(c.found);
		return r;
	}
	*ret = c.found;
	return 0;
}

const struct bound *table_below(const GPtrArray *bounds, const struct bound *top)
{
	for (size_t i = 0; i < bounds->len; i++) {
		const struct bound *b = bounds->pdata[i];

		if (b->id == top->parent && b != top && strcmp(b->point, top->point) == 0)
			return b;
	}
	return NULL;
}

bool table_is_top(const GPtrArray *bounds, const struct bound *bound)
{
	for (size_t i = 0; i < bounds->len; i++) {
		const struct bound *b = bounds->pdata[i];

		if (b->parent == bound->id && b != bound && strcmp(b->point, bound->point) == 0)
			return false;
	}
	return true;
}
