/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The contract between umbra and a plugin.
 *
 * A plugin is one shared object that exports one constant, UM_PLUGIN. The host
 * reads it before it calls any code of the plugin.
 *
 * Ownership: pointers passed in are borrowed for the call, except that the
 * strings and lists of params live until destroy returns. What create makes,
 * destroy releases. Outputs are allocated by the caller, and the callee writes
 * every element.
 *
 * Threads: one instance is used by one thread at a time; two instances may run at
 * once. Hence no writable static data. An instance may use env->threads threads
 * inside a call.
 *
 * Errors: return um_fail(...); never exit, abort, print or open a file for
 * writing. Randomness comes only from the um_rng handed in.
 *
 * Shapes: every function works on a batch of B samples. An image array has
 * rank 6, [sample][frames][bands][channels][rows][columns], float, contiguous;
 * row 0 is north, column 0 is east. Measurements y, their standard deviations
 * sigma and operator parameters op are double, [B][ny], [B][ny] and [B][nop];
 * y, sigma and op may have one shared row (stride[0] == 0): reach row i by
 * um_row_d(y, i). um_rng arguments point to B streams, one a sample, so that a
 * result never depends on what else is in its batch.
 */
#ifndef UMBRA_PLUGIN_H
#define UMBRA_PLUGIN_H

#include <umbra/array.h>
#include <umbra/param.h>
#include <umbra/problem.h>
#include <umbra/rng.h>
#include <umbra/sink.h>
#include <umbra/status.h>

#define UM_ABI 1 /* an incompatible change: a new number and a new symbol name */
#define UM_PLUGIN_SYMBOL "umbra_plugin_1"
#ifdef __cplusplus
#define UM_PLUGIN extern "C" UM_API const um_plugin umbra_plugin_1; const um_plugin umbra_plugin_1
#else
#define UM_PLUGIN extern UM_API const um_plugin umbra_plugin_1; const um_plugin umbra_plugin_1
#endif

typedef enum um_kind { UM_FORWARD = 1, UM_PRIOR, UM_INFERENCE } um_kind;

/* Capability bits; the host refuses bits that it does not know. */
enum {
	UM_SKY = 1, /* works on sky images: the pipeline must give fov_uas */
};

/* The prior that a parameter of type UM_KEY names: what is open of it to other plugins. */
typedef struct um_source {
	uint32_t size;
	const char *name;   /* of its plugin */
	um_status (*score)(void *self, const um_score_job *job); /* NULL: it has none */
	void *self;
} um_source;

#define UM_UAS 4.848136811095360e-12 /* radians of a micro-arcsecond */

/* What an instance is told about the run it belongs to. Grows at the end. */
typedef struct um_env {
	uint32_t size;      /* sizeof(um_env) in the host */
	int threads;        /* how many threads the instance may use */
	uint64_t seed;      /* fixed for a pipeline */
	int64_t shape[5];   /* frames, bands, channels, rows, columns of the image */
	double pixel;       /* radians per pixel; 0 where the image is not of the sky */
	double scale;       /* instrument units per unit of x */
	um_transform transform;
	const um_source *source; /* lives as long as the instance; NULL where no prior is named */
	const struct um_mesh *mesh; /* whose vertices are the columns (umbra/mesh.h); NULL: images are flat */
} um_env;

/* ---- forward models: y = f(x) + noise ------------------------------------ */

/* Filled by create; zero on entry except size. x here is in instrument units,
 * which is scale times what priors see. */
typedef struct um_forward_info {
	uint32_t size;
	int64_t ny;                /* length of y */
	int64_t nop;               /* operator parameters of one measurement, or 0 */
	int64_t measurements;      /* rows that data() delivers; 0: no data of its own */
	bool linear;               /* f(x) = A x */
	int nstats;                /* how many figures stats() writes */
	const char *const *stats;  /* their names, e.g. "chi2_vis" */
	double ra, dec;            /* of the image centre in degrees, for the WCS of products */
	double freq, mjd;          /* Hz and day; 0: unknown */
	const char *object;        /* source name or NULL; lives until destroy */
	const char *unit;          /* FITS unit of a pixel or NULL, e.g. "JY/PIXEL" */
	bool shift_free;           /* the data do not change when the image is shifted */
	bool whole;                /* f(x) = x: the image itself is seen, with noise */
	const bool *angles;        /* [ny] which data are angles in radians, the same after a turn; NULL: none; lives
	                              until destroy */
} um_forward_info;

