/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Trajectories in white coordinates: with x = L z the momentum r is N(0, 1), and a leapfrog step is
 *   r += h/2 L^T grad(x),  x += h L r,  r += h/2 L^T grad(x).
 * A trajectory is doubled forwards or backwards in time at random until it, or a balanced part of the
 * new half, makes a U-turn: the way that it went, the sum of the momenta of its points with those at
 * the ends counted half (times h, by the trapezoid rule), no longer points along the momenta at both
 * ends. So that none that comes back to where it began is missed, it is also followed from its beginning
 * to one point beyond the middle, and from one before the middle to its end. The draw is one of its points
 * by their weight exp(-energy); between halves the new one is preferred (Betancourt 2017, A.3.2). Parts
 * are checked without recursion, as batches need (Phan et al. 2019, arXiv:1912.11554): every chain has
 * its own tree, and one call evaluates the next point of all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbra/nuts.h>

enum { FORWARD = 1 };
static const double LOST = 1000; /* of the energy: the step has diverged */

/* Vectors of a chain in its room: position, momentum and L^T gradient at both ends; the point taken so far,
 * and of the running half, with their gradients; sums of momenta of both; the momentum one point ago;
 * then the marks: the momenta of a point and of the one before it, and the sum before the point. */
enum { X, R = X + 2, G = R + 2, TAKEN = G + 2, NEW = TAKEN + 2, SUM = NEW + 2, NEW_SUM, LAST, MARK };
enum { AT, BEFORE, SUM_BEFORE, MARKED };

typedef struct {
	um_rng *rng;
	double energy;             /* at the start */
	double weight, new_weight; /* logarithms of sums of weights: of all points, of the running half */
	double lp, part, new_lp, new_part;
	int64_t depth, leaf;       /* doublings that are complete, points of the running half */
	int way;                   /* the end at which it grows */
	double h;                  /* the step there, negative backwards */
	bool done;
} tree;

/* Beside trees and their vectors, what value is handed: count points of some chains. */
struct um_nuts_work {
	tree *tree;
	double *room, *x, *dx, *lp, *part;
	int64_t *row;
};

static double *vector(const um_nuts *s, int64_t row, int64_t which)
{
	return s->work->room + (row * (MARK + MARKED * s->depth) + which) * s->n;
}

static void copy(const um_nuts *s, double *to, const double *from)
{
	memcpy(to, from, sizeof(double) * (size_t)s->n);
}

/* In one order, whatever the number of threads. */
static double dot(int64_t n, const double *a, const double *b)
{
	double sum[4] = { 0 };
	int64_t i = 0;
	for (; i + 4 <= n; i += 4)
		for (int k = 0; k < 4; k++)
			sum[k] += a[i + k] * b[i + k];
	for (; i < n; i++)
		sum[0] += a[i] * b[i];
	return sum[0] + sum[1] + (sum[2] + sum[3]);
}

/* y += h x */
static void add_times(int64_t n, double h, const double *x, double *restrict y)
{
	for (int64_t i = 0; i < n; i++)
		y[i] += h * x[i];
}

static double log_add(double a, double b)
{
	const double top = fmax(a, b);
	return top > -INFINITY ? top + log(exp(a - top) + exp(b - top)) : top;
}

/* ---- steps ------------------------------------------------------------------------- */

/* x += h L r */
static void drift(const um_nuts *s, int64_t group, double h, const double *r, double *x)
{
	const double *l = um_row_d(&s->scale, group);
	for (int64_t i = 0; i < s->n; i++)
		x[i] += h * (s->dense ? dot(i + 1, l + i * s->n, r) : l[i] * r[i]);
}

/* white = L^T g */
static void whiten(const um_nuts *s, int64_t group, const double *g, double *white)
{
	const double *l = um_row_d(&s->scale, group);
	memset(white, 0, sizeof(double) * (size_t)s->n);
	for (int64_t i = 0; i < s->n; i++)
		if (s->dense)
			add_times(i + 1, g[i], l + i * s->n, white);
		else
			white[i] = l[i] * g[i];
}

