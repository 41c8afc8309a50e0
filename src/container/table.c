/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/table.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/sys.h"

/* Containers whose descriptors are kept; each kept cgroup file pins some 5 KiB in the kernel. */
#define HOT_MAX 256

/* What one has open: a directory and a few files in each of v1's hierarchies, pidfd, namespace. */
#define FDS_EACH 32

struct record {
	struct container ct; /* first: a container is its record */
	struct container_key key;
	unsigned users;           /* guarded by the table's lock, as the rest */
	bool hot;                 /* .ct.held is open */
	bool gone;                /* for good, not only to be looked up anew */
	bool dropped;             /* no longer in the table: freed with the last user */
	_Atomic uint64_t used_ms; /* coarse clock */
	GList link;               /* in table.hot */
};

struct container_table {
	struct identity_source src;
	struct readers *readers;
	const struct cg_layout *layout;
	struct state_table *states;
	struct cg_tree *tree;
	pthread_mutex_t lock; /* guards records, hot, and the marked fields of each record */
	GHashTable *records;  /* of struct record, by key */
	size_t hot_max;
	GQueue hot; /* most recently used first */
	int epoll;  /* pidfds of inits */
	void (*on_new)(void *);
	void *on_new_arg;
};

static guint key_hash(gconstpointer p)
{
	const struct container_key *k = p;

	return g_int64_hash(&k->ns_ino) ^ g_str_hash(k->text) ^ (guint)k->kind;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
	const struct container_key *x = a, *y = b;

	return x->kind == y->kind && x->ns_ino == y->ns_ino && strcmp(x->text, y->text) == 0;
}

/* As many as half of our descriptors are enough for. */
static size_t hot_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return HOT_MAX;
	return MIN(HOT_MAX, limit.rlim_cur / 2 / FDS_EACH + 1);
}

struct container_table *container_table_new(const struct host *host, const struct cg_layout *layout,
					    struct state_table *states)
{
	struct container_table *t = g_new0(struct container_table, 1);

	if (identity_source_init(&t->src, host, layout) < 0) {
		g_free(t);
		return NULL;
	}
	t->layout = layout;
	t->states = states;
	t->tree = cg_tree_new(layout);
	t->readers = readers_new(host);
	pthread_mutex_init(&t->lock, NULL);
	t->records = g_hash_table_new(key_hash, key_equal);
	g_queue_init(&t->hot);
	t->hot_max = hot_max();
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	fd_make_room(t->epoll, (unsigned)t->hot_max * FDS_EACH);
	return t;
}

static void record_free(struct container_table *t, struct record *rec)
{
	held_clear(&rec->ct.held);
	if (rec->ct.state)
		state_drop(t->states, rec->ct.state, rec->gone);
	fd_close(&rec->ct.init_pidfd);
	g_free(rec->ct.roots);
	g_free((char *)(uintptr_t)rec->key.text);
	g_free(rec);
}

/* With the lock held: out of the table. Returns whether the caller is to free it, unlocked. */
static bool record_remove(struct container_table *t, struct record *rec)
{
	if (rec->dropped)
		return false;
	rec->dropped = true;
	if (rec->ct.init_pidfd >= 0)
		(void)epoll_ctl(t->epoll, EPOLL_CTL_DEL, rec->ct.init_pidfd, NULL);
	g_hash_table_remove(t->records, &rec->key);
	if (rec->hot)
		g_queue_unlink(&t->hot, &rec->link);
	rec->hot = false;
	return rec->users == 0;
}

struct container_table *container_table_free(struct container_table *t)
{
	GHashTableIter iter;
	gpointer value;

	if (!t)
		return NULL;
	g_hash_table_iter_init(&iter, t->records);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		record_free(t, value);
	g_hash_table_unref(t->records);
	cg_tree_free(t->tree);
	readers_free(t->readers);
	identity_source_clear(&t->src);
	fd_close(&t->epoll);
	pthread_mutex_destroy(&t->lock);
	g_free(t);
	return NULL;
}

