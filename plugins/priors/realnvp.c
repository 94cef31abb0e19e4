/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A flow learned by maximum likelihood (Dinh et al. 2017, arXiv:1605.08803): with z = F(x) the inverse
 * of the flow at the whitened image,
 *   log p(x) = log N(z; 0, I) + log |det dF/dx|,
 * exactly, with its gradient; draws are the flow of white noise. Images are whitened pixel by pixel
 * with the mean and standard deviation of the training images. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/dataset.h>
#include <umbra/flow.h>
#include <umbra/plugin.h>
#include <umbra/program.h>
#include <umbra/training.h>

enum { ROWS = 16, MOMENTS = 4096, HELD = 1024 }; /* images: in a call, for moments, held out and looked at */
enum { NOISE = 0x6e6f6973 };
static const double LOG_2PI = 1.8378770664093453;

struct realnvp {
	const char *model, *couplings_of;
	int64_t couplings, hidden, depth, steps, batch, warmup, check, patience;
	double bound, noise, rate, decay, clip, average;
};

#define P(field, def, min, max, doc) UM_PARAM(struct realnvp, field, def, min, max, "", doc)

static const um_param params[] = {
	UM_FILE(struct realnvp, model, "", "Weight file that a train stage wrote; may be left out where a train "
		"stage of the same pipeline comes first. A fit that starts from it keeps its couplings and nets."),
	UM_CHOICE(struct realnvp, couplings_of, "vectors", "vectors|images", "Dense nets on halves of all pixels, "
		"or convolutions on checkerboards and channels. This and all that follows is for training."),
	P(couplings, "16", 1, 4096, "Affine couplings."),
	P(hidden, "0", 0, 65536, "Width of the nets; 0: n / 8 between 32 and 1024, for images 32."),
	P(depth, "3", 2, 64, "Layers of a net."),
	P(bound, "0.5", 0.01, 10, "Largest |log s| of a coupling: small ones keep the density tame far from the "
		"training images."),
	P(noise, "0.01", 0, 1e12, "Standard deviation of white noise added to training images, in units of x: a "
		"density that is smooth on this scale. Bits a pixel are those of images with it."),
	P(steps, "5000", 1, 1000000000, "Steps of the optimiser, Adam."),
	P(batch, "128", 1, 65536, "Images in a step."),
	P(rate, "0.001", 1e-9, 10, "Size of a step."),
	P(decay, "0.05", 1e-6, 1, "What is left of the rate at the last step, along a cosine; 1: all."),
	P(warmup, "200", 0, 1000000000, "Steps over which the rate grows to its value."),
	P(clip, "100", 0, 1e30, "Largest norm of a gradient, longer ones are scaled; 0: any."),
	P(average, "0.995", 0, 0.999999, "Rate of the moving average of the weights, which is the result."),
	P(check, "200", 1, 1000000000, "Steps between looks at the held-out images, and rows of the trace."),
	P(patience, "10", 1, 1000000, "Looks in a row without a better density of the held-out images that end "
		"the training; the weights of the best look are kept."),
};

/* The flow compiled: density of ROWS images, or of one for those who search; draws. */
typedef struct net {
	um_graph *graph, *graph_of_one;
	um_program *logp, *logp_of_one, *sample;
} net;

struct self {
	const struct realnvp *set;
	int64_t n, shape[5];
	int threads;
	um_flow_spec spec;
	um_weights *w;        /* NULL: not trained */
	um_array mean, sd;    /* [n] double */
	double log_sd;        /* sum of log sd */
	net net;
};

static um_status no_memory(void)
{
	return um_fail(UM_ENOMEM, "no memory for a flow");
}

static void net_free(net *t)
{
	um_program_free(t->logp);
	um_program_free(t->logp_of_one);
	um_program_free(t->sample);
	um_graph_free(t->graph);
	um_graph_free(t->graph_of_one);
	*t = (net){ 0 };
}

static void destroy(void *self)
{
	struct self *p = self;
	net_free(&p->net);
	um_weights_free(p->w);
	um_array_free(&p->mean);
	um_array_free(&p->sd);
	free(p);
}

/* log p of the whitened image, up to (n/2) log 2 pi. */
static um_node *density(struct self *p, um_graph *g, um_node *x)
{
	um_flow_nodes f = um_flow_invert(g, &p->spec, "flow", false, x, NULL);
	return um_nn_add(um_nn_scale(um_nn_sum(um_nn_square(f.out), UM_NN_ALL), -0.5), f.logdet);
}

