/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dirty beam, dirty image, and the mean of the samples as it looks with the clean beam. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <umbra/uvbeam.h>

#include "uvscene.h"

#define UAS (3.14159265358979323846 / 180 / 3600e6)
#define DEGREE (3.14159265358979323846 / 180)

/* Real parts of measured visibilities, then imaginary ones; NULL where there are none. */
static const double *visibilities(const um_scene *s, double *room)
{
	const um_uvdata *d = s->v->d;
	const int k = um_uvmodel_find(s->v->m, UM_VIS);
	if (k >= 0)
		return s->y + s->v->m->first[k];
	for (int64_t i = 0; i < d->nrows; i++) {
		room[i] = d->rows[i].re;
		room[d->nrows + i] = d->rows[i].im;
	}
	return s->v->measured ? room : NULL;
}

static um_status dirty(const um_scene *s, const um_uvfield *f, double *image)
{
	um_status st = UM_OK;
	const int64_t n = s->v->d->nrows;
	um_picture p = { .name = "dirty_beam", .title = "Dirty beam", .data = image, .rows = f->rows,
		.columns = f->columns, .unit = "response to a point", .pixel = f->pixel };
	double *room = malloc((size_t)(2 * n) * sizeof(*room));
	if (room == NULL)
		return um_fail(UM_ENOMEM, "no memory for %lld visibilities", (long long)n);
	UM_TRY(um_uvbeam_image(s->v->d, NULL, NULL, f, image));
	UM_TRY(um_sink_picture(s->sink, &p));
	const double *v = visibilities(s, room);
	if (v != NULL) {
		UM_TRY(um_uvbeam_image(s->v->d, v, v + n, f, image));
		p.name = "dirty_image";
		p.title = "Dirty image";
		p.unit = "Jy/beam";
		UM_TRY(um_sink_picture(s->sink, &p));
	}
out:
	free(room);
	return st;
}

static um_status restored(const um_scene *s, const um_uvfield *f, double *image, double *mean)
{
	const int64_t n = f->rows * f->columns;
	um_status st = UM_OK;
	um_beam beam;
	char title[100];
	UM_TRY(um_uvbeam_fit(s->v->d, f, &beam));
	for (int64_t i = 0; i < n; i++)
		mean[i] = 0;
	for (int64_t b = 0; b < s->x->dim[0]; b++)
		for (int64_t i = 0; i < n; i++)
			mean[i] += (double)um_row_f(s->x, b)[i] / (double)s->x->dim[0];
	UM_TRY(um_beam_restore(&beam, mean, f, image));
	snprintf(title, sizeof(title), "Mean, beam %.1f \xc3\x97 %.1f \xc2\xb5" "as at %.0f\xc2\xb0",
		beam.major / UAS, beam.minor / UAS, beam.angle / DEGREE);
	const um_picture p = { .name = "restored", .title = title, .data = image, .rows = f->rows,
		.columns = f->columns, .unit = "Jy/beam", .pixel = f->pixel };
	UM_TRY(um_sink_picture(s->sink, &p));
out:
	return st;
}

um_status um_scene_beams(const um_scene *s)
{
	const um_uvfield f = { s->v->m->rows, s->v->m->columns, s->v->pixel };
	const int64_t n = f.rows * f.columns;
	double *image = malloc((size_t)(2 * n) * sizeof(*image));
	if (image == NULL)
		return um_fail(UM_ENOMEM, "no memory for an image");
	um_status st = dirty(s, &f, image);
	if (st == UM_OK)
		st = restored(s, &f, image, image + n);
	free(image);
	return st == UM_EDATA || st == UM_ENUM ? UM_OK : st; /* no beam, no picture */
}
