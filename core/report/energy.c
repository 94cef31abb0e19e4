/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Energy distances between the samples of cells. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/fits.h>
#include <umbra/linalg.h>
#include "base/mem.h"
#include "csv.h"
#include "energy.h"

#define MOST 512              /* samples of a cell */
#define FEWEST 32
#define MEMORY ((double)(512 << 20))

/* Mean of |x_i - y_j| over all pairs, or over i < j where y is x. */
static um_status mean_distance(const um_array *x, const um_array *y, double *out)
{
	um_status st = UM_OK;
	const int64_t s = x->dim[0], t = y->dim[0], n = x->dim[1];
	const bool same = x == y;
	um_array product = { 0 }, norm = { 0 };
	double sum = 0;
	*out = 0;
	if (same && s < 2)
		return UM_OK;
	UM_TRY(um_array_new(&product, UM_F64, 2, (const int64_t[]){ s, t }));
	UM_TRY(um_array_new(&norm, UM_F64, 1, (const int64_t[]){ s + t }));
	double *square = norm.data;
	for (int64_t i = 0; i < s; i++)
		square[i] = um_dot(n, um_row_d(x, i), um_row_d(x, i));
	for (int64_t j = 0; j < t; j++)
		square[s + j] = um_dot(n, um_row_d(y, j), um_row_d(y, j));
	um_gemm(false, true, s, t, n, x->data, y->data, product.data);
	for (int64_t i = 0; i < s; i++)
		for (int64_t j = same ? i + 1 : 0; j < t; j++)
			sum += sqrt(fmax(0, square[i] + square[s + j] - 2 * um_row_d(&product, i)[j]) / (double)n);
	*out = sum / (same ? 0.5 * (double)s * (double)(s - 1) : (double)s * (double)t);
out:
	um_array_free(&product);
	um_array_free(&norm);
	return st;
}

/* Less a common centre, so that differences keep their digits. */
static um_status centred(const um_array *from, const double *centre, um_array *to)
{
	um_status st = um_array_new(to, UM_F64, 2, from->dim);
	for (int64_t i = 0; st == UM_OK && i < from->dim[0]; i++)
		for (int64_t k = 0; k < from->dim[1]; k++)
			um_row_d(to, i)[k] = um_row_d(from, i)[k] - centre[k];
	return st;
}

um_status um_energy_distance(const um_array *x, const um_array *y, um_energy *out)
{
	um_status st = UM_OK;
	um_array a = { 0 }, b = { 0 };
	UM_TRY(centred(x, um_row_d(x, 0), &a));
	UM_TRY(centred(y, um_row_d(x, 0), &b));
	UM_TRY(mean_distance(&a, &b, &out->between));
	UM_TRY(mean_distance(&a, &a, &out->within_x));
	UM_TRY(mean_distance(&b, &b, &out->within_y));
	out->energy = 2 * out->between - out->within_x - out->within_y;
	out->coefficient = out->between > 0 ? out->energy / (2 * out->between) : 0;
out:
	um_array_free(&a);
	um_array_free(&b);
	return st;
}

/* ---- a table of pairs ----------------------------------------------------------------- */

/* The samples of a cell, not there where they cannot be read. */
struct posterior {
	const um_cell *cell;
	um_array x; /* [samples][numbers] */
	char unit[72];
};

static bool is_rival(const um_rundir *r, int i, const char *forward)
{
	return um_cell_is_done(&r->cells[i]) && r->cells[i].dir != NULL && strcmp(r->cells[i].forward, forward) == 0;
}

/* Every so many-th sample, at most most of them. */
static um_status read_samples(const um_cell *c, double cells, struct posterior *p)
{
	um_status st = UM_OK;
	um_image im = { 0 };
	char *path = um_format("%s/samples.fits", c->dir);
	p->cell = c;
	UM_TRY(um_image_read_first(path, &im));
	const int64_t count = im.data.rank > 2 ? im.data.dim[0] : 1, n = um_array_len(&im.data) / count;
	const double room = MEMORY / (cells * (double)n * sizeof(double));
	const int64_t most = room > MOST ? MOST : room < FEWEST ? FEWEST : (int64_t)room, kept = count < most ? count : most;
	UM_TRY(um_array_new(&p->x, UM_F64, 2, (const int64_t[]){ kept, n }));
	for (int64_t i = 0; i < kept; i++)
		memcpy(um_row_d(&p->x, i), (const double *)im.data.data + i * count / kept * n, sizeof(double) * (size_t)n);
	snprintf(p->unit, sizeof(p->unit), "%s", im.bunit);
out:
	um_image_free(&im);
	free(path);
	return st;
}

static um_status add_pair(um_text *t, const struct posterior *a, const struct posterior *b)
{
	um_energy e;
	if (a->x.data == NULL || b->x.data == NULL || a->x.dim[1] != b->x.dim[1])
		return UM_OK;
	um_status st = um_energy_distance(&a->x, &b->x, &e);
	if (st != UM_OK)
		return st;
	const double v[] = { e.energy, e.coefficient, e.between, e.within_x, e.within_y };
	const char *const names[] = { a->cell->forward, a->cell->name, b->cell->name };
	for (size_t k = 0; k < 3; k++) {
		um_csv_text(t, names[k]);
		um_text_add(t, ",");
	}
	for (size_t k = 0; k < sizeof(v) / sizeof(*v); k++) {
		um_csv_number(t, v[k]);
		um_text_add(t, ",");
	}
	um_csv_text(t, a->unit);
	um_text_add(t, "\n");
	return UM_OK;
}

/* All pairs of the cells of one forward model. */
static um_status add_pairs(um_text *t, const um_rundir *r, const char *forward)
{
	um_status st = UM_OK;
	struct posterior *p = um_new(sizeof(*p) * (size_t)(r->ncells + 1));
	int n = 0, cells = 0;
	for (int i = 0; i < r->ncells; i++)
		cells += is_rival(r, i, forward);
	for (int i = 0; cells > 1 && i < r->ncells; i++) {
		if (!is_rival(r, i, forward))
			continue;
		if (read_samples(&r->cells[i], cells, &p[n++]) != UM_OK)
			um_log(UM_WARN, "%s", um_message());
	}
	for (int i = 0; i < n; i++)
		for (int k = i + 1; k < n; k++)
			UM_TRY(add_pair(t, &p[i], &p[k]));
out:
	for (int i = 0; i < n; i++)
		um_array_free(&p[i].x);
	free(p);
	return st;
}

um_status um_energy_write(const um_rundir *r, const char *path)
{
	um_status st = UM_OK;
	um_text t = { 0 };
	um_names seen = { 0 };
	um_text_add(&t, "forward,cell_a,cell_b,energy,coefficient,between,within_a,within_b,unit\n");
	const size_t head = t.len;
	for (int i = 0; i < r->ncells; i++) {
		const int before = seen.n;
		um_names_add(&seen, r->cells[i].forward);
		if (seen.n > before)
			UM_TRY(add_pairs(&t, r, r->cells[i].forward));
	}
	if (t.len > head || t.failed)
		st = um_text_write(path, &t);
out:
	um_names_free(&seen);
	um_text_free(&t);
	return st;
}
