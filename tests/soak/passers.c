/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers that come and go: each a new cgroup in each FOLDER given, with a pid and a cgroup
 * namespace, in which one process reads each file below MOUNTPOINT/proc once.
 *
 *   passers -n COUNT [-j JOBS] [-f FIRST] MOUNTPOINT FOLDER...
 *
 * Prints how many reads there were; status 1 when one failed.
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

#define MAX_FOLDERS 8
#define MAX_JOBS    16
#define STACK_SIZE  (64u << 10)

static const char *const files[] = { "meminfo", "stat", "uptime", "loadavg" };
#define N_FILES (sizeof(files) / sizeof(files[0]))

static struct {
	int files; /* MOUNTPOINT/proc */
	int folders[MAX_FOLDERS];
	unsigned n_folders;
} g;

/* One of several that make containers at the same time. */
struct job {
	char stack[STACK_SIZE];
	char name[32];
	int procs[MAX_FOLDERS];
};

static struct job job;

/* Of a file that the container has: no container here is older than this. */
#define OLD_S 600

static bool read_file(const char *name)
{
	char text[16384];
	int fd = openat(g.files, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return strcmp(name, "uptime") != 0 || strtod(text, NULL) < OLD_S;
}

/* The container's only process. Its status: how many reads failed, or 100. */
static int visit(void *unused)
{
	int failed = 0;

	(void)unused;
	for (unsigned i = 0; i < g.n_folders; i++)
		if (write(job.procs[i], "0", 1) != 1)
			return 100;
	/* Here, so that its root is the new cgroup. */
	if (unshare(CLONE_NEWCGROUP) < 0)
		return 100;
	for (unsigned i = 0; i < N_FILES; i++)
		failed += !read_file(files[i]);
	return failed;
}

static void make_cgroups(unsigned long number)
{
	char path[64];

	(void)snprintf(job.name, sizeof(job.name), "p%lu", number);
	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", job.name);
	for (unsigned i = 0; i < g.n_folders; i++) {
		if (mkdirat(g.folders[i], job.name, 0755) < 0)
			err(2, "mkdir %s", job.name);
		job.procs[i] = openat(g.folders[i], path, O_WRONLY | O_CLOEXEC);
		if (job.procs[i] < 0)
			err(2, "%s", path);
	}
}

static void remove_cgroups(void)
{
	for (unsigned i = 0; i < g.n_folders; i++) {
		close(job.procs[i]);
		/* The kernel may not have let go of the process yet. */
		for (int tries = 0; unlinkat(g.folders[i], job.name, AT_REMOVEDIR) < 0; tries++) {
			if (errno != EBUSY || tries == 5000)
				err(2, "rmdir %s", job.name);
			usleep(200);
		}
	}
}

/* Returns how many reads failed. */
static unsigned long pass(unsigned long number)
{
	int status;
	pid_t pid;

	make_cgroups(number);
	/* As vfork(2): the child has our memory, a stack of its own, and we wait until it ends. */
	pid = clone(visit, job.stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_NEWPID | SIGCHLD,
		    NULL);
	if (pid < 0)
		err(2, "clone");
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 100)
		errx(2, "container %lu ended with %#x", number, status);
	remove_cgroups();
	return (unsigned long)WEXITSTATUS(status);
}

static _Noreturn void work(unsigned long from, unsigned long to, unsigned long step)
{
	unsigned long failed = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned long n = from; n < to; n += step)
		failed += pass(n);
	if (failed)
		warnx("%lu reads failed", failed);
	_exit(failed ? 1 : 0);
}

static unsigned long number(const char *word)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (!*word || *end)
		errx(2, "not a number: %s", word);
	return n;
}

static int open_folder(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		err(2, "%s", path);
	return fd;
}

int main(int argc, char **argv)
{
	unsigned long count = 0, first = 0, jobs = 4;
	int option, status, worst = 0;

	while ((option = getopt(argc, argv, "n:j:f:")) != -1) {
		switch (option) {
		case 'n':
			count = number(optarg);
			break;
		case 'j':
			jobs = number(optarg);
			break;
		case 'f':
			first = number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind < 2 || argc - optind > 1 + MAX_FOLDERS || jobs < 1 || jobs > MAX_JOBS)
		errx(2, "passers -n COUNT [-j JOBS] [-f FIRST] MOUNTPOINT FOLDER...");
	g.files = open_folder(open_folder(AT_FDCWD, argv[optind]), "proc");
	while (argv[++optind])
		g.folders[g.n_folders++] = open_folder(AT_FDCWD, argv[optind]);
	for (unsigned long j = 0; j < jobs; j++)
		if (fork() == 0)
			work(first + j, first + count, jobs);
	while (wait(&status) > 0) {
		int own = WIFEXITED(status) ? WEXITSTATUS(status) : 2;

		worst = own > worst ? own : worst;
	}
	printf("%lu\n", count * N_FILES);
	return worst;
}
