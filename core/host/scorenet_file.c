/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a weight file says of a score network: its diffusion, the range of x, the architecture. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host/scorenet.h"

static const char *const kinds[] = { "vp", "subvp", "ve", "flow" };
static const char *const resamples[] = { "conv", "mean", "fir" };

/* ---- writing ---------------------------------------------------------------------------- */

typedef struct writer {
	um_sink *sink;
	um_status st;
} writer;

static void text(writer *w, const char *key, const char *value)
{
	if (w->st == UM_OK)
		w->st = um_sink_note(w->sink, key, value);
}

/* n numbers, as short as they can be read back exactly. */
static void numbers(writer *w, const char *key, int n, const double v[])
{
	char line[256] = "";
	for (int i = 0, at = 0; i < n && at < (int)sizeof(line); i++) {
		char one[40];
		int digits = 6;
		do
			snprintf(one, sizeof(one), "%.*g", digits, v[i]);
		while (strtod(one, NULL) != v[i] && digits++ < 17);
		at += snprintf(line + at, sizeof(line) - (size_t)at, "%s%s", i > 0 ? " " : "", one);
	}
	text(w, key, line);
}

static void number(writer *w, const char *key, double v)
{
	numbers(w, key, 1, &v);
}

static void note_unet(writer *w, const um_unet_spec *s, int64_t patch)
{
	double multiplier[UM_UNET_LEVELS], attention[UM_UNET_LEVELS];
	for (int i = 0; i < s->levels; i++) {
		multiplier[i] = (double)s->multiplier[i];
		attention[i] = s->attention[i];
	}
	numbers(w, "net.size", 3, (double[]){ (double)(s->columns * patch), (double)(s->rows * patch),
		(double)(s->channels / (patch * patch)) });
	number(w, "net.patch", (double)patch);
	number(w, "net.width", (double)s->width);
	numbers(w, "net.multipliers", s->levels, multiplier);
	number(w, "net.blocks", (double)s->blocks);
	numbers(w, "net.attention", s->levels, attention);
	text(w, "net.resample", resamples[s->resample]);
	number(w, "net.pyramid", s->pyramid);
	number(w, "net.rescale", !s->plain_sums);
	number(w, "net.dropout", s->dropout);
}

static void note_mlp(writer *w, const um_mlp_spec *s)
{
	number(w, "net.size", (double)s->n);
	number(w, "net.width", (double)s->width);
	number(w, "net.blocks", (double)s->blocks);
	number(w, "net.dropout", s->dropout);
}

um_status scorenet_note(const um_scorenet *net, um_sink *sink)
{
	writer w = { sink, UM_OK };
	const um_sde *s = &net->sde;
	text(&w, "net", net->dense ? "mlp" : "unet");
	if (net->dense)
		note_mlp(&w, &net->mlp);
	else
		note_unet(&w, &net->unet, net->patch);
	text(&w, "sde", kinds[s->kind]);
	if (s->kind == UM_SDE_VP || s->kind == UM_SDE_SUBVP)
		numbers(&w, "sde.beta", 2, (double[]){ s->beta_min, s->beta_max });
	if (s->kind == UM_SDE_VE)
		numbers(&w, "sde.sigma", 2, (double[]){ s->sigma_min, s->sigma_max });
	numbers(&w, "learned_times", 2, (double[]){ net->least, net->most });
	numbers(&w, "range", 2, (double[]){ net->lo, net->lo + net->unit });
	return w.st;
}

/* ---- reading ------------------------------------------------------------------------------ */

typedef struct reader {
	const um_tensors *t;
	um_status st;
} reader;

static const char *read_text(reader *r, const char *key)
{
	const char *v = um_tensors_meta(r->t, key);
	if (v == NULL && r->st == UM_OK)
		r->st = um_fail(UM_EDATA, "no weights of a score network: metadata has no %s", key);
	return v != NULL ? v : "";
}

/* At most "most" numbers; returns how many, which are what the text has. */
static int read_numbers(reader *r, const char *key, int least, int most, double v[])
{
	const char *all = read_text(r, key), *at = all;
	int n = 0;
	for (char *end; r->st == UM_OK && *at != '\0'; at = end, n++) {
		const double x = strtod(at, &end);
		if (end == at || n == most || !isfinite(x)) {
			n = -1;
			break;
		}
		v[n] = x;
		end += strspn(end, " ");
	}
	if (r->st == UM_OK && n < least)
		r->st = um_fail(UM_EDATA, "metadata %s = \"%.40s\" should be %d to %d numbers", key, all, least, most);
	return r->st == UM_OK ? n : 0;
}

static double read_number(reader *r, const char *key)
{
	double v = 0;
	(void)read_numbers(r, key, 1, 1, &v);
	return v;
}

static int64_t read_whole(reader *r, const char *key)
{
	const double v = read_number(r, key);
	if (r->st == UM_OK && !(v == floor(v) && fabs(v) < 1e9))
		r->st = um_fail(UM_EDATA, "metadata %s = %g should be a whole number", key, v);
	return r->st == UM_OK ? (int64_t)v : 0;
}

