/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures: colour maps as defined, whole PNG files of the expected size, equal bytes for equal
 * input, and shapes and numbers that are out of the ordinary. Cairo reads the files back. */
#include <cairo.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include "check.h"
#include "../../core/report/figure.h"
#include "../../core/report/plotdata.h"

/* fontconfig keeps its tables to the end, where the leak checker does not always see them. */
UM_API const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig";
}

static char folder[64];

/* libumbra.so has Cairo loaded; tests are not linked to it. */
static struct {
	cairo_surface_t *(*open)(const char *path);
	cairo_status_t (*status)(cairo_surface_t *s);
	int (*width)(cairo_surface_t *s);
	int (*stride)(cairo_surface_t *s);
	unsigned char *(*data)(cairo_surface_t *s);
	void (*close)(cairo_surface_t *s);
} png;

static void find(void *self, const char *name, void *function)
{
	void *f = dlsym(self, name);
	CU_ASSERT_FATAL(f != NULL);
	memcpy(function, &f, sizeof(f));
}

static void find_cairo(void)
{
	void *self = dlopen(NULL, RTLD_LAZY);
	CU_ASSERT_FATAL(self != NULL);
	find(self, "cairo_image_surface_create_from_png", &png.open);
	find(self, "cairo_surface_status", &png.status);
	find(self, "cairo_image_surface_get_width", &png.width);
	find(self, "cairo_image_surface_get_stride", &png.stride);
	find(self, "cairo_image_surface_get_data", &png.data);
	find(self, "cairo_surface_destroy", &png.close);
}

static const char *in(const char *name)
{
	static char path[2][160];
	static int turn;
	if (folder[0] == '\0') {
		strcpy(folder, "/tmp/umbra-figure-XXXXXX");
		CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
	}
	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static size_t slurp(const char *path, unsigned char **bytes)
{
	FILE *f = fopen(path, "rb");
	CU_ASSERT_FATAL(f != NULL);
	fseek(f, 0, SEEK_END);
	long n = ftell(f);
	rewind(f);
	*bytes = malloc((size_t)n + 1);
	CU_ASSERT_FATAL(fread(*bytes, 1, (size_t)n, f) == (size_t)n);
	fclose(f);
	return (size_t)n;
}

/* The drawn size; fails the test where the file is not a PNG that can be read back. */
static void size_of(const char *path, int *w, int *h)
{
	unsigned char *b;
	size_t n = slurp(path, &b);
	CHECK(n > 100 && memcmp(b, "\x89PNG\r\n\x1a\n", 8) == 0);
	CHECK(memcmp(b + n - 8, "IEND", 4) == 0);
	*w = b[18] << 8 | b[19];
	*h = b[22] << 8 | b[23];
	free(b);
	cairo_surface_t *s = png.open(path);
	CHECK(png.status(s) == CAIRO_STATUS_SUCCESS);
	CHECK(png.width(s) == *w);
	png.close(s);
	unlink(path);
}

/* 0xRRGGBB of one pixel. */
static uint32_t pixel_at(const char *path, int x, int y)
{
	cairo_surface_t *s = png.open(path);
	uint32_t v;
	memcpy(&v, png.data(s) + y * png.stride(s) + 4 * x, 4);
	png.close(s);
	return v & 0xffffff;
}

static void colour_maps(void)
{
	double c[3];
	for (int i = -2; i <= 12; i++) {
		double t = i / 10.0, u = t < 0 ? 0 : t > 1 ? 1 : t;
		um_cmap_rgb(UM_AFMHOT, t, c);
		CHECK_NEAR(c[0], fmin(2 * u, 1), 1e-15);
		CHECK_NEAR(c[1], fmin(fmax(2 * u - 0.5, 0), 1), 1e-15);
		CHECK_NEAR(c[2], fmin(fmax(2 * u - 1, 0), 1), 1e-15);
		um_cmap_rgb(UM_GREY, t, c);
		CHECK(c[0] == u && c[1] == u && c[2] == u);
		um_cmap_rgb(UM_DIVERGING, t, c);
		for (int k = 0; k < 3; k++)
			CHECK(c[k] >= 0 && c[k] <= 1);
		CHECK(i < 0 || i > 4 || c[2] > c[0]); /* blue below the middle */
		CHECK(i < 6 || c[0] > c[2]);
	}
	um_cmap_rgb(UM_DIVERGING, 0.5, c);
	CHECK(c[0] > 0.95 && fabs(c[0] - c[2]) < 1e-12);
	um_cmap_rgb(UM_AFMHOT, NAN, c);
	CHECK(c[0] == 0 && c[2] == 0);
}

/* Row 0 is on top and column 0 at the left; square pixels keep their exact colours. */
static void orientation(void)
{
	const double v[4] = { 0, 1, 0.5, 0.25 };
	const um_scale scale = { .map = UM_GREY };
	const um_panel p = { .data = v, .rows = 2, .columns = 2 };
	const char *path = in("corners.png");
	CHECK_OK(um_figure_write(path, &(um_figure){ .panels = &p, .npanels = 1, .scales = &scale,
		.nscales = 1 }));
	/* margin 18, 8 above the bar, two pixels of 180 a side */
	CHECK(pixel_at(path, 18, 26) == 0);
	CHECK(pixel_at(path, 18 + 359, 26) == 0xffffff);
	CHECK(pixel_at(path, 18 + 179, 26 + 359) == 0x808080);
	CHECK(pixel_at(path, 18 + 180, 26 + 180) == 0x404040);
	unlink(path);
}

static void shapes(void)
{
	static double v[3 * 700 * 40];
	static const struct {
		int rows, columns, channels;
		bool smooth;
	} cases[] = {
		{ 1, 1, 1, false }, { 1, 2, 1, false }, { 1, 500, 1, false }, { 37, 1, 1, true }, { 2, 2, 1, true },
		{ 28, 28, 1, false }, { 28, 28, 3, false }, { 33, 17, 3, true }, { 700, 40, 1, false },
		{ 40, 700, 1, true }, { 3, 700, 1, false }, { 257, 255, 1, true },
	};
	int w, h;
	for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
		int n = cases[k].rows * cases[k].columns * cases[k].channels;
		for (int i = 0; i < n; i++)
			v[i] = sin(0.1 * i) * (double)k;
		const um_scale scale = { .map = (um_cmap)(k % 3), .label = "Jy/pixel" };
		const um_panel p[2] = { { .title = "one", .data = v, .rows = cases[k].rows,
			.columns = cases[k].columns, .channels = cases[k].channels }, { .title = "nothing" } };
		const char *path = in("shape.png");
		for (int count = 1; count <= 2; count++) {
			CHECK_OK(um_figure_write(path, &(um_figure){ .title = "A figure", .panels = p,
				.npanels = count, .scales = &scale, .nscales = 1, .smooth = cases[k].smooth,
				.pixel = k % 2 ? 1e-11 : 0 }));
			size_of(path, &w, &h);
			CHECK(w >= 60 && h >= 60 && w <= 1700 && h <= 1700);
		}
	}
}

