/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading measurements and truths of a run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/measured.h"

int64_t um_plan_measurements(const um_plan *p, int forward, const um_forward *f)
{
	const um_stage *s = um_plan_simulation(p, forward);
	return s != NULL ? s->set.count : f->info.measurements;
}

um_status um_measured_open(const um_plan *p, int forward, const um_env *env, um_measured *m)
{
	const um_item *item = &p->forward[forward];
	um_status st = um_forward_open(item->plugin, um_params_data(item->params), env, &m->forward);
	const um_forward_info *info = &m->forward.info;
	if (st != UM_OK)
		return st;
	m->sky = (um_sky){ .ra = info->ra, .dec = info->dec, .freq = info->freq, .mjd = info->mjd, .pixel = env->pixel };
	snprintf(m->sky.object, sizeof(m->sky.object), "%s", info->object != NULL ? info->object : "");
	return st;
}

um_status um_measured_room(um_measured *m, int64_t count)
{
	um_status st = UM_OK;
	UM_TRY(um_array_new(&m->y, UM_F64, 2, (const int64_t[]){ count, m->forward.info.ny }));
	UM_TRY(um_array_new(&m->sigma, UM_F64, 2, (const int64_t[]){ count, m->forward.info.ny }));
	UM_TRY(um_array_new(&m->op, UM_F64, 2, (const int64_t[]){ count, m->forward.info.nop }));
	m->count = count;
out:
	return st;
}

um_array um_measured_row(const um_array *a, int64_t k)
{
	um_array row = um_array_rows(a, k, 1);
	row.stride[0] = 0;
	return row;
}

um_array um_measured_image(const um_measured *m, int64_t k)
{
	um_array none = { 0 };
	return m->truth.data == NULL ? none : um_array_view((double *)m->truth.data + k * um_array_rowlen(&m->truth), UM_F64,
		m->truth.rank - 1, m->truth.dim + 1);
}

/* Copies what a file holds to where its shape is already known. */
static um_status take(um_array *dst, const um_array *src, const char *path)
{
	if (um_array_copy(dst, src) == UM_OK)
		return UM_OK;
	return um_fail(UM_EDATA, "%s: it holds %lld numbers, expected %lld", path, (long long)um_array_len(src),
		(long long)um_array_len(dst));
}

um_status um_measured_truth(um_measured *m, const char *path)
{
	um_status st = UM_OK;
	um_image im = { 0 };
	const int64_t *s = m->forward.env.shape;
	UM_TRY(um_image_read(path, &im));
	UM_TRY(um_array_new(&m->truth, UM_F64, 6, (const int64_t[]){ m->count, s[0], s[1], s[2], s[3], s[4] }));
	UM_TRY(take(&m->truth, &im.data, path));
out:
	um_image_free(&im);
	return st;
}

um_status um_measured_check(const um_measured *m)
{
	const int64_t ny = m->forward.info.ny;
	for (int64_t k = 0; k < m->count; k++)
		for (int64_t i = 0; i < ny; i++) {
			const double y = um_row_d(&m->y, k)[i], sigma = um_row_d(&m->sigma, k)[i];
			if (!isfinite(y) || !(sigma > 0) || !isfinite(sigma))
				return um_fail(UM_EDATA, "forward/%s: number %lld of measurement %lld is not finite or its sigma is not "
					"positive", m->forward.plugin->name, (long long)i, (long long)k + 1);
		}
	return UM_OK;
}

static um_status read_simulated(um_measured *m, const char *folder)
{
	um_status st = UM_OK;
	char *data = um_format("%s/measurements.fits", folder), *truth = um_format("%s/truth.fits", folder);
	um_array y = { 0 }, sigma = { 0 }, op = { 0 };
	UM_TRY(um_fits_read_array(data, 1, NULL, &y));
	UM_TRY(um_fits_read_array(data, 0, "SIGMA", &sigma));
	UM_TRY(take(&m->y, &y, data));
	UM_TRY(take(&m->sigma, &sigma, data));
	if (m->forward.info.nop > 0) {
		UM_TRY(um_fits_read_array(data, 0, "OPERATOR", &op));
		UM_TRY(take(&m->op, &op, data));
	}
	UM_TRY(um_measured_truth(m, truth));
out:
	um_array_free(&y);
	um_array_free(&sigma);
	um_array_free(&op);
	free(data);
	free(truth);
	return st;
}

um_status um_measured_read(const um_plan *p, int forward, const char *dir, um_measured *m)
{
	um_status st = UM_OK;
	char *folder = um_format("%s/simulate/%s", dir, um_plan_forward_key(p, forward));
	UM_TRY(um_measured_room(m, um_plan_measurements(p, forward, &m->forward)));
	if (um_plan_simulation(p, forward) != NULL) {
		UM_TRY(read_simulated(m, folder));
	} else {
		um_phase(m->forward.plugin, "data");
		UM_TRY(um_in_phase(m->forward.plugin, "data", m->forward.ops.data(m->forward.self, &m->y, &m->sigma, &m->op)));
		um_phase(NULL, NULL);
	}
	UM_TRY(um_measured_check(m));
	const char *truth = p->forward_set[forward].truth;
	if (truth != NULL && *truth && m->truth.data == NULL)
		UM_TRY(um_measured_truth(m, truth));
out:
	free(folder);
	return st;
}

void um_measured_free(um_measured *m)
{
	if (m->forward.plugin != NULL)
		um_forward_close(&m->forward);
	um_array_free(&m->y);
	um_array_free(&m->sigma);
	um_array_free(&m->op);
	um_array_free(&m->truth);
}
