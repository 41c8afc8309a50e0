/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "faults.h"

#include <glib.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/sys.h"

#define SLOW_MS 200

#define MIN_SIZE 512u
#define MAX_SIZE (12u << 10)

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* FNV-1a, as tests/soak/check.c has it. */
static uint64_t checksum(const char *text, size_t len)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/*
 * Another text of another length each time: "SERIAL NONCE", lines that start with the serial
 * number, and at last "sum CHECKSUM" of all before.
 */
int selftest_generate(const struct request *req, struct text *out)
{
	static atomic_uint count;
	uint64_t serial = (uint64_t)getpid() << 20 | (atomic_fetch_add(&count, 1) & 0xfffff);
	uint64_t state = sys_boottime_ns() ^ serial << 32 ^ (uint64_t)req->pid;
	size_t start = out->len;
	size_t size = MIN_SIZE + next(&state) % (MAX_SIZE - MIN_SIZE);

	text_u64(out, serial);
	text_str(out, " ");
	text_u64(out, state);
	text_str(out, "\n");
	while (out->len - start < size) {
		text_u64(out, serial);
		text_str(out, " ");
		text_u64(out, next(&state));
		text_fill(out, '.', next(&state) % 64);
		text_str(out, "\n");
	}
	size = out->len - start;
	text_str(out, "sum ");
	text_u64(out, checksum(out->buf + start, size));
	text_str(out, "\n");
	return 0;
}

int poison_generate(const struct request *req, struct text *out)
{
	(void)req, (void)out;
	abort();
}

int hang_generate(const struct request *req, struct text *out)
{
	(void)req, (void)out;
	for (;;)
		pause();
}

int slow_generate(const struct request *req, struct text *out)
{
	host_slow(req->host);
	g_usleep(SLOW_MS * 1000);
	text_str(out, "slow\n");
	return 0;
}
