/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One step: measurements y_m, of each so many draws u = c + d G(z; y_m). The gradient of the loss is
 * E[(f'(u) + w grad log q(u | y)) du/dtheta], f = -log p(y | u) - log p(u): the gradient of log q comes from the inverse
 * of the flow at held weights, has mean zero over dtheta and takes the noise away where q is the posterior (Roeder et al.
 * 2017, arXiv:1703.09194). Draws of one measurement may also pull log q up by their importance weights, which moves
 * mass between modes (as in law_realnvp.c). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/optimum.h>
#include <umbra/training.h>
#include "base/clock.h"
#include "base/mem.h"
#include "host/amortizer.h"
#include "host/law.h"

enum { HELD = 256, JUDGED = 512, ENOUGH = 100 }; /* measurements that looks see, and that limits of the alarm are of */
enum { OUT, LOGDET }; /* what is seen of the program */
enum { OWN = 3 };     /* arrays of the law in a checkpoint, beside those of the condition */

typedef struct lesson {
	um_amortizer *a;
	um_problem *p;
	const um_problem_info *about;
	um_sink *sink;
	um_training training;
	int64_t rows;          /* measurements times draws, at least those of a program of draws */
	um_array u, dl, dp;    /* [rows][image] */
	double *ll, *lp, *lq, *share, *z; /* [rows]; z [rows][n] */
	float *c, *w;          /* [rows][width], [rows][nc] */
	um_rng *rng;           /* [rows] */
	bool one;              /* only the measurement of the problem; c and w are of it from the start */
	double held;           /* of the last look */
} lesson;

/* ---- what the network is told ------------------------------------------------------------- */

/* Measurements: of a step, or else the first of those of training or held out. */
typedef struct those {
	bool batch, held;
	int64_t first, count;
} those;

static um_status take(lesson *t, those m, int64_t repeat)
{
	return m.batch ? um_problem_batch(t->p, m.first, m.count, repeat) : um_problem_rows(t->p, m.held, m.first, m.count, repeat);
}

/* Row b / repeat of what are rows of so many bytes, to row b. */
static void spread(void *rows, int64_t count, int64_t repeat, size_t bytes)
{
	for (int64_t b = count * repeat - 1; b > 0; b--)
		memmove((char *)rows + (size_t)b * bytes, (char *)rows + (size_t)(b / repeat) * bytes, bytes);
}

/* Takes measurements, each so many times, and what is told of them to c and w; their distances where wanted. */
static um_status tell(lesson *t, those m, int64_t repeat, double *distance)
{
	um_status st = UM_OK;
	UM_TRY(take(t, m, 1));
	UM_TRY(um_condition_put(&t->a->cond, t->p, m.count, t->c, t->w, distance));
	if (repeat == 1)
		return UM_OK;
	UM_TRY(take(t, m, repeat));
	spread(t->c, m.count, repeat, sizeof(*t->c) * (size_t)um_condition_width(&t->a->cond));
	spread(t->w, m.count, repeat, sizeof(*t->w) * (size_t)t->a->cond.nc);
	if (distance != NULL)
		spread(distance, m.count, repeat, sizeof(*distance));
out:
	return st;
}

/* ---- the loss ---------------------------------------------------------------------------- */

static um_node *loss(void *self, um_graph *g)
{
	lesson *t = self;
	const um_amortizer *a = t->a;
	const int64_t none = 0;
	um_node *z = um_nn_input(g, "z", 1, &a->n, true), *c = um_amortizer_condition(a, g), *all = NULL, *score = NULL;
	um_node *v = um_nn_late_input(g, "v", 1, &a->n, true), *e = um_nn_late_input(g, "e", 0, &none, false);
	const um_flow_nodes flow = um_flow_sample(g, &a->spec, "flow", false, z, c);
	um_node *at = um_nn_detach(flow.out);
	const um_flow_nodes inverse = um_flow_invert(g, &a->spec, "flow", false, at, c);
	um_node *logq = um_nn_add(um_nn_scale(um_nn_sum(um_nn_square(inverse.out), UM_NN_ALL), -0.5), inverse.logdet);
	if (um_grad(1, &logq, &all, 1, &at, &score) != UM_OK)
		return NULL;
	um_node *pull = um_nn_detach(um_nn_add(v, um_nn_mul(score, e)));
	um_node *value = um_nn_sum(um_nn_mul(flow.out, pull), UM_NN_ALL);
	if (a->set.balance > 0)
		value = um_nn_sub(value, um_nn_mul(logq, um_nn_late_input(g, "share", 0, &none, true)));
	t->training.nseen = 2;
	t->training.seen[OUT] = flow.out;
	t->training.seen[LOGDET] = flow.logdet;
	return value;
}

/* The entropy counts more in the first half of the steps, so that modes are found while the law is wide. */
static double entropy_weight(const lesson *t, int64_t step)
{
	return pow(t->a->set.temper, fmax(0, 1 - 2 * (double)step / (double)t->a->set.steps));
}

static void streams(lesson *t, uint64_t purpose, int64_t first, int64_t rows)
{
	for (int64_t b = 0; b < rows; b++)
		t->rng[b] = um_problem_rng(t->p, purpose, (uint64_t)(first + b));
}

static void white(lesson *t, uint64_t purpose, int64_t first, int64_t rows)
{
	streams(t, purpose, first, rows);
	for (int64_t b = 0; b < rows; b++)
		um_normal_fill(&t->rng[b], t->z + b * t->a->n, t->a->n);
}

/* ll and lp of rows of u, with gradients where asked; log |dx/du| has the weight volume. */
static um_status evaluate(lesson *t, uint64_t purpose, int64_t first, int64_t rows, bool gradient, double volume)
{
	um_status st = UM_OK;
	um_array u = um_array_rows(&t->u, 0, rows), dl = um_array_rows(&t->dl, 0, rows), dp = um_array_rows(&t->dp, 0, rows);
	streams(t, purpose, first, rows);
	UM_TRY(um_problem_loglike(t->p, &u, t->ll, gradient ? &dl : NULL));
	UM_TRY(um_problem_logp(t->p, t->rng, &u, t->lp, gradient ? &dp : NULL));
	um_optimum_volume(t->p, volume - 1, &u, t->lp, gradient ? &dp : NULL);
out:
	return st;
}

/* Importance weights of the draws of each measurement, truncated (Ionides 2008) and less their mean. */
static void shares(lesson *t, double e, float *out)
{
	const int64_t draws = t->a->set.draws, measurements = t->a->set.batch;
	for (int64_t m = 0; m < measurements; m++) {
		double *c = t->share + m * draws, top = -INFINITY, sum = 0;
		for (int64_t k = 0, b = m * draws; k < draws; k++, b++) {
			c[k] = (t->ll[b] + t->lp[b]) / e - t->lq[b];
			top = fmax(top, c[k]);
		}
		for (int64_t k = 0; k < draws; k++)
			sum += c[k] = exp(c[k] - top);
		for (int64_t k = 0; k < draws; k++)
			out[m * draws + k] = (float)(t->a->set.balance * e * (fmin(c[k] / sum, 1 / sqrt((double)draws)) -
				1 / (double)draws) / (double)measurements);
	}
}

static um_status learn(void *self, int64_t step, double *value)
{
	um_status st = UM_OK;
	lesson *t = self;
	um_amortizer *a = t->a;
	const int64_t rows = t->training.batch, n = a->n;
	um_program *run = t->training.program;
	float *z = um_program_input(run, "z").data, *dl = t->dl.data;
	const float *dp = t->dp.data;
	const double e = entropy_weight(t, step);
	if (!t->one)
		UM_TRY(tell(t, (those){ .batch = true, .first = step, .count = a->set.batch }, a->set.draws, NULL));
	memcpy(um_program_input(run, "c").data, t->c, sizeof(float) * (size_t)(rows * um_condition_width(&a->cond)));
	white(t, UM_AMORTIZED_NOISE, step * rows, rows);
	for (int64_t i = 0; i < rows * n; i++)
		z[i] = (float)t->z[i];
	UM_TRY(um_program_run_early(run, 0));
	um_amortizer_place(a, rows, t->z, um_training_seen(&t->training, OUT).data, um_training_seen(&t->training, LOGDET).data,
		t->w, &t->u, t->lq);
	UM_TRY(evaluate(t, UM_AMORTIZED_PRIOR, step * rows, rows, true, e));
	for (int64_t i = 0; i < rows * n; i++)
		dl[i] = (float)(-((double)dl[i] + dp[i]) / (double)rows);
	um_amortizer_pull(a, rows, dl, um_program_input(run, "v").data);
	*(float *)um_program_input(run, "e").data = (float)(e / (double)rows);
	if (a->set.balance > 0)
		shares(t, e, um_program_input(run, "share").data);
	UM_TRY(um_program_run(run, 0));
	*value = 0;
	for (int64_t b = 0; b < rows; b++)
		*value += (e * t->lq[b] - t->ll[b] - t->lp[b]) / (double)rows;
out:
	return st;
}

/* ---- looks ---------------------------------------------------------------------------------- */

/* Of the measurements held out, or of those of training, at most so many. */
static int64_t judges(const lesson *t, bool held, int64_t most)
{
	const int64_t all = held ? t->about->held : t->about->train > 0 ? t->about->train : most;
	return all < most ? all : most;
}

static um_status draws_of(lesson *t, bool held, uint64_t purpose, int64_t first, int64_t count, int64_t repeat,
	double *distance)
{
	um_status st = UM_OK;
	um_array u = um_array_rows(&t->u, 0, count * repeat);
	if (!t->one)
		UM_TRY(tell(t, (those){ .held = held, .first = first, .count = count }, repeat, distance));
	white(t, purpose, first * repeat, count * repeat);
	UM_TRY(um_amortizer_draw(t->a, count * repeat, t->z, t->c, t->w, &u, t->lq));
out:
	return st;
}

static um_status look(void *self, int64_t step, double seen, bool *end)
{
	static const char *const names[] = { "loss", "held_out_loss" }, *const own[] = { "tune_loss", "tune_elbo" };
	um_status st = UM_OK;
	lesson *t = self;
	const bool held = t->about->held > 0;
	const int64_t all = judges(t, held, HELD);
	(void)end;
	t->held = 0;
	for (int64_t first = 0, count; first < all; first += count) {
		count = all - first < UM_AMORTIZER_ROWS ? all - first : UM_AMORTIZER_ROWS;
		UM_TRY(draws_of(t, held, UM_AMORTIZED_HELD, first, count, 1, NULL));
		UM_TRY(evaluate(t, UM_AMORTIZED_HELD_PRIOR, first, count, false, 1));
		for (int64_t b = 0; b < count; b++)
			t->held += (t->lq[b] - t->ll[b] - t->lp[b]) / (double)all;
	}
	if (!isfinite(t->held))
		UM_TRY(um_fail(UM_ENUM, "the law diverged at step %lld; a smaller rate or a clip may help", (long long)step));
	UM_TRY(um_sink_trace(t->sink, step, 2, t->one ? own : names, (const double[]){ isnan(seen) ? t->held : seen,
		t->one ? -t->held : t->held }));
out:
	return st;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Of n numbers in ascending order. */
static double quantile(int64_t n, const double *v, double at)
{
	const double k = at * (double)(n - 1);
	const int64_t i = (int64_t)k;
	return i + 1 < n ? v[i] + (k - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

/* Limits of the alarm, from distances and predictive chi-squares of measurements that were held out, or where these are
 * too few for a quantile, of those of training. */
static um_status alarms(lesson *t)
{
	um_status st = UM_OK;
	const bool held = t->about->held >= ENOUGH || (t->about->held > 0 && t->about->train == 0);
	const int64_t all = judges(t, held, JUDGED), at_once = UM_AMORTIZER_ROWS / UM_PREDICTIVE;
	double *limit = t->a->alarm.data, *distance = um_new(sizeof(double) * 2 * (size_t)all), *chi2 = distance + all;
	double d[UM_AMORTIZER_ROWS], x[UM_AMORTIZER_ROWS];
	for (int64_t first = 0, count; first < all; first += count) {
		count = all - first < at_once ? all - first : at_once;
		um_array u = um_array_rows(&t->u, 0, count * UM_PREDICTIVE);
		UM_TRY(draws_of(t, held, UM_AMORTIZED_ALARM, first, count, UM_PREDICTIVE, d));
		UM_TRY(um_amortizer_chi2(t->p, &u, x));
		for (int64_t b = 0; b < count * UM_PREDICTIVE; b++) {
			distance[first + b / UM_PREDICTIVE] = d[b];
			chi2[first + b / UM_PREDICTIVE] += x[b] / UM_PREDICTIVE;
		}
	}
	qsort(distance, (size_t)all, sizeof(double), ascending);
	qsort(chi2, (size_t)all, sizeof(double), ascending);
	limit[UM_ALARM_DISTANCE] = quantile(all, distance, 0.99);
	limit[UM_ALARM_CHI2_LO] = quantile(all, chi2, 0.005);
	limit[UM_ALARM_CHI2_HI] = quantile(all, chi2, 0.995);
out:
	free(distance);
	return st;
}

/* ---- the fit ---------------------------------------------------------------------------------- */

static um_status lesson_new(lesson *t)
{
	um_status st = UM_OK;
	um_amortizer *a = t->a;
	const um_amortized *set = &a->set;
	const int64_t batch = set->batch * set->draws;
	um_array *const images[] = { &t->u, &t->dl, &t->dp };
	if (a->w == NULL) {
		const um_rng rng = um_problem_rng(t->p, UM_AMORTIZED_WEIGHTS, 0);
		UM_TRY(um_condition_new(set, t->p, &a->cond));
		um_amortizer_choose(a, t->about);
		UM_TRY(um_amortizer_coordinates(a));
		const int64_t told = set->embedding > 0 ? set->embedding : um_condition_width(&a->cond), wide = (a->n + told) / 4;
		if (a->spec.hidden == 0 && !a->spec.convolutional)
			a->spec.hidden = wide < 64 ? 64 : wide > 1024 ? 1024 : wide;
		UM_TRY(um_flow_check(&a->spec));
		UM_TRY(um_amortizer_weights(a, &rng, NULL));
		UM_TRY(um_amortizer_ready(a));
	}
	t->rows = batch < UM_AMORTIZER_ROWS ? UM_AMORTIZER_ROWS : batch;
	for (int i = 0; i < 3; i++)
		UM_TRY(um_problem_images(t->p, t->rows, images[i]));
	t->ll = um_new(sizeof(double) * 4 * (size_t)t->rows);
	t->lp = t->ll + t->rows;
	t->lq = t->lp + t->rows;
	t->share = t->lq + t->rows;
	t->rng = um_new(sizeof(*t->rng) * (size_t)t->rows);
	t->z = calloc((size_t)(t->rows * a->n), sizeof(*t->z));
	t->c = calloc((size_t)(t->rows * um_condition_width(&a->cond)), sizeof(*t->c));
	t->w = calloc((size_t)(t->rows * a->cond.nc), sizeof(*t->w));
	if (t->z == NULL || t->c == NULL || t->w == NULL)
		st = um_fail(UM_ENOMEM, "no memory for %lld draws", (long long)t->rows);
out:
	return st;
}

static void lesson_free(lesson *t)
{
	um_training_free(&t->training);
	um_array_free(&t->u);
	um_array_free(&t->dl);
	um_array_free(&t->dp);
	free(t->ll);
	free(t->rng);
	free(t->z);
	free(t->c);
	free(t->w);
}

um_status um_amortized_fit(um_amortizer *a, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	const um_amortized *set = &a->set;
	const char *names[OWN + UM_CONDITION_ARRAYS] = { "affine", "slope", "axes" };
	um_array *more[OWN + UM_CONDITION_ARRAYS] = { &a->affine, &a->slope, &a->axes };
	lesson t = { .a = a, .p = problem, .about = um_problem_about(problem), .sink = sink };
	const bool model = a->w != NULL; /* goes on from its weights */
	const double begun = um_clock();
	bool found;
	if (model)
		UM_TRY(um_problem_suits(problem, &a->file));
	UM_TRY(lesson_new(&t));
	um_condition_arrays(&a->cond, more + OWN);
	memcpy(names + OWN, um_condition_names, sizeof(um_condition_names));
	t.training = (um_training){ .self = &t, .sink = sink, .average = a->w, .batch = set->batch * set->draws,
		.steps = set->steps, .check = set->check, .warmup = set->warmup, .rate = set->rate, .decay = set->decay,
		.clip = set->clip, .averaging = set->average, .seconds = t.about->seconds, .loss = loss, .learn = learn,
		.look = look, .more = OWN + UM_CONDITION_ARRAYS, .more_names = names, .more_arrays = more,
		.how = { UM_PER_BATCH, UM_FLOAT32, a->threads, NULL } };
	UM_TRY(um_training_begin(&t.training, &found));
	if (!found && !model)
		UM_TRY(um_amortizer_start(a, problem, sink));
	um_condition_changed(&a->cond);
	um_amortizer_changed(a);
	if (t.about->seconds > 0) /* what the start took is in the budget */
		t.training.seconds = fmax(1e-9, t.about->seconds - (um_clock() - begun));
	UM_TRY(um_training_run(&t.training));
	UM_TRY(alarms(&t));
	UM_TRY(um_sink_metric(sink, t.about->held > 0 ? "held_out_loss" : "loss", t.held));
	UM_TRY(um_amortizer_save(a, sink));
	UM_TRY(um_problem_note(problem, sink));
out:
	lesson_free(&t);
	return st;
}

/* ---- one measurement ------------------------------------------------------------------------------ */

/* The condition of the measurement, in every row. */
static um_status repeat_condition(lesson *t)
{
	um_status st = UM_OK;
	um_amortizer *a = t->a;
	const int64_t width = um_condition_width(&a->cond), nc = a->cond.nc;
	UM_TRY(um_condition_put(&a->cond, t->p, 1, t->c, t->w, NULL));
	for (int64_t b = 1; b < t->rows; b++) {
		memcpy(t->c + b * width, t->c, sizeof(float) * (size_t)width);
		memcpy(t->w + b * nc, t->w, sizeof(float) * (size_t)nc);
	}
out:
	return st;
}

um_status um_amortizer_tune(um_amortizer *a, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	const um_amortized set = a->set;
	const int64_t batch = set.batch * set.draws;
	lesson t = { .a = a, .p = problem, .about = um_problem_about(problem), .sink = sink, .one = true };
	bool found;
	a->set.batch = 1;
	a->set.draws = batch;
	a->set.steps = set.tune;
	UM_TRY(lesson_new(&t));
	UM_TRY(repeat_condition(&t));
	t.training = (um_training){ .self = &t, .sink = sink, .average = a->w, .batch = batch, .steps = set.tune, .check = set.check,
		.warmup = set.warmup < set.tune / 10 ? set.warmup : set.tune / 10, .rate = set.rate, .decay = set.decay,
		.clip = set.clip, .averaging = set.average, .loss = loss, .learn = learn, .look = look,
		.how = { UM_PER_BATCH, UM_FLOAT32, a->threads, NULL } };
	UM_TRY(um_training_begin(&t.training, &found));
	UM_TRY(um_training_run(&t.training));
out:
	a->set = set;
	lesson_free(&t);
	return st;
}
