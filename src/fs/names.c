/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/names.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* A cpu's directory has some 60 entries: enough for a few thousand cpus. */
#define MAX_NAMES (1u << 18)
#define HEAP_SIZE (MAX_NAMES * 24u)

struct entry {
	uint32_t parent;
	uint32_t offset; /* into .heap, NUL-terminated */
};

struct memory {
	_Atomic uint32_t n; /* entries 1 to n are whole */
	uint32_t heap_used;
	struct entry entries[MAX_NAMES + 1];
	char heap[HEAP_SIZE];
};

struct names {
	struct memory *mem;
	pthread_mutex_t lock; /* guards mem against other writers, and .index */
	GHashTable *index;    /* of struct entry */
};

/* A name that is looked for; never in the memory. */
struct key {
	struct entry entry;
	const char *name;
};

static _Thread_local const struct memory *hashed; /* GLib's hash functions take no context */
static _Thread_local const struct key *sought;

static const char *name_of(const struct entry *e)
{
	return sought && e == &sought->entry ? sought->name : hashed->heap + e->offset;
}

static guint entry_hash(gconstpointer p)
{
	const struct entry *e = p;

	return g_str_hash(name_of(e)) ^ e->parent * 2654435761u;
}

static gboolean entry_equal(gconstpointer a, gconstpointer b)
{
	const struct entry *x = a, *y = b;

	return x->parent == y->parent && strcmp(name_of(x), name_of(y)) == 0;
}

size_t names_size(void)
{
	return sizeof(struct memory);
}

struct names *names_new(void *memory)
{
	struct names *names = g_new0(struct names, 1);

	names->mem = memory;
	pthread_mutex_init(&names->lock, NULL);
	names->index = g_hash_table_new(entry_hash, entry_equal);
	hashed = names->mem;
	for (uint32_t i = 1; i <= atomic_load(&names->mem->n); i++)
		g_hash_table_add(names->index, &names->mem->entries[i]);
	return names;
}

struct names *names_free(struct names *names)
{
	if (!names)
		return NULL;
	g_hash_table_unref(names->index);
	pthread_mutex_destroy(&names->lock);
	g_free(names);
	return NULL;
}

static int64_t append(struct memory *mem, uint32_t parent, const char *name)
{
	uint32_t n = atomic_load(&mem->n) + 1;
	size_t len = strlen(name) + 1;

	if (n > MAX_NAMES || len > HEAP_SIZE - mem->heap_used)
		return -ENOSPC;
	memcpy(mem->heap + mem->heap_used, name, len);
	mem->entries[n] = (struct entry){ .parent = parent, .offset = mem->heap_used };
	mem->heap_used += (uint32_t)len;
	/* Last: a process that dies before this leaves nothing but a hole in the heap. */
	atomic_store(&mem->n, n);
	return n;
}

int64_t names_intern(struct names *names, uint32_t parent, const char *name)
{
	struct key key = { .entry = { .parent = parent }, .name = name };
	struct entry *e;
	int64_t n;

	pthread_mutex_lock(&names->lock);
	hashed = names->mem;
	sought = &key;
	e = g_hash_table_lookup(names->index, &key.entry);
	sought = NULL;
	if (e) {
		n = e - names->mem->entries;
	} else {
		n = append(names->mem, parent, name);
		if (n > 0)
			g_hash_table_add(names->index, &names->mem->entries[n]);
	}
	pthread_mutex_unlock(&names->lock);
	return n;
}

int names_get(const struct names *names, uint32_t number, uint32_t *ret_parent,
	      const char **ret_name)
{
	if (number == 0 || number > atomic_load(&names->mem->n))
		return -ENOENT;
	*ret_parent = names->mem->entries[number].parent;
	*ret_name = names->mem->heap + names->mem->entries[number].offset;
	return 0;
}
