/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Maximum a posteriori images by L-BFGS on u: minimises -(w log p(y | u) + log p) for each
 * data weight w of a schedule in turn, from several starts. log p is the density of the
 * image, log p_x(x(u)), or that of u, which adds log |dx/du| = sum (u - softplus(u)). Where the
 * starts agree the optimum is likely global; where they do not, their spread says so.
 * Self-calibration (Cornwell and Wilkinson 1981, doi:10.1093/mnras/196.4.1067) maximises over the
 * forward model's operator parameters, too: in turn over u, from where it was, and over them; or
 * jointly, f(u) = -(w max_op (log p(y | u, op) + log p(op)) + log p), whose gradient is that at the
 * best op, which finds its way along directions that image and op share, such as shifts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/optimum.h>
#include <umbra/plugin.h>

enum { JITTER = 1 };

struct map {
	um_reals schedule;
	const char *density, *start, *image;
	int64_t starts, iterations, memory;
	double level, size, jitter, gtol, ftol;
	int64_t selfcal;
	const char *selfcal_how;
	double selfcal_tol;
	um_array from; /* the image */
};

static const um_param params[] = {
	UM_PARAM(struct map, schedule, "[0.01, 0.1, 1.0]", 0, 1e6, "",
		"Weights of the data, one minimisation each, warm-started from the one before."),
	UM_CHOICE(struct map, density, "image", "image|latent",
		"Density to maximise: of the image x, or of u with x = transform(u)."),
	UM_PARAM(struct map, starts, "1", 1, 10000, "",
		"Starting points; each delivers its optimum as one sample, best first."),
	UM_CHOICE(struct map, start, "flat", "flat|noise|blob",
		"First starting image: constant, constant with noise, or a Gaussian in the centre."),
	UM_PARAM(struct map, level, "0", 0, 1e30, "",
		"Mean of the starting image in units of x; 0 tries powers of ten and takes the best."),
	UM_PARAM(struct map, size, "0.3", 1e-3, 10, "",
		"Full width at half maximum of the blob as a fraction of the longer side."),
	UM_FILE(struct map, image, "", "First starting image in place of start, level and size: a FITS file in instrument units, such as "
		"the mean.fits of another cell."),
	UM_PARAM(struct map, jitter, "1", 0, 1e6, "",
		"Standard deviation of the noise added to u at later starts, and at the first of \"noise\"."),
	UM_PARAM(struct map, iterations, "500", 1, 1000000000, "", "Most iterations for each data weight."),
	UM_PARAM(struct map, memory, "10", 1, 1000, "", "Pairs of steps and gradients that L-BFGS keeps."),
	UM_PARAM(struct map, gtol, "1e-6", 0, 1, "",
		"Stops where the norm of the gradient is below this times that of u."),
	UM_PARAM(struct map, ftol, "1e-9", 0, 1, "",
		"Stops where ten iterations gain less than this fraction of the objective."),
	UM_PARAM(struct map, selfcal, "0", 0, 1000000, "", "Most rounds of self-calibration: operator "
		"parameters of the forward model, such as gains of eht, are solved for with the image, and the "
		"minimisation with the last data weight is repeated so often. 0: they are taken as given."),
	UM_CHOICE(struct map, selfcal_how, "joint", "joint|alternate", "Parameters are the best ones of every "
		"image that is tried, or held during a minimisation and solved for after it."),
	UM_PARAM(struct map, selfcal_tol, "1e-4", 0, 1, "",
		"Self-calibration stops where a round gains less than this fraction of log p(y | u)."),
};

/* Columns of the table of starts; STEEPEST is the largest norm of the gradient in the last minimisation, GRADIENT the last. */
enum { OBJECTIVE, CONVERGED, STALLED, ITERATIONS, EVALUATIONS, LOGLIKE, ROUNDS, STEEPEST, GRADIENT, NFIGURES };

/* What a checkpoint holds is the state between two minimisations, so that a resumed run
 * repeats the interrupted one exactly. */
