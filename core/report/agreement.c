/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Maps of data-driven against prior-driven. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/fits.h>
#include "agreement.h"
#include "base/file.h"
#include "base/mem.h"
#include "csv.h"
#include "figure.h"

enum { SHARE, AGREE, BETWEEN, WITHIN, PLANES };

um_agreement um_agreement_of(int k, const double *mean, const double *sd)
{
	um_agreement a = { 0 };
	double centre = 0, lo = -INFINITY, hi = INFINITY;
	for (int i = 0; i < k; i++)
		centre += mean[i] / k;
	for (int i = 0; i < k; i++) {
		a.between += (mean[i] - centre) * (mean[i] - centre) / k;
		a.within += sd[i] * sd[i] / k;
		lo = fmax(lo, mean[i] - 2 * sd[i]);
		hi = fmin(hi, mean[i] + 2 * sd[i]);
	}
	a.share = a.between / (a.between + a.within);
	a.agree = lo <= hi;
	return a;
}

/* ---- groups of cells ------------------------------------------------------------------- */

/* "eht/tv+dpi@priors.tv.weight=10,inference.dpi.steps=9" in parts: the group "eht+dpi@inference.dpi.steps=9" and the prior
 * "tv@priors.tv.weight=10". False for names that are not of this form. */
static bool split(const um_cell *c, char **group, char **prior)
{
	const char *name = strchr(c->name, '/'), *plus = name != NULL ? strchr(name, '+') : NULL;
	if (plus == NULL)
		return false;
	const size_t end = strcspn(plus, "@");
	*group = um_format("%s%.*s", c->forward, (int)end, plus);
	*prior = um_format("%.*s", (int)(plus - name - 1), name + 1);
	for (const char *s = plus + end; *s;) {
		const size_t n = 1 + strcspn(s + 1, ",");
		char **part = strncmp(s + 1, "priors.", 7) == 0 ? prior : group;
		char *longer = um_format("%s%c%.*s", *part, strchr(*part, '@') != NULL ? ',' : '@', (int)n - 1, s + 1);
		free(*part);
		*part = longer;
		s += n;
	}
	return true;
}

struct group {
	char *name;
	const char *forward, *inference; /* the latter is the end of the name */
	int n;
	char **prior;
	um_image *mean, *std;
	um_array map; /* [PLANES][image] */
	double share, agree;
};

struct groups {
	int n;
	struct group *group;
};

static bool has_spread(const um_array *a)
{
	for (int64_t i = 0; i < um_array_len(a); i++)
		if (((const double *)a->data)[i] > 0)
			return true;
	return false;
}

static bool same_shape(const um_array *a, const um_array *b)
{
	bool same = a->rank == b->rank;
	for (int i = 0; same && i < a->rank; i++)
		same = a->dim[i] == b->dim[i];
	return same;
}

/* A cell's mean and standard deviation, where it has both and they fit the group. */
static bool read_moments(const um_cell *c, const struct group *g, um_image *mean, um_image *std)
{
	char *m = um_format("%s/mean.fits", c->dir), *s = um_format("%s/std.fits", c->dir);
	const bool there = um_file_exists(m) && um_file_exists(s);
	bool good = there && um_image_read_first(m, mean) == UM_OK && um_image_read_first(s, std) == UM_OK;
	if (there && !good)
		um_log(UM_WARN, "%s", um_message());
	good = good && has_spread(&std->data) && same_shape(&mean->data, &std->data) &&
		(g->n == 0 || same_shape(&mean->data, &g->mean[0].data));
	if (!good) {
		um_image_free(mean);
		um_image_free(std);
	}
	free(m);
	free(s);
	return good;
}

static struct group *find_group(struct groups *all, char *name, const char *forward)
{
	for (int i = 0; i < all->n; i++)
		if (strcmp(all->group[i].name, name) == 0) {
			free(name);
			return &all->group[i];
		}
	all->group = um_grow(all->group, sizeof(*all->group) * (size_t)(all->n + 1));
	all->group[all->n] = (struct group){ .name = name, .forward = forward, .inference = strchr(name, '+') + 1 };
	return &all->group[all->n++];
}

static void add_cell(struct groups *all, const um_cell *c)
{
	char *name, *prior;
	um_image mean = { 0 }, std = { 0 };
	if (!um_cell_is_done(c) || c->dir == NULL || !split(c, &name, &prior))
		return;
	struct group *g = find_group(all, name, c->forward);
	if (!read_moments(c, g, &mean, &std)) {
		free(prior);
		return;
	}
	const size_t n = (size_t)g->n + 1;
	g->prior = um_grow(g->prior, sizeof(*g->prior) * n);
	g->mean = um_grow(g->mean, sizeof(*g->mean) * n);
	g->std = um_grow(g->std, sizeof(*g->std) * n);
	g->prior[g->n] = prior;
	g->mean[g->n] = mean;
	g->std[g->n++] = std;
}

static void free_groups(struct groups *all)
{
	for (int i = 0; i < all->n; i++) {
		struct group *g = &all->group[i];
		for (int k = 0; k < g->n; k++) {
			free(g->prior[k]);
			um_image_free(&g->mean[k]);
			um_image_free(&g->std[k]);
		}
		free(g->prior);
		free(g->mean);
		free(g->std);
		free(g->name);
		um_array_free(&g->map);
	}
	free(all->group);
}

/* ---- maps --------------------------------------------------------------------------------- */

