# SPDX-License-Identifier: GPL-3.0-or-later
# Measurements of a file that the user names, for a forward model without files of its own: those that a simulation wrote, an
# image, numbers without noise levels; the cell is the one of the simulation; an inference learns from them; what is refused.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [4, 6]; };
forward = {
  holes = { plugin = "inpaint"; seen = 0.5; sigma = 0.1; };
  sharp = { plugin = "denoise"; sigma = 0.1; };
};
priors = { white = { plugin = "gaussian"; mean = 0.5; sigma = 0.2; }; };
inference = {
  exact = { plugin = "exact"; };
  cnf = { plugin = "cnf"; couplings = 4; hidden = 16; steps = 3; check = 3; refine = 0; };
};
run = (
  { stage = "simulate"; forward = "holes"; truth = { prior = "white"; seed = 2; }; count = 12; },
  { stage = "infer"; forward = "holes"; priors = ["white"]; inference = ["exact"]; samples = 8; }
);
C
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/a" --quiet
cp "$T/a/simulate/holes/measurements.fits" "$T/y.fits"
infer='run=({ stage="infer"; forward="holes"; priors=["white"]; inference=["exact"]; samples=8; })'
given() { # DIR SETTING...: holes with measurements of y.fits
	to=$1
	shift
	"$UMBRA" run "$T/p.cfg" -o "$to" --quiet --set "forward.holes.measurements=\"$T/y.fits\"" "$@"
}
status 0 given "$T/b" --set "$infer"
for f in samples mean; do
	tail -c 2880 "$T/a/holes/white+exact/$f.fits" >"$T/1" # numbers without the header
	tail -c 2880 "$T/b/holes/white+exact/$f.fits" >"$T/2"
	same "$T/1" "$T/2"
done
grep -q 'forward.holes.measurements' "$T/b/run.json" || { echo "run.json does not name the file"; bad=1; }
grep -q '"measurements": 12' "$T/b/holes/white+exact/metrics.json" || { echo "not twelve of them"; bad=1; }

# An image; the noise is that of the settings: the posterior mean of white noise is known.
truth="$T/a/simulate/holes/truth.fits"
cat >"$T/q.cfg" <<'C'
seed = 3;
image = { pixels = [4, 6]; };
forward = { sharp = { plugin = "denoise"; sigma = 0.1; measurements = "one.fits"; truth = "one.fits"; }; };
priors = { white = { plugin = "gaussian"; mean = 0.5; sigma = 0.2; }; };
inference = { map = { plugin = "map"; gtol = 1e-9; }; };
run = ( { stage = "infer"; forward = "sharp"; priors = ["white"]; inference = ["map"]; samples = 1; } );
C
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/one" --quiet --set 'run.[0].count=1'
cp "$T/one/simulate/holes/truth.fits" "$T/one.fits"
status 0 "$UMBRA" run "$T/q.cfg" -o "$T/c" --quiet
# mean = (0.2^2 y + 0.1^2 0.5) / (0.2^2 + 0.1^2) = 0.8 y + 0.1: its rms distance from y is 0.2 times that of y from 0.5
"$UMBRA" run "$T/q.cfg" -o "$T/d" --quiet --set forward.sharp.sigma=1e-6 || bad=1
rms() { sed -n 's/.*"nrmse": *\([0-9.e-]*\).*/\1/p' "$1/sharp/white+map/metrics.json"; }
echo "$(rms "$T/c") $(rms "$T/d")" | awk '!($1 > 0.05 && $1 < 0.1 && $2 < 1e-4) { print "errors of the means:", $0; exit 1 }' || bad=1

# Learning from them.
status 0 given "$T/learned" --set 'run=({ stage="train"; inference="cnf"; forward="holes"; priors=["white"]; },
	{ stage="infer"; forward="holes"; priors=["white"]; inference=["cnf"]; samples=8; })'
grep -q '"train_measurements": 1[01]' "$T/learned/train/cnf/metrics.json" || { cat "$T/learned/train/cnf/metrics.json"; bad=1; }
# The same cell with other measurements is made again.
cp "$T/y.fits" "$T/other.fits"
status 0 "$UMBRA" run "$T/q.cfg" -o "$T/c" --resume
says 'nothing has changed'
cp "$truth" "$T/many.fits"
status 0 "$UMBRA" run "$T/q.cfg" -o "$T/c" --resume --set "forward.sharp.measurements=\"$T/many.fits\"" --set "forward.sharp.truth=\"$T/many.fits\""
says 'run again'

# What cannot be.
status 2 given "$T/no" 2>"$T/err"
says 'has measurements of its own and is simulated too'
status 3 "$UMBRA" check "$T/q.cfg" --set 'image.pixels=[5,6]' --set 'forward.sharp.truth=""'
says 'a measurement of forward/denoise has 30'
status 3 "$UMBRA" check "$T/q.cfg" --set 'forward.sharp.measurements="none.fits"'
says 'none.fits'
status 2 "$UMBRA" check "$T/p.cfg" --set "$infer"
says 'measurements = "FILE"'
exit $bad
