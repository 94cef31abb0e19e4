# SPDX-License-Identifier: GPL-3.0-or-later
# What a cell knows against its own samples is in metrics.json, in the report and on the terminal, and only then.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [8, 8]; };
forward = { seen = { plugin = "lowfreq"; keep = 4; sigma = 0.3; }; };
priors = { field = { plugin = "gaussian"; spectrum = "power"; }; };
inference = {
  good = { plugin = "dpi"; steps = 600; average = 200; };
  short = { plugin = "dpi"; warm = "none"; steps = 300; average = 200; rate = 0.003; };
};
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["good", "short"]; samples = 16; },
  { stage = "compare"; }
);
C
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/a" --threads 1
says "seen/field+short: done in"
grep 'seen/field+short: done in' "$T/err" | grep -q 'the ELBO is still climbing' || { echo "the terminal lacks the warning"; cat "$T/err"; bad=1; }
grep 'seen/field+good: done in' "$T/err" | grep -q 'ELBO' && { echo "a good cell warns"; cat "$T/err"; bad=1; }
grep -A1 '"warnings"' "$T/a/seen/field+short/metrics.json" | grep -q 'the ELBO is still climbing' || { echo "metrics.json lacks it"; bad=1; }
grep -q '"warnings"' "$T/a/seen/field+good/metrics.json" && { echo "metrics.json of a good cell has warnings"; bad=1; }
[ "$(grep -c '<b>Warning</b>: the ELBO is still climbing' "$T/a/report.html")" = 1 ] || { echo "the report lacks it"; bad=1; }
head -1 "$T/a/compare/metrics.csv" | grep -q warnings && { echo "a column of warnings in metrics.csv"; bad=1; }
exit $bad
