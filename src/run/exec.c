/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/caps.h"
#include "run/cgroups.h"
#include "run/channel.h"
#include "run/command.h"
#include "run/fail.h"
#include "run/init.h"
#include "run/process.h"
#include "run/session.h"
#include "run/terminal.h"
#include "run/values.h"
#include "util/fd.h"
#include "util/sys.h"

struct exec {
	struct known known;
	bool tty, interactive;
	char *user, *workdir; /* NULL: the container's */
	GPtrArray *env, *command;
	struct security security;
	struct cgroups *cgroups;
	struct session session;
};

#define ROW(flag, sort, member)                                                                    \
	.name = (flag), .kind = (sort), .offset = offsetof(struct exec, member)

static bool add_env(void *exec, const char *value, GError **error)
{
	return values_add_env(((struct exec *)exec)->env, value, error);
}

static const struct flag flags[] = {
	{ ROW("interactive", FLAG_TRUE, interactive), .letter = 'i',
	  .does = "pass standard input on" },
	{ ROW("tty", FLAG_TRUE, tty), .letter = 't', .does = "give it a terminal" },
	{ .name = "env",
	  .kind = FLAG_CALL,
	  .set = add_env,
	  .letter = 'e',
	  .value = "K[=V]",
	  .does = "beside the container's environment" },
	{ ROW("user", FLAG_TEXT, user), .letter = 'u', .value = "UID[:GID]",
	  .does = "else the container's" },
	{ ROW("workdir", FLAG_PATH, workdir), .letter = 'w', .value = "DIR",
	  .does = "else the container's" },
};

const struct flag *flags_of_exec(size_t *ret_n)
{
	*ret_n = G_N_ELEMENTS(flags);
	return flags;
}

/* Its name and the command. */
static bool parse(const struct host *host, char **words, struct exec *e, GError **error)
{
	GPtrArray *ours;
	char **rest;

	if (!flags_parse(flags, G_N_ELEMENTS(flags), words, e, &rest, error))
		return false;
	if (!rest[0] || !rest[1])
		return run_fail(error, 0, "a container and a command are needed (see --help)");
	if (!terminal_check(e->tty, e->interactive, error))
		return false;
	if (!known_open_running(host, rest[0], &e->known, error))
		return false;
	for (rest++; *rest; rest++)
		g_ptr_array_add(e->command, g_strdup(*rest));
	/* What was given here stands behind, and so counts. */
	ours = e->env;
	e->env = g_steal_pointer(&e->known.state.env);
	g_ptr_array_extend_and_steal(e->env, ours);
	return true;
}

static bool open_cgroups(const struct host *host, struct exec *e, GError **error)
{
	const char *name = e->known.state.name;

	if (!cgroups_open(host, name, &e->cgroups, error))
		return false;
	if (cgroups_is_frozen(e->cgroups))
		return run_fail(error, 0, "'%s' is paused", name);
	return cgroups_descend(e->cgroups, host, (pid_t)e->known.state.pid, error);
}

static bool make_security(struct exec *e, GError **error)
{
	const struct state *s = &e->known.state;

	g_ptr_array_add(s->cap_add, NULL);
	g_ptr_array_add(s->cap_drop, NULL);
	return security_make(
		&(struct security_choice){ .cap_add = (const char *const *)s->cap_add->pdata,
					   .cap_drop = (const char *const *)s->cap_drop->pdata,
					   .seccomp = s->seccomp,
					   .profile = s->seccomp_profile,
					   .own_userns = s->userns },
		&e->security, error);
}

/* What the last steps before the command need, see process.h. */
#define CAPS_NEEDED                                                                                \
	(CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_DAC_OVERRIDE) | CAPS_BIT(CAP_SETUID) |                 \
	 CAPS_BIT(CAP_SETGID) | CAPS_BIT(CAP_SETPCAP))

static int namespaces_of(const struct state *s)
{
	return CLONE_NEWNS | (s->userns ? CLONE_NEWUSER : 0) | (s->host_pid ? 0 : CLONE_NEWPID) |
	       (s->host_uts ? 0 : CLONE_NEWUTS) | (s->host_ipc ? 0 : CLONE_NEWIPC) |
	       (s->host_net ? 0 : CLONE_NEWNET) | (s->host_cgroup ? 0 : CLONE_NEWCGROUP) |
	       (s->host_time ? 0 : CLONE_NEWTIME);
}

