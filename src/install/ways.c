/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "install/ways.h"

#include <string.h>

#include "fs/vfile.h"
#include "install/place.h"

#define BIN(name)                                                                                  \
	"/usr/bin/" name, "/usr/sbin/" name, "/usr/local/bin/" name, "/usr/local/sbin/" name

#define HOOKS_FILE "/usr/share/containers/oci/hooks.d/lxcfs-clone.json"

static const char *const podman_signs[] = { BIN("podman"), NULL };
static const char *const crio_signs[] = { BIN("crio"), "/etc/crio", NULL };
static const char *const docker_signs[] = { BIN("dockerd"), "/etc/docker/daemon.json", NULL };
static const char *const cdi_signs[] = { BIN("podman"), BIN("dockerd"), BIN("crio"), "/etc/cdi",
					 NULL };
static const char *const lxc_signs[] = { BIN("lxc-start"), "/usr/share/lxc/config/common.conf.d",
					 NULL };
static const char *const containerd_signs[] = { "/etc/containerd/config.toml", NULL };

const struct way ways[] = {
	{ .name = "podman",
	  .path = HOOKS_FILE,
	  .program = HOOK_PROGRAM,
	  .whom = WAY_EVERY,
	  .add = hooks_add,
	  .signs = podman_signs },
	{ .name = "crio",
	  .path = HOOKS_FILE,
	  .program = HOOK_PROGRAM,
	  .whom = WAY_EVERY,
	  .add = hooks_add,
	  .signs = crio_signs },
	{ .name = "docker",
	  .path = "/etc/docker/daemon.json",
	  .program = RUNTIME_PROGRAM,
	  .whom = "docker run --runtime " WAY_RUNTIME,
	  .add = docker_add,
	  .strip = docker_strip,
	  .makes_default = docker_makes_default,
	  .part = docker_part,
	  .has_arguments = docker_has_arguments,
	  .signs = docker_signs,
	  .then = "dockerd must read it: systemctl reload docker",
	  /* With a reload it forgets no runtime. */
	  .then_without = "dockerd must forget it: systemctl restart docker (containers that were "
			  "made with it do not start again: make those anew)" },
	{ .name = "cdi",
	  .path = "/etc/cdi/lxcfs-clone.json",
	  .program = HOOK_PROGRAM,
	  .whom = "--device lxcfs-clone.dev/proc=all",
	  .add = cdi_add,
	  .signs = cdi_signs,
	  .then_without = "containers that were made with it do not start again: make those anew" },
	{ .name = "lxc",
	  .path = "/usr/share/lxc/config/common.conf.d/50-lxcfs-clone.conf",
	  .program = LXC_PROGRAM,
	  .whom = WAY_EVERY,
	  .add = lxc_add,
	  .signs = lxc_signs },
	{ .name = "containerd",
	  .path = "/etc/containerd/config.toml",
	  .program = RUNTIME_PROGRAM,
	  .whom = "pods of a RuntimeClass with the handler " WAY_RUNTIME,
	  .add = containerd_add,
	  .strip = containerd_strip,
	  .part = containerd_part,
	  .idle = containerd_idle,
	  .signs = containerd_signs,
	  .then = "containerd must read it: systemctl restart containerd",
	  .then_without = "containerd must forget it: systemctl restart containerd" },
};

const size_t n_ways = G_N_ELEMENTS(ways);
G_STATIC_ASSERT(G_N_ELEMENTS(ways) <= G_N_ELEMENTS(((struct way_set *)NULL)->way));

void way_set_add(struct way_set *set, const struct way *way)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->way[i] == way)
			return;
	set->way[set->n++] = way;
}

const struct way *way_find(const char *name)
{
	for (size_t i = 0; i < n_ways; i++)
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	return NULL;
}

const char *way_for_whom(int root, const struct way *way)
{
	g_autofree char *text = NULL;

	if (way->makes_default && place_read(root, way->path, &text, NULL) && text &&
	    way->makes_default(text))
		return WAY_EVERY;
	return way->whom;
}

GPtrArray *way_files(void)
{
	GPtrArray *files = g_ptr_array_new_with_free_func(g_free);

	/* What is below a tree of the host's comes with it. */
	for (size_t i = 0; i < n_vfiles; i++)
		if (vfiles[i].host_tree ||
		    (vfiles[i].generate && g_str_has_prefix(vfiles[i].path, "proc/")))
			g_ptr_array_add(files, g_strdup(vfiles[i].path));
	return files;
}

bool way_can_name(const char *mountpoint, GError **error)
{
	bool ok = g_utf8_validate(mountpoint, -1, NULL);

	for (const char *p = mountpoint; *p; p++)
		ok = ok && !g_ascii_iscntrl(*p);
	if (!ok)
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "it cannot have the name of this mount point");
	return ok;
}
