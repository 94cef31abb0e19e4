# SPDX-License-Identifier: GPL-3.0-or-later
# Comparison where the answer is known: evidences of Gaussian priors with linear data, distances, agreement of priors,
# and images that come from elsewhere.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
image = { pixels = [8, 8]; };
forward = { noisy = { plugin = "denoise"; sigma = 0.1; }; };
priors = {
  white = { plugin = "gaussian"; mean = 0.5; sigma = 0.2; };
  wide = { plugin = "gaussian"; mean = 0.5; sigma = 2.0; };
  tv = { plugin = "tv"; weight = 1.0; };
};
inference = {
  exact = { plugin = "exact"; };
  dpi = { plugin = "dpi"; steps = 600; batch = 16; };
};
run = (
  { stage = "simulate"; forward = "noisy"; truth = { prior = "white"; seed = 3; }; },
  { stage = "infer"; forward = "noisy"; priors = ["white", "wide"]; inference = ["exact"]; samples = 300; },
  { stage = "infer"; forward = "noisy"; priors = ["white", "tv"]; inference = ["dpi"]; samples = 300; },
  { stage = "compare"; }
);
C
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/run" --quiet --threads 1
c=$T/run/compare
there "$c/metrics.csv" "$c/distances.csv" "$c/agreement.csv" "$c/agreement.png" "$c/agreement-noisy.exact.fits" "$c/comparison.png"
fitsverify -q "$c/agreement-noisy.exact.fits" | grep -q 'verification OK' || { fitsverify "$c/agreement-noisy.exact.fits"; bad=1; }
[ -e "$c/ring.csv" ] && { echo "rings in what is no sky"; bad=1; }

