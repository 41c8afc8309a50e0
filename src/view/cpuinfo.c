/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/cpuinfo.h"

#include <stdbool.h>
#include <string.h>
#ifdef __aarch64__
#include <sys/personality.h>
#endif

#include "host/pid.h"
#include "util/num.h"
#include "util/sat.h"
#include "view/cpus.h"
#include "view/views.h"

/*
 * All of it but the clock rate stands for as long as the machine runs, and the kernel asks every
 * cpu for that one, which takes milliseconds on a big host.
 */
#define CPUINFO_MAX_AGE_MS 1000

/* A line, without its newline. */
struct line {
	const char *text;
	size_t len;
};

static struct line line_at(const char *p)
{
	return (struct line){ .text = p, .len = strcspn(p, "\n") };
}

static const char *after(struct line l)
{
	return l.text + l.len + (l.text[l.len] == '\n');
}

/* "key<blanks>: value": the value, or NULL when the line has another key. */
static const char *value_of(struct line l, const char *key)
{
	size_t n = strlen(key);
	const char *p = l.text + n;

	if (l.len < n || memcmp(l.text, key, n) != 0)
		return NULL;
	p += strspn(p, " \t");
	if (*p != ':')
		return NULL;
	p++;
	return p + strspn(p, " \t");
}

static bool number_of(struct line l, const char *key, uint64_t *ret)
{
	const char *p = value_of(l, key);

	return p && num_take(&p, ret) && p == l.text + l.len;
}

/* The line that begins a paragraph names the cpu that the paragraph is about. */
static bool names_cpu(struct line l, uint64_t *ret_cpu)
{
	return number_of(l, "processor", ret_cpu) || number_of(l, "cpu number", ret_cpu);
}

/* s390x: "processor 0: version = FF,  identification = …" */
static bool is_hidden_s390x_line(struct line l, const struct cpuset *visible)
{
	const char *p = l.text + strlen("processor ");
	uint64_t cpu;

	return l.len > strlen("processor ") && memcmp(l.text, "processor ", 10) == 0 &&
	       num_take(&p, &cpu) && *p == ':' &&
	       !cpuset_has(visible, (unsigned)min_u64(cpu, CPUSET_MAX));
}

static void put_line(struct line l, unsigned n_visible, struct text *out)
{
	static const char *const counts[] = { "siblings", "cpu cores" };
	uint64_t v;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (!number_of(l, counts[i], &v) || v <= n_visible)
			continue;
		text_mem(out, l.text, (size_t)(value_of(l, counts[i]) - l.text));
		text_u64(out, n_visible);
		text_str(out, "\n");
		return;
	}
	if (number_of(l, "# processors", &v)) {
		text_mem(out, l.text, (size_t)(value_of(l, "# processors") - l.text));
		text_u64(out, n_visible);
		text_str(out, "\n");
		return;
	}
	text_mem(out, l.text, (size_t)(after(l) - l.text));
}

void cpuinfo_render(const char *host_text, const struct cpuset *visible, struct text *out)
{
	unsigned n_visible = cpuset_count(visible);
	bool hidden = false, begins = true; /* of a paragraph */

	for (const char *p = host_text; *p;) {
		struct line l = line_at(p);
		uint64_t cpu;

		if (begins)
			hidden = names_cpu(l, &cpu) &&
				 !cpuset_has(visible, (unsigned)min_u64(cpu, CPUSET_MAX));
		if (!hidden && !is_hidden_s390x_line(l, visible))
			put_line(l, n_visible, out);
		begins = l.len == 0;
		p = after(l);
	}
}

/*
 * arm64 shows a reader whose personality is a 32-bit one the features of that mode. It looks at who
 * reads: so this thread becomes such a one for a moment.
 */
static int read_host(const struct request *req, struct host_text **ret)
{
#ifdef __aarch64__
	unsigned long theirs;

	if (host_pid_personality(req->host, req->pid, &theirs) == 0 &&
	    (theirs & PER_MASK) == PER_LINUX32) {
		int ours = personality(PER_LINUX32), r;

		r = host_text_make(req->host, HOST_CPUINFO, ret);
		(void)personality((unsigned long)ours);
		return r;
	}
#endif
	return host_text_get(req->host, HOST_CPUINFO, CPUINFO_MAX_AGE_MS, ret);
}

int cpuinfo_generate(const struct request *req, struct text *out)
{
	AUTO_HOST_TEXT struct host_text *host = NULL;
	struct cpuset visible;
	int r = cpus_visible(req, &visible);

	if (r == 0)
		r = read_host(req, &host);
	if (r == 0)
		cpuinfo_render(host->str, &visible, out);
	return r;
}
