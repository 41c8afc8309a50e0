/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The cache behind container_lookup(). */
#include "container/container.h"
#include "container/identity.h"
#include "container/readers.h"

/* What a container is found by. */
struct container_key {
	enum identity_kind kind;
	uint64_t ns_ino;
	const char *text; /* for IDENTITY_CGROUP its cgroups, else "" */
};

const struct identity_source *table_source(const struct container_table *table);
struct readers *table_readers(const struct container_table *table);

/*
 * A container whose files are held open and that serves a reader in the cgroups of the text @own
 * (NULL: they don't matter), to be given back by container_put(); or NULL.
 */
struct container *table_find(struct container_table *table, const struct container_key *key,
			     const char *own);

/*
 * Puts what was resolved into the table: in place of the container it had under that key, if that
 * is another one by now. @id is consumed. Returns 0 with *@ret to be given back, or -errno.
 */
int table_publish(struct container_table *table, struct identity *id, struct container **ret);

/* For container_tasks(): whether @ct is held open; if so *@ret is a reference, or NULL. */
bool table_hot_tasks(struct container_table *table, struct container *ct, struct cg_node **ret);

/* How long ago it was last found or published. */
uint64_t table_idle_ms(const struct container *ct);

struct cg_tree *table_tree(const struct container_table *table);

/*
 * Close what nobody used for @idle_ms while more than @keep containers are held open; one by one,
 * and with the table unlocked, since a close may wait for the kernel.
 */
void table_cool_down(struct container_table *table, size_t keep, uint64_t idle_ms);
