/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The battery finds what is wrong with each plugin of tests/plugins, and nothing else. */
#include "plug.h"

/* Runs the battery; the names of failed checks, each followed by ";", come back in failed. */
static int battery(const um_plugin *p, const char *const *set, char *failed, size_t room)
{
	FILE *out = tmpfile();
	char line[4096];
	int n = -1;
	*failed = '\0';
	CHECK(out != NULL);
	CHECK_OK(um_conform(p, set, out, &n));
	rewind(out);
	while (fgets(line, sizeof(line), out) != NULL) {
		const char *name = strstr(line, "  ");
		CHECK(strncmp(line, "ok  ", 4) == 0 || strncmp(line, "FAIL", 4) == 0 || strncmp(line, "none", 4) == 0);
		if (strncmp(line, "FAIL", 4) == 0 && name != NULL)
			snprintf(failed + strlen(failed), room - strlen(failed), "%.*s;",
				(int)strcspn(name + 2, ":"), name + 2);
	}
	fclose(out);
	return n;
}

static const struct { const char *name, *failed; } wrong[] = {
	{ "bad_default", "defaults;" }, { "missing_doc", "documentation;" }, { "wrong_name", "file name;" },
	{ "wrong_gradient", "gradient of logp;" }, { "flaky_sample", "sample repeats;" },
	{ "batch_mean", "batch = loop;" }, { "wrong_div", "exact div;" }, { "wrong_jtv", "jtv of score;" },
	{ "wrong_tangent", "tangent;" }, { "wrong_adjoint", "adjoint;" }, { "wrong_linear", "linear;" },
	{ "wrong_solve", "solve;" }, { "wrong_loglike", "gradient of loglike;" }, { "few_samples", "run;" },
	{ "forgetful", "fit resumes;" },
	{ "stubborn", "stops when told to;" }, { "flaky_run", "run repeats;" }, { "leftover", "run after another;" },
};

static void one_fault_each(void)
{
	char failed[1024];
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		int n = battery(plug_open("tests/plugins", wrong[i].name), NULL, failed, sizeof(failed));
		if (n != 1 || strcmp(failed, wrong[i].failed) != 0)
			fprintf(stderr, "%s: failed %s, want %s\n", wrong[i].name, failed, wrong[i].failed);
		CHECK(n == 1 && strcmp(failed, wrong[i].failed) == 0);
	}
}

/* Sanitizers add variables of their own, so that there the check stands aside. */
static void writable_static(void)
{
	char failed[1024];
	int n = battery(plug_open("tests/plugins", "writable_static"), NULL, failed, sizeof(failed));
	CHECK(n == 0 || strcmp(failed, "no writable static data;") == 0);
	const char *build = getenv("UMBRA_BUILD");
	if (build == NULL || (strstr(build, "san") == NULL && strstr(build, "cov") == NULL))
		CHECK(n == 1);
}

static void numbers_that_are_none(void)
{
	char failed[1024];
	CHECK(battery(plug_open("tests/plugins", "unwritten"), NULL, failed, sizeof(failed)) >= 1);
	CHECK(strncmp(failed, "logp;", 5) == 0);
	CHECK(battery(plug_open("tests/plugins", "nan_prior"), NULL, failed, sizeof(failed)) >= 1);
	CHECK(strncmp(failed, "logp;", 5) == 0);
}

static void refused_at_load(void)
{
	const char *dir = getenv("UMBRA_BUILD");
	char path[4096], both[64];
	const um_plugin *p = NULL;
	snprintf(path, sizeof(path), "%s/tests/plugins/wrong_abi.so", dir ? dir : "build");
	snprintf(both, sizeof(both), "ABI %d, this umbra has ABI %d", UM_ABI + 41, UM_ABI);
	CHECK_FAILS(um_plugin_open(path, &p), UM_EPLUGIN, both);
}

static void settings(void)
{
	char failed[1024];
	const um_plugin *p = plug_open("plugins/priors", "gaussian");
	CHECK(battery(p, SET("spectrum=power", "slope=2.0", "floor=0.1"), failed, sizeof(failed)) == 0);
	CHECK(battery(p, SET("spectrun=power"), failed, sizeof(failed)) == 1);
	CHECK(strcmp(failed, "settings;") == 0);
	CHECK(battery(plug_open("plugins/forward", "lowfreq"), SET("keep=6"), failed, sizeof(failed)) == 0);
	CHECK(battery(plug_open("plugins/forward", "lowfreq"), SET("keep=4000"), failed, sizeof(failed)) == 1);
	CHECK(strcmp(failed, "create;") == 0);
	CHECK(battery(plug_open("plugins/priors", "gmm"), SET("means_file=tests/data/mixture_means.npy",
		"covariances=tests/data/mixture_covariances.npy", "weights=[1.0, 3.0]"), failed, sizeof(failed)) == 0);
}

CHECK_MAIN(CHECK_CASE(one_fault_each), CHECK_CASE(writable_static), CHECK_CASE(numbers_that_are_none),
	CHECK_CASE(refused_at_load), CHECK_CASE(settings))
