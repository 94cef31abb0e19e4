/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ordinary differential equations: batches of independent solutions y' = f(t, y), each with steps of its
 * own, so that a solution does not depend on what else is in its batch. Not plugin ABI. */
#ifndef UMBRA_ODE_H
#define UMBRA_ODE_H

#include <stdbool.h>
#include <stdint.h>
#include <umbra/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Explicit Runge-Kutta methods, of order 1, 2, 3, 5, 5 and 8. */
typedef enum um_ode_method {
	UM_ODE_EULER,
	UM_ODE_HEUN,   /* the trapezoid rule */
	UM_ODE_BOSH3,  /* Bogacki & Shampine 1989, doi:10.1016/0893-9659(89)90079-7 */
	UM_ODE_TSIT5,  /* Tsitouras 2011, doi:10.1016/j.camwa.2011.06.002 */
	UM_ODE_DOPRI5, /* Dormand & Prince 1980, doi:10.1016/0771-050X(80)90013-3 */
	UM_ODE_DOPRI8, /* Prince & Dormand 1981, doi:10.1016/0771-050X(81)90010-3 */
} um_ode_method;
#define UM_ODE_METHODS "euler|heun|bosh3|tsit5|dopri5|dopri8"
UM_API um_ode_method um_ode_named(const char *name); /* one of UM_ODE_METHODS */
UM_API int um_ode_order(um_ode_method method);

typedef struct um_ode {
	um_ode_method method;
	double rtol, atol;  /* the error of a step is at most atol + rtol |y|, root mean square */
	int64_t steps;      /* > 0: so many equal steps instead */
	bool whole;         /* the first step tries to go all the way */
	int64_t most;       /* steps of one solution before it fails; 0: 100000 */
	int64_t n;          /* numbers of a state */
	int64_t counted;    /* the first so many decide about steps; 0: all */
	/* dy[k] = f(t[k], y[k]) for count states [count][n]; state k belongs to solution row[k]. */
	um_status (*f)(void *context, int64_t count, const int64_t row[], const double t[], const double *y,
		double *dy);
	/* (optional) a step of a solution from y at t to t + h was accepted. */
	um_status (*accepted)(void *context, int64_t row, double t, double h, const double *y);
	void *context;
} um_ode;

typedef struct um_ode_count {
	int64_t evaluations, steps, rejected;
} um_ode_count;

/* y [batch][n] at from[i] becomes y at to[i], which may be smaller. count [batch] is what each took, or
 * NULL. A solution that needs steps below rounding, or too many, fails with UM_ENUM and says where.
 * Steps follow Hairer, Norsett & Wanner 1993, sec. II.4: the first one by the size of y' and y'', the
 * others by a proportional-integral controller. */
UM_API UM_USED um_status um_ode_solve(const um_ode *o, int64_t batch, const double from[], const double to[],
	double *y, um_ode_count *count);

/* The coefficients of a method, for those who differentiate its steps: a [stages][stages] below the
 * diagonal, b and c [stages]. */
typedef struct um_ode_table {
	int order, stages;
	bool first_same_as_last; /* the last stage is the first one of the next step */
	const double *a, *b, *c;
	const double *e;         /* weights of the error, or NULL */
} um_ode_table;
UM_API const um_ode_table *um_ode_table_of(um_ode_method method);

#ifdef __cplusplus
}
#endif
#endif