static bool join(const struct exec *e, GError **error)
{
	const struct state *s = &e->known.state;

	if (setns(e->known.pidfd, namespaces_of(s)) < 0)
		return run_fail(error, errno, "cannot join the namespaces of '%s'", s->name);
	if (s->userns &&
	    (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		return run_fail(error, errno, "cannot become root of the user namespace");
	return true;
}

/* The bounding set, too: else an exec would give root back what is dropped here. */
static bool drop_caps(const struct exec *e, GError **error)
{
	uint64_t caps = e->security.caps | (CAPS_NEEDED & caps_bounding());
	int r = caps_bound(caps);

	if (r == 0)
		r = caps_set(caps);
	return r == 0 || run_fail(error, -r, "cannot drop capabilities");
}

/* From who may not trace us. And whatever happens, we do not outlive the launcher. */
static bool hide(GError **error)
{
	return (prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0) ||
	       run_fail(error, errno, "cannot hide from the container");
}

static bool run_process(const struct exec *e, GError **error)
{
	const struct state *s = &e->known.state;
	const struct process process = {
		.command = e->command,
		.env = e->env,
		.ulimits = s->ulimits,
		.workdir = e->workdir ? e->workdir : s->workdir,
		.user = e->user ? e->user : s->user,
		.hostname = s->hostname,
		.tty = e->tty,
		.security = &e->security,
		.channel = e->session.theirs,
		.stdio = { e->session.stdio[0], e->session.stdio[1], e->session.stdio[2] },
	};

	return hide(error) && channel_expect(process.channel, CHANNEL_GO, NULL, error) &&
	       process_run(&process, error);
}

static bool fail_to_start(const struct exec *e, int err, GError **error)
{
	return run_fail(error, err, "cannot start a process in '%s'%s", e->known.state.name,
			err == EAGAIN ? ", which may be at its --pids-limit (two are needed)" : "");
}

/* Becomes a child of the launcher's, in the cgroups and the namespaces that we are in. */
static bool leave_child(struct exec *e, GError **error)
{
	AUTO_FD int pidfd = -1;
	pid_t pid = sys_clone(CLONE_PARENT, -1, &pidfd);

	if (pid < 0)
		return fail_to_start(e, -pid, error);
	if (pid == 0)
		return run_process(e, error);
	return channel_say(e->session.theirs, CHANNEL_CHILD, pidfd, error);
}

/*
 * Who is in the container sees a process of its pid namespace, and with CAP_SYS_PTRACE has all that
 * is its. So we, who are not in there and whom nobody sees, become one of the container's in all
 * other ways before the process is made.
 */
_Noreturn static void go_between(struct exec *e)
{
	int channel = e->session.theirs;
	GError *error = NULL;
	bool ok;

	init_hide();
	umask(022);
	ok = hide(&error) && channel_expect(channel, CHANNEL_GO, NULL, &error) &&
	     session_part(&e->session, e->known.pidfd, &error) &&
	     process_raise_limits(e->known.state.ulimits, &error) && join(e, &error) &&
	     drop_caps(e, &error);
	fd_close(&e->known.pidfd);
	if (!ok || !hide(&error) || !leave_child(e, &error))
		channel_fail(channel, error);
	_exit(RUN_FAILED);
}

static bool start_child(struct exec *e, GError **error)
{
	pid_t pid = sys_clone(0, cgroups_clone_fd(e->cgroups), &e->session.pidfd);

	if (pid < 0)
		return fail_to_start(e, -pid, error);
	if (pid == 0) {
		fd_close(&e->session.channel);
		go_between(e);
	}
	e->session.pid = pid;
	session_parted(&e->session);
	return true;
}

static bool start_process(const struct host *host, struct exec *e, GError **error)
{
	struct session *session = &e->session;

	return start_child(e, error) && cgroups_enter(e->cgroups, session->pid, error) &&
	       channel_say(session->channel, CHANNEL_GO, -1, error) &&
	       session_expect_child(session, host, error) &&
	       channel_say(session->channel, CHANNEL_GO, -1, error) &&
	       session_expect_ready(session, error) &&
	       channel_say(session->channel, CHANNEL_START, -1, error) &&
	       session_expect_end(session, error);
}

/*
 * The process's parent, for it is not the launcher: that may be stopped (^Z), and a container ends
 * only when all of its dead were waited for. Its status is the process's.
 */
_Noreturn static void wait_for_process(const struct host *host, struct exec *e, int report)
{
	GError *error = NULL;
	int status = 0;
	bool ok;

	(void)setpgid(0, 0);
	ok = (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ||
	      run_fail(&error, errno, "cannot ask for a signal")) &&
	     start_process(host, e, &error) &&
	     channel_say(report, CHANNEL_READY, e->session.terminal, &error) &&
	     channel_say(report, CHANNEL_CHILD, e->session.pidfd, &error);
	if (!ok) {
		session_kill(&e->session);
		channel_fail(report, error);
		_exit(RUN_FAILED);
	}
	close(report);
	session_close(&e->session);
	while (waitpid(e->session.pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(run_exit_status(status));
}

static bool start_waiter(const struct host *host, struct exec *e, GError **error)
{
	struct session *s = &e->session;
	int report[2];

	if (!channel_make(report, error))
		return false;
	s->pid = sys_clone(0, -1, &s->pidfd);
	if (s->pid == 0) {
		close(report[0]);
		wait_for_process(host, e, report[1]);
	}
	close(report[1]);
	fd_close(&s->channel);
	s->channel = report[0];
	session_parted(s);
	return s->pid > 0 || run_fail(error, -s->pid, "cannot start a process");
}

static bool start(const struct host *host, char **words, struct exec *e, GError **error)
{
	return parse(host, words, e, error) && open_cgroups(host, e, error) &&
	       make_security(e, error) &&
	       session_open(e->tty, e->interactive, &e->session, error) &&
	       start_waiter(host, e, error) && session_expect_ready(&e->session, error) &&
	       session_expect_waiter(&e->session, error);
}

static void clear(struct exec *e)
{
	session_close(&e->session);
	cgroups_free(e->cgroups);
	security_clear(&e->security);
	known_clear(&e->known);
	g_ptr_array_unref(e->env);
	g_ptr_array_unref(e->command);
	g_free(e->user);
	g_free(e->workdir);
}

int command_exec(const struct host *host, char **words)
{
	struct exec e = { .known = KNOWN_INIT,
			  .session = SESSION_INIT,
			  .env = g_ptr_array_new_with_free_func(g_free),
			  .command = g_ptr_array_new_with_free_func(g_free) };
	GError *error = NULL;
	int status;

	if (start(host, words, &e, &error)) {
		const struct session_ends ends = { .foreground = true,
						   .interactive = e.interactive };

		status = session_follow(&e.session, &ends);
	} else {
		session_kill(&e.session);
		status = run_say_error(error);
	}
	clear(&e);
	return status;
}
