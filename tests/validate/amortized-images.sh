# SPDX-License-Identifier: GPL-3.0-or-later
# Images of 64 x 64 pixels by a flow of convolutions, other pixels hidden each time, against the closed form.
. tests/validate/lib.sh.inc
size=${SIZE:-64} steps=${STEPS:-1500}
cat >"$T/images.cfg" <<C
title = "Fields with gaps by one call a sample";
seed = 1;
image = { pixels = [$size, $size]; };
forward = {
  any = { plugin = "inpaint"; seen = 0.5; fractions = [0.4, 0.7]; sigma = 0.1; };
  most = { plugin = "inpaint"; seen = 0.5; fractions = [0.7, 0.7]; sigma = 0.1; };
  some = { plugin = "inpaint"; seen = 0.5; fractions = [0.4, 0.4]; sigma = 0.1; };
};
priors = { field = { plugin = "gaussian"; spectrum = "power"; mean = 0.5; sigma = 0.2; floor = 0.01; }; };
inference = {
  exact = { plugin = "exact"; limit = 5000; };
  cnf = { plugin = "cnf"; summary = "wiener"; couplings_of = "images"; couplings = 12; start = "prior"; steps = $steps; batch = 16;
    refine = 0; };
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
echo "A Gaussian field of which 30 to 60 % of the pixels are hidden, others every time, and noise of 0.1: \`cnf\` of convolutions"
echo "(\`couplings_of = \"images\"\`, 12 couplings, $(whole steps "$T/run/train/cnf") steps in $(whole seconds "$T/run/train/cnf") s of two threads) beside the closed form. Eight"
echo "unseen fields each, 128 samples; PSNR of the mean and of samples, truths inside the middle 95 % of samples (of 128: about 0.94)."
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
	echo "$(number psnr_mean "$T/run/$what/field+exact") $(number psnr_mean "$T/run/$what/field+cnf")" | awk '{ exit $1 - $2 >= 1 }' || status=1
done
exit $status
