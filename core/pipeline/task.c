/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one process of a run does: simulate measurements, work on a cell, compare, report. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <umbra/linalg.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/calibrate.h"
#include "pipeline/checkpoint.h"
#include "pipeline/provenance.h"
#include "pipeline/task.h"
#include "report/compare.h"
#include "report/figure.h"
#include "report/report.h"

static volatile sig_atomic_t stopping;
static pid_t parent; /* a task whose parent is gone stops */
static um_page *page;
static const um_plugin *worker; /* the inference plugin that calls made for it return to, */
static const char *working;     /* and what it does */

static void on_signal(int s)
{
	(void)s;
	stopping = 1;
}

bool um_task_stopping(void)
{
	return stopping != 0 || getppid() != parent;
}

static void on_phase(const um_plugin *p, const char *phase)
{
	if (p == NULL) {
		p = worker;
		phase = working;
	}
	snprintf(page->plugin, sizeof(page->plugin), "%s", p != NULL ? p->name : "");
	snprintf(page->kind, sizeof(page->kind), "%s", p != NULL ? um_kind_names[p->kind] : "");
	snprintf(page->phase, sizeof(page->phase), "%s", p != NULL ? phase : "");
}

void um_task_worker(const um_plugin *p, const char *phase)
{
	worker = p;
	working = phase;
	um_phase(p, phase);
}

static um_cell_out *hearing; /* the cell whose warnings are kept */

static void on_log(um_level level, const char *text)
{
	if (level == UM_WARN && hearing != NULL)
		um_cell_warn(hearing, text);
}

/* What a task holds. */
struct task {
	const char *dir;
	um_plan *plan;
	const um_task *t;
	int index;
	um_env env;
	um_forward forward;
	um_prior *priors;
	um_inference inference;
	um_array y, sigma, op, truth;
	um_sky sky;
	bool impossible; /* the parts of the cell do not go together */
	char *start;     /* the image that the inference starts from, and its parameters with it; NULL: the file's own */
	void *started;
};

static void release(struct task *k)
{
	if (k->forward.plugin != NULL)
		um_forward_close(&k->forward);
	if (k->priors != NULL)
		um_plan_close_prior(k->priors, k->plan->prior[k->t->prior].n);
	if (k->inference.plugin != NULL)
		um_inference_close(&k->inference);
	free(k->start);
	free(k->started);
	um_array_free(&k->y);
	um_array_free(&k->sigma);
	um_array_free(&k->op);
	um_array_free(&k->truth);
}

static um_status open_forward(struct task *k)
{
	const um_item *item = &k->plan->forward[k->t->forward];
	um_status st = um_forward_open(item->plugin, um_params_data(item->params), &k->env, &k->forward);
	const um_forward_info *info = &k->forward.info;
	if (st != UM_OK)
		return st;
	k->sky = (um_sky){ .ra = info->ra, .dec = info->dec, .freq = info->freq, .mjd = info->mjd,
		.pixel = k->env.pixel };
	snprintf(k->sky.object, sizeof(k->sky.object), "%s", info->object != NULL ? info->object : "");
	return st;
}

static um_status new_measurement(struct task *k)
{
	um_status st = UM_OK;
	UM_TRY(um_array_new(&k->y, UM_F64, 2, (const int64_t[]){ 1, k->forward.info.ny }));
	UM_TRY(um_array_new(&k->sigma, UM_F64, 2, (const int64_t[]){ 1, k->forward.info.ny }));
	UM_TRY(um_array_new(&k->op, UM_F64, 2, (const int64_t[]){ 1, k->forward.info.nop }));
	k->y.stride[0] = k->sigma.stride[0] = k->op.stride[0] = 0; /* one row for every sample */
out:
	return st;
}

/* Copies what a file holds to where its shape is already known. */
static um_status take(um_array *dst, const um_array *src, const char *path)
{
	if (um_array_copy(dst, src) == UM_OK)
		return UM_OK;
	return um_fail(UM_EDATA, "%s: it holds %lld numbers, expected %lld", path,
		(long long)um_array_len(src), (long long)um_array_len(dst));
}

