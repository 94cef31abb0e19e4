# SPDX-License-Identifier: GPL-3.0-or-later
# Calibration passes the exact posterior and fails wrong ones in the right words; other jobs and interruptions change nothing;
# what cannot be calibrated is refused.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
seed = 5;
image = { pixels = [6, 4]; };
forward = {
  seen = { plugin = "denoise"; sigma = 0.3; };
  noisier = { plugin = "denoise"; sigma = 0.6; };
  other = { plugin = "lowfreq"; keep = 2; };
};
priors = {
  field = { plugin = "gaussian"; spectrum = "power"; mean = 0.5; sigma = 0.5; };
  wide = { plugin = "gaussian"; spectrum = "power"; mean = 0.5; sigma = 1.5; };
  high = { plugin = "gaussian"; spectrum = "power"; mean = 3.0; sigma = 0.5; };
  flat = { plugin = "tv"; };
};
inference = {
  exact = { plugin = "exact"; };
  fit = { plugin = "dpi"; steps = 2000; batch = 8; elbo_draws = 0; };
  early = { plugin = "dpi"; warm = "none"; steps = 20; average = 5; sd = 0.05; elbo_draws = 0; batch = 8; };
  short = { plugin = "ald"; calls = 11; };
  map = { plugin = "map"; };
};
run = (
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "exact"; replicates = 60; samples = 39; name = "right"; },
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "exact"; replicates = 60; samples = 39; name = "noise";
    simulate = "noisier"; },
  { stage = "calibrate"; forward = "noisier"; prior = "field"; inference = "exact"; replicates = 60; samples = 39; name = "quiet";
    simulate = "seen"; },
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "early"; replicates = 60; samples = 39; name = "early"; },
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "short"; replicates = 60; samples = 39; name = "short"; },
  { stage = "calibrate"; forward = "noisier"; prior = "field"; inference = "exact"; replicates = 60; samples = 39; name = "wide";
    truths = "wide"; },
  { stage = "calibrate"; forward = "noisier"; prior = "field"; inference = "exact"; replicates = 60; samples = 39; name = "high";
    truths = "high"; },
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "fit"; replicates = 20; samples = 19; }
);
C
# verdict NAME WORD TEXT: of the first run.
verdict() {
	grep -q "\"verdict\": \"$2\"" "$T/a/calibrate/$1/verdict.json" && grep '"reason"' "$T/a/calibrate/$1/verdict.json" | grep -q -- "$3" ||
		{ echo "$1 is not $2 with '$3':"; cat "$T/a/calibrate/$1/verdict.json"; bad=1; }
}
status 1 "$UMBRA" run "$T/p.cfg" -o "$T/a" --quiet --jobs 2 --threads 1
for name in noise quiet early short wide high; do
	says "umbra: calibrate/$name: failed: FAIL: "
done
grep -q calibrate/right "$T/err" && { echo "the exact posterior failed"; cat "$T/err"; bad=1; }
verdict right PASS 'lie among their samples'
verdict noise FAIL 'too narrow: the central 90 % interval holds'
verdict quiet FAIL 'too wide: the central 90 % interval holds'
verdict early FAIL 'too narrow: the central 90 % interval holds'
verdict short FAIL 'biased low'
verdict wide FAIL 'too narrow: the central 90 % interval holds'
verdict high FAIL 'biased low'
for name in right noise; do
	for f in replicates.csv ranks.csv coverage.csv tarp.csv figures/ranks.png figures/coverage.png figures/tarp.png; do
		there "$T/a/calibrate/$name/$f"
	done
	[ -e "$T/a/calibrate/$name/work" ] && { echo "the work of $name was not removed"; bad=1; }
done
grep -q "<h3>noise" "$T/a/report.html" && grep -q 'FAIL' "$T/a/report.html" || { echo "the report lacks a verdict"; bad=1; }
[ "$(wc -l <"$T/a/calibrate/right/replicates.csv")" = 61 ] || { echo "not 60 rows of ranks"; bad=1; }
grep -q 'calibrate/noise"' "$T/a/run.json" || { echo "run.json lacks a calibration"; bad=1; }

# A verdict that is there is given again, at once.
cp "$T/a/calibrate/noise/verdict.json" "$T/verdict"
status 1 "$UMBRA" run "$T/p.cfg" -o "$T/a" --quiet --resume
says "umbra: calibrate/noise: failed: FAIL: "
same "$T/verdict" "$T/a/calibrate/noise/verdict.json"

# One alone gives the same.
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/one" --quiet --only calibrate/right --threads 1
same "$T/a/calibrate/right/replicates.csv" "$T/one/calibrate/right/replicates.csv"
same "$T/a/calibrate/right/verdict.json" "$T/one/calibrate/right/verdict.json"
[ -e "$T/one/calibrate/noise" ] && { echo "--only ran another stage"; bad=1; }

# With another prior it is made again, and a line says why; finished again, nothing is left of the old one.
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/one" --only calibrate/right --threads 1 --resume --set priors.field.sigma=0.6
says "calibrate/right/1: priors.field.sigma was 0.5 and is 0.6: run again"
cmp -s "$T/a/calibrate/right/replicates.csv" "$T/one/calibrate/right/replicates.csv" && { echo "the prior changed nothing"; bad=1; }
[ -e "$T/one/calibrate/right.old" ] && { echo "the old calibration was kept"; bad=1; }
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/one" --only calibrate/right --threads 1 --resume --set priors.field.sigma=0.6
grep -q "run again" "$T/err" && { echo "an unchanged calibration was made again"; bad=1; }

# Killed and resumed: the same.
whole=calibrate/seen+field+fit
for sig in KILL TERM; do
	"$UMBRA" run "$T/p.cfg" --only $whole -o "$T/r$sig" --quiet --threads 1 2>"$T/err" &
	pid=$!
	await "$T/r$sig/$whole/work/2.safetensors"
	sleep 0.1
	kill -$sig $pid
	wait $pid
	got=$?
	[ $sig = KILL ] || [ $got = 75 ] || { echo "SIG$sig: exit status $got is not 75"; bad=1; }
	[ -e "$T/r$sig/$whole/verdict.json" ] && { echo "SIG$sig came too late"; bad=1; }
	n=0
	while [ $n -lt 200 ]; do
		"$UMBRA" run "$T/p.cfg" --only $whole -o "$T/r$sig" --quiet --threads 1 --resume 2>"$T/err"
		got=$?
		grep -q 'another run is at work' "$T/err" || break
		sleep 0.05
		n=$((n + 1))
	done
	for f in ranks.csv tarp.csv coverage.csv verdict.json figures/ranks.png; do
		same "$T/a/$whole/$f" "$T/r$sig/$whole/$f"
	done
done

# What cannot be.
wrong() { # TEXT SET...
	text=$1
	shift
	status 2 "$UMBRA" check "$T/p.cfg" "$@"
	says "$text"
}
wrong "they must be of one kind" --set run.[0].simulate=other
wrong "there is no 'noisy' in the group forward" --set run.[0].simulate=noisy
wrong "did you mean 'wide'" --set run.[0].truths=wid
wrong "truths cannot be drawn from 'flat'" --set run.[0].truths=flat
wrong "point estimate" --set run.[0].inference=map
wrong "names a folder" --set run.[0].name=a/b
wrong "is asked for twice" --set run.[0].name=noise
wrong "run.[0].replicates" --set run.[0].replicates=3
wrong "the cell calibrate/right cannot work" --set run.[0].prior=flat
exit $bad
