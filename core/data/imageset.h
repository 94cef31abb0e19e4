/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of images to learn from, whatever their kind, as one array in the shape of the pipeline's
 * image. Row 0 is north or top, column 0 is left. */
#ifndef UMBRA_DATA_IMAGESET_H
#define UMBRA_DATA_IMAGESET_H

#include <stdbool.h>
#include <umbra/array.h>
#include <umbra/mesh.h>
#include <umbra/rng.h>

/* How images of another size come to the pipeline's. */
typedef enum um_fitting {
	UM_FIT_NONE,    /* they do not: an error */
	UM_FIT_CENTRE,  /* the middle is cut out, or put in the middle of zeros */
	UM_FIT_MESH,    /* images are projected along z onto the vertices of a mesh, which they just cover */
	UM_FIT_AVERAGE, /* the middle of the same aspect ratio, averaged over the area of new pixels */
} um_fitting;

typedef struct um_imageset_spec {
	int64_t shape[5];      /* frames, bands, channels, rows, columns */
	um_fitting fitting;
	const um_mesh *mesh;   /* for UM_FIT_MESH; its vertices are the columns */
	bool unit;             /* integers are divided by the largest of their type */
	double factor, offset; /* x = offset + factor v */
	int64_t most;          /* images; 0: all */
} um_imageset_spec;

/* Reads files and folders of them, told apart by their first bytes: idx (also gzip), npy, FITS,
 * PNG. A file holds [n][rows][columns], or [n][planes ...][rows][columns] where the shape has more
 * than one plane, or [n][columns] where it has one row; PNG one grey or red-green-blue image. out:
 * float [n][shape], finite; *top (or NULL): the largest value of the integers if all files hold
 * integers of one size, else 0. Release it with um_array_free. Whatever is wrong is UM_EDATA with
 * the file's name. */
UM_API UM_USED um_status um_imageset_read(int64_t n, const char *const files[],
	const um_imageset_spec *spec, um_array *out, double *top);

/* Grey images [n][frames][bands][1][rows][columns] in red, green and blue: out is new, float [n][frames][bands][3][rows]
 * [columns], with ink times grey in each. Image number i has an ink of its own, which depends on seed and i alone: uniform in
 * (0, 1)^3 and then divided by its largest number. */
UM_API UM_USED um_status um_imageset_paint(const um_array *grey, uint64_t seed, um_array *out);

/* The same list with folders replaced by what they hold with an ending of such files, sorted by
 * name. Free each and the list. */
UM_API UM_USED um_status um_imageset_files(int64_t n, const char *const files[], char ***list,
	int64_t *count);

/* The idx format of MNIST: two zero bytes, a type, the number of axes, their sizes and the numbers,
 * all big-endian; packed by gzip or not. out is float with the file's axes; *top is the largest
 * value of an integer type, 0 for reals. */
UM_API UM_USED um_status um_idx_read(const char *path, um_array *out, double *top);

/* An 8-bit PNG without transparency as float [channels][rows][columns], 0..255; channels is 1 for
 * pictures that are grey, or 3. */
UM_API UM_USED um_status um_png_read(const char *path, int64_t channels, um_array *out);

#endif
