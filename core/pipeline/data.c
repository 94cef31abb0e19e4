/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The group data of a train stage and the group truth of a simulate stage: their keys, and the images of their
 * files. */
#include <math.h>
#include <string.h>
#include "data/imageset.h"
#include "pipeline/plan.h"

#define BIG 9.007199254740992e15

/* Rows that both groups have. */
#define FILES \
	UM_PLACES(um_data_settings, files, "[]", "Images: idx (also gzip), npy [n][rows][columns], FITS (NAXIS3 = " \
		"image; with channels NAXIS3 = channel, NAXIS4 = image), PNG, or folders of these.")
#define VALUES \
	UM_CHOICE(um_data_settings, values, "stored", "stored|unit", "The numbers of the files as they are, or " \
		"integers divided by the largest of their type: 0..255 becomes 0..1.")
#define FACTOR \
	UM_PARAM(um_data_settings, factor, "1", -1e30, 1e30, "", "x = offset + factor * value, in the units of the " \
		"prior.")
#define OFFSET \
	UM_PARAM(um_data_settings, offset, "0", -1e30, 1e30, "", "x = offset + factor * value, in the units of the " \
		"prior.")
#define SIZE \
	UM_CHOICE(um_data_settings, size, "exact", "exact|centre|average|project", "Images of another size than the " \
		"pipeline's are an error, are cut or filled with 0 about their centre, or are cut to its aspect ratio and " \
		"averaged over the area of new pixels, or projected along z onto the vertices of a mesh.")
#define COLOURS \
	UM_CHOICE(um_data_settings, colours, "stored", "stored|random", "Those of the files, or grey images are painted, " \
		"for channels = 3: each in a bright ink on black, which follows from seed and the number of the image.")

static const um_param data_table[] = {
	FILES,
	UM_PARAM_TEXT(um_data_settings, prior, "", "A key of the group priors to draw images "
		"from, instead of files."),
	UM_PARAM(um_data_settings, count, "0", 0, 1e9, "", "At most so many images; 0: all that "
		"the files hold, or fresh draws for ever."),
	UM_PARAM(um_data_settings, held_out, "0.1", 0, 1e9, "", "Images kept apart to judge by: "
		"a fraction below 1 (of endless draws: of 10000), or a number of them."),
	VALUES,
	FACTOR,
	OFFSET,
	UM_PARAM(um_data_settings, noise, "0", 0, 1e30, "", "Uniform noise of this width that is "
		"added to every value of a file; 1 hides that integers were rounded, as "
		"densities need it."),
	SIZE,
	COLOURS,
	UM_CHOICE(um_data_settings, augment, "none", "none|flips|dihedral", "Training images are "
		"flipped left to right and top to bottom by chance, or also turned by quarters."),
	UM_PARAM_TEXT(um_data_settings, about, "", "What the images are and whose, for the weight file."),
	UM_PARAM_TEXT(um_data_settings, licence, "", "Under which terms the images may be used, for the weight file."),
	UM_PARAM(um_data_settings, seed, "0", 0, BIG, "", "Another seed, another split, order and noise, and other random "
		"colours."),
};

static const um_param truth_table[] = {
	UM_PARAM_TEXT(um_data_settings, prior, "", "A key of the group priors to draw from. Or give files."),
	UM_PARAM(um_data_settings, seed, "0", 0, BIG, "", "Seed of the draw or of random colours; left out: that of the "
		"pipeline."),
	FILES,
	UM_PARAM(um_data_settings, index, "0", 0, 1e9, "", "Which image of the files; 0 is the first. Of several "
		"measurements that of the first."),
	VALUES,
	FACTOR,
	OFFSET,
	SIZE,
	COLOURS,
};

const um_param *um_truth_table(size_t *n)
{
	*n = sizeof(truth_table) / sizeof(*truth_table);
	return truth_table;
}

const um_param *um_data_table(size_t *n)
{
	*n = sizeof(data_table) / sizeof(*data_table);
	return data_table;
}

static bool painted(const um_data_settings *d)
{
	return strcmp(d->colours, "random") == 0;
}

static void check_colours(const um_plan *p, const um_data_settings *d, um_node *at, um_problems *problems)
{
	if (painted(d) && p->env.shape[2] != 3)
		um_problems_add(problems, UM_EPARAM, um_node_get(at, "colours"), "random colours are red, green and blue, and the image "
			"has %lld channel%s: set image.channels = 3", (long long)p->env.shape[2], p->env.shape[2] > 1 ? "s" : "");
}

