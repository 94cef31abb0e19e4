/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading tables of stations. The text is taken from anywhere, so every line is measured before
 * it is looked at, and positions that are not on the ground (kilometres for metres, a missing
 * sign, columns exchanged) are refused rather than observed from. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <umbra/stations.h>

#define LINE 1024
#define STATIONS_MAX 255 /* what BASELINE = 256 a1 + a2 of UVFITS can number */
#define COLUMNS_MAX 32
#define GROUND_MIN 6.33e6 /* metres from the centre: below every shore, above every summit */
#define GROUND_MAX 6.40e6

struct source {
	const char *path;
	long line;
};

/* A finite decimal number; strtod would also take "inf", "nan" and hexadecimal. */
static bool number(const char *text, double *out)
{
	char *end;
	if (text[strspn(text, "0123456789+-.eE")] != 0)
		return false;
	*out = strtod(text, &end);
	return end != text && *end == 0 && isfinite(*out);
}

/* Cuts a line into words; returns how many there are, at most COLUMNS_MAX + 1. */
static int words(char *line, char *word[COLUMNS_MAX + 1])
{
	int n = 0;
	char *rest = NULL;
	line[strcspn(line, "#")] = 0;
	for (char *w = strtok_r(line, " \t\r\n", &rest); w != NULL && n <= COLUMNS_MAX;
		w = strtok_r(NULL, " \t\r\n", &rest))
		word[n++] = w;
	return n;
}

static um_status check_name(const struct source *at, const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= 32 || *c >= 127 || strchr(",;\"'", *c) != NULL)
			return um_fail(UM_EDATA, "%s:%ld: the station's name has characters that are not plain "
				"letters", at->path, at->line);
	if (strlen(name) >= sizeof(((um_station *)0)->name))
		return um_fail(UM_EDATA, "%s:%ld: the station's name has %zu letters, at most %zu can be kept",
			at->path, at->line, strlen(name), sizeof(((um_station *)0)->name) - 1);
	return UM_OK;
}

static um_status parse(const struct source *at, char *word[], int n, um_station *s)
{
	double value[COLUMNS_MAX] = { 0 };
	if (n < 5 || n > COLUMNS_MAX)
		return um_fail(UM_EDATA, "%s:%ld: %d columns; a station is: name x y z SEFD [SEFD of the left "
			"hand]", at->path, at->line, n);
	um_status st = check_name(at, word[0]);
	if (st != UM_OK)
		return st;
	for (int i = 1; i < n; i++)
		if (!number(word[i], &value[i - 1]))
			return um_fail(UM_EDATA, "%s:%ld: column %d of %s, \"%.40s\", is not a number", at->path,
				at->line, i + 1, word[0], word[i]);
	memset(s, 0, sizeof(*s));
	memcpy(s->name, word[0], strlen(word[0]) + 1);
	memcpy(s->xyz, value, sizeof(s->xyz));
	s->sefd[0] = value[3];
	s->sefd[1] = n > 5 ? value[4] : value[3];
	double r = sqrt(s->xyz[0] * s->xyz[0] + s->xyz[1] * s->xyz[1] + s->xyz[2] * s->xyz[2]);
	if (!(r >= GROUND_MIN && r <= GROUND_MAX))
		return um_fail(UM_EDATA, "%s:%ld: %s is %g km from the Earth's centre, not on the ground: "
			"x, y, z are geocentric, in metres", at->path, at->line, s->name, r / 1e3);
	if (s->sefd[0] < 0 || s->sefd[1] < 0)
		return um_fail(UM_EDATA, "%s:%ld: the SEFD of %s is negative", at->path, at->line, s->name);
	return UM_OK;
}

static um_status add(const struct source *at, um_stations *a, const um_station *s)
{
	for (int i = 0; i < a->n; i++)
		if (strcmp(a->s[i].name, s->name) == 0)
			return um_fail(UM_EDATA, "%s:%ld: %s is listed twice", at->path, at->line, s->name);
	if (a->n == STATIONS_MAX)
		return um_fail(UM_EDATA, "%s:%ld: more than %d stations", at->path, at->line, STATIONS_MAX);
	a->s[a->n++] = *s;
	return UM_OK;
}

static um_status read_lines(FILE *f, struct source *at, um_stations *a)
{
	char line[LINE];
	char *word[COLUMNS_MAX + 1];
	um_station s;
	um_status st = UM_OK;
	while (st == UM_OK && (memset(line, 0, sizeof(line)), fgets(line, sizeof(line), f) != NULL)) {
		at->line++;
		size_t len = strlen(line);
		if (len == 0 || (line[len - 1] != '\n' && !feof(f)))
			return um_fail(UM_EDATA, "%s:%ld: the line has more than %d characters, or a zero byte: "
				"not a table of stations", at->path, at->line, LINE - 2);
		int n = words(line, word);
		if (n == 0)
			continue;
		st = parse(at, word, n, &s);
		if (st == UM_OK)
			st = add(at, a, &s);
	}
	if (st == UM_OK && ferror(f))
		return um_fail(UM_EDATA, "%s: cannot be read: %s", at->path, strerror(errno));
	if (st == UM_OK && a->n == 0)
		return um_fail(UM_EDATA, "%s: no stations", at->path);
	return st;
}

um_status um_stations_read(const char *path, um_stations *out)
{
	struct source at = { path, 0 };
	struct stat info;
	um_stations a = { 0 };
	um_status st = UM_OK;
	FILE *f = NULL;
	*out = a;
	if (stat(path, &info) != 0 || (S_ISREG(info.st_mode) && (f = fopen(path, "r")) == NULL))
		return um_fail(UM_EDATA, "%s: %s", path, strerror(errno));
	if (f == NULL)
		return um_fail(UM_EDATA, "%s: not a regular file", path);
	a.s = calloc(STATIONS_MAX, sizeof(*a.s));
	if (a.s == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "%s: no memory for stations", path));
	UM_TRY(read_lines(f, &at, &a));
	*out = a;
out:
	fclose(f);
	if (st != UM_OK)
		um_stations_free(&a);
	return st;
}

void um_stations_free(um_stations *a)
{
	free(a->s);
	memset(a, 0, sizeof(*a));
}
