/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deep probabilistic imaging (Sun & Bouman 2021, arXiv:2010.14462): fits a law q that can be
 * sampled to the posterior by minimising, over draws u ~ q,
 *   E[-w_data log p(y | x) - w_prior log p(x)] - w_entropy H(x), x = x(u),
 * H(x) = H(q) + E[log |dx/du|] being the entropy of the image.
 * Family "gaussian": u = mu + s z, H = n/2 (1 + log 2 pi) + sum log s. For a Gaussian posterior of
 * precision P the optimum is its mean and s_i^2 = 1/P_ii. Draws come in pairs z, -z, so that what is
 * even in z cancels in the gradient of mu; the entropy enters the gradient of log s as z^2 instead of
 * its mean 1, which cancels noise at the optimum (Roeder et al. 2017, arXiv:1703.09194). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/optimum.h>
#include <umbra/plugin.h>

enum { NOISE = 1, PRIOR, PROBE, PROBE_PRIOR, ELBO, ELBO_PRIOR, SAMPLE };
enum { ELBO_DRAWS = 256, PROBES = 64, PASSES = 3 };
static const double LOG_2PI = 1.8378770664093453;

struct dpi {
	const char *family, *warm, *start;
	int64_t warm_iterations, steps, batch, warmup, average, check, patience, trace;
	double level, size, sd, rate, clip, data_weight, prior_weight, entropy_weight;
	double anneal_rate, anneal_pivot, threshold;
};

static const um_param params[] = {
	UM_CHOICE(struct dpi, family, "gaussian", "gaussian", "Family of the approximating law."),
	UM_CHOICE(struct dpi, warm, "map", "none|map",
		"Where the mean starts: at the starting image, or at the optimum of log p(u | y) above it."),
	UM_PARAM(struct dpi, warm_iterations, "500", 1, 1000000, "", "Most iterations towards that optimum."),
	UM_CHOICE(struct dpi, start, "flat", "flat|blob",
		"Starting image: constant, or a Gaussian in the centre."),
	UM_PARAM(struct dpi, level, "0", 0, 1e30, "",
		"Mean of the starting image in units of x; 0 tries powers of ten and takes the best."),
	UM_PARAM(struct dpi, size, "0.3", 1e-3, 10, "",
		"Full width at half maximum of the blob as a fraction of the longer side."),
	UM_PARAM(struct dpi, sd, "0", 0, 1e9, "",
		"Initial standard deviation of every u; 0: from the curvature of the density at the start."),
	UM_PARAM(struct dpi, steps, "2000", 1, 1000000000, "", "Steps of the optimiser, Adam."),
	UM_PARAM(struct dpi, batch, "16", 2, 65536, "", "Draws in each step, an even number."),
	UM_PARAM(struct dpi, rate, "0.03", 1e-9, 10, "",
		"Size of a step in log s, and in the mean as a fraction of s."),
	UM_PARAM(struct dpi, warmup, "100", 0, 1000000000, "",
		"Steps over which the rate grows to its value."),
	UM_PARAM(struct dpi, clip, "0", 0, 1e30, "",
		"Largest norm of a gradient, longer ones are scaled; 0: any."),
	UM_PARAM(struct dpi, average, "500", 0, 1000000000, "",
		"Last steps, whose parameters are averaged into the result."),
	UM_PARAM(struct dpi, data_weight, "1", 0, 1e9, "", "Weight of the log-likelihood."),
	UM_PARAM(struct dpi, prior_weight, "1", 0, 1e9, "", "Weight of the log-prior."),
	UM_PARAM(struct dpi, entropy_weight, "1", 0, 1e9, "", "Weight of the entropy of the image; below 1 it narrows the posterior (tempering)."),
	UM_PARAM(struct dpi, anneal_rate, "0", 0, 10, "",
		"Rate r of the factor 1/(1 + exp(-r (step - pivot))) on data_weight; 0: no factor."),
	UM_PARAM(struct dpi, anneal_pivot, "1000", 0, 1000000000, "", "Step where that factor is one half."),
	UM_PARAM(struct dpi, check, "0", 0, 1000000000, "",
		"Steps between two looks at how far the mean image moved; 0: never end early."),
	UM_PARAM(struct dpi, threshold, "0.005", 0, 1, "",
		"Relative move below which a look finds it at rest."),
	UM_PARAM(struct dpi, patience, "2", 1, 1000, "", "Looks in a row at rest before averaging begins."),
	UM_PARAM(struct dpi, trace, "20", 1, 1000000000, "", "Steps between rows of the trace."),
};