/* Reads a true image in instrument units into k->truth, [image] double. */
static um_status read_truth(struct task *k, const char *path)
{
	um_status st = UM_OK;
	um_image im = { 0 };
	UM_TRY(um_image_read(path, &im));
	UM_TRY(um_array_new(&k->truth, UM_F64, 5, k->env.shape));
	UM_TRY(take(&k->truth, &im.data, path));
out:
	um_image_free(&im);
	return st;
}

static um_status check_measurement(const struct task *k)
{
	for (int64_t i = 0; i < k->forward.info.ny; i++)
		if (!isfinite(um_row_d(&k->y, 0)[i]) || !(um_row_d(&k->sigma, 0)[i] > 0) ||
			!isfinite(um_row_d(&k->sigma, 0)[i]))
			return um_fail(UM_EDATA, "forward/%s: measurement %lld is not finite or its sigma is not "
				"positive", k->forward.plugin->name, (long long)i);
	return UM_OK;
}

/* ---- simulate --------------------------------------------------------------------- */

static um_status draw(struct task *k, const um_stage *s, um_array *x)
{
	um_status st = UM_OK;
	int index = um_plan_prior(k->plan, s->data.prior);
	um_rng rng = um_rng_new((uint64_t)s->data.seed, "truth", 0);
	um_prior *prior = NULL;
	UM_TRY(um_plan_open_prior(k->plan, index, &k->env, &prior));
	UM_TRY(um_env_images(&k->env, 1, x));
	um_phase(prior->plugin, "sample");
	UM_TRY(prior->ops.sample(prior->self, &rng, x));
out:
	um_plan_close_prior(prior, k->plan->prior[index].n);
	return st;
}

/* A draw of a prior or an image of a data set, in instrument units. */
static um_status choose_truth(struct task *k, const um_stage *s)
{
	um_status st = UM_OK;
	um_array x = { 0 };
	if (*s->data.prior != '\0')
		UM_TRY(draw(k, s, &x));
	else
		UM_TRY(um_truth_image(s, &k->env, &x));
	UM_TRY(um_array_new(&k->truth, UM_F64, 5, k->env.shape));
	double *t = k->truth.data;
	int64_t n = um_array_len(&x);
	for (int64_t i = 0; i < n; i++)
		t[i] = k->env.scale * ((const float *)x.data)[i];
out:
	um_array_free(&x);
	return st;
}

static um_status write_simulation(struct task *k, const char *folder)
{
	um_status st = UM_OK;
	char **history = NULL;
	char *truth = um_format("%s/truth.fits", folder), *data = um_format("%s/measurements.fits", folder);
	char *temp = NULL;
	int64_t dim[6] = { 1 };
	memcpy(dim + 1, k->truth.dim, 5 * sizeof(*dim));
	um_array six = um_array_view(k->truth.data, UM_F64, 6, dim), view = um_image_axes(&six, false);
	UM_TRY(um_history(k->plan, k->index, &history));
	um_fits_file image = { .data = &view, .sky = k->env.pixel > 0 ? &k->sky : NULL,
		.bunit = k->forward.info.unit, .axis3 = view.rank > 2 ? "CHANNEL" : NULL,
		.history = (const char *const *)history };
	temp = um_file_begin(truth);
	UM_TRY(um_file_commit(temp, truth, um_fits_write(temp, &image)));
	um_fits_ext ext[3] = { { "SIGMA", &k->sigma }, { "OPERATOR", &k->op }, { NULL, NULL } };
	if (k->forward.info.nop == 0)
		ext[1] = ext[2];
	um_fits_file measured = { .data = &k->y, .history = (const char *const *)history, .ext = ext };
	free(temp);
	temp = um_file_begin(data);
	UM_TRY(um_file_commit(temp, data, um_fits_write(temp, &measured)));
out:
	um_history_free(history);
	free(temp);
	free(truth);
	free(data);
	return st;
}

