/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Amortized posterior sampling: a conditional normalising flow, trained once on measurements, samples the posterior of
 * a new one in one pass. The parameters are the settings of umbra/amortized.h, where the method is. */
#include <umbra/amortized.h>
#include <umbra/plugin.h>

#define P(field, def, min, max, doc) UM_PARAM(um_amortized, field, def, min, max, "", doc)

static const um_param params[] = {
	UM_FILE(um_amortized, model, "", "Weight file that a train stage wrote; may be left out where a train stage of the same "
		"pipeline comes first. It serves the forward model and prior that it was trained for, and no others."),
	P(refine, "-1", -1, 100000000, "Draws whose importance weights against the posterior are looked at (pareto_k, importance_ess, "
		"elbo); 0: none. -1: 1024, where log p is an estimate 256."),
	P(resample, "false", 0, 0, "Deliver draws chosen by these weights, smoothed, instead of draws of the law: closer to the "
		"posterior while pareto_k is below 0.7."),
	P(tune, "0", 0, 100000000, "Steps that the law first learns from the one measurement at hand, as dpi does, from where the training "
		"of all left it; with batch, draws, rate and others below."),
	UM_CHOICE(um_amortized, summary, "raw", "raw|adjoint|pseudoinverse|wiener|restored", "What the flow is told of a measurement y: y "
		"itself; A^T y, weighted by the usual noise (with the derivative of a nonlinear model in place of A); A^+ y; the mean of "
		"the posterior of y, were the prior a Gaussian with the moments of its draws (wiener: for masks and blurs that are another "
		"each time; blind, that is for the usual operator, of which numbers that are exactly 0 are missing); or what four rounds of "
		"the prior's own denoiser make of that (restored: Zhang et al. 2021, arXiv:2008.13751; four calls of its score for a "
		"measurement, linear forward models). This and all that follows is for training."),
	P(blind, "false", 0, 0, "Tell the flow neither operator parameters (a mask) nor the level of the noise, so that it works "
		"where they are not known. It then fits the posteriors of all that they could be, in the mean of log p. For masks of many "
		"pixels it is better blind: thousands of numbers of a mask crowd out the summary among the features."),
	P(features, "1024", 1, 16384, "Most principal components of these numbers that it is told; all of them are white over the "
		"measurements of training. Not used for couplings of images, which are told images."),
	P(embedding, "0", 0, 65536, "Width of a net of two layers that the condition goes through first; 0: none."),
	UM_CHOICE(um_amortized, couplings_of, "vectors", "vectors|images", "Dense nets on halves of all pixels, or convolutions on "
		"checkerboards and channels, for 64 x 64 pixels and more."),
	P(couplings, "48", 1, 4096, "Affine couplings, two a step of the flow."),
	P(hidden, "0", 0, 65536, "Width of their nets; 0: a quarter of what comes in, between 64 and 1024, for images 32."),
	P(depth, "3", 2, 64, "Layers of a net."),
	P(bound, "2", 0.01, 10, "Largest |log s| of a coupling."),
	UM_CHOICE(um_amortized, start, "auto", "auto|prior|regression", "Where the law starts: at the mean and standard deviations of "
		"the prior, whatever was measured; or at the mean and covariance that a linear regression on simulated measurements of "
		"draws of the prior leaves, in whose coordinates it then goes on. auto: regression where it can and log p is no estimate, of "
		"at most 1024 numbers."),
	P(prior_draws, "-1", -1, 1000000, "Draws of the prior, where it can be drawn from, for these moments. -1: 256, for a "
		"regression 1024 to 8192, as many as it needs; twice as many with summary = wiener or restored, which are made of one half."),
	P(level, "0", -1e30, 1e30, "Without such draws: what x it starts around, in every pixel."),
	P(sd, "1", 1e-30, 1e30, "Without such draws: standard deviation of u at the start."),
	P(spread, "1", 1e-6, 1e3, "Factor on the standard deviations of that start. Where log p is a bound with several optima (surrogate), "
		"a law that is narrow at first (0.1) stays near the mean that it starts at."),
	P(steps, "10000", 1, 1000000000, "Steps of the optimiser, Adam."),
	P(batch, "64", 1, 65536, "Measurements in a step."),
	P(draws, "0", 0, 65536, "Draws of the law for each of them. 0: 1, of at most 8 numbers 16."),
	P(rate, "0.001", 1e-9, 10, "Size of a step."),
	P(decay, "0.02", 1e-6, 1, "What is left of the rate at the last step, along a cosine; 1: all."),
	P(warmup, "200", 0, 1000000000, "Steps over which the rate grows to its value."),
	P(clip, "0", 0, 1e30, "Largest norm of a gradient, longer ones are scaled; 0: any."),
	P(average, "0.999", 0, 0.999999, "Rate of the moving average of the weights, which is the result."),
	P(temper, "1", 1, 1e6, "Factor on the entropy at the first step, which falls to 1 over the first half of the steps: a wide "
		"law finds modes that a narrow one does not."),
	P(balance, "-1", -1, 1e3, "Weight of a second gradient, that of KL(posterior | law) by importance weights of the draws of one "
		"measurement, which moves mass between modes that are apart. -1: 8 for at most 8 numbers, else 0."),
	P(check, "200", 1, 1000000000, "Steps between looks at held-out measurements, and rows of the trace."),
};

static um_status create(void **self, const void *set, const um_env *env, um_inference_info *info)
{
	const um_status st = um_amortized_open(set, env, (um_amortizer **)self);
	info->needs = UM_NEEDS_LOGP;
	if (st == UM_OK && um_amortized_restores(*self))
		info->needs |= UM_NEEDS_SCORE;
	return st;
}

static void destroy(void *self)
{
	um_amortized_close(self);
}

static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	return um_amortized_run(self, problem, sink);
}

static um_status fit(void *self, um_problem *problem, um_sink *sink)
{
	return um_amortized_fit(self, problem, sink);
}

static um_status suits(void *self, const um_problem_info *about)
{
	return um_amortized_suits(self, about);
}

static const um_inference_ops ops = { .create = create, .destroy = destroy, .run = run, .fit = fit, .suits = suits };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "cnf", "0.1.0",
	"Amortized sampling: a conditional flow, trained once, samples the posterior of any measurement in one pass.",
	"Mammadov, Chung & Ye 2024, arXiv:2407.17907",
	UM_PARAMS(um_amortized, params), UM_OPS(ops),
};
