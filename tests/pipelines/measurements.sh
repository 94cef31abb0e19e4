# SPDX-License-Identifier: GPL-3.0-or-later
# Several measurements in one cell: the first is what one alone would be, means are those of the closed form, metrics are of
# all; a run that is stopped or killed between any two of them ends with equal bytes; what is refused.
[ -w /dev/shm ] && export TMPDIR=/dev/shm # a checkpoint a step would wait for the disk
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [4, 4]; };
forward = {
  noisy = { plugin = "denoise"; sigma = 0.1; };
  holes = { plugin = "inpaint"; seen = 0.5; fractions = [0.3, 0.7]; sigma = 0.1; };
};
priors = {
  white = { plugin = "gaussian"; mean = 0.5; sigma = 0.2; };
  field = { plugin = "gaussian"; spectrum = "power"; mean = 0.5; sigma = 0.2; };
};
inference = {
  exact = { plugin = "exact"; };
  map = { plugin = "map"; gtol = 1e-9; };
  dps = { plugin = "dps"; calls = 60; batch = 4; };
  dpi = { plugin = "dpi"; steps = 60; batch = 8; };
  hmc = { plugin = "hmc"; chains = 2; warmup = 20; draws = 20; depth = 4; };
  cnf = { plugin = "cnf"; couplings = 4; hidden = 16; steps = 30; check = 10; refine = 40; tune = 20; };
};
run = (
  { stage = "train"; inference = "cnf"; forward = "holes"; priors = ["field"]; data = { prior = "field"; held_out = 100; }; },
  { stage = "simulate"; forward = "noisy"; truth = { prior = "white"; seed = 2; }; count = 3; },
  { stage = "simulate"; forward = "holes"; truth = { prior = "field"; seed = 2; }; count = 3; },
  { stage = "infer"; forward = "noisy"; priors = ["white"]; inference = ["map", "exact"]; samples = 12; },
  { stage = "infer"; forward = "holes"; priors = ["field"]; inference = ["exact", "dps", "dpi", "hmc", "cnf"]; samples = 12; },
  { stage = "compare"; }
);
C
run() { # DIR OPTION...: the pipeline, on one core
	dir=$1
	shift
	"$UMBRA" run "$T/p.cfg" -o "$dir" --threads 1 --quiet "$@"
}
status 0 run "$T/a"
status 0 run "$T/one" --set 'run.[1].count=1' --set 'run.[2].count=1'

# part FILE K BYTES: piece K of so many bytes of the data of the first HDU.
part() {
	end=$(LC_ALL=C grep -abo 'END                         ' "$1" | head -1 | cut -d: -f1)
	tail -c "+$(((end / 2880 + 1) * 2880 + $2 * $3 + 1))" "$1" | head -c "$3"
}
# doubles FILE K: image K of 16.
doubles() {
	part "$1" "$2" 128 | od -An -v -tf8 --endian=big -w8
}
# axes FILE WANTED: sizes of axes, then what those beyond rows and columns are.
axes() {
	got=$(head -c 2880 "$1" | fold -w 80 | sed -n "s/^NAXIS[1-9] *= *\([0-9]*\).*/\1/p; s/^CTYPE[3-9] *= '\([A-Z]*\) *'.*/\1/p" | tr '\n' ' ')
	[ "$got" = "$2 " ] || { echo "axes of $1: $got"; bad=1; }
}
# first FILE BYTES: piece 0 is what the run of one measurement has; the next one is another.
first() {
	part "$T/a/$1" 0 "$2" >"$T/1"
	part "$T/one/$1" 0 "$2" >"$T/2"
	cmp "$T/1" "$T/2" || { echo "$1: the first measurement"; bad=1; }
	part "$T/a/$1" 1 "$2" >"$T/2"
	cmp -s "$T/1" "$T/2" && { echo "$1: the second measurement is the first"; bad=1; }
}
for f in noisy holes; do
	first "simulate/$f/truth.fits" 128
	first "simulate/$f/measurements.fits" 128
	axes "$T/a/simulate/$f/truth.fits" "4 4 3 MEASUREMENT"
	axes "$T/a/simulate/$f/measurements.fits" "16 3"
	axes "$T/one/simulate/$f/truth.fits" "4 4"
done
[ "$(tail -c 2880 "$T/a/simulate/holes/measurements.fits" | od -An -v -tf8 --endian=big -w128 -N384 | sort -u | wc -l)" = 3 ] ||
	{ echo "masks do not differ"; bad=1; }
