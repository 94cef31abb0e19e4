/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A graph compiled for one machine: dead nodes dropped, chains of element-wise operations fused,
 * memory planned from lifetimes, kernels chosen, all once. A run allocates nothing. Two programs
 * may run in two threads; one program, in one thread at a time. Not plugin ABI. */
#ifndef UMBRA_PROGRAM_H
#define UMBRA_PROGRAM_H

#include <umbra/array.h>
#include <umbra/graph.h>
#include <umbra/weights.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct um_program um_program;

typedef enum um_schedule {
	UM_PER_BATCH, /* one operation after the other for all images: flows, dense layers. Threads take
	                 equal shares of a large batch where no image waits for a sum over it, else they
	                 share each operation. */
	UM_PER_IMAGE, /* each image through the whole network, images spread over threads, so that
	                 activations stay in cache: convolutions. Nothing batched may depend on a
	                 sum over the batch. */
} um_schedule;

/* What convolutions and matrix products of some size are made of; everything else, and the sums
 * inside products, is float32, or float64 throughout. bfloat16 needs a processor with tiles (AMX);
 * elsewhere a program that asks for it gets float32. */
typedef enum um_precision {
	UM_FLOAT32,
	UM_FLOAT64,     /* the reference, for tests */
	UM_BFLOAT16,    /* factors rounded to 8 bits: for sampling and training */
	UM_BFLOAT16X3,  /* factors split in two, whose 16 bits come near float32; gradients of weights of
	                   convolutions are float32 */
	UM_AUTO,        /* the fastest that is as good as float32 */
} um_precision;
#define UM_PRECISIONS "float32", "float64", "bfloat16", "bfloat16x3", "auto"

typedef struct um_compile_options {
	um_schedule schedule;
	um_precision precision;
	int threads;           /* 0: as many as um_threads allows */
	const um_weights *weights; /* values of the weights, lent until um_program_free; NULL if none */
} um_compile_options;

/* A program that computes n nodes of one graph, which has to live until
 * um_program_free. Errors name the node and the shapes. */
UM_API UM_USED um_status um_compile(int n, um_node *const outputs[], const um_compile_options *options,
	um_program **program);
UM_API void um_program_free(um_program *p);

/* Where to write an input before a run and read output k after it: [batch][shape] for batched
 * nodes, [shape] for shared ones, in the precision of the program. Valid until um_program_free.
 * An input that no output needs has data NULL. */
UM_API um_array um_program_input(um_program *p, const char *name);
UM_API um_array um_program_output(um_program *p, int k);
/* Output k is written to memory of the caller's from now on, 64-byte aligned. */
UM_API void um_program_output_to(um_program *p, int k, void *memory);

/* Runs everything. key chooses the dropout masks. Inside a parallel region of OpenMP only programs
 * for one thread run. */
UM_API UM_USED um_status um_program_run(um_program *p, uint64_t key);
/* From now on only the first n images of the batch are wanted: UM_PER_IMAGE then leaves out the
 * others, where nothing is summed over the batch. */
UM_API void um_program_images(um_program *p, int64_t n);
/* What does not depend on late inputs; the next um_program_run then does the rest. So a caller can compute the
 * gradient that it feeds in from outputs of the same pass. Between the two the values of all images are
 * kept, in UM_PER_IMAGE, too: make the batch small there. */
UM_API UM_USED um_status um_program_run_early(um_program *p, uint64_t key);

typedef struct um_program_info {
	int64_t nodes, steps;       /* after dead nodes were dropped; kernels called, fused ones once */
	int64_t arena_bytes;        /* memory for values that live between steps, all threads */
	int64_t live_bytes;         /* the most that is alive at once, all threads: the floor of it */
	int64_t packed_bytes;       /* weights in the layouts of the kernels */
	double flops;               /* of a run: multiplications and additions of products */
	double bytes;               /* of a run: what its steps read and write, from cache or not */
	char kernel[64];            /* what most flops are made by, as its library calls it, or "" */
	int threads;
	um_precision precision;     /* of its products, never UM_AUTO */
} um_program_info;
UM_API um_program_info um_program_about(const um_program *p);

/* With UMBRA_PROFILE set, the time in each kind of step since the program was made, as lines for
 * a person; else "". Valid until the next call. */
UM_API const char *um_program_profile(um_program *p);

#ifdef __cplusplus
}
#endif
#endif
