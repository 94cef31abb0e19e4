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
# Fit to the data over the samples, and what each cell cost.
for cell in noisy/white+exact noisy/wide+exact noisy/white+dpi noisy/tv+dpi; do
	for key in chi2_mean chi2_samples chi2_samples_sd seconds peak_mb; do
		true_that "$key of $cell is a positive number" "\"$(value $cell $key)\" + 0 > 0"
	done
done
true_that "memory in MB" "$(value noisy/white+exact peak_mb) > 3 && $(value noisy/white+exact peak_mb) < 30000"

# Maps and their sums from the cells' own means and deviations: variance between priors over all of it, and whether
# mean +- 2 sd of the two have a common point.
numbers() { # FILE N: the first of a FITS image, a line each
	blocks=1
	while [ $blocks -lt 100 ] && ! head -c $((2880 * blocks)) "$1" | tail -c 2880 | fold -w 80 | grep -q '^END *$'; do blocks=$((blocks + 1)); done
	bytes=$(fold -w 80 "$1" | sed -n '/^BITPIX/{s/[^-0-9]*\([-0-9]*\).*/\1/p;q}')
	tail -c +$((2880 * blocks + 1)) "$1" | od -An -v --endian=big -t f$((-bytes / 8)) -w$((-bytes / 8)) | head -n "$2"
}
# agreement INFERENCE PRIOR PRIOR: a line of agreement.csv and its map
agreement() {
	for p in "$2" "$3"; do
		numbers "$T/run/noisy/$p+$1/mean.fits" 64 >"$T/$p.mean"
		numbers "$T/run/noisy/$p+$1/std.fits" 64 >"$T/$p.std"
	done
	numbers "$c/agreement-noisy.$1.fits" 256 | pr -4 -t -s' ' -l 64 >"$T/maps" # share, agree, between, within
	paste -d ' ' "$T/$2.mean" "$T/$2.std" "$T/$3.mean" "$T/$3.std" "$T/maps" | awk -v "row=$(grep "^noisy,$1,$2 $3," "$c/agreement.csv")" '
		function near(a, b) { return a - b < 1e-6 * (1e-3 + b) && b - a < 1e-6 * (1e-3 + b) }
		{
			between = ($1 - $3) ^ 2 / 4; within = ($2 ^ 2 + $4 ^ 2) / 2
			agree = $1 - $3 <= 2 * ($2 + $4) && $3 - $1 <= 2 * ($2 + $4)
			if (!near($5, between / (between + within)) || $6 != agree || !near($7, between) || !near($8, within))
				print "pixel " NR ": " $0
			b += between; w += within; a += agree / 64
		}
		END {
			split(row, had, ",")
			if (NR != 64 || !near(had[4], b / (b + w)) || !near(had[5], a))
				print "the row \"" row "\" is not " b / (b + w) ", " a
			if (!(b > 0 && b / (b + w) < 1))
				print "nothing was compared"
		}' >"$T/out"
	[ ! -s "$T/out" ] || { echo "agreement of $2 and $3 under $1:"; cat "$T/out"; bad=1; }
}
agreement exact white wide
agreement dpi white tv
[ "$(cut -d, -f1-3 "$c/agreement.csv" | tr '\n' ';')" = 'forward,inference,priors;noisy,exact,white wide;noisy,dpi,white tv;' ] ||
	{ echo "groups of cells:"; cat "$c/agreement.csv"; bad=1; }

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
# Small rings and wide ones, as samples: intervals lie apart and about what was drawn, 36 to 44 and 54 to 64 microarcseconds.
cat >"$T/rings.cfg" <<C
image = { pixels = [32, 32]; fov_uas = 128.0; };
forward = { full = { plugin = "eht"; uvfits = "$PWD/tests/data/synthetic.uvfits"; coverage_only = true; }; };
priors = { scene = { plugin = "geometric"; value = 1.0; diameter = [0.28, 0.34]; mring = 0.0; crescent = 0.0; disc = 0.0; binary = 0.0;
  blobs = 0.0; jet = 0.0; spot = 0.0; outflow = 0.0; background = 0.0; clouds = 0.0; thickness = [0.1, 0.2]; shift = [0.0, 0.0]; }; };
inference = { map = { plugin = "map"; }; };
run = (
  { stage = "simulate"; forward = "full"; truth = { prior = "scene"; seed = 2; }; },
  { stage = "import"; name = "small"; forward = "full"; files = "small.fits"; },
  { stage = "import"; name = "wide"; forward = "full"; files = "wide.fits"; },
  { stage = "compare"; }
);
C
sed '/"import"/d; /"compare"/d; s/seed = 2; }; },/seed = 2; }; count = 9; }/' "$T/rings.cfg" >"$T/draw.cfg"
for size in small:0.28,0.34 wide:0.42,0.5; do
	status 0 "$UMBRA" run "$T/draw.cfg" -o "$T/${size%%:*}" --quiet --set "priors.scene.diameter=[${size#*:}]"
	LC_ALL=C sed 's/MEASUREMENT/SAMPLE     /' "$T/${size%%:*}/simulate/full/truth.fits" >"$T/${size%%:*}.fits"
done
status 0 "$UMBRA" run "$T/rings.cfg" -o "$T/rings" --quiet
c=$T/rings/compare
there "$c/ring.png"
[ "$(value full/small samples) $(value full/wide samples)" = "9 9" ] || { echo "not 9 samples of rings"; bad=1; }
awk -F, '
	NR == 1 { good = $0 == "cell,feature,of_mean,p16,p50,p84"; next }
	!($4 < $5 && $5 < $6) { print "no interval: " $0 }
	{ rows[$1]++; seen[$2]++; low[$1 $2] = $4; high[$1 $2] = $6 }
	END {
		d = "ring_diameter_uas"
		split("ring_diameter_uas ring_width_uas ring_orientation_deg ring_asymmetry ring_central ring_scatter", name, " ")
		for (i = 1; i <= 6; i++)
			good = good && seen[name[i]] == 2
		if (!good || NR != 13 || rows["full/small"] != 6 || rows["full/wide"] != 6)
			print "not six features of two cells"
		if (!(low["full/small" d] > 30 && high["full/small" d] < 46 && low["full/wide" d] > 46 && high["full/wide" d] < 66))
			print "diameters: " low["full/small" d] " to " high["full/small" d] ", " low["full/wide" d] " to " high["full/wide" d]
	}' "$c/ring.csv" >"$T/out"
[ ! -s "$T/out" ] || { cat "$T/out" "$c/ring.csv"; bad=1; }

sed 's/JY\/PIXEL/JY\/BEAM /' "$T/truth.fits" >"$T/beam.fits"
status 3 "$UMBRA" check "$T/sky.cfg" --set "run.[1].files=$T/beam.fits"
says "its unit is JY/BEAM, that of the forward model JY/PIXEL"
status 0 "$UMBRA" check "$T/sky.cfg" --set "run.[1].files=$T/beam.fits" --set 'run.[1].factor=2.0'
exit $bad
