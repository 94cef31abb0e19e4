/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The nearest word by edit distance with transpositions (Damerau 1964, restricted), or else
 * the first that begins with the word. */
#include <stdlib.h>
#include <string.h>
#include <umbra/config.h>

enum { MOST = 64 };

static int min3(int a, int b, int c)
{
	int m = a < b ? a : b;
	return m < c ? m : c;
}

static int distance(const char *a, const char *b)
{
	int d[3][MOST + 1], n = (int)strlen(a), m = (int)strlen(b);
	if (n > MOST || m > MOST)
		return MOST;
	for (int j = 0; j <= m; j++)
		d[0][j] = j;
	for (int i = 1; i <= n; i++) {
		int *now = d[i % 3], *up = d[(i + 2) % 3], *upup = d[(i + 1) % 3];
		now[0] = i;
		for (int j = 1; j <= m; j++) {
			now[j] = min3(up[j] + 1, now[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				upup[j - 2] + 1 < now[j])
				now[j] = upup[j - 2] + 1;
		}
	}
	return d[n % 3][m];
}

const char *um_nearest(const char *word, const char *const *words)
{
	const char *best = NULL, *longer = NULL;
	int least = (int)strlen(word) / 3 + 1;
	for (; *words != NULL; words++) {
		if (longer == NULL && strlen(word) > 1 && strncmp(*words, word, strlen(word)) == 0)
			longer = *words;
		int d = distance(word, *words);
		if (d <= least && d < (int)strlen(word) && (best == NULL || d < least)) {
			best = *words;
			least = d;
		}
	}
	return best != NULL ? best : longer;
}
