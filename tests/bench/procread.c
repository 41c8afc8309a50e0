/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long a read of a file takes. Each file is read in batches and the files take turns, so that
 * whatever else the machine does hits all of them alike; several readers begin each batch together.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_FILES   64
#define MAX_CGROUPS 16
#define MAX_READERS 4096
#define ANY_CPU     UINT32_MAX
#define SETTLE_US   20000

enum mode { MODE_CAT, MODE_READ, MODE_HELD, N_MODES };

static const char *const mode_names[N_MODES] = {
	[MODE_CAT] = "cat",   /* open, read to the end, close */
	[MODE_READ] = "read", /* open, one read, close */
	[MODE_HELD] = "held", /* one read of a file that is kept open */
};

struct file {
	const char *name; /* as it was given */
	const char *path;
	enum mode mode;
	int fd; /* MODE_HELD */
};

struct plan {
	unsigned batch, rounds, readers, warm, buffer;
	unsigned cpu; /* ANY_CPU: not pinned */
	bool pidns, cgroupns, hold;
	const char *cgroups[MAX_CGROUPS];
	unsigned n_cgroups;
	struct file files[MAX_FILES];
	unsigned n_files;
};

struct span {
	uint64_t start, end;
};

/* What all readers write to. */
struct shared {
	pthread_barrier_t barrier;
	size_t bytes[MAX_FILES];
	struct span *spans;  /* [file][round][reader] */
	uint32_t *latencies; /* in ns: [file][reader][round][batch] */
	int done[2];         /* a pipe: "+" from each that has read all, "!" from one that failed */
	int leave[2];        /* a pipe: its end tells the readers to go */
};

static const char usage[] =
	"usage: procread [OPTIONS] MODE:FILE...\n"
	"Modes: cat (open, read to the end, close), read (open, one read, close), held (one read "
	"of\n"
	"a file kept open). Prints for each FILE, with tabs between: MODE:FILE, its bytes, reads "
	"made,\n"
	"median, 90th and 99th percentile of a read in ns, and reads a second.\n"
	"  -n READS   in a batch (200)\n"
	"  -r ROUNDS  of a batch of each file (20)\n"
	"  -w READS   of each file before it counts (5)\n"
	"  -b BYTES   asked for at once (131072, as cat does)\n"
	"  -c CPU     to run on\n"
	"  -N READERS at once (1)\n"
	"  -g PREFIX  of the cgroups to join: reader 7 joins the cgroup PREFIX7; one for each "
	"hierarchy\n"
	"  -p         a pid namespace for each reader\n"
	"  -C         a cgroup namespace for each reader\n"
	"  -k         keep the readers until stdin ends\n";

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *map_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		err(1, "no memory for %zu bytes", size);
	return p;
}

/* The command line */

static unsigned number(const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	errno = EINVAL;
	if (end == text || *end || v > 1u << 30)
		err(1, "%s", text);
	return (unsigned)v;
}

static struct file file_parse(const char *name)
{
	const char *colon = strchr(name, ':');
	struct file f = { .name = name, .mode = N_MODES, .fd = -1 };

	for (unsigned m = 0; colon && m < N_MODES; m++)
		if (strlen(mode_names[m]) == (size_t)(colon - name) &&
		    strncmp(mode_names[m], name, (size_t)(colon - name)) == 0)
			f.mode = m;
	errno = EINVAL;
	if (f.mode == N_MODES)
		err(1, "%s", name);
	f.path = colon + 1;
	return f;
}

static void usage_exit(void)
{
	(void)fputs(usage, stderr);
	exit(2);
}

static const struct {
	char option;
	size_t offset;
} numbers[] = {
	{ .option = 'n', .offset = offsetof(struct plan, batch) },
	{ .option = 'r', .offset = offsetof(struct plan, rounds) },
	{ .option = 'w', .offset = offsetof(struct plan, warm) },
	{ .option = 'b', .offset = offsetof(struct plan, buffer) },
	{ .option = 'c', .offset = offsetof(struct plan, cpu) },
	{ .option = 'N', .offset = offsetof(struct plan, readers) },
};

