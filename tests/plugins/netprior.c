/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sound, and a user of the engine of networks through installed headers alone (outside.sh): one dense
 * layer, log p(x) = -|x|^2 / 2 - |tanh(W x + b)|^2, with the gradient that um_grad adds. */
#include <stdlib.h>
#include <umbra/graph.h>
#include <umbra/layers.h>
#include <umbra/plugin.h>
#include <umbra/program.h>
#include <umbra/weights.h>

struct set { int64_t width; };
static const um_param params[] = {
	UM_PARAM(struct set, width, "16", 1, 4096, "", "Width of the net."),
};
struct self { int64_t n; um_graph *graph; um_weights *w; um_program *program; };

static void destroy(void *self)
{
	struct self *p = self;
	um_program_free(p->program);
	um_weights_free(p->w);
	um_graph_free(p->graph);
	free(p);
}

static um_status create(void **self, const void *set, const um_env *env, um_prior_info *info)
{
	um_status st = UM_OK;
	const um_rng rng = um_rng_new(1, "net", 0);
	um_node *out[2], *none = NULL;
	struct self *p = calloc(1, sizeof(*p));
	(void)info;
	if (p == NULL)
		return um_fail(UM_ENOMEM, "no memory");
	p->n = 1;
	for (int i = 0; i < 5; i++)
		p->n *= env->shape[i];
	if ((p->graph = um_graph_new(1)) == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory"));
	um_node *x = um_nn_input(p->graph, "x", 1, &p->n, true);
	um_node *h = um_nn_tanh(um_layer_dense(x, "one", ((const struct set *)set)->width, 1));
	out[0] = um_nn_sub(um_nn_scale(um_nn_sum(um_nn_square(x), UM_NN_ALL), -0.5), um_nn_sum(um_nn_square(h), UM_NN_ALL));
	UM_TRY(um_grad(1, out, &none, 1, &x, &out[1]));
	UM_TRY(um_weights_new(p->graph, &rng, &p->w));
	const um_compile_options how = { UM_PER_BATCH, UM_FLOAT64, env->threads, p->w };
	UM_TRY(um_compile(2, out, &how, &p->program));
	*self = p;
	p = NULL;
out:
	if (p != NULL)
		destroy(p);
	return st;
}

static um_status logp(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx)
{
	um_status st = UM_OK;
	struct self *p = self;
	double *in = um_program_input(p->program, "x").data;
	(void)rng;
	for (int64_t b = 0; b < x->dim[0]; b++) {
		for (int64_t i = 0; i < p->n; i++)
			in[i] = um_row_f(x, b)[i];
		UM_TRY(um_program_run(p->program, 0));
		lp[b] = *(double *)um_program_output(p->program, 0).data;
		for (int64_t i = 0; dx != NULL && i < p->n; i++)
			um_row_f(dx, b)[i] = (float)((double *)um_program_output(p->program, 1).data)[i];
	}
out:
	return st;
}

static const um_prior_ops ops = { .create = create, .destroy = destroy, .logp = logp };
UM_PLUGIN = {
	UM_HEADER, UM_PRIOR, 0, "netprior", "1.0", "A small network as a prior.", "nobody",
	UM_PARAMS(struct set, params), UM_OPS(ops),
};
