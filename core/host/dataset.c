/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Training images in shuffled batches, held-out images apart. Every random number has a counter
 * of its own: the epoch's for an order, the image's place in the stream for flips and noise. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/dataset.h>
#include "base/mem.h"

/* Streams below the key of the data. */
enum { SPLIT = 1, EPOCH, FLIPS, NOISE_BATCH, NOISE_ROWS, DRAW, DRAW_HELD };

#define ENDLESS 10000 /* draws that a held-out fraction of endless draws is taken of */

struct um_dataset {
	um_dataset_info info;
	um_dataset_source source;
	um_rng key, fit;       /* keys of the data and of the fit: their counters are not used */
	um_array images, own;  /* all of them; own: made here */
	int64_t n;             /* pixels */
	int64_t *train, *held; /* indices into images, in order */
	int64_t *order, epoch; /* of train in one epoch; -1: none yet */
	float *turned;         /* one image */
	um_rng *rng;           /* room for streams of draws */
	int64_t nrng;
};

const um_dataset_info *um_dataset_about(const um_dataset *d)
{
	return &d->info;
}

/* A whole number below n. */
static int64_t below(um_rng *r, int64_t n)
{
	int64_t k = (int64_t)(um_uniform(r) * (double)n);
	return k < n ? k : n - 1;
}

/* Fisher and Yates. */
static void shuffle(um_rng r, int64_t *v, int64_t n)
{
	for (int64_t i = n - 1; i > 0; i--) {
		int64_t k = below(&r, i + 1), t = v[i];
		v[i] = v[k];
		v[k] = t;
	}
}

static um_status finite(const um_dataset *d, const um_array *x)
{
	const float *v = x->data;
	const int64_t all = um_array_len(x);
	for (int64_t i = 0; i < all; i++)
		if (!isfinite(v[i]))
			return um_fail(UM_ENUM, "%s: pixel %lld of a draw is not finite", d->source.name,
				(long long)(i % d->n) + 1);
	return UM_OK;
}

/* Draws number first .. of a stream. */
static um_status draw(um_dataset *d, uint64_t stream, int64_t first, um_array *x)
{
	const int64_t count = x->dim[0];
	if (count > d->nrng) {
		d->rng = um_grow(d->rng, sizeof(*d->rng) * (size_t)count);
		d->nrng = count;
	}
	for (int64_t i = 0; i < count; i++)
		d->rng[i] = um_rng_at(&d->key, stream, (uint64_t)(first + i));
	um_status st = d->source.draw(d->source.state, d->rng, x);
	return st == UM_OK ? finite(d, x) : st;
}

static um_status draw_all(um_dataset *d)
{
	enum { AT_ONCE = 256 };
	um_status st = UM_OK;
	const int64_t *s = d->source.shape, n = d->source.count;
	UM_TRY(um_array_new(&d->own, UM_F32, 6, (const int64_t[]){ n, s[0], s[1], s[2], s[3], s[4] }));
	for (int64_t i = 0; i < n; i += AT_ONCE) {
		um_array part = um_array_rows(&d->own, i, n - i < AT_ONCE ? n - i : AT_ONCE);
		UM_TRY(draw(d, DRAW, i, &part));
	}
	d->images = d->own;
out:
	return st;
}

static um_status split(um_dataset *d, int64_t n)
{
	const double wish = d->source.held_out;
	const int64_t held = (int64_t)floor(wish < 1 ? wish * (double)n + 0.5 : wish);
	if (n == 0 || held >= n)
		return um_fail(UM_EPARAM, "%s: of %lld images %lld are held out, which leaves "
			"nothing to learn from; lower held_out", d->source.name, (long long)n,
			(long long)held);
	d->info.train = n - held;
	d->info.held = held;
	int64_t *all = um_new(sizeof(*all) * (size_t)n), at = 0, kept = 0;
	char *apart = um_new((size_t)n);
	d->train = um_new(sizeof(*d->train) * (size_t)(n - held));
	d->held = um_new(sizeof(*d->held) * (size_t)(held + 1));
	d->order = um_new(sizeof(*d->order) * (size_t)(n - held));
	for (int64_t i = 0; i < n; i++)
		all[i] = i;
	shuffle(um_rng_at(&d->key, SPLIT, 0), all, n);
	for (int64_t i = 0; i < held; i++)
		apart[all[i]] = 1;
	for (int64_t i = 0; i < n; i++)
		if (apart[i])
			d->held[kept++] = i;
		else
			d->train[at++] = i;
	free(apart);
	free(all);
	return UM_OK;
}

static um_status check(const um_dataset_source *s)
{
	if (s->images.data == NULL && s->draw == NULL)
		return um_fail(UM_EARG, "a data set needs images or draws");
	if (s->augment == UM_AUGMENT_DIHEDRAL && s->shape[3] != s->shape[4])
		return um_fail(UM_EPARAM, "augment = \"dihedral\" turns images by quarters, and "
			"these are not square; use \"flips\"");
	return UM_OK;
}

