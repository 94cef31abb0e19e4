/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evaluation of score networks. A job asks for the score of x_t = alpha x + sigma z; the net knows that of
 * a u0 + b z with its own a and b. At its time of the same ratio of noise to signal
 *   u = c (x_t - alpha lo),  c = a / (alpha unit),  s(x_t) = c s_u(u) = -c / b N(y),
 * where y = p u - 1 is what it sees; so J = -c / b (c p) dN/dy, and the gradient of its trace has one more factor c p. Programs are made for what is asked, some images and some probes at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "host/scorenet.h"

enum { IMAGES = 16, PROBES = 4 };
/* RESIDUAL: jtv = J^T (sigma s + v). BETWEEN: v is made of s while the pass waits. */
enum { S = 1, JTV = 2, RESIDUAL = 4, JE = 8, DIV = 16, DDIV = 32, BETWEEN = 64 };

/* ---- the network ---------------------------------------------------------------------- */

/* [channels][rows][columns] to (rows, columns, channels), patches as channels of one pixel, and back. */
static um_node *to_pixels(const um_scorenet *net, um_node *y)
{
	static const int order[] = { 1, 3, 0, 2, 4 };
	const um_unet_spec *s = &net->unet;
	const int64_t p = net->patch, planes[5] = { s->channels / (p * p), s->rows, p, s->columns, p };
	const int64_t pixels[3] = { s->rows, s->columns, s->channels };
	return um_nn_reshape(um_nn_permute(um_nn_reshape(y, 5, planes), order), 3, pixels);
}

static um_node *from_pixels(const um_scorenet *net, um_node *y)
{
	static const int order[] = { 2, 0, 3, 1, 4 };
	const um_unet_spec *s = &net->unet;
	const int64_t p = net->patch, pixels[5] = { s->rows, s->columns, s->channels / (p * p), p, p };
	return um_nn_reshape(um_nn_permute(um_nn_reshape(y, 5, pixels), order), 1, &net->n);
}

um_node *scorenet_node(const um_scorenet *net, bool training, um_node *y, um_node *t)
{
	if (net->dense)
		return um_mlp(&net->mlp, "score.", training, y, t);
	return from_pixels(net, um_unet(&net->unet, "score.", training, to_pixels(net, y), t));
}

/* 2, over the size of u_t where the diffusion does not preserve it. */
double scorenet_factor(const um_sde *sde, double t)
{
	return 2 / hypot(um_sde_alpha(sde, t), um_sde_sigma(sde, t));
}

static um_node *label(um_graph *g)
{
	return um_nn_input(g, "t", 0, NULL, true);
}

um_status scorenet_weights(const um_scorenet *net, const um_rng *rng, const um_tensors *t, um_weights **w)
{
	um_graph *g = um_graph_new(1);
	if (g == NULL)
		return um_fail(UM_ENOMEM, "no memory for a network");
	(void)scorenet_node(net, false, um_nn_input(g, "y", 1, &net->n, true), label(g));
	const um_status st = t != NULL ? um_weights_read(g, t, w) : um_weights_new(g, rng, w);
	um_graph_free(g);
	return st;
}

/* ---- programs ---------------------------------------------------------------------------- */

static const char *const probe_name[PROBES] = { "e0", "e1", "e2", "e3" };

/* The outputs that are wanted, in the order of their bits, those of probes one a probe. */
static um_status build(const um_scorenet *net, scorenet_program *p)
{
	um_status st = UM_OK;
	um_node *out[3 + 2 * PROBES], *e[PROBES], *sum[PROBES];
	int n = 0;
	um_graph *g = p->graph = um_graph_new(p->images);
	if (g == NULL)
		return um_fail(UM_ENOMEM, "no memory for a network");
	um_node *y = um_nn_input(g, "y", 1, &net->n, true), *f = scorenet_node(net, false, y, label(g));
	if (p->want & S)
		out[n++] = f;
	if (p->want & (JTV | RESIDUAL)) {
		um_node *v = p->want & BETWEEN ? um_nn_late_input(g, "v", 1, &net->n, true) :
			um_nn_input(g, "v", 1, &net->n, true);
		if (p->want & RESIDUAL)
			v = um_nn_sub(v, um_nn_mul(um_nn_input(g, "rho", 0, NULL, true), um_nn_detach(f)));
		UM_TRY(um_grad(1, &f, &v, 1, &y, &out[n++]));
	}
	for (int64_t k = 0; k < p->probes; k++)
		e[k] = um_nn_input(g, probe_name[k], 1, &net->n, true);
	for (int64_t k = 0; p->want & JE && k < p->probes; k++)
		UM_TRY(um_tangent(1, &y, &e[k], 1, &f, &out[n++]));
	for (int64_t k = 0; p->want & (DIV | DDIV) && k < p->probes; k++) {
		UM_TRY(um_grad(1, &f, &e[k], 1, &y, &sum[k]));
		if (p->want & DIV)
			out[n++] = sum[k];
		sum[k] = um_nn_mul(sum[k], e[k]);
	}
	if (p->want & DDIV)
		UM_TRY(um_grad((int)p->probes, sum, NULL, 1, &y, &out[n++]));
	const um_compile_options how = { net->dense ? UM_PER_BATCH : UM_PER_IMAGE, p->precision, net->threads, net->w };
	UM_TRY(um_compile(n, out, &how, &p->program));
out:
	return st;
}