/* Integers of a checkpoint. TAIL is the step where averaging began, or -1. */
enum { STEP, TAIL, CONVERGED, AT_REST, NFE, NCOUNTS };

typedef struct {
	const struct dpi *set;
	um_problem *problem;
	const um_problem_info *about;
	um_sink *sink;
	int64_t n;
	um_adam adam;
	um_array theta;   /* [2][n] mu, log s */
	um_array sum;     /* [2][n] of theta over the averaged steps */
	um_array last;    /* the mean image at the last look, [1][image] */
	um_array count;   /* [NCOUNTS] */
	um_array grad;    /* [2][n] of the loss */
	um_array s;       /* [n] exp(log s) */
	um_array z;       /* [batch][n] */
	um_array u, dl, dp;          /* [batch][image] */
	um_array ll, lp;             /* [batch] */
	um_rng *rng;                 /* [batch] */
	double data, prior, entropy; /* terms of the loss in the last step */
} work;

static int64_t *at(work *w, int i)
{
	return (int64_t *)w->count.data + i;
}

/* ---- the law --------------------------------------------------------------------- */

/* u_i = mu + s z_i for count rows; z of row i is that of stream (purpose, first + i), and where
 * pairs is set of its even neighbour with the opposite sign in odd rows. */
static void draw(work *w, uint64_t purpose, int64_t first, int64_t count, bool pairs)
{
	const double *mu = um_row_d(&w->theta, 0), *ls = um_row_d(&w->theta, 1);
	double *s = w->s.data;
	for (int64_t i = 0; i < w->n; i++)
		s[i] = exp(ls[i]);
	for (int64_t b = 0; b < count; b++) {
		double *z = um_row_d(&w->z, b);
		float *u = um_row_f(&w->u, b);
		um_rng rng = um_problem_rng(w->problem, purpose, (uint64_t)(first + b));
		if (pairs && b % 2 == 1)
			for (int64_t i = 0; i < w->n; i++)
				z[i] = -z[i - w->n];
		else if (purpose == PROBE)
			for (int64_t i = 0; i < w->n; i++)
				z[i] = um_rademacher(&rng);
		else
			um_normal_fill(&rng, z, w->n);
		for (int64_t i = 0; i < w->n; i++)
			u[i] = (float)(mu[i] + s[i] * z[i]);
	}
}

static double entropy(const work *w)
{
	const double *ls = um_row_d(&w->theta, 1);
	double h = 0.5 * (double)w->n * (1 + LOG_2PI);
	for (int64_t i = 0; i < w->n; i++)
		h += ls[i];
	return h;
}

/* log q of row b of the last draw. */
static double log_q(const work *w, int64_t b)
{
	const double *z = um_row_d(&w->z, b);
	double square = 0;
	for (int64_t i = 0; i < w->n; i++)
		square += z[i] * z[i];
	return 0.5 * ((double)w->n - square) - entropy(w);
}

/* ll and lp, with gradients where asked, of the first count rows of u; log |dx/du| in lp has the
 * weight volume. */
static um_status evaluate(work *w, uint64_t purpose, int64_t first, int64_t count, bool gradient,
	double volume)
{
	um_status st = UM_OK;
	um_array u = um_array_rows(&w->u, 0, count), dl = um_array_rows(&w->dl, 0, count);
	um_array dp = um_array_rows(&w->dp, 0, count);
	for (int64_t b = 0; b < count; b++)
		w->rng[b] = um_problem_rng(w->problem, purpose, (uint64_t)(first + b));
	UM_TRY(um_problem_loglike(w->problem, &u, w->ll.data, gradient ? &dl : NULL));
	UM_TRY(um_problem_logp(w->problem, w->rng, &u, w->lp.data, gradient ? &dp : NULL));
	um_optimum_volume(w->problem, volume - 1, &u, w->lp.data, gradient ? &dp : NULL);
	*at(w, NFE) += count;
out:
	return st;
}

