/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reference draws by Hamiltonian Monte Carlo: several chains of the No-U-Turn sampler (umbra/nuts.h), and
 * figures that say whether they found the posterior (umbra/chains.h). Chains cannot cross from mode to
 * mode, but those of a flattened law can: with a ladder of temperatures T (umbra/ladder.h), each chain has companions for
 *   p(y | u)^(1/T) p(u)^(1/T)  or  p(y | u)^(1/T) p(u),
 * with which it swaps places. A prior whose log p is an estimate has no trajectories; refused, or frozen. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/chains.h>
#include <umbra/ladder.h>
#include <umbra/nuts.h>
#include <umbra/optimum.h>
#include <umbra/plugin.h>

enum { BEGIN, FIND, MOVE, SWAP, PRIOR }; /* streams */
enum { DRAWS = 1000, DENSE = 1000 };

struct hmc {
	int64_t chains, warmup, draws;
	double accept;
	int64_t depth;
	const char *mass;
	um_reals ladder;
	const char *temper, *start;
	double level, size, spread;
	const char *estimate;
	int64_t trace;
};

#define P(field, def, min, max, doc) UM_PARAM(struct hmc, field, def, min, max, "", doc)

static const um_param params[] = {
	P(chains, "8", 1, 4096, "Chains, from different starts; they move as one batch."),
	P(warmup, "500", 0, 1000000000, "Transitions that learn step sizes and scales; their draws are not kept."),
	P(draws, "0", 0, 1000000000, "Draws of each chain after that, all of which are judged; the samples asked for are "
		"spread evenly over them. 0: 1000, or as many as the samples need."),
	P(accept, "0.8", 0.05, 0.999, "Acceptance that the step size is adapted to; closer to 1 makes small steps."),
	P(depth, "10", 1, 20, "A trajectory has at most 2^depth - 1 steps."),
	UM_CHOICE(struct hmc, mass, "diagonal", "diagonal|dense", "Mass matrix: a scale for each number, or their "
		"covariance (at most 1000 numbers), for posteriors that are narrow along sums or differences of numbers."),
	P(ladder, "[1.0]", 1, 1e12, "Temperatures, ascending from 1, each with chains of its own; several let chains cross from "
		"mode to mode. At the highest the modes should flow together, and neighbours should swap often."),
	UM_CHOICE(struct hmc, temper, "posterior", "posterior|likelihood",
		"What temperatures flatten; likelihood, where the prior alone has one mode."),
	UM_CHOICE(struct hmc, start, "auto", "auto|draws|flat|blob", "Where chains start: at draws of the prior, or about a "
		"constant image or a Gaussian in the centre. auto: draws where the prior has them, else flat."),
	P(level, "0", 0, 1e30, "Mean of the flat or blob image in units of x; 0 tries powers of ten and takes the best."),
	P(size, "0.3", 1e-3, 10, "Full width at half maximum of the blob as a fraction of the longer side."),
	P(spread, "1", 0, 1e9, "Standard deviation of starts about that image, in u."),
	UM_CHOICE(struct hmc, estimate, "refuse", "refuse|freeze", "A prior whose log p is an estimate by random numbers: "
		"refuse it, or take the same random numbers always and sample the posterior with what that makes of the prior."),
	P(trace, "0", 0, 1000000000, "Transitions between rows of the trace; 0: as many as give 100 rows."),
};

/* Counters; with sums and the state of the chains they are all that a run is between transitions. */
enum { DONE, STALE, LEAPS, DEEP, DIVERGED, COUNTS };

typedef struct {
	const struct hmc *set;
	um_problem *problem;
	const um_problem_info *about;
	um_sink *sink;
	um_nuts nuts;
	um_ladder ladder;
	int64_t n, chains, rungs, rows, draws, every; /* transitions a row of the trace */
	um_array u, dl, dp;  /* float images of a batch, gradients of likelihood and prior */
	double *ll, *lp;
	um_rng *rng;
	um_array kept;       /* [chains][draws][n] float, draws at T = 1 */
	um_array density;    /* [chains][draws] their log p(y | u) + log p(u) */
	um_array count, sum; /* [COUNTS]; [1] of acceptances */
	bool begun, stop;
} work;

static int64_t *count(work *w, int which)
{
	return (int64_t *)w->count.data + which;
}

static bool likelihood_only(const work *w)
{
	return strcmp(w->set->temper, "likelihood") == 0;
}

/* ---- checkpoints --------------------------------------------------------------------------- */

enum { OWN = 4, SAVED = UM_NUTS_ARRAYS + UM_LADDER_ARRAYS + OWN };

