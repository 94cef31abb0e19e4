# SPDX-License-Identifier: GPL-3.0-or-later
# A table of stations observes: the run keeps the visibilities as UVFITS and the gains as text, the
# same bytes each time; the truth fits closures of the file though gains spoil its amplitudes.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [16, 16]; fov_uas = 100.0; };
forward = {
  eht = { plugin = "eht"; array = "share:arrays/EHT2017.txt"; cadence = 1200.0; products = ["cphase", "logcamp"];
          gain_amplitude = 0.2; gain_phase = 60.0; gain_per_scan = true; };
};
priors = { field = { plugin = "gaussian"; mean = 0.01; sigma = 0.002; }; };
inference = { map = { plugin = "map"; iterations = 50; }; };
run = (
  { stage = "simulate"; forward = "eht"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "eht"; priors = ["field"]; inference = ["map"]; samples = 1; }
);
C
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/a" --quiet
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/b" --quiet --threads 2
for k in measurements.uvfits measurements.fits gains.csv truth.fits; do
	there "$T/a/simulate/eht/$k"
	same "$T/a/simulate/eht/$k" "$T/b/simulate/eht/$k"
done
fitsverify -e -q "$T/a/simulate/eht/measurements.uvfits" >/dev/null || { echo "fitsverify"; bad=1; }
head -1 "$T/a/simulate/eht/gains.csv" | grep -q '^start_h,stop_h,station,amplitude,phase_deg$' || bad=1
status 0 "$UMBRA" chi2 "$T/a/simulate/eht/truth.fits" "$T/a/simulate/eht/measurements.uvfits"
awk '$1 == "cphase" && $3 > 0.5 && $3 < 2 { ok++ } $1 == "vis" && $3 > 10 { ok++ } END { exit ok != 2 }' "$T/out" ||
	{ cat "$T/out"; bad=1; }

# The file is a measurement like any other, here of one that simulates.
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/c" --quiet --set forward.eht.coverage_only=true \
	--set "forward.eht.uvfits=$T/a/simulate/eht/measurements.uvfits" --set 'forward.eht.array=""'
there "$T/c/simulate/eht/measurements.uvfits"

# Several measurements: files beside the first are numbered.
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/d" --quiet --set run.[0].count=2
for k in measurements.uvfits gains.csv; do
	same "$T/a/simulate/eht/$k" "$T/d/simulate/eht/$k"
	there "$T/d/simulate/eht/${k%.*}-2.${k#*.}"
	cmp -s "$T/d/simulate/eht/$k" "$T/d/simulate/eht/${k%.*}-2.${k#*.}" && { echo "the second $k is the first"; bad=1; }
done
head -1 "$T/d/eht/field+map/measurements.csv" | grep -q chi2_cphase_mean || { echo "no figures of each measurement"; bad=1; }

status 2 "$UMBRA" check "$T/p.cfg" --set forward.eht.uvfits=tests/data/synthetic.uvfits
says "both are given"
status 2 "$UMBRA" check "$T/p.cfg" --set 'forward.eht.array=""'
says "neither is given"
status 2 "$UMBRA" check "$T/p.cfg" --set forward.eht.dec=120.0
says "dec"
printf 'AA 2225.0608 -5440.0596 -2481.6812 74\n' >"$T/km.txt"
status 3 "$UMBRA" check "$T/p.cfg" --set "forward.eht.array=$T/km.txt"
says "km.txt:1: AA is 6.3"

status 0 "$UMBRA" test "$UMBRA_BUILD/plugins/forward/eht.so" --set array=share/arrays/EHT2022.txt \
	--set cadence=3600 --set 'products=["vis","amp","cphase","logcamp"]' --set gain_phase=20
exit $bad
