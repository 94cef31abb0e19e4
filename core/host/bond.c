/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which parts go together: what an inference needs of forward model and prior, and, where it has learned,
 * that they are those that it learned for. They are known by name and sizes, and by what they do to two
 * images: sums of f(x), and of the gradient of log p(x), with fixed signs. How a parameter was written does not
 * matter then, only what it means; the level of the noise is not in it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/problem.h"

enum { IMAGES = 2, SUMS = 8 };
static const double ALIKE = 1e-3; /* relative to the root mean square of the sums */

static const char *needs_refusal(uint32_t needs, const um_forward *f, const um_prior *priors, int npriors)
{
	bool closed = npriors == 1 && priors[0].info.components > 0;
	bool score = npriors == 1 && priors[0].ops.score != NULL;
	bool logp = npriors > 0, positive = false, estimate = false;
	for (int i = 0; i < npriors; i++) {
		estimate = estimate || priors[i].info.estimate;
		logp = logp && priors[i].ops.logp != NULL;
		positive = positive || priors[i].info.positive;
	}
	if ((needs & UM_NEEDS_LOGP) && !logp)
		return "the inference needs a log-density, which the prior does not have";
	if ((needs & UM_NEEDS_FUNCTION) && estimate)
		return "the inference needs a log-density that is a function of the image, and the prior's is an estimate by "
			"random numbers: score has an exact one with probes = 0, for few pixels; dpi can do with estimates";
	if ((needs & UM_NEEDS_SCORE) && !score)
		return "the inference needs a score, which the prior (or a product of priors) does not have";
	if ((needs & UM_NEEDS_CLOSED) && !closed)
		return "the inference needs a Gaussian or mixture prior in closed form";
	if ((needs & UM_NEEDS_LINEAR) && !f->info.linear)
		return "the inference needs a linear forward model";
	if ((needs & UM_NEEDS_IDENTITY) && f->env.transform != UM_IDENTITY)
		return "the inference needs transform = \"identity\"";
	if ((needs & UM_NEEDS_CALIBRATE) && (f->ops.calibrate == NULL || f->info.nop == 0))
		return "the inference calibrates the forward model, which has nothing to calibrate as it is set";
	if ((needs & UM_NEEDS_WHOLE) && !f->info.whole)
		return "the inference needs a forward model that sees the image itself, such as denoise";
	if ((needs & UM_NEEDS_DRAWS) && (npriors != 1 || priors[0].ops.sample == NULL))
		return "the inference as it is set begins with draws of the prior, which cannot be drawn from";
	if (positive && f->env.transform == UM_IDENTITY)
		return "the prior is for positive images: set transform = \"softplus\" in the group image";
	return NULL;
}

const char *um_cell_refusal(const um_inference *inference, const um_forward *f, const um_prior *priors, int npriors)
{
	const char *why = needs_refusal(inference->info.needs, f, priors, npriors);
	if (why != NULL || inference->ops.suits == NULL)
		return why;
	const um_problem_info about = problem_known(f, priors, npriors);
	um_phase(inference->plugin, "suits");
	const um_status st = inference->ops.suits(inference->self, &about);
	um_phase(NULL, NULL);
	return st != UM_OK ? um_message() : NULL;
}

/* ---- what was learned, and for what ------------------------------------------------------- */

/* Sums of rows of n numbers with signs of fixed streams, over the root of n. */
static void sums_of(const um_array *a, int64_t n, double *sums)
{
	for (int k = 0; k < IMAGES * SUMS; k++) {
		um_rng rng = um_rng_new(0, "signs", (uint64_t)k);
		sums[k] = 0;
		for (int64_t i = 0; i < n; i++) {
			const double v = a->dtype == UM_F64 ? um_row_d(a, k / SUMS)[i] : um_row_f(a, k / SUMS)[i];
			sums[k] += um_rademacher(&rng) * v / sqrt((double)n);
		}
	}
}

static um_status images(const um_env *env, double scale, um_array *x)
{
	um_rng rng = um_rng_new(0, "images", 0);
	um_status st = um_env_images(env, IMAGES, x);
	for (int64_t i = 0; st == UM_OK && i < um_array_len(x); i++)
		((float *)x->data)[i] = (float)(scale * (0.2 + um_uniform(&rng)));
	return st;
}

/* What the forward model does with the operator of a measurement. Where every measurement has an operator of its own that is
 * no setting, so that the sums are of one that was noted; without any, *varying is false. Unknown to
 * forward models that cannot simulate: *there is false. */
struct seen {
	double sums[IMAGES * SUMS];
	um_array op; /* [1][nop] that of the sums */
	bool there, varying;
};

