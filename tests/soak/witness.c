/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sees what a container sees while the daemon dies and comes back: reads its files all the time,
 * when nobody else wants the CPU (-o: as others do). That is too seldom to tell since when they
 * work again: the lookout does, and from then on no reading may fail.
 *
 *   witness [-o] -c CONTROL -i INDEX -k KB -p PID FILE...
 *
 * It joins the namespaces and the root directory of process PID; -k: what MemTotal must say.
 * CONTROL is a file of slots (slots.h), INDEX this container's. A reading must give the container's
 * text. It may fail for want of a daemon: in an odd phase, and in an even one until that file was
 * read for the first time. Anything else is told on stderr, and status 1.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "slots.h"

#define MAX_FILES 32
#define PAUSE_US  500

static struct {
	struct slot *slots, *own;
	uint64_t total_kb;
	uint32_t host_major, host_minor; /* of the kernel's own files */
	char **files;
	int n_files;
	bool ordinary; /* priority */
	uint64_t phase;
	uint32_t good; /* a bit a file that was read in this phase */
} w;

static char text[1 << 18];

static int open_of(pid_t pid, const char *name, int flags)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* In a child, which is what the namespace of processes is for. */
static void enter(pid_t pid)
{
	static const char *const kinds[] = { "ns/cgroup", "ns/pid", "ns/mnt" };
	int root = open_of(pid, "root", O_PATH | O_DIRECTORY), ns[3], status;
	pid_t child;

	for (int i = 0; i < 3; i++)
		ns[i] = open_of(pid, kinds[i], O_RDONLY);
	for (int i = 0; i < 3; i++)
		if (setns(ns[i], 0) < 0)
			err(1, "setns %s", kinds[i]);
	if (fchdir(root) < 0 || chroot(".") < 0)
		err(1, "chroot");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (child > 0)
		exit(waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
									      : 1);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static bool total_is_right(void)
{
	static const char key[] = "MemTotal:";

	return strncmp(text, key, sizeof(key) - 1) == 0 &&
	       strtoull(text + sizeof(key) - 1, NULL, 10) == w.total_kb;
}

/* Of a container that did nothing with disks. */
static bool may_be_empty(const char *path)
{
	return strcmp(path, "/proc/diskstats") == 0;
}

/* Returns 0 or errno. A text that is not the container's ends all. */
static int read_once(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
	struct statx about;
	size_t len = 0;
	ssize_t n = -1;

	if (fd < 0)
		return errno;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &about) == 0) {
		if (about.stx_dev_major == w.host_major && about.stx_dev_minor == w.host_minor)
			errx(1, "%s is the host's", path);
		while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
			len += (size_t)n;
	}
	if (n < 0)
		error = errno;
	close(fd);
	if (error)
		return error;
	text[len] = '\0';
	if (strcmp(path, "/proc/meminfo") == 0 ? !total_is_right()
					       : len == 0 && !may_be_empty(path))
		errx(1, "%s: unexpected text: %.80s", path, text);
	return 0;
}

static void look_at_phase(void)
{
	uint64_t phase = atomic_load(&w.slots[0].phase);

	if (phase == w.phase)
		return;
	w.phase = phase;
	w.good = 0;
}

static void take_good(int number)
{
	if (w.phase % 2 == 0)
		w.good |= 1u << number;
}

/* @worked: all files did, before this one was tried. */
static void take_failure(int number, int error, bool worked)
{
	uint64_t phase = w.phase;
	bool was_good = phase % 2 == 0 && (worked || w.good & 1u << number);

	if (error != ENOTCONN && error != ECONNABORTED)
		errx(1, "%s: %s", w.files[number], strerror(error));
	look_at_phase(); /* the daemon may have died meanwhile */
	if (was_good && w.phase == phase)
		errx(1, "%s worked, and then: %s", w.files[number], strerror(error));
	atomic_fetch_add(&w.own->failed, 1);
}

static void watch(void)
{
	while (w.phase != PHASE_END) {
		for (int i = 0; i < w.n_files; i++) {
			bool worked;
			int error;

			look_at_phase();
			worked = atomic_load(&w.own->phase) == w.phase;
			error = read_once(w.files[i]);
			if (error)
				take_failure(i, error, worked);
			else
				take_good(i);
			atomic_fetch_add(&w.own->readings, 1);
		}
		usleep(PAUSE_US);
		look_at_phase();
	}
}

static void set_up(int argc, char **argv)
{
	struct statx about;
	unsigned index = 0;
	pid_t pid = 0;
	int c;

	while ((c = getopt(argc, argv, "oc:i:k:p:")) > 0) {
		if (c == 'o')
			w.ordinary = true;
		else if (c == 'c')
			w.slots = slots_map(optarg);
		else if (c == 'i')
			index = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'k')
			w.total_kb = strtoull(optarg, NULL, 10);
		else if (c == 'p')
			pid = (pid_t)strtol(optarg, NULL, 10);
	}
	w.files = argv + optind;
	w.n_files = argc - optind;
	if (!w.slots || index == 0 || index >= WITNESS_SLOTS || w.n_files == 0 ||
	    w.n_files >= MAX_FILES)
		errx(2, "usage: witness [-o] -c CONTROL -i INDEX -k KB -p PID FILE...");
	w.own = w.slots + index;
	enter(pid);
	if (statx(AT_FDCWD, "/proc", 0, STATX_TYPE, &about) < 0)
		err(1, "/proc");
	w.host_major = about.stx_dev_major;
	w.host_minor = about.stx_dev_minor;
}

int main(int argc, char **argv)
{
	const struct sched_param param = { 0 };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_up(argc, argv);
	/* It reads all the time: many would take the CPU from what they watch. */
	if (!w.ordinary && sched_setscheduler(0, SCHED_IDLE, &param) < 0)
		err(1, "sched_setscheduler");
	watch();
	return 0;
}
