/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/scratch.h"

#include <glib.h>
#include <sys/mman.h>

char *scratch(char **buf, size_t size)
{
	if (!*buf) {
		void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			g_error("no memory for a buffer of %zu bytes", size);
		*buf = p;
	}
	return *buf;
}
