#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Line coverage per folder from the gcov data below the build folder $1.
find "$1" -name '*.gcda' | while read -r f; do
	gcov -n "$f" 2>/dev/null
done | awk -F"'" '/^File/ { file = $2 } /^Lines executed/ {
	split($0, p, /[:% ]+/)
	if (file !~ /^(core|plugins)\//) next
	split(file, d, "/"); dir = d[1] "/" d[2]
	lines[dir] += p[5]; hit[dir] += p[3] * p[5] / 100; total += p[5]; all += p[3] * p[5] / 100
} END {
	for (dir in lines) printf "%-20s %5.1f %% of %d lines\n", dir, 100 * hit[dir] / lines[dir], lines[dir] | "sort"
	close("sort")
	if (total) printf "%-20s %5.1f %% of %d lines\n", "all", 100 * all / total, total
}'
