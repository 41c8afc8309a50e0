/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run/account.h"
#include "run/channel.h"
#include "run/fail.h"
#include "run/init.h"
#include "run/spec.h"
#include "run/target.h"
#include "run/terminal.h"
#include "run/values.h"
#include "util/fd.h"
#include "util/sys.h"

#define PATH_USUAL "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* All that is made ready before the container may see any of it. */
struct ready {
	struct account account;
	char **argv, **env;
	int slave; /* -1: no terminal */
};

/* The last of a name counts, in the first one's place. There may be very many. */
struct environment {
	GPtrArray *pairs;
	GHashTable *places; /* name: place in .pairs */
};

static void env_set(struct environment *e, char *pair)
{
	char *name = g_strndup(pair, strcspn(pair, "="));
	void *place;

	if (g_hash_table_lookup_extended(e->places, name, NULL, &place)) {
		g_free(e->pairs->pdata[GPOINTER_TO_UINT(place)]);
		e->pairs->pdata[GPOINTER_TO_UINT(place)] = pair;
		g_free(name);
		return;
	}
	g_hash_table_insert(e->places, name, GUINT_TO_POINTER(e->pairs->len));
	g_ptr_array_add(e->pairs, pair);
}

static char **make_env(const struct process *p, const char *home)
{
	struct environment e = { .pairs = g_ptr_array_new(),
				 .places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
								 NULL) };

	env_set(&e, g_strdup("PATH=" PATH_USUAL));
	env_set(&e, g_strconcat("HOSTNAME=", p->hostname, NULL));
	env_set(&e, g_strconcat("HOME=", home, NULL));
	if (p->tty)
		env_set(&e, g_strdup("TERM=xterm"));
	for (guint i = 0; i < p->env->len; i++)
		if (strchr(p->env->pdata[i], '='))
			env_set(&e, g_strdup(p->env->pdata[i]));
	g_ptr_array_add(e.pairs, NULL);
	g_hash_table_unref(e.places);
	return (char **)g_ptr_array_free(e.pairs, FALSE);
}

static char **make_argv(const struct process *p)
{
	char **argv = g_new0(char *, p->command->len + 1);

	for (guint i = 0; i < p->command->len; i++)
		argv[i] = p->command->pdata[i];
	return argv;
}

static int set_limit(const struct spec_rlimit *r)
{
	return setrlimit((__rlimit_resource_t)r->resource, &r->limit) < 0 ? -errno : 0;
}

static int raise_limit(const struct spec_rlimit *r)
{
	struct spec_rlimit raised = *r;

	if (getrlimit((__rlimit_resource_t)r->resource, &raised.limit) < 0)
		return -errno;
	if (raised.limit.rlim_max >= r->limit.rlim_max)
		return 0;
	raised.limit.rlim_max = r->limit.rlim_max;
	return set_limit(&raised);
}

static bool each_limit(const GPtrArray *ulimits, int (*fn)(const struct spec_rlimit *r),
		       GError **error)
{
	for (guint i = 0; i < ulimits->len; i++) {
		struct spec_rlimit limit;
		int r;

		if (!values_parse_ulimit(ulimits->pdata[i], &limit, error))
			return false;
		r = fn(&limit);
		if (r < 0)
			return run_fail(error, -r, "--ulimit: cannot set %s",
					(const char *)ulimits->pdata[i]);
	}
	return true;
}

bool process_raise_limits(const GPtrArray *ulimits, GError **error)
{
	return each_limit(ulimits, raise_limit, error);
}

/* As docker does it: the folder of -w is made when missing. */
static bool go_to(const char *workdir, GError **error)
{
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int dir = target_open(root, workdir, true);

	if (dir < 0 || fchdir(dir) < 0)
		return run_fail(error, dir < 0 ? -dir : errno, "cannot go to %s in the container",
				workdir);
	return true;
}

static bool bind_console(int slave, GError **error)
{
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int target = target_open(root, "/dev/console", false);
	AUTO_FD int tree = sys_clone_tree_at(slave);
	int r = target < 0 ? target : tree < 0 ? tree : sys_mount_onto(tree, target);

	return r >= 0 || run_fail(error, -r, "cannot make /dev/console");
}

static bool open_terminal(const struct process *p, const struct account *a, int *ret_master,
			  int *ret_slave, GError **error)
{
	if (!terminal_open(ret_master, ret_slave, error))
		return false;
	if (fchown(*ret_slave, a->uid, (gid_t)-1) < 0)
		return run_fail(error, errno, "cannot give the terminal to the user");
	return !p->console || bind_console(*ret_slave, error);
}

/* A user who is not root may open /dev/stdout, too. Not possible for all kinds, and not needed. */
static void give_stdio(const struct process *p, const struct account *a)
{
	for (size_t i = 0; i < G_N_ELEMENTS(p->stdio); i++) {
		struct stat st;

		if (fstat(p->stdio[i], &st) == 0 && S_ISFIFO(st.st_mode) &&
		    fchown(p->stdio[i], a->uid, a->gid) < 0)
			continue;
	}
}

static bool take_stdio(const struct process *p, int slave, GError **error)
{
	if (p->tty)
		return terminal_take(slave, error);
	if (setsid() < 0 && errno != EPERM)
		return run_fail(error, errno, "cannot begin a session");
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(p->stdio[fd], fd) < 0)
			return run_fail(error, errno, "cannot use the standard descriptors");
	return true;
}