um_status um_dataset_new(const um_dataset_source *s, um_dataset **out)
{
	um_status st = check(s);
	if (st != UM_OK)
		return st;
	um_dataset *d = um_new(sizeof(*d));
	char *key = um_format("%s data %lld", s->key, (long long)s->order);
	char *fit = um_format("%s fit %lld", s->key, (long long)s->order);
	d->source = *s;
	d->source.name = um_strdup(s->name);
	d->source.key = NULL;
	d->key = um_rng_new(s->seed, key, 0);
	d->fit = um_rng_new(s->seed, fit, 0);
	d->n = s->shape[0] * s->shape[1] * s->shape[2] * s->shape[3] * s->shape[4];
	d->epoch = -1;
	d->turned = um_new(sizeof(float) * (size_t)d->n);
	d->info = (um_dataset_info){ .size = sizeof(d->info), .threads = s->threads, .seed = s->seed,
		.seconds = s->seconds, .source = d->source.name, .rng = &d->fit, .step = fabs(s->step) };
	memcpy(d->info.shape, s->shape, sizeof(d->info.shape));
	d->images = s->images;
	if (s->images.data == NULL && s->count > 0)
		UM_TRY(draw_all(d));
	if (d->images.data != NULL)
		UM_TRY(split(d, d->images.dim[0]));
	else
		d->info.held = (int64_t)floor(s->held_out < 1 ? s->held_out * ENDLESS + 0.5 : s->held_out);
	*out = d;
	d = NULL;
out:
	um_dataset_free(d);
	free(key);
	free(fit);
	return st;
}

void um_dataset_free(um_dataset *d)
{
	if (d == NULL)
		return;
	um_array_free(&d->own);
	free((char *)d->source.name);
	free(d->train);
	free(d->held);
	free(d->order);
	free(d->turned);
	free(d->rng);
	free(d);
}

/* ---- images ----------------------------------------------------------------------- */

static um_status fits(const um_dataset *d, int64_t first, int64_t count, const um_array *x)
{
	if (first < 0 || count < 0 || x->dtype != UM_F32 || x->dim[0] < count || um_array_rowlen(x) != d->n)
		return um_fail(UM_EARG, "%lld images from number %lld do not fit the array",
			(long long)count,
			(long long)first);
	return UM_OK;
}

/* Which training image is number k of the stream. */
static int64_t shuffled(um_dataset *d, int64_t k)
{
	const int64_t n = d->info.train, epoch = k / n;
	if (epoch != d->epoch) {
		memcpy(d->order, d->train, sizeof(*d->order) * (size_t)n);
		shuffle(um_rng_at(&d->key, EPOCH, (uint64_t)epoch), d->order, n);
		d->epoch = epoch;
	}
	return d->order[k % n];
}

/* x_out[r][c] = x[r'][c'] with rows, columns or both reversed, then transposed, as bits say. */
static void turn(um_dataset *d, float *x, unsigned bits)
{
	const int64_t rows = d->info.shape[3], columns = d->info.shape[4], plane = rows * columns;
	if (bits == 0)
		return;
	memcpy(d->turned, x, sizeof(float) * (size_t)d->n);
	for (int64_t p = 0; p < d->n; p += plane)
		for (int64_t r = 0; r < rows; r++)
			for (int64_t c = 0; c < columns; c++) {
				int64_t a = bits & 4 ? c : r, b = bits & 4 ? r : c;
				a = bits & 1 ? rows - 1 - a : a;
				b = bits & 2 ? columns - 1 - b : b;
				x[p + r * columns + c] = d->turned[p + a * columns + b];
			}
}

static void augment(um_dataset *d, float *x, int64_t k)
{
	if (d->source.augment == UM_AUGMENT_NONE)
		return;
	um_rng r = um_rng_at(&d->key, FLIPS, (uint64_t)k);
	turn(d, x, um_rng_bits(&r) >> 61 & (d->source.augment == UM_AUGMENT_DIHEDRAL ? 7 : 3));
}

static void add_noise(um_dataset *d, float *x, uint64_t stream, int64_t k)
{
	const double step = d->source.step;
	um_rng r = um_rng_at(&d->key, stream, (uint64_t)k);
	for (int64_t i = 0; step != 0 && i < d->n; i++)
		x[i] = (float)(x[i] + step * um_uniform(&r));
}

um_status um_dataset_batch(um_dataset *d, int64_t step, int64_t count, um_array *x)
{
	um_status st = fits(d, step, count, x);
	const int64_t first = step * count;
	um_array part = um_array_rows(x, 0, count);
	if (st == UM_OK && d->images.data == NULL)
		st = draw(d, DRAW, first, &part);
	for (int64_t i = 0; st == UM_OK && i < count; i++) {
		float *row = um_row_f(x, i);
		if (d->images.data != NULL)
			memcpy(row, um_row_f(&d->images, shuffled(d, first + i)),
				sizeof(float) * (size_t)d->n);
		augment(d, row, first + i);
		add_noise(d, row, NOISE_BATCH, first + i);
	}
	return st;
}

um_status um_dataset_rows(um_dataset *d, bool held, int64_t first, int64_t count, um_array *x)
{
	um_status st = fits(d, first, count, x);
	const int64_t most = held ? d->info.held : d->info.train;
	um_array part = um_array_rows(x, 0, count);
	if (st == UM_OK && first + count > most && (held || most > 0))
		return um_fail(UM_EARG, "images %lld .. %lld of %lld were asked for", (long long)first,
			(long long)(first + count), (long long)most);
	if (st == UM_OK && d->images.data == NULL)
		st = draw(d, held ? DRAW_HELD : DRAW, first, &part);
	for (int64_t i = 0; st == UM_OK && i < count; i++) {
		float *row = um_row_f(x, i);
		int64_t k = d->images.data == NULL ? first + i : held ? d->held[first + i] : d->train[first + i];
		if (d->images.data != NULL)
			memcpy(row, um_row_f(&d->images, k), sizeof(float) * (size_t)d->n);
		add_noise(d, row, NOISE_ROWS, d->images.data == NULL && held ? -1 - k : k);
	}
	return st;
}
