/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "slots.h"

#include <err.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

struct slot *slots_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *slots;

	if (fd < 0)
		err(1, "%s", path);
	slots = mmap(NULL, WITNESS_SLOTS * sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED,
		     fd, 0);
	if (slots == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	return slots;
}
