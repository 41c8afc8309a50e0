/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "run/fail.h"
#include "run/remove.h"
#include "util/fd.h"
#include "util/sys.h"

#define DATA_DIR "/var/lib/lxcfs-clone-run"

#define DATA_DIR_IN_MEMORY "/run/lxcfs-clone-run"

static const char *const places[] = { DATA_DIR, DATA_DIR_IN_MEMORY, NULL };

const char *const *rootfs_places(void)
{
	return places;
}

bool rootfs_is_there(const char *name)
{
	for (const char *const *place = places; *place; place++) {
		g_autofree char *path = g_build_filename(*place, name, NULL);
		struct stat st;

		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			return true;
	}
	return false;
}

/* mount(2) takes a page of options. */
#define OPTIONS_MAX 4095

/* "/" and "/var", say: the kernel takes no upper layer that lies in a lower one (ELOOP). */
static bool is_in_layer(const GPtrArray *layers)
{
	for (guint i = 0; i < layers->len; i++) {
		g_autofree char *real = realpath(layers->pdata[i], NULL);
		size_t len = real ? strlen(real) : 0;

		if (len == 1 || (len > 0 && g_str_has_prefix(DATA_DIR, real) &&
				 (DATA_DIR[len] == '/' || DATA_DIR[len] == '\0')))
			return true;
	}
	return false;
}

char *rootfs_data(const char *name, const GPtrArray *layers)
{
	struct statfs fs;
	bool overlay = statfs("/var/lib", &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;

	return g_build_filename(overlay || is_in_layer(layers) ? DATA_DIR_IN_MEMORY : DATA_DIR,
				name, NULL);
}

static bool make_folder(const char *above, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(above, name, NULL);

	return mkdir(path, 0755) == 0 || run_fail(error, errno, "cannot make %s", path);
}

static bool make_file(const char *above, const char *name, const char *text, GError **error)
{
	g_autofree char *path = g_build_filename(above, name, NULL);

	return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, error);
}

static char *hosts_text(const struct spec *spec, const char *address)
{
	return g_strdup_printf("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n%s\t%s\n",
			       address ? address : "127.0.1.1", spec->hostname);
}

/* What /etc/resolv.conf says on the host; without a network nobody asks. */
static char *resolv_text(const struct spec *spec)
{
	char *text = NULL;

	if (spec->network.kind == SPEC_NET_NONE ||
	    !g_file_get_contents("/etc/resolv.conf", &text, NULL, NULL))
		text = g_strdup("");
	return text;
}

/* They need no mapping, which not every file system has. */
static bool give_init_layer(const char *data, const struct users *users, GError **error)
{
	static const char *const paths[] = {
		"init",     "init/etc",          "init/etc/hosts",
		"init/dev", "init/etc/hostname", "init/etc/resolv.conf",
		"init/sys", "init/proc"
	};

	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		g_autofree char *path = g_build_filename(data, paths[i], NULL);

		if (lchown(path, users->uid, users->gid) < 0)
			return run_fail(error, errno, "cannot give %s away", path);
	}
	return true;
}

/* Real folders, on top of the image: a symlink of that name in it leads nowhere. */
static bool make_init_layer(const struct spec *spec, const char *data, const char *address,
			    const struct users *users, GError **error)
{
	static const char *const folders[] = { "init", "init/etc", "init/dev", "init/proc",
					       "init/sys" };
	g_autofree char *hosts = hosts_text(spec, address);
	g_autofree char *hostname = g_strconcat(spec->hostname, "\n", NULL);
	g_autofree char *resolv = resolv_text(spec);

	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
		if (!make_folder(data, folders[i], error))
			return false;
	return make_file(data, "init/etc/hosts", hosts, error) &&
	       make_file(data, "init/etc/hostname", hostname, error) &&
	       make_file(data, "init/etc/resolv.conf", resolv, error) &&
	       (!users || give_init_layer(data, users, error));
}

/* What the overlay's options split at, escaped the way that it takes. */
static void add_layer(GString *options, const char *path)
{
	for (; *path; path++) {
		if (strchr(":,\\", *path))
			g_string_append_c(options, '\\');
		g_string_append_c(options, *path);
	}
}

