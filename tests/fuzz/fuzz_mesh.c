/* SPDX-License-Identifier: GPL-3.0-or-later */
/* um_mesh_open on any OBJ file, and on any text that is short as the name of a surface. */
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <umbra/mesh.h>
#include "fuzz.h"

static void look(um_status st, const um_mesh *m, size_t most)
{
	fuzz_said(st);
	if (st != UM_OK) {
		FUZZ_HOLDS(m->vertex == NULL && m->face == NULL);
		return;
	}
	FUZZ_HOLDS(m->nvertex > 0 && m->nface > 0 && (size_t)m->nvertex <= most);
	for (int64_t i = 0; i < 3 * m->nvertex; i++)
		FUZZ_HOLDS(isfinite(m->vertex[i]));
	for (int64_t i = 0; i < 3 * m->nface; i++)
		FUZZ_HOLDS(m->face[i] >= 0 && m->face[i] < m->nvertex);
}

/* Numbers of one digit make small meshes; larger ones only take long. */
static bool small(const char *name)
{
	for (; *name; name++)
		if (isdigit((unsigned char)name[0]) && isdigit((unsigned char)name[1]))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	um_mesh m = { 0 };
	char name[24] = "";
	look(um_mesh_open(fuzz_file(data, size), &m), &m, size);
	um_mesh_free(&m);
	if (size < sizeof(name) - 1 && size > 0 && memchr(data, 0, size) == NULL && memchr(data, '/', size) == NULL) {
		memcpy(name, data, size);
		if (small(name))
			look(um_mesh_open(name, &m), &m, 1 << 20);
		um_mesh_free(&m);
	}
	return 0;
}

um_status fuzz_seeds(const char *folder)
{
	static const char plain[] = "# a tetrahedron\no t\nv 1 1 1\nv -1 -1 1.0e0\nv\t-1 1 -1\nv 1 -1 -1\nvn 0 0 1\nvt 0 0\n"
		"f 1 2 3\nf 1/1/1 4/1 2//1\nf -4 -2 -1\nf 2 4 3\n";
	static const char fan[] = "v 0 0 0\r\nv 1 0 0\r\nv 1 1 0\r\nv 0 1 0\r\nf 1 2 3 4\r\n";
	static const char *const names[] = { "icosphere:3", "latlon:4x5", "bumpy:2" };
	um_status st = UM_OK;
	UM_TRY(fuzz_put(folder, "plain", plain, sizeof(plain) - 1));
	UM_TRY(fuzz_put(folder, "fan", fan, sizeof(fan) - 1));
	for (int i = 0; i < 3; i++)
		UM_TRY(fuzz_put(folder, names[i], names[i], strlen(names[i])));
out:
	return st;
}
