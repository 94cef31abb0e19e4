/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A train task: the data set, the fit, the weight file, and pictures of what was learned. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/dataset.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/provenance.h"
#include "pipeline/task.h"
#include "report/figure.h"

enum { SHOWN = 64 };

/* What the task holds. */
struct training {
	const um_plan *plan;
	const um_stage *stage;
	int prior;            /* that is fitted */
	um_env env;
	um_cell_out out;
	um_prior untrained, trained;
	um_prior *drawn;      /* from which images are drawn, or NULL */
	um_array images;
	um_dataset *data;
	bool budget_ended_it;
};

static um_status draw(void *state, um_rng *rng, um_array *x)
{
	struct training *k = state;
	if (k->data == NULL && um_task_stopping()) /* later the fit is asked, which can save its state */
		return um_fail(UM_EINTR, "stopped on request while images were drawn");
	um_phase(k->drawn->plugin, "sample");
	um_status st = k->drawn->ops.sample(k->drawn->self, rng, x);
	if (st != UM_OK)
		return um_context(st, "priors/%s", k->drawn->plugin->name);
	um_phase(k->untrained.plugin, "fit");
	return st;
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
	um_dataset_source s = { .name = d->prior, .key = k->plan->task[k->out.task].name,
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

/* ---- the weight file ------------------------------------------------------------- */

/* Members of a group as text of a pipeline file. */
static char *text_of(const um_node *group)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	um_config_write(group, f);
	fclose(f);
	return text;
}

static bool is_default(um_node *child, const um_param *table, size_t n)
{
	const um_param *p = table;
	while (p < table + n && strcmp(p->name, child->name) != 0)
		p++;
	if (p == table + n || p->def == NULL)
		return false;
	um_node usual = { .type = UM_NODE_GROUP, .file = child->file, .base = child->base }, own = { .type = UM_NODE_GROUP, .n = 1, .child = &child };
	if (um_node_add(&usual, p->name, p->type, p->def) != UM_OK)
		return false;
	usual.child[0]->filled = child->filled; /* which is written too */
	char *a = text_of(&usual), *b = text_of(&own);
	const bool same = strcmp(a, b) == 0;
	free(a);
	free(b);
	um_node_free(usual.child[0]);
	free(usual.child);
	return same;
}

/* What a group says that is no default, as text of a pipeline file; paths are left out, and files are inputs. */
static char *settings_of(const um_node *group, const um_param *table, size_t n)
{
	if (group == NULL)
		return um_strdup("");
	um_node some = *group;
	some.child = um_new(sizeof(*some.child) * (size_t)(group->n + 1));
	some.n = 0;
	for (int i = 0; i < group->n; i++)
		if (strcmp(group->child[i]->name, "files") != 0 && strcmp(group->child[i]->name, "model") != 0 &&
			!is_default(group->child[i], table, n))
			some.child[some.n++] = group->child[i];
	char *text = text_of(&some);
	free(some.child);
	return text;
}

static char *item_settings(const um_item *item)
{
	return settings_of(item->node, item->plugin->params, item->plugin->nparams);
}

/* What the file was made from; nothing that differs between equal runs. */
static um_status note_origin(struct training *k)
{
	um_status st = UM_OK;
	um_tensors *t = &k->out.weights;
	const um_data_settings *data = &k->stage->data;
	const int drawn = um_plan_prior(k->plan, data->prior);
	const um_plugin *p = k->untrained.plugin;
	const int64_t *s = k->env.shape;
	um_input *in = NULL;
	size_t rows;
	const um_param *table = um_data_table(&rows);
	int n = um_plan_inputs(k->plan, k->out.task, &in);
	const struct { const char *key; char *value; } notes[] = {
		{ "umbra", um_strdup(UM_VERSION) },
		{ "plugin", um_format("priors/%s %s", p->name, p->version != NULL ? p->version : "") },
		{ "title", um_strdup(k->plan->title) },
		{ "settings", item_settings(&k->plan->prior[k->prior].factor[0]) },
		{ "data_settings", settings_of(um_node_get(k->stage->node, "data"), table, rows) },
		{ "drawn_from", drawn >= 0 ? item_settings(&k->plan->prior[drawn].factor[0]) : um_strdup("") },
		{ "data", *data->prior ? um_format("draws of priors.%s", data->prior) : um_strdup(data->about) },
		{ "licence", um_strdup(data->licence) },
		{ "seed", um_format("%lld", (long long)k->plan->seed) },
		{ "shape", um_format("%lld %lld %lld %lld %lld", (long long)s[0], (long long)s[1],
			(long long)s[2], (long long)s[3], (long long)s[4]) },
	};
	for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++) {
		if (*notes[i].value != '\0')
			um_tensors_note(t, notes[i].key, notes[i].value);
		free(notes[i].value);
	}
	for (int i = 0; i < n; i++) {
		char hex[65], *key = um_format("input %s", in[i].name);
		st = um_sha256_file(in[i].path, hex);
		if (st == UM_OK)
			um_tensors_note(t, key, hex);
		free(key);
		if (st != UM_OK)
			break;
	}
	um_inputs_free(in, n);
	return st;
}

