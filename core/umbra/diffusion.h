/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Diffusions as priors offer them: the keys that say whose score it is, a prior's in closed form or that
 * of a network, and how a network is made and learns by denoising score matching (Vincent 2011,
 * doi:10.1162/NECO_a_00142; Song et al. 2021, arXiv:2011.13456). Not plugin ABI. */
#ifndef UMBRA_DIFFUSION_H
#define UMBRA_DIFFUSION_H

#include <umbra/dataset.h>
#include <umbra/plugin.h>
#include <umbra/probflow.h>
#include <umbra/unet.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first member of the struct of a plugin's parameters. */
typedef struct um_diffusion {
	const char *score, *model, *sde;
	double beta_min, beta_max, sigma_min, sigma_max;
	um_pair times, range;
	double factor;
	const char *precision;
	/* of a network and its training */
	const char *network, *resample;
	int64_t width, blocks, patch;
	um_reals multipliers, attention;
	bool pyramid, rescale;
	double dropout;
	int64_t train_steps, batch, warmup, check, sheet;
	double rate, decay, clip, average, least;
	const char *law, *weighting;
} um_diffusion;

/* Their rows, first in the plugin's table. */
#define UM_DIFFUSION_PARAMS \
	UM_PRIOR_KEY(um_diffusion, score, "", "The prior whose score it is: its key in the group priors. Or give model."), \
	UM_FILE(um_diffusion, model, "", "Weight file of a network that predicts the score; may be left out where a " \
		"train stage of the same pipeline comes first. A fit that starts from it keeps its network and diffusion, and may " \
		"learn smaller times (least)."), \
	UM_CHOICE(um_diffusion, sde, "vp", "vp|subvp|ve|flow", "The diffusion: variance preserving, its lesser " \
		"relative, variance exploding, or the straight path of rectified flows. A model has its own."), \
	UM_PARAM(um_diffusion, beta_min, "0.1", 1e-6, 1e3, "", "Rate of noise at the beginning (vp, subvp)."), \
	UM_PARAM(um_diffusion, beta_max, "20", 1e-6, 1e4, "", "Rate of noise at the end (vp, subvp)."), \
	UM_PARAM(um_diffusion, sigma_min, "0.01", 1e-12, 1e6, "", "Noise at the beginning (ve)."), \
	UM_PARAM(um_diffusion, sigma_max, "50", 1e-12, 1e9, "", "Noise at the end (ve)."), \
	UM_PARAM(um_diffusion, times, "[1e-3, 1.0]", 0, 1, "", "From which time to which; the density is that of " \
		"images with the noise of the first, and flow needs an end below 1."), \
	UM_PARAM(um_diffusion, range, "[0.0, 0.0]", -1e12, 1e12, "", "Values of x that are 0 and 1 to the diffusion, whose " \
		"noise they are measured by; equal: 0 and 1 themselves, in training two standard deviations of the " \
		"images to both sides of their mean. A model has its own."), \
	UM_PARAM(um_diffusion, factor, "1", 1e-30, 1e30, "", "x here is factor times x of the model: for other units than those " \
		"that it was trained in."), \
	UM_CHOICE(um_diffusion, precision, "auto", "auto|float32|bfloat16|bfloat16x3", "Products of a network: auto is " \
		"bfloat16 for samples and bounds where the processor has it, and as good as float32 for densities."), \
	UM_CHOICE(um_diffusion, network, "auto", "auto|unet|mlp", "A U-Net, or a residual net of dense layers for vectors " \
		"and signals on meshes; auto: by the shape. This and all that follows is for training."), \
	UM_PARAM(um_diffusion, width, "0", 0, 65536, "", "Channels at full resolution, or width of dense layers; 0: 32, 256."), \
	UM_PARAM(um_diffusion, multipliers, "[1.0, 2.0, 2.0]", 1, 1024, "", "Channels of each level in widths; each level has " \
		"half the rows and columns (unet)."), \
	UM_PARAM(um_diffusion, blocks, "0", 0, 256, "", "Residual blocks a level, or in all of dense nets; 0: 2, 4."), \
	UM_PARAM(um_diffusion, attention, "[16.0]", 0, 65536, "", "Rows (of patches) of the levels that have attention (unet); the last " \
		"level always has."), \
	UM_CHOICE(um_diffusion, resample, "conv", UM_RESAMPLES, "Between levels: convolutions, or residual blocks over " \
		"means (DDPM++) or smoothed pixels (NCSN++)."), \
	UM_PARAM(um_diffusion, patch, "1", 1, 16, "", "Squares of so many pixels a side enter and leave the network as channels of " \
		"one (unet): a large image at the cost of a small one."), \
	UM_PARAM(um_diffusion, pyramid, "false", 0, 0, "", "The image itself joins each level, as in NCSN++ (unet)."), \
	UM_PARAM(um_diffusion, rescale, "true", 0, 0, "", "Sums of branches are divided by the square root of 2."), \
	UM_PARAM(um_diffusion, dropout, "0.0", 0, 0.9, "", "Rate of dropout in training."), \
	UM_PARAM(um_diffusion, train_steps, "20000", 0, 1000000000, "", "Steps of the optimiser, Adam."), \
	UM_PARAM(um_diffusion, batch, "64", 1, 65536, "", "Images in a step."), \
	UM_PARAM(um_diffusion, rate, "0.0002", 1e-9, 10, "", "Size of a step."), \
	UM_PARAM(um_diffusion, decay, "1.0", 1e-6, 1, "", "What is left of the rate at the last step, along a cosine; 1: all."), \
	UM_PARAM(um_diffusion, warmup, "1000", 0, 1000000000, "", "Steps over which the rate grows to its value."), \
	UM_PARAM(um_diffusion, clip, "1.0", 0, 1e30, "", "Largest norm of a gradient, longer ones are scaled; 0: any."), \
	UM_PARAM(um_diffusion, average, "0.999", 0, 0.999999, "", "Rate of the moving average of the weights, which is the " \
		"result; it begins lower."), \
	UM_PARAM(um_diffusion, least, "1e-5", 1e-12, 1, "", "Least time in training."), \
	UM_CHOICE(um_diffusion, law, "uniform", "uniform|importance", "Times in training: uniform, or uniform in the " \
		"logarithm of noise to signal."), \
	UM_CHOICE(um_diffusion, weighting, "noise", "noise|likelihood", "The mean square error of the noise at all times " \
		"alike, or weighted so that the sum bounds the likelihood (Song et al. 2021, arXiv:2101.09258)."), \
	UM_PARAM(um_diffusion, check, "500", 1, 1000000000, "", "Steps between looks at the held-out images, and rows of the " \
		"trace."), \
	UM_PARAM(um_diffusion, sheet, "5000", 0, 1000000000, "", "Steps between figures of samples; 0: none.")

