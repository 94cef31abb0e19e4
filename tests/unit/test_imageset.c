/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Readers of images to learn from: every type of idx, PNG, FITS and npy in folders, axes, sizes and
 * units, and what broken files are refused with. */
#include <cairo.h>
#include <sys/stat.h>
#include <umbra/fits.h>
#include <zlib.h>
#include "check.h"
#include "data/imageset.h"
#include "pipeline/plan.h"

static char dir[64];

static const char *at(const char *name)
{
	static char path[4][128];
	static int turn;
	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static const char *put(const char *name, const void *bytes, size_t n)
{
	const char *path = at(name);
	FILE *f = fopen(path, "wb");
	CHECK_FATAL(f != NULL && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
	return path;
}

static um_imageset_spec spec(int64_t channels, int64_t rows, int64_t columns)
{
	return (um_imageset_spec){ .shape = { 1, 1, channels, rows, columns }, .factor = 1 };
}

static um_status read_one(const char *path, const um_imageset_spec *s, um_array *x)
{
	return um_imageset_read(1, &path, s, x, NULL);
}

static double px(const um_array *a, int64_t i)
{
	return (double)((const float *)a->data)[i];
}

/* ---- idx ------------------------------------------------------------------------- */

static void idx_types(void)
{
	static const struct { unsigned char type; size_t size; unsigned char value[8]; double want, top; } t[] = {
		{ 0x08, 1, { 200 }, 200, 255 }, { 0x09, 1, { 200 }, -56, 127 }, { 0x0b, 2,
			{ 0xff, 0xfe }, -2, 32767 },
		{ 0x0c, 4, { 0xff, 0xff, 0xff, 0xfd }, -3, 2147483647 }, { 0x0d, 4, { 0xbf,
		0xc0 }, -1.5, 0 },
		{ 0x0e, 8, { 0x3f, 0xf4 }, 1.25, 0 },
	};
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		unsigned char b[64] = { 0, 0, t[i].type, 2, 0, 0, 0, 1, 0, 0, 0, 2 };
		um_array a;
		double top;
		memcpy(b + 12 + t[i].size, t[i].value, t[i].size);
		CHECK_OK(um_idx_read(put("one.idx", b, 12 + 2 * t[i].size), &a, &top));
		CHECK(a.rank == 2 && a.dim[0] == 1 && a.dim[1] == 2 && a.dtype == UM_F32);
		CHECK(px(&a, 0) == 0 && px(&a, 1) == t[i].want && top == t[i].top);
		um_array_free(&a);
	}
}

static void idx_packed(void)
{
	unsigned char b[16 + 600] = { 0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 10, 0, 0, 0, 10 };
	um_array a = { 0 };
	double top;
	for (int i = 0; i < 600; i++)
		b[16 + i] = (unsigned char)(i * 7);
	gzFile f = gzopen(at("one.gz"), "wb");
	CHECK_FATAL(gzwrite(f, b, sizeof(b)) == (int)sizeof(b) && gzclose(f) == Z_OK);
	CHECK_OK(um_idx_read(at("one.gz"), &a, &top));
	CHECK(a.rank == 3 && a.dim[0] == 6);
	for (int i = 0; i < 600; i++)
		CHECK(px(&a, i) == b[16 + i]);
	um_array_free(&a);
	unsigned char packed[1024];
	FILE *in = fopen(at("one.gz"), "rb");
	size_t n = fread(packed, 1, sizeof(packed), in);
	fclose(in);
	CHECK_FAILS(um_idx_read(put("cut.gz", packed, n / 2), &a, &top), UM_EDATA, "truncated or damaged");
	packed[n - 6] ^= 1;
	CHECK_FAILS(um_idx_read(put("sum.gz", packed, n), &a, &top), UM_EDATA, "sum.gz: ");
	CHECK(a.data == NULL);
}

static void idx_broken(void)
{
	static const unsigned char good[] = { 0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4, 5 };
	static const struct { const char *text; size_t n; unsigned char at, value; } t[] = {
		{ "not an idx file", 12, 1, 7 }, { "idx type 0x07", 12, 2, 7 }, { "idx with 0 "
			"axes", 12, 3, 0 },
		{ "idx with 9 axes", 12, 3, 9 }, { "is empty", 12, 7, 0 }, { "promises", 12, 4, 127 },
		{ "fewer numbers", 10, 0, 0 }, { "longer than", 13, 0, 0 }, { "truncated idx "
		"header", 6, 0, 0 },
		{ "not an idx file", 3, 0, 0 },
	};
	um_array a;
	double top;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		unsigned char b[sizeof(good)];
		memcpy(b, good, sizeof(b));
		b[t[i].at] = t[i].value;
		CHECK_FAILS(um_idx_read(put("bad.idx", b, t[i].n), &a, &top), UM_EDATA, t[i].text);
		CHECK(a.data == NULL && strstr(um_message(), "bad.idx") != NULL);
	}
	CHECK_FAILS(um_idx_read(at("none"), &a, &top), UM_EDATA, "No such file");
}