static um_status make_map(struct group *g)
{
	const um_array *first = &g->mean[0].data;
	const int64_t n = um_array_len(first);
	int64_t dim[UM_MAXRANK] = { PLANES };
	double between = 0, total = 0, *mean = um_new(sizeof(*mean) * 2 * (size_t)g->n), *sd = mean + g->n;
	memcpy(dim + 1, first->dim, sizeof(*dim) * (size_t)first->rank);
	um_status st = um_array_new(&g->map, UM_F64, first->rank + 1, dim);
	double *map = g->map.data;
	for (int64_t i = 0; st == UM_OK && i < n; i++) {
		for (int k = 0; k < g->n; k++) {
			mean[k] = ((const double *)g->mean[k].data.data)[i];
			sd[k] = ((const double *)g->std[k].data.data)[i];
		}
		const um_agreement a = um_agreement_of(g->n, mean, sd);
		map[SHARE * n + i] = isfinite(a.share) ? a.share : 0; /* pixels without any variance: nothing is open */
		map[AGREE * n + i] = a.agree;
		map[BETWEEN * n + i] = a.between;
		map[WITHIN * n + i] = a.within;
		between += a.between;
		total += a.between + a.within;
		g->agree += a.agree / (double)n;
	}
	g->share = total > 0 ? between / total : 0;
	free(mean);
	return st;
}

static um_status write_fits(const struct group *g, const char *folder)
{
	static const char *const history[] = {
		"planes: share = between / (between + within); agree; between; within",
		"between: variance of the posterior means of the priors",
		"within: mean of their posterior variances; the sum of both is the total",
		"agree: 1 where the intervals mean +- 2 sd of all priors have a common point", NULL };
	const um_sky *sky = g->mean[0].sky.pixel > 0 ? &g->mean[0].sky : NULL;
	const int extra = g->map.rank - 2;
	const um_fits_file f = { .data = &g->map, .sky = sky, .history = history,
		.axis = { extra == 1 ? "PLANE" : "CHANNEL", extra == 2 ? "PLANE" : NULL } };
	/* keys have no '.', and "+" is for folders of cells */
	char *path = um_format("%s/agreement-%s.%s.fits", folder, g->forward, g->inference), *temp = um_file_begin(path);
	um_status st = um_file_commit(temp, path, um_fits_write(temp, &f));
	free(temp);
	free(path);
	return st;
}

/* The first plane of an image. */
static um_panel panel_of(const struct group *g, int plane, const struct um_mesh *mesh)
{
	const um_array *a = &g->map;
	const int64_t n = um_array_rowlen(a);
	return (um_panel){ .title = plane == SHARE ? g->name : "where priors disagree", .data = (const double *)a->data + plane * n,
		.rows = a->dim[a->rank - 2], .columns = a->dim[a->rank - 1], .mesh = mesh, .scale = plane };
}

static um_status draw(const struct groups *all, const struct um_mesh *mesh, const char *path)
{
	um_panel *panels = um_new(sizeof(*panels) * 2 * (size_t)all->n);
	double **differ = um_new(sizeof(*differ) * (size_t)all->n), pixel = 0;
	int n = 0;
	for (int i = 0; i < all->n; i++) {
		if (all->group[i].map.data == NULL)
			continue;
		panels[n] = panel_of(&all->group[i], SHARE, mesh);
		panels[n + 1] = panel_of(&all->group[i], AGREE, mesh);
		differ[i] = um_new(sizeof(double) * (size_t)(panels[n].rows * panels[n].columns));
		for (int64_t k = 0; k < panels[n].rows * panels[n].columns; k++)
			differ[i][k] = 1 - panels[n + 1].data[k];
		panels[n + 1].data = differ[i]; /* what is rare shall be bright */
		n += 2;
		pixel = pixel == 0 ? all->group[i].mean[0].sky.pixel : pixel;
	}
	const um_scale scales[2] = { { UM_AFMHOT, 0, 1, "variance between priors / total variance" },
		{ UM_GREY, 0, 1, "1: some intervals do not meet" } };
	um_status st = um_figure_write(path, &(um_figure){ .title = "Data-driven (0) or prior-driven (1)", .panels = panels,
		.npanels = n, .columns = 2, .scales = scales, .nscales = 2, .pixel = pixel });
	for (int i = 0; i < all->n; i++)
		free(differ[i]);
	free(differ);
	free(panels);
	return st;
}

static void add_row(um_text *t, const struct group *g)
{
	um_csv_text(t, g->forward);
	um_text_add(t, ",");
	um_csv_text(t, g->inference);
	um_text_add(t, ",");
	char *priors = um_strdup(g->prior[0]);
	for (int k = 1; k < g->n; k++) {
		char *longer = um_format("%s %s", priors, g->prior[k]);
		free(priors);
		priors = longer;
	}
	um_csv_text(t, priors);
	um_text_add(t, ",");
	um_csv_number(t, g->share);
	um_text_add(t, ",");
	um_csv_number(t, g->agree);
	um_text_add(t, "\n");
	free(priors);
}

um_status um_agreement_write(const um_rundir *r, const struct um_mesh *mesh, const char *folder)
{
	um_status st = UM_OK;
	struct groups all = { 0 };
	um_text t = { 0 };
	char *table = um_format("%s/agreement.csv", folder), *picture = um_format("%s/agreement.png", folder);
	for (int i = 0; i < r->ncells; i++)
		add_cell(&all, &r->cells[i]);
	for (int i = 0; i < all.n; i++) {
		struct group *g = &all.group[i];
		if (g->n < 2)
			continue;
		UM_TRY(make_map(g));
		UM_TRY(write_fits(g, folder));
		if (t.len == 0)
			um_text_add(&t, "forward,inference,priors,share_between,agree\n");
		add_row(&t, g);
	}
	if (t.len == 0)
		goto out;
	UM_TRY(um_text_write(table, &t));
	UM_TRY(draw(&all, mesh, picture));
out:
	free_groups(&all);
	um_text_free(&t);
	free(table);
	free(picture);
	return st;
}