/* ---- optimisation ------------------------------------------------------------------ */

static double data_weight(const work *w, int64_t step)
{
	const struct dpi *set = w->set;
	if (set->anneal_rate == 0)
		return set->data_weight;
	return set->data_weight / (1 + exp(-set->anneal_rate * ((double)step - set->anneal_pivot)));
}

/* The weight that log |dx/du| needs inside a log-prior that counts w_prior times. */
static double volume(const work *w)
{
	return w->set->prior_weight > 0 ? w->set->entropy_weight / w->set->prior_weight : 1;
}

/* Terms of the loss and its gradient at the batch of one step. */
static um_status loss_gradient(work *w, int64_t step)
{
	um_status st = UM_OK;
	const int64_t batch = w->set->batch, first = step * batch;
	const double wd = data_weight(w, step), wp = w->set->prior_weight, we = w->set->entropy_weight;
	const double *ll = w->ll.data, *lp = w->lp.data, *s = w->s.data;
	double *gm = um_row_d(&w->grad, 0), *gs = um_row_d(&w->grad, 1);
	draw(w, NOISE, first, batch, true);
	UM_TRY(evaluate(w, PRIOR, first, batch, true, volume(w)));
	memset(w->grad.data, 0, sizeof(double) * 2 * (size_t)w->n);
	w->data = w->prior = 0;
	for (int64_t b = 0; b < batch; b++) {
		const double *z = um_row_d(&w->z, b);
		const float *dl = um_row_f(&w->dl, b), *dp = um_row_f(&w->dp, b);
		w->data -= wd * ll[b] / (double)batch;
		w->prior -= wp * lp[b] / (double)batch;
		for (int64_t i = 0; i < w->n; i++) {
			double g = (wd * dl[i] + wp * dp[i]) / (double)batch;
			gm[i] -= g;
			gs[i] -= g * z[i] * s[i] + we * z[i] * z[i] / (double)batch;
		}
	}
	w->entropy = -we * entropy(w);
out:
	return st;
}

/* One step of Adam in log s and in m, where mu = m s with s held: the rate then is relative to
 * s in both, and the noise of a step stays a fraction of the width of the posterior. */
static void descend(work *w)
{
	double *mu = um_row_d(&w->theta, 0), *gm = um_row_d(&w->grad, 0);
	const double *s = w->s.data;
	for (int64_t i = 0; i < w->n; i++) {
		mu[i] /= s[i];
		gm[i] *= s[i];
	}
	um_adam_step(&w->adam, w->theta.data, w->grad.data);
	for (int64_t i = 0; i < w->n; i++)
		mu[i] *= s[i];
}

/* Whether the mean image has come to rest; looks only at its own steps. */
static um_status look(work *w, int64_t step)
{
	um_status st = UM_OK;
	um_array mu = { 0 }, x = { 0 };
	if (w->set->check == 0 || step % w->set->check != 0 || *at(w, TAIL) >= 0)
		return UM_OK;
	UM_TRY(um_problem_images(w->problem, 1, &mu));
	UM_TRY(um_problem_images(w->problem, 1, &x));
	float *m = mu.data, *now = x.data, *last = w->last.data;
	double moved = 0, size = 0;
	for (int64_t i = 0; i < w->n; i++)
		m[i] = (float)um_row_d(&w->theta, 0)[i];
	UM_TRY(um_problem_image(w->problem, &mu, &x));
	for (int64_t i = 0; i < w->n; i++) {
		moved += ((double)now[i] - last[i]) * ((double)now[i] - last[i]);
		size += (double)last[i] * last[i];
		last[i] = now[i];
	}
	bool settled = data_weight(w, step) >= 0.99 * w->set->data_weight;
	bool rest = settled && sqrt(moved) < w->set->threshold * sqrt(size);
	*at(w, AT_REST) = rest ? *at(w, AT_REST) + 1 : 0;
	*at(w, CONVERGED) = *at(w, AT_REST) >= w->set->patience;
out:
	um_array_free(&mu);
	um_array_free(&x);
	return st;
}

