/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parameter tables against groups of a pipeline, --set, and writing a tree back. */
#include <umbra/config.h>
#include "check.h"

struct demo {
	double sigma;
	int64_t count;
	bool on;
	const char *mode, *name, *file;
	um_reals list;
	um_texts words, files, places;
	um_pair range;
};

static const um_param table[] = {
	UM_PARAM(struct demo, sigma, "0.5", 0, 10, "Jy", "Width."),
	UM_PARAM(struct demo, count, "3", 1, 9, "", "How many."),
	UM_PARAM(struct demo, on, "true", 0, 0, "", "Whether."),
	UM_CHOICE(struct demo, mode, "fast", "fast|slow", "Which."),
	UM_PARAM_TEXT(struct demo, name, "a name", "What it is called."),
	UM_FILE(struct demo, file, "", "Where it is."),
	UM_PARAM(struct demo, list, "[1.0, 2.5]", 0, 10, "", "Numbers."),
	UM_CHOICE(struct demo, words, "[\"vis\"]", "vis|amp", "Words."),
	UM_PARAM(struct demo, range, "[0.5, 1.0]", 0, 10, "", "A range."),
	UM_FILES(struct demo, files, "[]", "Where they are."),
	UM_PLACES(struct demo, places, "[]", "Where they are, or in what."),
};
enum { N = sizeof(table) / sizeof(*table) };

static um_status fill(const char *text, um_problems *problems, um_node **root, um_params **out)
{
	*out = NULL;
	um_status st = um_config_parse(text, "test.cfg", root);
	if (st == UM_OK)
		st = um_params_fill(table, N, sizeof(struct demo), *root, NULL, "demo", problems, out);
	return st;
}

static void test_defaults(void)
{
	um_problems problems = { 0 };
	um_node *root;
	um_params *p;
	CHECK_OK(fill("", &problems, &root, &p));
	CHECK_FATAL(p != NULL);
	const struct demo *d = um_params_data(p);
	CHECK(d->sigma == 0.5 && d->count == 3 && d->on && strcmp(d->mode, "fast") == 0);
	CHECK(strcmp(d->name, "a name") == 0 && strcmp(d->file, "") == 0);
	CHECK(d->list.n == 2 && d->list.v[1] == 2.5 && d->words.n == 1 && strcmp(d->words.v[0], "vis") == 0);
	CHECK(d->range.lo == 0.5 && d->range.hi == 1 && d->files.n == 0);
	CHECK(root->n == N && root->child[0]->filled);
	um_params_free(p);
	um_node_free(root);
}

static void test_values(void)
{
	static const struct { const char *text, *says; } cases[] = {
		{ "sigma = 2;", NULL }, { "sigma = 2.5;", NULL }, { "sigma = 11;", "test.cfg:1: sigma: demo: 11 lies outside" },
		{ "\nsigma = \"2\";", "test.cfg:2: sigma: demo: expected a number" }, { "count = 9;", NULL },
		{ "count = 0;", "lies outside" }, { "count = 1.5;", "expected an integer" }, { "on = false;", NULL },
		{ "on = 1;", "expected true or false" }, { "mode = \"slow\";", NULL },
		{ "mode = \"slo\";", "none of fast|slow" }, { "sigmma = 1;", "did you mean 'sigma'?" },
		{ "zzzzz = 1;", "it knows sigma, count" }, { "list = [1, 2];", NULL }, { "list = (1, 2.5);", NULL },
		{ "list = [];", NULL }, { "list = 3;", "expected a list of numbers" }, { "list = [11];", "lies outside" },
		{ "words = [\"amp\", \"vis\"];", NULL }, { "words = [\"am\"];", "none of vis|amp" },
		{ "range = [1, 2];", NULL }, { "range = [2, 1];", "not in rising order" },
		{ "range = [1, 2, 3];", "[low, high]" }, { "file = \"nowhere\";", "No such file" },
		{ "file = \"core\";", "is a folder" }, { "file = \"Makefile\";", NULL },
		{ "files = [\"Makefile\", \"README.md\"];", NULL }, { "files = [\"Makefile\", \"nowhere\"];", "No such file" },
		{ "files = [\"core\"];", "is a folder" }, { "files = \"Makefile\";", "expected a list of files" },
		{ "files = [1];", "expected a list of files" }, { "places = [\"core\", \"Makefile\"];", NULL },
		{ "places = \"core\";", NULL }, { "places = \"nowhere\";", "No such file" },
		{ "places = 3;", "expected a list of files" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		um_problems problems = { 0 };
		um_node *root;
		um_params *p;
		CHECK_OK(fill(cases[i].text, &problems, &root, &p));
		CHECK((cases[i].says == NULL) == (p != NULL));
		CHECK(problems.n == (cases[i].says != NULL));
		if (cases[i].says != NULL && (problems.n == 0 || strstr(problems.line[0], cases[i].says) == NULL)) {
			fprintf(stderr, "%s: %s\n", cases[i].text, problems.n ? problems.line[0] : "accepted");
			CHECK(false);
		}
		um_params_free(p);
		um_node_free(root);
		um_problems_free(&problems);
	}
}

/* A text alone becomes a list of one, in the tree as well. */
static void test_places(void)
{
	um_problems problems = { 0 };
	um_node *root;
	um_params *p;
	CHECK_OK(fill("places = \"core\";", &problems, &root, &p));
	CHECK_FATAL(p != NULL);
	const struct demo *d = um_params_data(p);
	const um_node *n = um_node_get(root, "places");
	CHECK(d->places.n == 1 && strstr(d->places.v[0], "core") != NULL);
	CHECK(n->type == UM_NODE_ARRAY && n->n == 1 && strcmp(n->child[0]->text, d->places.v[0]) == 0 && n->line == 1);
	um_params_free(p);
	um_node_free(root);
}

static void test_all_at_once(void)
{
	um_problems problems = { 0 };
	um_node *root;
	um_params *p;
	CHECK_OK(fill("sigma = 11;\ncount = 1.5;\nfile = \"nowhere\";\nx = 1;", &problems, &root, &p));
	CHECK(p == NULL && problems.n == 4 && problems.config && problems.data);
	um_node_free(root);
	um_problems_free(&problems);
}

static char *written(const um_node *root)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	um_config_write(root, f);
	fclose(f);
	return text;
}