static um_status truth_figure(const struct task *k, const char *folder)
{
	char *dir = um_format("%s/figures", folder), *path = um_format("%s/truth.png", dir);
	um_panel panel = { .title = "truth", .data = k->truth.data,
		.channels = k->env.shape[2] == 3 ? 3 : 1, .rows = k->env.shape[3], .columns = k->env.shape[4],
		.mesh = k->env.mesh };
	um_scale scale = { .map = UM_AFMHOT, .label = k->forward.info.unit };
	um_figure f = { .panels = &panel, .npanels = 1, .scales = &scale, .nscales = 1, .pixel = k->env.pixel };
	um_status st = um_file_mkdirs(dir);
	if (st == UM_OK)
		st = um_figure_write(path, &f);
	free(path);
	free(dir);
	return st;
}

static um_status simulate(struct task *k)
{
	um_status st = UM_OK;
	const um_stage *s = &k->plan->stage[k->t->stage];
	um_array x = { 0 };
	char *folder = um_format("%s/%s", k->dir, k->t->name);
	um_cell_out out = { .plan = k->plan, .task = k->index, .folder = um_strdup(folder), .page = page };
	um_sink sink = um_cell_sink(&out);
	UM_TRY(um_file_mkdirs(folder));
	UM_TRY(open_forward(k));
	UM_TRY(new_measurement(k));
	if (s->set.truth_file != NULL)
		UM_TRY(read_truth(k, s->set.truth_file));
	else
		UM_TRY(choose_truth(k, s));
	UM_TRY(um_env_images(&k->env, 1, &x));
	UM_TRY(um_array_copy(&x, &k->truth));
	um_rng rng = um_rng_new(k->env.seed, k->t->name, 0);
	UM_TRY(um_forward_simulate(&k->forward, &rng, &x, &k->op, &k->y, &k->sigma, &sink));
	um_phase(NULL, NULL);
	UM_TRY(check_measurement(k));
	UM_TRY(write_simulation(k, folder));
	UM_TRY(truth_figure(k, folder));
out:
	um_cell_free(&out);
	um_array_free(&x);
	free(folder);
	return st;
}

/* ---- infer ------------------------------------------------------------------------- */

static um_status read_simulated(struct task *k)
{
	um_status st = UM_OK;
	char *folder = um_format("%s/simulate/%s", k->dir, um_plan_forward_key(k->plan, k->t->forward));
	char *data = um_format("%s/measurements.fits", folder), *truth = um_format("%s/truth.fits", folder);
	um_array y = { 0 }, sigma = { 0 }, op = { 0 };
	UM_TRY(um_fits_read_array(data, 1, NULL, &y));
	UM_TRY(um_fits_read_array(data, 0, "SIGMA", &sigma));
	UM_TRY(take(&k->y, &y, data));
	UM_TRY(take(&k->sigma, &sigma, data));
	if (k->forward.info.nop > 0) {
		UM_TRY(um_fits_read_array(data, 0, "OPERATOR", &op));
		UM_TRY(take(&k->op, &op, data));
	}
	UM_TRY(read_truth(k, truth));
out:
	um_array_free(&y);
	um_array_free(&sigma);
	um_array_free(&op);
	free(folder);
	free(data);
	free(truth);
	return st;
}

static um_status read_measurement(struct task *k)
{
	um_status st = UM_OK;
	UM_TRY(new_measurement(k));
	if (um_plan_simulation(k->plan, k->t->forward) != NULL) {
		UM_TRY(read_simulated(k));
	} else {
		if (k->forward.info.measurements != 1)
			UM_TRY(um_fail(UM_EPARAM, "forward/%s brings %lld measurements; a cell works on one",
				k->forward.plugin->name, (long long)k->forward.info.measurements));
		um_phase(k->forward.plugin, "data");
		UM_TRY(k->forward.ops.data(k->forward.self, &k->y, &k->sigma, &k->op));
	}
	UM_TRY(check_measurement(k));
	const char *truth = k->plan->forward_set[k->t->forward].truth;
	if (truth != NULL && *truth && k->truth.data == NULL)
		UM_TRY(read_truth(k, truth));
out:
	return st;
}