/* Nothing of this may bring Cairo to an error or a coordinate that is not a number. */
static void odd_numbers(void)
{
	static const double odd[][4] = {
		{ 0, 0, 0, 0 }, { 7, 7, 7, 7 }, { -1e300, 1e300, 0, 1 }, { NAN, NAN, NAN, NAN },
		{ NAN, 1, INFINITY, -INFINITY }, { 1e-320, 0, 0, 0 }, { 1, 1 + 1e-15, 1, 1 },
		{ -3, -2, -1, -1.5 }, { 1e149, -1e149, 0, 5 }, { 1e-149, 2e-149, 0, 0 },
	};
	int w, h;
	for (size_t k = 0; k < sizeof(odd) / sizeof(*odd); k++)
		for (int map = 0; map < 3; map++)
			for (int line = 0; line < 2; line++) {
				const um_scale scale = { .map = (um_cmap)map, .lo = line ? NAN : 0 };
				const um_panel p = { .data = odd[k], .rows = line ? 1 : 2, .columns = line ? 4 : 2,
					.lo = odd[k], .hi = odd[(k + 1) % 10] };
				const char *path = in("odd.png");
				CHECK_OK(um_figure_write(path, &(um_figure){ .panels = &p, .npanels = 1,
					.scales = &scale, .nscales = 1, .smooth = map == 1,
					.pixel = map == 2 ? INFINITY : 1e-300 }));
				size_of(path, &w, &h);
			}
	const um_scale grey = { .map = UM_GREY };
	const um_panel missing = { .data = odd[4], .rows = 2, .columns = 2 };
	const char *path = in("missing.png");
	CHECK_OK(um_figure_write(path, &(um_figure){ .panels = &missing, .npanels = 1, .scales = &grey,
		.nscales = 1 }));
	CHECK(pixel_at(path, 30, 40) == 0x9aa0a6);
	unlink(path);
}

