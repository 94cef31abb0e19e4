/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report and the comparison of run directories that are made here: complete ones, nearly
 * empty ones, and ones whose files were written to do harm. */
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <umbra/fits.h>
#include <umbra/rng.h>
#include "check.h"
#include "../../core/report/compare.h"
#include "../../core/report/figure.h"
#include "../../core/report/report.h"
#include "../../core/report/viewer.h"

/* fontconfig keeps its tables to the end, where the leak checker does not always see them. */
UM_API const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig";
}

static char dir[64];

/* A path below the run directory; three may be in use at once. */
static const char *in(const char *name)
{
	static char path[3][256];
	static int turn;
	turn = (turn + 1) % 3;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in(name), "wb");
	CU_ASSERT_FATAL(f != NULL);
	fputs(text, f);
	fclose(f);
}

static char *get(const char *name)
{
	FILE *f = fopen(in(name), "rb");
	CU_ASSERT_FATAL(f != NULL);
	fseek(f, 0, SEEK_END);
	long n = ftell(f);
	rewind(f);
	char *s = calloc(1, (size_t)n + 1);
	CU_ASSERT_FATAL(fread(s, 1, (size_t)n, f) == (size_t)n);
	fclose(f);
	return s;
}

static void make(const char *name)
{
	CU_ASSERT_FATAL(mkdir(in(name), 0777) == 0);
}