for c in exact dps dpi hmc cnf; do
	first "holes/field+$c/mean.fits" 128
	first "holes/field+$c/samples.fits" 768
	axes "$T/a/holes/field+$c/samples.fits" "4 4 12 3 SAMPLE MEASUREMENT"
	axes "$T/a/holes/field+$c/std.fits" "4 4 3 MEASUREMENT"
	axes "$T/one/holes/field+$c/samples.fits" "4 4 12 SAMPLE"
done
same "$T/a/holes/field+dps/trace.csv" "$T/one/holes/field+dps/trace.csv"
status 0 run "$T/two" --only holes/field+dps --set 'run.[2].count=2'
part "$T/a/holes/field+dps/samples.fits" 1 768 >"$T/1"
part "$T/two/holes/field+dps/samples.fits" 1 768 >"$T/2"
cmp "$T/1" "$T/2" || { echo "the second measurement depends on the third"; bad=1; }
status 0 run "$T/colours" --only noisy/white+exact --set image.channels=3 --set 'run.[1].count=2'
axes "$T/colours/noisy/white+exact/samples.fits" "4 4 3 12 2 CHANNEL SAMPLE MEASUREMENT"
axes "$T/colours/noisy/white+exact/mean.fits" "4 4 3 2 CHANNEL MEASUREMENT"

# The closed form of white noise on a white prior: its mean is the optimum; samples are as far apart for all.
for k in 0 1 2; do
	doubles "$T/a/simulate/noisy/measurements.fits" $k >"$T/1"
	doubles "$T/a/noisy/white+map/mean.fits" $k >"$T/2"
	paste "$T/1" "$T/2" | awk '{ d = $2 - ($1 / 0.01 + 0.5 / 0.04) / (1 / 0.01 + 1 / 0.04); bad += d * d > 1e-10 } END { exit bad || NR != 16 }' ||
		{ echo "the mean of measurement $k"; bad=1; }
	doubles "$T/a/noisy/white+exact/mean.fits" $k >"$T/1"
	paste "$T/1" "$T/2" | awk '{ d = $2 - $1; s += d * d } END { s = sqrt(s / 16) * sqrt(12) / 0.0894; exit s < 0.5 || s > 1.6 }' ||
		{ echo "the samples of measurement $k"; bad=1; }
done

# Metrics are of all: means, totals, extremes; measurements.csv has each.
number() { # NAME DIR
	sed -n "s/^ *\"$1\": \([-0-9.e+]*\),*$/\1/p" "$2/metrics.json"
}
column() { # NAME CELL
	awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$T/a/$2/measurements.csv"
}
near() { # WHAT A B
	echo "$2 $3" | awk '{ d = $1 - $2; exit !(d * d <= 1e-18 * $1 * $1) || NF != 2 }' || { echo "$1: $2 and $3"; bad=1; }
}
c=holes/field+dps
[ "$(number measurements "$T/a/$c")" = 3.0 ] || { cat "$T/a/$c/metrics.json"; bad=1; }
[ "$(wc -l <"$T/a/$c/measurements.csv")" = 4 ] || { cat "$T/a/$c/measurements.csv"; bad=1; }
grep -q '"measurements"' "$T/one/$c/metrics.json" && { echo "one measurement is counted"; bad=1; }
near psnr_mean "$(number psnr_mean "$T/a/$c")" "$(column psnr_mean $c | awk '{ s += $1 } END { printf "%.12g", s / 3 }')"
near nfe "$(number nfe "$T/a/$c")" "$(number nfe "$T/one/$c" | awk '{ print 3 * $1 }')"
near seconds "$(number seconds "$T/a/$c")" "$(column seconds $c | awk '{ s += $1 } END { printf "%.12g", s }')"
near rhat "$(number rhat "$T/a/holes/field+hmc")" "$(column rhat holes/field+hmc | sort -g | tail -1 | awk '{ printf "%.12g", $1 }')"
near ess "$(number ess_bulk "$T/a/holes/field+hmc")" "$(column ess_bulk holes/field+hmc | sort -g | head -1 | awk '{ printf "%.12g", $1 }')"
grep -q '"measurement [123]: ' "$T/a/holes/field+hmc/metrics.json" || { echo "warnings do not say of which measurement"; bad=1; }
grep -q '3 measurements: metrics are of all' "$T/a/report.html" || { echo "the report does not say that there are several"; bad=1; }
grep -q 'measurements' "$T/one/report.html" && ! grep -q '3 measurements' "$T/one/report.html" || bad=1
status 0 "$UMBRA" info "$T/a/$c/samples.fits"
grep -q '^measurements *3$' "$T/out" || { cat "$T/out"; bad=1; }
head -1 "$T/a/compare/metrics.csv" | grep -q measurements || { echo "metrics.csv lacks their number"; bad=1; }

