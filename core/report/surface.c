/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A signal on a mesh: two orthographic views side by side, from the front (x right, y up) and from the back, far faces first.
 * A face has the colour of the mean of its vertices, darker where it turns away. */
#include <math.h>
#include <stdlib.h>
#include <umbra/mesh.h>
#include "base/mem.h"
#include "panel.h"

struct drawn {
	double depth, shade;
	int64_t face;
};

static int far_first(const void *a, const void *b)
{
	const struct drawn *x = a, *y = b;
	return x->depth != y->depth ? (x->depth > y->depth) - (x->depth < y->depth) : (x->face > y->face) - (x->face < y->face);
}

/* The middle and half the larger extent in x and y. */
static double extent(const um_mesh *m, double middle[2])
{
	double lo[2] = { INFINITY, INFINITY }, hi[2] = { -INFINITY, -INFINITY };
	for (int64_t i = 0; i < m->nvertex; i++)
		for (int k = 0; k < 2; k++) {
			lo[k] = fmin(lo[k], m->vertex[3 * i + k]);
			hi[k] = fmax(hi[k], m->vertex[3 * i + k]);
		}
	for (int k = 0; k < 2; k++)
		middle[k] = (lo[k] + hi[k]) / 2;
	return fmax(hi[0] - lo[0], hi[1] - lo[1]) / 2;
}

/* Faces that look at a viewer at +z (side = 1) or -z (-1), far ones first. */
static int64_t visible(const um_mesh *m, double side, struct drawn *out)
{
	int64_t n = 0;
	for (int64_t f = 0; f < m->nface; f++) {
		const double *a = m->vertex + 3 * m->face[3 * f], *b = m->vertex + 3 * m->face[3 * f + 1];
		const double *c = m->vertex + 3 * m->face[3 * f + 2];
		const double u[3] = { b[0] - a[0], b[1] - a[1], b[2] - a[2] }, v[3] = { c[0] - a[0], c[1] - a[1], c[2] - a[2] };
		const double normal[3] = { u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0] };
		const double size = sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);
		if (size > 0 && side * normal[2] > 0)
			out[n++] = (struct drawn){ side * (a[2] + b[2] + c[2]), side * normal[2] / size, f };
	}
	qsort(out, (size_t)n, sizeof(*out), far_first);
	return n;
}

static void paint(um_canvas *c, const um_panel *p, const int64_t *face, double shade, um_cmap map, double lo, double hi)
{
	const int64_t channels = p->channels > 1 ? p->channels : 1;
	double rgb[3] = { 0.6, 0.63, 0.65 }, mean[3] = { 0 };
	bool there = true;
	for (int64_t k = 0; k < channels; k++)
		for (int i = 0; i < 3; i++) {
			const double v = p->data[k * p->columns + face[i]];
			there = there && um_drawable(v);
			mean[k] += (v - lo) / (hi - lo) / 3;
		}
	if (there && channels == 1)
		um_cmap_rgb(map, mean[0], rgb);
	for (int k = 0; there && channels == 3 && k < 3; k++)
		rgb[k] = fmax(0, fmin(1, mean[k]));
	const double light = 0.72 + 0.28 * shade;
	cairo_set_source_rgb(c->cr, light * rgb[0], light * rgb[1], light * rgb[2]);
	cairo_fill(c->cr);
}

void um_panel_surface(um_canvas *c, um_box b, const um_panel *p, um_cmap map, double lo, double hi)
{
	const um_mesh *m = p->mesh;
	struct drawn *faces = um_new(sizeof(*faces) * (size_t)(m->nface + 1));
	double middle[2];
	const double half = extent(m, middle), zoom = 0.48 * fmin(b.w / 2, b.h) / (half > 0 ? half : 1);
	cairo_save(c->cr);
	cairo_set_antialias(c->cr, CAIRO_ANTIALIAS_NONE); /* no seams between faces */
	for (int view = 0; view < 2; view++) {
		const double side = view == 0 ? 1 : -1, x0 = b.x + b.w * (0.25 + 0.5 * view), y0 = b.y + b.h / 2;
		const int64_t n = visible(m, side, faces);
		for (int64_t i = 0; i < n; i++) {
			const int64_t *face = m->face + 3 * faces[i].face;
			for (int k = 0; k < 3; k++) {
				const double *v = m->vertex + 3 * face[k];
				cairo_line_to(c->cr, x0 + side * zoom * (v[0] - middle[0]), y0 - zoom * (v[1] - middle[1]));
			}
			cairo_close_path(c->cr);
			paint(c, p, face, faces[i].shade, map, lo, hi);
		}
	}
	cairo_restore(c->cr);
	free(faces);
}