static void begin(void)
{
	strcpy(dir, "/tmp/umbra-report-XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
}

static void end(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -r %s", dir);
	CHECK(system(command) == 0);
}

/* Counts a text in another one. */
static int times(const char *s, const char *what)
{
	int n = 0;
	for (; (s = strstr(s, what)) != NULL; s += strlen(what))
		n++;
	return n;
}

static void put_image(const char *name, int rows, int columns, double height)
{
	um_array a;
	CHECK_OK(um_array_new(&a, UM_F64, 2, (const int64_t[]){ rows, columns }));
	for (int i = 0; i < rows * columns; i++)
		((double *)a.data)[i] = height * (i % columns) / columns;
	const um_sky sky = { .pixel = 1e-11 };
	CHECK_OK(um_fits_write(in(name), &(um_fits_file){ .data = &a, .sky = &sky, .bunit = "Jy/pixel" }));
	um_array_free(&a);
}

static void put_picture(const char *name)
{
	const double v[4] = { 1, 2, 3, 4 };
	const um_scale scale = { 0 };
	const um_panel p = { .data = v, .rows = 2, .columns = 2 };
	CHECK_OK(um_figure_write(in(name), &(um_figure){ .panels = &p, .npanels = 1, .scales = &scale,
		.nscales = 1 }));
}

/* Two cells that are done, one that failed. */
static void put_run(void)
{
	put("run.json", "{\"umbra\": \"0.1.0\", \"seed\": 7, \"inputs\": {\"a.uvfits\": \"00ff\"}, \"cells\": {"
		"\"eht/tv+dpi\": {\"status\": \"done\", \"reason\": null},"
		"\"eht/l1+dpi\": {\"status\": \"done\", \"reason\": null},"
		"\"eht/both+dpi\": {\"status\": \"failed\", \"reason\": \"step 3: the loss is not finite\"}}}");
	put("pipeline.cfg", "title = \"A ring & two priors\";\nseed = 7;\n");
	make("eht");
	make("eht/tv+dpi");
	make("eht/l1+dpi");
	make("eht/tv+dpi/figures");
	put("eht/tv+dpi/metrics.json", "{\"seconds\": 1.5, \"samples\": 64, \"chi2_vis_mean\": 1.0625,"
		"\"psnr_mean\": 21.5, \"nrmse\": 0.1, \"lost\": null}");
	put("eht/l1+dpi/metrics.json", "{\"seconds\": 12, \"samples\": 64, \"chi2_vis_mean\": -0.25,"
		"\"psnr_mean\": null, \"nrmse\": 0.30000000000000004, \"my_metric\": 3}");
	put("eht/tv+dpi/trace.csv", "step,loss,lr\n0,1000,1e-3\n1,100,\n2,nan,1e-3\n3,1,2e-3\n");
	put("eht/tv+dpi/triangles.csv", "triangle,n,chi2,note\nAA-JC-PV,3,3.105,<i>\r\n\nAA-AZ-LM,13,,x\n"
		"\"AZ-LM-PV, \"\"late\"\"\",4,\"1.5\",5\" disc\n\"two\r\nlines\",6,\"\",\"\"\n\"open,7\n");
	put("eht/tv+dpi/empty.csv", "nothing,below\n");
	put_picture("eht/tv+dpi/figures/std.png");
	put_picture("eht/tv+dpi/figures/mean.png");
	put_picture("eht/tv+dpi/figures/a_curve.png");
}

static void report(void)
{
	begin();
	put_run();
	CHECK_OK(um_report_write(dir));
	char *s = get("report.html");
	CHECK(strncmp(s, "<!DOCTYPE html>", 15) == 0);
	CHECK(strstr(s, "<title>A ring &amp; two priors</title>") != NULL);
	CHECK(strstr(s, "3 cells: 2 done, 1 failed") != NULL);
	CHECK(strstr(s, "step 3: the loss is not finite") != NULL);
	/* columns: fit, truth, others, cost; the one that nobody has a number for is left out */
	const char *chi2 = strstr(s, "χ² vis"), *psnr = strstr(s, ">PSNR<"), *own = strstr(s, "my_metric");
	const char *samples = strstr(s, ">Samples<");
	CHECK(chi2 && psnr && own && samples && chi2 < psnr && psnr < own && own < samples);
	CHECK(strstr(s, "lost") == NULL);
	CHECK(strstr(s, "<td>1.062</td>") != NULL);
	CHECK(strstr(s, "<td>−0.25</td>") != NULL);
	CHECK(strstr(s, "<td class=\"best\">0.1</td>") != NULL);
	CHECK(times(s, "<td class=\"none\">–</td>") == 1 + 1 + 6); /* psnr, my_metric, the failed cell */
	/* pictures: known ones first */
	const char *mean = strstr(s, "alt=\"eht/tv+dpi: Posterior mean\" src=\"data:image/png;base64,iVBORw0K");
	const char *std = strstr(s, "alt=\"eht/tv+dpi: Posterior standard"), *curve = strstr(s, "a_curve");
	CHECK(mean && std && curve && mean < std && std < curve);
	CHECK(times(s, "<img ") == 3);
	CHECK(times(s, "<svg ") == 2 && times(s, "log scale") == 1);
	CHECK(strstr(s, " nan") == NULL && strstr(s, ">nan") == NULL);
	CHECK(strstr(s, "<th scope=\"row\">inputs.a.uvfits</th><td>00ff</td>") != NULL);
	CHECK(strstr(s, "seed = 7;") != NULL);
	/* tables of the cell: as they are, escaped; the trace and what has no rows are not among them */
	CHECK(strstr(s, "<summary>triangles.csv</summary>") != NULL && times(s, "class=\"sheet\"") == 1);
	CHECK(strstr(s, "<tr><th scope=\"row\">AA-JC-PV</th><td>3</td><td>3.105</td>"
		"<td class=\"text\">&lt;i&gt;</td></tr>\n<tr><th scope=\"row\">AA-AZ-LM</th><td>13</td><td></td>") != NULL);
	CHECK(strstr(s, "<th scope=\"row\">AZ-LM-PV, &quot;late&quot;</th><td>4</td><td>1.5</td><td class=\"text\">5&quot; disc</td></tr>\n"
		"<tr><th scope=\"row\">two") != NULL);
	CHECK(strstr(s, "lines</th><td>6</td><td></td><td></td></tr>\n<tr><th scope=\"row\">open,7\n</th></tr>\n</tbody>") != NULL);
	/* one script, which the page's policy knows by its hash, and no way to a network */
	CHECK(times(s, "<script") == 1 && strstr(s, "http://") == NULL && strstr(s, "https://") == NULL);
	CHECK(strstr(s, "content=\"default-src 'none'; img-src data:; style-src 'sha256-") != NULL);
	CHECK(times(s, "unsafe") == 0);
	free(s);
	char *again = get("report.html");
	CHECK_OK(um_report_write(dir)); /* a second report replaces the first */
	s = get("report.html");
	CHECK(strcmp(s, again) == 0);
	free(again);
	free(s);
	end();
}

static void nearly_empty(void)
{
	begin();
	CHECK_FAILS(um_report_write(dir), UM_EDATA, "no run.json");
	CHECK_FAILS(um_compare_write(dir, NULL), UM_EDATA, "no run.json");
	put("run.json", "{}");
	CHECK_OK(um_report_write(dir));
	char *s = get("report.html");
	CHECK(strstr(s, "<title>umbra-report-") != NULL && strstr(s, "no inference cells") != NULL);
	free(s);
	CHECK_OK(um_compare_write(dir, NULL));
	s = get("compare/metrics.csv");
	CHECK(strcmp(s, "cell\n") == 0 && access(in("compare/comparison.png"), F_OK) != 0);
	free(s);
	static const char *const broken[] = { "", "{", "[1, 2]", "3", "{\"cells\": NaN}", "\xff\xfe" };
	for (size_t k = 0; k < sizeof(broken) / sizeof(*broken); k++) {
		put("run.json", broken[k]);
		CHECK_FAILS(um_report_write(dir), UM_EDATA, "run.json:");
	}
	static const char *const strange[] = {
		"{\"cells\": 3}", "{\"title\": \"\", \"cells\": []}",
		"{\"cells\": {\"a/b\": 3, \"\": {}, \"c\": {\"status\": 4, \"reason\": []}}}",
	};
	for (size_t k = 0; k < sizeof(strange) / sizeof(*strange); k++) {
		put("run.json", strange[k]);
		CHECK_OK(um_report_write(dir));
		CHECK_OK(um_compare_write(dir, NULL));
	}
	end();
	CHECK_FAILS(um_report_write(dir), UM_EDATA, dir);
}

static void hostile_text(void)
{
	begin();
	put("run.json", "{\"title\": \"</title><script>alert(1)</script>\", \"<b>k\": \"<img src=x onerror=y>\","
		"\"deep\": {\"a\": {\"b\": [1, \"<i>\"]}}, \"cells\": {"
		"\"a/\\\"><script>\": {\"status\": \"done\\\" onload=\\\"x\", \"reason\": \"<script>2\\u0007</script>\"},"
		"\"f,\\\"\": {\"status\": \"done\"}}}");
	put("pipeline.cfg", "title = </pre><script>3</script> '\" & \xff\xc3(\n");
	make("f,\"");
	make("f,\"/figures");
	put("f,\"/metrics.json", "{\"<script>m\": 1, \"text\": \"<script>v\", \"yes\": true, \"list\": [1]}");
	put("f,\"/trace.csv", "step,<script>t\n1,2\n2,4,5,6\n,,\nx\n");
	put("f,\"/figures/not.png", "this is no picture");
	put_picture("f,\"/figures/\"><script>.png");
	put("f,\"/figures/p.json", "{\"title\": \"</script><script>4\xe2\x80\xa8\", \"x\": [1], \"y\": [2], \"label\": [\"<!--\"]}");
	put("f,\"/figures/q.json", "not JSON");
	make("calibrate");
	make("calibrate/<script>");
	put("calibrate/<script>/verdict.json", "{\"verdict\": \"<script>\", \"reasons\": [\"<script>5\", 6], \"n\": 7}");
	put("calibrate/<script>/<script>.csv", "x,<script>6\n0,1\n1,2\n");
	CHECK_OK(um_report_write(dir));
	char *s = get("report.html");
	CHECK(times(s, "<script") == 2 && times(s, "<script>") == 1 && times(s, "</script>") == 2);
	CHECK(strstr(s, "\\u003c/script\\u003e\\u003cscript\\u003e4\\u2028") != NULL && strstr(s, "<!--") == NULL);
	CHECK(strstr(s, "&lt;script&gt;5") != NULL && strstr(s, "&lt;script&gt;6</span>") != NULL);
	CHECK( strstr(s, "<img src=x") == NULL && strstr(s, "<i>") == NULL);
	CHECK(strstr(s, "onload=\"") == NULL && times(s, "</pre>") == 1);
	CHECK(times(s, "</title>") == 2 && times(s, "<img ") == 1); /* the page's and a curve's */
	CHECK(strstr(s, "\xff") == NULL && strstr(s, "\x07") == NULL && strstr(s, "\xef\xbf\xbd") != NULL);
	CHECK(strstr(s, "&lt;script&gt;t") != NULL && strstr(s, "<td>yes</td>") != NULL);
	free(s);
	CHECK_OK(um_compare_write(dir, NULL));
	s = get("compare/metrics.csv");
	CHECK(strcmp(s, "cell,<script>m,list,text,yes\n\"f,\"\"\",1,,<script>v,true\n") == 0);
	free(s);
	end();
}

/* A run.json that names files outside of its directory gets none of them. */
static void no_way_out(void)
{
	char text[512], outside[64];
	begin();
	make("secret");
	make("secret/figures");
	put_picture("secret/figures/mean.png");
	put("secret/metrics.json", "{\"password\": 1234}");
	make("run");
	strcpy(outside, dir);
	snprintf(text, sizeof(text), "{\"cells\": {\"../secret\": {\"status\": \"done\"}, \"a/../../secret\":"
		"{\"status\": \"done\"}, \"%s/secret\": {\"status\": \"done\"}, \".\": {}, \"x//y\": {}}}", dir);
	put("run/run.json", text);
	strcat(dir, "/run");
	make("a");
	CHECK_OK(um_report_write(dir));
	char *s = get("report.html");
	CHECK(strstr(s, "password") == NULL && strstr(s, "<img ") == NULL);
	free(s);
	CHECK_OK(um_compare_write(dir, NULL));
	s = get("compare/metrics.csv");
	CHECK(strstr(s, "1234") == NULL);
	free(s);
	strcpy(dir, outside);
	end();
}

static void comparison(void)
{
	begin();
	put_run();
	make("simulate");
	make("simulate/eht");
	put_image("simulate/eht/truth.fits", 12, 12, 2);
	put_image("eht/tv+dpi/mean.fits", 12, 12, 1);
	put_image("eht/tv+dpi/std.fits", 12, 12, 0.1);
	put_image("eht/l1+dpi/mean.fits", 12, 12, 1.5);
	CHECK_OK(um_compare_write(dir, NULL));
	char *s = get("compare/metrics.csv");
	CHECK(strcmp(s, "cell,chi2_vis_mean,psnr_mean,nrmse,lost,my_metric,samples,seconds\n"
		"eht/tv+dpi,1.0625,21.5,0.1,,,64,1.5\neht/l1+dpi,-0.25,,0.30000000000000004,,3,64,12\n") == 0);
	free(s);
	s = get("compare/comparison.png");
	CHECK(memcmp(s, "\x89PNG\r\n\x1a\n", 8) == 0);
	unsigned char *b = (unsigned char *)s;
	int w = b[18] << 8 | b[19], h = b[22] << 8 | b[23];
	CHECK(w > 3 * 256 && w < 1400 && h > 2 * 256 && h < 900); /* truth and two cells, two rows */
	free(s);
	CHECK_OK(um_report_write(dir));
	s = get("report.html");
	CHECK(strstr(s, "<h2>Comparison</h2>") != NULL && times(s, "<img ") == 4);
	free(s);
	put("eht/l1+dpi/std.fits", "not FITS");
	CHECK_OK(um_compare_write(dir, NULL)); /* left out, with a warning */
	end();
}

/* A cube [samples][rows][columns] of a ramp that grows with the sample. */
static void put_cube(const char *name, int samples, int rows, int columns)
{
	um_array a;
	const um_sky sky = { .pixel = 1e-11 };
	CHECK_OK(um_array_new(&a, UM_F32, 3, (const int64_t[]){ samples, rows, columns }));
	for (int64_t i = 0; i < um_array_len(&a); i++)
		((float *)a.data)[i] = (float)(i % columns + 1) * (float)(1 + i / (rows * columns));
	CHECK_OK(um_fits_write(in(name), &(um_fits_file){ .data = &a, .sky = &sky, .bunit = "Jy/pixel", .axis = { "SAMPLE" } }));
	um_array_free(&a);
}

static int letter(char c)
{
	static const char code[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	return (int)(strchr(code, c) - code);
}

/* Number i of an image set, as a script reads it. */
static double decoded(const json_t *set, int i, int bytes)
{
	const char *s = json_string_value(json_object_get(set, "data"));
	double lo = json_number_value(json_object_get(set, "lo")), hi = json_number_value(json_object_get(set, "hi"));
	int q = 0;
	for (int k = bytes - 1; k >= 0; k--) {
		int bit = 8 * (bytes * i + k), at = bit / 6, shift = bit % 6;
		int two = letter(s[at]) << 6 | (s[at + 1] == '=' ? 0 : letter(s[at + 1]));
		q = q << 8 | (two >> (4 - shift) & 255);
	}
	double t = q / (bytes == 1 ? 255.0 : 65535.0);
	return lo + (hi - lo) * t * t;
}

/* Images are quantised so that they come back, and thinned to the room that there is. */
static void viewer(void)
{
	enum { N = 40 };
	begin();
	put_image("mean.fits", N, N, 3);
	put_image("std.fits", N, N, 1);
	put_cube("samples.fits", 10, N, N);
	json_t *j = um_viewer_images(dir, "mean.fits", "std.fits", "samples.fits", 1 << 20);
	CHECK_FATAL(j != NULL);
	CHECK(json_integer_value(json_object_get(j, "shown")) == 10 && json_integer_value(json_object_get(j, "block")) == 1);
	CHECK_REL(json_number_value(json_object_get(j, "uas")), 1e-11 * 206264806247.096, 1e-6);
	const json_t *mean = json_object_get(j, "mean"), *draws = json_object_get(j, "draws");
	for (int i = 0; i < N * N; i++) {
		CHECK_NEAR(decoded(mean, i, 2), 3.0 * (i % N) / N, 1e-4);
		CHECK_NEAR(decoded(draws, 7 * N * N + i, 1), 8.0 * (i % N + 1), 0.005 * 400);
	}
	json_decref(j);
	/* half the room for mean and deviation: blocks of 2, then what is left for samples */
	j = um_viewer_images(dir, "mean.fits", "std.fits", "samples.fits", 6400);
	CHECK_FATAL(j != NULL);
	CHECK(json_integer_value(json_object_get(j, "block")) == 2 && json_integer_value(json_object_get(j, "rows")) == N / 2);
	CHECK(json_integer_value(json_object_get(j, "samples")) == 10 && json_integer_value(json_object_get(j, "shown")) == 7);
	CHECK_NEAR(decoded(json_object_get(j, "mean"), 3, 2), 3.0 * 6.5 / N, 1e-4);
	CHECK_NEAR(decoded(json_object_get(j, "sd"), 3, 2), sqrt((36 + 49) / 2.0) / N, 1e-4);
	char *s = json_dumps(j, JSON_COMPACT);
	CHECK(strlen(s) <= 6400);
	free(s);
	json_decref(j);
	CHECK(um_viewer_images(dir, "mean.fits", "std.fits", "samples.fits", 100) == NULL);
	CHECK(um_viewer_images(dir, "none.fits", NULL, NULL, 1 << 20) == NULL);
	end();
}

static void put_noise(const char *name)
{
	enum { N = 300 };
	double *v = malloc(sizeof(*v) * N * N);
	um_rng r = um_rng_new(1, "noise", 0);
	for (int i = 0; i < N * N; i++)
		v[i] = um_uniform(&r);
	const um_scale scale = { 0 };
	const um_panel p = { .data = v, .rows = N, .columns = N };
	CHECK_OK(um_figure_write(in(name), &(um_figure){ .panels = &p, .npanels = 1, .scales = &scale, .nscales = 1 }));
	free(v);
}

/* Whatever the run, the page stays below 5 MB and says what it left out. */
static void many_cells(void)
{
	enum { CELLS = 250 };
	static const char *const file[] = { "mean.fits", "samples.fits", "std.fits", "figures/mean.png", "figures/std.png" };
	char name[64];
	begin();
	put_noise("mean.png");
	put_image("mean.fits", 64, 64, 3);
	put_cube("samples.fits", 20, 64, 64);
	FILE *f = fopen(in("run.json"), "w");
	fprintf(f, "{\"cells\": {");
	for (int i = 0; i < CELLS; i++) {
		fprintf(f, "%s\"c%d\": {\"status\": \"done\", \"reason\": null}", i > 0 ? "," : "", i);
		snprintf(name, sizeof(name), "c%d", i);
		make(name);
		snprintf(name, sizeof(name), "c%d/figures", i);
		make(name);
		for (int k = 0; k < 5; k++) {
			snprintf(name, sizeof(name), "c%d/%s", i, file[k]);
			CHECK(link(in(k < 2 ? file[k] : k == 2 ? "mean.fits" : "mean.png"), in(name)) == 0);
		}
	}
	fprintf(f, "}}");
	fclose(f);
	CHECK_OK(um_report_write(dir));
	char *s = get("report.html");
	CHECK(strlen(s) < 5000000 && strlen(s) > 1000000);
	CHECK(times(s, "class=\"data\">{") == 200 && strstr(s, "Left in the folder to keep this page small: ") != NULL);
	CHECK(strstr(s, "50 more cells") != NULL && strstr(s, "id=\"cell-200\"") != NULL);
	free(s);
	end();
}

/* Curves of a calibration, drawn without a script. */
static void calibration(void)
{
	begin();
	put("run.json", "{}");
	make("calibrate");
	make("calibrate/eht");
	make("calibrate/eht/tv+dpi");
	put("calibrate/eht/tv+dpi/verdict.json", "{\"verdict\": \"FAIL\", \"reason\": \"too narrow\", \"replicates\": 64}");
	put("calibrate/eht/tv+dpi/ranks.csv", "rank,flux,lower,upper\n0,4,1,7\n1,9,1,7\n2,3,1,7\n");
	put("calibrate/eht/tv+dpi/coverage.csv", "level,mean,ideal\n0,0,0\n0.5,0.3,0.5\n1,1,1\n");
	put("calibrate/eht/tv+dpi/empty.csv", "x\n1\n");
	CHECK_OK(um_report_write(dir));
	char *s = get("report.html");
	CHECK(strstr(s, "<h2>Calibration</h2>") != NULL && strstr(s, "<h3>eht/tv+dpi<span class=\"badge failed\">FAIL</span></h3>") != NULL);
	CHECK(strstr(s, "too narrow") != NULL && times(s, "<figure class=\"curves\">") == 2);
	CHECK(times(s, "<path class=\"band\"") == 1 && times(s, "<path class=\"curve c0\"") == 2);
	CHECK(times(s, "<path class=\"dashed\"") == 1);
	CHECK(strstr(s, "replicates</th><td>64") != NULL && strstr(s, " nan") == NULL && strstr(s, ">nan") == NULL);
	free(s);
	end();
}

CHECK_MAIN(CHECK_CASE(report), CHECK_CASE(nearly_empty), CHECK_CASE(hostile_text),
	CHECK_CASE(no_way_out), CHECK_CASE(comparison), CHECK_CASE(viewer), CHECK_CASE(many_cells), CHECK_CASE(calibration))
