/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A libconfig file as a tree that can be changed, filled in and written again, in
 * which every value knows the file and line that it came from. Not plugin ABI. */
#ifndef UMBRA_CONFIG_H
#define UMBRA_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <umbra/param.h>

typedef enum um_node_type {
	UM_NODE_INT, UM_NODE_REAL, UM_NODE_BOOL, UM_NODE_TEXT, UM_NODE_GROUP, UM_NODE_ARRAY, UM_NODE_LIST,
} um_node_type;

/* One value. Open for reading; children belong to their parent. */
typedef struct um_node {
	char *name;             /* NULL for items of lists and for the root */
	um_node_type type;
	int64_t integer;        /* INT, BOOL */
	double real;            /* REAL, and the value of INT */
	char *text;             /* TEXT */
	char *file;             /* where it came from: a file, or "--set KEY" */
	int line;               /* 0 where lines mean nothing */
	char *base;             /* the folder that relative paths in this value start from */
	bool filled;            /* a default that the user did not type */
	int n;
	struct um_node **child;
} um_node;

/* Parses a file, or text that came from origin. Errors are one line "file:line: ..." */
UM_API UM_USED um_status um_config_read(const char *path, um_node **out);
UM_API UM_USED um_status um_config_parse(const char *text, const char *origin, um_node **out);
UM_API void um_node_free(um_node *n);
UM_API um_node *um_node_clone(const um_node *n);

/* The member of a group, or NULL. */
UM_API um_node *um_node_get(const um_node *group, const char *name);

/* Applies "a.b.[0].c=value"; value is libconfig text, and a bare word is a string. */
UM_API UM_USED um_status um_config_set(um_node *root, const char *assignment);

/* Puts value at the path "a.b.[0].c" below root, in place of what is there; it becomes the tree's, or is
 * freed where that fails. origin begins the message then. */
UM_API UM_USED um_status um_config_put(um_node *root, const char *path, um_node *value, const char *origin);

/* Adds a member to a group, parsed from the text of a parameter's default. */
UM_API UM_USED um_status um_node_add(um_node *group, const char *name, um_type type, const char *text);

/* Makes a value the only item of a list [ ] in its place. */
UM_API void um_node_wrap(um_node *n);

/* Writes the tree as libconfig text that reads back equal; paths as they are. */
UM_API void um_config_write(const um_node *root, FILE *out);

/* A growing list of complaints, so that all problems are reported at once. */
typedef struct um_problems {
	int n;
	char **line;
	bool data;     /* one of them is about a data file (exit status 3) */
	bool config;   /* one of them is about the pipeline file or the command line (exit 2) */
	bool fragment; /* set by the caller: values still to be filled in are only notes */
} um_problems;

/* Adds "file:line: key: message", or without at just the message. UM_OK adds a note,
 * which is no reason to refuse the file. */
UM_API void um_problems_add(um_problems *p, um_status kind, const um_node *at, const char *fmt, ...)
	UM_PRINTF(4, 5);
UM_API void um_problems_free(um_problems *p);

/* ---- parameters ---------------------------------------------------------- */

/* A filled parameter struct and all that its pointers reach. */
typedef struct um_params um_params;

/* Fills a struct of the given size from defaults and from the members of group (which
 * may be NULL), except those named in skip (a NULL-terminated list, or NULL). Unknown keys,
 * wrong types, ranges, missing values and missing files are all added to problems; what
 * names the owner in them ("priors/tv"). Filled-in defaults are added to the group. *out is
 * NULL where there was a problem. */
UM_API UM_USED um_status um_params_fill(const um_param *table, size_t n, size_t size, um_node *group,
	const char *const *skip, const char *what, um_problems *problems, um_params **out);
UM_API const void *um_params_data(const um_params *p);
UM_API void um_params_free(um_params *p);

/* The table as a reader sees it: one paragraph a parameter, and a commented libconfig
 * block with every default, ready to paste. */
UM_API void um_params_help(const um_param *table, size_t n, FILE *out);
UM_API void um_params_template(const um_param *table, size_t n, const char *indent, FILE *out);

/* The known word nearest to a misspelt one, or NULL if none is near. words ends with NULL. */
UM_API const char *um_nearest(const char *word, const char *const *words);

/* The file that a path in a pipeline means: "share:x" in the installed share folder,
 * relative ones from base. Free the result. */
UM_API char *um_path_resolve(const char *path, const char *base);

/* Folders of the installation, or of the build tree that the program runs in. */
UM_API const char *um_dir_share(void);
UM_API const char *um_dir_plugins(void);

#endif
