/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an inference plugin sees of a forward model, a prior and a measurement.
 *
 * Inference works on u; the image that priors see is x = transform(u), what the
 * instrument sees is scale * x. The host does both, adds the Jacobian of the
 * transform to the prior, multiplies the factors of a product of priors, counts
 * calls and refuses numbers that are not finite, naming the plugin. Batches,
 * shapes and types are those of plugin.h; lp and ll are arrays of B doubles. */
#ifndef UMBRA_PROBLEM_H
#define UMBRA_PROBLEM_H

#include <stdbool.h>
#include <umbra/array.h>
#include <umbra/rng.h>
#include <umbra/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_problem um_problem;
struct um_tensors; /* umbra/tensors.h */

typedef enum um_transform {
	UM_IDENTITY, /* x = u */
	UM_SOFTPLUS, /* x = log(1 + e^u) */
} um_transform;

/* What is known of a problem. Grows at the end. */
typedef struct um_problem_info {
	uint32_t size;
	int threads;
	int64_t shape[5];     /* of one image */
	int64_t n;            /* its pixels, the product of shape */
	int64_t ny, nop;      /* measurements and operator parameters */
	int64_t samples;      /* how many the pipeline asks for */
	int64_t components;   /* of a closed-form prior, or 0 */
	bool linear;
	um_transform transform;
	bool estimate;        /* log p(u) is an estimate, of one prior at least */
	bool draws;           /* the prior can be drawn from: um_problem_draw */
	bool solves;          /* um_problem_solve is the forward model's own, not conjugate gradients */
	double scale;         /* the instrument sees scale x */
	const bool *angles;   /* [ny] which data are angles, or NULL */
	double lo, unit;      /* of the prior: see um_prior_info */
	int64_t train, held;  /* of a fit (um_inference_ops.fit): measurements to learn from, 0: fresh ones for
	                         ever, and others to judge by; else both are 0 */
	double seconds;       /* of a fit: begin no step after so many; 0: no budget */
	bool simulates;       /* the forward model can: um_problem_measure */
	bool normalised;      /* log p(u) has its constant: one prior, which says so */
} um_problem_info;

UM_API const um_problem_info *um_problem_about(const um_problem *p);

/* Images for count samples, zeroed: float [count][shape]; free with um_array_free. */
UM_API UM_USED um_status um_problem_images(const um_problem *p, int64_t count, um_array *x);

/* The stream for one purpose (any number) and one sample or step. */
UM_API um_rng um_problem_rng(const um_problem *p, uint64_t purpose, uint64_t index);

/* x = transform(u), and u for an x (clipped to where the inverse exists). */
UM_API UM_USED um_status um_problem_image(um_problem *p, const um_array *u, um_array *x);
UM_API UM_USED um_status um_problem_preimage(um_problem *p, const um_array *x, um_array *u);

/* log p(y | u) and log p(u) = log p_x(x(u)) + log |dx/du|; gradients where du is given. */
UM_API UM_USED um_status um_problem_loglike(um_problem *p, const um_array *u, double *ll, um_array *du);
UM_API UM_USED um_status um_problem_logp(um_problem *p, um_rng *rng, const um_array *u, double *lp,
	um_array *du);

/* x[b] drawn from the prior with rng[b]; a product of priors cannot be drawn from. */
UM_API UM_USED um_status um_problem_draw(um_problem *p, um_rng *rng, um_array *x);

/* The forward model as a function of x in the units of the prior (f(scale x)). */
UM_API UM_USED um_status um_problem_apply(um_problem *p, const um_array *x, const um_array *dx,
	um_array *y, um_array *dy);
UM_API UM_USED um_status um_problem_pullback(um_problem *p, const um_array *x, const um_array *v,
	um_array *jtv);
/* out = (a2 Sigma + b2 A A^T)^-1 r for linear models, A including scale. */
UM_API UM_USED um_status um_problem_solve(um_problem *p, double a2, double b2, const um_array *r,
	um_array *out);

