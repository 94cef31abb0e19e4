/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A train task: the data set, the fit of a prior to it or of an inference to measurements of it, the weight file, and
 * pictures of what was learned. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/dataset.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/checkpoint.h"
#include "pipeline/task.h"
#include "report/figure.h"

enum { SHOWN = 64 };

/* What the task holds. */
struct training {
	const um_plan *plan;
	const um_stage *stage;
	const um_task *task;
	const um_item *item;  /* that is fitted */
	um_env env;
	um_cell_out out;
	um_prior untrained, trained;
	um_inference inference; /* instead of these two */
	um_forward forward;     /* whose measurements that is for */
	um_prior *priors;       /* and the prior */
	um_problem *problem;
	um_prior *drawn;      /* from which images are drawn, or NULL */
	um_array images;
	um_dataset *data;     /* NULL: the forward model brings measurements */
	bool budget_ended_it;
};

static um_status draw(void *state, um_rng *rng, um_array *x)
{
	struct training *k = state;
	if (k->data == NULL && um_task_stopping()) /* later the fit is asked, which can save its state */
		return um_fail(UM_EINTR, "stopped on request while images were drawn");
	return um_prior_draw(k->drawn, rng, x);
}

/* What is left of the budget; never 0, which would mean none. */
static double budget(const struct training *k)
{
	const double all = k->stage->set.seconds;
	return all > 0 ? fmax(1e-9, all - um_cell_earlier(&k->out)) : 0;
}

static um_status open_data(struct training *k)
{
	static const char *const augment[] = { "none", "flips", "dihedral" };
	const um_data_settings *d = &k->stage->data;
	um_status st = UM_OK;
	um_dataset_source s = { .name = d->prior, .key = k->task->name,
		.seed = k->env.seed,
		.order = d->seed, .threads = k->env.threads, .count = d->count, .held_out = d->held_out,
		.seconds = budget(k), .draw = draw, .state = k };
	memcpy(s.shape, k->env.shape, sizeof(s.shape));
	for (int i = 0; i < 3; i++)
		if (strcmp(d->augment, augment[i]) == 0)
			s.augment = (um_augment)i;
	if (*d->prior) {
		UM_TRY(um_plan_open_prior(k->plan, um_plan_prior(k->plan, d->prior), &k->env, &k->drawn));
	} else {
		UM_TRY(um_data_images(k->stage, &k->env, &k->images, &s.step));
		s.images = k->images;
		s.name = d->files.v[0];
	}
	UM_TRY(um_dataset_new(&s, &k->data));
out:
	return st;
}

/* ---- pictures -------------------------------------------------------------------- */

static um_status gallery(struct training *k, const char *dir)
{
	um_status st = UM_OK;
	um_array left = { 0 }, right = { 0 };
	um_rng rng[SHOWN], base = um_rng_new(k->env.seed, k->task->name, 0);
	const um_dataset_info *info = um_dataset_about(k->data);
	const bool samples = k->trained.ops.sample != NULL;
	char *path = um_format("%s/gallery.png", dir);
	UM_TRY(um_env_images(&k->env, info->train > 0 && info->train < SHOWN ? info->train : SHOWN, &left));
	UM_TRY(um_env_images(&k->env, SHOWN, &right));
	UM_TRY(um_dataset_rows(k->data, false, 0, left.dim[0], &left));
	for (uint64_t i = 0; i < SHOWN; i++)
		rng[i] = um_rng_at(&base, 1, i);
	if (samples)
		UM_TRY(um_prior_draw(&k->trained, rng, &right));
	UM_TRY(um_figure_gallery(path, samples ? "Training images (left), samples of the prior (right) on their scale" :
		"Training images", &left, samples ? &right : NULL, k->env.pixel, k->env.mesh));
out:
	um_array_free(&left);
	um_array_free(&right);
	free(path);
	return st;
}