/* Along PATH, by the container's rules. Returns when nothing could be run. */
static bool execute(const struct process *p, const struct ready *r, GError **error)
{
	const char *name = p->command->pdata[0];
	const char *path = strchr(name, '/') ? NULL : g_environ_getenv(r->env, "PATH");
	g_auto(GStrv) folders = g_strsplit(path ? path : "", ":", -1);
	int err = ENOENT;

	if (!path) {
		(void)execve(name, r->argv, r->env);
		err = errno;
	}
	for (char **folder = folders; *folder; folder++) {
		g_autofree char *full = g_build_filename(**folder ? *folder : ".", name, NULL);

		(void)execve(full, r->argv, r->env);
		/* What is there and cannot be run is worth more to be told of. */
		if (errno != ENOENT && errno != ENOTDIR)
			err = errno;
	}
	return run_fail_status(error,
			       err == ENOENT || err == ENOTDIR ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE,
			       "cannot run '%.256s': %s", name, g_strerror(err));
}

/* The last of all: the filter is for the command, and may refuse whatever we would still do. */
static bool load_filter(const struct process *p, GError **error)
{
	int r = seccomp_filter_load(&p->security->filter);

	return r == 0 ||
	       run_fail(error, -r, "cannot confine the container: load the seccomp filter");
}

static void reset_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int n = 1; n < NSIG; n++)
		(void)signal(n, SIG_DFL);
}

/* In the command's own process: until here every signal was blocked. */
static bool become(const struct process *p, const struct ready *r, GError **error)
{
	int keep[] = { p->channel };
	sigset_t none;

	if (!take_stdio(p, r->slave, error))
		return false;
	/* Whatever our caller left open, too. */
	fd_close_others(keep, G_N_ELEMENTS(keep));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return load_filter(p, error) && execute(p, r, error);
}

/* Pid 1 keeps nothing of the host's but its program. It says at @ready that it is confined. */
_Noreturn static void stay(const struct process *p, pid_t child, int ready)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int keep[] = { p->channel, ready };
	GError *error = NULL;

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	fd_close_others(keep, G_N_ELEMENTS(keep));
	if (load_filter(p, &error) && write(ready, "", 1) == 1) {
		close(p->channel);
		close(ready);
		init_run(child);
	}
	if (error)
		channel_fail(p->channel, error);
	_exit(RUN_FAILED);
}

/* If the launcher was gone before we asked to die with it, nothing tells us but the channel. */
static bool has_launcher(const struct process *p)
{
	char c;

	return recv(p->channel, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static bool confine(const struct process *p, const struct account *a, GError **error)
{
	const struct security_user user = { .uid = a->uid,
					    .gid = a->gid,
					    .groups = (const gid_t *)(void *)a->groups->data,
					    .n_groups = a->groups->len };
	const struct security unfiltered = { .caps = p->security->caps };
	const char *what = "";
	int r = security_confine(&unfiltered, &user, &what);

	if (r < 0)
		return run_fail(error, -r, "cannot confine the container: %s", what);
	/* Becoming another user has cleared both. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return run_fail(error, errno, "cannot confine the container");
	return has_launcher(p) || run_fail(error, 0, "the launcher is gone");
}

/* Not before pid 1 is confined like ourselves: the command might make use of it. */
_Noreturn static void begin(const struct process *p, const struct ready *r, int ready)
{
	GError *error = NULL;
	char c;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || read(ready, &c, 1) != 1)
		_exit(RUN_FAILED);
	(void)become(p, r, &error);
	channel_fail(p->channel, error);
	_exit(error->code);
}

/* Our caller's session has keys of its own. */
static bool leave_keys(GError **error)
{
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS ||
	       run_fail(error, errno, "cannot make a session keyring");
}

static bool start(const struct process *p, const struct ready *r, GError **error)
{
	int ready[2];
	pid_t child;

	reset_signals();
	if (!leave_keys(error))
		return false;
	if (!confine(p, &r->account, error))
		return false;
	if (!p->init)
		return become(p, r, error);
	child = pipe2(ready, O_CLOEXEC) < 0 ? -1 : fork();
	if (child < 0)
		return run_fail(error, errno, "cannot start a process beside the init%s",
				errno == EAGAIN ? " (--pids-limit: two are needed, or --no-init)"
						: "");
	if (child > 0)
		stay(p, child, ready[1]);
	close(ready[1]);
	begin(p, r, ready[0]);
}

/* What was the launcher's would count against the limit of descriptors. */
static void close_rest(const struct process *p, const struct ready *r)
{
	int keep[] = { p->channel, p->stdio[0], p->stdio[1], p->stdio[2], r->slave };

	fd_close_others(keep, G_N_ELEMENTS(keep));
}

bool process_run(const struct process *p, GError **error)
{
	struct ready r = { .slave = -1 };
	AUTO_FD int master = -1;
	bool ok;

	if (!account_find_here(p->user, &r.account, error))
		return false;
	r.argv = make_argv(p);
	r.env = make_env(p, r.account.home);
	ok = go_to(p->workdir, error) &&
	     (!p->tty || open_terminal(p, &r.account, &master, &r.slave, error));
	if (ok && !p->tty)
		give_stdio(p, &r.account);
	ok = ok && channel_say(p->channel, CHANNEL_READY, master, error);
	fd_close(&master);
	if (!ok || !channel_expect(p->channel, CHANNEL_START, NULL, error))
		return false;
	close_rest(p, &r);
	return each_limit(p->ulimits, set_limit, error) && start(p, &r, error);
}
