/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "bind/envoys.h"
#include "bind/instance.h"
#include "host/host.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/sys.h"
#include "util/unix.h"

#define LOCK_MS 60000u

/* Before Linux 5.8. */
static int read_mount_id(const struct host *host, int fd, uint64_t *ret)
{
	static const char key[] = "\nmnt_id:";
	char path[32], text[1024];
	const char *p;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "self/fdinfo/%d", fd);
	n = fd_read_at(host_proc_dir(host), path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	p = strstr(text, key);
	if (!p)
		return -EBADMSG;
	p += sizeof(key) - 1;
	return num_take_field(&p, ret) && *p == '\n' ? 0 : -EBADMSG;
}

int live_mount_id(const struct host *host, int fd, uint64_t *ret)
{
	return sys_mount_id(fd, ret) == 0 ? 0 : read_mount_id(host, fd, ret);
}

struct look {
	const char *mountpoint;
	struct live *live;
	uint64_t id; /* of the topmost mount at the mount point */
};

static bool look_at(const struct mountinfo *m, void *arg)
{
	struct look *l = arg;

	if (strcmp(m->point, l->mountpoint) != 0 || strcmp(m->fstype, INSTANCE_FS_TYPE) != 0 ||
	    strcmp(m->source, l->live->source) != 0)
		return true;
	g_array_append_val(l->live->own_ids, m->id);
	if (m->id == l->id && strcmp(m->root, "/") == 0) {
		l->live->peers = m->peers;
		l->live->ours.serving = true;
		l->live->ours.major = m->major;
		l->live->ours.minor = m->minor;
	}
	return true;
}

/* Stuck here, it must not keep the lock. */
static void begin_asking(int sock, void *dir)
{
	int keep[] = { sock, *(int *)dir };

	fd_close_others(keep, G_N_ELEMENTS(keep));
}

/* A dead file system says so when a file of it is opened; looks and attributes are cached. */
static enum envoy_result open_file(const struct envoys_voice *voice, const struct envoy_job *job,
				   void *dir)
{
	int fd = openat(*(int *)dir, "proc/uptime", O_RDONLY | O_CLOEXEC);

	(void)job;
	envoys_say(voice, "", fd < 0 ? BIND_FAILED : BIND_FOUND, fd < 0 ? errno : 0);
	return ENVOY_DONE;
}

static void take_answer(const struct bind_event *event, void *arg)
{
	*(int *)arg = event->outcome == BIND_TIMEOUT ? -ETIMEDOUT : -event->error;
}

static void take_end(size_t number, enum envoy_result result, void *arg)
{
	(void)number;
	(void)result;
	(void)arg;
}

int live_ask(int dir)
{
	int answer = -EIO;
	const struct envoys_task task = { .begin = begin_asking,
					  .work = open_file,
					  .arg = &dir,
					  .told = take_answer,
					  .ended = take_end,
					  .caller_arg = &answer };
	struct envoys *envoys = envoys_new(&task);
	int r = envoys_send(envoys, &(struct envoy_job){ 0 });

	envoys_end(envoys);
	if (answer == -ECONNABORTED) /* it died while it was asked */
		answer = -ENOTCONN;
	return r < 0 ? r : answer;
}

static int look(const struct host *host, const char *mountpoint, struct live *live)
{
	struct look l = { .mountpoint = mountpoint, .live = live };
	AUTO_FD int table = openat(host_proc_dir(host), "self/mountinfo", O_RDONLY | O_CLOEXEC);
	int r;

	if (table < 0)
		return -errno;
	live->fd = open(mountpoint, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (live->fd >= 0) {
		r = live_mount_id(host, live->fd, &l.id);
		if (r < 0)
			return r;
	}
	r = table_each(table, UINT64_MAX, look_at, &l);
	if (r == 0 && live->ours.serving) {
		int answer = live_ask(live->fd);

		live->silent = answer == -ETIMEDOUT;
		live->ours.serving = answer == 0;
	}
	if (!live->ours.serving)
		fd_close(&live->fd);
	return r;
}

/* On the file of the id, which is there for as long as the instance. */
static int take_lock(const char *mountpoint, int *ret)
{
	g_autofree char *path = instance_path(mountpoint, "id");
	uint64_t deadline = sys_coarse_ms() + LOCK_MS;
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (sys_coarse_ms() > deadline)
			return -EBUSY;
		g_usleep(10000);
	}
	*ret = fd_steal(&fd);
	return 0;
}

char *live_held(const char *mountpoint)
{
	g_autofree char *control = instance_path(mountpoint, "sock");
	g_autofree char *path = instance_path(mountpoint, "holder");

	/* What is told of a listener is who made the socket: the keeper, which is gone. */
	if (unix_listener(control) > 0 || unix_listener(path) <= 0)
		return NULL;
	return g_strdup_printf("no lxcfs-clone serves %s, whose readers wait: a holder keeps it "
			       "until the next one starts, or its time is over",
			       mountpoint);
}

char *live_silence(const char *mountpoint)
{
	g_autofree char *path = instance_path(mountpoint, "sock");
	pid_t pid = unix_listener(path);
	g_autofree char *held = live_held(mountpoint);
	g_autofree char *who = pid > 0 ? g_strdup_printf("process %d", pid) : g_strdup(path);

	if (held)
		return g_steal_pointer(&held);
	return g_strdup_printf("the lxcfs-clone at %s (%s) does not answer: is it stopped or "
			       "frozen?",
			       mountpoint, who);
}

static bool find_none(const char *mountpoint, const struct live *live, GError **error)
{
	g_autofree char *silence = live->silent ? live_silence(mountpoint) : NULL;

	if (silence)
		g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN, silence);
	else
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NXIO,
			    "no lxcfs-clone serves %s: start it first", mountpoint);
	return false;
}

bool live_open(const struct host *host, const char *mountpoint, bool must_serve, struct live *ret,
	       GError **error)
{
	int r = instance_source(mountpoint, &ret->source);

	if (r == -ENOENT) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
			    "no lxcfs-clone has served %s since this host was booted", mountpoint);
		return false;
	}
	if (r < 0)
		return fail(error, -r, "cannot read the id of %s", mountpoint);
	r = take_lock(mountpoint, &ret->lock);
	if (r == -EBUSY) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
			    "somebody else has been at the containers' mounts of %s for a minute",
			    mountpoint);
		return false;
	}
	if (r < 0)
		return fail(error, -r, "cannot lock the containers' mounts of %s", mountpoint);
	ret->own_ids = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	ret->ours.source = ret->source;
	ret->mountpoint = g_strdup(mountpoint);
	r = look(host, mountpoint, ret);
	if (r < 0)
		return fail(error, -r, "cannot look at %s", mountpoint);
	return !must_serve || ret->ours.serving || find_none(mountpoint, ret, error);
}

void live_clear(struct live *live)
{
	fd_close(&live->fd);
	fd_close(&live->lock);
	g_free(live->source);
	g_free(live->mountpoint);
	if (live->own_ids)
		g_array_unref(live->own_ids);
	*live = LIVE_NONE;
}
