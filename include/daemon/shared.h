/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What outlives a worker: one memory file, made by the keeper, mapped by each worker in turn. It
 * has a header, the journal of requests in hand, the snapshots of open files, the containers'
 * counters and the names of the host's tree. All but the header is touched only where it is used.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Serving threads: one waits for requests, the others are for when that one has something slow to
 * do.
 */
#define SHARED_N_THREADS 4

/*
 * A buffer for one request; the kernel wants at least FUSE_MIN_READ_BUFFER (8 KiB), and at least
 * its header and SHARED_MAX_WRITE.
 */
#define SHARED_REQUEST_SIZE 16384
#define SHARED_MAX_WRITE    4096

/*
 * The request that a thread has in hand: its length (the first word of struct fuse_in_header) is
 * not 0 from when the kernel gave it until it was answered. A worker that dies leaves it to the
 * next.
 */
struct journal_slot {
	_Alignas(4096) char request[SHARED_REQUEST_SIZE];
	_Atomic uint32_t attempts; /* workers that began with it */
};

struct shared_header {
	uint64_t magic;
	uint64_t size;
	uint32_t n_cpus;
	uint32_t text_size;
	uint32_t init_in_len, init_out_len;
	char init_in[256];  /* FUSE_INIT as the kernel sent it … */
	char init_out[256]; /* … and what the keeper answered */
};

struct shared {
	int fd;
	size_t size;
	struct shared_header *header;
	struct journal_slot *journal; /* SHARED_N_THREADS */
	void *snapshots, *states, *names;
};

#define SHARED_N_SNAPSHOTS 1024
#define SHARED_N_STATES    16384

/* The keeper's: a new file for a host of @n_cpus possible cpus; only the header is mapped. */
int shared_create(unsigned n_cpus, struct shared *ret);

/* The worker's: the whole of @fd. -EPROTO: made by a version that does not fit. */
int shared_map(int fd, struct shared *ret);
void shared_clear(struct shared *shared);
