/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/cpuset.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/sys.h"

/* The first pid namespace's (include/linux/proc_ns.h; in <linux/nsfs.h> since Linux 6.18). */
#ifndef PID_NS_INIT_INO
#define PID_NS_INIT_INO 0xEFFFFFFCu
#endif

/* A text that one reader is making anew is given to others for as much longer. */
#define LATE_MS 500u

struct cache {
	pthread_mutex_t lock; /* guards text and made_ms; never held while the kernel is asked */
	pthread_mutex_t making;
	struct host_text *text;
	uint64_t made_ms;
};

struct host {
	int proc;
	int sys;
	int fds[HOST_N_FILES];
	struct cache cache[HOST_N_FILES];
	void (*on_slow)(void *arg);
	void *on_slow_arg;
};

static const struct {
	bool in_sys;
	bool whole; /* one record: the kernel gives it in one read */
	const char *path;
} files[HOST_N_FILES] = {
	[HOST_MEMINFO] = { .whole = true, .path = "meminfo" },
	[HOST_STAT] = { .path = "stat" },
	[HOST_CPUINFO] = { .path = "cpuinfo" },
	[HOST_UPTIME] = { .whole = true, .path = "uptime" },
	[HOST_LOADAVG] = { .whole = true, .path = "loadavg" },
	[HOST_DISKSTATS] = { .path = "diskstats" },
	[HOST_SWAPS] = { .path = "swaps" },
	[HOST_OVERCOMMIT_RATIO] = { .whole = true, .path = "sys/vm/overcommit_ratio" },
	[HOST_OVERCOMMIT_KBYTES] = { .whole = true, .path = "sys/vm/overcommit_kbytes" },
	[HOST_CPU_ONLINE] = { .in_sys = true, .whole = true, .path = "devices/system/cpu/online" },
};

