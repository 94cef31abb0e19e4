/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Denoising by one evaluation of the score (Kim & Ye 2021, arXiv:2106.07009; Tweedie): of an image with white
 * noise, y = x + sigma n, the mean is E[x | y] = y + sigma^2 grad log p(y). One image, without uncertainty. */
#include <stdlib.h>
#include <umbra/plugin.h>

static um_status create(void **self, const void *p, const um_env *env, um_inference_info *info)
{
	(void)p, (void)env;
	*self = NULL;
	info->needs = UM_NEEDS_SCORE | UM_NEEDS_IDENTITY | UM_NEEDS_WHOLE;
	info->fewer = true;
	return UM_OK;
}

static void destroy(void *self)
{
	(void)self;
}

/* The instrument sees scale x, so the noise of x is sigma / scale. */
static um_status run(void *self, um_problem *problem, um_sink *sink)
{
	const um_problem_info *about = um_problem_about(problem);
	const double *y = um_problem_y(problem), *sigma = um_problem_sigma(problem);
	const double alpha = 1, noise = sigma[0] / about->scale;
	um_array x = { 0 }, s = { 0 };
	um_status st = UM_OK;
	(void)self;
	for (int64_t i = 1; i < about->ny; i++)
		if (sigma[i] != sigma[0])
			return um_fail(UM_EPARAM, "one score is about one noise, but that of the data differs from pixel to pixel");
	UM_TRY(um_problem_images(problem, 1, &x));
	UM_TRY(um_problem_images(problem, 1, &s));
	for (int64_t i = 0; i < about->n; i++)
		um_row_f(&x, 0)[i] = (float)(y[i] / about->scale);
	UM_TRY(um_problem_score(problem, &(um_score_job){ .size = sizeof(um_score_job), .x = &x, .alpha = &alpha,
		.sigma = &noise, .s = &s }));
	for (int64_t i = 0; i < about->n; i++)
		um_row_f(&x, 0)[i] += (float)(noise * noise * um_row_f(&s, 0)[i]);
	UM_TRY(um_sink_samples(sink, &x, NULL));
out:
	um_array_free(&x);
	um_array_free(&s);
	return st;
}

static const um_inference_ops ops = { .create = create, .destroy = destroy, .run = run };

UM_PLUGIN = {
	UM_HEADER, UM_INFERENCE, 0, "noise2score", "1.0",
	"Denoising by one evaluation of the score: the posterior mean.",
	"Kim & Ye 2021, arXiv:2106.07009; Robbins 1956",
	0, NULL, 0, UM_OPS(ops),
};
