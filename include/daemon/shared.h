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
};

/*
 * A request that a dead worker left, taken out of its slot and done by itself, so that if another
 * worker dies it is known of what. The longest is a LOOKUP: 40 bytes and a name of at most 1,024.
 */
struct leftover {
	_Atomic uint32_t deaths; /* of workers that had it in hand; 0: free */
	_Atomic uint32_t hung;   /* one of them hung in it */
	_Alignas(8) char request[1520];
};

#define SHARED_N_LEFTOVERS 64

/* What a container's readers of a file are answered with EIO for, see verdicts.h. */
struct verdict {
	uint64_t node, pid_ns, cgroup_ns;
	uint64_t until_ms; /* coarse clock */
	uint64_t opcode;
};

#define SHARED_N_VERDICTS 16

struct verdicts {
	_Atomic uint64_t until_ms; /* of the latest; 0: there is none */
	struct verdict all[SHARED_N_VERDICTS];
};

struct backlog {
	_Atomic uint32_t on_trial; /* number, from 1, of the one being done; 0: none */
	struct leftover leftovers[SHARED_N_LEFTOVERS];
	struct verdicts verdicts;
};

/* Where a thread is: odd while it has a request in hand. The keeper sees by it who hangs. */
struct pulse {
	_Alignas(64) _Atomic uint64_t beats;
};

/* The serving threads', and that of the thread that does leftovers. */
#define SHARED_N_PULSES (SHARED_N_THREADS + 1)

#define SHARED_N_REASONS 8

/* What the keeper must know again after its own death. */
struct keeper_record {
	_Atomic int32_t keeper; /* its pid, or of the worker that is to start one in its place */
	int32_t worker;         /* pid of the one that serves; 0: none */
	uint32_t restarts;      /* of workers that served and died */
	uint32_t upgrades;      /* workers that made way for another binary's */
	uint32_t keepers;       /* keepers that took another one's place */
	uint32_t stored;        /* descriptors that were given to systemd, see store.h */
	uint32_t repaired;      /* containers were looked through for what a dead instance left */
	int32_t repairer;       /* pid of the keeper's child that does so now; 0 or less: none */
	int32_t nice;           /* whoever is started in haste goes back to it, see keeper.c */
	uint64_t mounted_ms;    /* boottime */
	struct {
		uint64_t at_ms; /* boottime */
		char why[48];
	} reasons[SHARED_N_REASONS]; /* restart number n is in n % SHARED_N_REASONS */
	char executable[512];        /* path, where an upgrade is looked for */
};

/* What lies in the file, each with a version of its own. */
enum shared_part {
	SHARED_HEADER, /* behind its first part */
	SHARED_JOURNAL,
	SHARED_BACKLOG,
	SHARED_SNAPSHOTS,
	SHARED_STATES,
	SHARED_NAMES,
	SHARED_N_PARTS,
};

struct shared_extent {
	uint64_t offset, size, version;
};

/*
 * The first part never changes, nor does what a part is called by its place in .parts: another
 * version goes on with the mount by it, and with those parts that are as it knows them.
 */
struct shared_header {
	uint64_t magic;
	uint32_t init_in_len, init_out_len;
	char init_in[256];  /* FUSE_INIT as the kernel sent it … */
	char init_out[256]; /* … and what the keeper answered */
	struct shared_extent parts[16];

	uint64_t size;
	uint32_t n_cpus;
	uint32_t text_size;
	_Atomic uint32_t lost;       /* what was in hand: ask the kernel again */
	_Atomic uint32_t containers; /* known to the worker */
	_Atomic uint32_t stuck;      /* the worker was killed since these hung: a bit a pulse */
	struct keeper_record record;
	struct pulse pulses[SHARED_N_PULSES];
};

struct shared {
	int fd;
	size_t size;
	struct shared_header *header;
	struct journal_slot *journal; /* SHARED_N_THREADS */
	struct backlog *backlog;
	void *snapshots, *states, *names;
};

#define SHARED_N_SNAPSHOTS 1024
#define SHARED_N_STATES    16384

/*
 * The keeper's: a new file for a host of @n_cpus possible cpus; only the header and the journal are
 * mapped.
 */
int shared_create(unsigned n_cpus, struct shared *ret);

/*
 * The keeper's: the file @fd that another keeper made; mapped as a new one, @fd is given away.
 * Returns 0, -EPROTO: not such a file, or one of another version, or -errno; then @fd is not.
 */
int shared_resume(int fd, struct shared *ret);

/*
 * After shared_resume() said -EPROTO: a new file that goes on with the FUSE_INIT on record in @fd,
 * which stays the caller's, and with copies of the parts that are of this version, too; .lost is
 * set if the requests in hand are not among them. Returns 0, -EPROTO: there is no FUSE_INIT on
 * record, or the names do not fit, which the kernel has the numbers of, or -errno.
 */
int shared_replace(int fd, unsigned n_cpus, struct shared *ret);

/* The worker's: the whole of @fd. -EPROTO: made by a version that does not fit. */
int shared_map(int fd, struct shared *ret);
void shared_clear(struct shared *shared);