static void hostile_titles(void)
{
	static char name[3000];
	memset(name, 'x', sizeof(name) - 1);
	const char *const titles[] = { "", "\xff\xfe\x80 bad bytes", "two\nlines", name, "\xe2\x82", "π√∞" };
	const double v[4] = { 1, 2, 3, 4 };
	int w, h;
	for (size_t k = 0; k < sizeof(titles) / sizeof(*titles); k++) {
		const um_scale scale = { .label = titles[k] };
		const um_panel p = { .title = titles[k], .data = v, .rows = 2, .columns = 2 };
		CHECK_OK(um_figure_write(in("t.png"), &(um_figure){ .title = titles[k], .panels = &p,
			.npanels = 1, .scales = &scale, .nscales = 1 }));
		size_of(in("t.png"), &w, &h);
		CHECK(w < 600);
	}
}

static void equal_bytes(void)
{
	double v[64];
	unsigned char *a, *b;
	for (int i = 0; i < 64; i++)
		v[i] = cos(i);
	const um_scale scale = { .label = "K" };
	const um_panel p = { .title = "same", .data = v, .rows = 8, .columns = 8 };
	const um_figure f = { .panels = &p, .npanels = 1, .scales = &scale, .nscales = 1, .smooth = true,
		.pixel = 1e-11 };
	CHECK_OK(um_figure_write(in("a.png"), &f));
	CHECK_OK(um_figure_write(in("b.png"), &f));
	size_t n = slurp(in("a.png"), &a), m = slurp(in("b.png"), &b);
	CHECK(n == m && memcmp(a, b, n) == 0);
	free(a);
	free(b);
	unlink(in("a.png"));
	unlink(in("b.png"));
}

static void refusals(void)
{
	const double v[8] = { 0 };
	const um_scale scale = { 0 };
	um_panel p = { .data = v, .rows = 2, .columns = 2, .channels = 2 };
	um_figure f = { .panels = &p, .npanels = 1, .scales = &scale, .nscales = 1 };
	CHECK_FAILS(um_figure_write(in("x.png"), &f), UM_EARG, "2 channels");
	p = (um_panel){ .data = v, .rows = 0, .columns = 2 };
	CHECK_FAILS(um_figure_write(in("x.png"), &f), UM_EARG, "empty");
	p = (um_panel){ .data = v, .rows = 2, .columns = 2, .scale = 1 };
	CHECK_FAILS(um_figure_write(in("x.png"), &f), UM_EARG, "scale");
	f.npanels = 0;
	CHECK_FAILS(um_figure_write(in("x.png"), &f), UM_EARG, "at least one panel");
	p.scale = 0;
	f.npanels = 1;
	CHECK_FAILS(um_figure_write("/nonexistent/x.png", &f), UM_EIO, "/nonexistent/x.png");
	CHECK(access(in("x.png"), F_OK) != 0);
}

/* The numbers of a plot come back as they were, and as few as a page has room for. */
static void numbers(const double *x, const double *sigma, int n)
{
	const char *label[1000];
	for (int i = 0; i < n; i++)
		label[i] = i % 2 ? "AA-LM" : "AA-\"SM\"";
	const um_plot p = { .title = "Amplitude", .n = n, .x = x, .y = x, .sigma = sigma, .inner_lo = x, .label = label };
	CHECK_OK(um_plot_numbers(in("p.json"), &p));
	json_t *j = json_load_file(in("p.json"), 0, NULL), *list = um_plots_read(folder, 1 << 20);
	CHECK_FATAL(j != NULL && json_array_size(list) == 1);
	const json_t *column = json_object_get(j, "x");
	CHECK(json_array_size(column) == (size_t)n && json_is_null(json_array_get(column, 4)));
	for (int i = 5; i < n; i++)
		CHECK_NEAR(json_number_value(json_array_get(column, (size_t)i)), x[i], 1e-5 * x[i]);
	CHECK(json_is_null(json_array_get(json_object_get(j, "sigma"), 5)) && json_object_get(j, "q50") == NULL);
	CHECK(json_equal(json_object_get(j, "x"), json_object_get(j, "q16")));
	CHECK(strcmp(json_string_value(json_array_get(json_object_get(j, "label"), 2)), "AA-\"SM\"") == 0);
	CHECK(json_array_size(json_object_get(json_array_get(list, 0), "names")) == 2);
	json_decref(list);
	list = um_plots_read(folder, 5000);
	const json_t *some = json_array_get(list, 0);
	const size_t kept = json_array_size(json_object_get(some, "x"));
	CHECK(kept >= 50 && kept < (size_t)n && json_integer_value(json_object_get(some, "of")) == n);
	CHECK(kept == json_array_size(json_object_get(some, "label")));
	json_decref(list);
	list = um_plots_read(folder, 100);
	CHECK(json_array_size(list) == 0);
	json_decref(list);
	json_decref(j);
	unlink(in("p.json"));
}

