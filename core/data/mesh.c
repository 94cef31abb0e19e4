/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/mesh.h>
#include "base/mem.h"

#define PI 3.14159265358979323846

enum { MOST = 1 << 20 }; /* vertices */

void um_mesh_free(um_mesh *m)
{
	free(m->vertex);
	free(m->face);
	*m = (um_mesh){ 0 };
}

static int64_t add_vertex(um_mesh *m, const double v[3])
{
	if ((m->nvertex & (m->nvertex - 1)) == 0)
		m->vertex = um_grow(m->vertex, sizeof(double) * 3 * (size_t)(m->nvertex > 0 ? 2 * m->nvertex : 1));
	memcpy(m->vertex + 3 * m->nvertex, v, sizeof(double) * 3);
	return m->nvertex++;
}

static void add_face(um_mesh *m, int64_t a, int64_t b, int64_t c)
{
	const int64_t f[3] = { a, b, c };
	if ((m->nface & (m->nface - 1)) == 0)
		m->face = um_grow(m->face, sizeof(int64_t) * 3 * (size_t)(m->nface > 0 ? 2 * m->nface : 1));
	memcpy(m->face + 3 * m->nface++, f, sizeof(f));
}

/* ---- spheres --------------------------------------------------------------------------- */

static const double corner[12][3] = { /* (0, 1, g) and its cyclic orders, g the golden ratio */
	{ -1, 1.618033988749895, 0 }, { 1, 1.618033988749895, 0 }, { -1, -1.618033988749895, 0 },
	{ 1, -1.618033988749895, 0 }, { 0, -1, 1.618033988749895 }, { 0, 1, 1.618033988749895 },
	{ 0, -1, -1.618033988749895 }, { 0, 1, -1.618033988749895 }, { 1.618033988749895, 0, -1 },
	{ 1.618033988749895, 0, 1 }, { -1.618033988749895, 0, -1 }, { -1.618033988749895, 0, 1 },
};
static const int side[20][3] = {
	{ 0, 11, 5 }, { 0, 5, 1 }, { 0, 1, 7 }, { 0, 7, 10 }, { 0, 10, 11 }, { 1, 5, 9 }, { 5, 11, 4 }, { 11, 10, 2 },
	{ 10, 7, 6 }, { 7, 1, 8 }, { 3, 9, 4 }, { 3, 4, 2 }, { 3, 2, 6 }, { 3, 6, 8 }, { 3, 8, 9 }, { 4, 9, 5 },
	{ 2, 4, 11 }, { 6, 2, 10 }, { 8, 6, 7 }, { 9, 8, 1 },
};

/* The vertex at v, which on an edge another side may have made. */
static int64_t vertex_at(um_mesh *m, const double v[3], bool edge, double near)
{
	for (int64_t i = 0; edge && i < m->nvertex; i++) {
		const double *w = m->vertex + 3 * i;
		if (fabs(v[0] - w[0]) + fabs(v[1] - w[1]) + fabs(v[2] - w[2]) < near)
			return i;
	}
	return add_vertex(m, v);
}

static void divide(um_mesh *m, const int s[3], int64_t f, int64_t *index)
{
	const double *a = corner[s[0]], *b = corner[s[1]], *c = corner[s[2]];
	for (int64_t i = 0; i <= f; i++)
		for (int64_t j = 0; j <= i; j++) {
			double v[3], norm = 0;
			for (int k = 0; k < 3; k++) {
				v[k] = (double)(f - i) * a[k] + (double)(i - j) * b[k] + (double)j * c[k];
				norm += v[k] * v[k];
			}
			for (int k = 0; k < 3; k++)
				v[k] /= sqrt(norm);
			index[i * (f + 1) + j] = vertex_at(m, v, i == f || j == 0 || j == i, 1e-3 / (double)f);
		}
	for (int64_t i = 0; i < f; i++)
		for (int64_t j = 0; j <= i; j++) {
			const int64_t *row = index + i * (f + 1) + j, *next = row + f + 1;
			add_face(m, row[0], next[0], next[1]);
			if (j < i)
				add_face(m, row[0], next[1], row[1]);
		}
}

static um_status icosphere(int64_t f, um_mesh *m)
{
	if (f < 1 || f > 64)
		return um_fail(UM_EPARAM, "an icosphere is divided in 1 to 64, not %lld", (long long)f);
	int64_t *index = um_new(sizeof(*index) * (size_t)((f + 1) * (f + 1)));
	for (int i = 0; i < 20; i++)
		divide(m, side[i], f, index);
	free(index);
	return UM_OK;
}

static um_status latlon(int64_t rows, int64_t columns, um_mesh *m)
{
	if (rows < 3 || columns < 3 || rows > MOST || columns > MOST || rows * columns > MOST)
		return um_fail(UM_EPARAM, "a grid of latitudes and longitudes has 3 or more of each and at most %d vertices", MOST);
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < columns; j++) {
			const double up = PI * (0.5 - (double)i / (double)(rows - 1)), round = 2 * PI * (double)j / (double)columns;
			add_vertex(m, (const double[]){ cos(up) * sin(round), sin(up), cos(up) * cos(round) });
		}
	for (int64_t i = 0; i + 1 < rows; i++)
		for (int64_t j = 0; j < columns; j++) {
			const int64_t k = (j + 1) % columns, a = i * columns, b = a + columns;
			if (i > 0)
				add_face(m, a + j, b + k, a + k);
			if (i + 2 < rows)
				add_face(m, a + j, b + j, b + k);
		}
	return UM_OK;
}

