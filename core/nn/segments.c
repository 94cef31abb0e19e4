/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In which order a lane goes through steps and images. Each image through all steps keeps its values
 * in cache, but each image then needs all weights again, and has to be added to all their gradients;
 * each step for all images is the other way round. So a lane takes a chunk of images, and steps come in
 * segments: each image goes through a whole segment, whose weights stay in cache, before the next
 * image does, and all of the chunk through one segment before the next. Sums over the batch are taken
 * of the whole chunk at once. */
#include "nn/compile.h"

enum { MOST_IMAGES = 8, WEIGHT_SHARE = 2, SEGMENT_BYTES = 1 << 18 };

/* Bytes that one image needs of what all share, weights and sums over the batch that it is added to,
 * and those of its own. */
static void traffic(const um_program *p, double *shared, double *own)
{
	*shared = *own = 0;
	for (int i = 0; i < p->nnodes; i++) {
		const um_node *n = p->graph->node[i];
		const double bytes = (double)um_node_len(n) * (double)um_node_size(n, p->size);
		if (!p->fact[i].live || !p->fact[i].stored)
			continue;
		if (n->batched)
			*own += bytes;
		else if (um_sums_batch(n))
			*shared += 2 * bytes;
		for (int k = 0; n->batched && k < n->nin; k++)
			if (!n->in[k]->batched)
				*shared += (double)um_node_len(n->in[k]) * (double)um_node_size(n->in[k], p->size);
	}
}

/* The fewest images that make weights a small part of what is moved, of those that share out a lane. */
void um_program_choose_chunk(um_program *p)
{
	double shared, own;
	if (p->schedule != UM_PER_IMAGE || !p->apart || p->batch % p->lanes != 0)
		return;
	const int64_t share = p->batch / p->lanes;
	if (p->late) {
		p->chunk = share;
		return;
	}
	traffic(p, &shared, &own);
	for (int64_t n = 1; n <= MOST_IMAGES && n <= share; n++) {
		if (share % n != 0)
			continue;
		p->chunk = n;
		if ((double)n * own >= WEIGHT_SHARE * shared)
			break;
	}
}

/* Images in a call of the step. */
int64_t um_program_count(const um_program *p, const um_step *s)
{
	const um_node *n = s->node;
	const bool batched = n != NULL ? n->batched || um_sums_batch(n) : s->fused->batched;
	if (!batched)
		return 1;
	const bool one = p->schedule == UM_PER_IMAGE && p->apart && s->phase == UM_IMAGES &&
		!(n != NULL && um_sums_batch(n));
	return one ? 1 : p->apart && s->phase == UM_IMAGES ? p->chunk : p->batch;
}

static double weights_of(const um_program *p, const um_step *s)
{
	double bytes = 0;
	for (int k = 0; s->node != NULL && k < s->node->nin; k++)
		if (!s->node->in[k]->batched)
			bytes += (double)um_node_len(s->node->in[k]) * (double)um_node_size(s->node->in[k], p->size);
	return bytes;
}

void um_program_segments(um_program *p)
{
	double bytes = 0;
	for (int i = 0; i < p->nsteps; i++) {
		um_step *s = &p->step[i];
		const um_step *before = i > 0 ? s - 1 : NULL;
		s->count = um_program_count(p, s);
		s->threads = p->apart && s->phase == UM_IMAGES ? 1 : p->threads;
		const double more = weights_of(p, s);
		const bool starts = before == NULL || s->phase != before->phase || s->late != before->late ||
			s->count != before->count || (more > 0 && bytes + more > SEGMENT_BYTES);
		bytes = starts ? more : bytes + more;
		s->segment = before == NULL ? 0 : before->segment + starts;
	}
}
