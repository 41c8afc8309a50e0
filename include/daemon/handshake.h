/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * FUSE_INIT. The keeper answers it, once; each worker's libfuse is then shown the same request,
 * cut down to what was agreed, and its answer is checked and swallowed.
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/shared.h"

/* Waits for the kernel's FUSE_INIT on @fuse_fd, answers, and records both in @header. */
bool handshake_answer(int fuse_fd, struct shared_header *header, GError **error);

/* Writes the request for libfuse to @buf (of at least 256 bytes). Returns its length. */
size_t handshake_replay(const struct shared_header *header, char *buf);

/* Whether the @len bytes that libfuse answered at @reply ask for no more than was agreed. */
bool handshake_fits(const struct shared_header *header, const char *reply, size_t len);

/* First fields of a request, of any kind. */
struct request_head {
	uint32_t len;
	uint64_t unique; /* without RESENT */
	uint64_t node;
	uint32_t pid, opcode;
	bool resent;       /* the kernel asks again what a former worker did not answer */
	bool is_interrupt; /* FUSE_INTERRUPT: speaks of another request */
	bool wants_reply;  /* not FUSE_FORGET and the like */
};

void handshake_head(const char *request, struct request_head *ret);

/* Sets the length at the begin of @request to 0, seen by other processes after all before it. */
void handshake_clear(char *request);

/* Whether that length is 0; @request may be changed by another process meanwhile. */
bool handshake_is_clear(const char *request);

/* An answer to @request that says @error (positive errno). Returns its length. */
size_t handshake_error_reply(const char *request, int error, char buf[16]);

/*
 * Has the kernel ask again all that it was not answered (FUSE_NOTIFY_RESEND, Linux 6.9). Returns
 * whether it does.
 */
bool handshake_resend(int fuse_fd);

/* Whether the kernel offered that in FUSE_INIT. */
bool handshake_can_resend(const struct shared_header *header);
