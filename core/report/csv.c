/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Comma-separated values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "csv.h"

void um_csv_text(um_text *t, const char *s)
{
	if (s[strcspn(s, ",\"\r\n")] == '\0') {
		um_text_add(t, s);
		return;
	}
	um_text_add(t, "\"");
	for (; *s; s++)
		um_text_bytes(t, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
	um_text_add(t, "\"");
}

void um_csv_number(um_text *t, double v)
{
	char s[40];
	if (!isfinite(v))
		return;
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(s, sizeof(s), "%.*g", digits, v);
		if (strtod(s, NULL) == v)
			break;
	}
	um_text_add(t, s);
}

void um_csv_json(um_text *t, const json_t *v)
{
	if (json_is_integer(v))
		um_text_print(t, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		um_csv_number(t, json_real_value(v));
	else if (json_is_string(v))
		um_csv_text(t, json_string_value(v));
	else if (json_is_boolean(v))
		um_text_add(t, json_is_true(v) ? "true" : "false");
}
