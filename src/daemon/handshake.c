/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/handshake.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "util/fail.h"

/* Mounting has queued the request already. */
#define INIT_TIMEOUT_MS 5000

/*
 * How much of a file one request may ask for: what its biggest text has (cpuinfo, 1.5 KiB a cpu),
 * so that it comes in one, but no more: the kernel pins a reader's whole buffer, 128 KiB for cat,
 * which costs more than all that we do. From 8 KiB to the kernel's own limit of 1 MiB.
 */
static uint16_t max_pages(unsigned n_cpus)
{
	return (uint16_t)CLAMP(1 + (3 * n_cpus + 7) / 8, 2, 256);
}

/* The newest minor version whose structures we know. */
#define MINOR 38

/*
 * What we ask of the kernel, if it offers it. Without ASYNC_DIO io_uring gets the same text again
 * and again, until its buffer is full: the kernel forgets how far such a read has come.
 */
#define FLAGS                                                                                      \
	(FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS | FUSE_ATOMIC_O_TRUNC |          \
	 FUSE_MAX_PAGES | FUSE_INIT_EXT | FUSE_ABORT_ERROR | FUSE_ASYNC_DIO)

/* Of Linux 6.9's <linux/fuse.h>, which may be newer than the one that we are built with. */
#define UNIQUE_RESEND (UINT64_C(1) << 63)
#define NOTIFY_RESEND 7
#define HAS_RESEND    (1u << 7) /* in the second word of flags: FUSE_HAS_RESEND >> 32 */

/* Older kernels send less; FUSE_INIT's first 16 bytes are in every version since 2.6.14. */
#define MIN_INIT (sizeof(struct fuse_in_header) + 16)

struct init_request {
	struct fuse_in_header head;
	struct fuse_init_in in;
};

struct init_reply {
	struct fuse_out_header head;
	struct fuse_init_out out;
};

static ssize_t read_init(int fd, char *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r = poll(&p, 1, INIT_TIMEOUT_MS);

	if (r == 0)
		errno = ETIMEDOUT;
	return r <= 0 ? -1 : read(fd, buf, size);
}

bool handshake_answer(int fd, struct shared_header *h, GError **error)
{
	char buf[SHARED_REQUEST_SIZE];
	struct init_request req = { 0 };
	struct init_reply reply = { .head = { .len = sizeof(reply) } };
	ssize_t n = read_init(fd, buf, sizeof(buf));

	if (n < 0)
		return fail(error, errno, "the kernel did not begin to speak FUSE");
	memcpy(&req, buf, MIN((size_t)n, sizeof(req)));
	if ((size_t)n < MIN_INIT || (size_t)n > sizeof(h->init_in) ||
	    req.head.opcode != FUSE_INIT || req.in.major != FUSE_KERNEL_VERSION ||
	    req.in.minor < 23)
		return fail(error, EPROTO, "this kernel's FUSE is too old or too new");
	reply.head.unique = req.head.unique;
	reply.out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = MIN(req.in.minor, MINOR),
		.max_readahead = req.in.max_readahead,
		.flags = req.in.flags & FLAGS,
		.max_background = 64,
		.congestion_threshold = 48,
		.max_write = SHARED_MAX_WRITE,
		.time_gran = 1,
		.max_pages = max_pages(h->n_cpus),
	};
	memcpy(h->init_in, buf, (size_t)n);
	memcpy(h->init_out, &reply.out, sizeof(reply.out));
	h->init_in_len = (uint32_t)n;
	h->init_out_len = sizeof(reply.out);
	if (write(fd, &reply, sizeof(reply)) != sizeof(reply))
		return fail(error, errno, "the kernel did not accept our FUSE version");
	return true;
}

size_t handshake_replay(const struct shared_header *h, char *buf)
{
	struct init_request req = { 0 };
	struct fuse_init_out out;

	memcpy(&req, h->init_in, MIN(h->init_in_len, sizeof(req)));
	memcpy(&out, h->init_out, sizeof(out));
	req.head.len = MIN(h->init_in_len, sizeof(req));
	req.in.minor = out.minor;
	req.in.max_readahead = out.max_readahead;
	/* What was agreed, as if it were the offer: a newer libfuse can't believe in more. */
	req.in.flags = out.flags;
	req.in.flags2 = out.flags2;
	memcpy(buf, &req, req.head.len);
	return req.head.len;
}

bool handshake_fits(const struct shared_header *h, const char *reply, size_t len)
{
	struct init_reply r = { 0 };
	struct fuse_init_out agreed;

	memcpy(&r, reply, MIN(len, sizeof(r)));
	memcpy(&agreed, h->init_out, sizeof(agreed));
	return len >= sizeof(r.head) && r.head.error == 0 && r.out.minor <= agreed.minor &&
	       (r.out.flags & ~agreed.flags) == 0 && (r.out.flags2 & ~agreed.flags2) == 0;
}

void handshake_head(const char *request, struct request_head *ret)
{
	struct fuse_in_header h;

	memcpy(&h, request, sizeof(h));
	*ret = (struct request_head){
		.len = h.len,
		.unique = h.unique & ~UNIQUE_RESEND,
		.node = h.nodeid,
		.pid = h.pid,
		.opcode = h.opcode,
		.resent = h.unique & UNIQUE_RESEND,
		.is_interrupt = h.opcode == FUSE_INTERRUPT,
		.wants_reply = h.opcode != FUSE_FORGET && h.opcode != FUSE_BATCH_FORGET &&
			       h.opcode != FUSE_INTERRUPT,
	};
}

void handshake_clear(char *request)
{
	/* The kernel writes there too, so it has no atomic type; the order is what matters. */
	__atomic_store_n((uint32_t *)(void *)request, 0, __ATOMIC_SEQ_CST);
}

bool handshake_is_clear(const char *request)
{
	return __atomic_load_n((const uint32_t *)(const void *)request, __ATOMIC_SEQ_CST) == 0;
}

size_t handshake_error_reply(const char *request, int error, char buf[16])
{
	struct fuse_in_header in;
	struct fuse_out_header h = { .len = sizeof(h), .error = -error };

	memcpy(&in, request, sizeof(in));
	h.unique = in.unique;
	memcpy(buf, &h, sizeof(h));
	return sizeof(h);
}

bool handshake_resend(int fuse_fd)
{
	const struct fuse_out_header h = { .len = sizeof(h), .error = NOTIFY_RESEND };

	return write(fuse_fd, &h, sizeof(h)) == sizeof(h);
}

bool handshake_can_resend(const struct shared_header *h)
{
	struct init_request req = { 0 };

	memcpy(&req, h->init_in, MIN(h->init_in_len, sizeof(req)));
	return (req.in.flags & FUSE_INIT_EXT) && (req.in.flags2 & HAS_RESEND);
}
