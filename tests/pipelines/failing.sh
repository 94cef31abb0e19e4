# SPDX-License-Identifier: GPL-3.0-or-later
# A plugin that crashes, never ends or returns NaN fails its cell, with plugin and phase in the
# reason; the other cells finish.
. tests/pipelines/lib.sh.inc
mkdir -p "$T/plugins/inference" "$T/plugins/priors"
here=$(pwd)
case $UMBRA_BUILD in /*) built=$UMBRA_BUILD ;; *) built=$here/$UMBRA_BUILD ;; esac
ln -s "$built/tests/plugins/crash.so" "$built/tests/plugins/endless.so" "$built/tests/plugins/hog.so" \
	"$T/plugins/inference/"
ln -s "$built/tests/plugins/nan_prior.so" "$T/plugins/priors/"
export UMBRA_PLUGIN_PATH="$T/plugins"
cat >"$T/p.cfg" <<'C'
image = { pixels = [8, 8]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; };
priors = { field = { plugin = "gaussian"; }; wrong = { plugin = "nan_prior"; }; };
inference = { crash = { plugin = "crash"; }; loop = { plugin = "endless"; }; hog = { plugin = "hog"; }; exact = { plugin = "exact"; };
  map = { plugin = "map"; }; };
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["crash", "exact"]; samples = 4; },
  { stage = "infer"; forward = "seen"; priors = ["wrong"]; inference = ["map"]; samples = 4; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["loop"]; samples = 4; time_limit = 0.5; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["map"]; samples = 4; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["hog"]; samples = 4; memory_limit = 500; },
  { stage = "compare"; }
);
C
[ -z "$SAN" ] || sed -i '/memory_limit/d' "$T/p.cfg" # sanitizers need much more
export ASAN_OPTIONS="$ASAN_OPTIONS:handle_segv=0"
status 1 "$UMBRA" run "$T/p.cfg" -o "$T/run"
grep -qE 'inference/crash in run (crashed: Segm|ended the process with)' "$T/err" || { cat "$T/err"; bad=1; }
says "inference/endless in run went on past the time limit of 0.5 s"
says "priors/nan_prior: logp returned a number that is not finite"
there "$T/run/seen/field+exact/samples.fits" "$T/run/seen/field+map/samples.fits" "$T/run/compare/metrics.csv" \
	"$T/run/report.html"
[ -n "$SAN" ] || says "seen/field+hog: failed: inference/hog in run: no memory for an array of 16.8 MB (memory_limit = 500 MB)"
for c in field+crash field+loop field+hog wrong+map; do
	[ -e "$T/run/seen/$c/samples.fits" ] && { echo "$c left samples"; bad=1; }
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
wrong() { # TEXT OPTION...
	text=$1
	shift
	status 1 "$UMBRA" test "$built/tests/plugins/overrun.so" "$@"
	grep -qF -- "$text" "$T/out" || { echo "no '$text' in"; cat "$T/out"; bad=1; }
}
if [ -z "$SAN" ]; then
	wrong "FAIL priors/overrun  gradient of logp: it wrote outside of its arrays: at byte 192 of one of 192 bytes"
	wrong "FAIL priors/overrun  instances: it crashed, or read or wrote far outside of its arrays" --set scale=3
fi
exit $bad