/* Half a kick and the drift of end way of a chain, whose new position goes into the batch at k. */
static void depart(const um_nuts *s, int64_t row, int way, double h, int64_t k)
{
	double *x = vector(s, row, X + way), *r = vector(s, row, R + way);
	add_times(s->n, h / 2, vector(s, row, G + way), r);
	drift(s, row / s->chains, h, r, x);
	copy(s, s->work->x + k * s->n, x);
}

/* The other half, with the gradient from the batch; log of the weight of the point. */
static double arrive(const um_nuts *s, int64_t row, int way, double h, int64_t k, double lp)
{
	double *r = vector(s, row, R + way), *g = vector(s, row, G + way);
	whiten(s, row / s->chains, s->work->dx + k * s->n, g);
	add_times(s->n, h / 2, g, r);
	const double weight = s->work->tree[row].energy - 0.5 * dot(s->n, r, r) + lp;
	return weight > -INFINITY ? weight : -INFINITY;
}

/* Both ends at where the chain stands, with a new momentum. */
static void launch(um_nuts *s, int64_t row, um_rng *rng)
{
	for (int way = 0; way < 2; way++) {
		copy(s, vector(s, row, X + way), um_row_d(&s->x, row));
		whiten(s, row / s->chains, um_row_d(&s->dx, row), vector(s, row, G + way));
	}
	double *r = vector(s, row, R);
	um_normal_fill(rng, r, s->n);
	copy(s, vector(s, row, R + 1), r);
	s->work->tree[row].energy = 0.5 * dot(s->n, r, r) - *um_row_d(&s->lp, row);
}

/* The points in the batch. */
static um_status evaluate(um_nuts *s, int64_t count)
{
	const struct um_nuts_work *w = s->work;
	return s->value(s->context, count, w->row, w->x, w->lp, w->part, w->dx);
}

um_status um_nuts_refresh(um_nuts *s)
{
	um_status st = UM_OK;
	const int64_t rows = s->groups * s->chains;
	struct um_nuts_work *w = s->work;
	for (int64_t r = 0; r < rows; r++) {
		copy(s, w->x + r * s->n, um_row_d(&s->x, r));
		w->row[r] = r;
	}
	UM_TRY(evaluate(s, rows));
	memcpy(s->lp.data, w->lp, sizeof(double) * (size_t)rows);
	memcpy(s->part.data, w->part, sizeof(double) * (size_t)rows);
	memcpy(s->dx.data, w->dx, sizeof(double) * (size_t)(rows * s->n));
out:
	return st;
}

/* ---- a first step size ------------------------------------------------------------------ */

/* A search: the size that is tried, and whether it doubles (1), halves (-1), or has ended. */
typedef struct { double size; int way; bool ended; } search;

/* One step of all chains whose search goes on; how many there are. */
static um_status try_sizes(um_nuts *s, search *of, const um_rng *rng, int64_t *count)
{
	um_status st = UM_OK;
	struct um_nuts_work *w = s->work;
	*count = 0;
	for (int64_t r = 0; r < s->groups * s->chains; r++)
		if (!of[r / s->chains].ended) {
			um_rng same = rng[r];
			launch(s, r, &same);
			depart(s, r, FORWARD, of[r / s->chains].size, *count);
			w->row[(*count)++] = r;
		}
	if (*count == 0)
		goto out;
	UM_TRY(evaluate(s, *count));
	for (int64_t k = 0; k < *count; k += s->chains) { /* rows of a group go together */
		search *f = &of[w->row[k] / s->chains];
		double accept = 0;
		for (int64_t i = k; i < k + s->chains; i++)
			accept += fmin(1, exp(arrive(s, w->row[i], FORWARD, f->size, i, w->lp[i]))) / (double)s->chains;
		const int way = accept > 0.5 ? 1 : -1;
		f->ended = f->way == -way;
		f->way = way;
		if (!f->ended)
			f->size *= way > 0 ? 2 : 0.5;
	}
out:
	return st;
}

