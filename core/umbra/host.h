/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Driving plugins: loading, instances, problems, the conformance battery. For the
 * program and for tests; not plugin ABI. */
#ifndef UMBRA_HOST_H
#define UMBRA_HOST_H

#include <stdio.h>
#include <umbra/config.h>
#include <umbra/plugin.h>
#include <umbra/tensors.h>

UM_API extern const char *const um_kind_names[]; /* "", "forward", "priors", "inference" */

/* ---- loading --------------------------------------------------------------- */

/* Opens a shared object for the rest of the process (it is never unloaded) and copies its
 * descriptor. Refusals name the path and both numbers. *out stays owned by the host. */
UM_API UM_USED um_status um_plugin_open(const char *path, const um_plugin **out);

/* Finds a plugin by "kind/name", by a bare name that is unique, or by a path with a slash
 * and ending in .so; kind 0 means any. Search: UMBRA_PLUGIN_PATH (an empty element is the
 * built-in folder), then the built-in folder. Unknown names get the nearest known one. */
UM_API UM_USED um_status um_plugin_find(um_kind kind, const char *name, const um_plugin **out);

typedef struct um_plugin_entry { um_kind kind; char *name, *path; } um_plugin_entry;

/* Every plugin file on the search path, sorted by kind and name, without opening any. */
UM_API UM_USED um_status um_plugin_list(um_plugin_entry **list, int *n);
UM_API void um_plugin_list_free(um_plugin_entry *list, int n);

UM_API void um_plugin_help(const um_plugin *p, FILE *out);
UM_API void um_plugin_template(const um_plugin *p, FILE *out);

/* ---- instances ------------------------------------------------------------- */

/* A created plugin with its ops copied into a struct of this host's size, absent
 * members NULL. The open functions fail with the plugin's name in the message. */
typedef struct um_forward {
	const um_plugin *plugin;
	um_forward_ops ops;
	um_forward_info info;
	um_env env;
	void *self;
	um_array y, sigma, op; /* measurements of a file (um_forward_read), or empty */
} um_forward;

typedef struct um_prior {
	const um_plugin *plugin;
	um_prior_ops ops;
	um_prior_info info;
	um_env env;
	void *self;
	struct um_named *named; /* the prior that it names, or NULL */
} um_prior;

typedef struct um_inference {
	const um_plugin *plugin;
	um_inference_ops ops;
	um_inference_info info;
	um_env env;
	void *self;
} um_inference;

UM_API UM_USED um_status um_forward_open(const um_plugin *p, const void *params, const um_env *env, um_forward *out);
UM_API UM_USED um_status um_prior_open(const um_plugin *p, const void *params, const um_env *env, um_prior *out);
UM_API UM_USED um_status um_inference_open(const um_plugin *p, const void *params, const um_env *env, um_inference *out);
/* Measurements from a file, for any forward model without its own: .npy or FITS, rows as a simulate stage writes them, or
 * images where a measurement is one. Extensions SIGMA and OPERATOR have one row or as many; without, they are as the settings
 * say (noise). info.measurements becomes their number. UM_EDATA names both sizes where they differ. */
UM_API UM_USED um_status um_forward_read(um_forward *f, const char *path);
/* info.measurements rows of such a file, or of the plugin's own. */
UM_API UM_USED um_status um_forward_data(um_forward *f, um_array *y, um_array *sigma, um_array *op);
/* A prior that names another one (UM_KEY): named becomes its property, also where this fails. */
UM_API UM_USED um_status um_prior_open_on(const um_plugin *p, const void *params, const um_env *env,
	const um_prior *named, um_prior *out);
UM_API void um_forward_close(um_forward *f);
UM_API void um_prior_close(um_prior *p);
UM_API void um_inference_close(um_inference *i);

/* The score of a prior that has one, um_score_job.between by two calls where it does not know that. */
UM_API UM_USED um_status um_prior_score(um_prior *p, const um_score_job *job);

/* Draws of a prior that has them, all finite. */
UM_API UM_USED um_status um_prior_draw(um_prior *p, um_rng *rng, um_array *x);

/* Images whose score a prior asked another one for, or -1 where it names none. */
UM_API int64_t um_prior_calls(const um_prior *p);

/* The key that the parameters of a prior name another one by, or NULL. */
UM_API const char *um_prior_key(const um_plugin *p, const void *params);

/* The parameter model of a prior or inference that can be trained, or NULL: where its weight file is named; the
 * parameter image of an inference, or NULL: the FITS file that it starts from. */
UM_API const um_param *um_plugin_model(const um_plugin *p);
UM_API const um_param *um_plugin_image(const um_plugin *p);
/* A copy of params in which one of these is path; path and what params points to are borrowed, free the copy. */
UM_API void *um_plugin_with_file(const um_plugin *p, const void *params, const um_param *which, const char *path);

/* An image array [count][shape of env], float, zeroed. */
UM_API UM_USED um_status um_env_images(const um_env *env, int64_t count, um_array *x);

/* ll and its gradient, finite, with the fallback of plugin.h; figures with theirs; simulation with its. Errors name plugin and
 * phase. */
UM_API UM_USED um_status um_forward_loglike(um_forward *f, const um_array *op, const um_array *x,
	const um_array *y, const um_array *sigma, double *ll, um_array *dx);
