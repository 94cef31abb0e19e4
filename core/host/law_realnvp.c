/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A flow: u = c + d x, x = G(z), where c and d are the means and standard deviations that the fit
 * started with, so that the flow begins as white noise of the right size. The gradient of the loss is
 * E[(f'(u) + w grad log q(u)) du/dtheta]: grad log q comes from the inverse of the flow at held
 * weights, has mean zero over dtheta and cancels the noise of the fit where q is the target (Roeder et
 * al. 2017, arXiv:1703.09194; Vaitl et al. 2022, arXiv:2207.08219). With BatchNorm the entropy is the
 * log-determinant instead. One forward pass serves the draws and the gradient. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/program.h>
#include "host/law.h"

enum { OUT, LOGDET, MEAN, VAR, EARLY }; /* outputs of the training program, then gradients */

typedef struct {
	int64_t n, batch;
	uint64_t seed;
	int threads;
	um_flow_spec spec;
	bool balance;
	um_graph *graph;
	um_weights *w, *tail;      /* tail: average of the last steps */
	um_adam adam;
	um_program *train, *sample;
	um_array weights, average; /* views of w and tail, [len] */
	um_array affine;           /* [2][n] c, d */
	double log_d, mean_logq;
	float *grad;               /* [len], 64-byte aligned */
	um_array grad_block;
} realnvp;

static void destroy(um_law *law)
{
	realnvp *q = law->self;
	if (q->train != NULL)
		um_log(UM_DEBUG, "a step of the flow: %s", um_program_profile(q->train));
	um_program_free(q->train);
	um_program_free(q->sample);
	um_weights_free(q->w);
	um_weights_free(q->tail);
	um_graph_free(q->graph);
	um_adam_free(&q->adam);
	um_array_free(&q->affine);
	um_array_free(&q->grad_block);
	free(q);
}

/* log q of x, as the inverse of the flow has it, up to a constant, and its gradient in x. */
static um_status score_nodes(realnvp *q, um_node *x, um_node **log_q, um_node **score)
{
	um_node *at = um_nn_detach(x), *none = NULL;
	um_flow_nodes inverse = um_flow_invert(q->graph, &q->spec, "flow", false, at, NULL);
	um_node *half = um_nn_scale(um_nn_sum(um_nn_square(inverse.out), UM_NN_ALL), -0.5);
	um_node *logq = um_nn_add(half, inverse.logdet);
	*score = NULL;
	*log_q = logq;
	return um_grad(1, &logq, &none, 1, &at, score);
}

/* The loss whose derivative is that of E[v . x] - e H(x), v and e being what the caller feeds in. */
static um_status loss_node(realnvp *q, const um_flow_nodes *flow, um_node **loss)
{
	um_status st = UM_OK;
	const int64_t none = 0;
	um_node *v = um_nn_late_input(q->graph, "v", 1, &q->n, true);
	um_node *e = um_nn_late_input(q->graph, "e", 0, &none, false), *logq, *score;
	if (q->spec.batchnorm) {
		um_node *work = um_nn_sum(um_nn_mul(flow->out, v), UM_NN_ALL);
		*loss = um_nn_sub(work, um_nn_mul(flow->logdet, e));
		return um_graph_status(q->graph);
	}
	UM_TRY(score_nodes(q, flow->out, &logq, &score));
	um_node *pull = um_nn_detach(um_nn_add(v, um_nn_mul(score, e)));
	*loss = um_nn_sum(um_nn_mul(flow->out, pull), UM_NN_ALL);
	if (q->balance)
		*loss = um_nn_sub(*loss, um_nn_mul(logq, um_nn_late_input(q->graph, "share", 0, &none, true)));
	st = um_graph_status(q->graph);
out:
	return st;
}

static um_status compile(realnvp *q, const um_flow_nodes *flow, um_node *loss)
{
	um_status st = UM_OK;
	const um_compile_options how = { UM_PER_BATCH, UM_FLOAT32, q->threads, q->w };
	const bool bn = q->spec.batchnorm;
	um_node *z = um_nn_input(q->graph, "z", 1, &q->n, true);
	um_flow_nodes frozen = um_flow_sample(q->graph, &q->spec, "flow", false, z, NULL);
	um_node *draws[2] = { frozen.out, frozen.logdet };
	um_node **all = calloc((size_t)(q->w->n + EARLY), sizeof(*all));
	if (all == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for gradients"));
	all[OUT] = flow->out;
	all[LOGDET] = flow->logdet;
	all[MEAN] = bn ? flow->mean : flow->logdet;
	all[VAR] = bn ? flow->var : flow->logdet;
	UM_TRY(um_weights_grad(q->w, loss, all + EARLY));
	UM_TRY(um_compile(q->w->n + EARLY, all, &how, &q->train));
	UM_TRY(um_compile(2, draws, &how, &q->sample));
	for (int i = 0; i < q->w->n; i++)
		um_program_output_to(q->train, EARLY + i, q->grad + ((float *)q->w->array[i].data - q->w->data));
out:
	free(all);
	return st;
}

static um_status build(realnvp *q)
{
	um_status st = UM_OK;
	um_node *loss;
	um_rng rng = um_rng_new(q->seed, "weights", 0);
	if ((q->graph = um_graph_new(q->batch)) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for a graph"));
	um_node *z = um_nn_input(q->graph, "z", 1, &q->n, true);
	um_flow_nodes flow = um_flow_sample(q->graph, &q->spec, "flow", q->spec.batchnorm, z, NULL);
	UM_TRY(loss_node(q, &flow, &loss));
	UM_TRY(um_weights_new(q->graph, &rng, &q->w));
	if ((q->tail = um_weights_copy(q->w)) == NULL)
		UM_TRY(UM_ENOMEM);
	UM_TRY(um_array_new(&q->grad_block, UM_F32, 1, &q->w->len));
	q->grad = q->grad_block.data;
	UM_TRY(compile(q, &flow, loss));
out:
	return st;
}

static um_status create(um_law *law, const um_law_spec *spec)
{
	um_status st = UM_OK;
	const int64_t two[2] = { 2, spec->n };
	realnvp *q = law->self = calloc(1, sizeof(*q));
	if (q == NULL)
		return um_fail(UM_ENOMEM, "no memory for a law");
	q->n = law->noise = spec->n;
	q->batch = spec->batch;
	q->seed = spec->seed;
	q->threads = spec->threads;
	q->spec = spec->flow;
	q->balance = spec->balance && !spec->flow.batchnorm;
	UM_TRY(um_flow_check(&q->spec));
	UM_TRY(build(q));
	UM_TRY(um_adam_new_f(&q->adam, q->w->len, spec->rate));
	q->adam.warmup = spec->warmup;
	q->adam.clip = spec->clip;
	q->adam.decay = spec->floor < 1 ? UM_DECAY_COSINE : UM_DECAY_NONE;
	q->adam.span = spec->span;
	q->adam.floor = spec->floor;
	UM_TRY(um_array_new(&q->affine, UM_F64, 2, two));
	q->weights = um_array_view(q->w->data, UM_F32, 1, &q->w->len);
	q->average = um_array_view(q->tail->data, UM_F32, 1, &q->w->len);
	law->nstate = 4;
	law->nresult = 2;
	law->name[0] = "weights", law->state[0] = &q->weights;
	law->name[1] = "affine", law->state[1] = &q->affine;
	law->name[2] = "moments", law->state[2] = &q->adam.moments;
	law->name[3] = "tail", law->state[3] = &q->average;
out:
	return st;
}

static void set_affine(realnvp *q)
{
	q->log_d = 0;
	for (int64_t i = 0; i < q->n; i++)
		q->log_d += log(um_row_d(&q->affine, 1)[i]);
}

static um_status start(um_law *law, int64_t attempt, const double *mean, const double *sd)
{
	um_status st = UM_OK;
	realnvp *q = law->self;
	um_weights *fresh = NULL;
	um_rng rng = um_rng_new(q->seed, "weights", (uint64_t)attempt);
	rng.key[0] += (uint64_t)attempt; /* streams of tensors follow the key alone */
	UM_TRY(um_weights_new(q->graph, &rng, &fresh));
	memcpy(q->w->data, fresh->data, sizeof(float) * (size_t)q->w->len);
	um_weights_touch(q->w);
	memset(q->tail->data, 0, sizeof(float) * (size_t)q->w->len);
	memset(q->adam.moments.data, 0, sizeof(float) * 2 * (size_t)q->w->len);
	q->adam.step = 0;
	memcpy(um_row_d(&q->affine, 0), mean, sizeof(double) * (size_t)q->n);
	memcpy(um_row_d(&q->affine, 1), sd, sizeof(double) * (size_t)q->n);
	set_affine(q);
out:
	um_weights_free(fresh);
	return st;
}

static void feed(realnvp *q, um_program *p, int64_t count, const double *z)
{
	float *to = um_program_input(p, "z").data;
	for (int64_t i = 0; i < count * q->n; i++)
		to[i] = (float)z[i];
	memset(to + count * q->n, 0, sizeof(float) * (size_t)((q->batch - count) * q->n));
}

/* u = c + d x, and log q(u) = log N(z) - log |dx/dz| - sum log d. */
static void read_out(realnvp *q, um_program *p, int64_t count, const double *z, um_array *u, double *logq)
{
	const float *x = um_program_output(p, OUT).data, *logdet = um_program_output(p, LOGDET).data;
	const double *c = um_row_d(&q->affine, 0), *d = um_row_d(&q->affine, 1);
	q->mean_logq = 0;
	for (int64_t b = 0; b < count; b++) {
		double square = 0;
		for (int64_t i = 0; i < q->n; i++) {
			um_row_f(u, b)[i] = (float)(c[i] + d[i] * x[b * q->n + i]);
			square += z[b * q->n + i] * z[b * q->n + i];
		}
		double v = -0.5 * (square + (double)q->n * UM_LOG_2PI) - logdet[b] - q->log_d;
		q->mean_logq += v / (double)count;
		logq[b] = v;
	}
}

static um_status draw(um_law *law, bool train, int64_t count, const double *z, um_array *u, double *logq)
{
	um_status st = UM_OK;
	realnvp *q = law->self;
	um_program *p = train ? q->train : q->sample;
	feed(q, p, count, z);
	if (train)
		UM_TRY(um_program_run_early(p, 0));
	else
		UM_TRY(um_program_run(p, 0));
	read_out(q, p, count, z, u, logq);
out:
	return st;
}

static double entropy(um_law *law)
{
	return -((realnvp *)law->self)->mean_logq;
}

static um_status step(um_law *law, const double *z, const um_array *du, double weight,
	const double *share)
{
	um_status st = UM_OK;
	realnvp *q = law->self;
	const double *d = um_row_d(&q->affine, 1);
	float *v = um_program_input(q->train, "v").data, *e = um_program_input(q->train, "e").data;
	(void)z;
	for (int64_t b = 0; b < q->batch; b++)
		for (int64_t i = 0; i < q->n; i++)
			v[b * q->n + i] = (float)(um_row_f(du, b)[i] * d[i] / (double)q->batch);
	*e = (float)(weight / (double)q->batch);
	for (int64_t b = 0; q->balance && b < q->batch; b++)
		((float *)um_program_input(q->train, "share").data)[b] = share != NULL ? (float)share[b] : 0;
	UM_TRY(um_program_run(q->train, 0));
	if (q->spec.batchnorm) {
		um_array mean = um_program_output(q->train, MEAN), var = um_program_output(q->train, VAR);
		um_flow_follow(q->w, "flow", &mean, &var);
	}
	um_adam_step_f(&q->adam, q->w->data, q->grad);
	um_weights_touch(q->w);
out:
	return st;
}

static void average(um_law *law, int64_t k)
{
	realnvp *q = law->self;
	um_weights_average(q->tail, q->w, (double)(k - 1) / (double)k);
}

static void finish(um_law *law, int64_t averaged)
{
	realnvp *q = law->self;
	if (averaged <= 0)
		return;
	memcpy(q->w->data, q->tail->data, sizeof(float) * (size_t)q->w->len);
	um_weights_touch(q->w);
}

static void changed(um_law *law, int64_t steps)
{
	realnvp *q = law->self;
	q->adam.step = steps;
	um_weights_touch(q->w);
	set_affine(q);
}

const um_law_ops um_law_realnvp = { .create = create, .destroy = destroy, .start = start, .draw = draw,
	.entropy = entropy, .step = step, .average = average, .finish = finish, .changed = changed };
