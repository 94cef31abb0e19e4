/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a weight file says of itself, whatever it says, to each plugin that has weights: it opens with them or refuses, and
 * makes nothing of a size that the file only states. */
#include <umbra/flow.h>
#include <umbra/host.h>
#include "fuzz.h"

enum { N = 4, READERS = 4 };

static const struct { um_kind kind; const char *name; } readers[READERS] = {
	{ UM_PRIOR, "realnvp" }, { UM_PRIOR, "pca" }, { UM_PRIOR, "score" }, { UM_INFERENCE, "cnf" },
};

static um_status attempt(int i, const char *path)
{
	const um_env env = { .size = sizeof(env), .threads = 1, .shape = { 1, 1, 1, 1, N }, .scale = 1 };
	um_status st = UM_OK;
	const um_plugin *p;
	um_problems bad = { 0 };
	um_params *params = NULL;
	um_node *root = NULL;
	um_prior prior = { 0 };
	um_inference inference = { 0 };
	char model[300];
	snprintf(model, sizeof(model), "model=%s", path);
	FUZZ_HOLDS(um_plugin_find(readers[i].kind, readers[i].name, &p) == UM_OK);
	FUZZ_HOLDS(um_config_parse("", "fuzz", &root) == UM_OK && um_config_set(root, model) == UM_OK);
	FUZZ_HOLDS(um_params_fill(p->params, p->nparams, p->params_size, root, NULL, p->name, &bad, &params) == UM_OK && params != NULL);
	st = readers[i].kind == UM_PRIOR ? um_prior_open(p, um_params_data(params), &env, &prior) :
		um_inference_open(p, um_params_data(params), &env, &inference);
	um_prior_close(&prior);
	um_inference_close(&inference);
	um_params_free(params);
	um_problems_free(&bad);
	um_node_free(root);
	return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	for (int i = 0; i < READERS; i++)
		fuzz_said(attempt(i, path));
	return 0;
}

/* ---- seeds ------------------------------------------------------------------------------------ */

typedef struct table {
	const char *name;
	int rank;
	int64_t dim[6];
} table;

static um_status put_tables(um_sink *sink, size_t n, const table *tables)
{
	um_status st = UM_OK;
	um_array a = { 0 };
	for (size_t i = 0; i < n; i++) {
		UM_TRY(um_array_new(&a, UM_F64, tables[i].rank, tables[i].dim));
		um_array_fill(&a, 1);
		UM_TRY(um_sink_tensor(sink, tables[i].name, &a));
		um_array_free(&a);
	}
out:
	um_array_free(&a);
	return st;
}

static um_status put_notes(um_sink *sink, size_t n, const char *const notes[][2])
{
	um_status st = UM_OK;
	for (size_t i = 0; i < n && st == UM_OK; i++)
		st = um_sink_note(sink, notes[i][0], notes[i][1]);
	return st;
}

/* A flow that is told "told" numbers; 0: none. */
static um_status put_flow(um_sink *sink, int64_t told)
{
	um_status st = UM_OK;
	const um_flow_spec spec = { false, 1, N, 1, 2, 3, 2, false, 0.5, 1 };
	const int64_t n = N;
	const um_rng rng = um_rng_new(1, "seed", 0);
	um_weights *w = NULL;
	um_graph *g = um_graph_new(1);
	um_node *c = told > 0 ? um_nn_input(g, "c", 1, &told, true) : NULL;
	(void)um_flow_sample(g, &spec, "flow", false, um_nn_input(g, "z", 1, &n, true), c);
	UM_TRY(um_weights_new(g, &rng, &w));
	UM_TRY(um_flow_note(&spec, sink));
	UM_TRY(um_weights_sink(w, sink));
out:
	um_weights_free(w);
	um_graph_free(g);
	return st;
}

#define COUNT(t) (sizeof(t) / sizeof(*(t)))

static um_status put_realnvp(um_sink *sink)
{
	static const table tables[] = { { "mean", 1, { N } }, { "sd", 1, { N } } };
	um_status st = put_tables(sink, COUNT(tables), tables);
	return st == UM_OK ? put_flow(sink, 0) : st;
}

static um_status put_pca(um_sink *sink)
{
	static const table tables[] = { { "mean", 5, { 1, 1, 1, 1, N } }, { "eigenvalues", 1, { 1 } }, { "noise", 1, { 1 } } };
	float unit[N] = { 1 };
	const um_array w = um_array_view(unit, UM_F32, 6, (const int64_t[]){ 1, 1, 1, 1, 1, N });
	um_status st = put_tables(sink, COUNT(tables), tables);
	return st == UM_OK ? um_sink_tensor(sink, "components", &w) : st;
}

/* Without weights, which are more than a seed may have. */
static um_status put_score(um_sink *sink)
{
	static const char *const notes[][2] = { { "net", "mlp" }, { "net.size", "4" }, { "net.width", "8" }, { "net.blocks", "1" },
		{ "net.dropout", "0" }, { "sde", "vp" }, { "sde.beta", "0.1 20" }, { "learned_times", "1e-05 1" }, { "range", "0 1" } };
	return put_notes(sink, COUNT(notes), notes);
}

/* One number is measured, and known to the law by one direction. */
static um_status put_cnf(um_sink *sink)
{
	static const table tables[] = { { "affine", 2, { 2, N } }, { "slope", 2, { N, 1 } }, { "axes", 2, { N, N } },
		{ "alarm", 1, { 3 } }, { "condition.moments", 2, { 2, 2 } }, { "condition.basis", 2, { 1, 2 } },
		{ "condition.noise", 2, { 3, 1 } }, { "condition.rest", 1, { 3 } }, { "condition.origin", 6, { 1, 1, 1, 1, 1, N } },
		{ "condition.modes", 2, { 1, N } }, { "condition.usual", 1, { 2 } }, { "condition.seen", 2, { 1, 1 } } };
	static const char *const notes[][2] = { { "embedding", "0" }, { "condition.summary", "raw" }, { "condition.blind", "false" },
		{ "condition.planes", "false" } };
	um_status st = put_tables(sink, COUNT(tables), tables);
	if (st == UM_OK)
		st = put_notes(sink, COUNT(notes), notes);
	return st == UM_OK ? put_flow(sink, 1) : st;
}

um_status fuzz_seeds(const char *folder)
{
	static um_status (*const puts[READERS])(um_sink *) = { put_realnvp, put_pca, put_score, put_cnf };
	um_status st = UM_OK;
	um_memory m = { 0 };
	char path[1024];
	for (int i = 0; i < READERS; i++) {
		um_sink sink = um_memory_sink(&m);
		UM_TRY(puts[i](&sink));
		snprintf(path, sizeof(path), "%s/%s", folder, readers[i].name);
		UM_TRY(um_tensors_write(path, &m.tensors));
		um_memory_free(&m);
		if (puts[i] != put_score)
			FUZZ_HOLDS(attempt(i, path) == UM_OK);
	}
out:
	um_memory_free(&m);
	return st;
}
