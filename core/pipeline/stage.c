/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of the group image and of each kind of stage, and reading them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pipeline/plan.h"

#define BIG 9.007199254740992e15
#define COUNT(t) (sizeof(t) / sizeof(*(t)))

static const um_param image_table[] = {
	UM_PARAM(um_image_settings, pixels, "[]", 1, 65536, "", "Columns and rows, [NAXIS1, NAXIS2] of FITS; [n, 1] for a "
		"vector of n numbers; left out where a mesh or a surface is given."),
	UM_FILE(um_image_settings, mesh, "", "Wavefront OBJ file: x is a signal on the vertices of this mesh."),
	UM_PARAM_TEXT(um_image_settings, surface, "", "Instead of mesh one that is made here: icosphere:F (a sphere of 10 F^2 + 2 "
		"vertices), latlon:RxC (latitudes and longitudes), or bumpy:F, a closed surface with bumps."),
	UM_PARAM(um_image_settings, frames, "1", 1, 1e6, "", "Frames of a movie."),
	UM_PARAM(um_image_settings, bands, "1", 1, 1e6, "", "Frequency bands."),
	UM_PARAM(um_image_settings, channels, "1", 1, 1024, "", "Colours, or numbers a pixel."),
	UM_PARAM(um_image_settings, fov_uas, "0", 0, 1e15, "uas",
		"Width of the field in micro-arcseconds; 0 where the image is not of the sky."),
	UM_PARAM(um_image_settings, scale, "1", 1e-30, 1e30, "",
		"What the instrument sees is scale times what the prior sees (Jy for the EHT)."),
	UM_CHOICE(um_image_settings, transform, "identity", "identity|softplus",
		"The variable that inference works on: x itself, or u with x = log(1 + exp(u)) > 0."),
};

static const um_param simulate_table[] = {
	UM_CHOICE(um_stage_settings, stage, NULL, "simulate", "Makes measurements of a truth."),
	UM_PARAM_TEXT(um_stage_settings, forward, NULL, "A key of the group forward."),
	UM_PARAM(um_stage_settings, count, "1", 1, 1e6, "", "Measurements, each of a truth of its own with noise of its own: further "
		"draws of the prior, images index, index + 1, ... of the files, or as many images in the FITS file. A cell infers them in "
		"turn."),
	/* truth is read apart, in data.c: a file, or a group */
};
#define ALIGN \
	UM_CHOICE(um_stage_settings, align, "auto", "auto|none|centre|samples", "Where samples are put, by " \
		"whole pixels, if the data do not fix their position: by their centroids, or to each other; " \
		"auto: to the truth where it is known, else to each other, for images of the sky.")