typedef struct {
	const struct map *set;
	um_problem *problem;
	const um_problem_info *about;
	um_sink *sink;
	int64_t n;
	um_array x;        /* [starts][n] optima, and where the running start stands */
	um_array figure;   /* [starts][NFIGURES] */
	um_array position; /* start, stage */
	um_array op;       /* [starts][nop] operator parameters that are calibrated; else not there */
	um_array given;    /* [1][nop] what they were */
	bool joint;
	um_status st;      /* a failure inside the step callback */
	bool stop;
} work;

static int64_t *at(work *w, int i)
{
	return (int64_t *)w->position.data + i;
}

/* ---- minimisation ------------------------------------------------------------------------ */

/* Start 0 is the starting image itself unless noise was asked for. */
static um_status begin(work *w, int64_t start)
{
	um_status st = UM_OK;
	um_array u = { 0 };
	const um_start from = { strcmp(w->set->start, "blob") == 0, w->set->size, w->set->level,
		w->set->from.data != NULL ? &w->set->from : NULL };
	bool noise = start > 0 || strcmp(w->set->start, "noise") == 0;
	um_rng rng = um_problem_rng(w->problem, JITTER, (uint64_t)start);
	double *x = um_row_d(&w->x, start);
	UM_TRY(um_problem_images(w->problem, 1, &u));
	UM_TRY(um_optimum_start(w->problem, &from, &u));
	for (int64_t i = 0; i < w->n; i++)
		x[i] = ((float *)u.data)[i] + (noise ? w->set->jitter * um_normal(&rng) : 0);
out:
	um_array_free(&u);
	return st;
}

static const char *const saved[] = { "x", "figures", "position", "operator" };

static um_status checkpoint(work *w)
{
	const um_array *const arrays[] = { &w->x, &w->figure, &w->position, &w->op };
	return um_sink_checkpoint(w->sink, w->op.data != NULL ? 4 : 3, saved, arrays);
}

/* Stages of one start at most, and the data weight of one: the schedule, then its last again. */
static int64_t stages(const work *w)
{
	return w->set->schedule.n + w->set->selfcal;
}

static double weight(const work *w, int64_t stage)
{
	const um_reals *all = &w->set->schedule;
	return all->v[stage < all->n ? stage : all->n - 1];
}

static bool step(void *context, int64_t k, double f, double ll, double lp, double gnorm)
{
	static const char *const names[] = { "start", "weight", "objective", "data", "prior", "gradient" };
	work *w = context;
	const int64_t start = *at(w, 0), stage = *at(w, 1);
	const int64_t most = w->set->iterations;
	const double row[] = { (double)start, weight(w, stage), f, -ll, -lp, gnorm };
	int64_t before = 0;
	for (int64_t i = 0; i <= start; i++)
		before += (int64_t)um_row_d(&w->figure, i)[ITERATIONS];
	w->st = um_sink_trace(w->sink, before + k, 6, names, row);
	double *figure = um_row_d(&w->figure, start);
	figure[GRADIENT] = gnorm;
	figure[STEEPEST] = fmax(k > 1 ? figure[STEEPEST] : 0, gnorm);
	um_answer answer = um_sink_progress(w->sink, (start * stages(w) + stage) * most + k,
		w->set->starts * stages(w) * most, f);
	if (answer != UM_GO && w->st == UM_OK)
		w->st = checkpoint(w);
	w->stop = answer == UM_STOP;
	return w->st == UM_OK && !w->stop;
}

/* One minimisation of the schedule; x is left where it ends. */
static um_status minimise(work *w, double *x)
{
	um_status st = UM_OK;
	double *figure = um_row_d(&w->figure, *at(w, 0));
	um_optimum o = { .problem = w->problem, .weight = weight(w, *at(w, 1)),
		.volume = strcmp(w->set->density, "latent") == 0, .calibrate = w->joint, .step = step, .context = w,
		.search = { .memory = (int)w->set->memory, .iterations = w->set->iterations,
			.gtol = w->set->gtol, .ftol = w->set->ftol } };
	figure[STEEPEST] = figure[GRADIENT] = 0;
	UM_TRY(um_optimum_find(&o, x));
	UM_TRY(w->st);
	if (w->stop)
		goto out;
	figure[OBJECTIVE] = o.search.f;
	figure[CONVERGED] = o.search.end == UM_LBFGS_CONVERGED;
	figure[STALLED] = o.search.end == UM_LBFGS_STALLED;
	figure[ITERATIONS] += (double)o.search.done;
	figure[EVALUATIONS] += (double)o.search.nfe;
out:
	return st;
}

