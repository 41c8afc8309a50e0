/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind/instance.h"
#include "cgroup/join.h"
#include "daemon/hierarchies.h"
#include "daemon/holding.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/unix.h"

#define SUFFIX "holder"
#define CGROUP "lxcfs-clone-holder"

struct holder {
	const char *mountpoint;
	char *name;   /* of the socket … */
	ino_t socket; /* … which is ours as long as it has this number … */
	int run_dir;  /* … in here: seen from our first mount namespace */
	int ready;    /* a byte, when settled */
	struct holding holding;
	struct cg_layout *layout;
};

static bool open_socket(struct holder *h, GError **error)
{
	g_autofree char *path = instance_path(h->mountpoint, SUFFIX);
	g_autofree char *dir = g_path_get_dirname(path);
	struct stat st;

	if (g_mkdir_with_parents(dir, 0755) < 0)
		return fail(error, errno, "cannot make the directory %s", dir);
	h->name = g_path_get_basename(path);
	h->run_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (h->run_dir < 0)
		return fail(error, errno, "cannot open the directory %s", dir);
	h->holding.listener = unix_listen(path);
	if (h->holding.listener < 0)
		return fail(error, -h->holding.listener, "cannot listen at %s", path);
	if (fstatat(h->run_dir, h->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(error, errno, "cannot find the socket %s", path);
	h->socket = st.st_ino;
	return true;
}

/* A later instance may have made a socket of its own there. */
static void remove_socket(const struct holder *h)
{
	struct stat st;

	if (h->name && fstatat(h->run_dir, h->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == h->socket)
		(void)unlinkat(h->run_dir, h->name, 0);
}

/* SIGTERM asks to quit, a shutdown's too; a terminal is none of our business. */
static void take_signals(struct holder *h)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_SETMASK, &term, NULL);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	h->holding.signals = signalfd(-1, &term, SFD_CLOEXEC);
}

/* Else the pod's namespace, and its root file system with it, would live as long as we do. */
static void leave_mounts(const struct host *host)
{
	AUTO_FD int init = host_is_nested(host) ? -EXDEV : host_open_init_mounts(host);

	if (init < 0 || setns(init, CLONE_NEWNS) < 0)
		log_info("the holder stays in this mount namespace: %s",
			 g_strerror(init < 0 ? -init : errno));
	if (chdir("/") < 0)
		log_debug("the holder stays in its directory: %s", g_strerror(errno));
}

static void leave_cgroups(struct holder *h, const struct host *host)
{
	int r = hierarchies_detect(host, &h->layout);

	if (r == 0)
		r = cg_join(h->layout, CGROUP);
	if (r == -EXDEV)
		log_warning("the holder is in a part of the cgroups alone, and ends with that: "
			    "mount the host's /sys/fs/cgroup");
	else if (r < 0)
		log_warning("the holder stays in a cgroup of ours: %s", g_strerror(-r));
}

/*
 * Pipes and sockets are somebody's who waits for their end, such as the container's runtime. Files
 * are not; else the kernel's log takes what we have to say.
 */
static void leave_stdio(void)
{
	AUTO_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO_FD int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	struct stat st;

	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	if (fstat(STDERR_FILENO, &st) < 0 || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		(void)dup2(log < 0 ? null : log, STDERR_FILENO);
}

/* Out of everything that ends with the instance. */
static void settle(struct holder *h)
{
	int keep[] = { h->holding.listener, h->holding.pair.fuse, h->holding.pair.state, h->run_dir,
		       h->ready };
	struct host *host;
	int r;

	(void)prctl(PR_SET_NAME, "lxcfs-holder");
	fd_close_others(keep, G_N_ELEMENTS(keep));
	take_signals(h);
	r = host_open("/", &host);
	if (r < 0) {
		log_warning("the holder cannot leave our cgroup: %s", g_strerror(-r));
	} else {
		leave_mounts(host);
		leave_cgroups(h, host);
		host_free(host);
	}
	leave_stdio();
}

static void say_why(const struct holder *h, enum holding_end end)
{
	switch (end) {
	case HOLDING_ABANDONED:
		log_warning("no instance came for %s within %u s: its holder lets go",
			    h->mountpoint, h->holding.seconds);
		break;
	case HOLDING_GONE:
		log_info("the holder of %s has nothing left to hold", h->mountpoint);
		break;
	case HOLDING_ASKED:
		log_debug("the holder of %s lets go as asked", h->mountpoint);
		break;
	}
}

G_NORETURN static void hold(struct holder *h)
{
	enum holding_end end = HOLDING_ASKED;
	int quitter = -1;

	settle(h);
	/* Not heard: the instance has given up waiting, or died. The latter is no matter. */
	if (write(h->ready, "R", 1) == 1 || errno != EPIPE) {
		fd_close(&h->ready);
		end = holding_run(&h->holding, &quitter);
	}
	handover_clear(&h->holding.pair);
	remove_socket(h);
	if (h->layout)
		cg_leave(h->layout, CGROUP);
	say_why(h, end);
	fd_close(&quitter);
	_exit(0);
}

/* Twice, so that whoever reaps orphans gets it, not the instance. */
static bool fork_away(struct holder *h, int *ret_ready, GError **error)
{
	AUTO_FD int ready = -1;
	int fds[2], status = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(error, errno, "cannot make a pipe for the holder of %s", h->mountpoint);
	ready = fds[0];
	h->ready = fds[1];
	pid = fork();
	if (pid == 0) {
		(void)setsid();
		pid = fork();
		if (pid == 0)
			hold(h);
		_exit(pid < 0 ? errno : 0);
	}
	if (pid < 0)
		status = errno;
	fd_close(&h->ready);
	if (pid > 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		status = WEXITSTATUS(status);
	}
	if (status != 0)
		return fail(error, status, "cannot start a holder of %s", h->mountpoint);
	*ret_ready = fd_steal(&ready);
	return true;
}

bool holder_start(const char *mountpoint, int fuse, int state, unsigned seconds, int *ret_ready,
		  GError **error)
{
	struct holder h = { .mountpoint = mountpoint,
			    .run_dir = -1,
			    .ready = -1,
			    .holding = { .listener = -1,
					 .signals = -1,
					 .pair = { .fuse = fuse, .state = state },
					 .seconds = seconds } };
	bool ok = open_socket(&h, error) && fork_away(&h, ret_ready, error);

	if (!ok)
		remove_socket(&h);
	fd_close(&h.holding.listener);
	fd_close(&h.run_dir);
	g_free(h.name);
	return ok;
}

int holder_fetch(const char *mountpoint, struct handover *ret)
{
	g_autofree char *path = instance_path(mountpoint, SUFFIX);

	return holding_fetch(path, ret);
}

int holder_attend(const char *mountpoint)
{
	g_autofree char *path = instance_path(mountpoint, SUFFIX);

	return holding_attend(path);
}

int holder_quit(const char *mountpoint)
{
	g_autofree char *path = instance_path(mountpoint, SUFFIX);
	int r = holding_quit(path);

	if (r == -ECONNREFUSED)
		(void)unlink(path);
	return r == -ENOENT || r == -ECONNREFUSED ? 0 : r;
}
