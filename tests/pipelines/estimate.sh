# SPDX-License-Identifier: GPL-3.0-or-later
# umbra check --estimate runs the beginning of every task and leaves nothing behind.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
image = { pixels = [16, 16]; };
forward = { noisy = { plugin = "denoise"; sigma = 0.1; }; };
priors = { white = { plugin = "gaussian"; mean = 0.5; sigma = 0.2; }; flow = { plugin = "realnvp"; steps = 100000; }; };
inference = { exact = { plugin = "exact"; }; dpi = { plugin = "dpi"; steps = 2000000; }; };
run = (
  { stage = "train"; prior = "flow"; data = { prior = "white"; }; },
  { stage = "simulate"; forward = "noisy"; truth = { prior = "white"; seed = 3; }; },
  { stage = "infer"; forward = "noisy"; priors = ["white"]; inference = ["exact", "dpi"];
    sweep = ( { key = "inference.dpi.batch"; values = [16, 32]; } ); },
  { stage = "infer"; forward = "noisy"; priors = ["flow"]; inference = ["dpi"]; },
  { stage = "compare"; }
);
C
mkdir "$T/tmp"
TMPDIR=$T/tmp status 0 "$UMBRA" check --estimate --threads 1 "$T/p.cfg"
# row TASK PATTERN: what is said of a task.
row() {
	grep -q "^$1  *$2" "$T/out" || { echo "no '$2' for $1:"; cat "$T/out"; bad=1; }
}
known='[0-9.]* \(s\|min\|h\)  *[0-9]* MB  '
row train/flow "$known[0-9]* of 100000 steps"
row simulate/noisy "$known"'ran to its end'
row noisy/white+exact "$known"'ran to its end'
row noisy/white+dpi@inference.dpi.batch=16 "$known[0-9]* of 2000000 steps"
row noisy/white+dpi@inference.dpi.batch=32 "$known[0-9]* of 2000000 steps"
row noisy/flow+dpi '?  *?  not before train/flow is done'
row 'one after another: about' '.*; without 1 that are not known'
# What is left is steps left times seconds a step.
awk '/batch=16/ { t = $2 * ($3 == "h" ? 3600 : $3 == "min" ? 60 : 1); for (i = 1; i <= NF; i++) if ($i == "steps,") left = ($(i - 1) - $(i - 3)) * $(i + 1)
	exit !(left > 0.9 * t - 40 && left < 1.1 * t + 40) }' "$T/out" || { echo "time is not that of the steps"; cat "$T/out"; bad=1; }
[ -z "$(ls -A "$T/tmp")" ] || { echo "left behind: $(ls "$T/tmp")"; bad=1; }

# Interrupted: nothing is left behind either.
TMPDIR=$T/tmp "$UMBRA" check --estimate --threads 1 "$T/p.cfg" >"$T/out" 2>"$T/err" &
pid=$!
n=0
while [ -z "$(ls -A "$T/tmp")" ] && [ $n -lt 200 ]; do
	sleep 0.05
	n=$((n + 1))
done
sleep 0.5
kill -TERM $pid
wait $pid
got=$?
[ $got = 75 ] || { echo "exit status $got after a signal"; bad=1; }
[ -z "$(ls -A "$T/tmp")" ] || { echo "left behind after a signal: $(ls "$T/tmp")"; bad=1; }

# A wrong file is refused before anything runs, a cell that fails says why.
status 2 "$UMBRA" check --estimate "$T/p.cfg" --set inference.dpi.steps=-1
says "inference/dpi: -1 lies outside"
status 2 "$UMBRA" run "$T/p.cfg" --estimate
mkdir -p "$T/plugins/priors"
if [ -f "$UMBRA_BUILD/tests/plugins/nan_prior.so" ]; then
	cp "$UMBRA_BUILD/tests/plugins/nan_prior.so" "$T/plugins/priors"
	export UMBRA_PLUGIN_PATH="$T/plugins:"
	TMPDIR=$T/tmp status 1 "$UMBRA" check --estimate --threads 1 "$T/p.cfg" --set 'priors.bad={ plugin = "nan_prior"; }' \
		--set 'run=({ stage = "simulate"; forward = "noisy"; truth = { prior = "white"; }; }, { stage = "infer"; forward = "noisy"; priors = ["bad"]; inference = ["dpi"]; })'
	row noisy/bad+dpi '.*fails: .*priors/nan_prior'
fi
exit $bad