typedef struct um_forward_ops {
	um_status (*create)(void **self, const void *params, const um_env *env, um_forward_info *info);
	void (*destroy)(void *self);

	/* y = f(x); where dx is given also dy = J(x) dx. */
	um_status (*apply)(void *self, const um_array *op, const um_array *x, const um_array *dx,
		um_array *y, um_array *dy);

	/* jtv = J(x)^T v: of f, never of the likelihood. v is [B][ny] double. */
	um_status (*pullback)(void *self, const um_array *op, const um_array *x, const um_array *v,
		um_array *jtv);

	/* (optional; without it the model cannot be simulated from, unless simulate
	 * is there) sigma [1][ny] and op [1][nop] of a typical measurement. */
	um_status (*noise)(void *self, um_array *sigma, um_array *op);

	/* (where info.measurements > 0) the measurements of its own files. */
	um_status (*data)(void *self, um_array *y, um_array *sigma, um_array *op);

	/* (optional) noisy measurements of x; without: y = f(x) + sigma n with the
	 * sigma of noise(). Files of the plugin's own kind go to the sink. */
	um_status (*simulate)(void *self, um_rng *rng, const um_array *x, um_array *op, um_array *y,
		um_array *sigma, um_sink *sink);

	/* (optional) ll[B] double = log p(y | x) up to a constant, and its gradient
	 * where dx is given; without: -1/2 sum ((y - f(x)) / sigma)^2. */
	um_status (*loglike)(void *self, const um_array *op, const um_array *x, const um_array *y,
		const um_array *sigma, double *ll, um_array *dx);

	/* (optional, linear models) out = (a2 Sigma + b2 A A^T)^-1 r, rows of double,
	 * Sigma = diag(sigma^2); a2 = 0 asks for the pseudo-inverse of b2 A A^T.
	 * Without: conjugate gradients. */
	um_status (*solve)(void *self, const um_array *op, const um_array *sigma, double a2, double b2,
		const um_array *r, um_array *out);

	/* (optional) values[B][nstats] double: named figures of images x, such as a
	 * reduced chi-square per product. Without: "chi2", sum((y-f)/sigma)^2 / ny. */
	um_status (*stats)(void *self, const um_array *op, const um_array *x, const um_array *y,
		const um_array *sigma, double *values);

	/* (optional) pictures of the data against the samples x, through um_sink_plot. */
	um_status (*plot)(void *self, const um_array *op, const um_array *x, const um_array *y,
		const um_array *sigma, um_sink *sink);

	/* (optional, where info.nop > 0) moves op [1][nop] for one measurement to a maximum of
	 * log p(y | x, op) + log p(op), x [1][image], without ever making it fall; p(op), the
	 * model's own idea of its parameters, peaks at the op of noise() and data(). *lp = log p(op)
	 * up to a constant. sink, for figures of the outcome, is NULL but in the last call. */
	um_status (*calibrate)(void *self, const um_array *x, const um_array *y, const um_array *sigma,
		um_array *op, double *lp, um_sink *sink);
} um_forward_ops;

/* ---- priors: which x are plausible --------------------------------------- */

typedef struct um_prior_info {
	uint32_t size;
	bool positive;       /* the density is for x > 0 only */
	int64_t components;  /* K > 0: exactly a mixture of K Gaussians, and component
	                        and covariance are there */
	bool estimate;       /* logp is an estimate by random draws, too rough for searches along lines */
	double lo, unit;     /* values of x that are 0 and 1 to a diffusion of its own: lo, lo + unit; unit 0: it has none */
	bool between;        /* score calls um_score_job.between */
	bool normalised;     /* exp(logp) integrates to 1 over all x: evidences can be compared with those of other priors */
} um_prior_info;

typedef struct um_dataset um_dataset; /* umbra/dataset.h */

