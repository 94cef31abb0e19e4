/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Triangle meshes on whose vertices signals live (images of shape [channels][1][vertices]). Versioned with libumbra; not part
 * of the plugin ABI, except that um_env points to one. */
#ifndef UMBRA_MESH_H
#define UMBRA_MESH_H

#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* y is up. Faces are counterclockwise seen from outside. */
typedef struct um_mesh {
	int64_t nvertex, nface;
	double *vertex; /* [nvertex][3] */
	int64_t *face;  /* [nface][3] vertices, from 0 */
} um_mesh;

/* What a text stands for:
 *   icosphere:F     an icosahedron whose edges are divided in F, on the unit sphere, 10 F^2 + 2 vertices
 *   latlon:RxC      the unit sphere at R latitudes from pole to pole and C longitudes, R C vertices
 *   bumpy:F         icosphere:F with bumps and dents, a closed surface that is not convex
 *   else            a Wavefront OBJ file; polygons become fans of triangles
 * UM_EPARAM or UM_EDATA say what is wrong, with the line of a file. */
UM_API UM_USED um_status um_mesh_open(const char *what, um_mesh *out);
/* Releases all and zeroes *m; fine on a zeroed one. */
UM_API void um_mesh_free(um_mesh *m);

#ifdef __cplusplus
}
#endif
#endif