/* Weights named by the graph of the density, of a file or where t is NULL at their start. */
static um_status weights(struct self *p, const um_rng *rng, const um_tensors *t, um_weights **w)
{
	um_status st = UM_OK;
	um_graph *g = um_graph_new(1);
	if (g == NULL)
		UM_TRY(no_memory());
	density(p, g, um_nn_input(g, "x", 1, &p->n, true));
	UM_TRY(t != NULL ? um_weights_read(g, t, w) : um_weights_new(g, rng, w));
out:
	um_graph_free(g);
	return st;
}

/* Density with gradient, in double for the sake of optimisers and differences. */
static um_status compile_density(struct self *p, um_graph *g, um_program **program)
{
	um_status st = UM_OK;
	const um_compile_options how = { UM_PER_BATCH, UM_FLOAT64, p->threads, p->w };
	um_node *none = NULL, *x = um_nn_input(g, "x", 1, &p->n, true), *out[2] = { density(p, g, x), NULL };
	UM_TRY(um_grad(1, out, &none, 1, &x, &out[1]));
	UM_TRY(um_compile(2, out, &how, program));
out:
	return st;
}

/* Programs at the weights of p. */
static um_status ready(struct self *p)
{
	um_status st = UM_OK;
	const um_compile_options how = { UM_PER_BATCH, UM_FLOAT32, p->threads, p->w };
	net *t = &p->net;
	net_free(t);
	p->log_sd = 0;
	for (int64_t i = 0; i < p->n; i++)
		p->log_sd += log(((double *)p->sd.data)[i]);
	t->graph = um_graph_new(ROWS);
	t->graph_of_one = um_graph_new(1);
	if (t->graph == NULL || t->graph_of_one == NULL)
		UM_TRY(no_memory());
	UM_TRY(compile_density(p, t->graph, &t->logp));
	UM_TRY(compile_density(p, t->graph_of_one, &t->logp_of_one));
	um_node *z = um_nn_input(t->graph, "z", 1, &p->n, true);
	um_flow_nodes draw = um_flow_sample(t->graph, &p->spec, "flow", false, z, NULL);
	UM_TRY(um_compile(1, &draw.out, &how, &t->sample));
out:
	return st;
}

/* ---- weight files ------------------------------------------------------------------------------ */

static um_status vector(const struct self *p, const um_tensors *t, const char *name, um_array *out)
{
	const um_array *a = um_tensors_get(t, name);
	if (a == NULL || (a->dtype != UM_F32 && a->dtype != UM_F64) || um_array_len(a) != p->n)
		return um_fail(UM_EDATA, "no tensor '%s' of %lld numbers", name, (long long)p->n);
	return um_array_copy(out, a);
}

static um_status take(struct self *p, const um_tensors *t)
{
	um_status st = UM_OK;
	UM_TRY(um_flow_read(&p->spec, t));
	if (p->spec.rows != p->shape[3] || p->spec.columns != p->shape[4] ||
		p->spec.channels != p->shape[0] * p->shape[1] * p->shape[2])
		UM_TRY(um_fail(UM_EDATA, "the model is of images of %lld x %lld pixels with %lld channels, not %lld x "
			"%lld with %lld as here; train another", (long long)p->spec.columns, (long long)p->spec.rows,
			(long long)p->spec.channels, (long long)p->shape[4], (long long)p->shape[3],
			(long long)(p->shape[0] * p->shape[1] * p->shape[2])));
	UM_TRY(vector(p, t, "mean", &p->mean));
	UM_TRY(vector(p, t, "sd", &p->sd));
	for (int64_t i = 0; i < p->n; i++)
		if (!isfinite(((double *)p->mean.data)[i]) || !(((double *)p->sd.data)[i] > 0) ||
			!isfinite(((double *)p->sd.data)[i]))
			UM_TRY(um_fail(UM_EDATA, "tensors mean and sd must be finite, and sd positive"));
	UM_TRY(weights(p, NULL, t, &p->w));
	UM_TRY(ready(p));
out:
	return st;
}

static um_status load(struct self *p, const char *path)
{
	um_status st = UM_OK;
	um_tensors t = { 0 };
	UM_TRY(um_tensors_read(path, &t)); /* its message names the file */
	st = take(p, &t);
	if (st != UM_OK)
		st = um_context(st == UM_EPARAM ? UM_EDATA : st, "%s", path);
out:
	um_tensors_free(&t);
	return st;
}

static um_status save(struct self *p, um_sink *sink)
{
	um_status st = UM_OK;
	UM_TRY(um_flow_note(&p->spec, sink));
	UM_TRY(um_sink_tensor(sink, "mean", &p->mean));
	UM_TRY(um_sink_tensor(sink, "sd", &p->sd));
	UM_TRY(um_weights_sink(p->w, sink));
out:
	return st;
}

