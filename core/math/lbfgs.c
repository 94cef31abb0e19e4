/* SPDX-License-Identifier: GPL-3.0-or-later */
/* L-BFGS (Nocedal 1980; Liu & Nocedal 1989, doi:10.1007/BF01589116) through liblbfgs.
 * Images are float where f is computed, so that near an optimum the rounding of f
 * defeats a line search, and total variation has kinks. Each failed line search is
 * answered by a restart along the gradient, alternating the search of More & Thuente
 * with backtracking; two failures without an iteration between them end the work. */
#include <lbfgs.h>
#include <math.h>
#include <string.h>
#include <umbra/optim.h>

enum { PAST = 10, MEMORY = 10, ITERATIONS = 1000 };

typedef struct {
	um_lbfgs_job *job;
	um_status st;          /* the failure of value, if any */
	bool stopped, converged;
	double past[PAST];     /* values of the last iterations, a ring */
} search;

/* liblbfgs may round n up; the padding has no gradient. Outside the domain stands a wall:
 * high, but finite, because More & Thuente interpolate. */
static lbfgsfloatval_t evaluate(void *instance, const lbfgsfloatval_t *x, lbfgsfloatval_t *g, const int n,
	const lbfgsfloatval_t step)
{
	search *s = instance;
	double f = INFINITY;
	(void)step;
	for (int64_t i = s->job->n; i < n; i++)
		g[i] = 0;
	if (s->st == UM_OK) {
		s->job->nfe++;
		s->st = s->job->value(s->job->context, x, &f, g);
	}
	if (s->st == UM_OK && isfinite(f))
		return f;
	memset(g, 0, sizeof(*g) * (size_t)n);
	return s->job->f + 1e3 * fmax(1, fabs(s->job->f));
}

static int progress(void *instance, const lbfgsfloatval_t *x, const lbfgsfloatval_t *g,
	const lbfgsfloatval_t f, const lbfgsfloatval_t xnorm, const lbfgsfloatval_t gnorm,
	const lbfgsfloatval_t step, int n, int k, int evaluations)
{
	search *s = instance;
	um_lbfgs_job *job = s->job;
	(void)g, (void)xnorm, (void)step, (void)n, (void)k, (void)evaluations;
	double before = s->past[job->done % PAST];
	s->past[job->done % PAST] = f;
	job->done++;
	job->f = f;
	s->stopped = job->step != NULL && !job->step(job->context, job->done, x, f, gnorm);
	s->converged = job->done > PAST && before - f <= job->ftol * fmax(1, fabs(f)) && job->ftol > 0;
	return s->st != UM_OK || s->stopped || s->converged || job->done >= job->iterations;
}

/* One run of liblbfgs; true where the answer is final. */
static bool attempt(search *s, double *x, bool backtrack)
{
	um_lbfgs_job *job = s->job;
	lbfgs_parameter_t p;
	lbfgs_parameter_init(&p);
	p.m = job->memory;
	p.epsilon = job->gtol;
	p.max_linesearch = 30;
	p.linesearch = backtrack ? LBFGS_LINESEARCH_BACKTRACKING : LBFGS_LINESEARCH_MORETHUENTE;
	int code = lbfgs((int)job->n, x, NULL, evaluate, progress, s, &p);
	if (s->st != UM_OK)
		return true;
	if (code == LBFGSERR_OUTOFMEMORY) {
		s->st = um_fail(UM_ENOMEM, "L-BFGS: no memory for %d pairs of %lld numbers", job->memory,
			(long long)job->n);
		return true;
	}
	if (s->stopped)
		job->end = UM_LBFGS_STOPPED;
	else if (s->converged || code == LBFGS_SUCCESS || code == LBFGS_ALREADY_MINIMIZED)
		job->end = UM_LBFGS_CONVERGED;
	else if (job->done >= job->iterations)
		job->end = UM_LBFGS_LIMIT;
	else
		return false;
	return true;
}

/* The value where no iteration reported one. */
static um_status first_value(search *s, const double *x, double *g)
{
	um_lbfgs_job *job = s->job;
	job->nfe++;
	um_status st = job->value(job->context, x, &job->f, g);
	if (st == UM_OK && !isfinite(job->f))
		return um_fail(UM_ENUM, "L-BFGS: the value at the starting point is %g; start elsewhere",
			job->f);
	return st;
}

um_status um_lbfgs(um_lbfgs_job *job, double *x)
{
	search s = { .job = job };
	job->memory = job->memory > 0 ? job->memory : MEMORY;
	job->iterations = job->iterations > 0 ? job->iterations : ITERATIONS;
	job->end = UM_LBFGS_STALLED;
	job->done = job->nfe = 0;
	if (job->n < 1 || job->n > INT32_MAX / 2)
		return um_fail(UM_EARG, "L-BFGS: cannot minimise over %lld numbers", (long long)job->n);
	double *best = lbfgs_malloc((int)job->n), *g = lbfgs_malloc((int)job->n);
	if (best == NULL || g == NULL) {
		s.st = um_fail(UM_ENOMEM, "L-BFGS: no memory for %lld numbers", (long long)job->n);
		goto out;
	}
	memcpy(best, x, sizeof(*x) * (size_t)job->n);
	if ((s.st = first_value(&s, best, g)) != UM_OK)
		goto out;
	bool backtrack = false;
	for (int fails = 0; fails < 2;) {
		int64_t before = job->done;
		if (attempt(&s, best, backtrack))
			break;
		backtrack = !backtrack;
		fails = job->done > before ? 1 : fails + 1;
	}
	memcpy(x, best, sizeof(*x) * (size_t)job->n);
out:
	lbfgs_free(best);
	lbfgs_free(g);
	return s.st;
}
