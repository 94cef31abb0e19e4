/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images, quantised for the page. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <umbra/fits.h>
#include <umbra/plugin.h>
#include "base/mem.h"
#include "text.h"
#include "viewer.h"

#define MOST_SAMPLES 128
#define MOST_PIXELS 65536 /* of a plane */
#define MOST_BYTES ((off_t)1 << 28) /* of a cube that is read */
#define WORDS 400 /* bytes besides the numbers */

/* How images are cut down. */
struct cut {
	int64_t rows, columns, planes;            /* of the files */
	int64_t block, shown_planes, samples, shown; /* of the page; samples: of the file */
};

/* The first of "of" measurements; *bytes is the size of the file. */
static bool load(const char *dir, const char *name, int64_t of, um_image *im, int64_t *bytes)
{
	struct stat s = { 0 };
	char *path = name != NULL ? um_format("%s/%s", dir, name) : NULL;
	bool there = path != NULL && stat(path, &s) == 0;
	*bytes = s.st_size;
	if (there && s.st_size / of > MOST_BYTES) {
		um_log(UM_INFO, "%s: too large to be shown in the report", path);
		there = false;
	}
	if (there && um_image_read_first(path, im) != UM_OK) {
		um_log(UM_WARN, "%s", um_message());
		there = false;
	}
	free(path);
	return there;
}

static int64_t rows_of(const struct cut *c)
{
	return c->rows / c->block;
}

static int64_t columns_of(const struct cut *c)
{
	return c->columns / c->block;
}

static int64_t numbers(const struct cut *c)
{
	return rows_of(c) * columns_of(c) * c->shown_planes;
}

/* Averages blocks of an image [planes][rows][columns]; of standard deviations the squares. What is left at the
 * edges is cut off. */
static void average(const struct cut *c, const double *x, bool square, double *out)
{
	const int64_t rows = rows_of(c), columns = columns_of(c), b = c->block;
	for (int64_t i = 0; i < numbers(c); i++) {
		const int64_t p = i / (rows * columns), r = i / columns % rows, k = i % columns;
		double sum = 0;
		for (int64_t j = 0; j < b * b; j++) {
			double v = x[(p * c->rows + r * b + j / b) * c->columns + k * b + j % b];
			sum += square ? v * v : v;
		}
		sum /= (double)(b * b);
		out[i] = square ? sqrt(sum) : sum;
	}
}

/* n numbers as an object of the page, bytes 1 or 2 each. */
static json_t *quantise(const double *x, int64_t n, int bytes)
{
	const double max = bytes == 1 ? 255 : 65535;
	double lo = x[0], hi = x[0];
	unsigned char *q = um_new((size_t)(n * bytes));
	um_text t = { 0 };
	for (int64_t i = 1; i < n; i++) {
		lo = fmin(lo, x[i]);
		hi = fmax(hi, x[i]);
	}
	for (int64_t i = 0; i < n; i++) {
		unsigned v = hi > lo ? (unsigned)(0.5 + max * sqrt((x[i] - lo) / (hi - lo))) : 0;
		q[i * bytes] = (unsigned char)(v & 255);
		if (bytes == 2)
			q[i * bytes + 1] = (unsigned char)(v >> 8);
	}
	um_text_base64(&t, q, (size_t)(n * bytes));
	json_t *j = t.failed ? NULL : json_pack("{s:f, s:f, s:s}", "lo", lo, "hi", hi, "data", t.s);
	um_text_free(&t);
	free(q);
	return j;
}

/* Bytes of text for n numbers. */
static double cost(double n, int bytes)
{
	return n * bytes * 4 / 3;
}

/* Blocks as small as the room and the eye ask for, mean and deviation in half of it; then as many samples as fit. */
static bool choose(struct cut *c, bool spread, double room)
{
	const double fixed = spread ? 2 : 1;
	const int64_t side = c->rows < c->columns && c->rows > 1 ? c->rows : c->columns;
	for (c->block = 1;; c->block++) {
		for (c->shown_planes = c->planes; c->shown_planes > 1; c->shown_planes--)
			if (cost(fixed * (double)numbers(c), 2) <= room / 2)
				break;
		if (rows_of(c) * columns_of(c) <= MOST_PIXELS && cost(fixed * (double)numbers(c), 2) <= room / 2)
			break;
		if (c->rows == 1 || side / (c->block + 1) < 8)
			return false;
	}
	const double most = (room - cost(fixed * (double)numbers(c), 2)) / cost((double)numbers(c), 1);
	c->shown = c->samples < MOST_SAMPLES ? c->samples : MOST_SAMPLES;
	if ((double)c->shown > most)
		c->shown = (int64_t)most;
	return true;
}

static json_t *draws(const struct cut *c, const double *x, double *out)
{
	const int64_t n = numbers(c), stride = c->planes * c->rows * c->columns;
	for (int64_t s = 0; s < c->shown; s++)
		average(c, x + s * c->samples / c->shown * stride, false, out + s * n);
	return quantise(out, c->shown * n, 1);
}

static bool is_constant(const um_array *a)
{
	const double *x = a->data;
	int64_t n = um_array_len(a), i = 1;
	while (i < n && x[i] == x[0])
		i++;
	return i >= n;
}

json_t *um_viewer_images(const char *dir, const char *mean, const char *std, const char *samples, size_t room)
{
	um_image m = { 0 }, s = { 0 }, x = { 0 };
	json_t *j = NULL;
	double *out = NULL;
	int64_t bytes;
	if (!load(dir, mean, 1, &m, &bytes) || m.data.rank < 2)
		goto out;
	const um_array *a = &m.data;
	const int64_t n = um_array_len(a), of = 1 + bytes / (int64_t)sizeof(double) / (n + 1); /* about, in the file of means */
	struct cut c = { .rows = a->dim[a->rank - 2], .columns = a->dim[a->rank - 1] };
	c.planes = n / (c.rows * c.columns);
	bool spread = load(dir, std, 1, &s, &bytes) && um_array_len(&s.data) == n && !is_constant(&s.data);
	if (spread && load(dir, samples, of, &x, &bytes) && um_array_len(&x.data) % n == 0)
		c.samples = um_array_len(&x.data) / n;
	if (room < WORDS || !choose(&c, spread, (double)(room - WORDS)))
		goto out;
	const bool colours = c.planes == 3 && c.shown_planes == 3 && m.sky.pixel == 0;
	out = um_new(sizeof(*out) * (size_t)(numbers(&c) * (c.shown > 1 ? c.shown : 1)));
	j = json_pack("{s:I, s:I, s:I, s:b, s:s, s:f, s:I, s:[I,I,I], s:I, s:I}", "rows", (json_int_t)rows_of(&c),
		"columns", (json_int_t)columns_of(&c), "planes", (json_int_t)c.shown_planes, "colours", colours,
		"unit", m.bunit, "uas", m.sky.pixel * (double)c.block / UM_UAS, "block", (json_int_t)c.block, "full",
		(json_int_t)c.rows, (json_int_t)c.columns, (json_int_t)c.planes, "samples", (json_int_t)c.samples,
		"shown", (json_int_t)c.shown);
	average(&c, a->data, false, out);
	json_object_set_new(j, "mean", quantise(out, numbers(&c), 2));
	if (spread) {
		average(&c, s.data.data, true, out);
		json_object_set_new(j, "sd", quantise(out, numbers(&c), 2));
	}
	if (c.shown > 0)
		json_object_set_new(j, "draws", draws(&c, x.data.data, out));
out:
	free(out);
	um_image_free(&m);
	um_image_free(&s);
	um_image_free(&x);
	return j;
}
