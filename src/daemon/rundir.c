/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/rundir.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define RUN_DIR "/run/lxcfs-clone"

/* sockaddr_un has 108 bytes; the directory and a suffix take fewer than the rest. */
#define NAME_MAX_LEN 80

int run_dir_make(void)
{
	return g_mkdir_with_parents(RUN_DIR, 0755) < 0 ? -errno : 0;
}

char *run_path(const char *mountpoint, const char *suffix)
{
	g_autofree char *name = g_uri_escape_string(mountpoint, NULL, FALSE);
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, mountpoint, -1);

	return g_strconcat(RUN_DIR "/", strlen(name) <= NAME_MAX_LEN ? name : sum, suffix, NULL);
}
