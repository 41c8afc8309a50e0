/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/keeper.h"
#include "daemon/worker.h"
#include "util/log.h"

/* Exit statuses, as sysexits(3) and systemd have them. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* A few descriptors for each container that is read now and then. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Else /dev/fuse would become our standard output if that is closed. */
static void fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	struct config config;
	int status = EXIT_OK;

	fill_stdio();
	log_init(LOG_LEVEL_INFO);
	switch (config_parse(argc, argv, &config, &error)) {
	case CONFIG_DONE:
		return EXIT_OK;
	case CONFIG_ERROR:
		log_error("%s (see --help)", error->message);
		return EXIT_USAGE;
	case CONFIG_RUN:
		break;
	}
	log_init(config.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (geteuid() != 0) {
		log_error("only root can mount for all containers: run it as root");
		config_clear(&config);
		return EXIT_FAILED;
	}
	raise_descriptor_limit();
	if (config.role == ROLE_WORKER) {
		status = (int)worker_run(&config, argv);
	} else if (!keeper_run(&config, argv, &error)) {
		log_error("%s", error->message);
		status = EXIT_FAILED;
	}
	config_clear(&config);
	return status;
}
