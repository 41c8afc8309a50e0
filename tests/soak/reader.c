/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads files again and again, in several ways, and tells whether each text was whole.
 *
 *   reader [-s MS] [-g MS] [-m MODES] -k KB -c CONTROL -i INDEX FILE...
 *
 * -s: a signal each MS ms; -g: a pause between readings; -m: of w (whole file), p (in parts), h
 * (descriptor kept open), q (kept open, in parts); -k: what MemTotal must say. CONTROL is a file of
 * slots: the first one's count ends all readers, slot INDEX is this one's. SIGTERM ends it too. It
 * prints one line of JSON.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define MAX_FILES     16
#define MAX_ERRNO     256
#define MAX_INCIDENTS 10
#define PART          256
#define TEXT_SIZE     (1u << 20)
#define N_SLOTS       256
#define N_BUCKETS     320 /* eight to a power of two, in µs */

struct slot {
	atomic_uint_fast64_t count;      /* readings */
	atomic_uint_fast64_t longest_us; /* open or read, since whoever watches set it to 0 */
};

struct file {
	const char *path, *name;
	int held;
	struct past past;
};

static struct {
	struct file files[MAX_FILES];
	unsigned n_files, signal_ms, gap_ms;
	const char *modes;
	uint64_t total_kb;
	struct slot *slots, *own;

	uint64_t readings, torn, interrupted, longest_us;
	uint64_t failed[MAX_ERRNO], buckets[N_BUCKETS];
	char incidents[MAX_INCIDENTS][512];
	unsigned n_incidents;
} r;

static volatile sig_atomic_t stop;
static char text[TEXT_SIZE + 1];

static void on_term(int number)
{
	(void)number;
	stop = 1;
}

static void on_alarm(int number)
{
	(void)number;
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static unsigned bucket_of(uint64_t us)
{
	unsigned octave;

	if (us < 8)
		return (unsigned)us;
	octave = 63 - (unsigned)__builtin_clzll(us);
	octave = octave > 40 ? 40 : octave;
	return (octave - 2) * 8 + (us >> (octave - 3) & 7);
}

static uint64_t bucket_start(unsigned bucket)
{
	return bucket < 8 ? bucket : (uint64_t)(8 + bucket % 8) << (bucket / 8 - 1);
}

/* A call that began at @start has returned. */
static void took(uint64_t start)
{
	uint64_t us = now_us() - start;

	r.buckets[bucket_of(us)]++;
	if (us > r.longest_us)
		r.longest_us = us;
	if (us > atomic_load(&r.own->longest_us))
		atomic_store(&r.own->longest_us, us);
}

static int open_file(const char *path)
{
	for (;;) {
		uint64_t start = now_us();
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		int error = errno;

		took(start);
		if (fd >= 0 || error != EINTR)
			return errno = error, fd;
		r.interrupted++;
	}
}

/* Up to the end of the file. Returns the length or -1. */
static ssize_t read_to_end(int fd, size_t piece)
{
	size_t len = 0;

	while (len < TEXT_SIZE) {
		size_t room = TEXT_SIZE - len;
		uint64_t start = now_us();
		ssize_t n = read(fd, text + len, piece < room ? piece : room);
		int error = errno;

		took(start);
		if (n == 0)
			break;
		if (n > 0)
			len += (size_t)n;
		else if (error != EINTR)
			return errno = error, -1;
		else
			r.interrupted++;
	}
	text[len] = '\0';
	return (ssize_t)len;
}

static void note(const struct file *f, char mode, const char *what)
{
	struct timespec t;
	struct tm tm;
	char clock[16], *p;

	if (r.n_incidents == MAX_INCIDENTS)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	(void)strftime(clock, sizeof(clock), "%T", localtime_r(&t.tv_sec, &tm));
	p = r.incidents[r.n_incidents++];
	(void)snprintf(p, sizeof(r.incidents[0]), "%s.%03ld %s %c: %s", clock, t.tv_nsec / 1000000,
		       f->name, mode, what);
	for (; *p; p++) /* fit for JSON */
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '|';
}

static void fail(struct file *f, char mode)
{
	r.failed[errno < MAX_ERRNO ? errno : 0]++;
	note(f, mode, strerror(errno));
	if (f->held >= 0)
		close(f->held);
	f->held = -1;
}

static void read_once(struct file *f, char mode)
{
	bool keep = mode == 'h' || mode == 'q';
	size_t piece = mode == 'p' || mode == 'q' ? PART : TEXT_SIZE;
	int fd = keep && f->held >= 0 ? f->held : open_file(f->path);
	const char *bad;
	ssize_t len;

	r.readings++;
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		fail(f, mode);
		return;
	}
	if (keep)
		f->held = fd;
	len = read_to_end(fd, piece);
	if (len < 0)
		fail(f, mode);
	if (!keep)
		close(fd);
	if (len < 0)
		return;
	bad = check_text(&f->past, f->name, text, (size_t)len, r.total_kb);
	if (bad) {
		r.torn++;
		note(f, mode, bad);
	}
}