static void plots(void)
{
	enum { N = 700 };
	static double x[N], y[N], s[N], lo[N], mid[N], hi[N];
	int w, h;
	for (int i = 0; i < N; i++) {
		x[i] = fmod(i * 0.618, 8);
		mid[i] = exp(-x[i]);
		lo[i] = 0.9 * mid[i];
		hi[i] = 1.2 * mid[i];
		y[i] = i % 50 ? mid[i] * 1.1 : -0.1;
		s[i] = 0.05;
	}
	y[3] = x[4] = s[5] = lo[6] = mid[7] = NAN;
	hi[8] = INFINITY;
	static const int count[] = { 0, 1, 2, 30, 400, N };
	for (size_t k = 0; k < sizeof(count) / sizeof(*count); k++)
		for (int style = 0; style < 16; style++) {
			const um_plot p = { "amp", "Amplitude", "baseline (Gλ)", style & 2 ? NULL : "Jy", count[k],
				x, y, style & 2 ? NULL : s, style & 4 ? NULL : lo, style & 4 ? NULL : mid,
				style & 4 ? NULL : hi, style & 1, style & 8,
				style & 4 ? NULL : y, style & 4 ? NULL : hi, NULL };
			CHECK_OK(um_plot_write(in("p.png"), &p));
			size_of(in("p.png"), &w, &h);
			CHECK(style & 8 ? w == 672 && h == 676 : w == 860 && h == 500);
		}
	for (int i = 0; i < N; i++)
		y[i] = -1;
	const um_plot negative = { .n = N, .x = x, .y = y, .log_y = true };
	CHECK_OK(um_plot_write(in("p.png"), &negative));
	unlink(in("p.png"));
	numbers(x, s, N);
	const um_plot none = { .n = 3 };
	CHECK_FAILS(um_plot_write(in("p.png"), &none), UM_EARG, "needs x and y");
}

static void posterior(void)
{
	static const int64_t shapes_[][6] = {
		{ 20, 1, 1, 1, 8, 8 }, { 3, 1, 1, 3, 6, 5 }, { 1, 4, 2, 1, 5, 5 }, { 5, 1, 1, 1, 1, 40 },
	};
	static float v[20 * 200];
	int w, h;
	for (int i = 0; i < 20 * 200; i++)
		v[i] = (float)fabs(sin(0.3 * i));
	for (size_t k = 0; k < sizeof(shapes_) / sizeof(*shapes_); k++) {
		um_array s = um_array_view(v, UM_F32, 6, shapes_[k]);
		um_array t = um_array_view(v, UM_F32, 5, shapes_[k] + 1);
		CHECK_OK(um_figure_posterior(folder, &s, k == 2 ? NULL : &t, k == 0 ? 1e-11 : 0, NULL, "Jy/pixel"));
		CHECK((access(in("truth.png"), F_OK) == 0) == (k != 2));
		static const char *const files[] = { "mean.png", "std.png", "samples.png" };
		const bool spread = shapes_[k][0] > 1;
		for (int i = 0; i < (spread ? 3 : 1); i++)
			size_of(in(files[i]), &w, &h);
		CHECK(spread || (access(in("std.png"), F_OK) != 0 && access(in("samples.png"), F_OK) != 0));
		unlink(in("truth.png"));
	}
	um_array s = um_array_view(v, UM_F32, 3, (const int64_t[]){ 2, 3, 3 });
	um_array t = um_array_view(v, UM_F32, 1, (const int64_t[]){ 8 });
	CHECK_FAILS(um_figure_posterior(folder, &s, &t, 0, NULL, NULL), UM_EARG, "8 pixels");
}

static void clean_up(void)
{
	CHECK(rmdir(folder) == 0); /* also: no temporary files were left */
}

CHECK_MAIN(CHECK_CASE(find_cairo), CHECK_CASE(colour_maps), CHECK_CASE(orientation), CHECK_CASE(shapes), CHECK_CASE(odd_numbers),
	CHECK_CASE(hostile_titles), CHECK_CASE(equal_bytes), CHECK_CASE(refusals), CHECK_CASE(plots),
	CHECK_CASE(posterior), CHECK_CASE(clean_up))
