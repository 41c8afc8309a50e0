/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What was done to a file, kept until it is undone: below /var/lib/lxcfs-clone.d, beside the usual
 * mount point. /etc is the operator's, /run does not outlive a boot, and the mount point is not
 * ours while it is mounted. Only root may look: configurations hold secrets.
 */
#include <glib.h>
#include <stdbool.h>

#define RECORD_DIR "/var/lib/lxcfs-clone.d"

struct record {
	bool known; /* there is one */
	/*
	 * SHA-256, hexadecimal, of the text that we wrote, and of what is ours in it where that is
	 * a part. Behind it that of the one before, which is still there where an install was
	 * killed.
	 */
	GPtrArray *wrote, *parts;
	char *original;   /* the text that was there before; NULL: no file was */
	GPtrArray *users; /* names of the ways that the file is for */
	GPtrArray *made;  /* folders that we made, the deepest last */
};

void record_init(struct record *r);
void record_clear(struct record *r);

bool record_has(const struct record *r, const char *user);
void record_add(struct record *r, const char *user);
void record_drop(struct record *r, const char *user);

/* @text, which may be NULL, is what we wrote. */
bool record_fits(const struct record *r, const char *text);
bool record_fits_part(const struct record *r, const char *part);

/* From now on @text is, in the place of @former, which may be NULL or another's. */
void record_wrote(struct record *r, const char *text, const char *former);
void record_wrote_part(struct record *r, const char *part, const char *former);

/* Each false comes with a sentence. That of @path, below the root directory @root. */
bool record_load(int root, const char *path, struct record *ret, GError **error);
bool record_save(int root, const char *path, const struct record *r, GError **error);
bool record_remove(int root, const char *path, GError **error);

/* There is one, or a part of it, whatever it says. */
bool record_exists(int root, const char *path);

/* Keeps a text that somebody may want back. An owned path, or NULL. */
char *record_keep(int root, const char *path, const char *text, GError **error);

/* Nobody else changes anything until it is unlocked, which takes away the folder if it is empty. */
int record_lock(int root, GError **error); /* a descriptor or -1 */
void record_unlock(int root, int *fd);