/* With the lock held: @rec takes what @h holds. */
static void make_hot(struct container_table *t, struct record *rec, struct held *h)
{
	rec->ct.held = *h;
	*h = (struct held){ .ns_fd = -1 };
	rec->hot = true;
	rec->link.data = rec;
	g_queue_push_head_link(&t->hot, &rec->link);
}

/* With the lock held. The least recently used record that nobody is using, or NULL. */
static struct record *coldest(struct container_table *t)
{
	for (GList *l = t->hot.tail; l; l = l->prev) {
		struct record *rec = l->data;

		if (rec->users == 0)
			return rec;
	}
	return NULL;
}

/* With the lock held. What it held is to be cleared by the caller, unlocked. */
static struct held make_cold(struct container_table *t, struct record *rec)
{
	struct held h = rec->ct.held;

	g_queue_unlink(&t->hot, &rec->link);
	rec->hot = false;
	rec->ct.held = (struct held){ .ns_fd = -1 };
	return h;
}

void table_cool_down(struct container_table *t, size_t keep, uint64_t idle_ms)
{
	uint64_t now = sys_coarse_ms();

	for (;;) {
		struct record *rec = NULL;
		struct held h;

		pthread_mutex_lock(&t->lock);
		if (t->hot.length > keep)
			rec = coldest(t);
		if (rec && now - rec->used_ms < idle_ms)
			rec = NULL;
		if (rec)
			h = make_cold(t, rec);
		pthread_mutex_unlock(&t->lock);
		if (!rec)
			return;
		held_clear(&h);
	}
}

static void use(struct container_table *t, struct record *rec)
{
	rec->users++;
	rec->used_ms = sys_coarse_ms();
	if (t->hot.head != &rec->link) {
		g_queue_unlink(&t->hot, &rec->link);
		g_queue_push_head_link(&t->hot, &rec->link);
	}
}

struct container *table_find(struct container_table *t, const struct container_key *key,
			     const char *own)
{
	struct record *rec;

	pthread_mutex_lock(&t->lock);
	rec = g_hash_table_lookup(t->records, key);
	if (rec && rec->hot &&
	    (!own || key->kind != IDENTITY_PIDNS ||
	     identity_is_below(t->layout, own, rec->ct.roots)))
		use(t, rec);
	else
		rec = NULL;
	pthread_mutex_unlock(&t->lock);
	return rec ? &rec->ct : NULL;
}

static struct state_id state_id(const struct identity *id, const struct held *h)
{
	return (struct state_id){
		.cgroup_ino = h->tasks ? cg_node_ino(h->tasks) : 0,
		.start_ns = id->start_ns,
		.ns_ino = id->kind == IDENTITY_CGROUP ? 0 : id->ns_ino,
	};
}

static struct record *record_new(struct container_table *t, struct identity *id,
				 const struct held *h)
{
	struct record *rec = g_new0(struct record, 1);
	struct epoll_event ev = { .events = EPOLLIN };

	rec->key = (struct container_key){ .kind = id->kind,
					   .ns_ino = id->ns_ino,
					   .text = g_strdup(id->kind == IDENTITY_CGROUP ? id->roots
											: "") };
	rec->ct.init = id->init;
	rec->ct.start_ns = id->start_ns;
	rec->ct.state = state_get(t->states, state_id(id, h));
	rec->ct.roots = g_steal_pointer(&id->roots);
	rec->ct.init_pidfd = fd_steal(&id->init_pidfd);
	rec->ct.held.ns_fd = -1;
	ev.data.fd = rec->ct.init;
	if (rec->ct.init_pidfd >= 0)
		(void)epoll_ctl(t->epoll, EPOLL_CTL_ADD, rec->ct.init_pidfd, &ev);
	return rec;
}

/* It is still what it was, so its record and counters go on. */
static bool same(const struct record *rec, const struct identity *id)
{
	return rec->ct.init == id->init && rec->ct.start_ns == id->start_ns &&
	       strcmp(rec->ct.roots, id->roots) == 0;
}