/* The place of the text among choices. */
static int read_choice(reader *r, const char *key, int n, const char *const choices[])
{
	const char *v = read_text(r, key);
	for (int i = 0; i < n; i++)
		if (strcmp(v, choices[i]) == 0)
			return i;
	if (r->st == UM_OK)
		r->st = um_fail(UM_EDATA, "metadata %s = \"%.40s\" is unknown to this umbra", key, v);
	return 0;
}

static void read_unet(reader *r, um_unet_spec *s, int64_t *patch)
{
	double size[3] = { 0 }, multiplier[UM_UNET_LEVELS] = { 0 }, attention[UM_UNET_LEVELS] = { 0 };
	*s = (um_unet_spec){ 0 };
	(void)read_numbers(r, "net.size", 3, 3, size);
	s->levels = read_numbers(r, "net.multipliers", 1, UM_UNET_LEVELS, multiplier);
	(void)read_numbers(r, "net.attention", s->levels, s->levels, attention);
	for (int i = 0; i < 3; i++)
		if (r->st == UM_OK && !(size[i] >= 1 && size[i] <= 1e6))
			r->st = um_fail(UM_EDATA, "metadata net.size: %g is no size", size[i]);
	for (int i = 0; i < s->levels; i++) {
		s->multiplier[i] = multiplier[i] >= 1 && multiplier[i] < 1e6 ? (int64_t)multiplier[i] : 0;
		s->attention[i] = attention[i] != 0;
	}
	if (r->st != UM_OK)
		return;
	*patch = um_tensors_meta(r->t, "net.patch") != NULL ? read_whole(r, "net.patch") : 1;
	if (r->st != UM_OK || *patch < 1 || (int64_t)size[0] % *patch != 0 || (int64_t)size[1] % *patch != 0) {
		r->st = um_fail(UM_EDATA, "metadata net.patch does not divide net.size");
		return;
	}
	s->columns = (int64_t)size[0] / *patch;
	s->rows = (int64_t)size[1] / *patch;
	s->channels = (int64_t)size[2] * *patch * *patch;
	s->width = read_whole(r, "net.width");
	s->blocks = read_whole(r, "net.blocks");
	s->resample = (um_resample)read_choice(r, "net.resample", 3, resamples);
	s->pyramid = read_number(r, "net.pyramid") != 0;
	s->plain_sums = read_number(r, "net.rescale") == 0;
	s->dropout = read_number(r, "net.dropout");
	if (r->st == UM_OK && !(s->dropout >= 0 && s->dropout < 1))
		r->st = um_fail(UM_EDATA, "metadata net.dropout = %g is no rate", s->dropout);
	if (r->st == UM_OK)
		r->st = um_unet_check(s);
}

static void read_mlp(reader *r, um_mlp_spec *s)
{
	*s = (um_mlp_spec){ .n = read_whole(r, "net.size"), .width = read_whole(r, "net.width"),
		.blocks = read_whole(r, "net.blocks"), .dropout = read_number(r, "net.dropout") };
	if (r->st == UM_OK)
		r->st = um_mlp_check(s);
}

um_status scorenet_read(um_scorenet *net, const um_tensors *t)
{
	static const char *const nets[] = { "unet", "mlp" };
	reader r = { t, UM_OK };
	double two[2] = { 0 };
	net->dense = read_choice(&r, "net", 2, nets) == 1;
	if (net->dense)
		read_mlp(&r, &net->mlp);
	else
		read_unet(&r, &net->unet, &net->patch);
	net->sde = um_sde_default((um_sde_kind)read_choice(&r, "sde", 4, kinds));
	if (net->sde.kind == UM_SDE_VP || net->sde.kind == UM_SDE_SUBVP) {
		(void)read_numbers(&r, "sde.beta", 2, 2, two);
		net->sde.beta_min = two[0];
		net->sde.beta_max = two[1];
	} else if (net->sde.kind == UM_SDE_VE) {
		(void)read_numbers(&r, "sde.sigma", 2, 2, two);
		net->sde.sigma_min = two[0];
		net->sde.sigma_max = two[1];
	}
	if (r.st == UM_OK && net->sde.kind != UM_SDE_FLOW && !(two[0] > 0 && two[1] >= two[0]))
		r.st = um_fail(UM_EDATA, "metadata: a diffusion from %g to %g", two[0], two[1]);
	(void)read_numbers(&r, "learned_times", 2, 2, two);
	net->least = two[0];
	net->most = two[1];
	(void)read_numbers(&r, "range", 2, 2, two);
	net->lo = two[0];
	net->unit = two[1] - two[0];
	if (r.st == UM_OK && !(net->unit > 0 && net->least > 0 && net->least < net->most && net->most <= 1))
		r.st = um_fail(UM_EDATA, "metadata: range [%g, %g] and learned_times %g to %g make no sense", two[0], two[1],
			net->least, net->most);
	return r.st;
}
