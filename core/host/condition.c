/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers f of a measurement are standardised, each by its mean and standard deviation, then turned to their
 * principal directions and divided by the standard deviations there: c, white over training measurements. The
 * squared distance from these is |c|^2 plus that of what the directions leave out, over its variance, by the number of
 * both (Mahalanobis; 1 is usual). Convolutional couplings are given f itself, each plane standardised as a whole. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/linalg.h>
#include "host/condition.h"
#include "host/restore.h"

enum { PLANES_FEATURES = 256 };
/* What counts as zero: a number that never varied beside those that do. And by which factor sigma may leave the range that
 * training saw, without a word and at all. */
static const double STEADY = 1e-3, LEEWAY = 1.05, OTHER = 1.5;

const char *const um_condition_names[UM_CONDITION_ARRAYS] = { "condition.moments", "condition.basis",
	"condition.noise", "condition.rest", "condition.origin", "condition.modes", "condition.usual", "condition.seen" };

void um_condition_arrays(um_condition *c, um_array *arrays[UM_CONDITION_ARRAYS])
{
	um_array *const all[UM_CONDITION_ARRAYS] = { &c->moments, &c->basis, &c->noise, &c->rest, &c->origin,
		&c->wiener.v, &c->wiener.usual, &c->wiener.jv };
	memcpy(arrays, all, sizeof(all));
}

void um_condition_free(um_condition *c)
{
	um_array *const all[] = { &c->moments, &c->basis, &c->noise, &c->rest, &c->origin, &c->x, &c->jtv, &c->r, &c->f,
		&c->v, &c->white };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	free(c->b);
	free(c->variance);
	free(c->middle);
	um_wiener_free(&c->wiener);
	*c = (um_condition){ 0 };
}

static const char *const summaries[] = { "raw", "adjoint", "pseudoinverse", "wiener", "restored" };

static um_summary summary_named(const char *name)
{
	int i = UM_SUMMARY_RESTORED;
	while (i > 0 && strcmp(name, summaries[i]) != 0)
		i--;
	return (um_summary)i;
}

bool um_condition_guesses(const um_condition *c)
{
	return c->summary == UM_SUMMARY_WIENER || c->summary == UM_SUMMARY_RESTORED;
}

/* ---- sizes -------------------------------------------------------------------------- */

static int64_t planes_of(const um_condition *c)
{
	return (c->nsummary + (c->blind ? 0 : c->nop)) / c->plane + 1;
}

int64_t um_condition_width(const um_condition *c)
{
	return c->planes ? planes_of(c) * c->plane : c->nc;
}

/* How many a network may be told of: the summary, operator parameters, and the level of the noise or how much is there. */
static int64_t numbers_of(const um_condition *c)
{
	return (c->summary == UM_SUMMARY_RAW ? c->ny : c->n) + (c->blind ? 0 : c->nop) + 1;
}

/* Sizes from shape, summary, blind, planes, ny and nop. */
static um_status measure(um_condition *c)
{
	c->plane = c->shape[3] * c->shape[4];
	c->nsummary = c->summary == UM_SUMMARY_RAW ? c->ny : c->n;
	c->nf = numbers_of(c);
	if (c->planes && (c->nsummary % c->plane != 0 || (!c->blind && c->nop % c->plane != 0)))
		return um_fail(UM_EPARAM, "couplings_of: convolutional couplings are told images, and a condition of %lld numbers "
			"with %lld operator parameters is none; take summary = \"adjoint\", or couplings of vectors",
			(long long)c->nsummary, (long long)(c->blind ? 0 : c->nop));
	return UM_OK;
}

