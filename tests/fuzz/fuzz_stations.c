/* SPDX-License-Identifier: GPL-3.0-or-later */
/* um_stations_read on any bytes. */
#include <math.h>
#include <umbra/stations.h>
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	um_stations a = { 0 };
	um_status st = um_stations_read(fuzz_file(data, size), &a);
	fuzz_said(st);
	for (int i = 0; st == UM_OK && i < a.n; i++) {
		const um_station *s = &a.s[i];
		FUZZ_HOLDS(s->name[0] != '\0' && memchr(s->name, 0, sizeof(s->name)));
		FUZZ_HOLDS(isfinite(s->xyz[0] + s->xyz[1] + s->xyz[2]) && isfinite(s->sefd[0] + s->sefd[1]));
	}
	um_stations_free(&a);
	return 0;
}

um_status fuzz_seeds(const char *folder)
{
	static const char plain[] = "# site x y z sefd\nALMA 2225061.164 -5440057.37 -2481681.15 90\n"
		"LMT -768713.9637 -5988541.7982 2063275.9472 560 560 0 0 0 0\n\nPV 5.088e6 -3.016e5 3.825e6 1900 2000\n";
	static const char other[] = "A 6.4e6 0 0 1 # comment\r\nB 0 6.4e6 0 2\r\n";
	um_status st = fuzz_put(folder, "plain", plain, sizeof(plain) - 1);
	return st == UM_OK ? fuzz_put(folder, "other", other, sizeof(other) - 1) : st;
}