/* The number of the column with this name of a trace; 0 where there is none. */
static int column_of(const char *trace, const char *name)
{
	const size_t head = strcspn(trace, "\n"), n = strlen(name);
	int column = 0;
	for (const char *c = trace; c < trace + head; c += strcspn(c, ",\n") + 1, column++)
		if (strncmp(c, name, n) == 0 && (c[n] == ',' || c[n] == '\n'))
			return column;
	return 0;
}

static um_status loss_curve(struct training *k, const char *dir)
{
	static const char *const names[] = { "held_out_loss", "loss", "held_out_bits_per_dim" };
	static const char *const labels[] = { "loss of held-out images", "loss", "bits a pixel of held-out images" };
	const char *trace = k->out.trace != NULL ? k->out.trace : "";
	int kind = 0;
	while (kind < 2 && column_of(trace, names[kind]) == 0)
		kind++;
	const int column = column_of(trace, names[kind]);
	um_status st = UM_OK;
	int64_t n = 0, room = 0;
	double *x = NULL, *y = NULL, lo = INFINITY, hi = -INFINITY;
	const char *line = column > 0 ? strchr(trace, '\n') + 1 : "";
	for (; *line; line += strcspn(line, "\n") + 1) {
		const char *c = line;
		for (int i = 0; i < column; i++)
			c += strcspn(c, ",\n") + 1;
		if (n == room) {
			room = 2 * room + 64;
			x = um_grow(x, sizeof(*x) * (size_t)room);
			y = um_grow(y, sizeof(*y) * (size_t)room);
		}
		x[n] = strtod(line, NULL);
		y[n] = *c == ',' || *c == '\n' ? NAN : strtod(c, NULL);
		lo = isfinite(y[n]) ? fmin(lo, y[n]) : lo;
		hi = isfinite(y[n]) ? fmax(hi, y[n]) : hi;
		n++;
	}
	char *path = um_format("%s/loss.png", dir);
	if (n > 1 && lo <= hi)
		st = um_plot_write(path, &(um_plot){ .title = "Loss", .xlabel = "step",
			.ylabel = labels[kind], .n = n, .x = x, .y = y, .log_y = lo > 0 && hi > 100 * lo });
	free(path);
	free(x);
	free(y);
	return st;
}

/* ---- the task -------------------------------------------------------------------- */

/* How much there was to learn from; of an inference, measurements. */
static um_status count(struct training *k)
{
	um_status st = UM_OK;
	const bool prior = k->task->inference < 0;
	const int64_t train = prior ? um_dataset_about(k->data)->train : um_problem_about(k->problem)->train;
	const int64_t held = prior ? um_dataset_about(k->data)->held : um_problem_about(k->problem)->held;
	UM_TRY(um_cell_metric(&k->out, prior ? "train_images" : "train_measurements", train > 0 ? (double)train : NAN));
	UM_TRY(um_cell_metric(&k->out, prior ? "held_out_images" : "held_out_measurements", (double)held));
out:
	return st;
}

/* What was written can be opened; pictures of it. */
static um_status show(struct training *k)
{
	um_status st = UM_OK;
	char *figures = um_format("%s/figures", k->out.folder);
	UM_TRY(um_file_mkdirs(figures));
	if (k->task->inference >= 0) {
		um_inference_close(&k->inference);
		st = um_inference_open(k->item->plugin, k->item->trained, &k->env, &k->inference);
	} else
		st = um_prior_open(k->item->plugin, k->item->trained, &k->env, &k->trained);
	if (st != UM_OK)
		UM_TRY(um_context(st, "the weights that were just written"));
	if (k->task->inference < 0)
		UM_TRY(gallery(k, figures));
	UM_TRY(loss_curve(k, figures));
out:
	free(figures);
	return st;
}

