/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a comparison consists of; compare/metrics.csv and compare/comparison.png. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <umbra/fits.h>
#include "base/mem.h"
#include "agreement.h"
#include "compare.h"
#include "csv.h"
#include "energy.h"
#include "figure.h"
#include "rings.h"
#include "rundir.h"
#include "text.h"

static um_status write_table(const um_rundir *r, const char *path)
{
	um_text t = { 0 };
	um_text_add(&t, "cell");
	for (int k = 0; k < r->metrics.n; k++) {
		um_text_add(&t, ",");
		um_csv_text(&t, r->metrics.name[k]);
	}
	um_text_add(&t, "\n");
	for (int i = 0; i < r->ncells; i++) {
		if (!um_cell_is_done(&r->cells[i]))
			continue;
		um_csv_text(&t, r->cells[i].name);
		for (int k = 0; k < r->metrics.n; k++) {
			um_text_add(&t, ",");
			um_csv_json(&t, json_object_get(r->cells[i].metrics, r->metrics.name[k]));
		}
		um_text_add(&t, "\n");
	}
	um_status st = um_text_write(path, &t);
	um_text_free(&t);
	return st;
}

/* A column of the picture: a truth, or the mean and deviation of a cell. */
struct column {
	char *title;
	um_image mean, std;
};

struct picture {
	int n;
	struct column *col;
};

/* An image that may be missing: data.data stays NULL then. */
static void read_image(const char *dir, const char *name, um_image *im)
{
	char *path = um_format("%s/%s", dir, name);
	if (access(path, F_OK) == 0 && um_image_read_first(path, im) != UM_OK) {
		um_log(UM_WARN, "%s", um_message());
		*im = (um_image){ 0 };
	}
	free(path);
}

static bool is_zero(const um_array *a)
{
	int64_t n = um_array_len(a), i = 0;
	while (i < n && ((const double *)a->data)[i] == 0)
		i++;
	return i == n;
}

static void add_column(struct picture *p, const char *title, const char *dir, const char *mean,
	const char *std)
{
	p->col = um_grow(p->col, (size_t)(p->n + 1) * sizeof(*p->col));
	struct column *c = &p->col[p->n];
	*c = (struct column){ 0 };
	read_image(dir, mean, &c->mean);
	if (std)
		read_image(dir, std, &c->std);
	if (c->std.data.data != NULL && is_zero(&c->std.data))
		um_image_free(&c->std); /* a point estimate has no spread to show */
	if (c->mean.data.data == NULL && c->std.data.data == NULL)
		return;
	c->title = um_strdup(title);
	p->n++;
}

static bool one_forward(const um_rundir *r)
{
	for (int i = 1; i < r->ncells; i++)
		if (strcmp(r->cells[i].forward, r->cells[0].forward) != 0)
			return false;
	return true;
}

static struct picture read_picture(const um_rundir *r)
{
	struct picture p = { 0 };
	um_names seen = { 0 };
	bool one = one_forward(r);
	for (int i = 0; i < r->ncells; i++) {
		const char *f = r->cells[i].forward;
		int before = seen.n;
		um_names_add(&seen, f);
		if (seen.n == before)
			continue;
		char *sim = um_format("%s/simulate/%s", r->dir, f);
		char *title = one ? um_strdup("truth") : um_format("truth (%s)", f);
		if (r->cells[i].dir)
			add_column(&p, title, sim, "truth.fits", NULL);
		free(title);
		free(sim);
		for (int k = i; k < r->ncells; k++)
			if (um_cell_is_done(&r->cells[k]) && r->cells[k].dir && strcmp(r->cells[k].forward, f) == 0)
				add_column(&p, r->cells[k].name, r->cells[k].dir, "mean.fits", "std.fits");
	}
	um_names_free(&seen);
	return p;
}

static void free_picture(struct picture *p)
{
	for (int i = 0; i < p->n; i++) {
		free(p->col[i].title);
		um_image_free(&p->col[i].mean);
		um_image_free(&p->col[i].std);
	}
	free(p->col);
}

/* The first plane, or three where they can only be colours: the sky has none. */
static um_panel panel_of(const um_image *im, const char *title, int scale)
{
	const um_array *a = &im->data;
	um_panel p = { .title = title, .scale = scale };
	if (a->data == NULL || a->rank < 1)
		return p;
	p.data = a->data;
	p.columns = a->dim[a->rank - 1];
	p.rows = a->rank > 1 ? a->dim[a->rank - 2] : 1;
	p.channels = a->rank > 2 && a->dim[a->rank - 3] == 3 && im->sky.pixel == 0 ? 3 : 1;
	return p;
}

static um_status draw_picture(const struct picture *p, const struct um_mesh *mesh, const char *path)
{
	um_panel *panels = um_new(2 * (size_t)p->n * sizeof(*panels));
	const char *unit = "";
	double pixel = 0;
	for (int i = 0; i < p->n; i++) {
		const um_image *mean = &p->col[i].mean;
		panels[i] = panel_of(mean, p->col[i].title, 0);
		panels[p->n + i] = panel_of(&p->col[i].std, NULL, 1);
		panels[i].mesh = panels[p->n + i].mesh = mesh;
		if (pixel == 0)
			pixel = mean->sky.pixel;
		if (*unit == '\0')
			unit = mean->bunit;
	}
	char *above = um_format("mean%s%s%s", *unit ? " (" : "", unit, *unit ? ")" : "");
	char *below = um_format("standard deviation%s%s%s", *unit ? " (" : "", unit, *unit ? ")" : "");
	um_cmap map = pixel > 0 || mesh != NULL ? UM_AFMHOT : UM_GREY;
	const um_scale scales[2] = { { .map = map, .label = above }, { .map = map, .label = below } };
	um_status st = um_figure_write(path, &(um_figure){ .panels = panels, .npanels = 2 * p->n,
		.columns = p->n, .scales = scales, .nscales = 2, .smooth = pixel > 0, .pixel = pixel });
	free(above);
	free(below);
	free(panels);
	return st;
}

um_status um_compare_write(const char *dir, const struct um_mesh *mesh)
{
	um_status st = UM_OK;
	um_rundir r = { 0 };
	struct picture p = { 0 };
	char *folder = um_format("%s/compare", dir), *table = um_format("%s/metrics.csv", folder);
	char *picture = um_format("%s/comparison.png", folder), *distances = um_format("%s/distances.csv", folder);
	UM_TRY(um_rundir_open(dir, &r));
	if (mkdir(folder, 0777) != 0 && errno != EEXIST)
		UM_TRY(um_fail(UM_EIO, "%s: cannot be made: %s", folder, strerror(errno)));
	UM_TRY(write_table(&r, table));
	p = read_picture(&r);
	if (p.n > 0)
		UM_TRY(draw_picture(&p, mesh, picture));
	UM_TRY(um_energy_write(&r, distances));
	UM_TRY(um_agreement_write(&r, mesh, folder));
	UM_TRY(um_rings_write(&r, folder));
out:
	free_picture(&p);
	um_rundir_free(&r);
	free(folder);
	free(table);
	free(picture);
	free(distances);
	return st;
}