static const um_param infer_table[] = {
	UM_CHOICE(um_stage_settings, stage, NULL, "infer", "Draws posterior samples."),
	UM_PARAM_TEXT(um_stage_settings, forward, NULL, "A key of the group forward."),
	UM_PARAM(um_stage_settings, priors, NULL, 0, 0, "", "Keys of the group priors."),
	UM_PARAM(um_stage_settings, inference, NULL, 0, 0, "", "Keys of the group inference."),
	UM_PARAM(um_stage_settings, samples, "64", 1, 1e9, "", "Posterior samples of a cell."),
	UM_PARAM_TEXT(um_stage_settings, start, "", "A key of the group inference, whose cells come in an earlier stage: those of this "
		"one start from the mean image of the cell of the same forward and prior (parameter image). PRIOR+INFERENCE: of "
		"another prior; FORWARD/PRIOR+INFERENCE: of that cell."),
	ALIGN,
	UM_PARAM(um_stage_settings, time_limit, "0", 0, 1e9, "s", "A cell that takes longer fails; 0: no limit."),
	UM_PARAM(um_stage_settings, memory_limit, "0", 0, 1e9, "MB", "A cell that asks for more memory fails; 0: no limit."),
	UM_PARAM(um_stage_settings, skip_impossible, "false", 0, 0, "",
		"Leave out cells that cannot work instead of refusing the file."),
	/* sweep is read apart, in sweep.c */
};
static const um_param import_table[] = {
	UM_CHOICE(um_stage_settings, stage, NULL, "import", "Takes images that another program made as a cell, FORWARD/NAME."),
	UM_PARAM_TEXT(um_stage_settings, name, NULL, "Of the cell."),
	UM_PARAM_TEXT(um_stage_settings, forward, NULL, "A key of the group forward: the images are judged by its "
		"measurements and its truth."),
	UM_PLACES(um_stage_settings, files, NULL, "FITS images and cubes, or folders of them: the samples of the cell, in "
		"instrument units. On the sky those of another size or field are regridded, keeping the flux of each pixel."),
	UM_PARAM(um_stage_settings, factor, "1", -1e30, 1e30, "", "What every pixel is multiplied by. Files that state another unit than "
		"the forward model need it."),
	ALIGN,
};
static const um_param compare_table[] = {
	UM_CHOICE(um_stage_settings, stage, NULL, "compare", "Puts all cells side by side, into the folder compare: metrics.csv; "
		"comparison.png, means and standard deviations on common scales; for priors that share forward and inference "
		"agreement-*.fits, agreement.png and agreement.csv (the part of the variance that is between priors, and where all "
		"agree); distances.csv, energy distances 2 E|X - Y| - E|X - X'| - E|Y - Y'| between cells of one forward model, with "
		"|.| the root mean square over pixels, in their unit; ring.csv and ring.png, ring features of images of the sky. Of several "
		"measurements pictures, agreement and distances are of the first."),
};
static const um_param train_table[] = {
	UM_CHOICE(um_stage_settings, stage, NULL, "train", "Fits a prior to data, or an inference to many measurements."),
	UM_PARAM_TEXT(um_stage_settings, prior, "", "A key of the group priors, to be fitted; later stages use "
		"what was learned under that name. Its model is left out, or is where the fit starts from."),
	{ "inference", UM_TEXT, offsetof(um_stage_settings, learner), "", 0, 0, NULL, "", "A key of the group inference, to be fitted "
		"instead, to measurements of forward under the prior of priors, for which it then serves." },
	UM_PARAM_TEXT(um_stage_settings, forward, "", "With inference: a key of the group forward, which measures the images of data; "
		"without data its files hold the measurements to learn from."),
	UM_PARAM(um_stage_settings, priors, "[]", 0, 0, "", "With inference: one key of the group priors."),
	UM_CHOICE(um_stage_settings, storage, "float32", "float32|float16|bfloat16", "How the weight file keeps "
		"numbers; the latter two halve it."),
	UM_PARAM(um_stage_settings, memory_limit, "0", 0, 1e9, "MB", "A fit that asks for more memory fails; 0: no limit."),
	UM_PARAM(um_stage_settings, seconds, "0", 0, 1e9, "s", "Time budget: the fit begins no step after so "
		"many seconds and delivers what it has learned by then; 0: none. --resume with more seconds goes on."),
};

static const um_param calibrate_table[] = {
	UM_CHOICE(um_stage_settings, stage, NULL, "calibrate", "Whether posteriors of a kind of cell can be believed: truths are drawn, "
		"measured and inferred again and again, and must lie anywhere among their samples (simulation-based calibration)."),
	UM_PARAM_TEXT(um_stage_settings, forward, NULL, "A key of the group forward, which inference believes."),
	UM_PARAM_TEXT(um_stage_settings, prior, NULL, "A key of the group priors, which inference believes."),
	{ "inference", UM_TEXT, offsetof(um_stage_settings, learner), NULL, 0, 0, NULL, "", "A key of the group inference." },
	UM_PARAM(um_stage_settings, replicates, "100", 10, 10000, "", "Truths; the more, the smaller the faults that are seen."),
	UM_PARAM(um_stage_settings, samples, "99", 9, 10000, "", "Posterior samples of each; they count as independent."),
	UM_PARAM_TEXT(um_stage_settings, truths, "", "A key of the group priors that truths are drawn from; left out: prior."),
	UM_PARAM_TEXT(um_stage_settings, simulate, "", "A key of the group forward that makes the data of truths, whose noise "
		"and operator are still taken as forward says; left out: forward."),
	UM_PARAM_TEXT(um_stage_settings, name, "", "Of the folder in calibrate; left out: FORWARD+PRIOR+INFERENCE."),
	UM_PARAM(um_stage_settings, time_limit, "0", 0, 1e9, "s", "Time of a sixteenth of the replicates, which is a process; 0: no limit."),
	UM_PARAM(um_stage_settings, memory_limit, "0", 0, 1e9, "MB", "A process that asks for more memory fails; 0: no limit."),
};