/* ---- density and draws ---------------------------------------------------------------------------- */

static um_status trained(const struct self *p)
{
	return p->w != NULL ? UM_OK :
		um_fail(UM_EPARAM, "realnvp: give a model, or train one in an earlier stage of the pipeline");
}

static double white(const struct self *p, const float *x, int64_t i)
{
	return (x[i] - ((const double *)p->mean.data)[i]) / ((const double *)p->sd.data)[i];
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	struct self *p = self;
	um_status st = UM_OK;
	const double *sd = p->sd.data;
	(void)rng;
	UM_TRY(trained(p));
	const bool one = x->dim[0] == 1;
	um_program *run = one ? p->net.logp_of_one : p->net.logp;
	double *in = um_program_input(run, "x").data;
	const double *out = um_program_output(run, 0).data, *grad = um_program_output(run, 1).data;
	for (int64_t first = 0; first < x->dim[0]; first += ROWS) {
		const int64_t count = x->dim[0] - first < ROWS ? x->dim[0] - first : ROWS;
		memset(in, 0, sizeof(double) * (size_t)((one ? 1 : ROWS) * p->n));
		for (int64_t b = 0; b < count; b++)
			for (int64_t i = 0; i < p->n; i++)
				in[b * p->n + i] = white(p, um_row_f(x, first + b), i);
		UM_TRY(um_program_run(run, 0));
		for (int64_t b = 0; b < count; b++) {
			lp[first + b] = out[b] - 0.5 * (double)p->n * LOG_2PI - p->log_sd;
			for (int64_t i = 0; dx != NULL && i < p->n; i++)
				um_row_f(dx, first + b)[i] = (float)(grad[b * p->n + i] / sd[i]);
		}
	}
out:
	return st;
}

static um_status sample(void *self, um_rng *rng, um_array *x)
{
	struct self *p = self;
	um_status st = UM_OK;
	const double *mean = p->mean.data, *sd = p->sd.data;
	UM_TRY(trained(p));
	float *in = um_program_input(p->net.sample, "z").data;
	const float *out = um_program_output(p->net.sample, 0).data;
	for (int64_t first = 0; first < x->dim[0]; first += ROWS) {
		const int64_t count = x->dim[0] - first < ROWS ? x->dim[0] - first : ROWS;
		memset(in, 0, sizeof(float) * (size_t)(ROWS * p->n));
		for (int64_t b = 0; b < count; b++)
			for (int64_t i = 0; i < p->n; i++)
				in[b * p->n + i] = (float)um_normal(&rng[first + b]);
		UM_TRY(um_program_run(p->net.sample, 0));
		for (int64_t b = 0; b < count; b++)
			for (int64_t i = 0; i < p->n; i++)
				um_row_f(x, first + b)[i] = (float)(mean[i] + sd[i] * out[b * p->n + i]);
	}
out:
	return st;
}

/* ---- training ---------------------------------------------------------------------------------------- */

/* Looks in a row that were no better than BEST, how many there were. */
enum { BAD_LOOKS, LOOKS, BEST, COUNTS };

typedef struct {
	struct self *p;       /* its weights are the average */
	um_dataset *data;
	const um_dataset_info *about;
	um_sink *sink;
	um_training training;
	um_array x, count, best; /* images; [COUNTS] double; weights of the best look */
} lesson;

static double *at(lesson *t, int i)
{
	return (double *)t->count.data + i;
}

/* Bits a pixel; of integers where the data say that noise hides their rounding. */
static double bits_of(const lesson *t, double logp)
{
	return -logp / ((double)t->p->n * log(2)) - (t->about->step > 0 ? log2(t->about->step) : 0);
}

