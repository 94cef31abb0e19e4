/* SPDX-License-Identifier: GPL-3.0-or-later */
/* um_plan_load on any text: a plan or problems, each one line that says where. What was read is
 * written and read again. @include lines are left out, which would read other files. */
#include "../../core/pipeline/plan.h"
#include "fuzz.h"

static bool includes(const char *text, size_t size)
{
	for (size_t i = 0; i + 8 <= size; i++)
		if (memcmp(text + i, "@include", 8) == 0)
			return true;
	return false;
}

/* The tree as text reads back. */
static void write_again(const um_node *root)
{
	char *text = NULL;
	size_t n = 0;
	um_node *again = NULL;
	FILE *f = open_memstream(&text, &n);
	FUZZ_HOLDS(f != NULL);
	um_config_write(root, f);
	fclose(f);
	um_status st = um_config_parse(text, "again", &again);
	if (st != UM_OK)
		fprintf(stderr, "%s\n%s\n", um_message(), text);
	FUZZ_HOLDS(st == UM_OK);
	um_node_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	um_problems bad = { 0 };
	um_plan *plan = NULL;
	if (includes((const char *)data, size))
		return 0;
	um_status st = um_plan_load(fuzz_file(data, size), NULL, &bad, &plan);
	fuzz_said(st);
	FUZZ_HOLDS((st == UM_OK) == (plan != NULL));
	for (int i = 0; i < bad.n; i++)
		FUZZ_HOLDS(*bad.line[i] != '\0');
	if (plan != NULL)
		write_again(plan->root);
	um_plan_free(plan);
	um_problems_free(&bad);
	return 0;
}

um_status fuzz_seeds(const char *folder)
{
	static const char small[] = "image = { pixels = [8, 8]; };\n"
		"forward = { seen = { plugin = \"denoise\"; sigma = 0.3; }; };\n"
		"priors = { field = { plugin = \"gaussian\"; };\n  both = ( { plugin = \"tv\"; weight = 1.0; }, { plugin = \"l1\"; } ); };\n"
		"inference = { exact = { plugin = \"exact\"; }; };\nrun = (\n"
		"  { stage = \"simulate\"; forward = \"seen\"; truth = { prior = \"field\"; seed = 2; }; },\n"
		"  { stage = \"infer\"; forward = \"seen\"; priors = [\"field\"]; inference = [\"exact\"]; samples = 4; },\n"
		"  { stage = \"compare\"; }\n);\n";
	static const char odd[] = "title = \"a \\\"b\\\" \\x41\"; seed = 0x1FL; // comment\nimage: { pixels: [1, 2], fov_uas: 1e2 }\n"
		"/* none */ forward = { a = { plugin = \"eht\"; products = [\"amp\", \"cphase\"]; uv = [0.1, 9.0]; }; };\n"
		"run = ( { stage = \"train\"; prior = \"x\"; data = { }; }, 1, [true, false] );\n";
	static const char trained[] = "image = { pixels = [8, 8]; };\nforward = { seen = { plugin = \"denoise\"; }; };\n"
		"priors = { field = { plugin = \"gaussian\"; }; learned = { plugin = \"pca\"; }; };\n"
		"inference = { exact = { plugin = \"exact\"; }; };\nrun = (\n"
		"  { stage = \"train\"; prior = \"learned\"; data = { prior = \"field\"; count = 9; held_out = 0.5; }; },\n"
		"  { stage = \"simulate\"; forward = \"seen\"; truth = { prior = \"learned\"; }; },\n"
		"  { stage = \"infer\"; forward = \"seen\"; priors = [\"learned\"]; inference = [\"exact\"]; }\n);\n";
	static const char lists[] = "image = { pixels = [8, 8]; };\nforward = { a = ( { plugin = \"denoise\"; } ); };\n"
		"priors = { b = ( 1, ( ) ); };\ninference = { c = [1]; };\nrun = ( ( ) );\n";
	um_status st = UM_OK;
	UM_TRY(fuzz_put(folder, "lists", lists, sizeof(lists) - 1));
	UM_TRY(fuzz_put(folder, "trained", trained, sizeof(trained) - 1));
	UM_TRY(fuzz_put(folder, "small", small, sizeof(small) - 1));
	UM_TRY(fuzz_put(folder, "odd", odd, sizeof(odd) - 1));
	UM_TRY(fuzz_copy(folder, "pipelines/quickstart.cfg"));
	UM_TRY(fuzz_copy(folder, "pipelines/m87.cfg"));
out:
	return st;
}
