/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images of many files in one array: what is in each file, which axes mean what, the pipeline's
 * size, the prior's units. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <umbra/fits.h>
#include "base/mem.h"
#include "data/imageset.h"
#include "data/npy.h"

/* One file. */
struct stack {
	const char *path;
	um_array x;                /* float or double, with the file's axes */
	double top;                /* the largest value of an integer type, or 0 */
	int64_t n, rows, columns;  /* images, and their size */
};

/* What has been read. */
struct pile {
	const um_imageset_spec *spec;
	int64_t planes, pixels;    /* of an image */
	float *x;
	int64_t n, room;
	double top;
};

/* ---- names ----------------------------------------------------------------------- */

static void add_name(char ***list, int64_t *count, char *name)
{
	*list = um_grow(*list, sizeof(**list) * (size_t)(*count + 1));
	(*list)[(*count)++] = name;
}

static bool known_ending(const char *name)
{
	static const char *const endings[] = { ".fits", ".fit", ".fts", ".png", ".npy", ".idx",
		".gz", "-ubyte" };
	const size_t n = strlen(name);
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		size_t k = strlen(endings[i]);
		if (n > k && strcasecmp(name + n - k, endings[i]) == 0)
			return name[0] != '.';
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static um_status add_folder(const char *path, char ***list, int64_t *count)
{
	const int64_t before = *count;
	DIR *d = opendir(path);
	if (d == NULL)
		return um_fail(UM_EDATA, "%s: %s", path, strerror(errno));
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct stat s;
		char *file = um_format("%s/%s", path, e->d_name);
		if (known_ending(e->d_name) && stat(file, &s) == 0 && S_ISREG(s.st_mode))
			add_name(list, count, file);
		else
			free(file);
	}
	closedir(d);
	if (*count == before)
		return um_fail(UM_EDATA, "%s: no images in this folder (.fits, .png, .npy, .idx, "
			"-ubyte, .gz)", path);
	qsort(*list + before, (size_t)(*count - before), sizeof(**list), by_name);
	return UM_OK;
}

um_status um_imageset_files(int64_t n, const char *const files[], char ***list, int64_t *count)
{
	um_status st = UM_OK;
	struct stat s;
	*list = NULL;
	*count = 0;
	for (int64_t i = 0; st == UM_OK && i < n; i++)
		if (stat(files[i], &s) == 0 && S_ISDIR(s.st_mode))
			st = add_folder(files[i], list, count);
		else
			add_name(list, count, um_strdup(files[i]));
	return st;
}

/* ---- one file -------------------------------------------------------------------- */

static um_status read_any(struct stack *s, const int64_t shape[5])
{
	unsigned char b[8] = { 0 };
	um_image im = { 0 };
	FILE *f = fopen(s->path, "rb");
	if (f == NULL)
		return um_fail(UM_EDATA, "%s: %s", s->path, strerror(errno));
	size_t n = fread(b, 1, sizeof(b), f);
	fclose(f);
	if (n == sizeof(b) && memcmp(b, "\x93NUMPY", 6) == 0)
		return um_npy_read_typed(s->path, &s->x, &s->top);
	if (n == sizeof(b) && memcmp(b, "\x89PNG", 4) == 0) {
		s->top = 255;
		return um_png_read(s->path, shape[0] * shape[1] * shape[2], &s->x);
	}
	if (n == sizeof(b) && memcmp(b, "SIMPLE  ", 8) == 0) {
		um_status st = um_image_read(s->path, &im);
		s->x = im.data;
		return st;
	}
	if (n > 3 && ((b[0] == 0x1f && b[1] == 0x8b) || (b[0] == 0 && b[1] == 0)))
		return um_idx_read(s->path, &s->x, &s->top);
	return um_fail(UM_EDATA, "%s: neither idx, npy, FITS nor PNG", s->path);
}