static int saved(work *w, const char *name[], um_array *array[])
{
	static const char *const names[] = { "kept", "density", "counts", "sums" };
	um_array *const arrays[] = { &w->kept, &w->density, &w->count, &w->sum };
	int n = um_nuts_state(&w->nuts, name, array);
	n += um_ladder_state(&w->ladder, name + n, array + n);
	for (int i = 0; i < OWN; i++, n++) {
		name[n] = names[i];
		array[n] = arrays[i];
	}
	return n;
}

/* Called with every batch of points. The state is that between transitions, where a resumed run goes on. */
static um_status tell(work *w)
{
	um_status st = UM_OK;
	const char *name[SAVED];
	um_array *array[SAVED];
	const um_array *lent[SAVED];
	const int n = saved(w, name, array);
	const double loss = w->begun ? -*um_row_d(&w->nuts.lp, 0) : NAN;
	const um_answer answer = um_sink_progress(w->sink, *count(w, DONE), w->set->warmup + w->draws, loss);
	for (int i = 0; i < n; i++)
		lent[i] = array[i];
	if (answer != UM_GO && w->begun)
		UM_TRY(um_sink_checkpoint(w->sink, n, name, lent));
	w->stop = answer == UM_STOP;
	st = w->stop ? um_fail(UM_EINTR, "hmc: stopped") : UM_OK;
out:
	return st;
}

/* ---- densities ------------------------------------------------------------------------------ */

/* Likelihoods and priors of many points of the batch from first on. */
static um_status evaluate(work *w, int64_t first, int64_t many)
{
	um_status st = UM_OK;
	um_array u = um_array_rows(&w->u, first, many), dl = um_array_rows(&w->dl, first, many);
	um_array dp = um_array_rows(&w->dp, first, many);
	for (int64_t k = first; k < first + many; k++)
		w->rng[k] = um_problem_rng(w->problem, PRIOR, 0);
	UM_TRY(um_problem_loglike(w->problem, &u, w->ll + first, &dl));
	UM_TRY(um_problem_logp(w->problem, w->rng + first, &u, w->lp + first, &dp));
out:
	return st;
}

/* Where the numbers of some point fail, that point is outside the domain. */
static um_status evaluate_each(work *w, int64_t many)
{
	um_status st = evaluate(w, 0, many);
	if (st != UM_ENUM)
		return st;
	for (int64_t k = 0; k < many; k++) {
		st = evaluate(w, k, 1);
		if (st != UM_OK && st != UM_ENUM)
			return st;
		if (st == UM_ENUM)
			w->ll[k] = w->lp[k] = -INFINITY;
	}
	return UM_OK;
}

static um_status value(void *context, int64_t many, const int64_t row[], const double *x, double *lp,
	double *part, double *dx)
{
	um_status st = UM_OK;
	work *w = context;
	for (int64_t i = 0; i < many * w->n; i++)
		((float *)w->u.data)[i] = (float)x[i];
	UM_TRY(evaluate_each(w, many));
	for (int64_t k = 0; k < many; k++) {
		const double b = um_ladder_beta(&w->ladder, row[k] / w->chains), bp = likelihood_only(w) ? 1 : b;
		const bool inside = w->ll[k] > -INFINITY;
		const float *dl = um_row_f(&w->dl, k), *dp = um_row_f(&w->dp, k);
		part[k] = likelihood_only(w) ? w->ll[k] : w->ll[k] + w->lp[k];
		lp[k] = b * w->ll[k] + bp * w->lp[k];
		for (int64_t i = 0; i < w->n; i++)
			dx[k * w->n + i] = inside ? b * dl[i] + bp * dp[i] : 0;
	}
	UM_TRY(tell(w));
out:
	return st;
}

/* ---- the beginning ----------------------------------------------------------------------------- */

/* Draws of the prior; of images that are to be positive, what is not becomes a thousandth of their size. */
static um_status start_draws(work *w)
{
	um_status st = UM_OK;
	UM_TRY(um_problem_draw(w->problem, w->rng, &w->u));
	for (int64_t r = 0; r < w->rows && w->about->transform == UM_SOFTPLUS; r++) {
		float *x = um_row_f(&w->u, r);
		double square = 0;
		for (int64_t i = 0; i < w->n; i++)
			square += (double)x[i] * x[i] / (double)w->n;
		for (int64_t i = 0; i < w->n; i++)
			x[i] = (float)fmax(x[i], 1e-3 * sqrt(square));
	}
	UM_TRY(um_problem_preimage(w->problem, &w->u, &w->u));
out:
	return st;
}