static const struct { const char *name; const um_param *table; size_t n; } kinds[] = {
	[UM_SIMULATE] = { "simulate", simulate_table, COUNT(simulate_table) },
	[UM_TRAIN] = { "train", train_table, COUNT(train_table) },
	[UM_INFER] = { "infer", infer_table, COUNT(infer_table) },
	[UM_IMPORT] = { "import", import_table, COUNT(import_table) },
	[UM_COMPARE] = { "compare", compare_table, COUNT(compare_table) },
	[UM_CALIBRATE] = { "calibrate", calibrate_table, COUNT(calibrate_table) },
};
static const char *const kind_words[] = { "simulate", "train", "infer", "import", "compare", "calibrate", NULL };

const um_param *um_image_table(size_t *n)
{
	*n = COUNT(image_table);
	return image_table;
}

const um_param *um_stage_table(um_stage_kind kind, size_t *n)
{
	*n = kinds[kind].n;
	return kinds[kind].table;
}

static void group_help(FILE *out, const char *key, const char *form, const char *doc, const char *stage,
	const um_param *table(size_t *))
{
	size_t n;
	const um_param *rows = table(&n);
	fprintf(out, "  %s: %s; required\n      %s\n\n%s = { ... } of %s stage\n", key, form, doc, key, stage);
	um_params_help(rows, n, out);
}

void um_plan_help(FILE *out)
{
	size_t n;
	const um_param *forward = um_forward_table(&n);
	fprintf(out, "image = { ... }\n");
	um_params_help(image_table, COUNT(image_table), out);
	fprintf(out, "\nforward = { KEY = { ... } }\n");
	um_params_help(forward, n, out);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		fprintf(out, "\nrun = ( { stage = \"%s\"; ... } )\n", kinds[i].name);
		um_params_help(kinds[i].table, kinds[i].n, out);
		if (i == UM_SIMULATE)
			group_help(out, "truth", "a FITS file, or a group", "What is measured: an image in instrument units, or a group "
				"that says which draw of a prior or image of a data set, in the units of priors.", "a simulate", um_truth_table);
		if (i == UM_INFER)
			fprintf(out, "  sweep: a list of groups { key = \"priors.tv.weight\"; values = [1.0, 10.0]; }; default ()\n"
				"      A cell for each value of a parameter of forward, priors or inference that it uses, and of several keys "
				"for each combination: FORWARD/tv+map@priors.tv.weight=10.\n");
		if (i == UM_TRAIN)
			group_help(out, "data", "a group", "What a prior learns from: files or draws. An inference sees only "
				"measurements of them.", "a train", um_data_table);
	}
}

/* ---- reading a stage ------------------------------------------------------------ */

static int stage_kind(um_node *node, um_problems *problems)
{
	const um_node *s = um_node_get(node, "stage");
	if (s == NULL || s->type != UM_NODE_TEXT) {
		um_problems_add(problems, UM_EPARAM, node, "every item of run needs stage = \"simulate\", "
			"\"train\", \"infer\", \"import\", \"compare\" or \"calibrate\"");
		return -1;
	}
	for (int i = 0; kind_words[i] != NULL; i++)
		if (strcmp(s->text, kind_words[i]) == 0)
			return i;
	const char *near = um_nearest(s->text, kind_words);
	um_problems_add(problems, UM_EPARAM, s, "there is no stage '%s'%s%s%s", s->text,
		near ? "; did you mean '" : "; stages are simulate, train, infer, import, compare and calibrate",
		near ? near : "", near ? "'?" : "");
	return -1;
}

void um_stage_read(um_plan *p, um_node *node, um_problems *problems)
{
	static const char *const simulate_skip[] = { "truth", NULL };
	static const char *const train_skip[] = { "data", NULL };
	static const char *const infer_skip[] = { "sweep", NULL };
	int kind = stage_kind(node, problems);
	if (kind < 0)
		return;
	p->stage = um_grow(p->stage, sizeof(*p->stage) * (size_t)(p->nstage + 1));
	um_stage *s = &p->stage[p->nstage++];
	*s = (um_stage){ .kind = (um_stage_kind)kind, .node = node };
	const char *const *skip = kind == UM_SIMULATE ? simulate_skip : kind == UM_TRAIN ? train_skip :
		kind == UM_INFER ? infer_skip : NULL;
	if (um_params_fill(kinds[kind].table, kinds[kind].n, sizeof(s->set), node, skip, kinds[kind].name,
		problems, &s->params) != UM_OK)
		um_problems_add(problems, UM_EPARAM, node, "%s", um_message());
	if (s->params != NULL)
		s->set = *(const um_stage_settings *)um_params_data(s->params);
	if (kind == UM_SIMULATE)
		um_truth_read(p, s, problems);
	if (kind == UM_TRAIN)
		um_data_read(p, s, problems);
}
