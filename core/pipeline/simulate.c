/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A simulate stage: truths, and a measurement of each. Truth, noise and operator of measurement k come from streams number
 * k, so that the first is the same however many there are. */
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "pipeline/cube.h"
#include "pipeline/measured.h"
#include "pipeline/provenance.h"
#include "pipeline/task.h"
#include "report/figure.h"

enum { SHOWN = 8 }; /* truths in the picture */

static um_status draw(const um_plan *p, const um_stage *s, const um_env *env, um_array *x)
{
	um_status st = UM_OK;
	const int index = um_plan_prior(p, s->data.prior);
	const int64_t count = s->set.count;
	um_rng *rng = um_new(sizeof(*rng) * (size_t)count);
	um_prior *prior = NULL;
	for (int64_t k = 0; k < count; k++)
		rng[k] = um_rng_new((uint64_t)s->data.seed, "truth", (uint64_t)k);
	UM_TRY(um_plan_open_prior(p, index, env, &prior));
	UM_TRY(um_env_images(env, count, x));
	UM_TRY(um_prior_draw(prior, rng, x));
out:
	um_plan_close_prior(prior, p->prior[index].n);
	free(rng);
	return st;
}

/* Draws of a prior or images of a data set, in instrument units. */
static um_status choose_truths(const um_plan *p, const um_stage *s, um_measured *m)
{
	um_status st = UM_OK;
	um_array x = { 0 };
	const um_env *env = &m->forward.env;
	if (*s->data.prior != '\0')
		UM_TRY(draw(p, s, env, &x));
	else
		UM_TRY(um_truth_images(s, env, &x));
	UM_TRY(um_array_new(&m->truth, UM_F64, 6, x.dim));
	double *t = m->truth.data;
	const int64_t n = um_array_len(&x);
	for (int64_t i = 0; i < n; i++)
		t[i] = env->scale * ((const float *)x.data)[i];
out:
	um_array_free(&x);
	return st;
}

static um_status measure(um_measured *m, const char *name, um_cell_out *out)
{
	um_status st = UM_OK;
	um_array x = { 0 };
	um_sink sink = um_cell_sink(out);
	UM_TRY(um_env_images(&m->forward.env, 1, &x));
	for (int64_t k = 0; k < m->count; k++) {
		const um_array truth = um_measured_image(m, k);
		um_array y = um_measured_row(&m->y, k), sigma = um_measured_row(&m->sigma, k), op = um_measured_row(&m->op, k);
		um_rng rng = um_rng_new(m->forward.env.seed, name, (uint64_t)k);
		out->measurement = k;
		UM_TRY(um_array_copy(&x, &truth));
		UM_TRY(um_forward_simulate(&m->forward, &rng, &x, &op, &y, &sigma, &sink));
	}
	um_phase(NULL, NULL);
	UM_TRY(um_measured_check(m));
out:
	um_array_free(&x);
	return st;
}

static um_status write(const um_plan *p, int task, const um_measured *m, const char *folder)
{
	um_status st = UM_OK;
	const char *const lead[] = { m->count > 1 ? "MEASUREMENT" : NULL };
	char **history = NULL, *temp = NULL;
	char *truth = um_format("%s/truth.fits", folder), *data = um_format("%s/measurements.fits", folder);
	UM_TRY(um_history(p, task, &history));
	UM_TRY(um_cube_write(truth, &m->truth, lead, m->sky.pixel > 0 ? &m->sky : NULL, m->forward.info.unit, history));
	um_fits_ext ext[3] = { { "SIGMA", &m->sigma }, { "OPERATOR", &m->op }, { NULL, NULL } };
	if (m->forward.info.nop == 0)
		ext[1] = ext[2];
	const um_fits_file measured = { .data = &m->y, .history = (const char *const *)history, .ext = ext };
	temp = um_file_begin(data);
	UM_TRY(um_file_commit(temp, data, um_fits_write(temp, &measured)));
out:
	um_history_free(history);
	free(temp);
	free(truth);
	free(data);
	return st;
}

static um_status picture(const um_measured *m, const char *folder)
{
	const um_env *env = &m->forward.env;
	char *dir = um_format("%s/figures", folder), *path = um_format("%s/truth.png", dir), *title[SHOWN] = { NULL };
	um_panel panel[SHOWN];
	const int n = m->count < SHOWN ? (int)m->count : SHOWN;
	for (int k = 0; k < n; k++) {
		title[k] = m->count > 1 ? um_format("truth %d", k + 1) : um_strdup("truth");
		panel[k] = (um_panel){ .title = title[k], .data = um_measured_image(m, k).data, .channels = env->shape[2] == 3 ? 3 : 1,
			.rows = env->shape[3], .columns = env->shape[4], .mesh = env->mesh };
	}
	um_scale scale = { .map = UM_AFMHOT, .label = m->forward.info.unit };
	um_figure f = { .panels = panel, .npanels = n, .scales = &scale, .nscales = 1, .pixel = env->pixel };
	um_status st = um_file_mkdirs(dir);
	if (st == UM_OK)
		st = um_figure_write(path, &f);
	for (int k = 0; k < n; k++)
		free(title[k]);
	free(path);
	free(dir);
	return st;
}

um_status um_simulate(const um_plan *p, int task, const char *dir, const um_env *env, um_page *page)
{
	um_status st = UM_OK;
	const um_task *t = &p->task[task];
	const um_stage *s = &p->stage[t->stage];
	um_measured m = { .count = 0 };
	um_cell_out out = { .plan = p, .task = task, .folder = um_format("%s/%s", dir, t->name), .page = page };
	UM_TRY(um_file_mkdirs(out.folder));
	UM_TRY(um_measured_open(p, t->forward, env, &m));
	UM_TRY(um_measured_room(&m, s->set.count));
	if (s->set.truth_file != NULL)
		UM_TRY(um_measured_truth(&m, s->set.truth_file));
	else
		UM_TRY(choose_truths(p, s, &m));
	UM_TRY(measure(&m, t->name, &out));
	UM_TRY(write(p, task, &m, out.folder));
	UM_TRY(picture(&m, out.folder));
out:
	um_measured_free(&m);
	um_cell_free(&out);
	return st;
}