UM_API UM_USED um_status um_forward_stats(um_forward *f, const um_array *op, const um_array *x,
	const um_array *y, const um_array *sigma, double *values);
UM_API int um_forward_nstats(const um_forward *f);
UM_API const char *um_forward_stat(const um_forward *f, int i);
UM_API bool um_forward_simulates(const um_forward *f); /* it has simulate or noise */
UM_API UM_USED um_status um_forward_simulate(um_forward *f, um_rng *rng, const um_array *x, um_array *op,
	um_array *y, um_array *sigma, um_sink *sink);
/* (a2 Sigma + b2 A A^T)^-1 r; scale multiplies A. */
UM_API UM_USED um_status um_forward_solve(um_forward *f, const um_array *op, const um_array *sigma,
	double a2, double b2, const um_array *r, um_array *out);

/* ---- problems -------------------------------------------------------------- */

/* Prior factors are multiplied. y, sigma [1][ny] and op [1][nop] are borrowed, as are the
 * instances. name keys the random streams. */
UM_API UM_USED um_status um_problem_new(um_forward *f, um_prior *priors, int npriors, const um_array *y,
	const um_array *sigma, const um_array *op, int64_t samples, const char *name, um_problem **out);
/* Goes over to another measurement, with random streams of another name; calls are counted on. */
UM_API void um_problem_turn(um_problem *p, const um_array *y, const um_array *sigma, const um_array *op, const char *name);
/* A problem for a fit: measurements of the truths of a data set, or, truths NULL, those of the forward model's own
 * files, a tenth of which are held out. */
UM_API UM_USED um_status um_problem_new_fit(um_forward *f, um_prior *priors, int npriors, um_dataset *truths,
	double seconds, const char *name, um_problem **out);
UM_API void um_problem_free(um_problem *p);
UM_API int64_t um_problem_calls(const um_problem *p); /* evaluations of the prior, one a sample; of one
	that names another, those of the score of that */

/* um_problem_note and um_problem_suits without a measurement. Priors that have yet to learn are not known: then
 * names and sizes must do. */
UM_API UM_USED um_status um_bond_note(um_forward *f, um_prior *priors, int npriors, bool known, um_sink *sink);
UM_API UM_USED um_status um_bond_suits(um_forward *f, um_prior *priors, int npriors, bool known, const um_tensors *t);

/* Why the inference cannot work on this problem: a sentence, which may be um_message(), or NULL. */
UM_API const char *um_cell_refusal(const um_inference *inference, const um_forward *f, const um_prior *priors, int npriors);

/* Called before every call into a plugin, so that a crash can be attributed, and with NULL
 * after calls made for an inference plugin, which then goes on. NULL hook: nobody. */
typedef void um_phase_fn(const um_plugin *p, const char *phase);
UM_API void um_phase_hook(um_phase_fn *fn);
UM_API void um_phase(const um_plugin *p, const char *phase);
/* st; the message of an error, other than UM_EINTR, then begins with "kind/name in phase". */
UM_API UM_USED um_status um_in_phase(const um_plugin *p, const char *phase, um_status st);

/* ---- sinks ----------------------------------------------------------------- */

/* Where a sink's calls go; NULL members accept and forget. */
typedef struct um_sink_ops {
	um_answer (*progress)(void *state, int64_t done, int64_t total, double loss);
	um_status (*samples)(void *state, const um_array *u, const double *logq);
	um_status (*metric)(void *state, const char *name, double value);
	um_status (*trace)(void *state, int64_t step, int n, const char *const names[], const double values[]);
	um_status (*tensor)(void *state, const char *name, const um_array *a);
	um_status (*file)(void *state, const char *name, um_status (*write)(const char *path, void *context),
		void *context);
	um_status (*checkpoint)(void *state, int n, const char *const names[], const um_array *const arrays[]);
	um_status (*restore)(void *state, int n, const char *const names[], um_array *const arrays[], bool *found);
	um_status (*plot)(void *state, const um_plot *plot);
	um_status (*picture)(void *state, const um_picture *picture);
	um_status (*note)(void *state, const char *key, const char *value);
	um_status (*images)(void *state, const char *name, const char *title, const um_array *x);
} um_sink_ops;

struct um_sink { const um_sink_ops *ops; void *state; };

/* Keeps samples, metrics, tensors and notes in memory: for tests and for callers of the library. */
typedef struct um_memory {
	um_array samples;      /* float [kept][image], grows */
	double *logq;          /* NULL where none was given */
	int nmetrics;
	struct { char name[64]; double value; } metric[64];
	um_tensors tensors;    /* what a weight file would hold */
} um_memory;
UM_API um_sink um_memory_sink(um_memory *m);
UM_API void um_memory_free(um_memory *m);
UM_API double um_memory_metric(const um_memory *m, const char *name); /* NaN if absent */

/* ---- conformance ----------------------------------------------------------- */

/* Tests everything that a plugin offers, with its defaults and the assignments in settings
 * ("key=value", ended by NULL; or NULL); writes one line a check to out. The number of
 * failed checks is in *failed. */
UM_API UM_USED um_status um_conform(const um_plugin *p, const char *const *settings, FILE *out, int *failed);

#endif
