/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables of stations: our own, those of eht-imaging, and text that is none. */
#include <umbra/rng.h>
#include <umbra/stations.h>
#include "check.h"

static const char *spill(const char *text, size_t n)
{
	static char path[64];
	snprintf(path, sizeof(path), "/tmp/umbra-stations-%ld.txt", (long)getpid());
	FILE *f = fopen(path, "wb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CHECK(fwrite(text, 1, n, f) == n);
	fclose(f);
	return path;
}

#define AA "AA 2225060.8 -5440059.6 -2481681.2 74\n"
#define PV "PV\t5088967.7 -301681.2 3825012.2 1900 2000 # Spain\r\n"

static void layout(void)
{
	static const char text[] = "# names\n\n  " PV AA "SP 0.01 0.01 -6359609.7 0 0 1 0 0 0 0 0 0 # last";
	um_stations a;
	CHECK_OK(um_stations_read(spill(text, sizeof(text) - 1), &a));
	CU_ASSERT_EQUAL_FATAL(a.n, 3);
	CHECK(strcmp(a.s[0].name, "PV") == 0 && a.s[0].sefd[0] == 1900 && a.s[0].sefd[1] == 2000);
	CHECK(a.s[1].xyz[0] == 2225060.8 && a.s[1].sefd[1] == 74);
	CHECK(a.s[2].xyz[2] == -6359609.7 && a.s[2].sefd[0] == 0);
	um_stations_free(&a);
	um_stations_free(&a);
}

static void own_tables(void)
{
	static const struct { const char *path; int n; } files[] = {
		{ "share/arrays/EHT2017.txt", 8 }, { "share/arrays/EHT2022.txt", 11 },
	};
	for (int k = 0; k < 2; k++) {
		um_stations a;
		CHECK_OK(um_stations_read(files[k].path, &a));
		CHECK(a.n == files[k].n && strcmp(a.s[0].name, "AA") == 0);
		for (int i = 0; i < a.n; i++)
			CHECK(a.s[i].sefd[0] > 50 && a.s[i].sefd[1] < 2e4);
		um_stations_free(&a);
	}
}

/* Our names and places are those of the antenna table of released data. */
static void released_data(void)
{
	const char *dir = check_data_dir();
	char path[1024];
	um_uvdata d;
	um_stations a;
	if (dir == NULL)
		return;
	snprintf(path, sizeof(path), "%s/eht/SR1_M87_2017_095_lo_hops_netcal_StokesI.uvfits", dir);
	CHECK_OK(um_uvfits_read(path, &d));
	CHECK_OK(um_stations_read("share/arrays/EHT2017.txt", &a));
	for (int i = 0; i < a.n; i++) {
		int k = um_uvdata_station(&d, a.s[i].name);
		for (int c = 0; k >= 0 && c < 3; c++)
			CHECK_NEAR(d.stations[k].xyz[c], a.s[i].xyz[c], 1e-5);
		CHECK(k >= 0 || strcmp(a.s[i].name, "SP") == 0);
	}
	um_stations_free(&a);
	um_uvdata_free(&d);
}

static void eht_imaging(void)
{
	static const struct { const char *name; int n; double left; } files[] = {
		{ "EHT2017", 8, 4900 }, { "EHT2017_calibration", 9, 4900 }, { "EHT2017_m87", 8, 6500 },
		{ "EHT2017_noRedundant", 6, 4900 }, { "EHT2017_template", 9, 0 },
	};
	const char *dir = check_data_dir();
	char path[1024];
	for (int k = 0; dir != NULL && k < 5; k++) {
		um_stations a;
		snprintf(path, sizeof(path), "%s/eht/arrays/%s.txt", dir, files[k].name);
		CHECK_OK(um_stations_read(path, &a));
		CHECK(a.n == files[k].n);
		for (int i = 0; i < a.n; i++)
			CHECK(strcmp(a.s[i].name, "SMA") != 0 || a.s[i].sefd[1] == files[k].left);
		um_stations_free(&a);
	}
}

static void wrong_tables(void)
{
	static const struct { const char *text, *message; } cases[] = {
		{ "", "no stations" }, { "# nothing\n \n", "no stations" },
		{ AA "PV 1 2\n", ".txt:2: 3 columns" },
		{ AA "PV 5088967.7 -301681.2 3825012.2\n", ":2: 4 columns" },
		{ AA "\n" AA, ":3: AA is listed twice" },
		{ "PV 5088.9677 -301.6812 3825.0122 1900\n", ":1: PV is 6.37333 km from" },
		{ "PV 5088967.7 -301681.2 3825012.2 -3\n", "SEFD of PV is negative" },
		{ "PV 5088967.7 -301681.2 3825012.2 nan\n", "column 5 of PV, \"nan\", is not a number" },
		{ "PV inf -301681.2 3825012.2 10\n", "column 2" }, { "PV 0x10 2 3 4\n", "column 2" },
		{ "PV 1e999 2 3 4\n", "column 2" }, { "PV 1,5 2 3 4\n", "column 2" },
		{ "PV 5088967.7 -301681.2 3825012.2 10 20 right\n", "column 7" },
		{ "P\x01V 5088967.7 -301681.2 3825012.2 10\n", "plain letters" },
		{ "P,V 5088967.7 -301681.2 3825012.2 10\n", "plain letters" },
		{ "\xc3\xa9 5088967.7 -301681.2 3825012.2 10\n", "plain letters" },
		{ "A23456789012345678901234 5088967.7 -301681.2 3825012.2 10\n", "24 letters" },
		{ "a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 9\n", "33 columns" },
	};
	um_stations a;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CHECK_FAILS(um_stations_read(spill(cases[i].text, strlen(cases[i].text)), &a), UM_EDATA,
			cases[i].message);
		CHECK(a.s == NULL && strstr(um_message(), "/tmp/umbra-stations") != NULL);
	}
	CHECK_FAILS(um_stations_read(spill(AA "\0\n", sizeof(AA) + 1), &a), UM_EDATA, "zero byte");
	CHECK_FAILS(um_stations_read("/nowhere.txt", &a), UM_EDATA, "/nowhere.txt: No such file");
	CHECK_FAILS(um_stations_read("/tmp", &a), UM_EDATA, "not a regular file");
	CHECK_FAILS(um_stations_read("tests/data/synthetic.uvfits", &a), UM_EDATA, "synthetic.uvfits:1:");
}