/* Everything, from these and nc; and so many modes of a Wiener filter. */
static um_status allocate(um_condition *c, int64_t modes)
{
	um_status st = UM_OK;
	const int64_t *s = c->shape, three = 3;
	UM_TRY(measure(c));
	UM_TRY(um_array_new(&c->moments, UM_F64, 2, (const int64_t[]){ 2, c->nf }));
	UM_TRY(um_array_new(&c->basis, UM_F32, 2, (const int64_t[]){ c->nc, c->nf }));
	UM_TRY(um_array_new(&c->noise, UM_F64, 2, (const int64_t[]){ 3, c->ny }));
	UM_TRY(um_array_new(&c->rest, UM_F64, 1, &three));
	UM_TRY(um_array_new(&c->origin, UM_F32, 6, (const int64_t[]){ 1, s[0], s[1], s[2], s[3], s[4] }));
	UM_TRY(um_wiener_new(&c->wiener, c->blind, c->n, c->ny, c->nop, modes));
	c->b = calloc((size_t)(c->nc * c->nf), sizeof(double));
	c->middle = calloc(2 * (size_t)(c->nf / c->plane + 2), sizeof(double));
	c->variance = calloc((size_t)c->nc, sizeof(double));
	if (c->b == NULL || c->middle == NULL || c->variance == NULL)
		st = um_fail(UM_ENOMEM, "no memory for a condition of %lld numbers", (long long)c->nf);
out:
	return st;
}

static um_condition described(const um_amortized *set, const um_problem_info *about)
{
	um_condition c = { .summary = summary_named(set->summary), .blind = set->blind, .planes = set->couplings_of[0] == 'i',
		.n = about->n, .ny = about->ny, .nop = about->nop };
	memcpy(c.shape, about->shape, sizeof(c.shape));
	return c;
}

um_status um_condition_suits(const um_amortized *set, const um_problem_info *about)
{
	um_condition c = described(set, about);
	if (c.summary == UM_SUMMARY_PSEUDO && !about->linear)
		return um_fail(UM_EPARAM, "summary: only linear forward models have a pseudo-inverse; take adjoint or raw");
	if (um_condition_guesses(&c) && !about->draws)
		return um_fail(UM_EPARAM, "summary: %s takes moments of draws, and the prior cannot be drawn from; take another", set->summary);
	if (c.summary == UM_SUMMARY_RESTORED && c.blind)
		return um_fail(UM_EPARAM, "summary: restored takes the operator and the noise, which are not known blind; take raw or wiener");
	if (c.summary == UM_SUMMARY_RESTORED && (!about->linear || about->transform != UM_IDENTITY))
		return um_fail(UM_EPARAM, "summary: restored needs a linear forward model and transform = \"identity\"; take raw, adjoint or wiener");
	if ((c.summary == UM_SUMMARY_ADJOINT || c.summary == UM_SUMMARY_PSEUDO) && c.blind && c.nop > 0)
		return um_fail(UM_EPARAM, "summary: blind, the operator that %s takes is not known; take raw or wiener", set->summary);
	return measure(&c);
}

um_status um_condition_new(const um_amortized *set, const um_problem *p, um_condition *c)
{
	const um_problem_info *about = um_problem_about(p);
	*c = described(set, about);
	c->nf = numbers_of(c);
	const int64_t half = um_condition_sample(c, about) / 2, wish = c->planes ? PLANES_FEATURES : set->features;
	c->nc = wish < c->nf ? wish : c->nf;
	c->nc = half < c->nc ? half : c->nc;
	if (c->nc < 1)
		return um_fail(UM_EDATA, "%lld measurements are too few to learn from", (long long)about->train);
	return allocate(c, !um_condition_guesses(c) ? 1 : c->n < set->features ? c->n : set->features);
}

/* ---- numbers of a measurement --------------------------------------------------------- */

