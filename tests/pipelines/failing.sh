# SPDX-License-Identifier: GPL-3.0-or-later
# A plugin that crashes, never ends or returns NaN fails its cell, fit or calibration, with plugin and phase in the
# reason; the other cells finish.
. tests/pipelines/lib.sh.inc
mkdir -p "$T/plugins/forward" "$T/plugins/inference" "$T/plugins/priors"
here=$(pwd)
case $UMBRA_BUILD in /*) built=$UMBRA_BUILD ;; *) built=$here/$UMBRA_BUILD ;; esac
bads=$built/tests/plugins
ln -s "$bads/crash.so" "$bads/endless.so" "$bads/hog.so" "$bads/nan_samples.so" "$T/plugins/inference/"
ln -s "$bads/nan_prior.so" "$bads/nan_draw.so" "$bads/crash_logp.so" "$bads/crash_fit.so" "$T/plugins/priors/"
ln -s "$bads/nan_apply.so" "$T/plugins/forward/"
export UMBRA_PLUGIN_PATH="$T/plugins"
cat >"$T/p.cfg" <<'C'
image = { pixels = [8, 8]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; blank = { plugin = "nan_apply"; }; };
priors = { field = { plugin = "gaussian"; }; wrong = { plugin = "nan_prior"; }; fatal = { plugin = "crash_logp"; };
  unfit = { plugin = "crash_fit"; }; holes = { plugin = "nan_draw"; }; };
inference = { crash = { plugin = "crash"; }; loop = { plugin = "endless"; }; hog = { plugin = "hog"; }; exact = { plugin = "exact"; };
  map = { plugin = "map"; }; nans = { plugin = "nan_samples"; }; };
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; }; },
  { stage = "simulate"; forward = "blank"; truth = { prior = "field"; }; },
  { stage = "train"; prior = "unfit"; data = { prior = "field"; count = 8; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["crash", "nans", "exact"]; samples = 4; },
  { stage = "infer"; forward = "seen"; priors = ["wrong", "fatal"]; inference = ["map"]; samples = 4; },
  { stage = "infer"; forward = "blank"; priors = ["field"]; inference = ["map"]; samples = 4; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["loop"]; samples = 4; time_limit = 0.5; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["map"]; samples = 4; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["hog"]; samples = 4; memory_limit = 500; },
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "nans"; replicates = 10; samples = 9; name = "nans"; },
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "crash"; replicates = 10; samples = 9; name = "crash"; },
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "exact"; replicates = 10; samples = 9; name = "holes";
    truths = "holes"; },
  { stage = "calibrate"; forward = "seen"; prior = "field"; inference = "hog"; replicates = 10; samples = 9; memory_limit = 500; },
  { stage = "compare"; }
);
C
[ -z "$SAN" ] || sed -i '/memory_limit/d' "$T/p.cfg" # sanitizers need much more
export ASAN_OPTIONS="$ASAN_OPTIONS:handle_segv=0"
status 1 "$UMBRA" run "$T/p.cfg" -o "$T/run"
# crashed TASK WHERE
crashed() {
	grep -qE "umbra: $1: failed: $2 (crashed: Segm|ended the process with)" "$T/err" || { echo "$1 did not crash in $2"; cat "$T/err"; bad=1; }
}
crashed seen/field.crash inference/crash\ in\ run
crashed seen/fatal.map priors/crash_logp\ in\ logp
crashed train/unfit priors/crash_fit\ in\ fit
crashed calibrate/crash/1 inference/crash\ in\ run
says "inference/endless in run went on past the time limit of 0.5 s"
start="no level of the starting image gives a finite density"
says "seen/wrong+map: failed: inference/map in run: $start: priors/nan_prior: logp returned a number that is not finite"
says "blank/field+map: failed: inference/map in run: $start: forward/nan_apply: apply returned a number that is not finite"
says "seen/field+nans: failed: inference/nan_samples in run: a sample holds a number that is not finite"
says "calibrate/nans/1: failed: replicate 0: inference/nan_samples in run: a sample holds a number that is not finite"
says "calibrate/holes/1: failed: replicate 0: priors/nan_draw: sample returned a number that is not finite"
there "$T/run/seen/field+exact/samples.fits" "$T/run/seen/field+map/samples.fits" "$T/run/compare/metrics.csv" \
	"$T/run/report.html"
if [ -z "$SAN" ]; then
	says "seen/field+hog: failed: inference/hog in run: no memory for an array of 16.8 MB (memory_limit = 500 MB)"
	says "calibrate/seen+field+hog/1: failed: replicate 0: inference/hog in run: no memory for an array of 16.8 MB (memory_limit = 500 MB)"
fi
for c in seen/field+crash seen/field+nans seen/field+loop seen/field+hog seen/wrong+map seen/fatal+map blank/field+map; do
	[ -e "$T/run/$c/samples.fits" ] && { echo "$c left samples"; bad=1; }
done
grep -A2 'seen/field+crash' "$T/run/run.json" | grep -q '"failed"' || { cat "$T/run/run.json"; bad=1; }
grep -A2 'seen/field+exact' "$T/run/run.json" | grep -q '"done"' || { cat "$T/run/run.json"; bad=1; }

# Cells that cannot work are left out where the stage allows it, and run.json says why.
cat >"$T/s.cfg" <<'C'
image = { pixels = [8, 8]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; };
priors = { field = { plugin = "gaussian"; }; tv = { plugin = "tv"; }; };
inference = { exact = { plugin = "exact"; }; };
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; }; },
  { stage = "infer"; forward = "seen"; priors = ["field", "tv"]; inference = ["exact"]; samples = 4;
    skip_impossible = true; }
);
C
status 0 "$UMBRA" run "$T/s.cfg" -o "$T/skip"
there "$T/skip/seen/field+exact/samples.fits"
[ -e "$T/skip/seen/tv+exact/samples.fits" ] && { echo "an impossible cell left samples"; bad=1; }
grep -A1 '"skipped"' "$T/skip/run.json" | grep -q 'seen/tv+exact.*closed form' || { cat "$T/skip/run.json"; bad=1; }

# What writes outside of its arrays fails the battery.
overrun=overrun
wrong() { # TEXT OPTION...
	text=$1
	shift
	status 1 "$UMBRA" test "$bads/$overrun.so" "$@"
	grep -qF -- "$text" "$T/out" || { echo "no '$text' in"; cat "$T/out"; bad=1; }
}
if [ -z "$SAN" ]; then
	wrong "FAIL priors/overrun  gradient of logp: it wrote outside of its arrays: at byte 192 of one of 192 bytes"
	wrong "FAIL priors/overrun  instances: it crashed, or read or wrote far outside of its arrays" --set scale=3
	overrun=overrun_apply
	wrong "FAIL forward/overrun_apply  outputs: it wrote outside of its arrays: at byte 384 of one of 384 bytes"
	wrong "FAIL forward/overrun_apply  instances: it crashed, or read or wrote far outside of its arrays" --set scale=3
fi
exit $bad