static void too_much(void)
{
	enum { N = 300 };
	char *text = malloc(N * 64);
	um_stations a;
	size_t n = 0;
	for (int i = 0; i < N; i++)
		n += (size_t)snprintf(text + n, 64, "S%d 5088967.7 -301681.2 3825012.2 1900\n", i);
	CHECK_FAILS(um_stations_read(spill(text, n), &a), UM_EDATA, ":256: more than 255 stations");
	memset(text, 'A', N * 64);
	CHECK_FAILS(um_stations_read(spill(text, N * 64), &a), UM_EDATA, ":1: the line has more than");
	free(text);
}

/* Whatever the bytes are, the answer is stations or one message. */
static void noise_in_files(void)
{
	static const char good[] = AA PV "SP 0.01 0.01 -6359609.7 19300 19300 1 0 0\n";
	um_rng r = um_rng_new(3, "stations", 0);
	for (int i = 0; i < 2000; i++) {
		char bad[sizeof(good)];
		um_stations a;
		memcpy(bad, good, sizeof(good));
		for (int k = 0; k < 1 + i % 4; k++)
			bad[(size_t)(um_uniform(&r) * (double)(sizeof(good) - 1))] = (char)um_rng_bits(&r);
		um_status st = um_stations_read(spill(bad, sizeof(good) - 1), &a);
		CHECK(st == UM_OK ? a.n > 0 && a.n < 5 : st == UM_EDATA && a.s == NULL);
		um_stations_free(&a);
	}
	remove(spill("", 0));
}

CHECK_MAIN(CHECK_CASE(layout), CHECK_CASE(own_tables), CHECK_CASE(released_data), CHECK_CASE(eht_imaging),
	CHECK_CASE(wrong_tables), CHECK_CASE(too_much), CHECK_CASE(noise_in_files))
