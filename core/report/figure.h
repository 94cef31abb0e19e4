/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures of a run as PNG: image panels with colour bars, and data against model. Equal
 * input gives equal bytes. Pixels that are not finite are drawn in a neutral grey and never
 * reach a scale. Files appear whole or not at all. */
#ifndef UM_REPORT_FIGURE_H
#define UM_REPORT_FIGURE_H

#include <stdbool.h>
#include <umbra/array.h>
#include <umbra/sink.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum um_cmap {
	UM_AFMHOT,    /* black, red, orange, white: r = 2t, g = 2t - 1/2, b = 2t - 1, clipped */
	UM_DIVERGING, /* blue, white, red: the middle is zero */
	UM_GREY,
} um_cmap;

/* Colour of t (clipped to 0..1) as red, green, blue in 0..1. */
UM_API void um_cmap_rgb(um_cmap map, double t, double rgb[3]);

typedef struct um_scale {
	um_cmap map;
	double lo, hi;     /* equal: from the panels (from 0 where nothing is negative,
	                      symmetric about 0 for UM_DIVERGING) */
	const char *label; /* what and in which unit, beside the colour bar; NULL: nothing */
} um_scale;

typedef struct um_panel {
	const char *title;      /* NULL: none */
	const double *data;     /* [channels][rows][columns]; NULL: the place stays empty */
	int64_t channels;       /* 1, or 3 for red, green and blue; 0 means 1 */
	int64_t rows, columns;  /* one row is a vector and drawn as a line */
	const double *lo, *hi;  /* a band about a vector, or NULL */
	const struct um_mesh *mesh; /* whose vertices the columns are, drawn from the front (+z) and from the back; or NULL */
	int scale;              /* index of its um_scale */
} um_panel;

typedef struct um_figure {
	const char *title;      /* NULL: none */
	const um_panel *panels; /* row by row */
	int npanels, columns;   /* columns 0: chosen */
	const um_scale *scales;
	int nscales;
	bool own;               /* every panel has its own range and colour bar */
	bool smooth;            /* cubic interpolation instead of square pixels */
	double pixel;           /* radians a pixel: scale bar and compass are drawn; 0: not the sky */
} um_figure;

/* Draws the panels into a PNG file. UM_EARG for channels other than 1 and 3, empty panels
 * or a figure that no PNG can hold, UM_EIO where the file cannot be written. */
UM_API UM_USED um_status um_figure_write(const char *path, const um_figure *figure);

/* Draws data with error bars and the model's quantiles (sink.h) into a PNG file. */
UM_API UM_USED um_status um_plot_write(const char *path, const um_plot *plot);

/* Writes the numbers of a plot as JSON: title, xlabel, ylabel, log_y, square, and the columns x, y, sigma, q025,
 * q16, q50, q84, q975 and label as far as there are any; numbers that are not finite are null. */
UM_API UM_USED um_status um_plot_numbers(const char *path, const um_plot *plot);

/* The usual pictures of a cell, written into the existing folder dir: mean.png, where there
 * is more than one sample std.png and samples.png (up to 16 on one scale), and, where truth is not NULL, truth.png with truth,
 * mean and error. samples is [S][frames][bands][channels][rows][columns], or shorter from
 * the left after S; truth has the shape of one sample. pixel and unit as above; frames and
 * bands become panels of mean and std, the first one stands for the others elsewhere. mesh: or NULL. */
UM_API UM_USED um_status um_figure_posterior(const char *dir, const um_array *samples,
	const um_array *truth, double pixel, const struct um_mesh *mesh, const char *unit);

/* Up to 64 images of left and, where it is not NULL, of right beside them, on the scale of left:
 * what was learned from and what was learned. Arrays and pixel as in um_figure_posterior. */
UM_API UM_USED um_status um_figure_gallery(const char *path, const char *title, const um_array *left,
	const um_array *right, double pixel, const struct um_mesh *mesh);

#ifdef __cplusplus
}
#endif
#endif
