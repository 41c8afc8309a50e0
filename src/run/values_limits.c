/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "run/fail.h"
#include "run/size.h"
#include "run/spec.h"
#include "run/values.h"
#include "util/cpuset.h"
#include "util/num.h"

/* docker's: with less, not even the first program can be started. */
#define MEMORY_MIN ((uint64_t)6 << 20)

#define SHARES_MIN 2u
#define SHARES_MAX 262144u
#define PIDS_MAX   (1u << 22)

static struct cg_limits *limits_of(void *spec)
{
	return &((struct spec *)spec)->limits;
}

static bool parse_size(const char *value, uint64_t *ret, GError **error)
{
	return size_parse(value, ret) ||
	       run_fail(error, 0, "'%.64s' is no size (as 256m or 1.5g)", value);
}

bool values_memory(void *spec, const char *value, GError **error)
{
	uint64_t v;

	if (!parse_size(value, &v, error))
		return false;
	if (v < MEMORY_MIN)
		return run_fail(error, 0, "'%.64s' is less than 6m", value);
	limits_of(spec)->memory = v;
	return true;
}

bool values_memory_swap(void *spec, const char *value, GError **error)
{
	if (strcmp(value, "-1") != 0)
		return parse_size(value, &limits_of(spec)->memory_swap, error);
	limits_of(spec)->memory_swap = CG_LIMIT_NONE;
	return true;
}

bool values_cpus(void *spec, const char *value, GError **error)
{
	uint64_t v;

	/* The kernel's least quota is a millisecond. */
	if (!size_parse_millionths(value, &v) || v < 10000 || v > CPUSET_MAX * 1000000ull)
		return run_fail(error, 0, "'%.64s' is no number of cpus (0.01 to %u)", value,
				CPUSET_MAX);
	limits_of(spec)->cpu_quota = v / (1000000 / CG_CPU_PERIOD_US);
	return true;
}

bool values_cpu_shares(void *spec, const char *value, GError **error)
{
	uint64_t v;

	if (!num_parse(value, &v) || v < SHARES_MIN || v > SHARES_MAX)
		return run_fail(error, 0, "'%.64s' is no share (%u to %u)", value, SHARES_MIN,
				SHARES_MAX);
	limits_of(spec)->cpu_shares = v;
	return true;
}

static bool set_cpuset(char **field, const char *value, GError **error)
{
	struct cpuset set;

	if (cpuset_parse(value, &set) < 0 || set.end == 0)
		return run_fail(error, 0, "'%.64s' is no list (as 0-3,8)", value);
	g_free(*field);
	*field = g_strdup(value);
	return true;
}

bool values_cpuset_cpus(void *spec, const char *value, GError **error)
{
	return set_cpuset(&limits_of(spec)->cpuset_cpus, value, error);
}

bool values_cpuset_mems(void *spec, const char *value, GError **error)
{
	return set_cpuset(&limits_of(spec)->cpuset_mems, value, error);
}

bool values_pids(void *spec, const char *value, GError **error)
{
	uint64_t v = CG_LIMIT_NONE;

	if (strcmp(value, "-1") != 0 && (!num_parse(value, &v) || v < 1 || v > PIDS_MAX))
		return run_fail(error, 0, "'%.64s' is no number of processes (1 to %u, or -1)",
				value, PIDS_MAX);
	limits_of(spec)->pids = v;
	return true;
}

static bool add_io(void *spec, const char *value, bool write, GError **error)
{
	const char *colon = strrchr(value, ':');
	g_autofree char *path = colon ? g_strndup(value, (gsize)(colon - value)) : NULL;
	struct cg_io_limit limit = { .write = write };
	struct stat st;

	if (!path || !size_parse(colon + 1, &limit.bytes_per_s) || limit.bytes_per_s == 0)
		return run_fail(error, 0, "'%.256s' is not DEVICE:BYTES (as /dev/sda:1m)", value);
	if (stat(path, &st) < 0)
		return run_fail(error, errno, "'%.256s'", path);
	if (!S_ISBLK(st.st_mode))
		return run_fail(error, 0, "'%.256s' is no block device", path);
	limit.major = major(st.st_rdev);
	limit.minor = minor(st.st_rdev);
	g_array_append_val(limits_of(spec)->io, limit);
	return true;
}

bool values_read_bps(void *spec, const char *value, GError **error)
{
	return add_io(spec, value, false, error);
}

bool values_write_bps(void *spec, const char *value, GError **error)
{
	return add_io(spec, value, true, error);
}
