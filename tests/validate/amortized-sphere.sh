# SPDX-License-Identifier: GPL-3.0-or-later
# A field on the sphere with gaps that a flow is not told of, against the closed form.
. tests/validate/lib.sh.inc
echo "# A field with gaps"
echo
echo "\`pipelines/imputation.cfg\` with four truths each: a Gaussian field on 642 vertices (angular spectrum (9 + l^2)^-2), noise of 0.05. Blind: other"
echo "vertices are hidden every time, and one \`cnf\` for 30 to 60 % of them is told neither which nor how many; same: always those."
echo "PSNR (of the truth's maximum) of the closed-form mean, of the mean of 128 samples and of one; by how much the mean is behind (at most"
echo "1.5 dB blind, 1 dB else); truths inside the middle 95 % of 1024 samples, of the exact ones and of cnf's. Seconds are for 128 samples,"
echo "wall time."
echo
echo "| hidden | closed form | mean of 128 | one sample | dB behind | exact inside 95 % | inside 95 % | seconds |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
"$B/umbra" run pipelines/imputation.cfg -o "$T/run" --resume --threads 2 --quiet || status=1
cells() { # SEED SAMPLES
	for what in most some gaps; do
		echo "{ stage = \"simulate\"; forward = \"$what\"; truth = { prior = \"field\"; seed = $1; }; },"
	done
	echo "{ stage = \"infer\"; forward = \"most\"; priors = [\"field\"]; inference = [\"exact\", \"cnf\"]; samples = $2; },"
	echo "{ stage = \"infer\"; forward = \"some\"; priors = [\"field\"]; inference = [\"exact\", \"cnf\"]; samples = $2; },"
	echo "{ stage = \"infer\"; forward = \"gaps\"; priors = [\"field\"]; inference = [\"exact\", \"known\"]; samples = $2; }"
}
for seed in 11 12 13 14; do
	for samples in 128 1024; do
		"$B/umbra" run pipelines/imputation.cfg -o "$T/run$seed-$samples" --resume --threads 2 --quiet \
			--set inference.cnf.refine=0 --set "inference.cnf.model=$T/run/train/cnf/cnf.safetensors" \
			--set inference.known.refine=0 --set "inference.known.model=$T/run/train/known/known.safetensors" \
			--set "run=( $(cells $seed $samples) )" || status=1
	done
done
# what_of WHAT INFERENCE NAME LIMIT
what_of() {
	for seed in 11 12 13 14; do
		for key in exact:psnr_mean $2:psnr_mean $2:psnr_samples; do
			number "${key#*:}" "$T/run$seed-128/$1/field+${key%:*}"
		done
		for key in exact:coverage_95 $2:coverage_95; do
			number "${key#*:}" "$T/run$seed-1024/$1/field+${key%:*}"
		done
		number draws_per_second "$T/run$seed-128/$1/field+$2"
	done | awk -v name="$3" -v limit="$4" '{ v[(NR - 1) % 6] += $1 / 4; if (NR % 6 == 0) t += 32 / $1 }
		END { printf "| %s | %.2f | %.2f | %.2f | %.2f | %.3f | %.3f | %.3f |\n", name, v[0], v[1], v[2], v[0] - v[1], v[3], v[4], t
			exit v[0] - v[1] >= limit }' || status=1
}
what_of most cnf "30 %, blind" 1.5
what_of some cnf "60 %, blind" 1.5
what_of gaps known "60 %, same" 1
echo
echo "Blind intervals at 60 % are too narrow, as the law has one width for all masks: what is hidden varies more, and what is seen less."
exit $status