static um_status open_cell(struct task *k)
{
	um_status st = UM_OK;
	const um_item *item = &k->plan->inference[k->t->inference];
	const int from = um_plan_start(k->plan, k->t);
	if (from >= 0) {
		k->start = um_format("%s/%s/mean.fits", k->dir, k->plan->task[from].name);
		k->started = um_plugin_with_file(item->plugin, um_item_params(item), um_plugin_image(item->plugin), k->start);
	}
	UM_TRY(open_forward(k));
	UM_TRY(um_plan_open_prior(k->plan, k->t->prior, &k->env, &k->priors));
	UM_TRY(um_inference_open(item->plugin, from >= 0 ? k->started : um_item_params(item), &k->env, &k->inference));
out:
	return st;
}

/* Whether the parts of the cell go together. */
static um_status together(struct task *k)
{
	um_status st = UM_OK;
	um_tensors trained = { 0 };
	const int nprior = k->plan->prior[k->t->prior].n;
	const char *model = um_item_model(&k->plan->inference[k->t->inference]);
	const char *why = um_cell_refusal(k->inference.info.needs, &k->forward, k->priors, nprior);
	if (why != NULL)
		st = um_fail(UM_EPARAM, "%s", why);
	else if (model != NULL) {
		UM_TRY(um_tensors_read(model, &trained));
		st = um_bond_suits(&k->forward, k->priors, nprior, true, &trained);
	}
	k->impossible = st != UM_OK;
out:
	um_tensors_free(&trained);
	return st;
}

static um_status infer(struct task *k, bool resume)
{
	um_status st = UM_OK;
	const um_stage *s = &k->plan->stage[k->t->stage];
	const int nprior = k->plan->prior[k->t->prior].n;
	um_cell_out c = { .plan = k->plan, .task = k->index, .page = page, .resume = resume,
		.folder = um_format("%s/%s", k->dir, k->t->name) };
	um_sink sink = um_cell_sink(&c);
	UM_TRY(open_cell(k));
	UM_TRY(together(k));
	UM_TRY(um_file_mkdirs(c.folder));
	UM_TRY(read_measurement(k));
	UM_TRY(um_problem_new(&k->forward, k->priors, nprior, &k->y, &k->sigma, &k->op, s->set.samples,
		k->t->name, &c.problem));
	c.started = c.saved = um_clock();
	um_task_worker(k->inference.plugin, "run");
	hearing = &c;
	um_status run = k->inference.ops.run(k->inference.self, c.problem, &sink);
	hearing = NULL;
	um_task_worker(NULL, NULL);
	if (run != UM_OK && run != UM_EINTR)
		UM_TRY(um_context(run, "inference/%s in run", k->inference.plugin->name));
	bool stopped = run == UM_EINTR || (stopping && (c.samples.data == NULL ||
		c.samples.dim[0] < s->set.samples));
	UM_TRY(um_cell_deliver(&c, &k->forward, &k->y, &k->sigma, um_problem_op(c.problem),
		k->truth.data != NULL ? &k->truth : NULL, k->env.pixel > 0 ? &k->sky : NULL));
	if (stopped)
		UM_TRY(um_fail(UM_EINTR, "stopped on request; --resume goes on"));
	int64_t got = c.samples.data != NULL ? c.samples.dim[0] : 0;
	if (got < 1 || (got < s->set.samples && !k->inference.info.fewer))
		UM_TRY(um_fail(UM_EPLUGIN, "inference/%s delivered %lld of %lld samples", k->inference.plugin->name,
			(long long)got, (long long)s->set.samples));
	if (c.nwarning > 0)
		snprintf(page->message, sizeof(page->message), "%s", c.warning[0]);
	um_checkpoint_remove(c.folder);
out:
	um_problem_free(c.problem);
	um_cell_free(&c);
	return st;
}

