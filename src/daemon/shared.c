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

/* Where the parts lie in the file. */
struct offsets {
	size_t journal, snapshots, states, names, end;
};

static struct offsets lay_out(unsigned n_cpus, uint32_t text_size)
{
	struct offsets o = { .journal = pages(sizeof(struct shared_header)) };

	o.snapshots = o.journal + pages(SHARED_N_THREADS * sizeof(struct journal_slot));
	o.states = o.snapshots + pages(snapshots_size(SHARED_N_SNAPSHOTS, text_size));
	o.names = o.states + pages(state_table_size(SHARED_N_STATES, n_cpus));
	o.end = o.names + pages(names_size());
	return o;
}

static int map(struct shared *s, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	s->header = p;
	s->size = size;
	return 0;
}

int shared_create(unsigned n_cpus, struct shared *ret)
{
	struct shared s = { .fd = memfd_create("lxcfs-clone", MFD_CLOEXEC) };
	size_t size = lay_out(n_cpus, TEXT_SIZE(n_cpus)).end;
	int r = s.fd < 0 ? -errno : 0;

	if (r == 0 && ftruncate(s.fd, (off_t)size) < 0)
		r = -errno;
	if (r == 0)
		r = map(&s, PAGE);
	if (r != 0) {
		fd_close(&s.fd);
		return r;
	}
	*s.header = (struct shared_header){
		.magic = MAGIC, .size = size, .n_cpus = n_cpus, .text_size = TEXT_SIZE(n_cpus)
	};
	*ret = s;
	return 0;
}

int shared_map(int fd, struct shared *ret)
{
	struct shared s = { .fd = fd };
	const struct shared_header *h;
	struct offsets o;
	struct stat st;
	char *base;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = map(&s, (size_t)st.st_size);
	if (r != 0)
		return r;
	h = s.header;
	o = lay_out(h->n_cpus, h->text_size);
	if (h->magic != MAGIC || h->size != s.size || o.end != s.size ||
	    h->init_in_len > sizeof(h->init_in)) {
		munmap(s.header, s.size);
		return -EPROTO;
	}
	base = (char *)s.header;
	s.journal = (void *)(base + o.journal);
	s.snapshots = base + o.snapshots;
	s.states = base + o.states;
	s.names = base + o.names;
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