/* u as a float image of its own. */
static um_status as_image(work *w, const double *u, um_array *image)
{
	um_status st = um_problem_images(w->problem, 1, image);
	for (int64_t i = 0; st == UM_OK && i < w->n; i++)
		((float *)image->data)[i] = (float)u[i];
	return st;
}

static um_status loglike(work *w, const double *u, double *ll)
{
	um_array image = { 0 };
	um_status st = as_image(w, u, &image);
	if (st == UM_OK)
		st = um_problem_loglike(w->problem, &image, ll, NULL);
	um_array_free(&image);
	return st;
}

/* Operator parameters that fit u better; sink as in um_problem_calibrate. */
static um_status calibrate(work *w, int64_t start, const double *u, um_sink *sink)
{
	um_status st = UM_OK;
	um_array image = { 0 };
	double lp;
	UM_TRY(as_image(w, u, &image));
	UM_TRY(um_problem_image(w->problem, &image, &image));
	UM_TRY(um_problem_calibrate(w->problem, &image, &lp, sink));
	memcpy(um_row_d(&w->op, start), um_problem_op(w->problem)->data, sizeof(double) * (size_t)w->about->nop);
out:
	um_array_free(&image);
	return st;
}

/* After stage of start ended in u: calibrates, and moves on past the last stage where a round of
 * repeated weights gained too little. */
static um_status self_calibrate(work *w, int64_t start, int64_t *stage, const double *u)
{
	um_status st = UM_OK;
	double *figure = um_row_d(&w->figure, start);
	const double old = figure[LOGLIKE];
	const int64_t rounds = *stage - (w->set->schedule.n - 1);
	UM_TRY(calibrate(w, start, u, NULL));
	UM_TRY(loglike(w, u, &figure[LOGLIKE]));
	if (rounds > 0)
		figure[ROUNDS] = (double)rounds;
	if (rounds > 0 && figure[LOGLIKE] - old <= w->set->selfcal_tol * fmax(1, fabs(old)))
		*stage = stages(w) - 1;
out:
	return st;
}

/* All stages of all starts from where the position says; x is room for one image. */
static um_status minimise_all(work *w, double *x)
{
	um_status st = UM_OK;
	const size_t bytes = sizeof(double) * (size_t)w->n;
	int64_t *start = at(w, 0), *stage = at(w, 1);
	for (; *start < w->set->starts; ++*start, *stage = 0) {
		double *row = um_row_d(&w->x, *start);
		if (w->op.data != NULL)
			um_problem_set_op(w->problem, um_row_d(&w->op, *start));
		if (*stage == 0)
			UM_TRY(begin(w, *start));
		for (; *stage < stages(w); ++*stage) {
			memcpy(x, row, bytes);
			UM_TRY(minimise(w, x));
			memcpy(row, x, bytes);
			if (w->stop)
				goto out;
			if (w->op.data != NULL)
				UM_TRY(self_calibrate(w, *start, stage, x));
		}
	}
out:
	return st;
}

/* ---- results ------------------------------------------------------------------------------- */