static void check(const um_plan *p, const um_stage *s, um_node *at, um_problems *problems)
{
	const um_data_settings *d = &s->data;
	const bool draws = *d->prior != '\0';
	if (draws == (d->files.n > 0))
		um_problems_add(problems, UM_EPARAM, at, draws ? "give files or a prior, not both" :
			"give files = \"...\", or prior = a key of the group priors to draw from");
	for (int64_t i = 0; i < d->files.n; i++)
		if (*d->files.v[i] == '\0')
			um_problems_add(problems, UM_EPARAM, um_node_get(at, "files"), "the name of a file is empty");
	if (draws && um_plan_prior(p, d->prior) < 0)
		um_problems_add(problems, UM_EPARAM, um_node_get(at, "prior"), "there is no '%s' "
			"in the group priors", d->prior);
	if (draws && um_plan_prior(p, d->prior) == um_plan_prior(p, s->set.prior) &&
		um_plan_prior(p, d->prior) >= 0)
		um_problems_add(problems, UM_EPARAM, um_node_get(at, "prior"), "a prior does not "
			"learn from itself");
	if (d->held_out >= 1 && d->held_out != floor(d->held_out))
		um_problems_add(problems, UM_EPARAM, um_node_get(at, "held_out"), "expected a "
			"fraction below 1 or a whole number");
	if (draws && d->count > 0 && d->held_out >= (double)d->count)
		um_problems_add(problems, UM_EPARAM, um_node_get(at, "held_out"), "all %lld "
			"draws would be held out", (long long)d->count);
	if (draws && (strcmp(d->values, "unit") == 0 || d->factor != 1 || d->offset != 0 || d->noise != 0 ||
		strcmp(d->size, "exact") != 0 || painted(d)))
		um_problems_add(problems, UM_EPARAM, at, "values, factor, offset, noise, size and colours "
			"are for files; draws are taken as they are");
	check_colours(p, d, at, problems);
	if (strcmp(d->augment, "dihedral") == 0 && p->env.shape[3] != p->env.shape[4])
		um_problems_add(problems, UM_EPARAM, um_node_get(at, "augment"), "images that "
			"are not square cannot be turned by quarters: use \"flips\"");
}

void um_data_read(um_plan *p, um_stage *s, um_problems *problems)
{
	um_node *at = um_node_get(s->node, "data");
	size_t n;
	const um_param *table = um_data_table(&n);
	if (at == NULL)
		return; /* um_training_check says so */
	if (at->type != UM_NODE_GROUP) {
		um_problems_add(problems, UM_EPARAM, at, "expected a group: data = { files = "
			"\"...\"; } or { prior = \"...\"; }");
		return;
	}
	if (um_params_fill(table, n, sizeof(s->data), at, NULL, "data", problems, &s->data_params) != UM_OK)
		um_problems_add(problems, UM_EPARAM, at, "%s", um_message());
	if (s->data_params == NULL)
		return;
	s->data = *(const um_data_settings *)um_params_data(s->data_params);
	check(p, s, at, problems);
}

/* ---- a truth ------------------------------------------------------------------------ */

static void check_truth(const um_plan *p, const um_stage *s, um_node *at, um_problems *problems)
{
	const um_data_settings *d = &s->data;
	if ((*d->prior != '\0') == (d->files.n > 0))
		um_problems_add(problems, UM_EPARAM, at, d->files.n > 0 ? "give files or a prior, not both" :
			"give prior = a key of the group priors to draw from, or files = \"...\" and index");
	else if (*d->prior != '\0' && um_plan_prior(p, d->prior) < 0)
		um_problems_add(problems, UM_EPARAM, um_node_get(at, "prior"), "there is no prior '%s'", d->prior);
	if (*d->prior != '\0' && (strcmp(d->values, "unit") == 0 || d->factor != 1 || d->offset != 0 || d->index != 0 ||
		strcmp(d->size, "exact") != 0 || painted(d)))
		um_problems_add(problems, UM_EPARAM, at, "index, values, factor, offset, size and colours are for files; a draw is taken "
			"as it is");
	check_colours(p, d, at, problems);
}

