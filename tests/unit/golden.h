/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What the tests of views stand on: texts that were rendered, golden files to compare them with,
 * and a request of the container that a recorded host has. GOLDEN_WRITE=1 writes the golden files
 * anew; read the difference before it is kept.
 */
#include "fixture.h"

#include "container/container.h"
#include "host/host.h"
#include "util/text.h"
#include "view/request.h"

#define OUTPUT_SIZE ((size_t)4 << 20)

FIXTURE_UNUSED static struct text output_begin(void)
{
	struct text t;

	text_init(&t, g_malloc(OUTPUT_SIZE), OUTPUT_SIZE);
	return t;
}

/* What was written, as an owned string; @t is done with. */
FIXTURE_UNUSED static char *output_end(struct text *t)
{
	char *s;

	assert_int_equal(text_result(t), 0);
	assert_true(t->len < t->size);
	s = g_strndup(t->buf, t->len);
	assert_int_equal(strlen(s), t->len);
	g_free(t->buf);
	return s;
}

/* @path is below the fixtures. */
FIXTURE_UNUSED static void assert_golden(const char *path, const char *text)
{
	g_autofree char *full = fixture_path(path);
	g_autofree char *want = NULL;

	if (g_getenv("GOLDEN_WRITE"))
		assert_true(g_file_set_contents(full, text, -1, NULL));
	want = fixture_read(path);
	assert_string_equal(text, want);
}

/* A container of a recorded host, as a view is asked for it. */
struct scene {
	struct lab lab;
	struct host *host;
	struct container ct;
	struct view_options options;
	struct request req;
};

/* The container with the cgroups @roots (as /proc/PID/cgroup has them) of @cgroups, on @host. */
FIXTURE_UNUSED static void scene_make(struct scene *s, const char *host, const char *cgroups,
				      const char *roots)
{
	g_autofree char *root = fixture_path(host);

	*s = (struct scene){ .options = { .cpu_quota = true, .swap = true, .loadavg = true } };
	lab_open(&s->lab, cgroups);
	assert_int_equal(host_open(root, &s->host), 0);
	assert_int_equal(held_open(s->lab.tree, s->lab.layout, roots, &s->ct.held), 0);
	s->ct.init = 1000;
	s->req = (struct request){
		.host = s->host, .ct = &s->ct, .pid = 1000, .options = &s->options
	};
}

/* The container that was recorded with the host. */
FIXTURE_UNUSED static void scene_open(struct scene *s, const char *host)
{
	g_autofree char *path = g_build_filename(host, "proc/1000/cgroup", NULL);
	g_autofree char *roots = fixture_read(path);

	scene_make(s, host, host, roots);
}

FIXTURE_UNUSED static void scene_end(struct scene *s)
{
	held_clear(&s->ct.held);
	host_free(s->host);
	lab_end(&s->lab);
}
