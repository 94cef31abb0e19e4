# SPDX-License-Identifier: GPL-3.0-or-later
# Images of 64 x 64 pixels, others hidden each time, by one flow against the closed form.
. tests/validate/lib.sh.inc
size=${SIZE:-64} steps=${STEPS:-100}
cat >"$T/images.cfg" <<C
title = "Fields with gaps by one call a sample";
seed = 1;
image = { pixels = [$size, $size]; };
forward = {
  any = { plugin = "inpaint"; seen = 0.5; fractions = [0.4, 0.7]; sigma = 0.1; };
  most = { plugin = "inpaint"; seen = 0.5; fractions = [0.7, 0.7]; sigma = 0.1; };
  some = { plugin = "inpaint"; seen = 0.5; fractions = [0.4, 0.4]; sigma = 0.1; };
};
priors = { field = { plugin = "gaussian"; spectrum = "power"; slope = 4.0; k0 = 3.0; mean = 0.5; sigma = 0.2; floor = 0.01; }; };
inference = {
  exact = { plugin = "exact"; limit = 5000; };
  cnf = { plugin = "cnf"; summary = "wiener"; blind = true; start = "regression"; couplings = 8; hidden = 256; steps = $steps;
    batch = 16; rate = 0.00001; warmup = 20; average = 0.95; check = 50; refine = 0; };
};
run = (
  { stage = "train"; inference = "cnf"; forward = "any"; priors = ["field"]; data = { prior = "field"; }; },
  { stage = "simulate"; forward = "most"; truth = { prior = "field"; seed = 2; }; count = 8; },
  { stage = "simulate"; forward = "some"; truth = { prior = "field"; seed = 3; }; count = 8; },
  { stage = "infer"; forward = "most"; priors = ["field"]; inference = ["exact", "cnf"]; samples = 128; },
  { stage = "infer"; forward = "some"; priors = ["field"]; inference = ["exact", "cnf"]; samples = 128; },
  { stage = "compare"; }
);
C
"$B/umbra" run "$T/images.cfg" -o "$T/run" --resume --threads 2 --quiet || status=1
echo "# Fields with gaps of $size x $size pixels by one call a sample"
echo
echo "A Gaussian field (spectrum (9 + k^2)^-2) of which 30 to 60 % of the pixels are hidden, others every time, and noise of 0.1: \`cnf\` (dense"
echo "couplings, told neither which nor how many; $(whole steps "$T/run/train/cnf") steps, in $(whole seconds "$T/run/train/cnf") s of two threads with the regression that it starts at) beside the closed form, which"
echo "knows. Eight unseen fields each, 128 samples; PSNR of the mean (at most 1.5 dB behind) and of samples, truths inside the middle 95 % of samples"
echo "(of 128: about 0.94)."
echo
echo "| hidden | posterior | PSNR of the mean | PSNR of samples | inside 95 % | seconds a sample |"
echo "| --- | --- | --- | --- | --- | --- |"
for what in most some; do
	for how in exact cnf; do
		cell=$T/run/$what/field+$how
		[ -r "$cell/metrics.json" ] || { echo "$what/field+$how is missing" >&2; status=1; continue; }
		row "$([ $what = most ] && echo 30 || echo 60) % | $how" "$cell" psnr_mean psnr_samples coverage_95 | tr -d '\n'
		awk -v s="$(number seconds "$cell")" -v n="$(number samples "$cell")" 'BEGIN { printf " %.2g |\n", s / (n * 8) }'
	done
	echo "$(number psnr_mean "$T/run/$what/field+exact") $(number psnr_mean "$T/run/$what/field+cnf")" | awk '{ exit $1 - $2 >= 1.5 }' || status=1
done
echo
echo "Told the mask (\`blind = false\`) it is 3 and 2 dB behind: 4096 numbers of that crowd the guess out of the principal components that it is told."
exit $status
