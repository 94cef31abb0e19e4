/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What comes back from plugins: numbers that are not finite are refused. */
#include <math.h>
#include "host/problem.h"

static um_status not_finite(const um_plugin *plugin, const char *function, int64_t sample)
{
	return um_fail(UM_ENUM, "%s/%s: %s returned a number that is not finite (sample %lld of the batch)",
		um_kind_names[plugin->kind], plugin->name, function, (long long)sample);
}

um_status problem_check_d(const um_plugin *plugin, const char *function, const double *v, int64_t rows,
	int64_t len)
{
	for (int64_t i = 0; i < rows * len; i++)
		if (!isfinite(v[i]))
			return not_finite(plugin, function, i / len);
	return UM_OK;
}

um_status problem_check_f(const um_plugin *plugin, const char *function, const um_array *a)
{
	const float *v = a->data;
	int64_t n = um_array_len(a), len = um_array_rowlen(a);
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(v[i]))
			return not_finite(plugin, function, i / len);
	return UM_OK;
}
