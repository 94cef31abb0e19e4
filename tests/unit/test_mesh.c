/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Meshes: those made here are closed and look outwards, OBJ files in their dialects, what is refused; the angular power
 * spectrum against Legendre polynomials written out; images projected onto vertices. */
#include <stdlib.h>
#include <umbra/mesh.h>
#include <umbra/spectral.h>
#include "check.h"
#include "data/imageset.h"

static const char *put(const char *text)
{
	static const char path[] = "/tmp/umbra_test_mesh.obj";
	FILE *f = fopen(path, "w");
	CHECK_FATAL(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
	return path;
}

static int by_edge(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return x[0] != y[0] ? (x[0] > y[0]) - (x[0] < y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

/* Each edge belongs to two faces that run through it in opposite directions. */
static bool closed(const um_mesh *m)
{
	const int64_t n = 3 * m->nface;
	int64_t(*edge)[2] = malloc(sizeof(*edge) * 2 * (size_t)n), (*back)[2] = edge + n;
	bool yes = true;
	for (int64_t i = 0; i < n; i++) {
		edge[i][0] = back[i][1] = m->face[i];
		edge[i][1] = back[i][0] = m->face[i / 3 * 3 + (i + 1) % 3];
	}
	qsort(edge, (size_t)n, sizeof(*edge), by_edge);
	qsort(back, (size_t)n, sizeof(*back), by_edge);
	for (int64_t i = 0; i < n; i++)
		yes = yes && by_edge(edge[i], back[i]) == 0 && (i == 0 || by_edge(edge[i - 1], edge[i]) != 0);
	free(edge);
	return yes;
}

/* Six times the volume that the faces enclose. */
static double volume(const um_mesh *m)
{
	double sum = 0;
	for (int64_t f = 0; f < m->nface; f++) {
		const double *a = m->vertex + 3 * m->face[3 * f], *b = m->vertex + 3 * m->face[3 * f + 1];
		const double *c = m->vertex + 3 * m->face[3 * f + 2];
		sum += a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
	}
	return sum;
}

static void made(void)
{
	static const char *const names[] = { "icosphere:1", "icosphere:2", "icosphere:8", "bumpy:14" };
	static const int64_t parts[] = { 1, 2, 8, 14 };
	um_mesh m;
	for (int i = 0; i < 4; i++) {
		CHECK_OK(um_mesh_open(names[i], &m));
		CHECK(m.nvertex == 10 * parts[i] * parts[i] + 2 && m.nface == 20 * parts[i] * parts[i]);
		CHECK(closed(&m));
		CHECK(volume(&m) > 0);
		for (int64_t k = 0; i < 3 && k < m.nvertex; k++)
			CHECK_NEAR(hypot(hypot(m.vertex[3 * k], m.vertex[3 * k + 1]), m.vertex[3 * k + 2]), 1, 1e-12);
		um_mesh_free(&m);
	}
	CHECK_OK(um_mesh_open("latlon:46x90", &m));
	CHECK(m.nvertex == 4140 && m.nface == 2 * 44 * 90);
	CHECK_NEAR(volume(&m), 16 * acos(0), 0.06); /* 6 times 4 pi / 3 */
	CHECK_NEAR(m.vertex[1], 1, 1e-12);
	um_mesh_free(&m);
}

static void obj(void)
{
	um_mesh m;
	CHECK_OK(um_mesh_open(put("# a square and a triangle\nv 0 0 0\nv 1 0 0 1.0\nv 1 1 0\nvt 0 0\nvn 0 0 1\nv 0 1 -2.5e-1\r\n"
		"f 1/1/1 2//1 3 4\nf -4 -2 -1\n"), &m));
	CHECK(m.nvertex == 4 && m.nface == 3);
	static const int64_t want[] = { 0, 1, 2, 0, 2, 3, 0, 2, 3 };
	CHECK(memcmp(m.face, want, sizeof(want)) == 0);
	CHECK(m.vertex[11] == -0.25);
	um_mesh_free(&m);
	CHECK_FAILS(um_mesh_open(put("v 0 0\n"), &m), UM_EDATA, ":1: a vertex has three");
	CHECK_FAILS(um_mesh_open(put("v 0 0 0\nv 0 0 nan\n"), &m), UM_EDATA, ":2: a vertex has three");
	CHECK_FAILS(um_mesh_open(put("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n"), &m), UM_EDATA, ":4: '4' is no vertex");
	CHECK_FAILS(um_mesh_open(put("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2\n"), &m), UM_EDATA, ":4: a face has three");
	CHECK_FAILS(um_mesh_open(put("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 x\n"), &m), UM_EDATA, "'x' is no vertex");
	CHECK_FAILS(um_mesh_open(put("v 0 0 0\n"), &m), UM_EDATA, "no faces");
	CHECK(m.vertex == NULL && m.face == NULL);
	remove(put(""));
	CHECK_FAILS(um_mesh_open("icosphere:0", &m), UM_EPARAM, "divided in 1 to 64");
	CHECK_FAILS(um_mesh_open("latlon:2x9", &m), UM_EPARAM, "3 or more");
	CHECK_FAILS(um_mesh_open("icosfere:4", &m), UM_EPARAM, "icosphere:F");
}

/* 12 points: degrees 0 to 3. */
static void angular(void)
{
	const double variance = 2.5, k0 = 0.7, slope = 3;
	um_mesh m;
	um_spectral c = { 0 };
	double w[4], sum = 0;
	CHECK_OK(um_mesh_open("icosphere:1", &m));
	for (int l = 0; l < 4; l++)
		sum += w[l] = (2 * l + 1) * pow(k0 * k0 + l * l, -slope / 2);
	for (int64_t i = 0; i < 3 * m.nvertex; i++)
		m.vertex[i] *= 3; /* directions alone count */
	CHECK_OK(um_spectral_angular(m.nvertex, m.vertex, variance, k0, slope, &c));
	for (int64_t i = 0; i < m.nvertex; i++) {
		double e[12] = { 0 }, row[12];
		e[i] = 1;
		um_spectral_apply(&c, c.c, e, row);
		for (int64_t j = 0; j < m.nvertex; j++) {
			const double *a = m.vertex + 3 * i, *b = m.vertex + 3 * j, x = (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / 9;
			const double p = w[0] + w[1] * x + w[2] * (3 * x * x - 1) / 2 + w[3] * (5 * x * x * x - 3 * x) / 2;
			CHECK_NEAR(row[j], variance * p / sum, 1e-12);
		}
	}
	um_spectral_free(&c);
	for (int k = 0; k < 3; k++)
		m.vertex[k] = 0;
	CHECK_FAILS(um_spectral_angular(m.nvertex, m.vertex, variance, k0, slope, &c), UM_EDATA, "vertex 1 is at the centre");
	um_mesh_free(&m);
}

/* A picture that is linear in row and column stays linear in y and x. */
static void projected(void)
{
	um_mesh m;
	um_array x;
	unsigned char b[16 + 35] = { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 7 };
	const char *path = "/tmp/umbra_test_mesh.idx";
	for (int i = 0; i < 35; i++)
		b[16 + i] = (unsigned char)(10 * (i / 7) + 3 * (i % 7));
	FILE *f = fopen(path, "wb");
	CHECK_FATAL(f != NULL && fwrite(b, 1, sizeof(b), f) == sizeof(b) && fclose(f) == 0);
	CHECK_OK(um_mesh_open("icosphere:3", &m));
	double most = 0;
	for (int64_t i = 0; i < m.nvertex; i++)
		most = fmax(most, m.vertex[3 * i + 1]);
	double right = 0;
	for (int64_t i = 0; i < m.nvertex; i++)
		right = fmax(right, m.vertex[3 * i]);
	const um_imageset_spec spec = { .shape = { 1, 1, 1, 1, m.nvertex }, .factor = 1, .fitting = UM_FIT_MESH, .mesh = &m };
	CHECK_OK(um_imageset_read(1, &path, &spec, &x, NULL));
	CHECK(x.dim[0] == 1 && um_array_len(&x) == m.nvertex);
	for (int64_t i = 0; i < m.nvertex; i++) {
		const double row = 2 * (1 - m.vertex[3 * i + 1] / most), column = 3 * (1 + m.vertex[3 * i] / right);
		CHECK_NEAR((double)((float *)x.data)[i], 10 * row + 3 * column, 1e-4);
	}
	um_array_free(&x);
	um_mesh_free(&m);
	remove(path);
}

CHECK_MAIN(CHECK_CASE(made), CHECK_CASE(obj), CHECK_CASE(angular), CHECK_CASE(projected))
