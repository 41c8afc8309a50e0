/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/launch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <unistd.h>

#include "bind/parts.h"
#include "host/pid.h"
#include "run/apart.h"
#include "run/cgroups.h"
#include "run/channel.h"
#include "run/fail.h"
#include "run/inside.h"
#include "run/pid_file.h"
#include "run/rootfs.h"
#include "run/session.h"
#include "run/state.h"
#include "run/teardown.h"
#include "util/fd.h"
#include "util/sys.h"

struct launch {
	const struct host *host;
	const struct spec *spec;
	struct state state;
	struct state_place place;
	struct users users;
	char *profile; /* the text of its filter; NULL: none */
	struct security security;
	struct mounts mounts;
	GArray *lxcfs; /* NULL: none */
	struct net net;
	struct cgroups *cgroups;
	struct session session;
};

static char **list_of(GPtrArray *texts)
{
	char **list = g_new0(char *, texts->len + 1);

	for (guint i = 0; i < texts->len; i++)
		list[i] = texts->pdata[i];
	return list;
}

static bool make_security(struct launch *l, GError **error)
{
	g_autofree char **add = list_of(l->spec->cap_add);
	g_autofree char **drop = list_of(l->spec->cap_drop);

	return seccomp_profile_read(l->spec->seccomp, &l->profile, error) &&
	       security_make(&(struct security_choice){ .cap_add = (const char *const *)add,
							.cap_drop = (const char *const *)drop,
							.seccomp = l->spec->seccomp,
							.profile = l->profile,
							.own_userns = l->spec->userns },
			     &l->security, error);
}

/* A container without them is better than none: what is missing is said. */
static bool fetch_lxcfs(struct launch *l)
{
	g_autoptr(GError) failure = NULL;

	if (l->spec->bind_lxcfs && !parts_collect(l->spec->lxcfs, NULL, &l->lxcfs, &failure))
		run_say("%s: the container sees the host's /proc files (--no-lxcfs: no such note)",
			failure->message);
	return true;
}

static GPtrArray *copy_of(GPtrArray *texts)
{
	return g_ptr_array_copy(texts, (GCopyFunc)(void (*)(void))g_strdup, NULL);
}

static uint64_t limit_of(uint64_t limit)
{
	return limit == CG_LIMIT_UNSET ? 0 : limit == CG_LIMIT_NONE ? UINT64_MAX : limit;
}

static void describe_limits(const struct cg_limits *l, struct state *ret)
{
	ret->memory = limit_of(l->memory);
	ret->memory_swap = limit_of(l->memory_swap);
	ret->cpu_quota = limit_of(l->cpu_quota);
	ret->cpu_shares = limit_of(l->cpu_shares);
	ret->pids_limit = limit_of(l->pids);
	ret->cpuset_cpus = g_strdup(l->cpuset_cpus);
	ret->cpuset_mems = g_strdup(l->cpuset_mems);
	ret->device_bps = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < l->io->len; i++) {
		const struct cg_io_limit *io = &g_array_index(l->io, struct cg_io_limit, i);

		g_ptr_array_add(ret->device_bps,
				g_strdup_printf("%u:%u %s %" PRIu64, io->major, io->minor,
						io->write ? "write" : "read", io->bytes_per_s));
	}
}

static void describe(struct launch *l)
{
	const struct spec *s = l->spec;
	struct pidstat self;

	l->state = (struct state){
		.name = g_strdup(s->name),
		.phase = g_strdup(STATE_CREATING),
		.monitor = (uint64_t)getpid(),
		.monitor_ticks =
			host_pid_stat(l->host, getpid(), &self) == 0 ? self.start_ticks : 0,
		.created = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC),
		.command = copy_of(s->command),
		.layers = copy_of(s->layers),
		.env = copy_of(s->env),
		.cap_add = copy_of(s->cap_add),
		.cap_drop = copy_of(s->cap_drop),
		.ulimits = copy_of(s->ulimits),
		.data = rootfs_data(s->name, s->layers),
		.user = g_strdup(s->user),
		.workdir = g_strdup(s->workdir),
		.hostname = g_strdup(s->hostname),
		.pid_file = g_strdup(s->pid_file),
		.seccomp = g_strdup(s->seccomp),
		.seccomp_profile = g_strdup(l->profile),
		.detached = s->detach,
		.tty = s->tty,
		.userns = s->userns,
		.lxcfs = l->lxcfs != NULL,
		.host_uts = s->shared.uts,
		.host_ipc = s->shared.ipc,
		.host_pid = s->shared.pid,
		.host_cgroup = s->shared.cgroup,
		.host_net = s->network.kind == SPEC_NET_HOST,
		.host_time = s->shared.time,
	};
	describe_limits(&s->limits, &l->state);
}

