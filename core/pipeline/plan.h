/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A checked pipeline file: what exists, what is to be done, in which order. */
#ifndef UMBRA_PIPELINE_PLAN_H
#define UMBRA_PIPELINE_PLAN_H

#include <umbra/config.h>
#include <umbra/host.h>
#include <umbra/mesh.h>

/* A plugin with parameters under a key of the file, or a variant of it that a sweep makes: then it owns
 * node, and its key is "KEY@priors.tv.weight=10". */
typedef struct um_item {
	char *key;
	char *base;              /* of a variant: KEY; else NULL */
	um_node *node;
	const um_plugin *plugin; /* NULL where it could not be found */
	um_params *params;       /* NULL where they are wrong */
	char *weights;           /* the weight file that a train stage of this run makes, once the folder is known */
	void *trained;           /* parameters with that file as model */
} um_item;

/* The factors of one key in the group priors. */
typedef struct um_prior_item {
	char *key;
	char *base;
	um_node *node;
	int n;
	um_item *factor; /* one that is trained is the only one */
} um_prior_item;

/* Settings that the host reads from a forward group. */
typedef struct um_forward_settings {
	const char *plugin;
	const char *measurements, *truth;
} um_forward_settings;

typedef struct um_image_settings {
	um_reals pixels;
	const char *mesh, *surface;
	int64_t frames, bands, channels;
	double fov_uas, scale;
	const char *transform;
} um_image_settings;

typedef enum um_stage_kind { UM_SIMULATE, UM_TRAIN, UM_INFER, UM_IMPORT, UM_COMPARE, UM_CALIBRATE } um_stage_kind;

/* The keys of a stage; which of them a kind of stage knows is in stage.c. */
typedef struct um_stage_settings {
	const char *stage, *forward, *prior, *learner, *truth_file, *align, *storage, *name, *simulate, *truths, *start;
	um_texts priors, inference, files;
	int64_t samples, replicates, count;
	double time_limit, memory_limit, seconds, factor;
	bool skip_impossible;
} um_stage_settings;

/* What a train stage learns from, and of which a simulate stage takes one image. */
typedef struct um_data_settings {
	um_texts files;
	const char *prior, *values, *size, *colours, *augment, *about, *licence;
	int64_t count, index, seed;
	double factor, offset, noise, held_out;
} um_data_settings;

typedef struct um_stage {
	um_stage_kind kind;
	um_node *node;
	um_params *params, *truth_params, *data_params; /* truth_params: of truth = "file" */
	um_stage_settings set;
	um_data_settings data;
} um_stage;

/* One thing that a process of its own does. */
typedef struct um_task {
	char *name;   /* "simulate/eht", "eht/clean", "train/ring", "eht/tv+dpi", "eht/tv+dpi@priors.tv.weight=10", "compare",
	                 "calibrate/eht+tv+dpi" */
	int stage;
	int forward, prior, inference; /* indices into the plan, or -1; a fit has the prior, or all three */
	int part;     /* of a calibrate stage, from 1: some of its replicates; 0: what they say together */
} um_task;

typedef struct um_plan {
	char *file;
	um_node *root;
	char *title;
	int64_t seed;
	um_params *image_params;
	um_image_settings image;
	um_mesh mesh;         /* no vertices: images are flat */
	um_env env;           /* shape, pixel, scale, transform, seed; threads = 1 */
	int nforward, nprior, ninference, nstage, ntask;
	um_item *forward, *inference;
	um_forward_settings *forward_set;
	um_params **forward_set_params;
	um_prior_item *prior;
	um_stage *stage;
	um_task *task;
} um_plan;

/* Reads, changes (sets ends with NULL, or is NULL) and checks a file as far as that needs no
 * code of plugins. Every problem is in problems; the plan is usable only if there was none.
 * A file without run is a fragment (problems->fragment). */
UM_API UM_USED um_status um_plan_load(const char *file, const char *const *sets, um_problems *problems,
	um_plan **out);
UM_API void um_plan_free(um_plan *p);

/* Creates every instance of the plan and asks whether the cells can work: what only plugins
 * know. Problems are added. */
UM_API void um_plan_check(um_plan *p, um_problems *problems);

/* The stage that simulates the data of a forward, or NULL; the task of a name, or -1. */
UM_API const um_stage *um_plan_simulation(const um_plan *p, int forward);
UM_API int um_plan_task(const um_plan *p, const char *name);
/* The index of a key, or -1. */
UM_API int um_plan_prior(const um_plan *p, const char *key);
UM_API int um_plan_forward(const um_plan *p, const char *key);
UM_API int um_plan_inference(const um_plan *p, const char *key);
/* The key in the file of a forward, also of a variant. */
UM_API const char *um_plan_forward_key(const um_plan *p, int forward);
/* Parameters of an item, with the model that this run made for it. */
UM_API const void *um_item_params(const um_item *item);
/* Its weight file, "" where it has none; NULL where its plugin does not learn. */
UM_API const char *um_item_model(const um_item *item);

/* Of a calibrate stage: the forward model that makes the data, and the prior that truths are drawn from. */
UM_API int um_plan_simulator(const um_plan *p, const um_stage *s);
UM_API int um_plan_truths(const um_plan *p, const um_stage *s);

/* The index of the prior that factor k of a prior names, or -1. */
UM_API int um_plan_named(const um_plan *p, int prior, int k);

/* What kind of stage a task belongs to, and whether it makes a cell: samples of images. */
UM_API um_stage_kind um_plan_kind(const um_plan *p, const um_task *t);
UM_API bool um_plan_is_cell(const um_plan *p, const um_task *t);