static um_status room(um_condition *c, um_problem *p, int64_t rows)
{
	um_status st = UM_OK;
	if (rows <= c->rows)
		return UM_OK;
	um_array *const all[] = { &c->x, &c->jtv, &c->r, &c->f, &c->v, &c->white };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	c->rows = 0;
	UM_TRY(um_problem_images(p, rows, &c->x));
	UM_TRY(um_problem_images(p, rows, &c->jtv));
	UM_TRY(um_array_new(&c->r, UM_F64, 2, (const int64_t[]){ rows, c->ny }));
	UM_TRY(um_array_new(&c->f, UM_F64, 2, (const int64_t[]){ rows, c->nf }));
	UM_TRY(um_array_new(&c->v, UM_F64, 2, (const int64_t[]){ rows, c->nf }));
	UM_TRY(um_array_new(&c->white, UM_F64, 2, (const int64_t[]){ rows, c->nc }));
	c->rows = rows;
out:
	return st;
}

/* Images that derivatives are taken at, and W (y - f) or y in r. */
static um_status residuals(um_condition *c, um_problem *p, const um_array *x, um_array *r)
{
	um_status st = UM_OK;
	const double *y = um_problem_y(p), *sigma = um_row_d(&c->noise, 0);
	const bool at_origin = !um_problem_about(p)->linear;
	for (int64_t b = 0; b < x->dim[0]; b++)
		if (at_origin)
			memcpy(um_row_f(x, b), c->origin.data, sizeof(float) * (size_t)c->n);
		else
			memset(um_row_f(x, b), 0, sizeof(float) * (size_t)c->n);
	if (at_origin)
		UM_TRY(um_problem_apply(p, x, NULL, r, NULL));
	else
		memset(r->data, 0, sizeof(double) * (size_t)um_array_len(r));
	for (int64_t b = 0; b < x->dim[0]; b++)
		for (int64_t i = 0; i < c->ny; i++) {
			const double v = y[b * c->ny + i] - um_row_d(r, b)[i];
			um_row_d(r, b)[i] = c->summary == UM_SUMMARY_ADJOINT ? v / (sigma[i] * sigma[i]) : v;
		}
out:
	return st;
}

/* A^T W (y - f) or A^+ y of each row, as images. */
static um_status project(um_condition *c, um_problem *p, um_array *s)
{
	um_status st = UM_OK;
	um_array x = um_array_rows(&c->x, 0, s->dim[0]), r = um_array_rows(&c->r, 0, s->dim[0]), q = { 0 };
	UM_TRY(residuals(c, p, &x, &r));
	if (c->summary == UM_SUMMARY_PSEUDO) {
		UM_TRY(um_array_new(&q, UM_F64, 2, (const int64_t[]){ s->dim[0], c->ny }));
		UM_TRY(um_problem_solve(p, 0, 1, &r, &q));
	}
	UM_TRY(um_problem_pullback(p, &x, q.data != NULL ? &q : &r, s));
out:
	um_array_free(&q);
	return st;
}

/* The summary of each row, into f. */
static um_status summarise(um_condition *c, um_problem *p, int64_t rows)
{
	um_status st = UM_OK;
	um_array s = um_array_rows(&c->jtv, 0, rows);
	if (um_condition_guesses(c))
		UM_TRY(um_wiener_guess(&c->wiener, p, &c->origin, um_row_d(&c->noise, 0), &s));
	else if (c->summary != UM_SUMMARY_RAW)
		UM_TRY(project(c, p, &s));
	if (c->summary == UM_SUMMARY_RESTORED)
		UM_TRY(um_restore(p, um_wiener_sd(&c->wiener), &s));
	for (int64_t b = 0; b < rows; b++)
		for (int64_t i = 0; i < c->nsummary; i++)
			um_row_d(&c->f, b)[i] = c->summary == UM_SUMMARY_RAW ? um_problem_y(p)[b * c->ny + i] :
				(double)um_row_f(&s, b)[i];
out:
	return st;
}

/* The mean of log sigma; blind, the logarithm of the share of numbers that are there. */
static double level_of(const um_condition *c, const double *y, const double *sigma)
{
	double level = 0, there = 0;
	for (int64_t i = 0; i < c->ny; i++) {
		level += log(sigma[i]) / (double)c->ny;
		there += (y[i] != 0) / (double)c->ny;
	}
	return c->blind ? log(fmax(there, 0.5 / (double)c->ny)) : level;
}

