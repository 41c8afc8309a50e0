/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "bind/instance.h"
#include "hooks/errand.h"
#include "hooks/input.h"
#include "hooks/words.h"
#include "hooks/work.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/unix.h"

/* Runtimes write the state before they start a hook, or at once. */
#define STATE_MS  5000u
/* A daemon or a container that does not answer by then is left alone. */
#define TIMEOUT_S 10u

enum { STATUS_OK, STATUS_FAILED, STATUS_USAGE };

struct options {
	const char *mountpoint;
	char **files;
	pid_t pid; /* of attach */
	unsigned timeout_s;
	bool require, attach;
};

/*
 * Engines keep to themselves what a hook says that succeeds: a warning is told the system's log,
 * too, if that listens and has room.
 */
static void tell_log(const char *warning)
{
	struct sockaddr_un address;
	int len = unix_address("/dev/log", &address);
	AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	g_autofree char *text =
		g_strdup_printf("<%d>lxcfs-clone-hook: %s", LOG_DAEMON | LOG_WARNING, warning);

	if (fd >= 0 && len > 0)
		(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL,
			     (const struct sockaddr *)&address, (socklen_t)len);
}

static int say(const char *kind, const char *format, ...) G_GNUC_PRINTF(2, 3);

static int say(const char *kind, const char *format, ...)
{
	va_list ap;
	g_autofree char *sentence = NULL;

	va_start(ap, format);
	sentence = g_strdup_vprintf(format, ap);
	va_end(ap);
	(void)fprintf(stderr, "lxcfs-clone-hook: %s%s\n", kind, sentence);
	if (*kind)
		tell_log(sentence);
	return STATUS_FAILED;
}

static int usage_error(const char *what, const char *word)
{
	say("", "%s '%s' (see --help)", what, word);
	return STATUS_USAGE;
}

static int help(void)
{
	puts("Usage: lxcfs-clone-hook [OPTIONS]             an OCI hook: the state is on standard "
	     "input\n"
	     "       lxcfs-clone-hook attach [OPTIONS] PID  into a container that runs\n\n"
	     "Binds the files of lxcfs-clone over a container's own.\n\n"
	     "Options:\n"
	     "  --files NAME[,NAME...]  these alone: meminfo, sys/devices/system/cpu\n"
	     "  --mountpoint DIR        where the daemon serves; else " DEFAULT_MOUNTPOINT "\n"
	     "  --timeout SECONDS       for the daemon, and the container, to answer; else 10\n"
	     "  --require               no container without: fail when nothing is served\n"
	     "  -h, --help              this text\n"
	     "  --version               the version");
	return -1;
}

static int set_files(const char *text, struct options *ret)
{
	g_autoptr(GError) error = NULL;

	g_strfreev(ret->files);
	ret->files = NULL;
	if (oci_files(text, &ret->files, &error))
		return STATUS_OK;
	say("", "--files: %s", error->message);
	return STATUS_USAGE;
}

static int set_pid(const char *text, struct options *ret)
{
	uint64_t pid;

	if (!ret->attach)
		return usage_error("there is no command", text);
	if (ret->pid)
		return usage_error("one process is enough, not also", text);
	if (!num_parse(text, &pid) || pid == 0 || pid > OCI_PID_MAX)
		return usage_error("no process can have the number", text);
	ret->pid = (pid_t)pid;
	return STATUS_OK;
}

static int set_timeout(const char *text, struct options *ret)
{
	return words_timeout(text, &ret->timeout_s) ? STATUS_OK : usage_error(WORDS_TIMEOUT, text);
}

/* -1: nothing more is to be done. */
static int parse(char *const *words, struct options *ret)
{
	int status = STATUS_OK;

	if (words[0] && strcmp(words[0], "attach") == 0) {
		ret->attach = true;
		words++;
	}
	for (char *const *w = words; status == STATUS_OK && *w; w++) {
		const char *value;

		if (strcmp(*w, "-h") == 0 || strcmp(*w, "--help") == 0)
			return help();
		if (strcmp(*w, "--version") == 0)
			return puts("lxcfs-clone-hook " PROJECT_VERSION), -1;
		if (strcmp(*w, "--require") == 0)
			ret->require = true;
		else if ((value = words_value("--files", &w)))
			status = set_files(value, ret);
		else if ((value = words_value("--mountpoint", &w)))
			ret->mountpoint = value;
		else if ((value = words_value("--timeout", &w)))
			status = set_timeout(value, ret);
		else if (**w == '-')
			status = usage_error("there is no option, or it lacks its value:", *w);
		else
			status = set_pid(*w, ret);
	}
	if (status == STATUS_OK && ret->attach && !ret->pid)
		return usage_error("no process is given to", "attach");
	return status;
}

static void say_lines(const char *kind, const char *lines)
{
	g_auto(GStrv) each = g_strsplit(lines, "\n", -1);

	for (char **line = each; *line; line++)
		if (**line)
			say(kind, "%s", *line);
}

static int work(const struct options *o, const struct oci_state *state)
{
	struct errand_report report = { 0 };
	struct work w = {
		.mountpoint = o->mountpoint,
		.files = o->files,
		.state = state,
		.pid = o->pid,
	};
	int r = errand_run(work_do, &w, o->timeout_s * 1000, &report);
	bool fatal = o->require || o->attach;
	const char *kind = fatal ? "" : "warning: ";

	if (r == -ETIMEDOUT) {
		say(kind, "the lxcfs-clone at %s, or the container, does not answer within %u s",
		    w.mountpoint, o->timeout_s);
		return fatal ? STATUS_FAILED : STATUS_OK;
	}
	if (r < 0)
		return say("", "no process can be made: %s", g_strerror(-r));
	switch (report.status) {
	case WORK_DONE:
		say_lines("warning: ", report.said);
		break;
	case WORK_NO_DAEMON:
	case WORK_NOTHING:
		say_lines(kind, report.said);
		r = fatal ? STATUS_FAILED : STATUS_OK;
		break;
	default:
		say_lines("", *report.said ? report.said : "it was killed");
		r = STATUS_FAILED;
	}
	g_free(report.said);
	return r;
}

static int be_hook(const struct options *o)
{
	AUTO_INPUT struct input input = { 0 };
	AUTO_OCI_STATE struct oci_state state = { 0 };
	g_autoptr(GError) error = NULL;

	if (isatty(STDIN_FILENO))
		return usage_error("a hook gets its container's state on standard input:",
				   "--help");
	if (!input_read(STDIN_FILENO, OCI_STATE_MAX, STATE_MS, &input, &error) ||
	    !oci_state_parse(input.text, input.len, &state, &error))
		return say("", "the state on standard input: %s", error->message);
	if (state.wish.off)
		return STATUS_OK;
	return work(o, &state);
}

int main(int argc, char **argv)
{
	struct options o = { .mountpoint = DEFAULT_MOUNTPOINT, .timeout_s = TIMEOUT_S };
	int status = argc ? parse(argv + 1, &o) : STATUS_USAGE;

	if (status == STATUS_OK)
		status = o.attach ? work(&o, NULL) : be_hook(&o);
	g_strfreev(o.files);
	return status < 0 ? STATUS_OK : status;
}
