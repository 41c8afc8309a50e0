/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands before an OCI runtime, for engines that have no folder of hooks: a container that is made
 * gets the hook into its config.json, and all goes on to the runtime as it came.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "bind/instance.h"
#include "hooks/config.h"
#include "hooks/oci.h"
#include "hooks/words.h"
#include "host/host.h"
#include "util/fd.h"

/* What an engine may start us without. */
#define USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { STATUS_FAILED = 1, STATUS_USAGE, STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND };

struct options {
	const char *runtime;
	GPtrArray *hook_args; /* borrowed texts; NULL-terminated once all are read */
	bool require;
};

static const char *const usual[] = { "crun", "runc" };
/* crun refuses each container where cgroup v1 and v2 both have controllers. */
static const char *const usual_on_v1[] = { "runc", "crun" };

static int say(const char *format, ...) G_GNUC_PRINTF(1, 2);

static int say(const char *format, ...)
{
	va_list ap;
	g_autofree char *sentence = NULL;

	va_start(ap, format);
	sentence = g_strdup_vprintf(format, ap);
	va_end(ap);
	(void)fprintf(stderr, "lxcfs-clone-runtime: %s\n", sentence);
	return STATUS_FAILED;
}

/* Ours come first; from the first word that is none of them on all is the runtime's. */
static char *const *parse(char *const *words, struct options *ret)
{
	char *const *w;

	for (w = words; *w; w++) {
		char *value;

		if ((value = words_value("--runtime", &w))) {
			ret->runtime = value;
		} else if ((value = words_value("--mountpoint", &w))) {
			g_ptr_array_add(ret->hook_args, (char *)"--mountpoint");
			g_ptr_array_add(ret->hook_args, value);
		} else if ((value = words_value("--timeout", &w))) {
			g_ptr_array_add(ret->hook_args, (char *)"--timeout");
			g_ptr_array_add(ret->hook_args, value);
		} else if ((value = words_value("--files", &w))) {
			g_ptr_array_add(ret->hook_args, (char *)"--files");
			g_ptr_array_add(ret->hook_args, value);
		} else if (strcmp(*w, "--require") == 0) {
			ret->require = true;
			g_ptr_array_add(ret->hook_args, (char *)"--require");
		} else {
			break;
		}
	}
	g_ptr_array_add(ret->hook_args, NULL);
	return w;
}

/* A runtime by the name of this program, a link to it say, would be executed for ever. */
static bool is_us(const char *path)
{
	AUTO_FD int proc = host_open_mounted_proc();
	struct stat us, it;

	return proc >= 0 && fstatat(proc, "self/exe", &us, 0) == 0 && stat(path, &it) == 0 &&
	       us.st_dev == it.st_dev && us.st_ino == it.st_ino;
}

static char *find_in(const char *path, const char *name)
{
	g_auto(GStrv) folders = g_strsplit(path ? path : "", ":", -1);

	for (char **folder = folders; *folder; folder++) {
		g_autofree char *file = g_build_filename(*folder, name, NULL);

		if (**folder == '/' && access(file, X_OK) == 0 &&
		    !g_file_test(file, G_FILE_TEST_IS_DIR) && !is_us(file))
			return g_steal_pointer(&file);
	}
	return NULL;
}

static char *find_named(const char *name)
{
	char *found;

	if (strchr(name, '/'))
		return is_us(name) ? NULL : g_strdup(name);
	found = find_in(g_getenv("PATH"), name);
	return found ? found : find_in(USUAL_PATH, name);
}

static char *find_runtime(const char *given)
{
	char *found = given ? find_named(given) : NULL;
	struct statfs fs;
	bool v2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;

	for (size_t i = 0; !given && !found && i < G_N_ELEMENTS(usual); i++)
		found = find_named((v2 ? usual : usual_on_v1)[i]);
	return found;
}

/* The hook that was built with us lies beside us. */
static char *find_hook(void)
{
	AUTO_FD int proc = host_open_mounted_proc();
	char path[4096];
	ssize_t n = proc < 0 ? -1 : readlinkat(proc, "self/exe", path, sizeof(path));
	g_autofree char *own = n > 0 && (size_t)n < sizeof(path) ? g_strndup(path, (gsize)n) : NULL;
	g_autofree char *folder = own ? g_path_get_dirname(own) : NULL;
	g_autofree char *hook = folder ? g_build_filename(folder, CONFIG_HOOK, NULL) : NULL;

	return hook && access(hook, X_OK) == 0 ? g_steal_pointer(&hook) : NULL;
}

static bool add_hook(const struct options *o, const struct words *words, GError **error)
{
	g_autofree char *program = find_hook();
	g_autofree char *hook = NULL;

	if (!program) {
		g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
				    "there is no " CONFIG_HOOK " beside this program");
		return false;
	}
	hook = config_hook(program, (const char *const *)o->hook_args->pdata, error);
	return hook && config_edit(words->bundle, words->config, hook, error);
}

/* Words that the hook would refuse are refused here, where somebody sees it. */
static bool check_words(const struct options *o)
{
	for (guint i = 0; i + 1 < o->hook_args->len; i++) {
		g_autoptr(GError) error = NULL;
		g_auto(GStrv) files = NULL;
		const char *word = o->hook_args->pdata[i];
		unsigned seconds;

		if (strcmp(word, "--require") == 0)
			continue;
		i++;
		if (strcmp(word, "--files") == 0 &&
		    !oci_files(o->hook_args->pdata[i], &files, &error)) {
			say("--files: %s", error->message);
			return false;
		}
		if (strcmp(word, "--timeout") == 0 &&
		    !words_timeout(o->hook_args->pdata[i], &seconds)) {
			say(WORDS_TIMEOUT " '%s'", (const char *)o->hook_args->pdata[i]);
			return false;
		}
	}
	return true;
}

static bool see_to_hook(const struct options *o, char *const *words, GError **error)
{
	struct words found = words_read(words);

	if (found.doubtful) {
		g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
				    "which bundle the runtime's words name is not clear");
		return false;
	}
	return !found.makes || add_hook(o, &found, error);
}

static int run(const struct options *o, char *const *words)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *runtime = find_runtime(o->runtime);
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	int err;

	if (!runtime) {
		say("no runtime can be found: %s", o->runtime ? o->runtime : "crun, runc");
		return STATUS_NOT_FOUND;
	}
	if (!check_words(o))
		return STATUS_USAGE;
	if (!see_to_hook(o, words, &error)) {
		if (o->require)
			return say("%s", error->message);
		say("warning: the container sees the host's files: %s", error->message);
	}
	g_ptr_array_add(argv, runtime);
	for (; *words; words++)
		g_ptr_array_add(argv, *words);
	g_ptr_array_add(argv, NULL);
	execv(runtime, (char **)argv->pdata);
	err = errno;
	say("%s cannot be executed: %s", runtime, g_strerror(err));
	return err == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
}

int main(int argc, char **argv)
{
	struct options o = { .hook_args = g_ptr_array_new() };
	int status = argc ? run(&o, parse(argv + 1, &o)) : STATUS_USAGE;

	g_ptr_array_unref(o.hook_args);
	return status;
}
