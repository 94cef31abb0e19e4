/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reference numbers of eht-imaging, as JSON beside the data, for the tests of visibilities. */
#ifndef TESTS_EHT_H
#define TESTS_EHT_H

#include <jansson.h>
#include <stdbool.h>
#include <umbra/observable.h>
#include "check.h"

#define M87 "SR1_M87_2017_095_lo_hops_netcal_StokesI"
#define DEGREE (3.14159265358979323846 / 180)

static inline const char *eht_path(const char *name, const char *ending)
{
	static char path[2][1024];
	static int turn;
	const char *dir = check_data_dir();
	turn = !turn;
	if (dir != NULL)
		snprintf(path[turn], sizeof(path[0]), "%s/eht/%s%s", dir, name, ending);
	return dir != NULL ? path[turn] : NULL;
}

static inline json_t *eht_json(const char *path)
{
	json_error_t e;
	json_t *j = json_load_file(path, 0, &e);
	if (j == NULL)
		fprintf(stderr, "%s: %s\n", path, e.text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(j);
	return j;
}

/* Item at a path of keys such as "cphase.min_checksums.n"; numbers index lists. */
static inline json_t *eht_at(json_t *j, const char *keys)
{
	char text[256];
	snprintf(text, sizeof(text), "%s", keys);
	for (char *next, *key = text; key != NULL && j != NULL; key = next) {
		next = strchr(key, '.');
		if (next != NULL)
			*next++ = 0;
		j = json_is_array(j) ? json_array_get(j, (size_t)atoi(key)) : json_object_get(j, key);
	}
	if (j == NULL)
		fprintf(stderr, "no %s in the reference\n", keys);
	CU_ASSERT_PTR_NOT_NULL_FATAL(j);
	return j;
}

static inline double eht_number(json_t *j, const char *keys)
{
	return json_number_value(eht_at(j, keys));
}

static inline const char *eht_text(json_t *j, const char *keys)
{
	const char *s = json_string_value(eht_at(j, keys));
	return s != NULL ? s : "";
}

#endif