/* Indices of the first count starts, best first. */
static void rank(work *w, int64_t count, int64_t *order)
{
	for (int64_t i = 0; i < count; i++) {
		int64_t j = i;
		double f = um_row_d(&w->figure, i)[OBJECTIVE];
		for (; j > 0 && um_row_d(&w->figure, order[j - 1])[OBJECTIVE] > f; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
}

/* Relative rms distance of x from the best image. */
static double distance(const float *best, const float *x, int64_t n)
{
	double d = 0, norm = 0;
	for (int64_t i = 0; i < n; i++) {
		d += ((double)x[i] - best[i]) * ((double)x[i] - best[i]);
		norm += (double)best[i] * best[i];
	}
	return sqrt(d / norm);
}

/* Whether the best start came to its end: metrics, and a warning where it did not. */
static um_status report_end(work *w, const double *best)
{
	const double fall = best[STEEPEST] > 0 ? best[GRADIENT] / best[STEEPEST] : 0, flat = 1e-2;
	um_status st = UM_OK;
	UM_TRY(um_sink_metric(w->sink, "gradient_norm", best[GRADIENT]));
	UM_TRY(um_sink_metric(w->sink, "gradient_fall", fall));
	if (!best[CONVERGED] && !best[STALLED])
		um_log(UM_WARN, "the image is not the most probable one yet: the iterations ran out where the gradient had fallen to %.2g "
			"of its largest: iterations = %lld may do", fall, (long long)(4 * w->set->iterations));
	if (best[STALLED] && fall > flat)
		um_log(UM_WARN, "the image may not be the most probable one: no step made progress where the gradient had fallen only to "
			"%.2g of its largest, as at a kink of the density or where rounding hides the way: a smoother prior, or starts > 1, "
			"tell", fall);
out:
	return st;
}

/* How far the optima are apart; samples holds images x, best first. */
static um_status compare(work *w, const int64_t *order, const um_array *x)
{
	const double same_value = 1e-3, same_image = 0.05;
	const int64_t count = x->dim[0];
	const double best = um_row_d(&w->figure, order[0])[OBJECTIVE];
	double sum = 0, square = 0, apart = 0, agree = 1, total[NFIGURES] = { 0 };
	for (int64_t i = 0; i < count; i++) {
		const double *figure = um_row_d(&w->figure, order[i]);
		double above = figure[OBJECTIVE] - best;
		double d = i > 0 ? distance(um_row_f(x, 0), um_row_f(x, i), w->n) : 0;
		sum += above;
		square += above * above;
		apart += d;
		agree += i > 0 && above <= same_value * fmax(1, fabs(best)) && d <= same_image;
		for (int j = 0; j < NFIGURES; j++)
			total[j] += figure[j];
	}
	const double others = (double)(count - 1), mean = sum / (double)count;
	const struct { const char *name; double value; } metrics[] = {
		{ "objective", best },
		{ "objective_sd", others > 0 ? sqrt(fmax(0, square - sum * mean) / others) : NAN },
		{ "image_distance", others > 0 ? apart / others : NAN },
		{ "starts_agree", agree },
		{ "starts_converged", total[CONVERGED] },
		{ "starts_stalled", total[STALLED] },
		{ "iterations", total[ITERATIONS] },
		{ "nfe", total[EVALUATIONS] },
	};
	um_status st = report_end(w, um_row_d(&w->figure, order[0]));
	for (size_t i = 0; st == UM_OK && i < sizeof(metrics) / sizeof(*metrics); i++)
		st = um_sink_metric(w->sink, metrics[i].name, metrics[i].value);
	return st;
}

/* The operator parameters of the best start, which the problem keeps: all samples are judged by
 * them. The figures before and after are of its image, with those given and with these. */
static um_status calibrated(work *w, int64_t best)
{
	um_status st = UM_OK;
	const double *u = um_row_d(&w->x, best);
	double before, after;
	um_problem_set_op(w->problem, um_row_d(&w->given, 0));
	UM_TRY(loglike(w, u, &before));
	um_problem_set_op(w->problem, um_row_d(&w->op, best));
	UM_TRY(calibrate(w, best, u, w->stop ? NULL : w->sink));
	UM_TRY(loglike(w, u, &after));
	if (w->stop)
		goto out;
	UM_TRY(um_sink_metric(w->sink, "loglike_before", before));
	UM_TRY(um_sink_metric(w->sink, "loglike_after", after));
	UM_TRY(um_sink_metric(w->sink, "selfcal_rounds", um_row_d(&w->figure, best)[ROUNDS]));
out:
	return st;
}

/* Finished starts best first, then, where a stop cut in, the running one as it stands. */
static um_status deliver(work *w)
{
	um_status st = UM_OK;
	const int64_t finished = *at(w, 0), count = finished + (w->stop ? 1 : 0);
	um_array u = { 0 }, x = { 0 };
	int64_t *order = calloc((size_t)count, sizeof(*order));
	if (order == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "map: out of memory"));
	rank(w, finished, order);
	for (int64_t i = finished; i < count; i++)
		order[i] = i;
	if (w->op.data != NULL)
		UM_TRY(calibrated(w, order[0]));
	UM_TRY(um_problem_images(w->problem, count, &u));
	UM_TRY(um_problem_images(w->problem, count, &x));
	for (int64_t i = 0; i < count; i++)
		for (int64_t j = 0; j < w->n; j++)
			um_row_f(&u, i)[j] = (float)um_row_d(&w->x, order[i])[j];
	UM_TRY(um_sink_samples(w->sink, &u, NULL));
	UM_TRY(um_problem_image(w->problem, &u, &x));
	if (!w->stop)
		UM_TRY(compare(w, order, &x));
out:
	free(order);
	um_array_free(&u);
	um_array_free(&x);
	return st;
}

/* ---- plugin ---------------------------------------------------------------------------------- */

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	info->fewer = true;
	info->needs = UM_NEEDS_LOGP;
	if (((const struct map *)p)->selfcal > 0)
		info->needs |= UM_NEEDS_CALIBRATE;
	if (((const struct map *)p)->schedule.n < 1)
		return um_fail(UM_EPARAM, "map: schedule is empty; give at least one weight, such as [1.0]");
	struct map *m = malloc(sizeof(*m));
	if (m == NULL)
		return um_fail(UM_ENOMEM, "map: out of memory");
	memcpy(m, p, sizeof(*m));
	um_status st = *m->image ? um_start_read(m->image, env, &m->from) : UM_OK;
	if (st != UM_OK)
		free(m);
	else
		*self = m;
	return st;
}

