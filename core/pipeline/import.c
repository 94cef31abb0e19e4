/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images that another program made, as the samples of a cell. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <umbra/fits.h>
#include "base/mem.h"
#include "data/imageset.h"
#include "pipeline/plan.h"

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

/* Appends the images of one file to x. */
static um_status add_file(const um_stage *s, const um_env *env, const char *unit, const char *path, um_array *x)
{
	um_status st = UM_OK;
	um_image im = { 0 };
	um_array more = { 0 }, all = { 0 };
	UM_TRY(um_image_read(path, &im));
	UM_TRY(check_unit(s, path, im.bunit, unit));
	if (im.measurements > 1)
		UM_TRY(um_fail(UM_EDATA, "%s: it has images of %lld measurements; import takes those of one", path,
			(long long)im.measurements));
	UM_TRY(um_image_onto(&im, path, env, false, &more));
	const int64_t old = x->data != NULL ? x->dim[0] : 0;
	UM_TRY(um_env_images(env, old + more.dim[0], &all));
	if (old > 0)
		memcpy(all.data, x->data, sizeof(float) * (size_t)um_array_len(x));
	for (int64_t i = 0; i < um_array_len(&more); i++)
		um_row_f(&all, old)[i] = (float)(s->set.factor * (double)((const float *)more.data)[i]);
	um_array_free(x);
	*x = all;
	all = (um_array){ 0 };
out:
	um_image_free(&im);
	um_array_free(&more);
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
