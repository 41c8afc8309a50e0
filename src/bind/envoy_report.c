/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/envoy_report.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* Enough for a container's files; who has more to tell waits until it was read. */
#define ENTRIES_SIZE (64u << 10)

struct entry {
	uint32_t size; /* of all of it: the next one is aligned */
	enum bind_outcome outcome;
	int error;
	char path[];
};

struct envoy_report {
	atomic_uint written; /* bytes of whole entries */
	_Alignas(struct entry) char entries[ENTRIES_SIZE];
};

struct envoy_report *envoy_report_new(void)
{
	void *report = mmap(NULL, sizeof(struct envoy_report), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return report == MAP_FAILED ? NULL : report;
}

struct envoy_report *envoy_report_free(struct envoy_report *report)
{
	if (report)
		(void)munmap(report, sizeof(*report));
	return NULL;
}

bool envoy_report_add(struct envoy_report *report, const char *path, enum bind_outcome outcome,
		      int error)
{
	const size_t align = _Alignof(struct entry);
	unsigned at = atomic_load(&report->written);
	size_t len = strnlen(path, PATH_MAX - 1);
	size_t size = (sizeof(struct entry) + len + align) / align * align;
	struct entry *entry = (struct entry *)(void *)(report->entries + at);

	if (size > sizeof(report->entries) - at)
		return false;
	*entry = (struct entry){ .size = (uint32_t)size, .outcome = outcome, .error = error };
	memcpy(entry->path, path, len);
	entry->path[len] = '\0';
	atomic_store(&report->written, at + (unsigned)size);
	return true;
}

void envoy_report_read(struct envoy_report *report, pid_t pid, bind_fn *told, void *arg)
{
	unsigned written = atomic_load(&report->written);

	for (unsigned at = 0; at < written;) {
		const struct entry *entry = (const void *)(report->entries + at);
		const struct bind_event event = { .pid = pid,
						  .path = entry->path,
						  .outcome = entry->outcome,
						  .error = entry->error };

		told(&event, arg);
		at += entry->size;
	}
	atomic_store(&report->written, 0);
}
