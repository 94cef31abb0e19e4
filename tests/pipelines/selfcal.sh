# SPDX-License-Identifier: GPL-3.0-or-later
# Station gains are planted in a simulated night of the 2017 array and solved for with the image:
# amplitudes come back, likelihood and chi-square say so, equal runs give equal bytes, and cells
# that have nothing to calibrate are refused.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
seed = 5;
image = { pixels = [24, 24]; fov_uas = 96.0; scale = 0.01; transform = "softplus"; };
forward = {
  eht = { plugin = "eht"; array = "share:arrays/EHT2017.txt"; products = ["vis"]; flux = 1.0; flux_sigma = 0.01;
          gain_amplitude = 0.1; gain_phase = 30.0;
          gains = "constant"; gain_sd = 0.1; gain_phase_sd = 60.0; };
};
priors = {
  shapes = { plugin = "geometric"; value = 100.0; shift = [0.0, 0.0];
             ring = 0.0; mring = 0.0; crescent = 0.0; binary = 0.0; blobs = 0.0; jet = 0.0; };
  smooth = ( { plugin = "tv"; weight = 0.3; epsilon = 0.01; },
             { plugin = "entropy"; weight = 0.3; fwhm = 40.0; flux = 100.0; } );
};
inference = {
  map = { plugin = "map"; start = "blob"; schedule = [0.001, 0.01, 0.1, 1.0]; iterations = 100; selfcal = 20; };
};
run = (
  { stage = "simulate"; forward = "eht"; truth = { prior = "shapes"; seed = 4; }; },
  { stage = "infer"; forward = "eht"; priors = ["smooth"]; inference = ["map"]; samples = 1; }
);
C
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/a" --quiet
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/b" --quiet
cell=eht/smooth+map
for k in gains.csv samples.fits trace.csv; do
	there "$T/a/$cell/$k"
	same "$T/a/$cell/$k" "$T/b/$cell/$k"
done
there "$T/a/$cell/figures/gain_amplitude.png" "$T/a/$cell/figures/gain_phase.png"
# Stations that see nothing keep a gain of 1.
paste -d, "$T/a/simulate/eht/gains.csv" "$T/a/$cell/gains.csv" | awk -F, '
	NR == 1 || ($9 == 1 && $10 == 0) { next }
	{ n++; ratio = $9 / $4; if ($3 != $8 || ratio < 0.97 || ratio > 1.03) { print "gain of " $3 ": " $9 ", planted " $4; far++ } }
	END { exit n < 6 || far > 0 }' || bad=1
metric() {
	sed -n "s/.*\"$1\": *\([-0-9.e+]*\).*/\1/p" "$T/a/$cell/metrics.json"
}
awk -v a="$(metric loglike_before)" -v b="$(metric loglike_after)" -v c="$(metric chi2_vis_mean)" -v n="$(metric selfcal_rounds)" \
	'BEGIN { print "log likelihood " a " to " b ", chi2 " c ", rounds " n; exit !(b > a / 100 && c < 1.2 && n >= 1) }' || bad=1

# Interrupted wherever it is by then, a run goes on to the same image, gains and trace.
long='--set inference.map.selfcal=60 --set inference.map.selfcal_tol=0'
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/whole" --quiet $long
"$UMBRA" run "$T/p.cfg" -o "$T/broken" --quiet $long >/dev/null 2>&1 &
await "$T/broken/simulate/eht/measurements.fits"
sleep 1
kill -INT $! 2>/dev/null
wait $!
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/broken" --quiet --resume $long
for k in gains.csv samples.fits trace.csv; do
	same "$T/whole/$cell/$k" "$T/broken/$cell/$k"
done

status 2 "$UMBRA" check "$T/p.cfg" --set forward.eht.gains=none
says "nothing to calibrate"
status 2 "$UMBRA" check "$T/p.cfg" --set 'forward.eht.products=["vis", "amp"]'
says "products must list vis, and not amp"
for each in constant scan time; do
	status 0 "$UMBRA" test "$UMBRA_BUILD/plugins/forward/eht.so" --set uvfits=tests/data/synthetic.uvfits --set gains=$each
done
exit $bad