static void plan_option(struct plan *p, int option)
{
	p->pidns |= option == 'p';
	p->cgroupns |= option == 'C';
	p->hold |= option == 'k';
	if (option == '?' || (option == 'g' && p->n_cgroups == MAX_CGROUPS))
		usage_exit();
	if (option == 'g')
		p->cgroups[p->n_cgroups++] = optarg;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (option == numbers[i].option)
			*(unsigned *)(void *)((char *)p + numbers[i].offset) = number(optarg);
}

static void plan_parse(int argc, char **argv, struct plan *ret)
{
	struct plan p = { .batch = 200,
			  .rounds = 20,
			  .readers = 1,
			  .warm = 5,
			  .buffer = 131072,
			  .cpu = ANY_CPU };
	int option;

	while ((option = getopt(argc, argv, "n:r:w:b:c:N:g:pCk")) != -1)
		plan_option(&p, option);
	if (optind == argc || argc - optind > MAX_FILES || p.readers > MAX_READERS || !p.batch ||
	    !p.rounds || !p.readers || !p.buffer)
		usage_exit();
	for (int i = optind; i < argc; i++)
		p.files[p.n_files++] = file_parse(argv[i]);
	*ret = p;
}

/* A reader */

static void enter_container(const struct plan *p, unsigned reader)
{
	cpu_set_t cpus;

	for (unsigned i = 0; i < p->n_cgroups; i++) {
		char path[4096];
		int fd;

		(void)snprintf(path, sizeof(path), "%s%u/cgroup.procs", p->cgroups[i], reader);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			err(1, "%s", path);
		close(fd);
	}
	if (p->cgroupns && unshare(CLONE_NEWCGROUP) < 0)
		err(1, "a new cgroup namespace");
	if (p->cpu != ANY_CPU) {
		CPU_ZERO(&cpus);
		CPU_SET(p->cpu, &cpus);
		if (sched_setaffinity(0, sizeof(cpus), &cpus) < 0)
			err(1, "cpu %u", p->cpu);
	}
}

static int open_file(const struct file *f)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", f->path);
	return fd;
}

/* One read of @f in its mode: how many bytes came. */
static size_t read_file(const struct file *f, char *buf, size_t size)
{
	int fd = f->mode == MODE_HELD ? f->fd : open_file(f);
	size_t total = 0;
	ssize_t n;

	do {
		n = f->mode == MODE_HELD ? pread(fd, buf, size, 0) : read(fd, buf, size);
		if (n < 0)
			err(1, "%s", f->path);
		total += (size_t)n;
	} while (n > 0 && f->mode == MODE_CAT);
	if (f->mode != MODE_HELD)
		close(fd);
	return total;
}

static void read_batch(const struct plan *p, struct shared *s, unsigned file, unsigned round,
		       unsigned reader, char *buf)
{
	const struct file *f = &p->files[file];
	uint32_t *latency = s->latencies +
			    (((size_t)file * p->readers + reader) * p->rounds + round) * p->batch;
	struct span *span = &s->spans[((size_t)file * p->rounds + round) * p->readers + reader];
	uint64_t last;

	if (p->readers > 1) {
		/* The server of the batch before has releases left that nobody waits for. */
		(void)usleep(SETTLE_US);
		pthread_barrier_wait(&s->barrier);
	}
	last = span->start = now_ns();
	for (unsigned i = 0; i < p->batch; i++) {
		size_t bytes = read_file(f, buf, p->buffer);
		uint64_t now = now_ns();

		latency[i] = (uint32_t)(now - last);
		last = now;
		s->bytes[file] = bytes;
	}
	span->end = last;
}

