/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/shared.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/state.h"
#include "fs/names.h"
#include "fs/snapshot.h"
#include "util/fd.h"

/* Changes with anything that lies in the file: "lxcfsc", then a number. */
#define MAGIC (UINT64_C(0x6c7863667363) << 16 | 1)

#define PAGE 4096u

/*
 * The biggest file is cpuinfo, some 1.5 KiB a cpu on x86, or the host's own stat with its
 * interrupts.
 */
#define TEXT_SIZE(n_cpus) ((256u << 10) + 4096u * (n_cpus))

static size_t pages(size_t size)
{
	return (size + PAGE - 1) / PAGE * PAGE;
}

/* Sets the pointers, and returns the size; with a NULL base the size alone counts. */
static size_t lay_out(char *base, unsigned n_cpus, uint32_t text_size, struct shared *s)
{
	size_t at = pages(sizeof(struct shared_header));

	s->journal = (void *)(base + at);
	at += pages(SHARED_N_THREADS * sizeof(struct journal_slot));
	s->snapshots = base + at;
	at += pages(snapshots_size(SHARED_N_SNAPSHOTS, text_size));
	s->states = base + at;
	at += pages(state_table_size(SHARED_N_STATES, n_cpus));
	s->names = base + at;
	return at + pages(names_size());
}

static int map(struct shared *s, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	s->header = p;
	s->size = size;
	return 0;
}

int shared_create(unsigned n_cpus, struct shared *ret)
{
	struct shared s = { .fd = memfd_create("lxcfs-clone", MFD_CLOEXEC) };
	size_t size = lay_out(NULL, n_cpus, TEXT_SIZE(n_cpus), &s);
	int r = s.fd < 0 || ftruncate(s.fd, (off_t)size) < 0 ? -errno : map(&s, PAGE);

	if (r < 0) {
		fd_close(&s.fd);
		return r;
	}
	*s.header = (struct shared_header){
		.magic = MAGIC, .size = size, .n_cpus = n_cpus, .text_size = TEXT_SIZE(n_cpus)
	};
	s.journal = NULL;
	s.snapshots = s.states = s.names = NULL;
	*ret = s;
	return 0;
}

int shared_map(int fd, struct shared *ret)
{
	struct shared s = { .fd = fd };
	const struct shared_header *h;
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : map(&s, (size_t)st.st_size);

	if (r < 0)
		return r;
	h = s.header;
	if (h->magic != MAGIC || h->size != s.size || h->init_in_len > sizeof(h->init_in) ||
	    lay_out((char *)s.header, h->n_cpus, h->text_size, &s) != s.size) {
		munmap(s.header, s.size);
		return -EPROTO;
	}
	*ret = s;
	return 0;
}

void shared_clear(struct shared *s)
{
	if (s->header)
		munmap(s->header, s->size);
	fd_close(&s->fd);
	*s = (struct shared){ .fd = -1 };
}
