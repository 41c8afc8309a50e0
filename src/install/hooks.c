/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of our own in folders that engines look at. */
#include <string.h>

#include "bind/instance.h"
#include "install/ways.h"
#include "util/jsontext.h"

/* The arguments of the hook as a JSON array, its own name first. Owned. */
static char *arguments(const struct way_options *o, const char *files)
{
	GString *out = g_string_new("[\"lxcfs-clone-hook\"");

	if (strcmp(o->mountpoint, DEFAULT_MOUNTPOINT) != 0) {
		g_autofree char *point = jsontext_quote(o->mountpoint);

		g_string_append_printf(out, ", \"--mountpoint\", %s", point);
	}
	if (files)
		g_string_append_printf(out, ", \"--files\", \"%s\"", files);
	g_string_append_c(out, ']');
	return g_string_free(out, FALSE);
}

char *hooks_add(const char *base, const struct way_options *o, GError **error)
{
	g_autofree char *args = arguments(o, NULL);

	(void)base;
	if (!way_can_name(o->mountpoint, error))
		return NULL;
	return g_strdup_printf("{\n"
			       "  \"version\": \"1.0.0\",\n"
			       "  \"hook\": {\n"
			       "    \"path\": \"" HOOK_PROGRAM "\",\n"
			       "    \"args\": %s\n"
			       "  },\n"
			       "  \"when\": {\n"
			       "    \"always\": true\n"
			       "  },\n"
			       "  \"stages\": [\"createRuntime\"]\n"
			       "}\n",
			       args);
}

static void add_device(GString *out, const struct way_options *o, const char *name,
		       const char *files)
{
	g_autofree char *args = arguments(o, files);

	g_string_append_printf(out,
			       "    {\n"
			       "      \"name\": \"%s\",\n"
			       "      \"containerEdits\": {\n"
			       "        \"hooks\": [\n"
			       "          {\n"
			       "            \"hookName\": \"createRuntime\",\n"
			       "            \"path\": \"" HOOK_PROGRAM "\",\n"
			       "            \"args\": %s\n"
			       "          }\n"
			       "        ]\n"
			       "      }\n"
			       "    }",
			       name, args);
}

char *cdi_add(const char *base, const struct way_options *o, GError **error)
{
	g_autoptr(GPtrArray) files = way_files();
	GString *out;

	(void)base;
	if (!way_can_name(o->mountpoint, error))
		return NULL;
	out = g_string_new("{\n"
			   "  \"cdiVersion\": \"0.3.0\",\n"
			   "  \"kind\": \"lxcfs-clone.dev/proc\",\n"
			   "  \"devices\": [\n");
	add_device(out, o, "all", NULL);
	for (guint i = 0; i < files->len; i++) {
		const char *path = files->pdata[i];

		const char *name = strrchr(path, '/') + 1;

		g_string_append(out, ",\n");
		add_device(out, o, name, g_str_has_prefix(path, "proc/") ? name : path);
	}
	g_string_append(out, "\n  ]\n}\n");
	return g_string_free(out, FALSE);
}

/* LXC gives the line to a shell. */
char *lxc_add(const char *base, const struct way_options *o, GError **error)
{
	g_autofree char *point = g_shell_quote(o->mountpoint);
	bool usual = strcmp(o->mountpoint, DEFAULT_MOUNTPOINT) == 0;

	(void)base;
	if (!way_can_name(o->mountpoint, error))
		return NULL;
	return g_strdup_printf("# Each container's own /proc and /sys/devices/system: see "
			       "lxcfs-clonectl(8).\n"
			       "lxc.hook.mount = %s%s%s" LXC_PROGRAM "\n",
			       usual ? "" : "env LXCFS_CLONE=", usual ? "" : point,
			       usual ? "" : " ");
}
