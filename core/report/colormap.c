/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Colour maps. afmhot is the map of the EHT papers, as matplotlib defines it; the diverging
 * one runs from blue over white to red with lightness falling evenly on both sides. */
#include <math.h>
#include "figure.h"

static double clip(double v)
{
	return v > 0 ? v < 1 ? v : 1 : 0;
}

static void afmhot(double t, double rgb[3])
{
	rgb[0] = clip(2 * t);
	rgb[1] = clip(2 * t - 0.5);
	rgb[2] = clip(2 * t - 1);
}

static void diverging(double t, double rgb[3])
{
	static const double knot[7][3] = {
		{ 0.08, 0.16, 0.42 }, { 0.16, 0.41, 0.71 }, { 0.58, 0.76, 0.89 }, { 0.97, 0.97, 0.97 },
		{ 0.96, 0.70, 0.56 }, { 0.80, 0.28, 0.24 }, { 0.44, 0.05, 0.13 },
	};
	int i = t >= 1 ? 5 : (int)(6 * t);
	double f = 6 * t - i;
	for (int k = 0; k < 3; k++)
		rgb[k] = (1 - f) * knot[i][k] + f * knot[i + 1][k];
}

static void grey(double t, double rgb[3])
{
	rgb[0] = rgb[1] = rgb[2] = t;
}

void um_cmap_rgb(um_cmap map, double t, double rgb[3])
{
	static void (*const maps[])(double, double *) = {
		[UM_AFMHOT] = afmhot, [UM_DIVERGING] = diverging, [UM_GREY] = grey,
	};
	maps[map](clip(t), rgb);
}