/* ---- PNG ------------------------------------------------------------------------- */

static const char *draw_png(const char *name, cairo_format_t format, const uint32_t v[4])
{
	cairo_surface_t *s = cairo_image_surface_create(format, 2, 2);
	unsigned char *p = cairo_image_surface_get_data(s);
	for (int i = 0; i < 4; i++)
		memcpy(p + i / 2 * cairo_image_surface_get_stride(s) + i % 2 * 4, &v[i], 4);
	cairo_surface_mark_dirty(s);
	CHECK_FATAL(cairo_surface_write_to_png(s, at(name)) == CAIRO_STATUS_SUCCESS);
	cairo_surface_destroy(s);
	return at(name);
}

static void png(void)
{
	static const uint32_t grey[4] = { 0, 0x0a0a0a, 0x808080, 0xffffff },
		clear[4] = { 0xff000000, 0x7f000000, 0, 0 };
	static const uint32_t colour[4] = { 0x112233, 0, 0, 0xff0000 };
	static const double want[4] = { 0, 10, 128, 255 };
	um_imageset_spec s = spec(1, 2, 2);
	um_array a;
	s.unit = true;
	CHECK_OK(read_one(draw_png("grey.png", CAIRO_FORMAT_RGB24, grey), &s, &a));
	for (int i = 0; i < 4; i++)
		CHECK_NEAR(px(&a, i), want[i] / 255, 1e-7);
	um_array_free(&a);
	const char *path = draw_png("colour.png", CAIRO_FORMAT_RGB24, colour);
	CHECK_FAILS(read_one(path, &s, &a), UM_EDATA, "a picture in colour");
	s = spec(3, 2, 2);
	CHECK_OK(read_one(path, &s, &a));
	CHECK(px(&a, 0) == 0x11 && px(&a, 4) == 0x22 && px(&a, 8) == 0x33 && px(&a, 3) == 255 &&
		px(&a, 7) == 0);
	um_array_free(&a);
	CHECK_FAILS(read_one(draw_png("clear.png", CAIRO_FORMAT_ARGB32, clear), &s, &a), UM_EDATA,
		"pixel [2, 1] is transparent");
	s = spec(2, 2, 2);
	CHECK_FAILS(read_one(path, &s, &a), UM_EDATA, "1 or 3 channels");
}

static void png_broken(void)
{
	static const uint32_t grey[4] = { 0 };
	unsigned char b[512];
	um_array a;
	FILE *f = fopen(draw_png("good.png", CAIRO_FORMAT_RGB24, grey), "rb");
	size_t n = fread(b, 1, sizeof(b), f);
	fclose(f);
	CHECK_FAILS(um_png_read(put("cut.png", b, n - 20), 1, &a), UM_EDATA, "damaged PNG");
	CHECK_FAILS(um_png_read(put("cut.png", b, 20), 1, &a), UM_EDATA, "not a PNG");
	b[24] = 16;
	CHECK_FAILS(um_png_read(put("deep.png", b, n), 1, &a), UM_EDATA, "PNG of 16 bits");
	b[24] = 8;
	b[17] = 0x40;
	b[21] = 0x40;
	CHECK_FAILS(um_png_read(put("huge.png", b, n), 1, &a), UM_EDATA, "truncated");
	CHECK(a.data == NULL);
}