/* A network that predicts the noise eps in u = (x - lo) / unit, whose score is -eps / sigma. */
typedef struct um_scorenet um_scorenet;

/* The network of d->model; without a model an untrained one, which can only learn; *net = NULL where a prior is
 * named instead. UM_EPARAM where keys contradict each other or the file, UM_EDATA for a file that is no
 * network for images of this shape, naming what is missing. */
UM_API UM_USED um_status um_scorenet_new(const um_diffusion *d, const um_env *env, um_scorenet **net);
UM_API void um_scorenet_free(um_scorenet *net);

/* As um_prior_ops.score, self a um_scorenet: s of x at any signal and noise, the ratio held within the range that
 * was learned. One image's result does not depend on the others. The first is as good as float32. */
UM_API UM_USED um_status um_scorenet_score(void *self, const um_score_job *job);
UM_API UM_USED um_status um_scorenet_score_fast(void *self, const um_score_job *job);

/* As um_prior_ops.fit. */
UM_API UM_USED um_status um_scorenet_fit(um_scorenet *net, um_dataset *data, um_sink *sink);

/* The diffusion of net or, where that is NULL, of the prior that is named, for images of env's shape, solved by
 * dopri5 to 1e-3 with the exact trace. Borrows the score; um_probflow_check it once all of it is set. fast: with
 * um_scorenet_score_fast. */
UM_API UM_USED um_probflow um_probflow_of(const um_diffusion *d, const um_env *env, um_scorenet *net, bool fast);

/* What the instance of a prior that is a diffusion begins with. */
typedef struct um_diffused {
	um_scorenet *net;  /* NULL: a prior is named */
	um_probflow flow, fast; /* um_probflow_of: for densities; for bounds and samples */
} um_diffused;

/* Makes *s, all zeros before, and tells info what a diffusion has of its own; failing, it leaves s to be destroyed. */
UM_API UM_USED um_status um_diffused_new(const um_diffusion *d, const um_env *env, um_diffused *s, um_prior_info *info);

/* Functions of um_prior_ops for such instances, of malloc's; the score is the fast one. */
UM_API void um_diffused_destroy(void *self);
UM_API UM_USED um_status um_diffused_score(void *self, const um_score_job *job);
UM_API UM_USED um_status um_diffused_fit(void *self, um_dataset *data, um_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