um_status um_nuts_find(um_nuts *s, um_rng *rng)
{
	enum { MOST = 100 };
	um_status st = UM_OK;
	int64_t going = 1;
	search *of = calloc((size_t)s->groups, sizeof(*of));
	if (of == NULL)
		UM_TRY(um_fail(UM_ENOMEM, "no memory for step sizes"));
	for (int64_t g = 0; g < s->groups; g++)
		of[g] = (search){ .size = 1, .ended = um_row_d(&s->step, g)[UM_NUTS_NOW] > 0 };
	for (int k = 0; k < MOST && going > 0; k++)
		UM_TRY(try_sizes(s, of, rng, &going));
	for (int64_t g = 0; g < s->groups; g++) {
		double *step = um_row_d(&s->step, g);
		if (!of[g].ended)
			UM_TRY(um_fail(UM_ENUM, "steps of every size are %s: the density %s", of[g].way > 0 ? "accepted" :
				"refused", of[g].way > 0 ? "is flat; the prior has to bound it" : "or its gradient is wrong"));
		if (step[UM_NUTS_NOW] > 0)
			continue;
		memset(step, 0, sizeof(double) * UM_NUTS_STEP);
		step[UM_NUTS_NOW] = of[g].size;
		step[UM_NUTS_CENTRE] = log(10 * of[g].size);
	}
out:
	free(of);
	return st;
}

/* ---- trees ---------------------------------------------------------------------------- */

static void grow(um_nuts *s, int64_t row)
{
	tree *t = &s->work->tree[row];
	t->way = um_uniform(t->rng) < 0.5;
	t->leaf = 0;
	t->new_weight = -INFINITY;
	copy(s, vector(s, row, LAST), vector(s, row, R + t->way));
	memset(vector(s, row, NEW_SUM), 0, sizeof(double) * (size_t)s->n);
}

/* Momenta a and b at the ends of a part; its sum of momenta is (plus - minus) + (extra, if there). */
static bool turned(const um_nuts *s, const double *a, const double *b, const double *plus, const double *minus,
	const double *extra)
{
	double along_a = 0, along_b = 0;
	for (int64_t i = 0; i < s->n; i++) {
		const double way = plus[i] - (minus != NULL ? minus[i] : 0) + (extra != NULL ? extra[i] : 0) -
			0.5 * (a[i] + b[i]);
		along_a += way * a[i];
		along_b += way * b[i];
	}
	return !(along_a > 0 && along_b > 0);
}

/* The mark of point j of the running half, an even one: its slot is the number of ones in j. */
static double *mark(const um_nuts *s, int64_t row, int64_t j, int which)
{
	return vector(s, row, MARK + MARKED * __builtin_popcountll((unsigned long long)j) + which);
}

/* Takes the newest point into the sum of the running half; whether a balanced part that ends there has
 * turned. Parts of 2^k points that end at point i begin at j = i + 1 - 2^k, which is i with trailing ones
 * removed, so that the slots of their marks are not shared; the middle of one is where the next begins. */
static bool part_turned(um_nuts *s, int64_t row)
{
	tree *t = &s->work->tree[row];
	const int64_t i = t->leaf;
	const double *r = vector(s, row, R + t->way);
	double *sum = vector(s, row, NEW_SUM), *last = vector(s, row, LAST);
	bool turn = false;
	if (i % 2 == 0) {
		copy(s, mark(s, row, i, AT), r);
		copy(s, mark(s, row, i, BEFORE), last);
		copy(s, mark(s, row, i, SUM_BEFORE), sum);
	}
	for (int64_t k = 0; k < s->n; k++)
		sum[k] += r[k];
	for (int64_t size = 2; !turn && (i + 1) % size == 0; size *= 2) {
		const int64_t j = i + 1 - size, middle = j + size / 2;
		const double *first = mark(s, row, j, AT), *before = mark(s, row, j, SUM_BEFORE);
		turn = turned(s, first, r, sum, before, NULL);
		if (size > 2)
			turn = turn || turned(s, first, mark(s, row, middle, AT), mark(s, row, middle, SUM_BEFORE), before,
				mark(s, row, middle, AT)) || turned(s, mark(s, row, middle, BEFORE), r, sum,
				mark(s, row, middle, SUM_BEFORE), mark(s, row, middle, BEFORE));
	}
	copy(s, last, r);
	return turn;
}