static void seen_free(struct seen *s)
{
	um_array_free(&s->op);
}

/* Two measurements tell whether operators differ. */
static um_status forward_op(um_forward *f, const um_array *x, struct seen *s)
{
	um_status st = UM_OK;
	um_array op = { 0 }, y = { 0 }, sigma = { 0 };
	um_rng rng[IMAGES] = { um_rng_new(0, "measurement", 0), um_rng_new(0, "measurement", 1) };
	um_memory m = { 0 };
	um_sink sink = um_memory_sink(&m);
	const size_t bytes = sizeof(double) * (size_t)f->info.nop;
	UM_TRY(um_array_new(&op, UM_F64, 2, (const int64_t[]){ IMAGES, f->info.nop }));
	UM_TRY(um_array_new(&y, UM_F64, 2, (const int64_t[]){ IMAGES, f->info.ny }));
	UM_TRY(um_array_new(&sigma, UM_F64, 2, (const int64_t[]){ IMAGES, f->info.ny }));
	UM_TRY(um_forward_simulate(f, rng, x, &op, &y, &sigma, &sink));
	s->varying = memcmp(um_row_d(&op, 0), um_row_d(&op, 1), bytes) != 0;
	memcpy(s->op.data, op.data, bytes);
out:
	um_phase(NULL, NULL);
	um_memory_free(&m);
	um_array_free(&op);
	um_array_free(&y);
	um_array_free(&sigma);
	return st;
}

/* noted: the operator to take where they vary, or NULL. */
static um_status forward_sums(um_forward *f, const um_array *noted, struct seen *s)
{
	um_status st = UM_OK;
	um_array x = { 0 }, y = { 0 };
	*s = (struct seen){ .there = f->info.nop == 0 || um_forward_simulates(f) };
	if (!s->there)
		return UM_OK;
	UM_TRY(images(&f->env, f->env.scale, &x));
	UM_TRY(um_array_new(&y, UM_F64, 2, (const int64_t[]){ IMAGES, f->info.ny }));
	UM_TRY(um_array_new(&s->op, UM_F64, 2, (const int64_t[]){ 1, f->info.nop }));
	if (f->info.nop > 0)
		UM_TRY(forward_op(f, &x, s));
	if (noted != NULL && noted->dtype == UM_F64 && um_array_len(noted) == f->info.nop)
		UM_TRY(um_array_copy(&s->op, noted));
	um_array op = um_array_rows(&s->op, 0, 1);
	op.stride[0] = 0;
	um_phase(f->plugin, "apply");
	UM_TRY(um_in_phase(f->plugin, "apply", f->ops.apply(f->self, &op, &x, NULL, &y, NULL)));
	sums_of(&y, f->info.ny, s->sums);
out:
	um_phase(NULL, NULL);
	um_array_free(&x);
	um_array_free(&y);
	return st;
}

/* The gradient of log p(x), unless it is an estimate. */
static um_status prior_sums(um_prior *priors, int npriors, double sums[IMAGES * SUMS], bool *there)
{
	um_status st = UM_OK;
	um_array x = { 0 }, dx = { 0 };
	um_rng rng[IMAGES] = { um_rng_new(0, "draws", 0), um_rng_new(0, "draws", 1) };
	double lp[IMAGES], part[IMAGES * SUMS];
	memset(sums, 0, sizeof(part));
	*there = true;
	for (int i = 0; i < npriors; i++)
		*there = *there && !priors[i].info.estimate && priors[i].ops.logp != NULL;
	if (!*there)
		return UM_OK;
	UM_TRY(images(&priors[0].env, 1, &x));
	UM_TRY(images(&priors[0].env, 1, &dx));
	for (int i = 0; i < npriors; i++) {
		um_phase(priors[i].plugin, "logp");
		UM_TRY(um_in_phase(priors[i].plugin, "logp", priors[i].ops.logp(priors[i].self, rng, &x, lp, &dx)));
		sums_of(&dx, um_array_rowlen(&dx), part);
		for (int k = 0; k < IMAGES * SUMS; k++)
			sums[k] += part[k];
	}
out:
	um_phase(NULL, NULL);
	um_array_free(&x);
	um_array_free(&dx);
	return st;
}

/* "priors/tv+l1", to be freed. */
static char *names_of(const um_prior *priors, int npriors)
{
	char *text = um_strdup("priors/");
	for (int i = 0; i < npriors; i++) {
		char *longer = um_format("%s%s%s", text, i > 0 ? "+" : "", priors[i].plugin->name);
		free(text);
		text = longer;
	}
	return text;
}