# Truths from files: as many images of a data set, or of a FITS file, which are measured in their order.
given="--only holes/field+exact --set run.[2].count=2"
status 0 run "$T/set" $given --set "run.[2].truth={files=\"$T/a/simulate/holes/truth.fits\"; index=1;}"
status 0 run "$T/set1" $given --set run.[2].count=1 --set "run.[2].truth={files=\"$T/a/simulate/holes/truth.fits\"; index=1;}"
status 0 run "$T/file" --only holes/field+exact --set "run.[2].truth=$T/a/simulate/holes/truth.fits"
for k in 0 1; do
	part "$T/a/simulate/holes/truth.fits" $((k + 1)) 128 >"$T/1"
	part "$T/set/simulate/holes/truth.fits" $k 128 >"$T/2"
	cmp "$T/1" "$T/2" || { echo "image $k of the data set"; bad=1; }
done
part "$T/set/holes/field+exact/samples.fits" 0 768 >"$T/1"
part "$T/set1/holes/field+exact/samples.fits" 0 768 >"$T/2"
same "$T/1" "$T/2"
for f in simulate/holes/truth.fits simulate/holes/measurements.fits; do
	part "$T/a/$f" 2 128 >"$T/1"
	part "$T/file/$f" 2 128 >"$T/2"
	same "$T/1" "$T/2"
done

# Measurements of a file, and a truth for each.
cat >"$T/own.cfg" <<C
image = { pixels = [2, 1]; };
forward = { own = { plugin = "linear"; rows = [-2.0, 1.7]; sigma = 0.2; values = [-0.9, 0.1, 0.5]; truth = "truths.fits"; }; };
priors = { white = { plugin = "gaussian"; mean = 0.0; sigma = 1.0; }; };
inference = { map = { plugin = "map"; gtol = 1e-9; }; };
run = (
  { stage = "infer"; forward = "own"; priors = ["white"]; inference = ["map"]; samples = 1; }
);
C
status 0 "$UMBRA" run "$T/own.cfg" -o "$T/truths" --quiet --set 'forward.own={plugin="linear"; rows=[-2.0, 1.7]; sigma=0.2;}' \
	--set 'run=({ stage = "simulate"; forward = "own"; truth = { prior = "white"; seed = 1; }; count = 3; })'
cp "$T/truths/simulate/own/truth.fits" "$T/truths.fits"
status 0 "$UMBRA" run "$T/own.cfg" -o "$T/own" --quiet
axes "$T/own/own/white+map/mean.fits" "2 1 3 MEASUREMENT"
part "$T/own/own/white+map/mean.fits" 0 48 | od -An -v -tf8 --endian=big -w16 |
	awk 'BEGIN { y[1] = -0.9; y[2] = 0.1; y[3] = 0.5 } { g = y[NR] / (4 + 1.7 * 1.7 + 0.04); a = $1 + 2 * g; b = $2 - 1.7 * g
		bad += a * a + b * b > 1e-10 } END { exit bad || NR != 3 }' || { echo "means of the file's measurements"; bad=1; }
grep -q '"nrmse": [0-9]' "$T/own/own/white+map/metrics.json" || { echo "the truths are not used"; bad=1; }
status 3 "$UMBRA" check "$T/own.cfg" --set 'forward.own.values=[-0.9, 0.1]'
says "own.cfg:2: truth: $T/truths.fits: it holds 3 images for 2 measurements: one each is needed"

# What makes no sense: STATUS TEXT SETTINGS..., one line each.
refused() {
	want=$1
	text=$2
	shift 2
	status "$want" "$UMBRA" check "$T/p.cfg" "$@"
	says "$text"
	[ "$(grep -c . "$T/err")" = 1 ] || { echo "wanted one line:"; cat "$T/err"; bad=1; }
}
refused 2 "run.[1].count: simulate: 0 lies outside [1, 1e+06]" --set run.[1].count=0
refused 2 "run.[1].count: simulate: expected an integer" --set run.[1].count=1.5
refused 3 "truth.fits: it holds 3 images for 4 measurements: one each is needed" --set run.[2].count=4 --set "run.[2].truth=$T/a/simulate/holes/truth.fits"
refused 3 "truth.fits: it holds 3 images for 1 measurement: one each is needed" --set run.[2].count=1 --set "run.[2].truth=$T/a/simulate/holes/truth.fits"
refused 3 "truth.fits: there is no image 3: it holds 3, of which the first is 0" --set run.[2].count=3 \
	--set "run.[2].truth={files=\"$T/a/simulate/holes/truth.fits\"; index=1;}"