/* ---- axes, sizes, units ---------------------------------------------------------- */

/* A .npy file of doubles 0, 1, 2, ... */
static const char *npy(const char *name, const char *shape, int n)
{
	static char b[1 << 16];
	int k = snprintf(b + 10, 200, "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }\n", shape);
	memcpy(b, "\x93NUMPY\1\0", 8);
	b[8] = (char)k;
	b[9] = 0;
	for (int i = 0; i < n; i++) {
		double v = i;
		memcpy(b + 10 + k + 8 * i, &v, 8);
	}
	return put(name, b, (size_t)(10 + k + 8 * n));
}

static void axes(void)
{
	um_array a;
	um_imageset_spec s = spec(1, 2, 3);
	CHECK_OK(read_one(npy("n.npy", "(4, 2, 3)", 24), &s, &a));
	CHECK(a.dim[0] == 4 && a.rank == 6 && px(&a, 23) == 23);
	um_array_free(&a);
	CHECK_OK(read_one(npy("n.npy", "(2, 3)", 6), &s, &a));
	CHECK(a.dim[0] == 1);
	um_array_free(&a);
	s = spec(2, 2, 3);
	CHECK_OK(read_one(npy("n.npy", "(2, 2, 2, 3)", 24), &s, &a));
	CHECK(a.dim[0] == 2 && a.dim[3] == 2);
	um_array_free(&a);
	CHECK_FAILS(read_one(npy("n.npy", "(3, 2, 3)", 18), &s, &a), UM_EDATA, "do not end in 2 channels");
	s = spec(1, 1, 5);
	CHECK_OK(read_one(npy("n.npy", "(3, 5)", 15), &s, &a));
	CHECK(a.dim[0] == 3 && px(&a, 5) == 5);
	um_array_free(&a);
	s = spec(1, 2, 3);
	CHECK_FAILS(read_one(npy("n.npy", "(6,)", 6), &s, &a), UM_EDATA, "one axis only");
	CHECK_FAILS(read_one(npy("n.npy", "(2, 3, 3)", 18), &s, &a), UM_EDATA, "images of 3 x 3 "
		"pixels, the pipeline's "
		"has 3 x 2: set size");
	CHECK_FAILS(read_one(put("n.txt", "some text", 9), &s, &a), UM_EDATA, "neither idx, npy, "
		"FITS nor PNG");
}

static void centre(void)
{
	um_array a;
	um_imageset_spec s = spec(1, 2, 6);
	s.fitting = UM_FIT_CENTRE;
	s.offset = 10;
	s.factor = 2;
	CHECK_OK(read_one(npy("n.npy", "(2, 4, 4)", 32), &s, &a)); /* rows 1 and 2, columns -1 .. 4 */
	for (int i = 0; i < 24; i++) {
		int image = i / 12, r = i % 12 / 6 + 1, c = i % 6 - 1;
		CHECK(px(&a, i) == 10 + (c < 0 || c > 3 ? 0 : 2 * (16 * image + 4 * r + c)));
	}
	um_array_free(&a);
}

static void average(void)
{
	um_array a;
	um_imageset_spec s = spec(1, 2, 2);
	s.fitting = UM_FIT_AVERAGE;
	CHECK_OK(read_one(npy("n.npy", "(4, 4)", 16), &s, &a)); /* means of 2 x 2 */
	CHECK(px(&a, 0) == 2.5 && px(&a, 1) == 4.5 && px(&a, 2) == 10.5 && px(&a, 3) == 12.5);
	um_array_free(&a);
	CHECK_OK(read_one(npy("n.npy", "(3, 3)", 9), &s,
		&a)); /* windows of 1.5: (0 + 1/2 + 3/2 + 4/4) / 2.25 */
	CHECK_NEAR(px(&a, 0), (0 + 0.5 * 1 + 0.5 * 3 + 0.25 * 4) / 2.25, 1e-6);
	CHECK_NEAR((px(&a, 0) + px(&a, 1) + px(&a, 2) + px(&a, 3)) / 4, 4, 1e-6);
	um_array_free(&a);
	CHECK_OK(read_one(npy("n.npy", "(2, 4)", 8), &s, &a)); /* the middle columns 1 and 2 */
	CHECK(px(&a, 0) == 1 && px(&a, 1) == 2 && px(&a, 2) == 5 && px(&a, 3) == 6);
	um_array_free(&a);
	s = spec(1, 7, 7);
	s.fitting = UM_FIT_AVERAGE;
	CHECK_OK(read_one(npy("n.npy", "(3, 3)", 9), &s, &a));
	double sum = 0;
	for (int i = 0; i < 49; i++)
		sum += px(&a, i) / 49;
	CHECK_NEAR(sum, 4, 1e-6);
	um_array_free(&a);
}