static um_status deliver(struct training *k)
{
	um_status st = UM_OK;
	UM_TRY(um_cell_metric(&k->out, "seconds", k->out.earlier + um_clock() - k->out.started));
	UM_TRY(um_cell_metric(&k->out, "peak_mb", um_cell_peak_mb(&k->out)));
	UM_TRY(count(k));
	UM_TRY(um_cell_write_trace(&k->out));
	UM_TRY(um_weight_file_write(k->plan, k->out.task, k->item, &k->out.weights));
	UM_TRY(show(k));
	UM_TRY(um_cell_write_metrics(&k->out));
	if (!k->budget_ended_it) /* else --resume with a larger budget goes on */
		um_checkpoint_remove(k->out.folder);
out:
	return st;
}

static void release(struct training *k)
{
	um_problem_free(k->problem);
	um_dataset_free(k->data);
	um_array_free(&k->images);
	if (k->drawn != NULL)
		um_plan_close_prior(k->drawn, 1);
	if (k->priors != NULL)
		um_plan_close_prior(k->priors, k->plan->prior[k->task->prior].n);
	um_prior_close(&k->untrained);
	um_prior_close(&k->trained);
	um_inference_close(&k->inference);
	um_forward_close(&k->forward);
	um_cell_free(&k->out);
}

static um_status open_prior(struct training *k)
{
	um_status st = UM_OK;
	UM_TRY(um_prior_open(k->item->plugin, um_params_data(k->item->params), &k->env, &k->untrained));
	UM_TRY(open_data(k));
out:
	return st;
}

static um_status open_inference(struct training *k)
{
	um_status st = UM_OK;
	const int prior = k->task->prior, many = k->plan->prior[prior].n;
	UM_TRY(um_plan_open_forward(k->plan, k->task->forward, &k->env, &k->forward));
	UM_TRY(um_plan_open_prior(k->plan, prior, &k->env, &k->priors));
	UM_TRY(um_inference_open(k->item->plugin, um_params_data(k->item->params), &k->env, &k->inference));
	const char *why = um_cell_refusal(&k->inference, &k->forward, k->priors, many);
	if (why != NULL)
		UM_TRY(um_fail(UM_EPARAM, "%s", why));
	if (um_node_get(k->stage->node, "data") != NULL)
		UM_TRY(open_data(k));
	UM_TRY(um_problem_new_fit(&k->forward, k->priors, many, k->data, budget(k), k->task->name, &k->problem));
out:
	return st;
}

um_status um_train(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page,
	bool resume)
{
	um_status st = UM_OK;
	const um_task *t = &p->task[task];
	const um_item *item = t->inference >= 0 ? &p->inference[t->inference] : &p->prior[t->prior].factor[0];
	struct training k = { .plan = p, .stage = &p->stage[t->stage], .task = t, .item = item, .env = *env,
		.out = { .plan = p, .task = task, .page = page, .resume = resume,
			.folder = um_format("%s/%s", dir, t->name) } };
	um_sink sink = um_cell_sink(&k.out);
	UM_TRY(um_file_mkdirs(k.out.folder));
	UM_TRY(t->inference >= 0 ? open_inference(&k) : open_prior(&k));
	k.out.started = k.out.saved = um_clock();
	um_task_worker(item->plugin, "fit");
	st = t->inference >= 0 ? k.inference.ops.fit(k.inference.self, k.problem, &sink) :
		k.untrained.ops.fit(k.untrained.self, k.data, &sink);
	um_task_worker(NULL, NULL);
	if (st == UM_EINTR) {
		UM_TRY(um_cell_write_trace(&k.out));
		UM_TRY(um_fail(UM_EINTR, "stopped on request; --resume goes on"));
	}
	UM_TRY(um_in_phase(item->plugin, "fit", st));
	k.budget_ended_it = k.stage->set.seconds > 0 && um_checkpoint_seconds(k.out.folder) >= k.stage->set.seconds;
	UM_TRY(deliver(&k));
out:
	release(&k);
	return st;
}
