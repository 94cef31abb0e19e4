/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images that another program made, as the samples of a cell. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <umbra/fits.h>
#include "base/mem.h"
#include "data/imageset.h"
#include "data/regrid.h"
#include "pipeline/plan.h"

#define SAME 1e-3 /* pixels whose sizes differ by less are the same */
#define LOST 0.01 /* brightness outside the field that is worth a warning */

static bool is_fits(const char *path)
{
	static const char *const endings[] = { ".fits", ".fit", ".fts" };
	const size_t n = strlen(path);
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
		if (n > strlen(endings[i]) && strcasecmp(path + n - strlen(endings[i]), endings[i]) == 0)
			return true;
	return false;
}

static um_status check_unit(const um_stage *s, const char *path, const char *has, const char *wants)
{
	const um_node *factor = um_node_get(s->node, "factor");
	if (wants == NULL || *has == '\0' || strcasecmp(has, wants) == 0 || (factor != NULL && !factor->filled))
		return UM_OK;
	return um_fail(UM_EDATA, "%s: its unit is %s, that of the forward model %s: convert it, or give the factor that does", path, has,
		wants);
}

/* Whether the image has another grid than the pipeline; UM_EDATA where it does and cannot be brought to it. */
static um_status compare_grids(const um_env *env, const um_image *im, const char *path, bool *other)
{
	const um_array *a = &im->data;
	const int64_t columns = a->dim[a->rank - 1], rows = a->rank > 1 ? a->dim[a->rank - 2] : 1;
	const bool same = rows == env->shape[3] && columns == env->shape[4], known = im->sky.pixel > 0 && env->pixel > 0;
	*other = !same || (known && fabs(im->sky.pixel / env->pixel - 1) > SAME);
	if (!*other || known)
		return UM_OK;
	return um_fail(UM_EDATA, "%s: it has %lld x %lld pixels, the pipeline's image %lld x %lld; it can only be regridded where both "
		"have a size on the sky (CDELT1 and CDELT2; fov_uas)", path, (long long)columns, (long long)rows,
		(long long)env->shape[4], (long long)env->shape[3]);
}

static double total(const double *v, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += fabs(v[i]);
	return sum;
}

/* Appends the images of one file to x. */
static um_status add_file(const um_stage *s, const um_env *env, const char *unit, const char *path, um_array *x)
{
	um_status st = UM_OK;
	um_image im = { 0 };
	um_array all = { 0 };
	double *plane = NULL;
	bool other;
	UM_TRY(um_image_read(path, &im));
	UM_TRY(check_unit(s, path, im.bunit, unit));
	UM_TRY(compare_grids(env, &im, path, &other));
	const um_array *a = &im.data;
	const int64_t columns = a->dim[a->rank - 1], rows = a->rank > 1 ? a->dim[a->rank - 2] : 1, size = env->shape[3] * env->shape[4];
	const int64_t each = env->shape[0] * env->shape[1] * env->shape[2], planes = um_array_len(a) / (rows * columns);
	const int64_t old = x->data != NULL ? x->dim[0] : 0;
	if (planes % each != 0)
		UM_TRY(um_fail(UM_EDATA, "%s: %lld planes are no whole number of images of %lld", path, (long long)planes, (long long)each));
	UM_TRY(um_env_images(env, old + planes / each, &all));
	if (old > 0)
		memcpy(all.data, x->data, sizeof(float) * (size_t)um_array_len(x));
	float *out = um_row_f(&all, old);
	plane = um_new(sizeof(*plane) * (size_t)size);
	for (int64_t k = 0; k < planes; k++) {
		const double *v = (const double *)a->data + k * rows * columns, *from = v;
		if (other) {
			um_regrid(rows, columns, v, im.sky.pixel / env->pixel, env->shape[3], env->shape[4], plane);
			from = plane;
		}
		if (other && k == 0 && total(plane, size) < (1 - LOST) * total(v, rows * columns))
			um_log(UM_WARN, "%s: %.2g of its brightness lies outside the field of the pipeline", path,
				1 - total(plane, size) / total(v, rows * columns));
		for (int64_t i = 0; i < size; i++)
			out[k * size + i] = (float)(s->set.factor * from[i]);
	}
	um_array_free(x);
	*x = all;
	all = (um_array){ 0 };
out:
	free(plane);
	um_image_free(&im);
	um_array_free(&all);
	return st;
}

um_status um_import_read(const um_stage *s, const um_env *env, const char *unit, um_array *x)
{
	um_status st = UM_OK;
	char **list = NULL;
	int64_t n = 0;
	UM_TRY(um_imageset_files(s->set.files.n, s->set.files.v, &list, &n));
	for (int64_t i = 0; i < n; i++)
		if (is_fits(list[i]))
			UM_TRY(add_file(s, env, unit, list[i], x));
	if (x->data == NULL)
		UM_TRY(um_fail(UM_EDATA, "%s: there are no FITS images (.fits, .fit, .fts)", s->set.files.n > 0 ? s->set.files.v[0] : "files"));
out:
	for (int64_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
	if (st != UM_OK)
		um_array_free(x);
	return st;
}

bool um_import_check(const um_stage *s, um_problems *problems)
{
	const char *name = s->set.name;
	const int before = problems->n;
	if (*name == '\0' || *name == '.' || strpbrk(name, "+/@*") != NULL)
		um_problems_add(problems, UM_EPARAM, um_node_get(s->node, "name"), "the name of a cell is not empty, begins with no '.' and "
			"has no '*', '+', '/' or '@'");
	return problems->n == before;
}
