/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deep probabilistic imaging (Sun & Bouman 2021, arXiv:2010.14462): fits a law that can be sampled to
 * the posterior. The parameters are the settings of umbra/variational.h, where the method is. */
#include <stdlib.h>
#include <string.h>
#include <umbra/plugin.h>
#include <umbra/variational.h>

#define P(field, def, min, max, doc) UM_PARAM(um_variational, field, def, min, max, "", doc)

static const um_param params[] = {
	UM_CHOICE(um_variational, family, "gaussian", "gaussian|lowrank|realnvp", "Family of the approximating "
		"law: independent numbers, these plus a few directions, or a flow, which can have several modes."),
	UM_CHOICE(um_variational, warm, "auto", "auto|none|map|moments",
		"Where the fit starts: at the starting image; at the optimum of log p(u | y) above it (map); or at the "
		"posterior of the Gaussian that has the mean and covariance of draws of the prior, in whose "
		"coordinates it then goes on (moments; at most 4096 numbers). auto: moments where log p is an "
		"estimate of more than 16 numbers and the prior can be drawn from, none for other estimates, else map."),
	P(warm_iterations, "500", 1, 1000000, "Most iterations towards that optimum."),
	P(warm_draws, "256", 8, 1000000, "Draws of the prior for its moments."),
	P(warm_starts, "3", 0, 1000, "Of these draws, so many that fit the data best are tried beside their mean as the way up "
		"to that optimum; none where model and image are linear, as there is one optimum."),
	UM_CHOICE(um_variational, start, "flat", "flat|blob",
		"Starting image: constant, or a Gaussian in the centre."),
	P(level, "0", 0, 1e30,
		"Mean of the starting image in units of x; 0 tries powers of ten and takes the best."),
	P(size, "0.3", 1e-3, 10,
		"Full width at half maximum of the blob as a fraction of the longer side."),
	UM_FILE(um_variational, image, "", "Starting image in place of start, level and size: a FITS file in instrument units, such as the "
		"mean.fits of another cell; with warm = \"moments\" it takes the place of that optimum."),
	P(starts, "0", 0, 1000, "Starting points, spread about the starting image; the first law is as wide as "
		"what is found from all of them. 0: 1, for a flow 8, of at most 16 numbers 32."),
	P(spread, "1", 0, 1e9, "Standard deviation of several starting points, in u."),
	P(sd, "0", 0, 1e9, "Initial standard deviation of every u (about each starting point); 0: from the "
		"curvature of the density there."),
	P(steps, "0", 0, 1000000000, "Steps of the optimiser, Adam; 0: 2000, for a flow of more than 16 numbers 4000."),
	P(batch, "0", 0, 65536, "Draws in each step, an even number. 0: 16, for lowrank 32, for a flow of n "
		"numbers 3600 / sqrt(n) between 64 and 1024: few draws make it lose modes."),
	P(rate, "0", 0, 10, "Size of a step: in log s, and in the mean as a fraction of s; of weights. 0: "
		"0.03, for lowrank 0.01, for a flow 0.001."),
	P(decay, "0", 0, 1, "What is left of the rate at the last step, along a cosine; 1: all. 0: 1, for "
		"lowrank 0.1, for a flow 0.02."),
	P(warmup, "100", 0, 1000000000, "Steps over which the rate grows to its value."),
	P(clip, "0", 0, 1e30, "Largest norm of a gradient, longer ones are scaled; 0: any."),
	P(average, "500", 0, 1000000000,
		"Last steps, whose parameters are averaged into the result."),
	P(data_weight, "1", 0, 1e9, "Weight of the log-likelihood."),
	P(prior_weight, "1", 0, 1e9, "Weight of the log-prior."),
	P(entropy_weight, "1", 0, 1e9, "Weight of the entropy of the image; below 1 it narrows the posterior (tempering)."),
	P(temper, "1", 1, 1e6, "Factor on entropy_weight at the first step, which falls to 1 over the first half of "
		"the steps: a wide law finds modes that a narrow one does not."),
	P(balance, "-1", -1, 1e3, "realnvp: weight of a second gradient, that of KL(posterior | law) by importance "
		"weights, which moves mass between modes that are apart. -1: 8 for at most 8 numbers, else 0."),
	P(anneal_rate, "0", 0, 10,
		"Rate r of the factor 1/(1 + exp(-r (step - pivot))) on data_weight; 0: no factor."),
	P(anneal_pivot, "1000", 0, 1000000000, "Step where that factor is one half."),
	P(anneal_order, "0", 0, 30, "Order r of another factor, min(1, 10^(-r + step / anneal_decay)); 0: none."),
	P(anneal_decay, "500", 1, 1000000000, "Steps in which that factor grows tenfold."),
	P(check, "0", 0, 1000000000,
		"Steps between two looks at how far the mean image moved; 0: never end early."),
	P(threshold, "0.005", 0, 1, "Relative move below which a look finds it at rest."),
	P(patience, "2", 1, 1000, "Looks in a row at rest before averaging begins."),
	P(trace, "20", 1, 1000000000, "Steps between rows of the trace."),
	P(seeds, "0", 0, 16, "Fits from different random numbers, of which the best by ELBO is kept. A warning "
		"says when they disagree. 0: 1, for a flow of at most 16 numbers 2."),
	P(disagree, "0.1", 0, 1e9, "Difference of the ELBOs of two fits, beyond their noise, that is a "
		"disagreement."),
	P(elbo_draws, "256", 0, 1000000, "Draws for the lower bound of the evidence at the end, at least a batch; 0: none are made, "
		"where log p takes long and one fit is made."),
	P(outliers, "0", 0, 1e9, "Samples with any u further than this many standard deviations from the median "
		"are left out and counted (log q stays that of all draws); 0: none are."),
	P(rank, "8", 0, 4096, "lowrank: number of directions."),
	P(couplings, "0", 0, 4096, "realnvp: affine couplings. 0: 12 for at most 16 numbers, else 16."),
	P(hidden, "0", 0, 65536, "realnvp: width of the nets. 0: n / 8 between 32 and 1024; for couplings of "
		"images 32."),
	P(depth, "3", 2, 64, "realnvp: layers of a net."),
	UM_CHOICE(um_variational, couplings_of, "vectors", "vectors|images", "realnvp: dense nets on halves of "
		"all pixels, or convolutions on checkerboards and channels, for 64 x 64 pixels and more."),
	UM_PARAM(um_variational, batchnorm, "false", 0, 0, "", "realnvp: normalise hidden layers over the batch; "
		"samples are drawn with frozen statistics."),
};

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	um_status st = UM_OK;
	um_variational *set = malloc(sizeof(*set));
	info->needs = UM_NEEDS_LOGP | (strcmp(((const um_variational *)p)->warm, "moments") == 0 ? UM_NEEDS_DRAWS : 0);
	if (set == NULL)
		return um_fail(UM_ENOMEM, "no memory for settings");
	*set = *(const um_variational *)p;
	UM_TRY(um_variational_fill(set, env->shape));
	if (*set->image)
		UM_TRY(um_start_read(set->image, env, &set->from));
	*self = set;
	set = NULL;
out:
	free(set);
	return st;
}

static void destroy(void *self)
{
	um_variational *set = self;
	if (set != NULL)
		um_array_free(&set->from);
	free(set);
}

static um_status suits(void *self, const um_problem_info *about)
{
	return um_variational_suits(self, about);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	return um_variational_run(self, problem, sink);
}

static const um_inference_ops ops = { .create = create, .destroy = destroy, .run = run, .suits = suits };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "dpi", "0.2.0",
	"Variational inference: a law that can be sampled, fitted to the posterior.",
	"Sun & Bouman 2021, AAAI 35, 2628, arXiv:2010.14462",
	UM_PARAMS(um_variational, params), UM_OPS(ops),
};
