/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bind/instance.h"
#include "ctl/checks.h"
#include "install/place.h"
#include "install/plan.h"
#include "util/fd.h"
#include "util/spawn.h"

#define OUTPUT_SIZE ((size_t)1 << 20)
#define WAIT_MS     5000

/* Whether the engine itself has read the file; it is not asked for one that is not the host's. */
static void ask_docker(const struct check *c, const struct way *way, bool told, struct findings *f)
{
	static const char *const argv[] = { "docker", "info", "--format",
					    "{{range $name, $_ := .Runtimes}}<{{$name}}>{{end}}",
					    NULL };
	g_autofree char *out = g_malloc(OUTPUT_SIZE);
	bool knows;

	if (strcmp(c->root, "/") != 0 || spawn_read(argv, WAIT_MS, out, OUTPUT_SIZE) <= 0 ||
	    !strchr(out, '<'))
		return;
	knows = strstr(out, "<" WAY_RUNTIME ">");
	if (told && !knows)
		findings_add(f, FINDING_WARN, way->name, "systemctl reload docker",
			     "dockerd has not read %s yet", way->path);
	else if (!told && knows)
		findings_add(f, FINDING_WARN, way->name, "systemctl restart docker",
			     "dockerd still has the runtime " WAY_RUNTIME ", which %s has no more",
			     way->path);
}

static void ask_containerd(const struct check *c, const struct way *way, bool told,
			   struct findings *f)
{
	g_autofree char *path = g_build_filename(c->root, way->path, NULL);
	const char *const argv[] = { "containerd", "--config", path, "config", "dump", NULL };
	g_autofree char *found = g_find_program_in_path("containerd");
	g_autofree char *out = g_malloc(OUTPUT_SIZE);
	ssize_t n = found && told ? spawn_read(argv, WAIT_MS, out, OUTPUT_SIZE) : 0;

	if (n == -EIO)
		findings_add(f, FINDING_FAIL, way->name, "lxcfs-clonectl uninstall containerd",
			     "containerd does not understand %s", way->path);
	else if (n > 0 && !strstr(out, ".runtimes." WAY_RUNTIME "]"))
		findings_add(f, FINDING_FAIL, way->name, "lxcfs-clonectl uninstall containerd",
			     "containerd finds no runtime of ours in %s", way->path);
}

/* By engine: what it says of the file itself. */
static const struct {
	const char *name;
	void (*ask)(const struct check *c, const struct way *way, bool told, struct findings *f);
} engines[] = {
	{ .name = "docker", .ask = ask_docker },
	{ .name = "containerd", .ask = ask_containerd },
};

static void ask_engine(const struct check *c, const struct way *way, bool told, struct findings *f)
{
	for (size_t i = 0; i < G_N_ELEMENTS(engines); i++)
		if (strcmp(engines[i].name, way->name) == 0)
			engines[i].ask(c, way, told, f);
}

static void judge(const struct check *c, int root, const struct way *way, enum plan_state state,
		  struct findings *f)
{
	bool usual = strcmp(c->mountpoint, DEFAULT_MOUNTPOINT) == 0;
	g_autofree char *install =
		g_strdup_printf("lxcfs-clonectl install %s%s%s", way->name,
				usual ? "" : " --mountpoint ", usual ? "" : c->mountpoint);
	g_autofree char *anew =
		g_strdup_printf("as it was: lxcfs-clonectl uninstall %s && %s", way->name, install);
	g_autofree char *uninstall = g_strdup_printf(
		"install all of lxcfs-clone, or: lxcfs-clonectl uninstall %s", way->name);

	if (state == PLAN_MISSING)
		findings_add(f, FINDING_WARN, way->name, install,
			     "not installed: new containers see the host's files");
	else if (!place_is_program(root, way->program))
		findings_add(f, FINDING_FAIL, way->name, uninstall,
			     "%s has it run %s, which is not there: no container starts", way->path,
			     way->program);
	else if (state == PLAN_CHANGED)
		findings_add(f, FINDING_WARN, way->name, anew,
			     "our part of %s was changed since it was installed", way->path);
	else if (state == PLAN_OTHERWISE)
		findings_add(f, FINDING_WARN, way->name, install,
			     "%s is not as it would be written now", way->path);
	else
		findings_add(f, FINDING_OK, way->name, NULL, "%s: for %s", way->path,
			     way_for_whom(root, way));
	ask_engine(c, way, state != PLAN_MISSING, f);
}

/* An engine that takes no notice is as one that is not there. */
static bool is_of_use(int root, const struct way *way)
{
	g_autofree char *text = NULL;
	bool there = false;

	for (const char *const *sign = way->signs; *sign; sign++)
		there = there || place_exists(root, *sign);
	if (!there || !way->idle || !place_read(root, way->path, &text, NULL) || !text)
		return there;
	return !way->idle(text);
}

void check_engines(const struct check *c, struct findings *f)
{
	const struct way_options options = { .mountpoint = c->mountpoint };
	AUTO_FD int root = open(c->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	unsigned n = 0;

	for (size_t i = 0; root >= 0 && i < n_ways; i++) {
		const struct way *way = &ways[i];
		g_autoptr(GError) error = NULL;
		enum plan_state state;

		if (!is_of_use(root, way))
			continue;
		n++;
		if (plan_state(root, way, &options, &state, &error))
			judge(c, root, way, state, f);
		else
			findings_add(f, FINDING_WARN, way->name, NULL, "%s", error->message);
	}
	if (root < 0)
		findings_add(f, FINDING_FAIL, "engines", NULL, "%s: %s", c->root,
			     g_strerror(errno));
	else if (n == 0)
		findings_add(f, FINDING_WARN, "engines", NULL,
			     "there is none that is known below %s", c->root);
}
