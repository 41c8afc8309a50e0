/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What instances leave for each other below /run: a name for each mount point. */

/* Makes the directory if it is missing. Returns 0 or -errno. */
int run_dir_make(void);

/*
 * The file of @mountpoint that ends with @suffix (".lock"), owned. Short enough for a socket's
 * address, too.
 */
char *run_path(const char *mountpoint, const char *suffix);
