/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "util/fd.h"
#include "util/num.h"

/* What a controller is called: in v1's mount options, in v2's cgroup.controllers. */
static const struct {
	const char *v1;
	const char *v2; /* NULL: every v2 cgroup has its files, without a controller */
} names[CG_N_ALL_CONTROLLERS] = {
	[CG_CPU] = { .v1 = "cpu", .v2 = "cpu" },
	[CG_CPUACCT] = { .v1 = "cpuacct", .v2 = NULL },
	[CG_CPUSET] = { .v1 = "cpuset", .v2 = "cpuset" },
	[CG_MEMORY] = { .v1 = "memory", .v2 = "memory" },
	[CG_IO] = { .v1 = "blkio", .v2 = "io" },
	[CG_HUGETLB] = { .v1 = "hugetlb", .v2 = "hugetlb" },
	[CG_PIDS] = { .v1 = "pids", .v2 = "pids" },
	[CG_DEVICES] = { .v1 = "devices", .v2 = NULL },
	[CG_FREEZER] = { .v1 = "freezer", .v2 = NULL },
};

/* One line of mountinfo (proc(5)), its fields owned and unescaped. */
struct mount {
	dev_t dev;
	char *root;
	char *point;
	char *type;
	char **super_options;
};

static void mount_clear(struct mount *m)
{
	g_free(m->root);
	g_free(m->point);
	g_free(m->type);
	g_strfreev(m->super_options);
}

/* The kernel writes blank, tab, newline and backslash as \040 and so on. */
static char *unescape(const char *field)
{
	return g_strcompress(field);
}

static bool mount_parse(const char *line, struct mount *ret)
{
	g_auto(GStrv) f = g_strsplit(line, " ", -1);
	guint n = g_strv_length(f), dash = 6;
	uint64_t major, minor;
	const char *p;

	while (dash < n && strcmp(f[dash], "-") != 0)
		dash++;
	if (dash + 3 >= n)
		return false;
	p = f[2];
	if (!num_take(&p, &major) || *p++ != ':' || !num_parse(p, &minor))
		return false;
	*ret = (struct mount){
		.dev = makedev((unsigned)major, (unsigned)minor),
		.root = unescape(f[3]),
		.point = unescape(f[4]),
		.type = g_strdup(f[dash + 1]),
		.super_options = g_strsplit(f[dash + 3], ",", -1),
	};
	return true;
}

static int open_mount(const struct mount *m, int root_fd, bool verify)
{
	AUTO_FD int fd = openat(root_fd, m->point + strspn(m->point, "/"),
				O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || (verify && st.st_dev != m->dev))
		return -1;
	return fd_steal(&fd);
}

/*
 * The id of the hierarchy on the line of /proc/self/cgroup that names one of @options (v1), or of
 * the line without names (v2, whose id is 0).
 */
static bool find_id(const char *cgroup, char **options, unsigned *ret)
{
	g_auto(GStrv) lines = g_strsplit(cgroup, "\n", -1);

	for (char **line = lines; *line; line++) {
		g_auto(GStrv) f = g_strsplit(*line, ":", 3);
		uint64_t id;

		if (g_strv_length(f) < 3 || !num_parse(f[0], &id))
			continue;
		if (!options) {
			if (id == 0)
				return *ret = 0, true;
			continue;
		}
		g_auto(GStrv) controllers = g_strsplit(f[1], ",", -1);

		for (char **c = controllers; *c; c++)
			if (**c && g_strv_contains((const char *const *)options, *c))
				return *ret = (unsigned)id, true;
	}
	return false;
}

/* Of several mounts of one hierarchy the one that shows all of it is taken, else the first. */
static struct cg_hierarchy *place_for(struct cg_layout *l, unsigned id, const char *root)
{
	for (size_t i = 0; i < l->n_hierarchies; i++) {
		struct cg_hierarchy *h = &l->hierarchies[i];

		if (h->id != id)
			continue;
		if (strcmp(h->root, "/") == 0 || strcmp(root, "/") != 0)
			return NULL;
		fd_close(&h->dir);
		g_free(h->root);
		return h;
	}
	return l->n_hierarchies < CG_MAX_HIERARCHIES ? &l->hierarchies[l->n_hierarchies++] : NULL;
}