static void units(void)
{
	static const unsigned char idx[] = { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 51, 255 };
	um_array a;
	double top;
	um_imageset_spec s = spec(1, 1, 2);
	s.unit = true;
	s.factor = 2;
	s.offset = -1;
	const char *path = put("u.idx", idx, sizeof(idx)), *two[2];
	CHECK_OK(um_imageset_read(1, &path, &s, &a, &top));
	CHECK_NEAR(px(&a, 0), -0.6, 1e-6);
	CHECK_NEAR(px(&a, 1), 1, 1e-6);
	CHECK(top == 255);
	um_array_free(&a);
	CHECK_FAILS(read_one(npy("n.npy", "(1, 2)", 2), &s, &a), UM_EDATA, "values = \"unit\" is "
		"for integers");
	s.unit = false;
	two[0] = path;
	two[1] = at("n.npy");
	CHECK_OK(um_imageset_read(2, two, &s, &a, &top));
	CHECK(a.dim[0] == 2 && top == 0);
	um_array_free(&a);
}

static void not_finite(void)
{
	static const unsigned char idx[] = { 0, 0, 13, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xc0, 0, 0 };
	um_imageset_spec s = spec(1, 1, 2);
	um_array a;
	CHECK_FAILS(read_one(put("nan.idx", idx, sizeof(idx)), &s, &a), UM_EDATA, "image 2, "
		"pixel 2 is not a finite");
	s.factor = 1e39;
	CHECK_FAILS(read_one(npy("n.npy", "(1, 2)", 2), &s, &a), UM_EDATA, "too large after factor");
}

/* ---- folders --------------------------------------------------------------------- */

static void folders(void)
{
	um_array a, cube;
	um_imageset_spec s = spec(1, 2, 3);
	char path[128];
	snprintf(path, sizeof(path), "%s", at("many"));
	CHECK_FATAL(mkdir(path, 0777) == 0);
	CHECK_FAILS(read_one(path, &s, &a), UM_EDATA, "no images in this folder");
	CHECK_OK(um_array_new(&cube, UM_F64, 3, (const int64_t[]){ 2, 2, 3 }));
	for (int i = 0; i < 12; i++)
		((double *)cube.data)[i] = 100 + i;
	const um_sky sky = { .pixel = 1e-10 };
	CHECK_OK(um_fits_write(at("many/b.fits"), &(um_fits_file){ .data = &cube, .sky = &sky,
		.axis = { "SAMPLE" } }));
	npy("many/c.npy", "(2, 3)", 6);
	npy("many/a.npy", "(1, 2, 3)", 6);
	put("many/readme.txt", "no image", 8);
	put("many/.hidden.npy", "no image", 8);
	CHECK_OK(read_one(path, &s, &a));
	CHECK(a.dim[0] == 4);
	for (int i = 0; i < 24; i++) /* a.npy, the two of b.fits with rows as they were written, c.npy */
		CHECK(px(&a, i) == (i < 6 ? i : i < 18 ? 100 + i - 6 : i - 18));
	um_array_free(&a);
	s.most = 2;
	CHECK_OK(read_one(path, &s, &a));
	CHECK(a.dim[0] == 2 && px(&a, 11) == 105);
	um_array_free(&a);
	um_array_free(&cube);
}

