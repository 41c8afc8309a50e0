/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Numbers that containers hold: addresses of a bridge, ranges of user ids. A file a kind below the
 * state directory, a line "NUMBER NAME" each, written anew whole. Who calls any of these has a lock
 * that goes with what the numbers are of.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define LEASES_ANY UINT32_MAX

struct leases_wish {
	uint32_t first, last; /* both may be had */
	uint32_t wanted;      /* this one alone; LEASES_ANY: the smallest that is free */
	bool (*usable)(uint32_t number, const void *arg); /* NULL: all are */
	const void *arg;
};

/*
 * A number for container @name of file @dir/@kind, which is made when missing. Who has one keeps
 * it, unless another one is wanted. G_FILE_ERROR_EXIST: taken (by whom, the words say, for a
 * sentence of the caller's); G_FILE_ERROR_NOSPC: none is free.
 */
bool leases_take(const char *dir, const char *kind, const char *name,
		 const struct leases_wish *wish, uint32_t *ret, GError **error);

/*
 * @name has a number, or it cannot be told whether it has. This needs no lock: who asks for a name
 * is the only one who takes numbers for it.
 */
bool leases_has(const char *dir, const char *kind, const char *name);

/* How many numbers of @kind others than @name hold; -1 with @error set. */
int leases_others(const char *dir, const char *kind, const char *name, GError **error);

/* @name's goes, if it has one. */
bool leases_drop(const char *dir, const char *kind, const char *name, GError **error);

/*
 * The lock for @what, made with @dir when missing and never removed: an owned descriptor that holds
 * it, or -1 with @error set. G_FILE_ERROR_AGAIN: somebody else has it for half a minute.
 */
int leases_lock(const char *dir, const char *what, GError **error);

/* The names of the kinds that begin with @prefix; owned, NULL-terminated. */
char **leases_kinds(const char *dir, const char *prefix);