static int open_roots(struct host *h, const char *root)
{
	if (strcmp(root, "/") == 0) {
		h->proc = sys_mount_private_proc();
		/* Before Linux 5.2, or caged: the tree below whatever is bound over it. */
		if (h->proc < 0)
			h->proc = sys_clone_tree("/proc");
		if (h->proc < 0)
			h->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		h->sys = sys_clone_tree("/sys");
		if (h->sys < 0)
			h->sys = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else {
		AUTO_FD int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (dir < 0)
			return -errno;
		h->proc = openat(dir, "proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		h->sys = openat(dir, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return h->proc < 0 || h->sys < 0 ? -ENOENT : 0;
}

int host_open(const char *root, struct host **ret)
{
	struct host *h = g_new0(struct host, 1);
	int r;

	h->proc = h->sys = -1;
	r = open_roots(h, root);
	for (size_t i = 0; i < HOST_N_FILES; i++) {
		h->fds[i] = r < 0 ? -1
				  : openat(files[i].in_sys ? h->sys : h->proc, files[i].path,
					   O_RDONLY | O_CLOEXEC);
		pthread_mutex_init(&h->cache[i].lock, NULL);
		pthread_mutex_init(&h->cache[i].making, NULL);
	}
	if (r < 0) {
		host_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

struct host *host_free(struct host *h)
{
	if (!h)
		return NULL;
	for (size_t i = 0; i < HOST_N_FILES; i++) {
		fd_close(&h->fds[i]);
		host_text_cleanup(&h->cache[i].text);
		pthread_mutex_destroy(&h->cache[i].lock);
		pthread_mutex_destroy(&h->cache[i].making);
	}
	fd_close(&h->proc);
	fd_close(&h->sys);
	g_free(h);
	return NULL;
}

void host_on_slow(struct host *h, void (*fn)(void *arg), void *arg)
{
	h->on_slow = fn;
	h->on_slow_arg = arg;
}

void host_slow(const struct host *h)
{
	if (h->on_slow)
		h->on_slow(h->on_slow_arg);
}

int host_open_mounted_proc(void)
{
	AUTO_FD int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	return fs.f_type == PROC_SUPER_MAGIC ? fd_steal(&fd) : -ENOENT;
}

int host_proc_dir(const struct host *h)
{
	return h->proc;
}

int host_sys_dir(const struct host *h)
{
	return h->sys;
}

ssize_t host_read(const struct host *h, enum host_file file, char *buf, size_t size)
{
	if (h->fds[file] < 0)
		return -ENOENT;
	return files[file].whole ? fd_read_once(h->fds[file], buf, size)
				 : fd_read(h->fds[file], buf, size);
}

ssize_t host_read_self(const struct host *h, const char *name, char *buf, size_t size)
{
	g_autofree char *path = g_strconcat("self/", name, NULL);

	return fd_read_at(h->proc, path, buf, size);
}

int host_open_self_exe(const struct host *h)
{
	int fd = openat(h->proc, "self/exe", O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int host_self_exe_path(const struct host *h, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	ssize_t n = readlinkat(h->proc, "self/exe", buf, size - 1);
	size_t len = (size_t)n;

	if (n < 0)
		return -errno;
	if (len == size - 1)
		return -ENAMETOOLONG;
	buf[len] = '\0';
	if (g_str_has_suffix(buf, deleted))
		buf[len - strlen(deleted)] = '\0';
	return 0;
}

int host_open_init_mounts(const struct host *h)
{
	int fd = openat(h->proc, "1/ns/mnt", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

bool host_is_nested(const struct host *h)
{
	struct stat st;

	/* Not by the levels in self/status: a procfs tells those below the namespace it is of. */
	return fstatat(h->proc, "self/ns/pid", &st, 0) == 0 && st.st_ino != PID_NS_INIT_INO;
}

unsigned host_fuse_timeout(const struct host *h)
{
	static const char *const names[] = { "sys/fs/fuse/default_request_timeout",
					     "sys/fs/fuse/max_request_timeout" };
	uint64_t smallest = 0, v;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		char text[32];

		if (fd_read_at(h->proc, names[i], text, sizeof(text)) > 0 && num_parse(text, &v) &&
		    v > 0 && (smallest == 0 || v < smallest))
			smallest = v;
	}
	return (unsigned)MIN(smallest, UINT_MAX);
}

int host_possible_cpus(const struct host *h, unsigned *ret)
{
	char text[4096];
	struct cpuset set;
	ssize_t n = fd_read_at(h->sys, "devices/system/cpu/possible", text, sizeof(text));
	int r = n < 0 ? (int)n : cpuset_parse(text, &set);

	if (r == 0)
		*ret = set.end;
	return r;
}

void host_text_unref(struct host_text *text)
{
	if (atomic_fetch_sub(&text->refs, 1) == 1)
		g_free(text);
}

int host_text_make(const struct host *h, enum host_file file, struct host_text **ret)
{
	for (size_t size = 16 << 10; size <= HOST_TEXT_MAX; size *= 2) {
		g_autofree char *buf = g_malloc(size);
		ssize_t n = host_read(h, file, buf, size);

		if (n >= 0) {
			struct host_text *t = g_malloc(sizeof(*t) + (size_t)n + 1);

			atomic_init(&t->refs, 1);
			t->len = (size_t)n;
			memcpy(t->str, buf, t->len + 1);
			*ret = t;
			return 0;
		}
		if (n != -EFBIG)
			return (int)n;
	}
	return -EFBIG;
}

static struct host_text *text_ref(struct host_text *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

/* A reference to what the cache holds, however old; NULL: nothing yet. */
static struct host_text *cache_peek(struct cache *c, uint64_t *ret_made_ms)
{
	struct host_text *t;

	pthread_mutex_lock(&c->lock);
	t = c->text ? text_ref(c->text) : NULL;
	*ret_made_ms = c->made_ms;
	pthread_mutex_unlock(&c->lock);
	return t;
}

static void cache_put(struct cache *c, struct host_text *t, uint64_t made_ms)
{
	struct host_text *old;

	pthread_mutex_lock(&c->lock);
	old = c->text;
	c->text = text_ref(t);
	c->made_ms = made_ms;
	pthread_mutex_unlock(&c->lock);
	if (old)
		host_text_unref(old);
}

int host_text_get(struct host *h, enum host_file file, unsigned max_age_ms, struct host_text **ret)
{
	struct cache *c = &h->cache[file];
	uint64_t made;
	AUTO_HOST_TEXT struct host_text *t = cache_peek(c, &made);
	uint64_t now = sys_coarse_ms(); /* after .made was: never less */
	struct host_text *fresh;
	int r;

	if (!t || now - made > max_age_ms + LATE_MS) {
		/*
		 * The first readers ever, or after a pause, wait for the text that one of them
		 * makes.
		 */
		host_text_cleanup(&t);
		pthread_mutex_lock(&c->making);
		t = cache_peek(c, &made);
		now = sys_coarse_ms();
		if (t && now - made > max_age_ms + LATE_MS) {
			host_text_unref(t);
			t = NULL;
		}
	} else if (now - made > max_age_ms && pthread_mutex_trylock(&c->making) == 0) {
		host_text_cleanup(&t);
		t = NULL;
	} else {
		*ret = g_steal_pointer(&t);
		return 0;
	}
	if (t) {
		pthread_mutex_unlock(&c->making);
		*ret = g_steal_pointer(&t);
		return 0;
	}
	if (!files[file].whole)
		host_slow(h);
	r = host_text_make(h, file, &fresh);
	if (r == 0) {
		cache_put(c, fresh, now);
		*ret = fresh;
	}
	pthread_mutex_unlock(&c->making);
	return r;
}