static void digits(void)
{
	const char *data = check_data_dir();
	char path[4096];
	um_imageset_spec s = spec(1, 28, 28);
	um_array a;
	if (data == NULL)
		return;
	snprintf(path, sizeof(path), "%s/mnist/t10k-images-idx3-ubyte.gz", data);
	if (access(path, R_OK) != 0) {
		printf("SKIPPED: no %s\n", path);
		return;
	}
	CHECK_OK(read_one(path, &s, &a));
	CHECK(a.dim[0] == 10000);
	double sum = 0;
	for (int64_t i = 0; i < um_array_len(&a); i++)
		sum += px(&a, i);
	CHECK_NEAR(sum / (double)um_array_len(&a) / 255, 0.13251460584233693,
		1e-12); /* zcat and a sum in Python */
	um_array_free(&a);
	snprintf(path, sizeof(path), "%s/mnist/t10k-labels-idx1-ubyte.gz", data);
	CHECK_FAILS(read_one(path, &s, &a), UM_EDATA, "one axis only");
}

/* ---- one image as a truth ------------------------------------------------------------ */

static void truth(void)
{
	static const char text[] = "image = { pixels = [4, 4]; scale = 3.0; };"
		"forward = { f = { plugin = \"denoise\"; sigma = 1.0; }; };"
		"run = ( { stage = \"simulate\"; forward = \"f\"; truth = { files = \"three.idx\"; index = 2; values = \"unit\"; "
		"size = \"centre\"; factor = 2.0; offset = 1.0; }; } );";
	unsigned char b[16 + 12] = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2 };
	um_problems problems = { 0 };
	um_plan *plan = NULL;
	um_array x = { 0 };
	for (int i = 0; i < 12; i++)
		b[16 + i] = (unsigned char)(10 * i);
	put("three.idx", b, sizeof(b));
	CHECK_OK(um_plan_load(put("truth.cfg", text, sizeof(text) - 1), NULL, &problems, &plan));
	CHECK_FATAL(plan != NULL && problems.n == 0);
	CHECK_OK(um_truth_images(&plan->stage[0], &plan->env, &x));
	CHECK(x.dim[0] == 1 && um_array_len(&x) == 16);
	for (int i = 0; i < 16; i++) {
		const bool inside = i / 4 % 3 != 0 && i % 4 % 3 != 0;
		const int k = 8 + 2 * (i / 4 - 1) + i % 4 - 1;
		CHECK_NEAR(px(&x, i), inside ? 1 + 2 * 10 * k / 255.0 : 1, 1e-6);
	}
	um_array_free(&x);
	plan->stage[0].data.index = 1;
	plan->stage[0].set.count = 2;
	CHECK_OK(um_truth_images(&plan->stage[0], &plan->env, &x));
	CHECK(x.dim[0] == 2 && um_array_len(&x) == 32);
	CHECK_NEAR(px(&x, 16 + 5), 1 + 2 * 80 / 255.0, 1e-6);
	um_array_free(&x);
	plan->stage[0].data.index = 2;
	CHECK_FAILS(um_truth_images(&plan->stage[0], &plan->env, &x), UM_EDATA, "there is no image 3");
	um_plan_free(plan);
	um_problems_free(&problems);
}

/* ---- colours ------------------------------------------------------------------------------ */

