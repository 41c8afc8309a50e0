/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char complaint[256];

static const char *wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(complaint, sizeof(complaint), format, ap);
	va_end(ap);
	return complaint;
}

static uint64_t checksum(const char *text, size_t len)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* Where the last line begins. */
static const char *last_line(const char *text, size_t len)
{
	const char *p = text + len - 1;

	while (p > text && p[-1] != '\n')
		p--;
	return p;
}

static const char *check_selftest(const char *text, size_t len)
{
	const char *last = last_line(text, len);
	uint64_t told, sum = checksum(text, (size_t)(last - text));

	if (sscanf(last, "sum %" SCNu64 "\n", &told) != 1)
		return wrong("%zu bytes of %.20s end in %.40s", len, text, last);
	if (told != sum)
		return wrong("%zu bytes of %.20s have another sum than %" PRIu64, len, text, told);
	return NULL;
}

/* A file of keys ends in the line that it ended in the first time. */
static const char *check_end(struct past *past, const char *text, size_t len)
{
	const char *last = last_line(text, len);
	char key[sizeof(past->last_key)] = "";

	(void)sscanf(last, "%31s", key);
	if (!*past->last_key)
		memcpy(past->last_key, key, sizeof(key));
	return strcmp(key, past->last_key) == 0 ? NULL : wrong("ends in %.60s", last);
}

static const char *check_meminfo(const char *text, uint64_t total_kb)
{
	uint64_t total, available;

	if (sscanf(text, "MemTotal: %" SCNu64 " kB\nMemFree: %" SCNu64 " kB\n", &total,
		   &available) != 2)
		return wrong("begins with %.60s", text);
	if (total != total_kb)
		return wrong("MemTotal is %" PRIu64, total);
	return available <= total ? NULL : wrong("MemFree is %" PRIu64, available);
}

/* One line "cpuN 1 2 …" with as many fields as all have, none less than before. */
static const char *check_cpu(struct past *past, const char *line)
{
	char *p;
	unsigned long n = 0; /* "cpu" */

	line += strlen("cpu");
	if (*line != ' ')
		n = strtoul(line, &p, 10) + 1, line = p;
	if (n > CHECK_MAX_CPUS)
		return wrong("cpu %lu", n - 1);
	for (int i = 0; i < CHECK_FIELDS; i++) {
		uint64_t value = strtoull(line, &p, 10);

		if (p == line)
			return wrong("cpu line %lu has %d fields", n, i);
		if (value < past->cpu[n][i])
			return wrong("field %d of cpu line %lu fell from %" PRIu64 " to %" PRIu64,
				     i, n, past->cpu[n][i], value);
		past->cpu[n][i] = value;
		line = p;
	}
	return *line == '\n' ? NULL : wrong("cpu line %lu goes on with %.20s", n, line);
}

static const char *check_stat(struct past *past, const char *text)
{
	const char *bad = NULL;

	if (strncmp(text, "cpu ", 4) != 0)
		return wrong("begins with %.60s", text);
	while (!bad && strncmp(text, "cpu", 3) == 0) {
		bad = check_cpu(past, text);
		text = strchr(text, '\n');
		text = text ? text + 1 : "";
	}
	return bad;
}

static const char *check_uptime(struct past *past, const char *text)
{
	double now[2];

	if (sscanf(text, "%lf %lf\n", &now[0], &now[1]) != 2)
		return wrong("says %.60s", text);
	for (int i = 0; i < 2; i++) {
		if (now[i] < past->uptime[i])
			return wrong("field %d fell from %.2f to %.2f", i, past->uptime[i], now[i]);
		past->uptime[i] = now[i];
	}
	return NULL;
}

const char *check_text(struct past *past, const char *name, const char *text, size_t len,
		       uint64_t total_kb)
{
	const char *bad = NULL;

	if (strcmp(name, "diskstats") == 0 && !len)
		return NULL;
	if (!len)
		return "empty";
	if (text[len - 1] != '\n' || strlen(text) != len)
		return wrong("ends in %.60s", last_line(text, len));
	if (strcmp(name, "selftest") == 0)
		return check_selftest(text, len);
	if (strcmp(name, "meminfo") == 0)
		bad = check_meminfo(text, total_kb);
	else if (strcmp(name, "stat") == 0)
		bad = check_stat(past, text);
	else if (strcmp(name, "uptime") == 0)
		return check_uptime(past, text);
	else
		return NULL;
	return bad ? bad : check_end(past, text, len);
}