# value CELL KEY of metrics.csv
value() {
	awk -F, -v cell="$1" -v key="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == key) k = i } $1 == cell { print $k }' "$c/metrics.csv"
}
# true WORDS AWK-EXPRESSION
true_that() {
	awk "BEGIN { exit !($2) }" || { echo "$1: $2"; bad=1; }
}
# Independent numbers y ~ N(0.5, 0.2^2 + 0.1^2): the evidence by hand, from the measurements that the run wrote.
data=$T/run/simulate/noisy/measurements.fits
known=$(tail -c +2881 "$data" | head -c 512 | od -An -v -t x1 | tr -s ' \n' '\n\n' | awk '
	function hex(s, i, v) { for (i = 1; i <= length(s); i++) v = 16 * v + index("0123456789abcdef", substr(s, i, 1)) - 1; return v }
	NF { b[n++] = hex($1) }
	END {
		for (i = 0; i < 512; i += 8) {
			e = (b[i] % 128) * 16 + int(b[i + 1] / 16); m = b[i + 1] % 16
			for (k = 2; k < 8; k++) m = 256 * m + b[i + k]
			y = (b[i] >= 128 ? -1 : 1) * (1 + m / 2 ^ 52) * 2 ^ (e - 1023)
			s -= 0.5 * (y - 0.5) ^ 2 / 0.05 + 0.5 * log(2 * 3.14159265358979 * 0.05)
		}
		printf "%.9f", s
	}')
cell=noisy/white+exact
for key in log_evidence log_evidence_lower log_evidence_is; do
	true_that "$key of $cell, known $known" "(d = $(value $cell $key) - ($known)) < 1e-4 && d > -1e-4"
done
# Under a diagonal posterior dpi's law is the right one.
is=$(value noisy/white+dpi log_evidence_is)
se=$(value noisy/white+dpi log_evidence_is_se)
low=$(value noisy/white+dpi log_evidence_lower)
true_that "dpi: known $known" "(d = $is - ($known)) < 5 * $se + 0.01 && d > -5 * $se - 0.01 && $low < $known + 0.05 && $low > $known - 1"
true_that "Pareto k of dpi" "$(value noisy/white+dpi pareto_k) < 0.7"
true_that "evidence of a far too wide prior" "$(value noisy/wide+exact log_evidence_is) < $known - 50"
[ -z "$(value noisy/tv+dpi log_evidence_is)" ] || { echo "an evidence under a prior without a constant"; bad=1; }
[ -n "$(value noisy/tv+dpi pareto_k)" ] || { echo "no Pareto k"; bad=1; }

# The same posterior twice is near, another one far.
distance() {
	awk -F, -v a="$1" -v b="$2" '$2 == a && $3 == b { print $5 }' "$c/distances.csv"
}
[ "$(wc -l <"$c/distances.csv")" = 7 ] || { echo "distances: not all pairs"; cat "$c/distances.csv"; bad=1; }
near=$(distance noisy/white+exact noisy/white+dpi)
far=$(distance noisy/white+exact noisy/wide+exact)
true_that "distances" "$near < 0.01 && $near > -0.01 && $far > 0.01 && $far < 1"

# Images from elsewhere: those of a cell of that run, under another name, have the same figures.
mkdir "$T/clean"
cp "$T/run/noisy/white+exact/samples.fits" "$T/clean/a.fits"
cp "$T/run/noisy/white+exact/mean.fits" "$T/clean/b.fits"
sed 's/^  { stage = "infer".*\[.white., .tv.\].*$/  { stage = "import"; name = "clean"; forward = "noisy"; files = "clean\/a.fits"; }, { stage = "import"; name = "point"; forward = "noisy"; files = ["clean"]; },/' "$T/p.cfg" >"$T/q.cfg"
status 0 "$UMBRA" run "$T/q.cfg" -o "$T/in" --quiet --threads 1
c=$T/in/compare
for key in chi2_mean chi2_samples psnr_mean ssim_mean nrmse coverage_68 samples; do
	[ "$(value noisy/clean $key)" = "$(value noisy/white+exact $key)" ] || { echo "$key of the import differs"; bad=1; }
done
[ "$(value noisy/point samples)" = 301 ] || { echo "a folder of files: $(value noisy/point samples) samples"; bad=1; }
true_that "a copy" "$(distance noisy/white+exact noisy/clean) < 0.001"
there "$T/in/noisy/clean/figures/mean.png" "$T/in/report.html"
grep -q '"import.clean"' "$T/in/run.json" || { echo "no hash of what was imported"; bad=1; }
cp "$T/in/run.json" "$T/before"
status 0 "$UMBRA" run "$T/q.cfg" -o "$T/in" --quiet --threads 1 --resume
status 0 "$UMBRA" run "$T/q.cfg" -o "$T/one" --quiet --only noisy/clean
status 2 "$UMBRA" check "$T/q.cfg" --set 'run.[2].name=a/b'
says "name: the name of a cell"
status 3 "$UMBRA" check "$T/q.cfg" --set 'image.pixels=[8,9]'
says "it can only be regridded where both have a size on the sky"

# On the sky images of another size are regridded: the flux stays.
cat >"$T/sky.cfg" <<C
image = { pixels = [16, 16]; fov_uas = 128.0; };
forward = { full = { plugin = "eht"; uvfits = "$PWD/tests/data/synthetic.uvfits"; coverage_only = true; }; };
priors = { scene = { plugin = "geometric"; value = 1.0; }; peak = { plugin = "entropy"; weight = 100.0; fwhm = 30.0; flux = 1.0; }; };
inference = { map = { plugin = "map"; iterations = 5; }; };
run = (
  { stage = "simulate"; forward = "full"; truth = { prior = "scene"; seed = 2; }; },
  { stage = "import"; name = "other"; forward = "full"; files = "truth.fits"; },
  { stage = "compare"; }
);
C
cp tests/data/synthetic.uvfits "$T"
sed 's/16, 16/24, 24/; s/.*"import".*//; s/.*"compare".*//; s/seed = 2; }; },/seed = 2; }; }/' "$T/sky.cfg" >"$T/fine.cfg"
status 0 "$UMBRA" run "$T/fine.cfg" -o "$T/fine" --quiet
cp "$T/fine/simulate/full/truth.fits" "$T/truth.fits"
status 0 "$UMBRA" run "$T/sky.cfg" -o "$T/sky" --quiet
c=$T/sky/compare
there "$c/ring.csv" "$c/ring.png"
true_that "a truth that was regridded" "$(value full/other nrmse) < 0.5"
sed 's/JY\/PIXEL/JY\/BEAM /' "$T/truth.fits" >"$T/beam.fits"
status 3 "$UMBRA" check "$T/sky.cfg" --set "run.[1].files=$T/beam.fits"
says "its unit is JY/BEAM, that of the forward model JY/PIXEL"
status 0 "$UMBRA" check "$T/sky.cfg" --set "run.[1].files=$T/beam.fits" --set 'run.[1].factor=2.0'
exit $bad