static void read_truth_file(um_stage *s, um_node *t, um_problems *problems)
{
	static const um_param file[] = { UM_FILE(um_forward_settings, truth, NULL, "An image.") };
	um_node *member[] = { t };
	um_node holder = { .type = UM_NODE_GROUP, .file = t->file, .line = t->line, .base = t->base, .n = 1, .child = member };
	if (um_params_fill(file, 1, sizeof(um_forward_settings), &holder, NULL, "simulate", problems, &s->truth_params) != UM_OK)
		um_problems_add(problems, UM_EPARAM, t, "%s", um_message());
	if (s->truth_params != NULL)
		s->set.truth_file = ((const um_forward_settings *)um_params_data(s->truth_params))->truth;
}

void um_truth_read(um_plan *p, um_stage *s, um_problems *problems)
{
	um_node *t = um_node_get(s->node, "truth");
	if (t == NULL || (t->type != UM_NODE_TEXT && t->type != UM_NODE_GROUP)) {
		um_problems_add(problems, UM_EPARAM, t == NULL ? s->node : t, "simulate needs truth = \"a FITS file\", { prior = ...; "
			"seed = ...; } or { files = ...; index = ...; }");
		return;
	}
	if (t->type == UM_NODE_TEXT) {
		read_truth_file(s, t, problems);
		return;
	}
	const bool own = um_node_get(t, "seed") != NULL;
	size_t n;
	const um_param *table = um_truth_table(&n);
	if (um_params_fill(table, n, sizeof(s->data), t, NULL, "truth", problems, &s->data_params) != UM_OK)
		um_problems_add(problems, UM_EPARAM, t, "%s", um_message());
	if (s->data_params == NULL)
		return;
	s->data = *(const um_data_settings *)um_params_data(s->data_params);
	if (!own)
		um_node_get(t, "seed")->integer = s->data.seed = p->seed;
	check_truth(p, s, t, problems);
}

um_status um_truth_images(const um_stage *s, const um_env *env, um_array *x)
{
	um_status st = UM_OK;
	um_array all = { 0 };
	double step;
	const int64_t first = s->data.index, count = s->set.count;
	UM_TRY(um_data_images(s, env, &all, &step));
	if (first + count > all.dim[0])
		UM_TRY(um_fail(UM_EDATA, "%s: there is no image %lld: it holds %lld, of which the first is 0", s->data.files.v[0],
			(long long)(first + count - 1), (long long)all.dim[0]));
	UM_TRY(um_env_images(env, count, x));
	const um_array some = um_array_rows(&all, first, count);
	UM_TRY(um_array_copy(x, &some));
out:
	um_array_free(&all);
	return st;
}

/* ---- images of files ------------------------------------------------------------------ */

um_status um_data_images(const um_stage *s, const um_env *env, um_array *x, double *step)
{
	const um_data_settings *d = &s->data;
	um_imageset_spec spec = { .unit = strcmp(d->values, "unit") == 0, .factor = d->factor,
		.offset = d->offset, .most = d->count, .mesh = env->mesh, .fitting = strcmp(d->size, "centre") == 0 ? UM_FIT_CENTRE :
		strcmp(d->size, "average") == 0 ? UM_FIT_AVERAGE : strcmp(d->size, "project") == 0 ? UM_FIT_MESH : UM_FIT_NONE };
	double top;
	if (spec.fitting == UM_FIT_MESH && env->mesh == NULL)
		return um_fail(UM_EPARAM, "size: project is for signals on a mesh: image = { mesh = ...; }");
	memcpy(spec.shape, env->shape, sizeof(spec.shape));
	spec.shape[2] = painted(d) ? 1 : spec.shape[2];
	um_status st = um_imageset_read(d->files.n, d->files.v, &spec, x, &top);
	if (st == UM_OK && painted(d)) {
		um_array grey = *x;
		st = um_imageset_paint(&grey, (uint64_t)d->seed, x);
		um_array_free(&grey);
	}
	*step = d->noise * d->factor;
	if (st == UM_OK && spec.unit && d->noise > 0 && top == 0) {
		um_array_free(x);
		return um_fail(UM_EDATA, "the files hold integers of several sizes, so that one "
			"width of noise does not suit them: leave noise out");
	}
	if (spec.unit && top > 0)
		*step /= top;
	return st;
}