um_status um_condition_numbers(um_condition *c, um_problem *p, int64_t rows)
{
	um_status st = UM_OK;
	const double *op = um_problem_op(p)->data, *y = um_problem_y(p), *sigma = um_problem_sigma(p);
	UM_TRY(room(c, p, rows));
	UM_TRY(summarise(c, p, rows));
	for (int64_t b = 0; b < rows; b++) {
		double *told = um_row_d(&c->f, b) + c->nsummary;
		if (!c->blind && c->nop > 0)
			memcpy(told, op + b * c->nop, sizeof(double) * (size_t)c->nop);
		um_row_d(&c->f, b)[c->nf - 1] = level_of(c, y + b * c->ny, sigma + b * c->ny);
	}
out:
	return st;
}

/* ---- after learning -------------------------------------------------------------------- */

/* Mean and standard deviation of whole planes, from those of their numbers. */
static void measure_planes(um_condition *c)
{
	const int64_t many = planes_of(c);
	const double *mean = um_row_d(&c->moments, 0), *sd = um_row_d(&c->moments, 1);
	for (int64_t k = 0; k < many; k++) {
		const bool level = k == many - 1;
		const int64_t count = level ? 1 : c->plane, from = level ? c->nf - 1 : k * c->plane;
		double m = 0, v = 0;
		for (int64_t i = from; i < from + count; i++)
			m += mean[i] / (double)count;
		for (int64_t i = from; i < from + count; i++)
			v += (sd[i] * sd[i] + (mean[i] - m) * (mean[i] - m)) / (double)count;
		c->middle[2 * k] = m;
		c->middle[2 * k + 1] = sqrt(v);
	}
}

void um_condition_changed(um_condition *c)
{
	const float *basis = c->basis.data;
	for (int64_t i = 0; i < c->nc * c->nf; i++)
		c->b[i] = basis[i];
	for (int64_t k = 0; k < c->nc; k++) {
		const double square = um_dot(c->nf, c->b + k * c->nf, c->b + k * c->nf);
		c->variance[k] = square > 0 ? 1 / square : 0;
	}
	if (c->planes)
		measure_planes(c);
}

/* ---- use -------------------------------------------------------------------------------- */

/* Planes of f, each standardised as a whole; the level of the noise as one more. */
static void put_planes(const um_condition *c, const double *f, float *to)
{
	const int64_t many = planes_of(c);
	for (int64_t k = 0; k < many; k++) {
		const bool level = k == many - 1;
		const double mean = c->middle[2 * k], sd = c->middle[2 * k + 1];
		for (int64_t i = 0; i < c->plane; i++) {
			const double v = level ? f[c->nf - 1] : f[k * c->plane + i];
			to[k * c->plane + i] = sd > 0 ? (float)((v - mean) / sd) : 0;
		}
	}
}

/* Rows of f, standardised, into v; and v in principal directions into white. */
static void whiten(um_condition *c, int64_t rows)
{
	const double *mean = um_row_d(&c->moments, 0), *sd = um_row_d(&c->moments, 1);
	for (int64_t b = 0; b < rows; b++)
		for (int64_t i = 0; i < c->nf; i++)
			um_row_d(&c->v, b)[i] = sd[i] > 0 ? (um_row_d(&c->f, b)[i] - mean[i]) / sd[i] : 0;
	um_gemm(false, true, rows, c->nc, c->nf, c->v.data, c->b, c->white.data);
}

