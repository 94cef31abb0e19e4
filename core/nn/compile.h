/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a program. Compiling goes through live nodes and phases (compile.c), fusion (fuse.c),
 * memory (memory.c); running is program.c, with fused steps in fused_run.c. */
#ifndef UMBRA_NN_COMPILE_H
#define UMBRA_NN_COMPILE_H

#include "nn/fused.h"
#include "nn/graph.h"

/* When a node is computed: when the weights changed; before, in and after the work on images. Where
 * images do not go apart the last three are one sequence. */
typedef enum um_phase { UM_ON_WEIGHTS, UM_BEFORE, UM_IMAGES, UM_AFTER, UM_PHASES } um_phase;

/* Where the value of a stored node is. */
typedef struct um_slot {
	const um_node *root;   /* whose memory it is: of a reshape, of what it reshapes */
	char *base;            /* fixed memory, or NULL: in an arena, at offset */
	bool lane;             /* the arena of the lane that works on the image */
	bool taken;            /* shares the memory of another slot from its birth */
	int64_t offset, size;  /* bytes; size of all images where they are kept */
	int64_t image;         /* bytes from image to image, of the batch or of a chunk */
	int birth, death;      /* steps that write it first and read it last; -1: never */
	const um_node *reuse;  /* it may take over the memory of this node */
} um_slot;

/* What compiling knows of a node of the graph. */
typedef struct um_fact {
	bool live;
	bool stored;           /* has a slot; otherwise computed inside fused steps */
	bool output;
	um_phase phase;
	int uses;              /* live nodes that read it */
	int step;              /* that makes it, or -1 for leaves */
	int64_t sum_at;        /* where lanes sum it over their images, in bytes */
	um_slot slot;
} um_fact;

/* One kernel, or one loop of fused element-wise operations. */
typedef struct um_step {
	const um_node *node;   /* of a kernel; NULL: fused */
	um_fused *fused;
	um_phase phase;
	bool late;
	int order;             /* id of the node that decides its place */
	void *state;           /* of the kernel */
	int64_t scratch, scratch_at; /* bytes, and where in the arena */
	bool scratch_lane;
	bool packs;
	int64_t count;         /* images in a call */
	int threads;           /* inside a call */
	int segment;           /* steps of one go image by image together; see segments.c */
	double seconds;        /* with a profile */
	int64_t calls;
} um_step;

typedef struct um_output {
	const um_node *node;
	void *memory;          /* of the program */
} um_output;

struct um_program {
	um_graph *graph;
	um_graph *lowered;     /* the same, where it belongs to the program, or NULL */
	um_schedule schedule;
	um_precision precision; /* UM_FLOAT32 or UM_FLOAT64: of real numbers; of products: info.precision */
	int threads, lanes;
	bool apart;            /* lanes work on images of their own; nothing of an image waits for others */
	int64_t batch, size;   /* of a number, in bytes */
	int64_t chunk;         /* images that a lane works on at a time, or the batch */
	int64_t active;        /* images of a run, the first of the batch */
	const um_weights *weights;
	uint64_t seen;         /* version of the weights that was packed */
	bool fresh;            /* nothing ran yet */
	bool early;            /* the early part ran, the late one did not */
	bool late;             /* there is a late part */
	int64_t few;           /* images of so many numbers, or fewer, are worked on all at once, before others */
	um_fact *fact;         /* [nodes of the graph at compile time] */
	int nnodes;
	int nsteps;
	um_step *step;         /* by phase, early before late, then order */
	int first[UM_PHASES + 1]; /* of the steps of a phase */
	int noutputs;
	um_output *output;
	char *arena;           /* shared, then a lane each */
	int64_t shared_bytes, lane_bytes;
	um_status *each;       /* [lanes] how a lane ended */
	char **sums;           /* [lanes] sums over the images of a lane; [0] unused */
	int64_t sums_bytes;
	int nowned;            /* memory to free */
	void **owned;
	um_program_info info;
	bool profiling;
	char *profile;
};

/* Zeroed, 64-byte aligned memory that belongs to the program, or NULL and a message. */
void *um_program_memory(um_program *p, int64_t bytes);
um_slot *um_program_slot(um_program *p, const um_node *n);
bool um_sums_batch(const um_node *n); /* shared, though an input is batched */
bool um_is_leaf(const um_node *n);

um_status um_program_fuse(um_program *p);   /* facts -> stored nodes and steps */
um_status um_program_plan(um_program *p);   /* slots, arenas */
void um_program_choose_chunk(um_program *p);
int64_t um_program_count(const um_program *p, const um_step *s);
void um_program_segments(um_program *p);
um_step *um_program_add_step(um_program *p);

#endif
