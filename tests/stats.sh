#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Median and longest function and file; needs universal-ctags.
ctags --kinds-C=f --fields=+ne -o - core/*/*.c core/nn/ops/*.c plugins/*/*.c |
	sed -n 's/^\([^\t]*\)\t\([^\t]*\).*line:\([0-9]*\).*end:\([0-9]*\).*/\3 \4 \2:\1/p' |
	awk '{ print $2 - $1 + 1, $3 }' | sort -n |
	awk '{ a[NR] = $1; w[NR] = $2 }
	END { print "functions", NR, "median", a[int((NR + 1) / 2)], "longest", a[NR], w[NR]; exit a[NR] > 60 }'
status=$?
wc -l core/*/*.c core/nn/ops/*.c plugins/*/*.c | grep -v total | sort -n |
	awk '{ a[NR] = $1; w[NR] = $2; s += $1 }
	END { print "files", NR, "lines", s, "median", a[int((NR + 1) / 2)], "longest", a[NR], w[NR]; exit a[NR] > 600 }' &&
	exit $status
