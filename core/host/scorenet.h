/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What evaluation, training and files of score networks share. */
#ifndef UMBRA_HOST_SCORENET_H
#define UMBRA_HOST_SCORENET_H

#include <umbra/diffusion.h>
#include <umbra/mlp.h>
#include <umbra/program.h>

/* A compiled program and what it is for. */
typedef struct scorenet_program {
	int want;              /* bits of scorenet.c */
	int64_t probes, images;
	um_precision precision;
	um_graph *graph;
	um_program *program;
} scorenet_program;

struct um_scorenet {
	const um_diffusion *set;
	int64_t shape[5], n;
	int threads;
	/* what a file records */
	bool dense;
	um_unet_spec unet;     /* of patches as pixels */
	int64_t patch;
	um_mlp_spec mlp;
	um_sde sde;
	double lo, unit;       /* of u = (x - lo) / unit; unit 0: not known yet */
	double least, most;    /* the smallest and largest time it learned */
	um_weights *w;         /* NULL: not trained */
	um_precision fine, fast;
	int nprograms;
	scorenet_program *program;
};

/* The noise in u_t at label t = 999 times the time, from what the net sees of it: nodes of n numbers. */
um_node *scorenet_node(const um_scorenet *net, bool training, um_node *seen, um_node *t);
/* What the net sees: factor u_t - 1. */
double scorenet_factor(const um_sde *sde, double t);
/* Weights of a file, or where t is NULL at their start. */
um_status scorenet_weights(const um_scorenet *net, const um_rng *rng, const um_tensors *t, um_weights **w);
/* As um_scorenet_score_fast, but jtv = J^T (sigma s + v). */
um_status scorenet_residual(void *self, const um_score_job *job);
/* Drops all programs. */
void scorenet_forget(um_scorenet *net);

/* The net as metadata of a weight file, and back. */
um_status scorenet_note(const um_scorenet *net, um_sink *sink);
um_status scorenet_read(um_scorenet *net, const um_tensors *t);

#endif