/* From here on there is something to be found, and nobody ends us who leaves it there. */
static bool make_state(struct launch *l, GError **error)
{
	session_hold_ends();
	describe(l);
	return state_create(&l->state, &l->place, error);
}

static bool take_users(struct launch *l, GError **error)
{
	return !l->spec->userns || users_take(l->host, LEASES_DIR, l->spec->name, &l->users, error);
}

static bool make_network(struct launch *l, GError **error)
{
	char address[INET_ADDRSTRLEN];

	if (!net_make(l->host, LEASES_DIR, l->spec->name, &l->spec->network, &l->net, error))
		return false;
	if (l->net.forwards)
		run_say("net.ipv4.ip_forward was off: it is turned on for NAT, and stays on");
	if (l->net.kind == SPEC_NET_BRIDGE &&
	    inet_ntop(AF_INET, &l->net.address, address, sizeof(address)))
		l->state.address = g_strdup(address);
	return true;
}

static bool make_cgroups(struct launch *l, GError **error)
{
	return cgroups_make(l->host, l->spec->name, &l->spec->limits, l->spec->devices, &l->cgroups,
			    error);
}

static bool part_mounts(struct launch *l, GError **error)
{
	return apart_mounts(l->host, error);
}

static bool make_rootfs(struct launch *l, GError **error)
{
	const struct users *users = l->spec->userns ? &l->users : NULL;
	AUTO_FD int userns = -1;

	if (users && !apart_open_userns(l->host, users, &userns, error))
		return false;
	return rootfs_make(l->spec, l->state.data, l->state.address, users, userns, error);
}

static bool part_time(struct launch *l, GError **error)
{
	return apart_time(l->host, !l->spec->shared.time, error);
}

static bool open_session(struct launch *l, GError **error)
{
	const struct spec *s = l->spec;

	if (!session_open(s->tty, s->interactive, &l->session, error))
		return false;
	for (size_t i = 0; s->userns && i < G_N_ELEMENTS(l->session.stdio); i++)
		if (l->session.stdio[i] >= 0 && i != STDIN_FILENO &&
		    fchown(l->session.stdio[i], l->users.uid, l->users.gid) < 0)
			return run_fail(error, errno, "cannot give a pipe away");
	return true;
}

/* Time and cgroup namespaces are made apart: see apart.h and inside.c. */
static uint64_t namespaces_of(const struct spec *s)
{
	return CLONE_NEWNS | (s->shared.pid ? 0u : CLONE_NEWPID) |
	       (s->shared.uts ? 0u : CLONE_NEWUTS) | (s->shared.ipc ? 0u : CLONE_NEWIPC) |
	       (s->network.kind == SPEC_NET_HOST ? 0u : CLONE_NEWNET) |
	       (s->userns ? CLONE_NEWUSER : 0u);
}

static bool start_child(struct launch *l, GError **error)
{
	const struct inside inside = {
		.host = l->host,
		.spec = l->spec,
		.data = l->state.data,
		.mounts = &l->mounts,
		.lxcfs = l->lxcfs,
		.net = &l->net,
		.security = &l->security,
		.channel = l->session.theirs,
		.stdio = { l->session.stdio[0], l->session.stdio[1], l->session.stdio[2] },
	};
	pid_t pid =
		sys_clone(namespaces_of(l->spec), cgroups_clone_fd(l->cgroups), &l->session.pidfd);

	if (pid < 0)
		return run_fail(error, -pid, "cannot make the container's namespaces");
	if (pid == 0) {
		fd_close(&l->session.channel);
		inside_run(&inside);
	}
	l->session.pid = pid;
	session_parted(&l->session);
	return true;
}

/* The child waits meanwhile: it does nothing before it is where its limits are. */
static bool place_child(struct launch *l, GError **error)
{
	pid_t pid = l->session.pid;

	return cgroups_enter(l->cgroups, pid, error) &&
	       (!l->spec->userns || users_map(l->host, pid, &l->users, error)) &&
	       net_attach(l->host, &l->net, pid, error) &&
	       channel_say(l->session.channel, CHANNEL_GO, -1, error);
}