static void destroy(void *self)
{
	struct map *m = self;
	um_array_free(&m->from);
	free(m);
}

static um_status prepare_op(work *w)
{
	um_status st = UM_OK;
	const int64_t nop = w->about->nop;
	if (nop == 0)
		UM_TRY(um_fail(UM_EPARAM, "map: selfcal = %lld, but the forward model has nothing to calibrate",
			(long long)w->set->selfcal));
	UM_TRY(um_array_new(&w->op, UM_F64, 2, (const int64_t[]){ w->set->starts, nop }));
	UM_TRY(um_array_new(&w->given, UM_F64, 2, (const int64_t[]){ 1, nop }));
	UM_TRY(um_array_copy(&w->given, um_problem_op(w->problem)));
	for (int64_t i = 0; i < w->set->starts; i++)
		memcpy(um_row_d(&w->op, i), w->given.data, sizeof(double) * (size_t)nop);
	w->joint = strcmp(w->set->selfcal_how, "joint") == 0;
out:
	return st;
}

static um_status prepare(work *w)
{
	um_status st = UM_OK;
	bool found;
	UM_TRY(um_array_new(&w->x, UM_F64, 2, (const int64_t[]){ w->set->starts, w->n }));
	UM_TRY(um_array_new(&w->figure, UM_F64, 2, (const int64_t[]){ w->set->starts, NFIGURES }));
	UM_TRY(um_array_new(&w->position, UM_I64, 1, (const int64_t[]){ 2 }));
	if (w->set->selfcal > 0)
		UM_TRY(prepare_op(w));
	um_array *const arrays[] = { &w->x, &w->figure, &w->position, &w->op };
	UM_TRY(um_sink_restore(w->sink, w->op.data != NULL ? 4 : 3, saved, arrays, &found));
out:
	return st;
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	um_status st = UM_OK;
	um_array x = { 0 };
	work w = { .set = self, .problem = problem, .about = um_problem_about(problem), .sink = sink };
	w.n = w.about->n;
	UM_TRY(um_array_new(&x, UM_F64, 1, &w.n));
	UM_TRY(prepare(&w));
	UM_TRY(minimise_all(&w, x.data));
	UM_TRY(deliver(&w));
	if (w.stop)
		st = um_fail(UM_EINTR, "map: stopped in start %lld of %lld", (long long)*at(&w, 0) + 1,
			(long long)w.set->starts);
out:
	um_array_free(&x);
	um_array_free(&w.x);
	um_array_free(&w.figure);
	um_array_free(&w.position);
	um_array_free(&w.op);
	um_array_free(&w.given);
	return st;
}

static const um_inference_ops ops = { .create = create, .destroy = destroy, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "map", "0.1.0",
	"The most probable image, by L-BFGS from one or several starting points.", "",
	UM_PARAMS(struct map, params), UM_OPS(ops),
};