/* A copy of the mount of @layer, with owners as @userns has them, at @data/lower-N. */
static bool map_layer(const char *layer, const char *data, unsigned n, int userns, char **ret,
		      GError **error)
{
	g_autofree char *name = g_strdup_printf("lower-%u", n);
	g_autofree char *path = g_build_filename(data, name, NULL);
	AUTO_FD int tree = sys_clone_tree(layer);
	AUTO_FD int target = -1;
	int r;

	if (tree < 0)
		return run_fail(error, -tree, "cannot copy the mount of %s", layer);
	r = sys_mount_idmap(tree, userns);
	if (r < 0)
		return run_fail(error, -r,
				"the file system of %s does not let its owners be mapped", layer);
	if (!make_folder(data, name, error))
		return false;
	target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = target < 0 ? -errno : sys_mount_onto(tree, target);
	if (r < 0)
		return run_fail(error, -r, "cannot mount the layer %s", layer);
	*ret = g_steal_pointer(&path);
	return true;
}

static bool add_layers(const struct spec *spec, const char *data, int userns, GString *options,
		       GError **error)
{
	g_string_append_printf(options, "lowerdir=%s/init", data);
	for (guint i = 0; i < spec->layers->len; i++) {
		const char *layer = spec->layers->pdata[i];
		g_autofree char *mapped = NULL;

		if (userns >= 0 && !map_layer(layer, data, i, userns, &mapped, error))
			return false;
		g_string_append_c(options, ':');
		add_layer(options, mapped ? mapped : layer);
	}
	return true;
}

static bool mount_overlay(const struct spec *spec, const char *data, int userns, GError **error)
{
	g_autoptr(GString) options = g_string_new(NULL);
	g_autofree char *merged = g_build_filename(data, "merged", NULL);

	if (!add_layers(spec, data, userns, options, error))
		return false;
	g_string_append_printf(options, ",upperdir=%s/upper,workdir=%s/work", data, data);
	if (options->len > OPTIONS_MAX)
		return run_fail(error, 0, "the names of the layers are too long for an overlay");
	if (mount("overlay", merged, "overlay", 0, options->str) == 0)
		return true;
	if (errno == ELOOP)
		return run_fail(
			error, 0,
			"--rootfs %s: no layer may hold another one, or %s, where what the "
			"container writes goes: name the folders in it, or bind them with -v",
			(const char *)spec->layers->pdata[0], data);
	return run_fail(error, errno, "cannot mount an overlay of %s",
			(const char *)spec->layers->pdata[0]);
}

bool rootfs_make(const struct spec *spec, const char *data, const char *address,
		 const struct users *users, int userns, GError **error)
{
	static const char *const folders[] = { "upper", "work", "merged" };
	g_autofree char *above = g_path_get_dirname(data);
	g_autofree char *upper = g_build_filename(data, "upper", NULL);

	if (g_mkdir_with_parents(above, 0711) < 0)
		return run_fail(error, errno, "cannot make %s", above);
	/* A setuid program that the container makes is nobody's on the host to run. */
	if (mkdir(data, 0710) < 0 || chown(data, 0, users ? users->gid : 0) < 0)
		return run_fail(error, errno, "cannot make %s", data);
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++)
		if (!make_folder(data, folders[i], error))
			return false;
	if (users && chown(upper, users->uid, users->gid) < 0)
		return run_fail(error, errno, "cannot give %s away", upper);
	return make_init_layer(spec, data, address, users, error) &&
	       mount_overlay(spec, data, userns, error);
}

bool rootfs_remove(const char *name, GError **error)
{
	for (const char *const *place = places; *place; place++) {
		AUTO_FD int dir = open(*place, O_PATH | O_DIRECTORY | O_CLOEXEC);
		int r = dir < 0 ? (errno == ENOENT ? 0 : -errno) : remove_tree(dir, name);

		if (r < 0)
			return run_fail(error, -r, "cannot remove %s/%s", *place, name);
	}
	return true;
}
