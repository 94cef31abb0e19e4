/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Laws by name. */
#include <stdlib.h>
#include <string.h>
#include "host/law.h"

static const struct {
	const char *name;
	const um_law_ops *ops;
} families[] = {
	{ "gaussian", &um_law_gaussian },
	{ "lowrank", &um_law_lowrank },
	{ "realnvp", &um_law_realnvp },
};

um_status um_law_new(const char *family, const um_law_spec *spec, um_law **law)
{
	*law = NULL;
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		if (strcmp(family, families[i].name) != 0)
			continue;
		um_law *made = calloc(1, sizeof(*made));
		if (made == NULL)
			return um_fail(UM_ENOMEM, "no memory for a law");
		made->ops = families[i].ops;
		um_status st = made->ops->create(made, spec);
		if (st != UM_OK)
			um_law_free(made);
		else
			*law = made;
		return st;
	}
	return um_fail(UM_EPARAM, "family \"%s\" is none of gaussian, lowrank, realnvp", family);
}

void um_law_free(um_law *law)
{
	if (law == NULL)
		return;
	if (law->self != NULL)
		law->ops->destroy(law);
	free(law);
}
