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
	uint64_t unique;
	uint32_t pid;
	bool is_interrupt; /* FUSE_INTERRUPT: speaks of another request */
	bool wants_reply;  /* not FUSE_FORGET and the like */
};

void handshake_head(const char *request, struct request_head *ret);

/* An answer to the request @unique that says @error (positive errno). Returns its length. */
size_t handshake_error_reply(uint64_t unique, int error, char buf[16]);