/* Columns and rows are the last axes, planes those before, images what is left in front. */
static um_status understand(struct stack *s, const struct pile *p)
{
	const int64_t *dim = s->x.dim, *shape = p->spec->shape;
	int k = s->x.rank;
	int64_t planes = 1;
	if (k < 2 && shape[3] != 1)
		return um_fail(UM_EDATA, "%s: it has one axis only and holds no images", s->path);
	s->columns = dim[--k];
	s->rows = shape[3] == 1 && s->x.rank <= 2 ? 1 : dim[--k];
	while (k > 0 && planes < p->planes)
		planes *= dim[--k];
	if (planes != p->planes)
		return um_fail(UM_EDATA, "%s: its axes do not end in %lld channels (frames, "
			"bands), rows, columns, as the image of the pipeline does%s", s->path,
			(long long)p->planes, shape[2] == 3 ? "; colours = \"random\" paints grey images" : "");
	s->n = um_array_len(&s->x) / (planes * s->rows * s->columns);
	if (p->spec->fitting == UM_FIT_NONE && (s->rows != shape[3] || s->columns != shape[4]))
		return um_fail(UM_EDATA, "%s: images of %lld x %lld pixels, the pipeline's has "
			"%lld x %lld: set size = \"centre\" to cut or fill them, size = "
			"\"average\" to resize them, \"project\" for a mesh, or other pixels", s->path,
			(long long)s->columns, (long long)s->rows, (long long)shape[4],
			(long long)shape[3]);
	if (p->spec->unit && s->top == 0)
		return um_fail(UM_EDATA, "%s: values = \"unit\" is for integers of idx, npy and "
			"PNG; these are reals: use factor and offset", s->path);
	return UM_OK;
}

static double value(const struct stack *s, int64_t i)
{
	return s->x.dtype == UM_F32 ? (double)((const float *)s->x.data)[i] : ((const double *)s->x.data)[i];
}

static um_status check_finite(const struct stack *s)
{
	const int64_t n = um_array_len(&s->x), one = n / s->n;
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(value(s, i)))
			return um_fail(UM_EDATA, "%s: image %lld, pixel %lld is not a finite "
				"number; fill it first", s->path,
				(long long)(i / one) + 1, (long long)(i % one) + 1);
	return UM_OK;
}

/* ---- size ------------------------------------------------------------------------ */

/* The stretch of n old pixels that m new ones cover, and how much of old pixel i lies in one. */
struct window { double start, step; };

static double overlap(const struct window *w, int64_t pixel, int64_t i)
{
	double lo = fmax(w->start + w->step * (double)pixel, (double)i);
	double hi = fmin(w->start + w->step * (double)(pixel + 1), (double)(i + 1));
	return fmax(0, hi - lo);
}

static double averaged(const struct stack *s, int64_t at, const struct window w[2], int64_t r, int64_t c)
{
	double sum = 0, area = 0;
	const int64_t r1 = (int64_t)fmin(ceil(w[0].start + w[0].step * (double)(r + 1)), (double)s->rows);
	const int64_t c1 = (int64_t)fmin(ceil(w[1].start + w[1].step * (double)(c + 1)),
		(double)s->columns);
	for (int64_t i = (int64_t)(w[0].start + w[0].step * (double)r); i < r1; i++)
		for (int64_t j = (int64_t)(w[1].start + w[1].step * (double)c); j < c1; j++) {
			double weight = overlap(&w[0], r, i) * overlap(&w[1], c, j);
			sum += weight * value(s, at + i * s->columns + j);
			area += weight;
		}
	return sum / area;
}

/* The pixel up and left of where a vertex falls, the steps to its neighbours, and how far it is towards them. */
struct place {
	int64_t at, down, right;
	double p, q;
};

static struct place *project(const struct stack *s, const um_mesh *m)
{
	struct place *all = um_new(sizeof(*all) * (size_t)m->nvertex);
	double lo[2] = { INFINITY, INFINITY }, hi[2] = { -INFINITY, -INFINITY };
	for (int64_t i = 0; i < m->nvertex; i++)
		for (int k = 0; k < 2; k++) {
			lo[k] = fmin(lo[k], m->vertex[3 * i + k]);
			hi[k] = fmax(hi[k], m->vertex[3 * i + k]);
		}
	for (int64_t c = 0; c < m->nvertex; c++) {
		const double *v = m->vertex + 3 * c;
		const double x = hi[0] > lo[0] ? (v[0] - lo[0]) / (hi[0] - lo[0]) * (double)(s->columns - 1) : 0;
		const double y = hi[1] > lo[1] ? (hi[1] - v[1]) / (hi[1] - lo[1]) * (double)(s->rows - 1) : 0;
		const int64_t i = (int64_t)fmin(floor(y), fmax(0, (double)(s->rows - 2)));
		const int64_t j = (int64_t)fmin(floor(x), fmax(0, (double)(s->columns - 2)));
		all[c] = (struct place){ i * s->columns + j, s->rows > 1 ? s->columns : 0, s->columns > 1 ? 1 : 0,
			y - (double)i, x - (double)j };
	}
	return all;
}