/* Sizes and units, to be freed. */
static char *sizes_of(const um_forward *f)
{
	const int64_t *s = f->env.shape;
	return um_format("%lld numbers of measurement and %lld of operator, images of %lld x %lld pixels with %lld channels, scale "
		"%.9g, %s", (long long)f->info.ny, (long long)f->info.nop, (long long)s[4], (long long)s[3],
		(long long)(s[0] * s[1] * s[2]), f->env.scale, f->env.transform == UM_SOFTPLUS ? "softplus" : "identity");
}

static um_status note_sums(um_sink *sink, const char *name, double *sums, bool there)
{
	const int64_t n = IMAGES * SUMS;
	const um_array a = um_array_view(sums, UM_F64, 1, &n);
	return there ? um_sink_tensor(sink, name, &a) : UM_OK;
}

um_status um_bond_note(um_forward *f, um_prior *priors, int npriors, bool known, um_sink *sink)
{
	um_status st = UM_OK;
	struct seen seen = { .there = false };
	double sums[IMAGES * SUMS];
	bool there;
	char *forward = um_format("forward/%s", f->plugin->name), *prior = names_of(priors, npriors), *sizes = sizes_of(f);
	UM_TRY(um_sink_note(sink, "problem.forward", forward));
	UM_TRY(um_sink_note(sink, "problem.priors", prior));
	UM_TRY(um_sink_note(sink, "problem.sizes", sizes));
	UM_TRY(forward_sums(f, NULL, &seen));
	UM_TRY(note_sums(sink, "problem.forward", seen.sums, seen.there));
	if (seen.varying)
		UM_TRY(um_sink_tensor(sink, "problem.op", &seen.op));
	if (known) {
		UM_TRY(prior_sums(priors, npriors, sums, &there));
		UM_TRY(note_sums(sink, "problem.priors", sums, there));
	}
out:
	seen_free(&seen);
	free(forward);
	free(prior);
	free(sizes);
	return st;
}

static um_status same_text(const um_tensors *t, const char *key, const char *now)
{
	const char *was = um_tensors_meta(t, key);
	if (was == NULL)
		return um_fail(UM_EDATA, "no model of an inference: metadata has no %s", key);
	if (strcmp(was, now) != 0)
		return um_fail(UM_EDATA, "the model was trained for %s, and this is %s; train another", was, now);
	return UM_OK;
}

static um_status same_sums(const um_tensors *t, const char *name, const double *now, bool there, const char *who,
	const char *settings)
{
	const um_array *a = um_tensors_get(t, name);
	const char *was = um_tensors_meta(t, settings);
	double size = 0, gap = 0;
	if (a == NULL && !there)
		return UM_OK;
	if (a == NULL || !there || a->dtype != UM_F64 || um_array_len(a) != IMAGES * SUMS)
		return um_fail(UM_EDATA, "the model was trained for other settings of %s; train another", who);
	for (int k = 0; k < IMAGES * SUMS; k++) {
		const double v = ((const double *)a->data)[k];
		size += v * v;
		gap += (v - now[k]) * (v - now[k]);
	}
	if (sqrt(gap) <= ALIKE * sqrt(size))
		return UM_OK;
	return um_fail(UM_EDATA, "the model was trained for other settings of %s%s%s%s; train another", who,
		was != NULL ? " (" : "", was != NULL ? was : "", was != NULL ? ")" : "");
}

um_status um_bond_suits(um_forward *f, um_prior *priors, int npriors, bool known, const um_tensors *t)
{
	um_status st = UM_OK;
	const um_array *noted = um_tensors_get(t, "problem.op");
	struct seen seen = { .there = false };
	double sums[IMAGES * SUMS];
	bool there;
	char *forward = um_format("forward/%s", f->plugin->name), *prior = names_of(priors, npriors), *sizes = sizes_of(f);
	UM_TRY(same_text(t, "problem.forward", forward));
	UM_TRY(same_text(t, "problem.sizes", sizes));
	UM_TRY(same_text(t, "problem.priors", prior));
	UM_TRY(forward_sums(f, noted, &seen));
	UM_TRY(same_sums(t, "problem.forward", seen.sums, seen.there && (noted != NULL || !seen.varying), forward,
		"forward_settings"));
	if (known) {
		UM_TRY(prior_sums(priors, npriors, sums, &there));
		UM_TRY(same_sums(t, "problem.priors", sums, there, prior, "prior_settings"));
	}
out:
	seen_free(&seen);
	free(forward);
	free(prior);
	free(sizes);
	return st;
}
