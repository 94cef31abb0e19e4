/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How weights learn: Adam down the gradient of a loss, the moving average of the weights as the result, looks at held-out
 * data, a budget of time, and a checkpoint from which it goes on to the same bytes. Not plugin ABI. */
#ifndef UMBRA_TRAINING_H
#define UMBRA_TRAINING_H

#include <umbra/optim.h>
#include <umbra/program.h>
#include <umbra/sink.h>
#include <umbra/weights.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { UM_TRAINING_SEEN = 4 };

/* A training. The first group is the caller's, who keeps what it points to. */
typedef struct um_training {
	void *self;                /* of the functions */
	um_sink *sink;
	um_weights *average;       /* where it begins, and the result */
	um_compile_options how;    /* without weights */
	int64_t batch, steps, check, warmup; /* check: steps between looks; warmup and the next three as in um_adam */
	double rate, decay, clip;  /* decay: what is left of the rate at the last step, along a cosine; 1: all */
	double averaging;          /* rate of the moving average; it begins with (1 + step) / (10 + step) */
	double seconds;            /* no step begins after so many; 0: no budget */
	/* The scalar loss as a node of g, which has every weight. It may leave further nodes in seen, at most
	 * UM_TRAINING_SEEN, whose values um_training_seen has in learn: of those that do not need late inputs after
	 * um_program_run_early. */
	um_node *(*loss)(void *self, um_graph *g);
	int nseen;
	um_node *seen[UM_TRAINING_SEEN];
	/* Fills the inputs of program for a step (from 0) and runs it; *loss is what progress and looks are told. */
	um_status (*learn)(void *self, int64_t step, double *loss);
	/* After step steps: loss is the mean since the last look. *end = true ends the training. */
	um_status (*look)(void *self, int64_t step, double loss, bool *end);
	int more;                  /* further arrays of the checkpoint, at most 12, and their names */
	const char *const *more_names;
	um_array *const *more_arrays;

	um_program *program;       /* output 0: the loss; the gradient follows, then what is seen */
	um_weights *w;             /* while they learn */
	um_graph *graph;
	um_adam adam;
	um_array grad, count, now, mean;
	bool ended;                /* by look; a caller who knows it from a checkpoint sets it */
} um_training;

/* Compiles the loss and takes up a checkpoint, if there is one: *found. Free it in any case. */
UM_API UM_USED um_status um_training_begin(um_training *t, bool *found);
/* Learns to the end of the steps, the budget, or what look says; with the metrics steps and images_per_second. There is
 * a look after the last step. */
UM_API UM_USED um_status um_training_run(um_training *t);
UM_API void um_training_free(um_training *t);

/* The value of node seen[k] in the program. */
UM_API um_array um_training_seen(const um_training *t, int k);

/* Steps made so far. */
UM_API int64_t um_training_step(const um_training *t);

#ifdef __cplusplus
}
#endif
#endif
