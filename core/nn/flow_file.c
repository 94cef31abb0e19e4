/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a weight file says of its flow: "flow.couplings" = "16" and so on. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <umbra/flow.h>
#include <umbra/sink.h>

typedef struct field {
	const char *key;
	size_t offset;
} field;

static const field fields[] = {
	{ "flow.rows", offsetof(um_flow_spec, rows) }, { "flow.columns", offsetof(um_flow_spec, columns) },
	{ "flow.channels", offsetof(um_flow_spec, channels) },
	{ "flow.couplings", offsetof(um_flow_spec, couplings) },
	{ "flow.hidden", offsetof(um_flow_spec, hidden) }, { "flow.depth", offsetof(um_flow_spec, depth) },
};
enum { FIELDS = sizeof(fields) / sizeof(*fields) };

um_status um_flow_note(const um_flow_spec *spec, um_sink *sink)
{
	um_status st = UM_OK;
	char text[64];
	for (int i = 0; i < FIELDS; i++) {
		snprintf(text, sizeof(text), "%" PRId64, *(const int64_t *)((const char *)spec + fields[i].offset));
		UM_TRY(um_sink_note(sink, fields[i].key, text));
	}
	UM_TRY(um_sink_note(sink, "flow.couplings_of", spec->convolutional ? "images" : "vectors"));
	UM_TRY(um_sink_note(sink, "flow.batchnorm", spec->batchnorm ? "true" : "false"));
	snprintf(text, sizeof(text), "%.17g", spec->bound);
	UM_TRY(um_sink_note(sink, "flow.bound", text));
	snprintf(text, sizeof(text), "%" PRIu64, spec->seed);
	UM_TRY(um_sink_note(sink, "flow.seed", text));
out:
	return st;
}

static um_status text_of(const um_tensors *t, const char *key, const char **text)
{
	*text = um_tensors_meta(t, key);
	if (*text == NULL)
		return um_fail(UM_EDATA, "no weights of a flow: metadata has no %s", key);
	return UM_OK;
}

static um_status number(const um_tensors *t, const char *key, int64_t *value)
{
	const char *text;
	char *end;
	um_status st = text_of(t, key, &text);
	if (st != UM_OK)
		return st;
	errno = 0;
	*value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0')
		return um_fail(UM_EDATA, "metadata %s = \"%.40s\" is not an integer", key, text);
	return UM_OK;
}

um_status um_flow_read(um_flow_spec *spec, const um_tensors *t)
{
	um_status st = UM_OK;
	const char *text;
	char *end;
	*spec = (um_flow_spec){ 0 };
	for (int i = 0; i < FIELDS; i++)
		UM_TRY(number(t, fields[i].key, (int64_t *)((char *)spec + fields[i].offset)));
	UM_TRY(text_of(t, "flow.couplings_of", &text));
	spec->convolutional = text[0] == 'i';
	UM_TRY(text_of(t, "flow.batchnorm", &text));
	spec->batchnorm = text[0] == 't';
	UM_TRY(text_of(t, "flow.bound", &text));
	spec->bound = strtod(text, &end);
	if (end == text || *end != '\0')
		UM_TRY(um_fail(UM_EDATA, "metadata flow.bound = \"%.40s\" is not a number", text));
	UM_TRY(text_of(t, "flow.seed", &text));
	spec->seed = strtoull(text, NULL, 10);
	UM_TRY(um_flow_check(spec));
	/* a net ends in two layers, for s and t; each layer is two tensors */
	if (2 * spec->couplings * (spec->depth + 1) > t->n)
		UM_TRY(um_fail(UM_EDATA, "metadata tells of %lld couplings of %lld layers, and the file has %d tensors: too few",
			(long long)spec->couplings, (long long)spec->depth, t->n));
out:
	return st;
}
