/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two instances, each in a thread of its own, do what one does alone. */
#include <pthread.h>
#include <string.h>
#include "host/conform.h"

struct worker {
	pthread_t thread;
	struct fixture f;
	um_status (*work)(struct fixture *f, um_array **out);
	um_array *out;
	um_status st;
	char message[512];
};

static void *work(void *state)
{
	struct worker *w = state;
	w->st = w->work(&w->f, &w->out);
	if (w->st != UM_OK)
		snprintf(w->message, sizeof(w->message), "%s", um_message());
	return NULL;
}

um_status conform_threads(struct fixture *f, um_status (*what)(struct fixture *f, um_array **out))
{
	enum { ALONE, FIRST, SECOND, N };
	um_status st = UM_OK;
	struct worker w[N];
	for (int i = 0; i < N; i++)
		w[i] = (struct worker){ .f = { .b = f->b, .env = f->env, .n = f->n }, .work = what };
	work(&w[ALONE]);
	bool begun[N] = { false };
	for (int i = FIRST; i < N && w[ALONE].st == UM_OK; i++)
		begun[i] = pthread_create(&w[i].thread, NULL, work, &w[i]) == 0;
	for (int i = FIRST; i < N; i++)
		if (begun[i])
			pthread_join(w[i].thread, NULL);
	f->absent = w[ALONE].f.absent;
	for (int i = 0; i < N && f->absent == NULL; i++) {
		if (w[i].st != UM_OK)
			UM_TRY(um_fail(w[i].st, "%s", w[i].message));
		if (i != ALONE && begun[i] && um_array_len(w[i].out) != um_array_len(w[ALONE].out))
			UM_TRY(um_fail(UM_EPLUGIN, "an instance beside another delivers another number of results"));
		if (i != ALONE && begun[i])
			UM_TRY(conform_bytes(w[i].out, w[ALONE].out, "an instance beside another and one alone"));
		UM_TRY(conform_unharmed(&w[i].f));
	}
out:
	for (int i = 0; i < N; i++)
		conform_release(&w[i].f);
	return st;
}