static double between(const struct stack *s, int64_t at, const struct place *w)
{
	at += w->at;
	return (1 - w->p) * ((1 - w->q) * value(s, at) + w->q * value(s, at + w->right)) +
		w->p * ((1 - w->q) * value(s, at + w->down) + w->q * value(s, at + w->down + w->right));
}

/* The plane that begins at number at of the file, in the pipeline's size, before units. */
static void fit_plane(const struct stack *s, const um_imageset_spec *spec, const struct place *places, int64_t at,
	double scale, float *out)
{
	const int64_t rows = spec->shape[3], columns = spec->shape[4];
	const int64_t dr = (s->rows - rows) / 2, dc = (s->columns - columns) / 2;
	const double step = fmin((double)s->rows / (double)rows, (double)s->columns / (double)columns);
	const struct window w[2] = { { ((double)s->rows - step * (double)rows) / 2, step },
		{ ((double)s->columns - step * (double)columns) / 2, step } };
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = 0; c < columns; c++) {
			double v = 0;
			int64_t i = r + dr, j = c + dc;
			if (spec->fitting == UM_FIT_AVERAGE)
				v = averaged(s, at, w, r, c);
			else if (spec->fitting == UM_FIT_MESH)
				v = between(s, at, &places[c]);
			else if (i >= 0 && i < s->rows && j >= 0 && j < s->columns)
				v = value(s, at + i * s->columns + j);
			out[r * columns + c] = (float)(spec->offset + scale * v);
		}
}

/* ---- all ------------------------------------------------------------------------- */

static um_status add_images(struct pile *p, const struct stack *s)
{
	const um_imageset_spec *spec = p->spec;
	const int64_t plane = spec->shape[3] * spec->shape[4];
	const double scale = spec->unit ? spec->factor / s->top : spec->factor;
	int64_t more = spec->most > 0 && spec->most - p->n < s->n ? spec->most - p->n : s->n;
	if (p->n + more > p->room) {
		int64_t room = p->n + more > 2 * p->room ? p->n + more : 2 * p->room;
		float *x = room < INT64_MAX / 8 / p->pixels ? realloc(p->x,
			sizeof(float) * (size_t)(room * p->pixels)) : NULL;
		if (x == NULL)
			return um_fail(UM_ENOMEM, "no memory for %lld images; use fewer with "
				"count", (long long)room);
		p->x = x;
		p->room = room;
	}
	struct place *places = spec->fitting == UM_FIT_MESH ? project(s, spec->mesh) : NULL;
	for (int64_t i = 0; i < more * p->planes; i++)
		fit_plane(s, spec, places, i * s->rows * s->columns, scale, p->x + p->n * p->pixels + i * plane);
	free(places);
	for (int64_t i = p->n * p->pixels; i < (p->n + more) * p->pixels; i++)
		if (!isfinite(p->x[i]))
			return um_fail(UM_EDATA, "%s: a number is too large after factor and "
				"offset", s->path);
	p->top = p->n == 0 || p->top == s->top ? s->top : 0;
	p->n += more;
	return UM_OK;
}

static um_status add_file(struct pile *p, const char *path)
{
	um_status st = UM_OK;
	struct stack s = { .path = path };
	UM_TRY(read_any(&s, p->spec->shape));
	UM_TRY(understand(&s, p));
	UM_TRY(check_finite(&s));
	UM_TRY(add_images(p, &s));
out:
	um_array_free(&s.x);
	return st;
}

um_status um_imageset_read(int64_t n, const char *const files[], const um_imageset_spec *spec,
	um_array *out,
	double *top)
{
	um_status st = UM_OK;
	const int64_t *d = spec->shape;
	struct pile p = { .spec = spec, .planes = d[0] * d[1] * d[2],
		.pixels = d[0] * d[1] * d[2] * d[3] * d[4] };
	char **list = NULL;
	int64_t count = 0;
	*out = (um_array){ 0 };
	UM_TRY(um_imageset_files(n, files, &list, &count));
	for (int64_t i = 0; i < count && (spec->most == 0 || p.n < spec->most); i++)
		UM_TRY(add_file(&p, list[i]));
	if (p.n == 0)
		UM_TRY(um_fail(UM_EDATA, "there are no files of images"));
	*out = um_array_view(p.x, UM_F32, 6, (const int64_t[]){ p.n, d[0], d[1], d[2], d[3], d[4] });
	p.x = NULL;
	if (top != NULL)
		*top = p.top;
out:
	free(p.x);
	for (int64_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
	return st;
}