/* The stage that trains a prior, or an inference, or NULL; whether task t uses what task k makes. */
UM_API const um_stage *um_plan_training(const um_plan *p, int prior);
UM_API const um_stage *um_plan_learning(const um_plan *p, int inference);
/* Whether a prior is trained in this run, or names or is made of one that is. */
UM_API bool um_plan_learned(const um_plan *p, int prior);
/* The cell of an earlier stage whose mean image a cell starts from, or -1; complains where start of its stage asks for one
 * that is not there, for plugins that have no such parameter, or for several measurements (forward: all that were opened). */
UM_API int um_plan_start(const um_plan *p, const um_task *t);
UM_API void um_start_check(const um_plan *p, const um_task *t, const um_forward *forward, um_problems *problems);
UM_API bool um_plan_needs(const um_plan *p, const um_task *t, const um_task *k);
/* Says where the run directory is: what it trains is opened with its weight files. */
UM_API void um_plan_set_dir(um_plan *p, const char *dir);

/* A forward model, created, with the measurements of its file where the pipeline names one. */
UM_API UM_USED um_status um_plan_open_forward(const um_plan *p, int index, const um_env *env, um_forward *out);
/* The factors of a prior, created; closes what it opened where it fails. */
UM_API UM_USED um_status um_plan_open_prior(const um_plan *p, int index, const um_env *env, um_prior **out);
UM_API void um_plan_close_prior(um_prior *factors, int n);

/* Help on the groups that the host itself reads: image and the stages. */
UM_API void um_plan_help(FILE *out);

/* ---- private to core/pipeline: stage.c ------------------------------------- */

/* The top-level and image keys, and the table of one kind of stage. */
UM_API const um_param *um_image_table(size_t *n);
UM_API const um_param *um_stage_table(um_stage_kind kind, size_t *n);
UM_API void um_stage_read(um_plan *p, um_node *node, um_problems *problems);

/* ---- private to core/pipeline: items.c, plan.c, sweep.c ------------------------------------- */

/* The keys of a forward group that the host reads. */
UM_API const um_param *um_forward_table(size_t *n);
/* Adds a forward, prior or inference: node under a key, as a variant of base where that is not NULL. Its index. */
UM_API int um_plan_add(um_plan *p, um_kind kind, um_node *node, const char *key, const char *base, um_problems *problems);
UM_API void um_plan_free_items(um_plan *p);
/* Complains that group has no such key, with the nearest one. */
UM_API void um_plan_no_such(const um_node *at, const char *what, const char *key, const um_node *group,
	um_problems *problems);
/* Whether a prior is, or names, or is made of one that names, the prior "what". */
UM_API bool um_plan_rests_on(const um_plan *p, int prior, int what);

/* sweep = ( { key = "priors.tv.weight"; values = [10.0, 100.0]; }, ... ) of an infer stage. */
typedef struct um_sweep_key {
	um_node *node, *values;
	const char *path;    /* "priors.tv.weight" */
	um_kind kind;
	int item;            /* index of what it changes */
	const char *inside;  /* "weight" */
	bool used;
} um_sweep_key;
typedef struct um_sweep { int n; um_sweep_key *key; } um_sweep;

/* The keys of a stage; what is wrong is complained about and left out. Free the list of keys. */
UM_API um_sweep um_sweep_read(um_plan *p, const um_stage *s, um_problems *problems);
/* How many cells a cell becomes: the product of the numbers of values of the keys that it uses. */
UM_API int64_t um_sweep_count(const um_plan *p, um_sweep *w, const um_task *cell);
/* Makes cell, whose forward, prior and inference are the file's own, number c of them: they become variants. A new
 * text "priors.tv.weight=10,inference.map.starts=2", or NULL where the cell uses no key. */
UM_API char *um_sweep_cell(um_plan *p, const um_sweep *w, int64_t c, um_task *cell, um_problems *problems);

/* ---- private to core/pipeline: import.c ---------------------------------------------- */

/* Complains about an import stage that cannot work; false where there was something. */
UM_API bool um_import_check(const um_stage *s, um_problems *problems);
/* The images of its files, in instrument units (unit of the forward model, or NULL), float [count][image]; those of another
 * size or field are brought to the pipeline's by um_regrid, or refused. */
UM_API UM_USED um_status um_import_read(const um_stage *s, const um_env *env, const char *unit, um_array *x);

/* ---- private to core/pipeline: training.c, data.c -------------------------------- */

/* Complains about a train stage that cannot work; false where there was something. */
UM_API bool um_training_check(const um_plan *p, const um_stage *s, um_problems *problems);
/* Complains about what is used untrained, or before its train stage. */
UM_API void um_training_order(const um_plan *p, um_problems *problems);

UM_API const um_param *um_data_table(size_t *n);
UM_API void um_data_read(um_plan *p, um_stage *s, um_problems *problems);
UM_API const um_param *um_truth_table(size_t *n);
/* truth = "file" or truth = { ... } of a simulate stage. */
UM_API void um_truth_read(um_plan *p, um_stage *s, um_problems *problems);
/* The images of the files of a stage, and the width of the noise that hides their rounding. */
UM_API UM_USED um_status um_data_images(const um_stage *s, const um_env *env, um_array *x, double *step);
/* Images data.index and those after it, set.count in all, of the files of a truth: float [count][image] in the units of
 * priors. */
UM_API UM_USED um_status um_truth_images(const um_stage *s, const um_env *env, um_array *x);

#endif