/* Mean and standard deviation of each pixel, noise included; sd has a floor relative to the largest. */
static um_status moments(lesson *t)
{
	um_status st = UM_OK;
	struct self *p = t->p;
	const int64_t n = p->n, batch = p->set->batch;
	const int64_t rows = t->about->train > 0 && t->about->train < MOMENTS ? t->about->train : MOMENTS;
	const double noise = p->set->noise;
	double *mean = p->mean.data, *sd = p->sd.data, most = 0;
	memset(mean, 0, sizeof(double) * (size_t)n);
	memset(sd, 0, sizeof(double) * (size_t)n);
	for (int64_t first = 0, count; first < rows; first += count) {
		count = rows - first < batch ? rows - first : batch;
		um_array x = um_array_rows(&t->x, 0, count);
		UM_TRY(um_dataset_rows(t->data, false, first, count, &x));
		for (int64_t i = 0; i < count * n; i++) {
			const double v = ((float *)x.data)[i];
			mean[i % n] += v / (double)rows;
			sd[i % n] += v * v / (double)rows;
		}
	}
	for (int64_t i = 0; i < n; i++) {
		sd[i] = sqrt(fmax(0, sd[i] - mean[i] * mean[i]));
		most = fmax(most, sd[i]);
	}
	if (!(most > 0 || noise > 0))
		UM_TRY(um_fail(UM_EDATA, "%s: all images are equal", t->about->source));
	if (noise > most)
		um_log(UM_WARN, "%s: noise = %g hides the images, whose pixels vary by %.3g at most; give a smaller one",
			t->about->source, noise, most);
	for (int64_t i = 0; i < n; i++)
		sd[i] = fmax(hypot(sd[i], noise), 1e-4 * most);
out:
	return st;
}

static um_node *loss(void *self, um_graph *g)
{
	struct self *p = ((lesson *)self)->p;
	return um_nn_neg(um_nn_batch_mean(density(p, g, um_nn_input(g, "x", 1, &p->n, true))));
}

static um_status learn(void *self, int64_t step, double *bits)
{
	lesson *t = self;
	um_status st = UM_OK;
	struct self *p = t->p;
	um_program *run = t->training.program;
	const int64_t batch = p->set->batch;
	float *in = um_program_input(run, "x").data;
	UM_TRY(um_dataset_batch(t->data, step, batch, &t->x));
	for (int64_t b = 0; b < batch; b++) {
		um_rng rng = um_rng_at(t->about->rng, NOISE, (uint64_t)(step * batch + b));
		float *x = um_row_f(&t->x, b);
		for (int64_t i = 0; p->set->noise > 0 && i < p->n; i++)
			x[i] += (float)(p->set->noise * um_normal(&rng));
		for (int64_t i = 0; i < p->n; i++)
			in[b * p->n + i] = (float)white(p, x, i);
	}
	UM_TRY(um_program_run(run, (uint64_t)step));
	*bits = bits_of(t, -*(float *)um_program_output(run, 0).data - 0.5 * (double)p->n * LOG_2PI - p->log_sd);
out:
	return st;
}

/* Mean bits a pixel of held-out images, or of training images where none are held out. */
static um_status held_out(lesson *t, double *bits)
{
	um_status st = UM_OK;
	const bool held = t->about->held > 0;
	const int64_t all = held ? t->about->held : t->about->train > 0 ? t->about->train : HELD;
	const int64_t rows = all < HELD ? all : HELD, batch = t->p->set->batch;
	double sum = 0, *lp = calloc((size_t)batch, sizeof(double));
	if (lp == NULL)
		UM_TRY(no_memory());
	for (int64_t first = 0, count; first < rows; first += count) {
		count = rows - first < batch ? rows - first : batch;
		um_array x = um_array_rows(&t->x, 0, count);
		UM_TRY(um_dataset_rows(t->data, held, first, count, &x));
		for (int64_t b = 0; t->p->set->noise > 0 && b < count; b++) {
			um_rng rng = um_rng_at(t->about->rng, NOISE + 1, (uint64_t)(first + b));
			for (int64_t i = 0; i < t->p->n; i++)
				um_row_f(&x, b)[i] += (float)(t->p->set->noise * um_normal(&rng));
		}
		UM_TRY(logp(t->p, NULL, &x, lp, NULL));
		for (int64_t b = 0; b < count; b++)
			sum += lp[b] / (double)rows;
	}
	*bits = bits_of(t, sum);
out:
	free(lp);
	return st;
}

/* Looks at the held-out images; *end: they have not become more likely for long. */
static um_status look(void *self, int64_t step, double seen, bool *end)
{
	static const char *const names[] = { "bits_per_dim", "held_out_bits_per_dim" };
	um_status st = UM_OK;
	lesson *t = self;
	double bits = 0;
	UM_TRY(held_out(t, &bits));
	const double row[] = { isnan(seen) ? bits : seen, bits };
	if (!isfinite(bits))
		UM_TRY(um_fail(UM_ENUM, "the flow diverged at step %lld; a smaller rate or clip, or more noise, may help",
			(long long)step));
	UM_TRY(um_sink_trace(t->sink, step, 2, names, row));
	if (++*at(t, LOOKS) == 1 || bits < *at(t, BEST)) {
		*at(t, BEST) = bits;
		*at(t, BAD_LOOKS) = 0;
		UM_TRY(um_array_copy(&t->best, &t->training.mean));
	} else
		++*at(t, BAD_LOOKS);
	*end = *at(t, BAD_LOOKS) >= (double)t->p->set->patience;
out:
	return st;
}

