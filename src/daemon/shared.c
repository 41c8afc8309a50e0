/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/shared.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/state.h"
#include "fs/names.h"
#include "fs/snapshot.h"
#include "util/fd.h"

/* "lxcfs-cl" */
#define MAGIC UINT64_C(0x6c786366732d636c)

/* Changes with anything that lies in the file behind the header's first part. */
#define VERSION 2

#define PAGE 4096u

_Static_assert(sizeof(struct shared_header) <= PAGE, "the keeper maps one page");

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
	size_t journal, backlog, snapshots, states, names, end;
};

static struct offsets lay_out(unsigned n_cpus, uint32_t text_size)
{
	struct offsets o = { .journal = pages(sizeof(struct shared_header)) };

	o.backlog = o.journal + pages(SHARED_N_THREADS * sizeof(struct journal_slot));
	o.snapshots = o.backlog + pages(sizeof(struct backlog));
	o.states = o.snapshots + pages(snapshots_size(SHARED_N_SNAPSHOTS, text_size));
	o.names = o.states + pages(state_table_size(SHARED_N_STATES, n_cpus));
	o.end = o.names + pages(names_size());
	return o;
}

/* What the keeper looks at: the header, and whether there is something in the journal's slots. */
#define KEEPER_SIZE (PAGE + SHARED_N_THREADS * sizeof(struct journal_slot))

static int map(struct shared *s, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	s->header = p;
	s->journal = (void *)((char *)p + PAGE);
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
		r = map(&s, KEEPER_SIZE);
	if (r != 0) {
		fd_close(&s.fd);
		return r;
	}
	*s.header = (struct shared_header){
		.magic = MAGIC,
		.version = VERSION,
		.size = size,
		.n_cpus = n_cpus,
		.text_size = TEXT_SIZE(n_cpus),
	};
	*ret = s;
	return 0;
}

static bool is_whole(const struct shared_header *h, size_t size)
{
	return h->magic == MAGIC && h->version == VERSION && h->size == size &&
	       lay_out(h->n_cpus, h->text_size).end == size &&
	       h->init_in_len <= sizeof(h->init_in) && h->init_out_len <= sizeof(h->init_out);
}

/* Maps @len bytes of @fd, 0 for all, if it is a file of ours and of this version. */
static int map_checked(int fd, size_t len, struct shared *ret)
{
	struct shared s = { .fd = fd };
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size < KEEPER_SIZE)
		return -EPROTO;
	r = map(&s, len ? len : (size_t)st.st_size);
	if (r != 0)
		return r;
	if (!is_whole(s.header, (size_t)st.st_size)) {
		munmap(s.header, s.size);
		return -EPROTO;
	}
	*ret = s;
	return 0;
}

int shared_resume(int fd, struct shared *ret)
{
	return map_checked(fd, KEEPER_SIZE, ret);
}

int shared_replace(int fd, unsigned n_cpus, struct shared *ret)
{
	struct shared_header old;
	ssize_t n = pread(fd, &old, sizeof(old), 0);
	int r;

	if (n < (ssize_t)offsetof(struct shared_header, n_cpus) || old.magic != MAGIC ||
	    old.init_in_len == 0 || old.init_in_len > sizeof(old.init_in) ||
	    old.init_out_len == 0 || old.init_out_len > sizeof(old.init_out))
		return n < 0 ? -errno : -EPROTO;
	r = shared_create(n_cpus, ret);
	if (r < 0)
		return r;
	ret->header->init_in_len = old.init_in_len;
	ret->header->init_out_len = old.init_out_len;
	memcpy(ret->header->init_in, old.init_in, sizeof(old.init_in));
	memcpy(ret->header->init_out, old.init_out, sizeof(old.init_out));
	atomic_store(&ret->header->lost, 1);
	return 0;
}

int shared_map(int fd, struct shared *ret)
{
	struct offsets o;
	char *base;
	int r = map_checked(fd, 0, ret);

	if (r != 0)
		return r;
	base = (char *)ret->header;
	o = lay_out(ret->header->n_cpus, ret->header->text_size);
	ret->backlog = (void *)(base + o.backlog);
	ret->snapshots = base + o.snapshots;
	ret->states = base + o.states;
	ret->names = base + o.names;
	return 0;
}

void shared_clear(struct shared *s)
{
	if (s->header)
		munmap(s->header, s->size);
	fd_close(&s->fd);
	*s = (struct shared){ .fd = -1 };
}