static void add_hierarchy(struct cg_layout *l, const struct mount *m, const char *cgroup,
			  int root_fd, bool verify)
{
	enum cg_version version = strcmp(m->type, "cgroup2") == 0 ? CG_V2 : CG_V1;
	AUTO_FD int dir = open_mount(m, root_fd, verify);
	struct cg_hierarchy *h;
	unsigned id;

	if (dir < 0 || !find_id(cgroup, version == CG_V2 ? NULL : m->super_options, &id))
		return;
	h = place_for(l, id, m->root);
	if (!h)
		return;
	*h = (struct cg_hierarchy){
		.id = id, .version = version, .dir = fd_steal(&dir), .root = g_strdup(m->root)
	};
	for (size_t c = 0; version == CG_V1 && c < CG_N_ALL_CONTROLLERS; c++)
		if (g_strv_contains((const char *const *)m->super_options, names[c].v1))
			l->controllers[c] = (int)(h - l->hierarchies);
}

/* The v2 hierarchy has every controller that its root offers and no v1 hierarchy took. */
static void assign_v2(struct cg_layout *l)
{
	for (size_t i = 0; i < l->n_hierarchies; i++) {
		char text[1024] = "";

		if (l->hierarchies[i].version != CG_V2)
			continue;
		if (fd_read_at(l->hierarchies[i].dir, "cgroup.controllers", text, sizeof(text)) < 0)
			text[0] = '\0';
		g_auto(GStrv) offered = g_strsplit(g_strchomp(text), " ", -1);

		for (size_t c = 0; c < CG_N_ALL_CONTROLLERS; c++)
			if (l->controllers[c] < 0 &&
			    (!names[c].v2 ||
			     g_strv_contains((const char *const *)offered, names[c].v2)))
				l->controllers[c] = (int)i;
	}
}

int cg_layout_detect(const char *mountinfo, const char *cgroup, int root_fd, bool verify,
		     struct cg_layout **ret)
{
	struct cg_layout *l = g_new0(struct cg_layout, 1);
	g_auto(GStrv) lines = g_strsplit(mountinfo, "\n", -1);

	for (size_t c = 0; c < CG_N_ALL_CONTROLLERS; c++)
		l->controllers[c] = -1;
	for (char **line = lines; *line; line++) {
		struct mount m;

		if (!mount_parse(*line, &m))
			continue;
		if (strcmp(m.type, "cgroup") == 0 || strcmp(m.type, "cgroup2") == 0)
			add_hierarchy(l, &m, cgroup, root_fd, verify);
		mount_clear(&m);
	}
	assign_v2(l);
	*ret = l;
	return 0;
}

struct cg_layout *cg_layout_free(struct cg_layout *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->n_hierarchies; i++) {
		fd_close(&l->hierarchies[i].dir);
		g_free(l->hierarchies[i].root);
	}
	g_free(l);
	return NULL;
}

const char *cg_controller_name(const struct cg_layout *l, enum cg_controller c)
{
	int i = l->controllers[c];
	bool v1 = (i >= 0 && l->hierarchies[i].version == CG_V1) || !names[c].v2;

	return v1 ? names[c].v1 : names[c].v2;
}

void cg_places_parse(const struct cg_layout *l, const char *text,
		     struct cg_place ret[CG_MAX_HIERARCHIES])
{
	memset(ret, 0, CG_MAX_HIERARCHIES * sizeof(*ret));
	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n'), *p = line;
		uint64_t id;

		if (num_take(&p, &id) && *p == ':') {
			const char *path = memchr(p + 1, ':', (size_t)(end - p - 1));

			for (size_t i = 0; path && i < l->n_hierarchies; i++)
				if (l->hierarchies[i].id == id)
					ret[i] = (struct cg_place){
						.path = path + 1, .len = (size_t)(end - path - 1)
					};
		}
		line = *end ? end + 1 : end;
	}
}

bool cg_place_is_root(struct cg_place place)
{
	return place.len == 1 && place.path[0] == '/';
}

bool cg_place_is_below(struct cg_place below, struct cg_place above)
{
	if (!below.path || !above.path)
		return false;
	if (cg_place_is_root(above))
		return true;
	return below.len >= above.len && memcmp(below.path, above.path, above.len) == 0 &&
	       (below.len == above.len || below.path[above.len] == '/');
}
