/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding closures among the rows of one integration. */
#ifndef DATA_CLOSURE_H
#define DATA_CLOSURE_H

#include <umbra/observable.h>

/* Fills o->closure and o->n. */
UM_USED um_status um_closures_find(const um_uvdata *d, bool maximal, um_observable *o);

#endif