static bool record_child(struct launch *l, GError **error)
{
	struct pidstat stat;
	int r = host_pid_stat(l->host, l->session.pid, &stat);

	if (r < 0)
		return run_fail(error, -r, "the container ended before it was started");
	l->state.pid = (uint64_t)l->session.pid;
	l->state.start_ticks = stat.start_ticks;
	g_free(l->state.phase);
	l->state.phase = g_strdup(STATE_RUNNING);
	return state_save(&l->place, &l->state, error) &&
	       (!l->state.pid_file || pid_file_write(l->state.pid_file, l->state.pid, error));
}

static bool release_child(struct launch *l, GError **error)
{
	return session_expect_ready(&l->session, error) && record_child(l, error) &&
	       channel_say(l->session.channel, CHANNEL_START, -1, error) &&
	       session_expect_end(&l->session, error);
}

/* The order matters: nothing is made before the record is there, nothing runs before its limits. */
static bool (*const steps[])(struct launch *l, GError **error) = {
	make_state, take_users,   make_network, make_cgroups, part_mounts,   make_rootfs,
	part_time,  open_session, start_child,  place_child,  release_child,
};

static bool start(struct launch *l, GError **error)
{
	g_autoptr(GError) failure = NULL;
	bool ok = make_security(l, &failure) && fetch_lxcfs(l) &&
		  mounts_fetch(l->host, l->spec, &l->mounts, &failure);

	for (size_t i = 0; ok && i < G_N_ELEMENTS(steps); i++)
		ok = session_goes_on(&failure) && steps[i](l, &failure);
	/* ^C ends an nft of ours as well: that is no failure of its own. */
	if (!ok && session_goes_on(error))
		g_propagate_error(error, g_steal_pointer(&failure));
	return ok;
}

static int follow(struct launch *l)
{
	AUTO_LOG struct log log = LOG_INIT;
	const struct session_ends ends = { .foreground = !l->spec->detach,
					   .interactive = l->spec->interactive,
					   .log = &log };

	log_open(l->state.data, &log);
	return session_follow(&l->session, &ends);
}

/* It has run and ended: what went wrong in tidying up is said, its status is what counts. */
static void finish(struct launch *l, int status)
{
	g_autoptr(GError) error = NULL;
	bool ok;

	l->state.exit_status = (uint64_t)status;
	l->state.finished = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
	g_free(l->state.phase);
	l->state.phase = g_strdup(STATE_EXITED);
	pid_file_remove(l->state.pid_file, l->state.pid);
	if (l->spec->remove)
		ok = teardown_all(l->host, l->state.name, &error);
	else
		ok = state_save(&l->place, &l->state, &error) &&
		     teardown_resources(l->host, l->state.name, &error);
	if (!ok)
		run_say("%s", error->message);
}

static void give_up(struct launch *l)
{
	g_autoptr(GError) error = NULL;

	session_kill(&l->session);
	pid_file_remove(l->state.pid_file, l->state.pid);
	if (l->place.dir >= 0 && !teardown_all(l->host, l->state.name, &error))
		run_say("%s", error->message);
}

static void clear(struct launch *l)
{
	session_close(&l->session);
	cgroups_free(l->cgroups);
	mounts_clear(&l->mounts);
	security_clear(&l->security);
	g_free(l->profile);
	if (l->lxcfs)
		g_array_unref(l->lxcfs);
	state_place_close(&l->place);
	state_clear(&l->state);
}

bool launch_run(const struct host *host, const struct spec *spec, int report, int *ret_status,
		GError **error)
{
	struct launch l = {
		.host = host, .spec = spec, .place = STATE_PLACE_INIT, .session = SESSION_INIT
	};
	AUTO_FD int home = apart_open_mounts(host);
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool ok = start(&l, error);

	/* The copy of the host's mounts goes, which would keep them busy. */
	apart_leave_mounts(home, root);
	apart_leave_time(host);
	if (ok) {
		if (report >= 0) {
			(void)channel_say(report, CHANNEL_READY, -1, NULL);
			apart_terminal();
		}
		*ret_status = follow(&l);
		finish(&l, *ret_status);
	} else {
		give_up(&l);
	}
	clear(&l);
	return ok;
}