refused 3 "mean.fits: it has 3 images; a start is one" --set "inference.map.image=$T/a/holes/field+exact/mean.fits"
import="{ stage = \"import\"; name = \"other\"; forward = \"noisy\"; files = \"$T/a/noisy/white+exact/samples.fits\"; }"
simulate='{ stage = "simulate"; forward = "noisy"; truth = { prior = "white"; }; count = N; }'
refused 3 "samples.fits: it has images of 3 measurements; import takes those of one" --set "run=( $(echo "$simulate" | sed s/N/1/), $import )"
refused 2 "import takes images of one measurement, and forward.noisy has 3" \
	--set "run=( $(echo "$simulate" | sed s/N/3/), $(echo "$import" | sed "s|/a/|/one/|") )"

# Asked to stop inside of the second or third one: those before are there, and are not inferred again.
export UMBRA_CHECKPOINT=0
"$UMBRA" run "$T/p.cfg" -o "$T/part" --threads 1 --quiet --only holes/field+dps --set inference.dps.calls=4000 2>"$T/err" &
pid=$!
n=0
until "$UMBRA" info "$T/part/holes/field+dps/checkpoint.safetensors" 2>/dev/null | grep -q '^measurement *[12]' || [ $n -gt 200 ]; do
	sleep 0.02
	n=$((n + 1))
done
kill -TERM $pid
wait $pid
[ $? = 75 ] || { echo "exit status is not 75"; cat "$T/err"; bad=1; }
there "$T/part/holes/field+dps/checkpoint.safetensors"
before=$(tail -n +2 "$T/part/holes/field+dps/measurements.csv")
n=$(echo "$before" | wc -l)
axes "$T/part/holes/field+dps/samples.fits" "4 4 12 $n SAMPLE MEASUREMENT"
[ "$(number measurements "$T/part/holes/field+dps")" = "$n.0" ] && [ "$n" -lt 3 ] || { echo "$n measurements"; bad=1; }
status 0 run "$T/part" --only holes/field+dps --set inference.dps.calls=4000 --resume
[ "$(tail -n +2 "$T/part/holes/field+dps/measurements.csv" | head -n "$n")" = "$before" ] || { echo "inferred again:"; echo "$before"
	cat "$T/part/holes/field+dps/measurements.csv"; bad=1; }
axes "$T/part/holes/field+dps/samples.fits" "4 4 12 3 SAMPLE MEASUREMENT"

# Stopped or killed wherever it is, and resumed: equal bytes. A checkpoint a step; what is finished is in it.
[ $bad = 0 ] || exit 1
all() {
	(cd "$1" && find . -name '*.fits' -o -name trace.csv -o -name cnf.safetensors | sort)
}
slow="--set inference.dps.calls=1000 --set inference.dpi.steps=400 --set inference.map.gtol=1e-13"
status 0 run "$T/whole" $slow
for sig in TERM KILL; do
	n=0
	while [ $bad = 0 ] && [ $n -lt 40 ]; do
		n=$((n + 1))
		"$UMBRA" run "$T/p.cfg" -o "$T/cut" --threads 1 --quiet --resume $slow 2>"$T/err" &
		pid=$!
		sleep "0.$((15 + 7 * (n % 5)))"
		tasks=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
		[ $sig = TERM ] && kill -TERM $pid 2>/dev/null || kill -KILL $tasks $pid 2>/dev/null
		wait $pid 2>/dev/null
		got=$?
		[ $got = 0 ] && break
		[ $sig = KILL ] || [ $got = 75 ] || [ $got = 143 ] || { echo "exit status $got"; cat "$T/err"; bad=1; }
	done
	[ $n -gt 2 ] || echo "SKIPPED: too fast to be cut more than $((n - 1)) times"
	[ $got = 0 ] || status 0 run "$T/cut" --resume $slow
	for f in $(all "$T/whole"); do same "$T/whole/$f" "$T/cut/$f"; done
	left=$(find "$T/cut" -name '*.tmp' -o -name 'checkpoint*')
	[ -z "$left" ] || { echo "left behind: $left"; bad=1; }
	rm -rf "$T/cut"
done
exit $bad
