/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of the conformance battery. A check looks at one property of an open instance
 * and returns UM_OK, or fails with the numbers that disagree; every array that it takes from
 * its fixture starts as NaN and lives until the check is over. */
#ifndef UMBRA_HOST_CONFORM_H
#define UMBRA_HOST_CONFORM_H

#include <umbra/host.h>

enum { CONFORM_BATCH = 3 };

/* What a plugin learned on images of one shape, for its instances. */
struct learned {
	int64_t shape[5];
	char *path;            /* of its weight file */
	void *params;
};

/* One plugin under test. */
struct battery {
	const um_plugin *plugin;
	const void *params;
	FILE *out;
	int failed;
	bool flaky;            /* sample was found not to repeat */
	struct learned *learned;
	int nlearned;
};

/* An instance of it on images of one shape. */
struct fixture {
	struct battery *b;
	um_env env;
	um_forward forward;    /* that of the plugin's kind is open */
	um_prior prior;
	um_params *named;      /* parameters of the prior that it names */
	um_inference inference;
	int64_t n;             /* pixels */
	const char *absent;    /* why the running check has nothing to test, if it sees that only then; it returns UM_OK */
	void **memory;         /* what the running check holds */
	struct guarded *guarded; /* and arrays, which a plugin may write to */
	int npool, nguarded;
};

struct check {
	const char *name;
	um_status (*run)(struct fixture *f);
	const char *(*absent)(const struct fixture *f); /* why there is nothing to test, or NULL; NULL: there always is */
};

/* Runs each check on all fixtures and writes one line for it. */
void conform_run(struct battery *b, struct fixture *f, int nfixtures, const struct check *checks, size_t n);
void conform_line(struct battery *b, const char *name, um_status st);

/* Opens the plugin on the shapes that it accepts: at least one, at most two. */
um_status conform_open(struct battery *b, struct fixture f[2], int *n);
um_status conform_instance(struct battery *b, const um_env *env, struct fixture *f);
void conform_close(struct fixture *f);

/* The parameters for images of this shape: those of the battery, or, of a prior or inference that learns and has
 * no model, with what a short fit gave: to smooth positive images, or to noisy ones of a Gaussian. */
um_status conform_learned(struct battery *b, const um_env *env, const void **params);
void conform_forget(struct battery *b);

/* What inferences are tried on: independent Gaussian pixels seen with white noise. Close it whether or not it opens. */
struct toy {
	um_params *params[2];
	um_forward forward;
	um_prior prior;
};
um_status conform_toy(const um_env *env, struct toy *t);
void conform_toy_close(struct toy *t);

/* Bytes with marks and forbidden pages around them, for the running check; whether the marks still stand;
 * an end of all that a check holds. */
void *conform_guarded(struct fixture *f, size_t bytes);
um_status conform_unharmed(const struct fixture *f);
void conform_release(struct fixture *f);

/* Arrays of NaN: images [count][shape], rows of n doubles, plain doubles; n may be 0. */
um_array *conform_images(struct fixture *f, int64_t count);
um_array *conform_rows(struct fixture *f, int64_t count, int64_t n);
double *conform_doubles(struct fixture *f, int64_t n);
um_rng *conform_rngs(struct fixture *f, int64_t count); /* streams 0, 1, 2 */

/* Images to test at: positive and bright, or of both signs; normal numbers. */
um_array *conform_point(struct fixture *f, int64_t count, bool positive, uint64_t stream);
um_array *conform_normal(struct fixture *f, int64_t count, uint64_t stream);
um_array *conform_normal_rows(struct fixture *f, int64_t count, int64_t n, uint64_t stream);

/* x + h v and x - h v rounded to float, and their true difference. */
void conform_step(const um_array *x, const um_array *v, double h, um_array *up, um_array *down, um_array *d);

/* Steps for differences: the best counts, since the largest suffers from curvature and the smallest from rounding. */
enum { CONFORM_STEPS = 4 };
extern const double conform_steps[CONFORM_STEPS];

double conform_dot(const um_array *a, const um_array *b);
double conform_norm(const um_array *a);

/* Fails unless |got - want| <= tol * max(|got|, |want|, scale). */
um_status conform_near(double got, double want, double tol, double scale, const char *what);
/* Fails unless |a - b| <= tol * max(|a|, |b|), norms over whole arrays of one type. */
um_status conform_same(const um_array *a, const um_array *b, double tol, const char *what);
/* Fails unless, for one of the steps along v, <g, d> is the difference of the values (of fourth order in the step): g is the
 * gradient at x. */
um_status conform_gradient(struct fixture *f, const um_array *x, const um_array *g, const um_array *v,
	um_status (*value)(struct fixture *f, const void *context, const um_array *x, double *out), const void *context);
um_status conform_finite(const um_array *a, const char *what);
um_status conform_numbers(const double *v, int64_t n, const char *what);
um_status conform_bytes(const um_array *a, const um_array *b, const char *what);

/* What one instance gives alone, two in threads of their own must give; what(f) opens one and returns its
 * result, held by f, or says in f->absent why there is none. */
um_status conform_threads(struct fixture *f, um_status (*what)(struct fixture *f, um_array **out));

/* The parts. */
bool conform_descriptor(struct battery *b); /* false: it cannot be run */
um_status conform_statics(struct fixture *f);
um_status conform_file_name(struct fixture *f);
void conform_forward(struct battery *b, struct fixture *f, int n);
void conform_prior(struct battery *b, struct fixture *f, int n);
void conform_fit(struct battery *b, struct fixture *f, int n);
void conform_score(struct battery *b, struct fixture *f, int n);
void conform_closed(struct battery *b, struct fixture *f, int n);
void conform_inference(struct battery *b, struct fixture *f, int n);

#endif