/* Of row b; see the top. Numbers that never varied are as far as a small part of those that do says. */
static double distance_of(const um_condition *c, int64_t b)
{
	const double *mean = um_row_d(&c->moments, 0), *sd = um_row_d(&c->moments, 1), *rest = c->rest.data;
	const double *f = um_row_d(&c->f, b), *v = um_row_d(&c->v, b), *white = um_row_d(&c->white, b);
	double square = 0, left = um_dot(c->nf, v, v), odd = 0;
	for (int64_t k = 0; k < c->nc; k++) {
		square += white[k] * white[k];
		left -= c->variance[k] * white[k] * white[k];
	}
	for (int64_t i = 0; i < c->nf; i++)
		odd += sd[i] > 0 ? 0 : pow((f[i] - mean[i]) / (STEADY * rest[2]), 2);
	return sqrt((square + (rest[1] > 0 ? fmax(0, left) / rest[0] : 0) + odd) / ((double)c->nc + rest[1]));
}

um_status um_condition_put(um_condition *c, um_problem *p, int64_t rows, float *to, float *white, double *distance)
{
	um_status st = UM_OK;
	const int64_t width = um_condition_width(c);
	UM_TRY(um_condition_numbers(c, p, rows));
	if (!c->planes || white != NULL || distance != NULL)
		whiten(c, rows);
	for (int64_t b = 0; b < rows; b++) {
		if (c->planes)
			put_planes(c, um_row_d(&c->f, b), to + b * width);
		for (int64_t k = 0; !c->planes && k < width; k++)
			to[b * width + k] = (float)um_row_d(&c->white, b)[k];
		for (int64_t k = 0; white != NULL && k < c->nc; k++)
			white[b * c->nc + k] = (float)um_row_d(&c->white, b)[k];
		if (distance != NULL)
			distance[b] = distance_of(c, b);
	}
out:
	return st;
}

/* How many of sigma are beyond what training saw by more than a factor, and the first of them. */
static int64_t beyond(const um_condition *c, const double *sigma, double factor, int64_t *at)
{
	const double *lo = um_row_d(&c->noise, 1), *hi = um_row_d(&c->noise, 2);
	int64_t many = 0;
	for (int64_t i = 0; i < c->ny; i++)
		if (!(sigma[i] * factor >= lo[i] && sigma[i] <= factor * hi[i]) && many++ == 0)
			*at = i;
	return many;
}

um_status um_condition_noise(const um_condition *c, const double *sigma, double *outside)
{
	int64_t at = 0;
	const int64_t far = beyond(c, sigma, OTHER, &at);
	if (2 * far > c->ny)
		return um_fail(UM_EDATA, "the model was trained for other noise: sigma of %lld of %lld numbers is far from all that it saw, "
			"the first %.4g, trained for %.4g to %.4g; train another, over a range of noise", (long long)far,
			(long long)c->ny, sigma[at], um_row_d(&c->noise, 1)[at], um_row_d(&c->noise, 2)[at]);
	*outside = (double)beyond(c, sigma, LEEWAY, &at) / (double)c->ny;
	return UM_OK;
}

/* ---- weight files ------------------------------------------------------------------------- */

um_status um_condition_save(const um_condition *c, um_sink *sink)
{
	um_status st = UM_OK;
	const um_array *const all[UM_CONDITION_ARRAYS] = { &c->moments, &c->basis, &c->noise, &c->rest, &c->origin, &c->wiener.v,
		&c->wiener.usual, &c->wiener.jv };
	for (int i = 0; i < UM_CONDITION_ARRAYS; i++)
		UM_TRY(um_sink_tensor(sink, um_condition_names[i], all[i]));
	UM_TRY(um_sink_note(sink, "condition.summary", summaries[c->summary]));
	if (c->summary == UM_SUMMARY_RESTORED)
		UM_TRY(um_sink_note(sink, "condition.restored", UM_RESTORE));
	UM_TRY(um_sink_note(sink, "condition.blind", c->blind ? "true" : "false"));
	UM_TRY(um_sink_note(sink, "condition.planes", c->planes ? "true" : "false"));
out:
	return st;
}

