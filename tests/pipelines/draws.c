/* SPDX-License-Identifier: GPL-3.0-or-later */
/* draws PRIOR ROWS COLUMNS COUNT FILE.npy: draws from a prior with its defaults, for programs that are
 * independent of this one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/host.h>

static um_status draw(const char *name, const um_env *env, int64_t count, um_array *x)
{
	const um_plugin *plugin = NULL;
	um_node *root = NULL;
	um_params *params = NULL;
	um_problems bad = { 0 };
	um_prior prior = { 0 };
	um_rng *rng = calloc((size_t)count, sizeof(*rng));
	um_status st = UM_OK;
	for (int64_t i = 0; i < count; i++)
		rng[i] = um_rng_new(env->seed, "draws", (uint64_t)i);
	UM_TRY(um_plugin_find(UM_PRIOR, name, &plugin));
	UM_TRY(um_config_parse("", "draws", &root));
	UM_TRY(um_params_fill(plugin->params, plugin->nparams, plugin->params_size, root, NULL, name, &bad, &params));
	UM_TRY(um_prior_open(plugin, um_params_data(params), env, &prior));
	UM_TRY(um_env_images(env, count, x));
	UM_TRY(prior.ops.sample(prior.self, rng, x));
out:
	um_prior_close(&prior);
	um_params_free(params);
	um_node_free(root);
	um_problems_free(&bad);
	free(rng);
	return st;
}

int main(int argc, char *argv[])
{
	if (argc != 6)
		return 2;
	const long rows = atol(argv[2]), columns = atol(argv[3]), count = atol(argv[4]);
	const um_env env = { .size = sizeof(env), .threads = 1, .seed = 5, .shape = { 1, 1, 1, rows, columns },
		.scale = 1 };
	um_array x = { 0 };
	char text[118];
	const unsigned char magic[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, sizeof(text), 0 };
	if (draw(argv[1], &env, count, &x) != UM_OK) {
		fprintf(stderr, "%s\n", um_message());
		return 1;
	}
	int n = snprintf(text, sizeof(text), "{'descr': '<f4', 'fortran_order': False, 'shape': (%ld, %ld, %ld), }",
		count, rows, columns);
	memset(text + n, ' ', sizeof(text) - (size_t)n);
	text[sizeof(text) - 1] = '\n';
	FILE *f = fopen(argv[5], "wb");
	const size_t all = (size_t)um_array_len(&x);
	bool ok = f != NULL && fwrite(magic, sizeof(magic), 1, f) == 1 && fwrite(text, sizeof(text), 1, f) == 1 &&
		fwrite(x.data, sizeof(float), all, f) == all;
	ok = f != NULL && fclose(f) == 0 && ok;
	um_array_free(&x);
	return ok ? 0 : 1;
}