static void test_round_trip(void)
{
	um_node *a, *b;
	CHECK_OK(um_config_parse("t = \"a \\\"q\\\" \\\\ b\"; n = -5; big = 3000000000L; r = 0.1; tiny = 1e-300; "
		"g = { l = (1, 2.5, \"x\", { y = true; }); e = []; };", "a", &a));
	char *text = written(a);
	CHECK_OK(um_config_parse(text, "b", &b));
	char *again = written(b);
	CHECK(strcmp(text, again) == 0);
	CHECK(um_node_get(b, "r")->real == 0.1 && um_node_get(b, "big")->integer == 3000000000);
	CHECK(strcmp(um_node_get(b, "t")->text, "a \"q\" \\ b") == 0);
	free(text);
	free(again);
	um_node_free(a);
	um_node_free(b);
}

static void test_set(void)
{
	um_node *root;
	CHECK_OK(um_config_parse("a = { b = 1; l = (1, { c = 2; }); };", "f", &root));
	CHECK_OK(um_config_set(root, "a.b=2.5"));
	CHECK(um_node_get(um_node_get(root, "a"), "b")->real == 2.5);
	CHECK_OK(um_config_set(root, "a.l.[1].c=word"));
	CHECK_OK(um_config_set(root, "a.n=[1, 2]"));
	CHECK(um_node_get(um_node_get(root, "a"), "n")->n == 2);
	CHECK_OK(um_config_set(root, "a.p=/some/where=x.fits"));
	CHECK(strcmp(um_node_get(um_node_get(root, "a"), "p")->text, "/some/where=x.fits") == 0);
	CHECK_OK(um_config_set(root, "title=two; words"));
	CHECK(strcmp(um_node_get(root, "title")->text, "two; words") == 0);
	CHECK_FAILS(um_config_set(root, "a.l.[7].c=1"), UM_EPARAM, "--set a.l.[7].c: there is no '[7]'");
	CHECK_FAILS(um_config_set(root, "alpha.b=1"), UM_EPARAM, "there is no 'alpha'");
	CHECK_FAILS(um_config_set(root, "a.b=[1"), UM_EPARAM, "not a libconfig value");
	CHECK_FAILS(um_config_set(root, "nonsense"), UM_EPARAM, "KEY=VALUE");
	um_node_free(root);
}

static void test_nearest(void)
{
	static const char *const words[] = { "sigma", "samples", "fov_uas", NULL };
	CHECK(um_nearest("sigam", words) == words[0]);
	CHECK(um_nearest("fov", words) == words[2]);
	CHECK(um_nearest("weight", words) == NULL && um_nearest("", words) == NULL && um_nearest("q", words) == NULL);
}

CHECK_MAIN(CHECK_CASE(test_defaults), CHECK_CASE(test_values), CHECK_CASE(test_places), CHECK_CASE(test_all_at_once),
	CHECK_CASE(test_round_trip), CHECK_CASE(test_set), CHECK_CASE(test_nearest))