static void be_reader(struct plan *p, struct shared *s, unsigned reader)
{
	char *buf = malloc(p->buffer);
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(s->leave[1]);
	if (!buf)
		err(1, "no memory");
	enter_container(p, reader);
	for (unsigned i = 0; i < p->n_files; i++) {
		if (p->files[i].mode == MODE_HELD)
			p->files[i].fd = open_file(&p->files[i]);
		for (unsigned n = 0; n < p->warm; n++)
			(void)read_file(&p->files[i], buf, p->buffer);
	}
	for (unsigned round = 0; round < p->rounds; round++)
		for (unsigned i = 0; i < p->n_files; i++)
			read_batch(p, s, i, round, reader, buf);
	if (write(s->done[1], "+", 1) != 1 || read(s->leave[0], &byte, 1) != 0)
		err(1, "the end");
}

/* The readers' parent */

static int done_fd;

/* A reader that fails tells before it ends, so that nobody waits for it. */
static void tell_failure(void)
{
	if (write(done_fd, "!", 1) != 1)
		_exit(1);
}

static void start_reader(struct plan *p, struct shared *s, unsigned reader)
{
	long flags = SIGCHLD | (p->pidns ? CLONE_NEWPID : 0);
	long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);

	if (pid < 0)
		err(1, "a new process");
	if (pid > 0)
		return;
	done_fd = s->done[1];
	(void)atexit(tell_failure);
	be_reader(p, s, reader);
	_exit(0);
}

static void wait_for_readers(const struct plan *p, struct shared *s)
{
	close(s->done[1]);
	for (unsigned n = 0; n < p->readers; n++) {
		char byte;

		if (read(s->done[0], &byte, 1) != 1 || byte != '+')
			exit(1); /* the other readers die with us */
	}
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The time in which all readers' batches of @file were made. */
static uint64_t time_spent(const struct plan *p, const struct shared *s, unsigned file)
{
	uint64_t sum = 0;

	for (unsigned round = 0; round < p->rounds; round++) {
		const struct span *spans =
			s->spans + ((size_t)file * p->rounds + round) * p->readers;
		struct span all = spans[0];

		for (unsigned i = 1; i < p->readers; i++) {
			all.start = spans[i].start < all.start ? spans[i].start : all.start;
			all.end = spans[i].end > all.end ? spans[i].end : all.end;
		}
		sum += all.end - all.start;
	}
	return sum;
}

static void report(const struct plan *p, const struct shared *s, unsigned file)
{
	size_t n = (size_t)p->readers * p->rounds * p->batch;
	uint32_t *l = s->latencies + file * n;

	qsort(l, n, sizeof(*l), compare);
	(void)printf("%s\t%zu\t%zu\t%u\t%u\t%u\t%.0f\n", p->files[file].name, s->bytes[file], n,
		     l[n / 2], l[n * 9 / 10], l[n * 99 / 100],
		     (double)n * 1e9 / (double)time_spent(p, s, file));
}

static struct shared *shared_new(const struct plan *p)
{
	size_t batches = (size_t)p->n_files * p->readers * p->rounds;
	struct shared *s = map_shared(sizeof(*s));
	pthread_barrierattr_t attr;

	s->latencies = map_shared(batches * p->batch * sizeof(*s->latencies));
	s->spans = map_shared(batches * sizeof(*s->spans));
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&s->barrier, &attr, p->readers);
	if (pipe2(s->done, O_CLOEXEC) < 0 || pipe2(s->leave, O_CLOEXEC) < 0)
		err(1, "a pipe");
	return s;
}

int main(int argc, char **argv)
{
	struct plan p;
	struct shared *s;

	plan_parse(argc, argv, &p);
	s = shared_new(&p);
	for (unsigned i = 0; i < p.readers; i++)
		start_reader(&p, s, i);
	wait_for_readers(&p, s);
	for (unsigned i = 0; i < p.n_files; i++)
		report(&p, s, i);
	(void)fflush(stdout);
	while (p.hold && getchar() != EOF)
		;
	close(s->leave[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
