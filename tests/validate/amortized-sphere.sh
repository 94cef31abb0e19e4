# SPDX-License-Identifier: GPL-3.0-or-later
# A field on the sphere with gaps that a flow is not told of, against the closed form.
. tests/validate/lib.sh.inc
echo "# A field with gaps, blind"
echo
echo "\`pipelines/imputation.cfg\` with four truths each: a Gaussian field on 642 vertices (angular spectrum (9 + l^2)^-2), noise of 0.05, other"
echo "vertices hidden every time; one \`cnf\` for 30 to 60 % of them, which is told neither which nor how many. PSNR (of the truth's"
echo "maximum) of the closed-form mean, the mean of 128 samples, one sample; by how much the mean is behind (at most 1.5 dB); truths inside the"
echo "middle 95 % of the samples, of the exact ones and of cnf's. Seconds are for 128 samples, wall time."
echo
echo "| hidden | closed form | mean of 128 | one sample | dB behind | exact inside 95 % | inside 95 % | seconds |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
"$B/umbra" run pipelines/imputation.cfg -o "$T/run" --resume --threads 2 --quiet || status=1
for seed in 11 12 13; do
	"$B/umbra" run pipelines/imputation.cfg -o "$T/run$seed" --resume --threads 2 --quiet --set inference.cnf.refine=0 \
		--set "inference.cnf.model=$T/run/train/cnf/cnf.safetensors" --set "run=(
		{ stage = \"simulate\"; forward = \"most\"; truth = { prior = \"field\"; seed = $seed; }; },
		{ stage = \"simulate\"; forward = \"some\"; truth = { prior = \"field\"; seed = $seed; }; },
		{ stage = \"infer\"; forward = \"most\"; priors = [\"field\"]; inference = [\"exact\", \"cnf\"]; samples = 128; },
		{ stage = \"infer\"; forward = \"some\"; priors = [\"field\"]; inference = [\"exact\", \"cnf\"]; samples = 128; })" || status=1
done
for what in most some; do
	for run in "$T/run" "$T/run11" "$T/run12" "$T/run13"; do
		for key in exact:psnr_mean cnf:psnr_mean cnf:psnr_samples exact:coverage_95 cnf:coverage_95 cnf:draws_per_second; do
			number "${key#*:}" "$run/$what/field+${key%:*}"
		done | tr '\n' ' '
		echo
	done | awk -v hidden="$([ $what = most ] && echo 30 || echo 60)" '{ e += $1 / 4; m += $2 / 4; s += $3 / 4; x += $4 / 4; c += $5 / 4; t += 32 / $6 }
		END { printf "| %d %% | %.2f | %.2f | %.2f | %.2f | %.3f | %.3f | %.3f |\n", hidden, e, m, s, e - m, x, c, t; exit e - m >= 1.5 }' ||
		status=1
done
exit $status