/* Says so where independent Gaussian pixels, where the fit begins, would have done much better. */
static void judge(lesson *t)
{
	const double start = bits_of(t, -t->p->log_sd - 0.5 * (double)t->p->n * (LOG_2PI + 1));
	if (*at(t, BEST) > start + 1)
		um_log(UM_WARN, "the fit failed: %.4g bits a pixel, where independent pixels need %.4g; a smaller rate or "
			"more steps may help", *at(t, BEST), start);
}

static um_status fit(void *self, um_dataset *data, um_sink *sink)
{
	static const char *const more_names[] = { "best", "mean", "sd", "counts of looks" };
	struct self *p = self;
	um_status st = UM_OK;
	const struct realnvp *set = p->set;
	const um_dataset_info *about = um_dataset_about(data);
	lesson t = { .p = p, .data = data, .about = about, .sink = sink };
	um_array *const more[] = { &t.best, &p->mean, &p->sd, &t.count };
	const int64_t *s = p->shape, counts = COUNTS;
	bool found;
	const bool model = p->w != NULL; /* goes on from its weights */
	if (!model) {
		p->spec.seed = about->seed;
		UM_TRY(weights(p, about->rng, NULL, &p->w));
	}
	t.training = (um_training){ .self = &t, .sink = sink, .average = p->w, .batch = set->batch, .steps = set->steps,
		.check = set->check, .warmup = set->warmup, .rate = set->rate, .decay = set->decay, .clip = set->clip,
		.averaging = set->average, .seconds = about->seconds, .loss = loss, .learn = learn, .look = look, .more = 4,
		.more_names = more_names, .more_arrays = more, .how = { UM_PER_BATCH, UM_FLOAT32, about->threads, NULL } };
	UM_TRY(um_array_new(&t.x, UM_F32, 6, (const int64_t[]){ set->batch, s[0], s[1], s[2], s[3], s[4] }));
	UM_TRY(um_array_new(&t.best, UM_F32, 1, &p->w->len));
	UM_TRY(um_array_new(&t.count, UM_F64, 1, &counts));
	UM_TRY(um_training_begin(&t.training, &found));
	if (!found && !model)
		UM_TRY(moments(&t));
	t.training.ended = *at(&t, BAD_LOOKS) >= (double)set->patience;
	UM_TRY(ready(p));
	UM_TRY(um_training_run(&t.training));
	UM_TRY(um_array_copy(&t.training.mean, &t.best));
	um_weights_touch(p->w);
	judge(&t);
	UM_TRY(um_sink_metric(sink, about->held > 0 ? "held_out_bits_per_dim" : "bits_per_dim", *at(&t, BEST)));
	UM_TRY(save(p, sink));
out:
	um_training_free(&t.training);
	um_array_free(&t.x);
	um_array_free(&t.best);
	um_array_free(&t.count);
	return st;
}

/* ---- plugin -------------------------------------------------------------------------------------------- */

static um_status create(void **self, const void *set, const um_env *env, um_prior_info *info)
{
	um_status st = UM_OK;
	struct self *p = calloc(1, sizeof(*p));
	info->normalised = true;
	if (p == NULL)
		return no_memory();
	p->set = set;
	p->n = 1;
	p->threads = env->threads;
	for (int i = 0; i < 5; i++)
		p->n *= p->shape[i] = env->shape[i];
	UM_TRY(um_array_new(&p->mean, UM_F64, 1, &p->n));
	UM_TRY(um_array_new(&p->sd, UM_F64, 1, &p->n));
	p->spec = (um_flow_spec){ strcmp(p->set->couplings_of, "images") == 0, p->shape[3], p->shape[4],
		p->shape[0] * p->shape[1] * p->shape[2], p->set->couplings, p->set->hidden, p->set->depth, false,
		p->set->bound, env->seed };
	if (*p->set->model != '\0')
		UM_TRY(load(p, p->set->model));
	else
		UM_TRY(um_flow_check(&p->spec));
	*self = p;
	p = NULL;
out:
	if (p != NULL)
		destroy(p);
	return st;
}

static const um_prior_ops ops = { .create = create, .destroy = destroy, .logp = logp, .sample = sample,
	.fit = fit };

UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "realnvp", "0.1.0",
	"A normalising flow (RealNVP) learned by maximum likelihood.",
	"Dinh, Sohl-Dickstein & Bengio 2017, ICLR, arXiv:1605.08803",
	UM_PARAMS(struct realnvp, params), UM_OPS(ops),
};