/* Puts what was resolved into the table: in place of the record it had, or as a new one. */
static struct record *put_record(struct container_table *t, struct identity *id, struct held *h)
{
	struct container_key key = { .kind = id->kind,
				     .ns_ino = id->ns_ino,
				     .text = id->kind == IDENTITY_CGROUP ? id->roots : "" };
	struct record *rec, *stale = NULL;
	bool new = false;

	pthread_mutex_lock(&t->lock);
	rec = g_hash_table_lookup(t->records, &key);
	if (rec && !same(rec, id)) {
		stale = record_remove(t, rec) ? rec : NULL;
		rec = NULL;
	}
	if (!rec) {
		rec = record_new(t, id, h);
		g_hash_table_insert(t->records, &rec->key, rec);
		new = true;
	}
	if (!rec->hot)
		make_hot(t, rec, h);
	use(t, rec);
	pthread_mutex_unlock(&t->lock);
	if (stale)
		record_free(t, stale);
	if (new && t->on_new)
		t->on_new(t->on_new_arg);
	return rec;
}

/* One may have a chain of as many limited cgroups as it likes, and one more for each namespace. */
static size_t most_hot(const struct container_table *t)
{
	return cg_tree_files(t->tree) > t->hot_max * FDS_EACH ? t->hot_max / 8 : t->hot_max;
}

int table_publish(struct container_table *t, struct identity *id, struct container **ret)
{
	struct held h;
	int r = held_open(t->tree, t->layout, id->roots, &h);

	if (r == 0) {
		h.ns_fd = fd_steal(&id->ns_fd);
		*ret = &put_record(t, id, &h)->ct;
	}
	held_clear(&h);
	identity_clear(id);
	if (r == 0)
		table_cool_down(t, most_hot(t), 0);
	return r;
}

uint64_t table_idle_ms(const struct container *ct)
{
	return sys_coarse_ms() - atomic_load(&((const struct record *)ct)->used_ms);
}

struct readers *table_readers(const struct container_table *t)
{
	return t->readers;
}

const struct identity_source *table_source(const struct container_table *t)
{
	return &t->src;
}

void container_put(struct container_table *t, struct container *ct)
{
	struct record *rec = (struct record *)ct;
	bool last;

	pthread_mutex_lock(&t->lock);
	last = --rec->users == 0 && rec->dropped;
	pthread_mutex_unlock(&t->lock);
	if (last)
		record_free(t, rec);
}

void container_drop(struct container_table *t, struct container *ct, bool gone)
{
	struct record *rec = (struct record *)ct;

	pthread_mutex_lock(&t->lock);
	rec->gone |= gone;
	(void)record_remove(t, rec); /* its user, the caller, frees it */
	pthread_mutex_unlock(&t->lock);
}

size_t container_table_list(struct container_table *t, struct container ***ret)
{
	GHashTableIter iter;
	gpointer value;
	size_t n = 0;

	pthread_mutex_lock(&t->lock);
	*ret = g_new(struct container *, g_hash_table_size(t->records) + 1);
	g_hash_table_iter_init(&iter, t->records);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct record *rec = value;

		rec->users++;
		(*ret)[n++] = &rec->ct;
	}
	pthread_mutex_unlock(&t->lock);
	return n;
}

unsigned container_table_cpus(const struct container_table *t)
{
	return state_table_cpus(t->states);
}

struct cg_tree *table_tree(const struct container_table *t)
{
	return t->tree;
}

bool table_hot_tasks(struct container_table *t, struct container *ct, struct cg_node **ret)
{
	struct record *rec = (struct record *)ct;
	bool hot;

	pthread_mutex_lock(&t->lock);
	hot = rec->hot;
	if (hot)
		*ret = ct->held.tasks ? cg_node_ref(ct->held.tasks) : NULL;
	pthread_mutex_unlock(&t->lock);
	return hot;
}

int container_table_fd(const struct container_table *t)
{
	return t->epoll;
}

void container_table_on_new(struct container_table *t, void (*fn)(void *), void *arg)
{
	t->on_new = fn;
	t->on_new_arg = arg;
}