static um_status start_about(work *w)
{
	um_status st = UM_OK;
	um_array one = um_array_rows(&w->dp, 0, 1);
	const um_start from = { strcmp(w->set->start, "blob") == 0, w->set->size, w->set->level, NULL };
	UM_TRY(um_optimum_start(w->problem, &from, &one));
	for (int64_t r = 0; r < w->rows; r++)
		for (int64_t i = 0; i < w->n; i++)
			um_row_f(&w->u, r)[i] = (float)(um_row_f(&one, 0)[i] + w->set->spread * um_normal(&w->rng[r]));
out:
	return st;
}

static um_status begin(work *w)
{
	um_status st = UM_OK;
	const char *start = w->set->start;
	const bool draws = strcmp(start, "draws") == 0 || (strcmp(start, "auto") == 0 && w->about->draws);
	for (int64_t r = 0; r < w->rows; r++)
		w->rng[r] = um_problem_rng(w->problem, BEGIN, (uint64_t)r);
	UM_TRY(draws ? start_draws(w) : start_about(w));
	UM_TRY(um_array_copy(&w->nuts.x, &w->u));
	UM_TRY(um_nuts_refresh(&w->nuts));
	for (int64_t r = 0; r < w->rows; r++)
		if (!isfinite(*um_row_d(&w->nuts.lp, r)))
			UM_TRY(um_fail(UM_ENUM, "hmc: the density where chain %lld starts is not finite; choose another start, "
				"or a smaller spread", (long long)r));
	UM_TRY(um_nuts_adapt(&w->nuts, 0, w->set->warmup));
	w->begun = true;
out:
	return st;
}

/* ---- transitions ----------------------------------------------------------------------------------- */

/* What the chains at T = 1 did, and where they are now. */
static void keep(work *w, int64_t draw)
{
	for (int64_t c = 0; c < w->chains; c++) {
		const um_nuts_move *m = &w->nuts.move[c];
		float *to = (float *)w->kept.data + (c * w->draws + draw) * w->n;
		for (int64_t i = 0; i < w->n; i++)
			to[i] = (float)um_row_d(&w->nuts.x, c)[i];
		um_row_d(&w->density, c)[draw] = *um_row_d(&w->nuts.lp, c);
		*count(w, LEAPS) += m->leaps;
		*count(w, DEEP) += m->deep;
		*count(w, DIVERGED) += m->diverged;
		*(double *)w->sum.data += m->accept;
	}
}

/* R-hat of the log density of the draws so far. */
static um_status agreement(work *w, int64_t draws, double *rhat)
{
	um_status st = UM_OK;
	um_convergence c;
	double *v = malloc(sizeof(double) * (size_t)(w->chains * draws + 1));
	if (v == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "hmc: no memory for %lld draws", (long long)draws));
	for (int64_t i = 0; i < w->chains; i++)
		memcpy(v + i * draws, um_row_d(&w->density, i), sizeof(double) * (size_t)draws);
	UM_TRY(um_chains(w->chains, draws, v, &c));
	*rhat = c.rhat;
out:
	free(v);
	return st;
}

/* What chains did in the last transition, and since the warm-up, at T = 1. */
static um_status trace(work *w)
{
	static const char *const names[] = { "log_density", "acceptance", "steps", "step_size", "divergences", "swaps",
		"rhat" };
	um_status st = UM_OK;
	const int64_t done = *count(w, DONE), draws = done - w->set->warmup;
	double lp = 0, accept = 0, steps = 0, rhat = NAN;
	int64_t rung;
	for (int64_t i = 0; i < w->chains; i++) {
		lp += *um_row_d(&w->nuts.lp, i) / (double)w->chains;
		accept += w->nuts.move[i].accept / (double)w->chains;
		steps += (double)w->nuts.move[i].leaps / (double)w->chains;
	}
	if (draws > 0)
		UM_TRY(agreement(w, draws, &rhat));
	const double row[] = { lp, accept, steps, um_row_d(&w->nuts.step, 0)[UM_NUTS_NOW],
		(double)*count(w, DIVERGED), draws > 1 ? um_ladder_least(&w->ladder, &rung) : NAN, rhat };
	UM_TRY(um_sink_trace(w->sink, done, 7, names, row));
out:
	return st;
}