/* The same of the whole trajectory, where the running half is complete. */
static bool whole_turned(const um_nuts *s, int64_t row, int way)
{
	const double *first = vector(s, row, R + 1 - way), *r = vector(s, row, R + way);
	const double *sum = vector(s, row, SUM), *more = vector(s, row, NEW_SUM);
	const double *inner = mark(s, row, 0, BEFORE), *next = mark(s, row, 0, AT);
	return turned(s, first, r, sum, NULL, more) || turned(s, first, next, sum, NULL, next) ||
		turned(s, inner, r, more, NULL, inner);
}

/* The running half is complete and becomes part of the trajectory. */
static void join(um_nuts *s, int64_t row)
{
	tree *t = &s->work->tree[row];
	double *sum = vector(s, row, SUM), *more = vector(s, row, NEW_SUM);
	if (um_uniform(t->rng) < exp(t->new_weight - t->weight)) {
		copy(s, vector(s, row, TAKEN), vector(s, row, NEW));
		copy(s, vector(s, row, TAKEN + 1), vector(s, row, NEW + 1));
		t->lp = t->new_lp;
		t->part = t->new_part;
	}
	t->weight = log_add(t->weight, t->new_weight);
	t->done = whole_turned(s, row, t->way);
	for (int64_t i = 0; i < s->n; i++)
		sum[i] += more[i];
	t->depth++;
	if (!t->done && t->depth == s->depth)
		t->done = s->move[row].deep = true;
	if (!t->done)
		grow(s, row);
}

/* A new point at the growing end, in the batch at k, with its log weight. */
static void add(um_nuts *s, int64_t row, int64_t k, double weight)
{
	tree *t = &s->work->tree[row];
	um_nuts_move *move = &s->move[row];
	move->leaps++;
	move->accept += (fmin(1, exp(weight)) - move->accept) / (double)move->leaps;
	move->diverged = t->done = weight < -LOST;
	if (t->done)
		return;
	t->new_weight = log_add(t->new_weight, weight);
	if (um_uniform(t->rng) < exp(weight - t->new_weight)) {
		copy(s, vector(s, row, NEW), vector(s, row, X + t->way));
		copy(s, vector(s, row, NEW + 1), s->work->dx + k * s->n);
		t->new_lp = s->work->lp[k];
		t->new_part = s->work->part[k];
	}
	t->done = part_turned(s, row);
	if (!t->done && ++t->leaf == (int64_t)1 << t->depth)
		join(s, row);
}

static void plant(um_nuts *s, int64_t row, um_rng *rng)
{
	tree *t = &s->work->tree[row];
	*t = (tree){ .rng = rng, .lp = *um_row_d(&s->lp, row), .part = *um_row_d(&s->part, row) };
	launch(s, row, rng);
	copy(s, vector(s, row, TAKEN), vector(s, row, X));
	copy(s, vector(s, row, TAKEN + 1), um_row_d(&s->dx, row));
	copy(s, vector(s, row, SUM), vector(s, row, R));
	s->move[row] = (um_nuts_move){ 0 };
	grow(s, row);
}

/* The next point of every chain whose trajectory is not complete; how many there are. */
static um_status advance(um_nuts *s, int64_t *count)
{
	um_status st = UM_OK;
	struct um_nuts_work *w = s->work;
	*count = 0;
	for (int64_t r = 0; r < s->groups * s->chains; r++)
		if (!w->tree[r].done) {
			const double h = um_row_d(&s->step, r / s->chains)[UM_NUTS_NOW];
			w->tree[r].h = w->tree[r].way == FORWARD ? h : -h;
			depart(s, r, w->tree[r].way, w->tree[r].h, *count);
			w->row[(*count)++] = r;
		}
	if (*count == 0)
		goto out;
	UM_TRY(evaluate(s, *count));
	for (int64_t k = 0; k < *count; k++) {
		const tree *t = &w->tree[w->row[k]];
		add(s, w->row[k], k, arrive(s, w->row[k], t->way, t->h, k, w->lp[k]));
	}
out:
	return st;
}