static um_status write_weights(struct training *k)
{
	const um_prior_item *item = &k->plan->prior[k->prior];
	if (k->out.weights.n == 0)
		return um_fail(UM_EPLUGIN, "priors/%s: fit delivered no weights",
			k->untrained.plugin->name);
	um_status st = note_origin(k);
	k->out.weights.store = k->stage->set.storage[5] == '3' ? UM_STORE_SAME : k->stage->set.storage[0] == 'f' ?
		UM_STORE_F16 : UM_STORE_BF16;
	return st == UM_OK ? um_tensors_write(item->weights, &k->out.weights) : st;
}

/* ---- pictures -------------------------------------------------------------------- */

static um_status gallery(struct training *k, const char *dir)
{
	um_status st = UM_OK;
	um_array left = { 0 }, right = { 0 };
	um_rng rng[SHOWN], base = um_rng_new(k->env.seed, k->plan->task[k->out.task].name, 0);
	const um_dataset_info *info = um_dataset_about(k->data);
	const bool samples = k->trained.ops.sample != NULL;
	char *path = um_format("%s/gallery.png", dir);
	UM_TRY(um_env_images(&k->env, info->train > 0 && info->train < SHOWN ? info->train : SHOWN, &left));
	UM_TRY(um_env_images(&k->env, SHOWN, &right));
	UM_TRY(um_dataset_rows(k->data, false, 0, left.dim[0], &left));
	for (uint64_t i = 0; i < SHOWN; i++)
		rng[i] = um_rng_at(&base, 1, i);
	um_phase(k->trained.plugin, "sample");
	if (samples)
		UM_TRY(k->trained.ops.sample(k->trained.self, rng, &right));
	um_phase(NULL, NULL);
	for (int64_t i = 0; i < um_array_len(&right); i++)
		if (!isfinite(((const float *)right.data)[i]))
			UM_TRY(um_fail(UM_ENUM, "priors/%s: a sample of the trained prior is not finite",
				k->trained.plugin->name));
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

static um_status deliver(struct training *k)
{
	um_status st = UM_OK;
	const um_dataset_info *info = um_dataset_about(k->data);
	const um_prior_item *item = &k->plan->prior[k->prior];
	char *figures = um_format("%s/figures", k->out.folder);
	UM_TRY(um_cell_metric(&k->out, "seconds", k->out.earlier + um_clock() - k->out.started));
	UM_TRY(um_cell_metric(&k->out, "peak_mb", um_cell_peak_mb(&k->out)));
	UM_TRY(um_cell_metric(&k->out, "train_images", info->train > 0 ? (double)info->train : NAN));
	UM_TRY(um_cell_metric(&k->out, "held_out_images", (double)info->held));
	UM_TRY(um_cell_write_trace(&k->out));
	UM_TRY(write_weights(k));
	UM_TRY(um_file_mkdirs(figures));
	st = um_prior_open(item->factor[0].plugin, item->trained, &k->env, &k->trained);
	if (st != UM_OK)
		UM_TRY(um_context(st, "the weights that were just written"));
	UM_TRY(gallery(k, figures));
	UM_TRY(loss_curve(k, figures));
	UM_TRY(um_cell_write_metrics(&k->out));
	if (!k->budget_ended_it) /* else --resume with a larger budget goes on */
		um_cell_finish(&k->out);
out:
	free(figures);
	return st;
}

static void release(struct training *k)
{
	um_dataset_free(k->data);
	um_array_free(&k->images);
	if (k->drawn != NULL)
		um_plan_close_prior(k->drawn, 1);
	um_prior_close(&k->untrained);
	um_prior_close(&k->trained);
	um_cell_free(&k->out);
}

um_status um_train(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page,
	bool resume)
{
	um_status st = UM_OK;
	const um_task *t = &p->task[task];
	const um_item *item = &p->prior[t->prior].factor[0];
	struct training k = { .plan = p, .stage = &p->stage[t->stage], .prior = t->prior, .env = *env,
		.out = { .plan = p, .task = task, .page = page, .resume = resume,
			.folder = um_format("%s/%s", dir, t->name) } };
	um_sink sink = um_cell_sink(&k.out);
	UM_TRY(um_file_mkdirs(k.out.folder));
	UM_TRY(um_prior_open(item->plugin, um_params_data(item->params), &k.env, &k.untrained));
	UM_TRY(open_data(&k));
	k.out.started = k.out.saved = um_clock();
	um_phase(item->plugin, "fit");
	st = k.untrained.ops.fit(k.untrained.self, k.data, &sink);
	um_phase(NULL, NULL);
	if (st == UM_EINTR) {
		UM_TRY(um_cell_write_trace(&k.out));
		UM_TRY(um_fail(UM_EINTR, "stopped on request; --resume goes on"));
	}
	if (st != UM_OK)
		UM_TRY(um_context(st, "priors/%s", item->plugin->name));
	k.budget_ended_it = k.stage->set.seconds > 0 && um_checkpoint_seconds(k.out.folder) >= k.stage->set.seconds;
	UM_TRY(deliver(&k));
out:
	release(&k);
	return st;
}