/* From um_nuts_step on nothing is evaluated, so that no stop comes between. */
static um_status transition(work *w, int64_t t)
{
	um_status st = UM_OK;
	const bool warm = t < w->set->warmup;
	um_rng *rng = w->rng + w->rows;
	if (*count(w, STALE))
		UM_TRY(um_nuts_refresh(&w->nuts));
	*count(w, STALE) = 0;
	for (int64_t r = 0; r < w->rows; r++)
		rng[r] = um_problem_rng(w->problem, FIND, (uint64_t)(t * w->rows + r));
	UM_TRY(um_nuts_find(&w->nuts, rng));
	for (int64_t r = 0; r < w->rows; r++)
		rng[r] = um_problem_rng(w->problem, MOVE, (uint64_t)(t * w->rows + r));
	UM_TRY(um_nuts_step(&w->nuts, rng));
	if (warm)
		UM_TRY(um_nuts_adapt(&w->nuts, t + 1, w->set->warmup));
	for (int64_t r = 0; r < w->rows; r++)
		rng[r] = um_problem_rng(w->problem, SWAP, (uint64_t)(t * w->rows + r));
	*count(w, STALE) = um_ladder_swap(&w->ladder, &w->nuts, t, !warm, rng);
	if (!warm)
		keep(w, t - w->set->warmup);
	*count(w, DONE) = t + 1;
	if ((t + 1) % w->every == 0)
		UM_TRY(trace(w));
out:
	return st;
}

/* ---- results -------------------------------------------------------------------------------------------- */

/* What is wrong with trajectories and swaps, and what to do; whether nothing is. */
static bool judge_steps(work *w)
{
	const double all = (double)(w->chains * w->draws), deep = (double)*count(w, DEEP) / all;
	const double *t = w->set->ladder.v;
	int64_t rung;
	const int64_t trips = um_ladder_trips(&w->ladder);
	const double swaps = um_ladder_least(&w->ladder, &rung);
	if (*count(w, DIVERGED) > 0)
		um_log(UM_WARN, "%lld of %.0f trajectories diverged: the density bends or ends there more sharply than steps "
			"can follow, and such parts are visited too rarely; an accept closer to 1 makes smaller steps (it is %g)",
			(long long)*count(w, DIVERGED), all, w->set->accept);
	if (deep > 0.01)
		um_log(UM_WARN, "%.0f %% of the trajectories were cut off after 2^depth - 1 steps, before they turned; "
			"depth = %lld%s may help", 100 * deep, (long long)w->set->depth + 2,
			w->nuts.dense || w->n > DENSE ? "" : " or mass = \"dense\"");
	if (swaps < 0.1)
		um_log(UM_WARN, "chains at temperatures %g and %g swap in %.1f %% of the attempts, below 10: put a "
			"temperature between them", t[rung], t[rung + 1], 100 * swaps);
	if (w->rungs > 1 && trips < w->chains)
		um_log(UM_WARN, "only %lld times did a draw come down from the top of the ladder, so it could hardly carry "
			"chains from mode to mode; more draws, or temperatures closer to each other, may help", (long long)trips);
	return *count(w, DIVERGED) == 0;
}

static um_status report(work *w)
{
	um_status st = UM_OK;
	const double all = (double)(w->chains * w->draws);
	int64_t rung;
	bool good;
	const struct { const char *name; double value; } metrics[] = {
		{ "divergences", (double)*count(w, DIVERGED) }, { "cut_off", (double)*count(w, DEEP) },
		{ "acceptance", *(double *)w->sum.data / all }, { "step_size", um_row_d(&w->nuts.step, 0)[UM_NUTS_NOW] },
		{ "steps_per_draw", (double)*count(w, LEAPS) / all }, { "chains", (double)w->chains },
		{ "draws", (double)w->draws }, { "swaps", um_ladder_least(&w->ladder, &rung) },
		{ "round_trips", (double)um_ladder_trips(&w->ladder) },
	};
	const size_t n = sizeof(metrics) / sizeof(*metrics) - (w->rungs > 1 ? 0 : 2);
	UM_TRY(um_chains_report(w->sink, &w->kept, &w->density, w->rungs > 1 ?
		"a ladder that goes higher, or more draws, may help" :
		"a ladder such as [1.0, 3.0, 9.0, 27.0] lets them cross between modes; a longer warmup may help", &good));
	good = judge_steps(w) && good;
	UM_TRY(um_sink_metric(w->sink, "converged", good));
	for (size_t i = 0; i < n; i++)
		UM_TRY(um_sink_metric(w->sink, metrics[i].name, metrics[i].value));
out:
	return st;
}