/* At least one of logp, score and sample. */
typedef struct um_prior_ops {
	um_status (*create)(void **self, const void *params, const um_env *env, um_prior_info *info);
	void (*destroy)(void *self);

	/* lp[B] double = log p(x) (it may be an estimate drawn with rng, and is up to
	 * a constant for priors that cannot be normalised); its gradient where dx is given. */
	um_status (*logp)(void *self, um_rng *rng, const um_array *x, double *lp, um_array *dx);

	/* One pass for what is wanted of the score of the diffused density; see um_score_job. */
	um_status (*score)(void *self, const um_score_job *job);

	/* One draw a stream. */
	um_status (*sample)(void *self, um_rng *rng, um_array *x);

	/* (closed forms) log weight of component k and, where mean is given, its mean [n] double. */
	um_status (*component)(void *self, int64_t k, double *log_weight, double *mean);

	/* (closed forms) rows of double, out_i = C_k v_i; with root: out_i = S_k v_i,
	 * S_k S_k^T = C_k, so that white v gives draws about the mean. v, out [B][n]. */
	um_status (*covariance)(void *self, int64_t k, bool root, const um_array *v, um_array *out);

	/* (optional, with a parameter model, UM_FILE with default "") learns from a data set. Tensors and
	 * notes go to the sink once the fit is over, and the host writes them as the weight file that
	 * model names from then on. create with model "" makes an instance with the info that it would
	 * have after training; only fit and destroy are called of it. The model of an instance that has
	 * one is where its fit may start. Long work calls um_sink_restore first and um_sink_progress
	 * every step, writes a checkpoint where the answer says so, and begins no step after the
	 * budget of um_dataset_info, which it leaves with a checkpoint, so that a larger one can go on. */
	um_status (*fit)(void *self, um_dataset *data, um_sink *sink);
} um_prior_ops;

/* ---- inference: samples of p(x | y) -------------------------------------- */

enum { /* what run needs from prior and forward model; the host refuses other cells */
	UM_NEEDS_LOGP = 1,      /* prior.logp with gradient */
	UM_NEEDS_SCORE = 2,     /* prior.score */
	UM_NEEDS_LINEAR = 4,    /* a linear forward model */
	UM_NEEDS_CLOSED = 8,    /* a closed-form (Gaussian or mixture) prior */
	UM_NEEDS_IDENTITY = 16, /* transform = "identity" */
	UM_NEEDS_CALIBRATE = 32, /* forward.calibrate, and parameters for it */
	UM_NEEDS_FUNCTION = 64, /* no um_prior_info.estimate */
	UM_NEEDS_WHOLE = 128,   /* a forward model that sees the image itself */
	UM_NEEDS_DRAWS = 256,   /* a prior that can be drawn from */
	UM_NEEDS_ALL = 511,
};

typedef struct um_inference_info {
	uint32_t size;
	uint32_t needs;
	bool fewer;          /* run may deliver fewer samples than asked: a point estimate */
} um_inference_info;

typedef struct um_inference_ops {
	um_status (*create)(void **self, const void *params, const um_env *env, um_inference_info *info);
	void (*destroy)(void *self);

	/* Delivers problem->samples samples to the sink, with metrics and trace rows on
	 * the way. Long work calls um_sink_progress every step and obeys its answer. It may be
	 * called again, for other measurements: what it leaves behind in self changes nothing of
	 * what they give. */
	um_status (*run)(void *self, um_problem *problem, um_sink *sink);

	/* (optional, with a parameter model, UM_FILE with default "") learns once for many measurements, which
	 * um_problem_batch and um_problem_rows of this problem deliver. As for um_prior_ops.fit: tensors and notes
	 * go to the sink at the end, um_problem_note among them; create with model "" makes an instance of which
	 * only fit and destroy are called; checkpoints and the budget of um_problem_info are obeyed. run refuses
	 * what um_problem_suits does. */
	um_status (*fit)(void *self, um_problem *problem, um_sink *sink);

	/* (optional) whether run and fit can work on a problem of which this is known: UM_EPARAM, saying why not and what
	 * to do, where it is too large, for example. What the bits of needs say has been seen to. The host asks before
	 * anything runs, and calls neither where the answer is no; so samples, and what is of a fit, are 0. */
	um_status (*suits)(void *self, const um_problem_info *about);
} um_inference_ops;

/* ---- the descriptor ------------------------------------------------------ */

typedef struct um_plugin {
	uint32_t abi;         /* UM_ABI; these two stay first for ever */
	uint32_t size;        /* sizeof(um_plugin), so that fields can be appended */
	um_kind kind;
	uint32_t caps;        /* UM_SKY */
	const char *name;     /* equals the file name without .so */
	const char *version;
	const char *doc;      /* one sentence */
	const char *citation; /* what to cite, or "" */
	size_t params_size;
	const um_param *params;
	size_t nparams;
	const void *ops;      /* um_forward_ops, um_prior_ops or um_inference_ops, by kind */
	size_t ops_size;
} um_plugin;

#define UM_HEADER UM_ABI, sizeof(um_plugin)
#define UM_PARAMS(S, table) sizeof(S), table, sizeof(table) / sizeof(*(table))
#define UM_OPS(ops) &(ops), sizeof(ops)

#endif