/* Steps that are left, given where averaging began; decides when it does. */
static int64_t last_step(work *w)
{
	const int64_t average = w->set->average < w->set->steps ? w->set->average : w->set->steps;
	int64_t *tail = at(w, TAIL);
	if (*tail < 0 && (*at(w, CONVERGED) || *at(w, STEP) >= w->set->steps - average))
		*tail = *at(w, STEP);
	return *tail < 0 ? w->set->steps : *tail + average;
}

static void accumulate(work *w)
{
	double *sum = w->sum.data;
	const double *theta = w->theta.data;
	for (int64_t i = 0; *at(w, TAIL) >= 0 && i < 2 * w->n; i++)
		sum[i] += theta[i];
}

static const char *const saved[] = { "theta", "moments", "sum", "last", "counts" };

static um_status checkpoint(work *w)
{
	const um_array *const arrays[] = { &w->theta, &w->adam.moments, &w->sum, &w->last, &w->count };
	return um_sink_checkpoint(w->sink, 5, saved, arrays);
}

static um_status optimise(work *w, bool *stop)
{
	static const char *const names[] = { "loss", "data", "prior", "entropy" };
	um_status st = UM_OK;
	int64_t *step = at(w, STEP);
	while (!*stop && *step < last_step(w)) {
		UM_TRY(loss_gradient(w, *step));
		descend(w);
		++*step;
		accumulate(w);
		UM_TRY(look(w, *step));
		double loss = w->data + w->prior + w->entropy;
		const double row[] = { loss, w->data, w->prior, w->entropy };
		if (*step % w->set->trace == 0)
			UM_TRY(um_sink_trace(w->sink, *step, 4, names, row));
		um_answer answer = um_sink_progress(w->sink, *step, last_step(w), loss);
		if (answer != UM_GO)
			UM_TRY(checkpoint(w));
		*stop = answer == UM_STOP;
	}
out:
	return st;
}

/* The averaged parameters become the law. */
static void finish(work *w)
{
	const int64_t averaged = *at(w, TAIL) < 0 ? 0 : *at(w, STEP) - *at(w, TAIL);
	double *theta = w->theta.data;
	const double *sum = w->sum.data;
	for (int64_t i = 0; averaged > 0 && i < 2 * w->n; i++)
		theta[i] = sum[i] / (double)averaged;
}

/* ---- start --------------------------------------------------------------------------- */

static bool warm_step(void *context, int64_t k, double f, double ll, double lp, double gnorm)
{
	work *w = context;
	(void)ll, (void)lp, (void)gnorm;
	return um_sink_progress(w->sink, k, w->set->warm_iterations + w->set->steps, f) != UM_STOP;
}

/* mu before the first step. */
static um_status begin_mean(work *w)
{
	um_status st = UM_OK;
	um_array u = { 0 };
	const struct dpi *set = w->set;
	const um_start from = { strcmp(set->start, "blob") == 0, set->size, set->level };
	double *mu = um_row_d(&w->theta, 0);
	UM_TRY(um_problem_images(w->problem, 1, &u));
	UM_TRY(um_optimum_start(w->problem, &from, &u));
	for (int64_t i = 0; i < w->n; i++)
		mu[i] = ((float *)u.data)[i];
	if (strcmp(set->warm, "map") != 0)
		goto out;
	um_optimum o = { .problem = w->problem, .weight = data_weight(w, 0), .volume = volume(w), .step = warm_step, .context = w,
		.search = { .iterations = set->warm_iterations, .gtol = 1e-6 } };
	UM_TRY(um_optimum_find(&o, mu));
	*at(w, NFE) += o.search.nfe;
	if (o.search.end == UM_LBFGS_STOPPED)
		st = um_fail(UM_EINTR, "dpi: stopped while looking for a starting point");
out:
	um_array_free(&u);
	return st;
}