static void drop(scorenet_program *p)
{
	um_program_free(p->program);
	um_graph_free(p->graph);
}

void scorenet_forget(um_scorenet *net)
{
	for (int i = 0; i < net->nprograms; i++)
		drop(&net->program[i]);
	free(net->program);
	net->program = NULL;
	net->nprograms = 0;
}

static um_status program_for(um_scorenet *net, int want, int64_t probes, int64_t images, um_precision precision,
	um_program **out)
{
	scorenet_program p = { want, probes, images, precision, NULL, NULL };
	for (int i = 0; i < net->nprograms; i++) {
		const scorenet_program *q = &net->program[i];
		if (q->want == want && q->probes == probes && q->images == p.images && q->precision == precision) {
			*out = q->program;
			return UM_OK;
		}
	}
	const um_status st = build(net, &p);
	if (st != UM_OK) {
		drop(&p);
		return st;
	}
	net->program = um_grow(net->program, sizeof(p) * (size_t)(net->nprograms + 1));
	net->program[net->nprograms++] = p;
	*out = p.program;
	return UM_OK;
}

/* ---- jobs ---------------------------------------------------------------------------------- */

/* An image of a job at the time of the net. */
typedef struct place {
	double t, shift;  /* time; alpha lo */
	double in, out;   /* y = in (x_t - shift) - 1, s = out N */
	double rho;       /* sigma s = -rho N: 1 unless the time was held */
} place;

static place place_of(const um_scorenet *net, double alpha, double sigma)
{
	const double ratio = log(sigma / (alpha * net->unit)); /* infinite at both ends */
	double t = alpha > 0 ? um_sde_time(&net->sde, ratio) : net->most;
	t = !(t > net->least) ? net->least : t > net->most ? net->most : t;
	const double a = um_sde_alpha(&net->sde, t), b = um_sde_sigma(&net->sde, t);
	/* matches the larger of signal and noise: both, unless the time was held */
	const double c = alpha * net->unit >= sigma ? a / (alpha * net->unit) : b / sigma;
	place p = { .t = t, .shift = alpha * net->lo, .in = c * scorenet_factor(&net->sde, t), .out = -c / b };
	p.rho = -sigma * p.out;
	return p;
}

typedef struct call {
	um_scorenet *net;
	const um_score_job *job;
	um_precision precision;
	int64_t first, count; /* images */
	int64_t room;         /* images of programs */
	place at[IMAGES];
} call;

static void put_image(um_program *p, const char *name, const call *c, const um_array *from, int64_t each, int64_t k)
{
	float *to = um_program_input(p, name).data;
	const int64_t n = c->net->n;
	for (int64_t b = 0; to != NULL && b < c->count; b++)
		memcpy(to + b * n, (const float *)from->data + ((c->first + b) * each + k) * n, sizeof(float) * (size_t)n);
}

static void put_inputs(um_program *p, const call *c)
{
	const int64_t n = c->net->n;
	float *y = um_program_input(p, "y").data, *t = um_program_input(p, "t").data;
	float *rho = um_program_input(p, "rho").data;
	for (int64_t b = 0; b < c->count; b++) {
		const place *at = &c->at[b];
		const float *x = um_row_f(c->job->x, c->first + b);
		for (int64_t i = 0; i < n; i++)
			y[b * n + i] = (float)(at->in * ((double)x[i] - at->shift) - 1);
		t[b] = (float)(999 * at->t);
		if (rho != NULL)
			rho[b] = (float)at->rho;
	}
	if (c->job->v != NULL && c->job->between == NULL)
		put_image(p, "v", c, c->job->v, 1, 0);
}

/* Row b * each + k of "to" is set to, or with add increased by, factor times an output. */
static void take(um_program *p, int output, const call *c, um_array *to, int64_t each, int64_t k, int power, double weight,
	bool add)
{
	const int64_t n = c->net->n;
	const float *from = um_program_output(p, output).data;
	for (int64_t b = 0; b < c->count; b++) {
		const double f = weight * c->at[b].out * pow(c->at[b].in, power);
		float *row = (float *)to->data + ((c->first + b) * each + k) * n;
		for (int64_t i = 0; i < n; i++)
			row[i] = (float)(f * (double)from[b * n + i] + (add ? (double)row[i] : 0));
	}
}

/* div += weight e^T J^T e of the probe that was put last as number k. */
static void trace(um_program *p, int output, const call *c, int64_t k, double weight)
{
	const int64_t n = c->net->n;
	const float *from = um_program_output(p, output).data, *e = um_program_input(p, probe_name[k]).data;
	for (int64_t b = 0; b < c->count; b++) {
		double sum = 0;
		for (int64_t i = 0; i < n; i++)
			sum += (double)e[b * n + i] * (double)from[b * n + i];
		c->job->div[c->first + b] += weight * c->at[b].out * c->at[b].in * sum;
	}
}

