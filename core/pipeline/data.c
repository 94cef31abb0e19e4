/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The group data of a train stage: its keys, and the images of its files. */
#include <math.h>
#include <string.h>
#include "data/imageset.h"
#include "pipeline/plan.h"

#define BIG 9.007199254740992e15

static const um_param data_table[] = {
	UM_PLACES(um_data_settings, files, "[]", "Images: idx (also gzip), npy "
		"[n][rows][columns], FITS (NAXIS3 = image; with channels NAXIS3 = channel, "
		"NAXIS4 = image), PNG, or folders of these."),
	UM_PARAM_TEXT(um_data_settings, prior, "", "A key of the group priors to draw images "
		"from, instead of files."),
	UM_PARAM(um_data_settings, count, "0", 0, 1e9, "", "At most so many images; 0: all that "
		"the files hold, or fresh draws for ever."),
	UM_PARAM(um_data_settings, held_out, "0.1", 0, 1e9, "", "Images kept apart to judge by: "
		"a fraction below 1 (of endless draws: of 10000), or a number of them."),
	UM_CHOICE(um_data_settings, values, "stored", "stored|unit", "The numbers of the files "
		"as they are, or integers divided by the largest of their type: 0..255 becomes 0..1."),
	UM_PARAM(um_data_settings, factor, "1", -1e30, 1e30, "", "x = offset + factor * value, in the units of the prior."),
	UM_PARAM(um_data_settings, offset, "0", -1e30, 1e30, "", "x = offset + factor * value, in the units of the prior."),
	UM_PARAM(um_data_settings, noise, "0", 0, 1e30, "", "Uniform noise of this width that is "
		"added to every value of a file; 1 hides that integers were rounded, as "
		"densities need it."),
	UM_CHOICE(um_data_settings, size, "exact", "exact|centre|average", "Images of another "
		"size than the pipeline's are an error, are cut or filled with 0 about their "
		"centre, or are cut to its aspect ratio and averaged over the area of new pixels."),
	UM_CHOICE(um_data_settings, augment, "none", "none|flips|dihedral", "Training images are "
		"flipped left to right and top to bottom by chance, or also turned by quarters."),
	UM_PARAM_TEXT(um_data_settings, about, "", "What the images are and whose, for the weight file."),
	UM_PARAM_TEXT(um_data_settings, licence, "", "Under which terms the images may be used, for the weight file."),
	UM_PARAM(um_data_settings, seed, "0", 0, BIG, "", "Another seed, another split, order and noise."),
};

const um_param *um_data_table(size_t *n)
{
	*n = sizeof(data_table) / sizeof(*data_table);
	return data_table;
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
		strcmp(d->size, "exact") != 0))
		um_problems_add(problems, UM_EPARAM, at, "values, factor, offset, noise and size "
			"are for files; draws are taken as they are");
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

um_status um_data_images(const um_stage *s, const um_env *env, um_array *x, double *step)
{
	const um_data_settings *d = &s->data;
	um_imageset_spec spec = { .unit = strcmp(d->values, "unit") == 0, .factor = d->factor,
		.offset = d->offset, .most = d->count, .fitting = strcmp(d->size, "centre") == 0 ? UM_FIT_CENTRE :
		strcmp(d->size, "average") == 0 ? UM_FIT_AVERAGE : UM_FIT_NONE };
	double top;
	memcpy(spec.shape, env->shape, sizeof(spec.shape));
	um_status st = um_imageset_read(d->files.n, d->files.v, &spec, x, &top);
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