/* ---- plugin ------------------------------------------------------------------------------------------------ */

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	const struct hmc *set = p;
	const um_reals *t = &set->ladder;
	int64_t n = 1;
	for (int i = 0; i < 5; i++)
		n *= env->shape[i];
	bool rising = t->n > 0 && t->v[0] == 1;
	for (int64_t i = 1; i < t->n; i++)
		rising = rising && t->v[i] > t->v[i - 1];
	if (!rising)
		return um_fail(UM_EPARAM, "hmc: ladder begins with 1.0 and ascends, such as [1.0, 3.0, 9.0, 27.0]");
	if (strcmp(set->mass, "dense") == 0 && n > DENSE)
		return um_fail(UM_EPARAM, "hmc: mass = \"dense\" is for at most %d numbers, here are %lld; use \"diagonal\"",
			DENSE, (long long)n);
	struct hmc *copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return um_fail(UM_ENOMEM, "hmc: no memory for settings");
	memcpy(copy, set, sizeof(*copy));
	info->needs = UM_NEEDS_LOGP | (strcmp(set->estimate, "refuse") == 0 ? UM_NEEDS_FUNCTION : 0) |
		(strcmp(set->start, "draws") == 0 ? UM_NEEDS_DRAWS : 0);
	*self = copy;
	return UM_OK;
}

static void destroy(void *self)
{
	free(self);
}

static um_status work_new(work *w)
{
	um_status st = UM_OK;
	const struct hmc *set = w->set;
	const int64_t counts = COUNTS, one = 1, each = (w->about->samples + set->chains - 1) / set->chains;
	w->chains = set->chains;
	w->rungs = set->ladder.n;
	w->rows = w->chains * w->rungs;
	w->n = w->about->n;
	w->draws = set->draws > 0 ? set->draws : DRAWS;
	w->draws = w->draws > each ? w->draws : each;
	w->every = set->trace > 0 ? set->trace : (set->warmup + w->draws + 99) / 100;
	w->ladder = (um_ladder){ .rungs = w->rungs, .chains = w->chains, .temperature = set->ladder.v };
	w->nuts = (um_nuts){ .groups = w->rungs, .chains = w->chains, .n = w->n, .depth = set->depth,
		.dense = strcmp(set->mass, "dense") == 0, .target = set->accept, .value = value, .context = w };
	um_array *const images[] = { &w->u, &w->dl, &w->dp };
	for (int i = 0; i < 3; i++)
		UM_TRY(um_problem_images(w->problem, w->rows, images[i]));
	UM_TRY(um_nuts_new(&w->nuts));
	UM_TRY(um_ladder_new(&w->ladder));
	UM_TRY(um_array_new(&w->kept, UM_F32, 3, (const int64_t[]){ w->chains, w->draws, w->n }));
	UM_TRY(um_array_new(&w->density, UM_F64, 2, (const int64_t[]){ w->chains, w->draws }));
	UM_TRY(um_array_new(&w->count, UM_I64, 1, &counts));
	UM_TRY(um_array_new(&w->sum, UM_F64, 1, &one));
	w->ll = calloc(2 * (size_t)w->rows, sizeof(double));
	w->lp = w->ll + w->rows;
	w->rng = calloc(2 * (size_t)w->rows, sizeof(um_rng));
	if (w->ll == NULL || w->rng == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "hmc: no memory for %lld chains", (long long)w->rows));
out:
	return st;
}

static void work_free(work *w)
{
	um_array *const all[] = { &w->u, &w->dl, &w->dp, &w->kept, &w->density, &w->count, &w->sum };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	um_nuts_free(&w->nuts);
	um_ladder_free(&w->ladder);
	free(w->ll);
	free(w->rng);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	const char *name[SAVED];
	um_array *array[SAVED];
	work w = { .set = self, .problem = problem, .about = um_problem_about(problem), .sink = sink };
	UM_TRY(work_new(&w));
	UM_TRY(um_sink_restore(sink, saved(&w, name, array), name, array, &w.begun));
	if (!w.begun)
		st = begin(&w);
	for (int64_t t = *count(&w, DONE); st == UM_OK && t < w.set->warmup + w.draws; t++)
		st = transition(&w, t);
	if (st == UM_OK)
		UM_TRY(report(&w));
	else if (!w.stop)
		goto out;
	if (*count(&w, DONE) > w.set->warmup)
		UM_TRY(um_chains_deliver(problem, &w.kept, *count(&w, DONE) - w.set->warmup, sink));
	if (w.stop)
		st = um_fail(UM_EINTR, "hmc: stopped after transition %lld", (long long)*count(&w, DONE));
out:
	work_free(&w);
	return st;
}

static const um_inference_ops ops = { .create = create, .destroy = destroy, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "hmc", "0.1.1",
	"Hamiltonian Monte Carlo (NUTS) with several chains, tempering, and figures of convergence.",
	"Hoffman & Gelman 2014, JMLR 15, 1593",
	UM_PARAMS(struct hmc, params), UM_OPS(ops),
};
