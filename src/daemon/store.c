/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/num.h"
#include "util/spawn.h"

/* SD_LISTEN_FDS_START */
#define FIRST_FD 3

/* Far above any FileDescriptorStoreMax=: what claims more is no number of descriptors. */
#define MAX_FDS 4096u

#define FUSE_NAME  "fuse"
#define STATE_NAME "state"

/*
 * Without an answer the mount ends, and a host that is busy takes seconds to run systemctl. The
 * worker serves meanwhile, and systemd waits for 90 s.
 */
#define ASK_TIMEOUT_MS 10000u

/* Thousands of jobs, as at a shutdown, and /proc/PID/cgroup. */
#define TEXT_SIZE ((size_t)1 << 20)

bool store_list_parse(const char *pid, const char *fds, const char *names, pid_t self,
		      struct store_list *ret)
{
	g_auto(GStrv) given = g_strsplit(names ? names : "", ":", -1);
	size_t n_given = g_strv_length(given);
	struct store_list list = { 0 };
	uint64_t for_pid, n;

	if (!pid || !fds || !num_parse(pid, &for_pid) || for_pid != (uint64_t)self ||
	    !num_parse(fds, &n) || n > MAX_FDS)
		return false;
	list.n = n;
	list.names = g_new0(char *, n + 1);
	for (size_t i = 0; i < n; i++)
		list.names[i] = g_strdup(i < n_given ? given[i] : "");
	*ret = list;
	return true;
}

void store_list_clear(struct store_list *list)
{
	g_strfreev(list->names);
	*list = (struct store_list){ 0 };
}

/* The first that is called @name; for /dev/fuse the first that lives. -1: none. */
static int find(const struct store_list *list, const char *name, bool alive)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->names[i], name) == 0 &&
		    (!alive || handover_is_alive(FIRST_FD + (int)i)))
			return FIRST_FD + (int)i;
	return -1;
}

static bool has(const struct store_list *list, const char *name)
{
	return g_strv_contains((const char *const *)list->names, name);
}

/* Moves the pair out of the way, then closes all that was passed. */
static struct handover take_pair(const struct store_list *list)
{
	struct handover h = { .fuse = find(list, FUSE_NAME, true),
			      .state = find(list, STATE_NAME, false) };

	if (!handover_is_good(&h) ||
	    handover_move(&h, MAX(HANDOVER_MIN_FD, FIRST_FD + (int)list->n)) < 0)
		h = HANDOVER_NONE;
	for (size_t i = 0; i < list->n; i++) {
		int fd = FIRST_FD + (int)i;

		fd_close(&fd);
	}
	return h;
}

bool store_take(struct handover *ret)
{
	struct store_list list;
	bool ours = store_list_parse(getenv("LISTEN_PID"), getenv("LISTEN_FDS"),
				     getenv("LISTEN_FDNAMES"), getpid(), &list);

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	*ret = HANDOVER_NONE;
	if (!ours)
		return false;
	*ret = take_pair(&list);
	if (ret->fuse < 0 && (has(&list, FUSE_NAME) || has(&list, STATE_NAME))) {
		log_info("what systemd kept of an earlier instance is of no use any more");
		store_remove();
	}
	store_list_clear(&list);
	return ret->fuse >= 0;
}

void store_remove(void)
{
	(void)notify("FDSTOREREMOVE=1\nFDNAME=" FUSE_NAME);
	(void)notify("FDSTOREREMOVE=1\nFDNAME=" STATE_NAME);
}

unsigned store_put(int fuse, int state)
{
	/* The state first: a pair that lacks it would be of no use, and is not taken for one. */
	store_remove();
	/* Without FDPOLL=0 systemd would be woken up for each request. */
	if (notify_fd(state, "FDSTORE=1\nFDNAME=" STATE_NAME) < 0)
		return 0;
	return notify_fd(fuse, "FDSTORE=1\nFDPOLL=0\nFDNAME=" FUSE_NAME) < 0 ? 1 : 2;
}

/* Slices and a service, and what the service may have made below itself. */
static char *service_in(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);

	for (char **p = parts; *p; p++)
		if (g_str_has_suffix(*p, ".service"))
			/*
			 * Names that could be taken for a file of the kernel have a '_' in front.
			 */
			return g_strdup(**p == '_' ? *p + 1 : *p);
	return NULL;
}

char *store_unit_parse(const char *cgroup)
{
	g_auto(GStrv) lines = g_strsplit(cgroup, "\n", -1);
	char *unit = NULL;

	for (char **l = lines; *l && !unit; l++) {
		g_auto(GStrv) f = g_strsplit(*l, ":", 3);

		if (g_strv_length(f) == 3 &&
		    (strcmp(f[1], "name=systemd") == 0 || strcmp(f[0], "0") == 0))
			unit = service_in(f[2]);
	}
	return unit;
}

static enum store_fate fate_of(const char *type)
{
	static const struct {
		const char *type;
		enum store_fate fate;
	} fates[] = {
		{ .type = "stop", .fate = STORE_STOP },
		{ .type = "restart", .fate = STORE_RESTART },
		{ .type = "try-restart", .fate = STORE_RESTART },
		/* Somebody wants it again while it stops. */
		{ .type = "start", .fate = STORE_RESTART },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(fates); i++)
		if (strcmp(fates[i].type, type) == 0)
			return fates[i].fate;
	return STORE_NO_JOB;
}

/* Lines of "JOB UNIT TYPE STATE", padded with blanks. */
enum store_fate store_jobs_parse(const char *jobs, const char *unit)
{
	g_auto(GStrv) lines = g_strsplit(jobs, "\n", -1);

	for (char **l = lines; *l; l++) {
		g_auto(GStrv) words = g_strsplit_set(*l, " \t", -1);
		const char *f[4];
		size_t n = 0;

		for (char **w = words; *w && n < G_N_ELEMENTS(f); w++)
			if (**w)
				f[n++] = *w;
		if (n == G_N_ELEMENTS(f) && strcmp(f[1], unit) == 0)
			return fate_of(f[2]);
	}
	return STORE_NO_JOB;
}

/* What systemd took of that which was sent: nothing where FileDescriptorStoreMax= is not set. */
static bool keeps_both(const char *unit)
{
	const char *const ask[] = { "systemctl", "show", "--value", "-p", "NFileDescriptorStore",
				    "--",        unit,   NULL };
	char text[64];
	uint64_t n;

	return spawn_read(ask, ASK_TIMEOUT_MS, text, sizeof(text)) > 0 && num_parse(text, &n) &&
	       n >= 2;
}

static bool is_stopped_for_good(const char *unit)
{
	static const char *const ask[] = { "systemctl",  "list-jobs", "--no-legend",
					   "--no-pager", "--full",    NULL };
	g_autofree char *text = g_malloc(TEXT_SIZE);
	ssize_t n = spawn_read(ask, ASK_TIMEOUT_MS, text, TEXT_SIZE);

	if (n < 0)
		log_warning("cannot ask systemctl why we are to end: %s", g_strerror((int)-n));
	return n < 0 || store_jobs_parse(text, unit) == STORE_STOP;
}

bool store_has_heir(const struct host *host)
{
	g_autofree char *text = g_malloc(TEXT_SIZE);
	g_autofree char *unit = NULL;

	if (getenv("NOTIFY_SOCKET") && host_read_self(host, "cgroup", text, TEXT_SIZE) >= 0)
		unit = store_unit_parse(text);
	return unit && keeps_both(unit) && !is_stopped_for_good(unit);
}