/* One estimate of the diagonal of the curvature, from probes of random signs v (Bekas et al. 2007):
 * s_i^2 = w_entropy / E[-v_i (g(mu + s v) - g(mu - s v))_i / 2 s_i]. Widths may shrink by much, but
 * grow by little, because far out the density says nothing of its curvature here. */
static um_status begin_width(work *w, int64_t pass)
{
	um_status st = UM_OK;
	const double shrink = log(30.0), grow = log(3.0), wd = data_weight(w, 0), wp = w->set->prior_weight;
	const int64_t batch = w->set->batch;
	double *ls = um_row_d(&w->theta, 1), *h = um_row_d(&w->grad, 1), *s = w->s.data;
	memset(h, 0, sizeof(double) * (size_t)w->n);
	int64_t done = 0;
	for (; done < PROBES; done += batch) {
		int64_t first = pass * PROBES * 2 + done;
		draw(w, PROBE, first, batch, true);
		UM_TRY(evaluate(w, PROBE_PRIOR, first, batch, true, volume(w)));
		for (int64_t b = 0; b < batch; b++)
			for (int64_t i = 0; i < w->n; i++)
				h[i] -= um_row_d(&w->z, b)[i] * (wd * um_row_f(&w->dl, b)[i] +
					wp * um_row_f(&w->dp, b)[i]) / s[i];
	}
	for (int64_t i = 0; i < w->n; i++) {
		double var = w->set->entropy_weight * (double)done / h[i];
		double move = h[i] > 0 ? 0.5 * log(var) - ls[i] : 0;
		ls[i] += fmax(-shrink, fmin(grow, move));
	}
out:
	return st;
}

static um_status begin(work *w)
{
	um_status st = UM_OK;
	double *ls = um_row_d(&w->theta, 1), sd = w->set->sd > 0 ? w->set->sd : 0.1;
	*at(w, TAIL) = -1;
	UM_TRY(begin_mean(w));
	for (int64_t i = 0; i < w->n; i++)
		ls[i] = log(sd);
	for (int64_t pass = 0; w->set->sd == 0 && pass < PASSES; pass++)
		UM_TRY(begin_width(w, pass));
out:
	return st;
}

/* ---- results --------------------------------------------------------------------------- */

/* E[log p(y | u) + log p(u) - log q(u)] over draws of its own. */
static um_status report(work *w)
{
	um_status st = UM_OK;
	const double *ll = w->ll.data, *lp = w->lp.data;
	double sum = 0, square = 0, shift = 0;
	int64_t done = 0;
	while (done < ELBO_DRAWS) {
		int64_t count = ELBO_DRAWS - done < w->set->batch ? ELBO_DRAWS - done : w->set->batch;
		draw(w, ELBO, done, count, false);
		UM_TRY(evaluate(w, ELBO_PRIOR, done, count, false, 1));
		for (int64_t b = 0; b < count; b++) {
			double v = ll[b] + lp[b] - log_q(w, b);
			shift = done + b == 0 ? v : shift;
			sum += v - shift;
			square += (v - shift) * (v - shift);
		}
		done += count;
	}
	double mean = sum / ELBO_DRAWS, var = (square - sum * mean) / (ELBO_DRAWS - 1);
	UM_TRY(um_sink_metric(w->sink, "elbo", shift + mean));
	UM_TRY(um_sink_metric(w->sink, "elbo_se", sqrt(fmax(0, var) / ELBO_DRAWS)));
	UM_TRY(um_sink_metric(w->sink, "steps", (double)*at(w, STEP)));
	UM_TRY(um_sink_metric(w->sink, "converged", (double)*at(w, CONVERGED)));
	UM_TRY(um_sink_metric(w->sink, "nfe", (double)*at(w, NFE)));
out:
	return st;
}