static um_status word(const um_tensors *t, const char *key, const char **value)
{
	*value = um_tensors_meta(t, key);
	return *value != NULL ? UM_OK : um_fail(UM_EDATA, "no weights of an amortized law: metadata has no %s", key);
}

/* A table of the file: rows x columns numbers, which are in it. */
static bool is_table(const um_array *a, int64_t rows, int64_t columns)
{
	return a->dim[0] == rows && a->dim[1] == columns;
}

um_status um_condition_read(const um_tensors *t, const int64_t shape[5], um_condition *c)
{
	um_status st = UM_OK;
	const char *summary, *blind, *planes, *restored = UM_RESTORE;
	const um_array *moments = um_tensors_get(t, um_condition_names[0]), *basis = um_tensors_get(t, um_condition_names[1]);
	const um_array *noise = um_tensors_get(t, um_condition_names[2]), *modes = um_tensors_get(t, um_condition_names[5]);
	const um_array *usual = um_tensors_get(t, um_condition_names[6]), *seen = um_tensors_get(t, um_condition_names[7]);
	um_array *mine[UM_CONDITION_ARRAYS];
	*c = (um_condition){ 0 };
	UM_TRY(word(t, "condition.summary", &summary));
	UM_TRY(word(t, "condition.blind", &blind));
	UM_TRY(word(t, "condition.planes", &planes));
	if (summary_named(summary) == UM_SUMMARY_RESTORED)
		UM_TRY(word(t, "condition.restored", &restored));
	if (strcmp(restored, UM_RESTORE) != 0)
		UM_TRY(um_fail(UM_EDATA, "the model learned from measurements that were restored otherwise (%s) than now (%s); train another",
			restored, UM_RESTORE));
	if (moments == NULL || basis == NULL || noise == NULL || modes == NULL || usual == NULL || seen == NULL ||
		moments->rank != 2 || basis->rank != 2 || noise->rank != 2 || modes->rank != 2 || seen->rank != 2)
		UM_TRY(um_fail(UM_EDATA, "no weights of an amortized law: tensors of its condition are missing"));
	c->summary = summary_named(summary);
	c->blind = blind[0] == 't';
	c->planes = planes[0] == 't';
	memcpy(c->shape, shape, sizeof(c->shape));
	c->n = shape[0] * shape[1] * shape[2] * shape[3] * shape[4];
	c->ny = noise->dim[1];
	c->nc = basis->dim[0];
	c->nop = um_array_len(usual) - c->ny - modes->dim[0];
	c->nf = numbers_of(c);
	if (moments->dim[1] != c->nf)
		UM_TRY(um_fail(UM_EDATA, "the model is of images of another size than %lld x %lld pixels here; train another",
			(long long)shape[4], (long long)shape[3]));
	const bool fixed = um_wiener_fixed(c->blind, c->nop, modes->dim[0]);
	if (c->nop < 0 || !is_table(moments, 2, c->nf) || !is_table(basis, c->nc, c->nf) || !is_table(noise, 3, c->ny) ||
		!is_table(modes, modes->dim[0], c->n) || !is_table(seen, fixed ? modes->dim[0] : 1, fixed ? c->ny : 1))
		UM_TRY(um_fail(UM_EDATA, "no weights of an amortized law: tensors of its condition do not belong together"));
	UM_TRY(allocate(c, modes->dim[0]));
	um_condition_arrays(c, mine);
	for (int i = 0; i < UM_CONDITION_ARRAYS; i++) {
		const um_array *a = um_tensors_get(t, um_condition_names[i]);
		if (a == NULL || um_array_len(a) != um_array_len(mine[i]) || a->dtype == UM_I64)
			UM_TRY(um_fail(UM_EDATA, "no tensor '%s' of %lld numbers", um_condition_names[i], (long long)um_array_len(mine[i])));
		UM_TRY(um_array_copy(mine[i], a));
	}
	um_condition_changed(c);
out:
	return st;
}
