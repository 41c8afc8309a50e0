/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "run/fail.h"
#include "util/fd.h"
#include "util/sys.h"

bool terminal_check(bool tty, bool interactive, GError **error)
{
	return !tty || !interactive || isatty(STDIN_FILENO) ||
	       run_fail(error, 0, "-t with -i is for a terminal, which standard input is not");
}

bool terminal_open(int *ret_master, int *ret_slave, GError **error)
{
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int master = sys_open_rooted(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
	AUTO_FD int slave = -1;
	int unlock = 0;

	if (master < 0)
		return run_fail(error, -master, "cannot open /dev/pts/ptmx in the container");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return run_fail(error, errno, "cannot unlock the terminal");
	/* By the master's descriptor: no path of the container's is asked. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return run_fail(error, errno, "cannot open the terminal");
	*ret_master = fd_steal(&master);
	*ret_slave = fd_steal(&slave);
	return true;
}

bool terminal_is_master(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(TTYAUX_MAJOR, 2);
}

bool terminal_take(int slave, GError **error)
{
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		return run_fail(error, errno, "cannot take the terminal");
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(slave, fd) < 0)
			return run_fail(error, errno, "cannot use the terminal");
	return true;
}

void terminal_copy_size(int from, int to)
{
	struct winsize size;

	if (ioctl(from, TIOCGWINSZ, &size) == 0)
		(void)ioctl(to, TIOCSWINSZ, &size);
}

/* Waits until nobody has the other end of the pipe, then restores. */
_Noreturn static void guard(int pipe, const struct termios *saved)
{
	int keep[] = { pipe };
	sigset_t all;
	char c;

	/* Also from the background: SIGTTOU is among them. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	fd_close_others(keep, G_N_ELEMENTS(keep));
	while (read(pipe, &c, 1) < 0 && errno == EINTR)
		;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, saved);
	_exit(0);
}

void terminal_make_raw(struct terminal_raw *ret)
{
	struct termios saved, raw;
	int fds[2];

	*ret = (struct terminal_raw){ .pipe = -1 };
	if (tcgetattr(STDIN_FILENO, &saved) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return;
	ret->guard = fork();
	if (ret->guard == 0) {
		close(fds[1]);
		guard(fds[0], &saved);
	}
	close(fds[0]);
	ret->pipe = fds[1];
	ret->raw = ret->guard > 0;
	raw = saved;
	cfmakeraw(&raw);
	if (ret->raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void terminal_restore(struct terminal_raw *raw)
{
	fd_close(&raw->pipe);
	if (raw->raw)
		while (waitpid(raw->guard, NULL, 0) < 0 && errno == EINTR)
			;
	raw->raw = false;
}