/* The measurement: ny numbers each; in a fit so many rows of ny. */
UM_API const double *um_problem_y(const um_problem *p);
UM_API const double *um_problem_sigma(const um_problem *p);

/* The operator parameters in use, [1][nop], which every function here takes: the problem's own
 * copy of the measurement's until they are set (nop numbers, copied) or calibrated with an image x
 * [1][image] in the units of the prior; *lp is their log density, sink may be NULL. See
 * um_forward_ops.calibrate. */
UM_API const um_array *um_problem_op(const um_problem *p);
UM_API void um_problem_set_op(um_problem *p, const double *op);
UM_API UM_USED um_status um_problem_calibrate(um_problem *p, const um_array *x, double *lp,
	um_sink *sink);

/* ---- fits: many measurements in place of one ------------------------------------- */

/* Takes count training measurements for one step, the numbers step * count .. of a stream that runs through all of
 * them, shuffled anew each time and, where the forward model made them of truths, with fresh noise (the truths
 * nobody sees); or training or held-out ones first .. first + count - 1, always the same. From then on row b of what
 * the functions here are given belongs to measurement b / repeat, and they want count * repeat rows;
 * um_problem_y, sigma and op have so many. What was taken before changes nothing. */
UM_API UM_USED um_status um_problem_batch(um_problem *p, int64_t step, int64_t count, int64_t repeat);
UM_API UM_USED um_status um_problem_rows(um_problem *p, bool held, int64_t first, int64_t count, int64_t repeat);
/* Simulated measurements of images x, in the units of the prior, one a stream, become the rows in use. */
UM_API UM_USED um_status um_problem_measure(um_problem *p, um_rng *rng, const um_array *x);

/* What a fit is bound to goes to the sink: forward model, priors, and what they do to a few images. And whether
 * what was learned (t, as the host wrote it) belongs to this problem; the message says what differs. */
UM_API UM_USED um_status um_problem_note(um_problem *p, um_sink *sink);
UM_API UM_USED um_status um_problem_suits(um_problem *p, const struct um_tensors *t);

/* What is wanted of the score s(x) = grad log q(x), where q is the law of
 * alpha x0 + sigma z, x0 ~ prior, z ~ N(0, I). J is the Jacobian of s. A NULL
 * output is not wanted. Grows at the end. */
typedef struct um_score_job {
	uint32_t size;
	const um_array *x;     /* [B][image] */
	const double *alpha;   /* [B] signal scale */
	const double *sigma;   /* [B] noise standard deviation, 0 allowed for closed forms */
	int64_t probes;        /* K */
	const um_array *v;     /* [B][image], for jtv */
	const um_array *e;     /* [B*K][image], sample-major, for je, div and ddiv */
	um_array *s;           /* [B][image] */
	um_array *jtv;         /* J^T v, [B][image] */
	um_array *je;          /* J e, [B*K][image] */
	double *div;           /* [B] 1/K sum e^T J e; with probes = 0 the exact trace of J */
	um_array *ddiv;        /* [B][image] gradient of div with respect to x */
	/* (optional, with s and jtv) called for rows first .. first + count - 1 when their s is there, and sets their
	 * v: so the gradient of a function of s takes one pass. Rows come in order, each once. A prior whose info does
	 * not say that it knows this is called twice instead. */
	um_status (*between)(void *context, int64_t first, int64_t count);
	void *context;
} um_score_job;

UM_API UM_USED um_status um_problem_score(um_problem *p, const um_score_job *job);

/* Closed-form priors: see um_prior_ops. */
UM_API UM_USED um_status um_problem_component(um_problem *p, int64_t k, double *log_weight, double *mean);
UM_API UM_USED um_status um_problem_covariance(um_problem *p, int64_t k, bool root, const um_array *v,
	um_array *out);

#ifdef __cplusplus
}
#endif
#endif