/* Every channel is the ink times the grey image, frame by frame; inks follow from seed and number. */
static void colours(void)
{
	enum { IMAGES = 5, FRAMES = 2, PLANE = 6 };
	um_array grey, a, b, other;
	CHECK_OK(um_array_new(&grey, UM_F32, 6, (const int64_t[]){ IMAGES, FRAMES, 1, 1, 2, 3 }));
	for (int i = 0; i < IMAGES * FRAMES * PLANE; i++)
		((float *)grey.data)[i] = (float)(i % PLANE % 4) / 2; /* 0, 1/2, 1, 3/2, 0, 1/2 */
	CHECK_OK(um_imageset_paint(&grey, 7, &a));
	CHECK(a.rank == 6 && a.dim[0] == IMAGES && a.dim[1] == FRAMES && a.dim[3] == 3 && a.dim[5] == 3);
	for (int i = 0; i < IMAGES; i++) {
		const float *v = um_row_f(&a, i);
		float most = 0;
		for (int c = 0; c < 3; c++) {
			const float ink = v[c * PLANE + 2];
			CHECK(v[c * PLANE] == 0 && ink > 0 && ink <= 1);
			most = fmaxf(most, ink);
			CHECK_NEAR((double)v[c * PLANE + 1], (double)ink / 2, 1e-6);
			CHECK_NEAR((double)v[c * PLANE + 3], 1.5 * (double)ink, 1e-6);
			CHECK(memcmp(v + c * PLANE, v + (3 + c) * PLANE, PLANE * sizeof(float)) == 0);
			CHECK(i == 0 || ink == 1 || ink != um_row_f(&a, i - 1)[c * PLANE + 2]);
		}
		CHECK(most == 1);
	}
	const um_array last = um_array_rows(&grey, 0, 2);
	CHECK_OK(um_imageset_paint(&last, 7, &b));
	CHECK(memcmp(a.data, b.data, (size_t)um_array_len(&b) * sizeof(float)) == 0);
	CHECK_OK(um_imageset_paint(&last, 8, &other));
	CHECK(memcmp(other.data, b.data, (size_t)um_array_len(&b) * sizeof(float)) != 0);
	um_array_free(&grey);
	um_array_free(&a);
	um_array_free(&b);
	um_array_free(&other);
}

/* Image 2 of a file of grey images as a truth in red, green and blue. */
static void coloured_truth(void)
{
	static const char text[] = "image = { pixels = [2, 2]; channels = 3; };"
		"forward = { f = { plugin = \"denoise\"; sigma = 1.0; }; };"
		"run = ( { stage = \"simulate\"; forward = \"f\"; truth = { files = \"four.idx\"; index = 2; values = \"unit\"; "
		"colours = \"random\"; seed = 4; }; } );";
	const char *grey[] = { "image.channels=1", NULL }, *stored[] = { "run.[0].truth.colours=\"stored\"", NULL };
	unsigned char b[16 + 16] = { 0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 51, 0 };
	um_problems problems = { 0 };
	um_plan *plan = NULL;
	um_array x = { 0 };
	put("four.idx", b, sizeof(b));
	const char *path = put("colours.cfg", text, sizeof(text) - 1);
	CHECK_OK(um_plan_load(path, NULL, &problems, &plan));
	CHECK_FATAL(plan != NULL && problems.n == 0);
	CHECK_OK(um_truth_images(&plan->stage[0], &plan->env, &x));
	CHECK(um_array_len(&x) == 12);
	for (int c = 0; c < 3; c++) {
		CHECK(px(&x, 4 * c) == 0 && px(&x, 4 * c + 3) == 0 && px(&x, 4 * c + 1) > 0);
		CHECK_NEAR(px(&x, 4 * c + 2), 0.2 * px(&x, 4 * c + 1), 1e-6);
	}
	um_array_free(&x);
	um_plan_free(plan);
	CHECK_OK(um_plan_load(path, stored, &problems, &plan));
	CHECK_FAILS(um_truth_images(&plan->stage[0], &plan->env, &x), UM_EDATA, "paints grey images");
	um_plan_free(plan);
	CHECK(um_plan_load(path, grey, &problems, &plan) != UM_OK || problems.n == 1);
	CHECK(problems.n == 1 && strstr(problems.line[0], "image.channels = 3") != NULL);
	um_plan_free(plan);
	um_problems_free(&problems);
}

int main(void)
{
	const check_case cases[] = { CHECK_CASE(idx_types), CHECK_CASE(idx_packed), CHECK_CASE(idx_broken),
		CHECK_CASE(png), CHECK_CASE(png_broken), CHECK_CASE(axes), CHECK_CASE(centre),
		CHECK_CASE(average),
		CHECK_CASE(units), CHECK_CASE(not_finite), CHECK_CASE(folders), CHECK_CASE(truth),
		CHECK_CASE(colours), CHECK_CASE(coloured_truth),
		CHECK_CASE(digits) };
	strcpy(dir, "/tmp/umbra-imageset-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	int bad = check_run(__FILE__, cases, sizeof(cases) / sizeof(*cases));
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) != 0 || bad;
}