static um_status bumpy(int64_t f, um_mesh *m)
{
	static const double bump[][5] = { /* direction, height, width in 1 - cosine */
		{ 0.5, 0.8, 0.4, 0.55, 0.06 }, { -0.5, 0.8, 0.4, 0.55, 0.06 }, { 0, 0.1, 1, 0.35, 0.12 }, { 0, -0.5, -0.9, 0.3, 0.25 },
		{ 0.9, -0.4, 0.1, 0.25, 0.15 }, { -0.9, -0.4, 0.1, 0.25, 0.15 }, { 0, 0.6, -0.8, -0.2, 0.2 }, { 0, -0.9, 0.4, -0.25, 0.3 },
	};
	const um_status st = icosphere(f, m);
	for (int64_t i = 0; i < m->nvertex; i++) {
		double *v = m->vertex + 3 * i, r = 1;
		for (size_t k = 0; k < sizeof(bump) / sizeof(*bump); k++) {
			const double *b = bump[k], along = (v[0] * b[0] + v[1] * b[1] + v[2] * b[2]) /
				sqrt(b[0] * b[0] + b[1] * b[1] + b[2] * b[2]);
			r += b[3] * exp(-(1 - along) / b[4]);
		}
		for (int k = 0; k < 3; k++)
			v[k] *= r;
	}
	return st;
}

/* ---- OBJ files ---------------------------------------------------------------------------- */

static um_status read_vertex(um_mesh *m, const char *s, const char *path, int line)
{
	double v[3];
	char *end;
	for (int k = 0; k < 3; k++, s = end) {
		v[k] = strtod(s, &end);
		if (end == s || !isfinite(v[k]))
			return um_fail(UM_EDATA, "%s:%d: a vertex has three finite numbers", path, line);
	}
	if (m->nvertex == MOST)
		return um_fail(UM_EDATA, "%s: more than %d vertices", path, MOST);
	add_vertex(m, v);
	return UM_OK;
}

/* "f 1/2/3 4/5/6 ..." or "f -3 -2 -1". */
static um_status read_face(um_mesh *m, char *s, const char *path, int line)
{
	int64_t first = 0, last = 0;
	int n = 0;
	for (char *word = strtok(s, " \t\r\n"); word != NULL; word = strtok(NULL, " \t\r\n"), n++) {
		char *end;
		int64_t i = strtoll(word, &end, 10);
		i = i < 0 ? m->nvertex + i : i - 1;
		if (end == word || (*end != '\0' && *end != '/') || i < 0 || i >= m->nvertex)
			return um_fail(UM_EDATA, "%s:%d: '%s' is no vertex of those above, 1 to %lld", path, line, word,
				(long long)m->nvertex);
		if (n == 0)
			first = i;
		else if (n > 1)
			add_face(m, first, last, i);
		last = i;
	}
	return n >= 3 ? UM_OK : um_fail(UM_EDATA, "%s:%d: a face has three vertices or more", path, line);
}

static um_status read_obj(const char *path, um_mesh *m)
{
	um_status st = UM_OK;
	char text[4096];
	FILE *f = fopen(path, "r");
	if (f == NULL)
		return um_fail(UM_EPARAM, "there is no surface '%s'; write icosphere:F, latlon:RxC or bumpy:F, or give mesh = a file", path);
	for (int line = 1; st == UM_OK && fgets(text, sizeof(text), f) != NULL; line++) {
		if (strchr(text, '\n') == NULL && !feof(f))
			st = um_fail(UM_EDATA, "%s:%d: the line is longer than %zu characters", path, line, sizeof(text) - 2);
		else if (strncmp(text, "v ", 2) == 0 || strncmp(text, "v\t", 2) == 0)
			st = read_vertex(m, text + 2, path, line);
		else if (strncmp(text, "f ", 2) == 0 || strncmp(text, "f\t", 2) == 0)
			st = read_face(m, text + 2, path, line);
	}
	if (st == UM_OK && ferror(f))
		st = um_fail(UM_EIO, "%s: cannot be read", path);
	fclose(f);
	if (st == UM_OK && (m->nvertex == 0 || m->nface == 0))
		st = um_fail(UM_EDATA, "%s: no vertices (v x y z) or no faces (f a b c)", path);
	return st;
}

/* ---- by name --------------------------------------------------------------------------------- */

um_status um_mesh_open(const char *what, um_mesh *out)
{
	long long a, b;
	int end = 0;
	um_status st;
	*out = (um_mesh){ 0 };
	if (sscanf(what, "icosphere:%lld%n", &a, &end) == 1 && what[end] == '\0')
		st = icosphere(a, out);
	else if (sscanf(what, "latlon:%lldx%lld%n", &a, &b, &end) == 2 && what[end] == '\0')
		st = latlon(a, b, out);
	else if (sscanf(what, "bumpy:%lld%n", &a, &end) == 1 && what[end] == '\0')
		st = bumpy(a, out);
	else
		st = read_obj(what, out);
	if (st != UM_OK)
		um_mesh_free(out);
	return st;
}