/* Images of another program, judged as those of umbra are. */
static um_status import(struct task *k)
{
	um_status st = UM_OK;
	um_cell_out c = { .plan = k->plan, .task = k->index, .page = page, .folder = um_format("%s/%s", k->dir, k->t->name) };
	UM_TRY(open_forward(k));
	UM_TRY(um_file_mkdirs(c.folder));
	UM_TRY(read_measurement(k));
	UM_TRY(um_import_read(&k->plan->stage[k->t->stage], &k->env, k->forward.info.unit, &c.samples));
	UM_TRY(um_cell_deliver(&c, &k->forward, &k->y, &k->sigma, &k->op, k->truth.data != NULL ? &k->truth : NULL,
		k->env.pixel > 0 ? &k->sky : NULL));
out:
	um_cell_free(&c);
	return st;
}

/* ---- the process --------------------------------------------------------------------- */

static um_status load(struct task *k)
{
	um_status st = UM_OK;
	um_problems problems = { 0 };
	char *file = um_format("%s/pipeline.cfg", k->dir);
	UM_TRY(um_plan_load(file, NULL, &problems, &k->plan));
	if (problems.config || problems.data)
		st = um_fail(problems.config ? UM_EPARAM : UM_EDATA, "%s", problems.line[0]);
	um_plan_set_dir(k->plan, k->dir);
out:
	um_problems_free(&problems);
	free(file);
	return st;
}

/* Allocations beyond the limit of the stage fail. */
static um_status limit_memory(const struct task *k)
{
	const double mb = k->plan->stage[k->t->stage].set.memory_limit;
	const rlim_t bytes = (rlim_t)(mb * 1e6);
	if (mb > 0 && setrlimit(RLIMIT_DATA, &(struct rlimit){ bytes, bytes }) != 0)
		return um_fail(UM_EIO, "memory_limit = %g cannot be set", mb);
	return UM_OK;
}

static um_status do_task(struct task *k, const char *name, bool resume)
{
	um_status st = UM_OK;
	if (strcmp(name, "report") == 0)
		return um_report_write(k->dir);
	if (strcmp(name, "compare") == 0)
		return um_compare_write(k->dir, k->env.mesh);
	UM_TRY(load(k));
	k->index = um_plan_task(k->plan, name);
	if (k->index < 0)
		UM_TRY(um_fail(UM_EPARAM, "there is no task %s in %s", name, k->dir));
	k->t = &k->plan->task[k->index];
	int threads = k->env.threads;
	k->env = k->plan->env;
	k->env.threads = threads;
	const um_stage_kind kind = um_plan_kind(k->plan, k->t);
	UM_TRY(limit_memory(k));
	if (kind == UM_CALIBRATE)
		return k->t->part > 0 ? um_calibrate_part(k->plan, k->index, k->dir, &k->env, page, resume) :
			um_calibrate_verdict(k->plan, k->index, k->dir, page);
	UM_TRY(kind == UM_INFER ? infer(k, resume) : kind == UM_SIMULATE ? simulate(k) : kind == UM_IMPORT ? import(k) :
		um_train(k->plan, k->index, k->dir, &k->env, page, resume));
out:
	return st;
}

static void catch_signals(void)
{
	struct sigaction a = { .sa_handler = on_signal };
	sigemptyset(&a.sa_mask);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGUSR1, &a, NULL);
}

int um_task_main(const char *dir, const char *name, int threads, bool resume)
{
	struct task k = { .dir = dir, .env = { .threads = threads } };
	parent = getppid();
	page = um_page_inherit();
	catch_signals();
	um_phase_hook(on_phase);
	um_log_hook(on_log);
	um_threads(threads);
	um_status st = do_task(&k, name, resume);
	if (st != UM_OK)
		snprintf(page->message, sizeof(page->message), "%s", um_message());
	bool skip = k.impossible && k.plan->stage[k.t->stage].set.skip_impossible;
	if (st != UM_OK)
		um_log(st == UM_EINTR || skip ? UM_INFO : UM_ERROR, "%s: %s", name, um_message());
	release(&k);
	um_plan_free(k.plan);
	return st == UM_OK ? 0 : st == UM_EINTR ? 75 : skip ? UM_EXIT_SKIPPED : 1;
}
