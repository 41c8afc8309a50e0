/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/spec.h"

static void clear_device(void *data)
{
	struct spec_device *d = data;

	g_free(d->host);
	g_free(d->path);
}

static void clear_mount(void *data)
{
	struct spec_mount *m = data;

	g_free(m->source);
	g_free(m->target);
}

static GArray *array_of(guint size, GDestroyNotify clear)
{
	GArray *a = g_array_new(FALSE, TRUE, size);

	if (clear)
		g_array_set_clear_func(a, clear);
	return a;
}

struct spec *spec_new(void)
{
	struct spec *s = g_new0(struct spec, 1);

	s->limits = (struct cg_limits)CG_LIMITS_INIT;
	s->limits.io = array_of(sizeof(struct cg_io_limit), NULL);
	s->layers = g_ptr_array_new_with_free_func(g_free);
	s->command = g_ptr_array_new_with_free_func(g_free);
	s->env = g_ptr_array_new_with_free_func(g_free);
	s->cap_add = g_ptr_array_new_with_free_func(g_free);
	s->cap_drop = g_ptr_array_new_with_free_func(g_free);
	s->devices = array_of(sizeof(struct spec_device), clear_device);
	s->mounts = array_of(sizeof(struct spec_mount), clear_mount);
	s->ulimits = g_ptr_array_new_with_free_func(g_free);
	s->init = s->bind_lxcfs = true;
	return s;
}

struct spec *spec_free(struct spec *s)
{
	if (!s)
		return NULL;
	g_free(s->limits.cpuset_cpus);
	g_free(s->limits.cpuset_mems);
	g_array_unref(s->limits.io);
	g_array_unref(s->devices);
	g_array_unref(s->mounts);
	g_ptr_array_unref(s->ulimits);
	g_ptr_array_unref(s->layers);
	g_ptr_array_unref(s->command);
	g_ptr_array_unref(s->env);
	g_ptr_array_unref(s->cap_add);
	g_ptr_array_unref(s->cap_drop);
	g_free(s->name);
	g_free(s->lxcfs);
	g_free(s->hostname);
	g_free(s->workdir);
	g_free(s->user);
	g_free(s->pid_file);
	g_free(s->net);
	g_free(s->ip);
	g_free(s->network.bridge);
	g_free(s->seccomp);
	g_free(s);
	return NULL;
}