static um_status deliver(work *w)
{
	um_status st = UM_OK;
	const int64_t samples = w->about->samples, batch = w->set->batch;
	double *logq = w->ll.data;
	for (int64_t first = 0; first < samples; first += batch) {
		int64_t count = samples - first < batch ? samples - first : batch;
		um_array u = um_array_rows(&w->u, 0, count);
		draw(w, SAMPLE, first, count, false);
		for (int64_t b = 0; b < count; b++)
			logq[b] = log_q(w, b);
		UM_TRY(um_sink_samples(w->sink, &u, logq));
	}
out:
	return st;
}

/* ---- plugin ------------------------------------------------------------------------------ */

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	const struct dpi *set = p;
	(void)env;
	info->needs = UM_NEEDS_LOGP;
	if (set->batch % 2 != 0)
		return um_fail(UM_EPARAM, "dpi: batch = %lld is odd, but draws come in pairs; use %lld",
			(long long)set->batch, (long long)set->batch + 1);
	struct dpi *copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return um_fail(UM_ENOMEM, "dpi: out of memory");
	*copy = *set;
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
	const int64_t batch = w->set->batch, two[2] = { 2, w->n }, counts = NCOUNTS;
	um_array *const images[] = { &w->u, &w->dl, &w->dp };
	UM_TRY(um_adam_new(&w->adam, 2 * w->n, w->set->rate));
	w->adam.warmup = w->set->warmup;
	w->adam.clip = w->set->clip;
	UM_TRY(um_array_new(&w->theta, UM_F64, 2, two));
	UM_TRY(um_array_new(&w->s, UM_F64, 1, &w->n));
	UM_TRY(um_array_new(&w->sum, UM_F64, 2, two));
	UM_TRY(um_array_new(&w->grad, UM_F64, 2, two));
	UM_TRY(um_array_new(&w->count, UM_I64, 1, &counts));
	UM_TRY(um_array_new(&w->z, UM_F64, 2, (const int64_t[]){ batch, w->n }));
	UM_TRY(um_array_new(&w->ll, UM_F64, 1, &batch));
	UM_TRY(um_array_new(&w->lp, UM_F64, 1, &batch));
	UM_TRY(um_problem_images(w->problem, 1, &w->last));
	for (int i = 0; i < 3; i++)
		UM_TRY(um_problem_images(w->problem, batch, images[i]));
	if ((w->rng = calloc((size_t)batch, sizeof(*w->rng))) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "dpi: out of memory"));
out:
	return st;
}

static void work_free(work *w)
{
	um_array *const all[] = { &w->theta, &w->s, &w->sum, &w->grad, &w->count, &w->z,
		&w->ll, &w->lp, &w->last, &w->u, &w->dl, &w->dp };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		um_array_free(all[i]);
	um_adam_free(&w->adam);
	free(w->rng);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	bool found, stop = false;
	work w = { .set = self, .problem = problem, .about = um_problem_about(problem), .sink = sink };
	w.n = w.about->n;
	UM_TRY(work_new(&w));
	um_array *const arrays[] = { &w.theta, &w.adam.moments, &w.sum, &w.last, &w.count };
	UM_TRY(um_sink_restore(sink, 5, saved, arrays, &found));
	if (!found)
		UM_TRY(begin(&w));
	w.adam.step = *at(&w, STEP);
	UM_TRY(optimise(&w, &stop));
	finish(&w);
	if (!stop)
		UM_TRY(report(&w));
	UM_TRY(deliver(&w));
	if (stop)
		st = um_fail(UM_EINTR, "dpi: stopped after step %lld", (long long)*at(&w, STEP));
out:
	work_free(&w);
	return st;
}

static const um_inference_ops ops = { .create = create, .destroy = destroy, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "dpi", "0.1.0",
	"Variational inference: a law that can be sampled, fitted to the posterior.",
	"Sun & Bouman 2021, AAAI 35, 2628, arXiv:2010.14462",
	UM_PARAMS(struct dpi, params), UM_OPS(ops),
};