static void read_all(void)
{
	const struct timespec gap = { .tv_sec = r.gap_ms / 1000,
				      .tv_nsec = (long)(r.gap_ms % 1000) * 1000000 };

	for (const char *mode = r.modes; *mode; mode++) {
		for (unsigned i = 0; i < r.n_files; i++) {
			if (stop || atomic_load(&r.slots[0].count))
				return;
			read_once(&r.files[i], *mode);
			atomic_fetch_add(&r.own->count, 1);
			if (r.gap_ms)
				(void)nanosleep(&gap, NULL);
		}
	}
}

static void print_result(void)
{
	const char *comma = "";

	printf("{\"readings\": %" PRIu64 ", \"torn\": %" PRIu64 ", \"interrupted\": %" PRIu64
	       ", \"longest_us\": %" PRIu64 ", \"failed\": {",
	       r.readings, r.torn, r.interrupted, r.longest_us);
	for (int i = 0; i < MAX_ERRNO; i++) {
		if (!r.failed[i])
			continue;
		printf("%s\"%d\": %" PRIu64, comma, i, r.failed[i]);
		comma = ", ";
	}
	printf("}, \"buckets\": [");
	comma = "";
	for (unsigned i = 0; i < N_BUCKETS; i++) {
		if (!r.buckets[i])
			continue;
		printf("%s[%" PRIu64 ", %" PRIu64 "]", comma, bucket_start(i), r.buckets[i]);
		comma = ", ";
	}
	printf("], \"incidents\": [");
	for (unsigned i = 0; i < r.n_incidents; i++)
		printf("%s\"%s\"", i ? ", " : "", r.incidents[i]);
	printf("]}\n");
}

static void take_signals(void)
{
	const struct itimerval timer = {
		.it_interval.tv_usec = (suseconds_t)r.signal_ms * 1000,
		.it_value.tv_usec = (suseconds_t)r.signal_ms * 1000,
	};
	struct sigaction action = { .sa_handler = on_term };

	(void)sigaction(SIGTERM, &action, NULL);
	action.sa_handler = on_alarm; /* no SA_RESTART */
	(void)sigaction(SIGALRM, &action, NULL);
	if (r.signal_ms)
		(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static unsigned number(const char *word)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (!*word || *end || n > UINT32_MAX)
		errx(2, "not a number: %s", word);
	return (unsigned)n;
}

static void take_files(char **paths)
{
	for (; *paths; paths++) {
		const char *slash = strrchr(*paths, '/');

		if (r.n_files == MAX_FILES)
			errx(2, "too many files");
		r.files[r.n_files++] = (struct file){ .path = *paths,
						      .name = slash ? slash + 1 : *paths,
						      .held = -1 };
	}
}

static void map_slots(const char *path, unsigned index)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || index == 0 || index >= N_SLOTS)
		err(2, "%s", path);
	r.slots = mmap(NULL, N_SLOTS * sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);
	if (r.slots == MAP_FAILED)
		err(2, "%s", path);
	r.own = &r.slots[index];
	close(fd);
}

int main(int argc, char **argv)
{
	const char *control = NULL;
	unsigned index = 0;
	int option;

	r.modes = "wphq";
	while ((option = getopt(argc, argv, "s:g:m:k:c:i:")) != -1) {
		switch (option) {
		case 's':
			r.signal_ms = number(optarg);
			break;
		case 'g':
			r.gap_ms = number(optarg);
			break;
		case 'm':
			r.modes = optarg;
			break;
		case 'k':
			r.total_kb = number(optarg);
			break;
		case 'c':
			control = optarg;
			break;
		case 'i':
			index = number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (!control || !argv[optind])
		errx(2, "no control file, or nothing to read");
	take_files(argv + optind);
	map_slots(control, index);
	take_signals();
	while (!stop && !atomic_load(&r.slots[0].count))
		read_all();
	print_result();
	return 0;
}
