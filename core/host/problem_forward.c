/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The forward model in the units of the prior, f(scale x). */
#include "host/problem.h"

um_status problem_scaled(const um_problem *p, const um_array *x, um_array *out)
{
	um_status st = UM_OK;
	UM_TRY(um_problem_images(p, x->dim[0], out));
	const float *xv = x->data;
	float *ov = out->data;
	int64_t n = um_array_len(x);
	for (int64_t i = 0; i < n; i++)
		ov[i] = (float)(p->scale * xv[i]);
out:
	return st;
}

um_status um_problem_apply(um_problem *p, const um_array *x, const um_array *dx, um_array *y, um_array *dy)
{
	um_status st = UM_OK;
	um_array xs = { 0 }, dxs = { 0 };
	const um_plugin *plugin = p->forward->plugin;
	UM_TRY(problem_fitting(p, x->dim[0]));
	UM_TRY(problem_scaled(p, x, &xs));
	if (dx != NULL)
		UM_TRY(problem_scaled(p, dx, &dxs));
	um_phase(plugin, "apply");
	UM_TRY(um_in_phase(plugin, "apply", p->forward->ops.apply(p->forward->self, &p->op, &xs,
		dx != NULL ? &dxs : NULL, y, dx != NULL ? dy : NULL)));
	UM_TRY(problem_check_d(plugin, "apply", y->data, x->dim[0], p->info.ny));
	if (dx != NULL)
		UM_TRY(problem_check_d(plugin, "the tangent of apply", dy->data, x->dim[0], p->info.ny));
out:
	um_phase(NULL, NULL);
	um_array_free(&xs);
	um_array_free(&dxs);
	return st;
}

um_status um_problem_pullback(um_problem *p, const um_array *x, const um_array *v, um_array *jtv)
{
	um_status st = UM_OK;
	um_array xs = { 0 };
	const um_plugin *plugin = p->forward->plugin;
	UM_TRY(problem_fitting(p, x->dim[0]));
	UM_TRY(problem_scaled(p, x, &xs));
	um_phase(plugin, "pullback");
	UM_TRY(um_in_phase(plugin, "pullback", p->forward->ops.pullback(p->forward->self, &p->op, &xs, v, jtv)));
	UM_TRY(problem_check_f(plugin, "pullback", jtv));
	float *d = jtv->data;
	int64_t n = um_array_len(jtv);
	for (int64_t i = 0; i < n; i++)
		d[i] = (float)(d[i] * p->scale);
out:
	um_phase(NULL, NULL);
	um_array_free(&xs);
	return st;
}

um_status um_problem_calibrate(um_problem *p, const um_array *x, double *lp, um_sink *sink)
{
	um_status st = UM_OK;
	um_array xs = { 0 };
	const um_plugin *plugin = p->forward->plugin;
	if (p->forward->ops.calibrate == NULL || p->info.nop == 0)
		UM_TRY(um_fail(UM_EPARAM, "forward/%s has nothing to calibrate", plugin->name));
	UM_TRY(problem_scaled(p, x, &xs));
	um_phase(plugin, "calibrate");
	UM_TRY(um_in_phase(plugin, "calibrate", p->forward->ops.calibrate(p->forward->self, &xs, &p->y, &p->sigma, &p->op, lp,
		sink)));
	UM_TRY(problem_check_d(plugin, "calibrate", p->op.data, 1, p->info.nop));
	UM_TRY(problem_check_d(plugin, "calibrate", lp, 1, 1));
out:
	um_phase(NULL, NULL);
	um_array_free(&xs);
	return st;
}

um_status um_problem_solve(um_problem *p, double a2, double b2, const um_array *r, um_array *out)
{
	um_status st = UM_OK;
	const um_plugin *plugin = p->forward->plugin;
	UM_TRY(problem_fitting(p, r->dim[0]));
	UM_TRY(um_forward_solve(p->forward, &p->op, &p->sigma, a2, b2 * p->scale * p->scale, r, out));
	UM_TRY(problem_check_d(plugin, "solve", out->data, r->dim[0], p->info.ny));
out:
	um_phase(NULL, NULL);
	return st;
}