/* Probes k .. k + count - 1 of the job, or columns of the unit matrix. */
static void put_probes(um_program *p, const call *c, bool exact, int64_t k, int64_t count)
{
	const int64_t n = c->net->n;
	for (int64_t j = 0; j < count; j++) {
		float *to = um_program_input(p, probe_name[j]).data;
		if (!exact) {
			put_image(p, probe_name[j], c, c->job->e, c->job->probes, k + j);
			continue;
		}
		memset(to, 0, sizeof(float) * (size_t)(c->count * n));
		for (int64_t b = 0; b < c->count; b++)
			to[b * n + k + j] = 1;
	}
}

/* Runs the program as far as s, of which the caller makes v. */
static um_status wait(um_program *p, call *c)
{
	um_status st = UM_OK;
	UM_TRY(um_program_run_early(p, 0));
	take(p, 0, c, c->job->s, 1, 0, 0, 1, false);
	UM_TRY(c->job->between(c->job->context, c->first, c->count));
	put_image(p, "v", c, c->job->v, 1, 0);
out:
	return st;
}

/* One pass: what is wanted apart from probes, and "count" probes from k on. */
static um_status pass(call *c, int want, bool exact, int64_t k, int64_t count)
{
	um_status st = UM_OK;
	const um_score_job *j = c->job;
	um_program *p = NULL;
	int o = 0;
	UM_TRY(program_for(c->net, want, count, c->room, c->precision, &p));
	um_program_images(p, c->count);
	put_inputs(p, c);
	put_probes(p, c, exact, k, count);
	if (want & BETWEEN)
		UM_TRY(wait(p, c));
	UM_TRY(um_program_run(p, 0));
	const double weight = exact ? 1 : 1 / (double)(j->probes > 0 ? j->probes : 1);
	if (want & S)
		take(p, o++, c, j->s, 1, 0, 0, 1, false);
	if (want & (JTV | RESIDUAL))
		take(p, o++, c, j->jtv, 1, 0, 1, 1, false);
	for (int64_t i = 0; want & JE && i < count; i++)
		take(p, o++, c, j->je, j->probes, k + i, 1, 1, false);
	for (int64_t i = 0; want & DIV && i < count; i++)
		trace(p, o++, c, i, weight);
	if (want & DDIV)
		take(p, o++, c, j->ddiv, 1, 0, 2, weight, k > 0);
out:
	return st;
}

static um_status some(call *c, int once, int probed)
{
	um_status st = UM_OK;
	const um_score_job *j = c->job;
	const bool exact = j->probes == 0;
	const int64_t all = probed == 0 ? 0 : exact ? c->net->n : j->probes;
	for (int64_t b = 0; b < c->count; b++) {
		c->at[b] = place_of(c->net, j->alpha[c->first + b], j->sigma[c->first + b]);
		if (probed & DIV)
			j->div[c->first + b] = 0;
	}
	for (int64_t k = 0; k < (all > 0 ? all : 1); k += PROBES)
		if (k == 0 || probed != 0)
			UM_TRY(pass(c, (k == 0 ? once : 0) | probed, exact, k, all - k < PROBES ? all - k : PROBES));
out:
	return st;
}

/* Images of a program. Where a pass waits it keeps what it knows of all of them: an image a thread. */
static int64_t room(const um_scorenet *net, const um_score_job *j)
{
	const int64_t threads = net->threads > 1 ? net->threads : 1;
	if (j->x->dim[0] == 1)
		return 1;
	return j->between != NULL && !net->dense && threads < IMAGES ? threads : IMAGES;
}

static um_status run(um_scorenet *net, const um_score_job *j, int jtv, um_precision precision)
{
	um_status st = UM_OK;
	if (net->w == NULL)
		return um_fail(UM_EPARAM, "score: name a prior whose score it is, give a model, or train one in an earlier "
			"stage of the pipeline");
	const int once = (j->s != NULL ? S : 0) | (j->jtv != NULL ? jtv : 0) | (j->between != NULL ? BETWEEN : 0);
	const int probed = (j->je != NULL && j->probes > 0 ? JE : 0) | (j->div != NULL ? DIV : 0) |
		(j->ddiv != NULL ? DDIV : 0);
	call c = { .net = net, .job = j, .precision = precision, .room = room(net, j) };
	for (c.first = 0; c.first < j->x->dim[0]; c.first += c.count) {
		const int64_t left = j->x->dim[0] - c.first;
		c.count = left < c.room ? left : c.room;
		UM_TRY(some(&c, once, probed));
	}
out:
	return st;
}

um_status um_scorenet_score(void *self, const um_score_job *job)
{
	um_scorenet *net = self;
	return run(net, job, JTV, net->fine);
}

um_status um_scorenet_score_fast(void *self, const um_score_job *job)
{
	um_scorenet *net = self;
	return run(net, job, JTV, net->fast);
}

um_status scorenet_residual(void *self, const um_score_job *job)
{
	um_scorenet *net = self;
	return run(net, job, RESIDUAL, net->fast);
}
