/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/shared.h"

#include <errno.h>
#include <glib.h>
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

/* A bit a part that tests have in another version. */
#ifndef TEST_CHANGED
#define TEST_CHANGED 0u
#endif

/*
 * Each changes with anything that lies in the part. Of the names it had better not: the kernel
 * keeps their numbers, and without them the next start has to mount anew.
 */
static const uint32_t versions[SHARED_N_PARTS] = {
	[SHARED_HEADER] = 2,    [SHARED_JOURNAL] = 1, [SHARED_BACKLOG] = 2,
	[SHARED_SNAPSHOTS] = 2, [SHARED_STATES] = 1,  [SHARED_NAMES] = 1,
};

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

/* Where the parts lie in the file, one behind the other. Returns the file's size. */
static size_t lay_out(unsigned n_cpus, uint32_t text_size, struct shared_extent *parts)
{
	const size_t sizes[SHARED_N_PARTS] = {
		[SHARED_HEADER] = sizeof(struct shared_header),
		[SHARED_JOURNAL] = SHARED_N_THREADS * sizeof(struct journal_slot),
		[SHARED_BACKLOG] = sizeof(struct backlog),
		[SHARED_SNAPSHOTS] = snapshots_size(SHARED_N_SNAPSHOTS, text_size),
		[SHARED_STATES] = state_table_size(SHARED_N_STATES, n_cpus),
		[SHARED_NAMES] = names_size(),
	};
	size_t end = 0;

	for (size_t i = 0; i < SHARED_N_PARTS; i++) {
		parts[i] = (struct shared_extent){
			.offset = end,
			.size = sizes[i],
			.version = versions[i] + (TEST_CHANGED >> i & 1u),
		};
		end += pages(sizes[i]);
	}
	return end;
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
	struct shared_header h = { .magic = MAGIC,
				   .n_cpus = n_cpus,
				   .text_size = TEXT_SIZE(n_cpus) };
	int r = s.fd < 0 ? -errno : 0;

	h.size = lay_out(n_cpus, h.text_size, h.parts);

	if (r == 0 && ftruncate(s.fd, (off_t)h.size) < 0)
		r = -errno;
	if (r == 0)
		r = map(&s, KEEPER_SIZE);
	if (r != 0) {
		fd_close(&s.fd);
		return r;
	}
	*s.header = h;
	*ret = s;
	return 0;
}

static bool is_whole(const struct shared_header *h, size_t size)
{
	struct shared_extent parts[G_N_ELEMENTS(h->parts)] = { 0 };

	return h->magic == MAGIC && h->size == size &&
	       lay_out(h->n_cpus, h->text_size, parts) == size &&
	       memcmp(parts, h->parts, sizeof(parts)) == 0 &&
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

static bool copy_range(int from, off_t in, off_t end, int to, off_t out)
{
	char buf[16384];

	while (in < end) {
		ssize_t n = pread(from, buf, MIN(sizeof(buf), (size_t)(end - in)), in);

		if (n <= 0 || pwrite(to, buf, (size_t)n, out) != n)
			return false;
		in += n;
		out += n;
	}
	return true;
}

/* What somebody wrote of a part, no holes. */
static bool copy_part(int from, const struct shared_extent *old, int to,
		      const struct shared_extent *new)
{
	off_t begin = (off_t)old->offset, end = begin + (off_t)old->size, shift;
	off_t in = lseek(from, begin, SEEK_DATA);

	shift = (off_t) new->offset - begin;
	while (in >= 0 && in < end) {
		off_t hole = lseek(from, in, SEEK_HOLE);

		if (hole < 0 || !copy_range(from, in, MIN(hole, end), to, in + shift))
			return false;
		in = lseek(from, hole, SEEK_DATA);
	}
	return in >= 0 || errno == ENXIO;
}

static bool is_same(const struct shared_extent *a, const struct shared_extent *b)
{
	return a->version == b->version && a->size == b->size;
}

/* Returns 0, -EPROTO or -EIO. */
static int copy_parts(int fd, const struct shared_header *old, struct shared *s)
{
	const struct shared_extent *parts = s->header->parts;

	if (!is_same(&old->parts[SHARED_NAMES], &parts[SHARED_NAMES]))
		return -EPROTO;
	for (size_t i = SHARED_JOURNAL; i < SHARED_N_PARTS; i++)
		if (is_same(&old->parts[i], &parts[i]) &&
		    !copy_part(fd, &old->parts[i], s->fd, &parts[i]))
			return -EIO;
	if (!is_same(&old->parts[SHARED_JOURNAL], &parts[SHARED_JOURNAL]) ||
	    !is_same(&old->parts[SHARED_BACKLOG], &parts[SHARED_BACKLOG]))
		atomic_store(&s->header->lost, 1);
	return 0;
}

int shared_replace(int fd, unsigned n_cpus, struct shared *ret)
{
	struct shared_header old;
	struct shared s;
	ssize_t n = pread(fd, &old, sizeof(old), 0);
	int r;

	if (n < (ssize_t)offsetof(struct shared_header, size) || old.magic != MAGIC ||
	    old.init_in_len == 0 || old.init_in_len > sizeof(old.init_in) ||
	    old.init_out_len == 0 || old.init_out_len > sizeof(old.init_out))
		return n < 0 ? -errno : -EPROTO;
	r = shared_create(n_cpus, &s);
	if (r != 0)
		return r;
	s.header->init_in_len = old.init_in_len;
	s.header->init_out_len = old.init_out_len;
	memcpy(s.header->init_in, old.init_in, sizeof(old.init_in));
	memcpy(s.header->init_out, old.init_out, sizeof(old.init_out));
	r = copy_parts(fd, &old, &s);
	if (r < 0)
		shared_clear(&s);
	else
		*ret = s;
	return r;
}

int shared_map(int fd, struct shared *ret)
{
	const struct shared_extent *parts;
	char *base;
	int r = map_checked(fd, 0, ret);

	if (r != 0)
		return r;
	base = (char *)ret->header;
	parts = ret->header->parts;
	ret->backlog = (void *)(base + parts[SHARED_BACKLOG].offset);
	ret->snapshots = base + parts[SHARED_SNAPSHOTS].offset;
	ret->states = base + parts[SHARED_STATES].offset;
	ret->names = base + parts[SHARED_NAMES].offset;
	return 0;
}

void shared_clear(struct shared *s)
{
	if (s->header)
		munmap(s->header, s->size);
	fd_close(&s->fd);
	*s = (struct shared){ .fd = -1 };
}
