/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What open files show. Each open file has a slot with one text: a read at offset 0 makes it anew
 * (libproc2 keeps /proc files open and rewinds them), a read further in goes on in the same text.
 * Slots are in memory of the keeper, so that a half-read file goes on after the process that served
 * it died. When all slots are taken, one is given away, and who had it gets another one, with a
 * text made anew: never an error. It is the one that was used least recently of those of the
 * container that has most of them, so that nobody loses more by others' open files than is beyond
 * his share.
 *
 * A file handle has the unique id of its OPEN request in it, which the kernel gives once a mount:
 * so when the memory is lost, the kernel's handles are as good as those of slots that were given
 * away.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshots;

/* One slot, locked. */
struct snapshot {
	uint64_t handle;   /* whose it is; 0: free */
	uint64_t made_for; /* handle that the text was made for */
	uint64_t made_by;  /* unique id of the request that the text was made for */
	uint64_t len;
	bool whole; /* false: there is no text, or its making was not finished */
	_Atomic uint64_t
		owner; /* a number of the container that the text is of; 0: not known yet */
};

/* Bytes for @n_slots (1,024 at most) texts of at most @text_size. */
size_t snapshots_size(size_t n_slots, size_t text_size);

/* @memory is borrowed: zeroed, or what an earlier one of the same numbers left. */
struct snapshots *snapshots_new(void *memory, size_t n_slots, size_t text_size);
struct snapshots *snapshots_free(struct snapshots *all);

/*
 * A file handle for the OPEN request @unique. @again: the request is asked a second time, and gets
 * the handle that it got the first time, if it did.
 */
uint64_t snapshot_open(struct snapshots *all, uint64_t unique, bool again);
void snapshot_close(struct snapshots *all, uint64_t handle);

/*
 * The slot of @handle and its text, locked against other readers of the same open file until
 * snapshot_unlock(). Never NULL.
 */
struct snapshot *snapshot_lock(struct snapshots *all, uint64_t handle, char **ret_text);
void snapshot_unlock(struct snapshots *all, struct snapshot *snap);

/* @fn is called by a thread that has to wait for another one's reading of the same open file. */
void snapshots_on_wait(struct snapshots *all, void (*fn)(void *arg), void *arg);

size_t snapshots_text_size(const struct snapshots *all);

/*
 * Whether a read at @offset by the request @unique is to make the text anew. A request that is done
 * @again after a crash, and may have been answered, must not change a text that is of this request
 * or of a later one: its reader may be in the midst of it. (The kernel numbers upwards.)
 */
bool snapshot_is_due(const struct snapshot *snapshot, uint64_t offset, uint64_t unique, bool again);
