/* SPDX-License-Identifier: GPL-3.0-or-later */
/* umbra new KIND NAME: a folder with a plugin that works, made from share/examples. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <umbra/config.h>
#include <umbra/host.h>
#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"

static bool is_name(const char *s)
{
	bool good = islower((unsigned char)*s) != 0;
	for (; *s != '\0'; s++)
		good = good && (islower((unsigned char)*s) || isdigit((unsigned char)*s) || *s == '_');
	return good;
}

/* text with every old replaced by new; free it. */
static char *replaced(const char *text, const char *old, const char *new)
{
	const size_t n = strlen(old);
	size_t count = 0;
	for (const char *p = text; (p = strstr(p, old)) != NULL; p += n)
		count++;
	char *out = um_new(strlen(text) + count * strlen(new) + 1), *to = out;
	for (const char *p; (p = strstr(text, old)) != NULL; text = p + n)
		to += sprintf(to, "%.*s%s", (int)(p - text), text, new);
	strcpy(to, text);
	return out;
}

/* NAME/to is share/examples/from with the words of the new plugin. */
static um_status fill(const char *kind, const char *name, const char *from, const char *to)
{
	um_status st = UM_OK;
	char *source = um_format("%s/examples/%s", um_dir_share(), from), *target = um_format("%s/%s", name, to);
	char *text = NULL, *named = NULL, *whole = NULL;
	UM_TRY(um_file_get(source, &text, NULL));
	named = replaced(text, "example", name);
	whole = replaced(named, "KIND", kind);
	UM_TRY(um_file_put(target, whole, strlen(whole)));
out:
	free(source);
	free(target);
	free(text);
	free(named);
	free(whole);
	return st;
}

static um_status make(const char *kind, const char *name)
{
	um_status st = UM_OK;
	char *code = um_format("%s.c", kind), *pipeline = um_format("%s.cfg", kind);
	char *own_code = um_format("%s.c", name), *own_pipeline = um_format("%s.cfg", name);
	if (mkdir(name, 0777) != 0)
		UM_TRY(um_fail(UM_EIO, "%s: %s", name, errno == EEXIST ? "it is there already" : strerror(errno)));
	UM_TRY(fill(kind, name, code, own_code));
	UM_TRY(fill(kind, name, pipeline, own_pipeline));
	UM_TRY(fill(kind, name, "Makefile", "Makefile"));
	printf("%s/%s is a plugin that works; %s/%s runs it. \"make -C %s check\" builds, tests and runs it.\n", name, own_code, name,
		own_pipeline, name);
out:
	free(code);
	free(pipeline);
	free(own_code);
	free(own_pipeline);
	return st;
}

int um_cmd_new(int argc, char *argv[])
{
	static const char *const kinds[] = { "forward", "priors", "inference", NULL };
	if (argc != 3) {
		um_usage(stderr, "new");
		return 2;
	}
	int k = 0;
	while (kinds[k] != NULL && strcmp(kinds[k], argv[1]) != 0)
		k++;
	if (kinds[k] == NULL) {
		const char *near = um_nearest(argv[1], kinds);
		fprintf(stderr, "umbra: there is no kind of plugin '%s'; %s%s%s\n", argv[1], near ? "did you mean '" :
			"kinds are forward, priors and inference", near ? near : "", near ? "'?" : "");
		return 2;
	}
	if (!is_name(argv[2])) {
		fprintf(stderr, "umbra: '%s' is no name for a plugin: lower-case letters, digits and _, a letter first\n", argv[2]);
		return 2;
	}
	if (make(kinds[k], argv[2]) != UM_OK) {
		fprintf(stderr, "umbra: %s\n", um_message());
		return 1;
	}
	return 0;
}
