/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameters that describe themselves. A plugin declares a struct and one table
 * row per field; key, type and place are derived from the field. The host checks
 * pipeline files against the table and prints help, templates and run records
 * from it. Frozen layout: um_param is an array element of the plugin ABI. */
#ifndef UMBRA_PARAM_H
#define UMBRA_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umbra/status.h>

typedef enum um_type {
	UM_REAL = 1, /* double; an integer literal is a valid real */
	UM_INT,      /* int64_t */
	UM_BOOL,     /* bool */
	UM_TEXT,     /* const char *; with choices: one of them */
	UM_PATH,     /* const char *; an existing file, resolved by the host */
	UM_REALS,    /* um_reals */
	UM_TEXTS,    /* um_texts; with choices: each one of them */
	UM_PAIR,     /* um_pair: lo <= hi */
	UM_PATHS,    /* um_texts; each as UM_PATH; UM_PLACES sets max to 1 */
	UM_KEY,      /* const char *; the key of a prior of the pipeline: see um_env.source */
} um_type;

typedef struct um_reals { int64_t n; const double *v; } um_reals;
typedef struct um_texts { int64_t n; const char *const *v; } um_texts;
typedef struct um_pair { double lo, hi; } um_pair;

/* One parameter. def is the text that a user would type after "key =", without
 * quotes for text; NULL means that it must be given. Numbers (each of a list or
 * pair) satisfy min <= v <= max. choices is "one|two|three" or NULL. unit is a
 * FITS unit string, "" for pure numbers. doc is one sentence. An optional path or
 * text has the default "". */
typedef struct um_param {
	const char *name;
	um_type type;
	size_t offset;
	const char *def;
	double min, max;
	const char *choices;
	const char *unit;
	const char *doc;
} um_param;

#ifdef __cplusplus
template <class S> constexpr um_type um_type_of(double S::*) { return UM_REAL; }
template <class S> constexpr um_type um_type_of(int64_t S::*) { return UM_INT; }
template <class S> constexpr um_type um_type_of(bool S::*) { return UM_BOOL; }
template <class S> constexpr um_type um_type_of(const char *S::*) { return UM_TEXT; }
template <class S> constexpr um_type um_type_of(um_reals S::*) { return UM_REALS; }
template <class S> constexpr um_type um_type_of(um_texts S::*) { return UM_TEXTS; }
template <class S> constexpr um_type um_type_of(um_pair S::*) { return UM_PAIR; }
#define UM_TYPE_OF(S, f) um_type_of(&S::f)
#else
#define UM_TYPE_OF(S, f) _Generic(((S *)0)->f, double: UM_REAL, int64_t: UM_INT, bool: UM_BOOL, \
	const char *: UM_TEXT, um_reals: UM_REALS, um_texts: UM_TEXTS, um_pair: UM_PAIR)
#endif

/* Numbers, lists of numbers and pairs, with a range; booleans with 0, 0. */
#define UM_PARAM(S, f, def, min, max, unit, doc) \
	{ #f, UM_TYPE_OF(S, f), offsetof(S, f), def, min, max, NULL, unit, doc }
/* Text of free form, and text or a list of texts from a set of words. */
#define UM_PARAM_TEXT(S, f, def, doc) \
	{ #f, UM_TYPE_OF(S, f), offsetof(S, f), def, 0, 0, NULL, "", doc }
#define UM_CHOICE(S, f, def, choices, doc) \
	{ #f, UM_TYPE_OF(S, f), offsetof(S, f), def, 0, 0, choices, "", doc }
/* A file to read. The host resolves it (share:, relative to the pipeline file)
 * and refuses a missing one before anything runs. */
#define UM_FILE(S, f, def, doc) \
	{ #f, UM_PATH, offsetof(S, f), def, 0, 0, NULL, "", doc }
/* Another prior of the pipeline, by its key; at most one parameter of a plugin. */
#define UM_PRIOR_KEY(S, f, def, doc) \
	{ #f, UM_KEY, offsetof(S, f), def, 0, 0, NULL, "", doc }
/* Any number of files: a um_texts field. */
#define UM_FILES(S, f, def, doc) \
	{ #f, UM_PATHS, offsetof(S, f), def, 0, 0, NULL, "", doc }
/* The same, or folders of files; a text alone is a list of one. */
#define UM_PLACES(S, f, def, doc) \
	{ #f, UM_PATHS, offsetof(S, f), def, 0, 1, NULL, "", doc }

#endif
