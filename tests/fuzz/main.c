/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A fuzz target without libFuzzer: TARGET [FILE...] reads the files; TARGET --seeds FOLDER writes
 * seeds; TARGET --loop N reads the seeds and N mutations of them, which are the same in every run.
 * Where it dies, the last input is in the file that TARGET --loop named. */
#include <dirent.h>
#include <sys/stat.h>
#include <umbra/rng.h>
#include "fuzz.h"

enum { MOST = 1 << 17, SEEDS = 32 };

struct seed { uint8_t *data; size_t size; };

static int below(um_rng *r, size_t n)
{
	return n == 0 ? 0 : (int)(um_uniform(r) * (double)n);
}

static struct seed load(const char *path)
{
	struct seed s = { malloc(MOST), 0 };
	FILE *f = fopen(path, "r");
	FUZZ_HOLDS(f != NULL && s.data != NULL);
	s.size = fread(s.data, 1, MOST, f);
	fclose(f);
	return s;
}

/* One change of x, which has room for MOST bytes. */
static size_t change(um_rng *r, uint8_t *x, size_t n, const struct seed *other)
{
	static const char *const words[] = { "0", "-1", "1e308", "99999999999999999999", "2147483648", "nan",
		"T", "'", "END", "\n", "\"", "{", "}", "4294967296", "-9223372036854775808", "" };
	const char *word = words[below(r, sizeof(words) / sizeof(*words))];
	const size_t length = strlen(word), at = (size_t)below(r, n), from = (size_t)below(r, other->size);
	size_t count = (size_t)below(r, 100) + 1;
	switch (below(r, 8)) {
	case 0: /* a bit */
		if (n > 0)
			x[at] ^= (uint8_t)(1 << below(r, 8));
		break;
	case 1: /* a byte */
		if (n > 0)
			x[at] = (uint8_t)below(r, 256);
		break;
	case 2: /* a word over what is there */
		memcpy(x + at, word, at + length <= n ? length : 0);
		break;
	case 3: /* a word between */
		if (n + length > MOST)
			break;
		memmove(x + at + length, x + at, n - at);
		memcpy(x + at, word, length);
		return n + length;
	case 4: /* a digit */
		for (size_t i = at; i < n; i++)
			if (x[i] >= '0' && x[i] <= '9') {
				x[i] = (uint8_t)('0' + below(r, 10));
				break;
			}
		break;
	case 5: /* the end is missing */
		return at;
	case 6: /* a piece is missing */
		count = at + count <= n ? count : n - at;
		memmove(x + at, x + at + count, n - at - count);
		return n - count;
	default: /* a piece of another file */
		count = from + count <= other->size ? count : other->size - from;
		memcpy(x + at, other->data + from, at + count <= n ? count : 0);
	}
	return n;
}

static void loop(const struct seed *seed, int seeds, long from, long to)
{
	static uint8_t x[MOST + 64];
	for (long i = from; i < to; i++) {
		um_rng r = um_rng_new(20, "fuzz", (uint64_t)i);
		const struct seed *s = &seed[below(&r, (size_t)seeds)];
		size_t n = s->size;
		memcpy(x, s->data, n);
		for (int k = below(&r, 4); k >= 0; k--)
			n = change(&r, x, n, &seed[below(&r, (size_t)seeds)]);
		uint8_t *exact = malloc(n + 1); /* so that reading on is seen */
		FUZZ_HOLDS(exact != NULL);
		memcpy(exact, x, n);
		(void)LLVMFuzzerTestOneInput(exact, n);
		free(exact);
	}
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int seen(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* Writes, loads and removes the seeds; all but the reading of them is undone. */
static int make_seeds(struct seed *seed)
{
	char folder[] = "/tmp/umbra-seeds-XXXXXX", path[1024];
	struct dirent **entry = NULL;
	FUZZ_HOLDS(mkdtemp(folder) != NULL);
	if (fuzz_seeds(folder) != UM_OK)
		fprintf(stderr, "%s\n", um_message());
	int n = scandir(folder, &entry, seen, by_name);
	FUZZ_HOLDS(n > 0 && n <= SEEDS);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry[i]->d_name);
		seed[i] = load(path);
		unlink(path);
		free(entry[i]);
	}
	free(entry);
	rmdir(folder);
	return n;
}

static int run_loop(long from, long to)
{
	struct seed seed[SEEDS];
	int n = make_seeds(seed);
	printf("%d seeds, mutations %ld to %ld, input in %s\n", n, from, to - 1, fuzz_file((const uint8_t *)"", 0));
	fflush(stdout);
	for (int i = 0; i < n; i++)
		(void)LLVMFuzzerTestOneInput(seed[i].data, seed[i].size);
	loop(seed, n, from, to);
	for (int i = 0; i < n; i++)
		free(seed[i].data);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0) {
		um_status st = fuzz_seeds(argv[2]);
		if (st != UM_OK)
			fprintf(stderr, "%s\n", um_message());
		return st != UM_OK;
	}
	if (argc == 3 && strcmp(argv[1], "--loop") == 0)
		return run_loop(0, atol(argv[2])), unlink(fuzz_file((const uint8_t *)"", 0));
	if (argc == 3 && strcmp(argv[1], "--at") == 0)
		return run_loop(atol(argv[2]), atol(argv[2]) + 1);
	for (int i = 1; i < argc; i++) {
		struct seed s = load(argv[i]);
		(void)LLVMFuzzerTestOneInput(s.data, s.size);
		free(s.data);
	}
	return 0;
}
