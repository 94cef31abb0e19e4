# SPDX-License-Identifier: GPL-3.0-or-later
# Samples from closures are aligned and say so; data that fix the position leave them alone; the
# ring is among the figures of a sky image.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<C
image = { pixels = [16, 16]; fov_uas = 128.0; scale = 0.01; transform = "softplus"; };
forward = {
  closed = { plugin = "eht"; uvfits = "$PWD/tests/data/synthetic.uvfits"; coverage_only = true;
    products = ["cphase", "logcamp"]; flux = 1.0; };
  full = { plugin = "eht"; uvfits = "$PWD/tests/data/synthetic.uvfits"; coverage_only = true; };
};
priors = {
  scene = { plugin = "geometric"; value = 100.0; };
  peak = { plugin = "entropy"; weight = 100.0; fwhm = 30.0; flux = 100.0; };
};
inference = { dpi = { plugin = "dpi"; steps = 30; batch = 8; start = "blob"; }; };
run = (
  { stage = "simulate"; forward = "closed"; truth = { prior = "scene"; seed = 2; }; },
  { stage = "simulate"; forward = "full"; truth = { prior = "scene"; seed = 2; }; },
  { stage = "infer"; forward = "closed"; priors = ["peak"]; inference = ["dpi"]; samples = 12; },
  { stage = "infer"; forward = "full"; priors = ["peak"]; inference = ["dpi"]; samples = 12; }
);
C
# card RUN CELL WORDS: the HISTORY of three files says so, or with no words says nothing.
card() {
	for f in samples mean std; do
		got=$(tr '\0' ' ' <"$T/$1/$2/$f.fits" | fold -w 80 | sed -n 's/^HISTORY \(samples aligned.*[^ ]\) *$/\1/p')
		[ "$got" = "$3" ] || { echo "$1/$2/$f.fits says '$got', not '$3'"; bad=1; }
	done
}
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/auto" --quiet
card auto closed/peak+dpi "samples aligned to the truth by whole pixels"
card auto full/peak+dpi ""
for key in diameter_uas width_uas orientation_deg asymmetry central; do
	for end in "" _p16 _p50 _p84; do
		grep -q "\"ring_$key$end\":" "$T/auto/full/peak+dpi/metrics.json" || { echo "no ring_$key$end"; bad=1; }
	done
done
grep -q align_wrapped "$T/auto/closed/peak+dpi/metrics.json" || bad=1
grep -q align_wrapped "$T/auto/full/peak+dpi/metrics.json" && bad=1

status 0 "$UMBRA" run "$T/p.cfg" -o "$T/auto2" --quiet --threads 2
same "$T/auto/closed/peak+dpi/samples.fits" "$T/auto2/closed/peak+dpi/samples.fits"
for how in none centre samples; do
	status 0 "$UMBRA" run "$T/p.cfg" -o "$T/$how" --quiet --only closed/peak+dpi --set "run.[2].align=$how"
done
card none closed/peak+dpi ""
card centre closed/peak+dpi "samples aligned by their centroids by whole pixels"
card samples closed/peak+dpi "samples aligned to each other by whole pixels"
# pixels HOW: the samples without their header.
pixels() {
	tail -c 14400 "$T/$1/closed/peak+dpi/samples.fits" >"$T/$1.pixels"
}
pixels auto
pixels none
cmp -s "$T/auto.pixels" "$T/none.pixels" && { echo "nothing moved"; bad=1; }
# psnr HOW: to the truth never worse than where inference left them.
psnr() {
	sed -n 's/.*"psnr_samples": *\([-0-9.e+]*\).*/\1/p' "$T/$1/closed/peak+dpi/metrics.json"
}
awk -v a="$(psnr auto)" -v n="$(psnr none)" 'BEGIN { exit !(a > n) }' ||
	{ echo "psnr $(psnr auto) aligned, $(psnr none) not"; bad=1; }

status 2 "$UMBRA" check "$T/p.cfg" --set "run.[3].align=centre"
says "the data of forward.full fix the position"
exit $bad