um_status um_nuts_step(um_nuts *s, um_rng *rng)
{
	um_status st = UM_OK;
	int64_t going = 1;
	for (int64_t r = 0; r < s->groups * s->chains; r++)
		plant(s, r, &rng[r]);
	while (going > 0)
		UM_TRY(advance(s, &going));
	for (int64_t r = 0; r < s->groups * s->chains; r++) {
		copy(s, um_row_d(&s->x, r), vector(s, r, TAKEN));
		copy(s, um_row_d(&s->dx, r), vector(s, r, TAKEN + 1));
		*um_row_d(&s->lp, r) = s->work->tree[r].lp;
		*um_row_d(&s->part, r) = s->work->tree[r].part;
	}
out:
	return st;
}

/* ---- memory --------------------------------------------------------------------------------- */

int um_nuts_state(um_nuts *s, const char *name[], um_array *array[])
{
	static const char *const names[] = { "x", "dx", "lp", "part", "scale", "step", "moments" };
	um_array *const arrays[] = { &s->x, &s->dx, &s->lp, &s->part, &s->scale, &s->step, &s->moments };
	for (int i = 0; i < UM_NUTS_ARRAYS; i++) {
		name[i] = names[i];
		array[i] = arrays[i];
	}
	return UM_NUTS_ARRAYS;
}

static um_status work_new(um_nuts *s, int64_t rows)
{
	const size_t vectors = (size_t)(rows * (MARK + MARKED * s->depth)), n = (size_t)s->n;
	struct um_nuts_work *w = calloc(1, sizeof(*w));
	if (w == NULL)
		return um_fail(UM_ENOMEM, "no memory for chains");
	s->work = w;
	s->move = calloc((size_t)rows, sizeof(*s->move));
	w->tree = calloc((size_t)rows, sizeof(*w->tree));
	w->row = calloc((size_t)rows, sizeof(*w->row));
	w->room = calloc((vectors + 2 * (size_t)rows) * n + 2 * (size_t)rows, sizeof(double));
	if (s->move == NULL || w->tree == NULL || w->row == NULL || w->room == NULL)
		return um_fail(UM_ENOMEM, "no memory for the trajectories of %lld chains of %lld numbers",
			(long long)rows, (long long)s->n);
	w->x = w->room + vectors * n;
	w->dx = w->x + (size_t)rows * n;
	w->lp = w->dx + (size_t)rows * n;
	w->part = w->lp + rows;
	return UM_OK;
}

um_status um_nuts_new(um_nuts *s)
{
	um_status st = UM_OK;
	const int64_t rows = s->groups * s->chains, n = s->n;
	const struct { um_array *a; int rank; int64_t dim[3]; } arrays[] = {
		{ &s->x, 2, { rows, n } }, { &s->dx, 2, { rows, n } }, { &s->lp, 2, { rows, 1 } },
		{ &s->part, 2, { rows, 1 } }, { &s->scale, s->dense ? 3 : 2, { s->groups, n, n } },
		{ &s->step, 2, { s->groups, UM_NUTS_STEP } },
		{ &s->moments, 2, { s->groups, 1 + 4 * n + (s->dense ? n * n : 0) } },
	};
	for (size_t i = 0; i < sizeof(arrays) / sizeof(*arrays); i++)
		UM_TRY(um_array_new(arrays[i].a, UM_F64, arrays[i].rank, arrays[i].dim));
	for (int64_t g = 0; g < s->groups; g++)
		for (int64_t i = 0; i < n; i++)
			um_row_d(&s->scale, g)[s->dense ? i * n + i : i] = 1;
	UM_TRY(work_new(s, rows));
out:
	return st;
}

void um_nuts_free(um_nuts *s)
{
	const char *name[UM_NUTS_ARRAYS];
	um_array *array[UM_NUTS_ARRAYS];
	for (int i = um_nuts_state(s, name, array) - 1; i >= 0; i--)
		um_array_free(array[i]);
	if (s->work != NULL) {
		free(s->work->tree);
		free(s->work->row);
		free(s->work->room);
	}
	free(s->work);
	free(s->move);
	s->work = NULL;
	s->move = NULL;
}
