# SPDX-License-Identifier: GPL-3.0-or-later
# --resume: what has not changed is not run again, what has says why; old results stay until new ones are
# complete and come back with the change that is taken back; damaged checkpoints fall back.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
image = { pixels = [8, 8]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; };
priors = { field = { plugin = "gaussian"; spectrum = "power"; }; other = { plugin = "gaussian"; }; };
inference = { exact = { plugin = "exact"; }; dpi = { plugin = "dpi"; steps = 60; batch = 8; }; };
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["field", "other"]; inference = ["exact", "dpi"]; samples = 4; },
  { stage = "compare"; }
);
C
run() { # STATUS DIR OPTION...
	want=$1
	dir=$2
	shift 2
	status "$want" "$UMBRA" run "$T/p.cfg" -o "$T/$dir" "$@"
}
# lines N TEXT: so many lines of the last output hold this text.
lines() {
	[ "$(grep -cF -- "$2" "$T/err")" = "$1" ] || { echo "wanted $1 lines '$2':"; cat "$T/err"; bad=1; }
}
run 0 a
run 0 a --resume
lines 5 "done before, nothing has changed"
run 0 a --resume --set inference.exact.limit=4000 --set title=other --set run.[1].time_limit=60 --threads 1
lines 3 "done before, nothing has changed"
lines 2 "inference.exact.limit was 4096 and is 4000: run again"

# One prior; the other cells stand. Of the truth everything is made again but what does not see it.
run 0 a --resume --set inference.exact.limit=4000 --set priors.other.sigma=2.0
lines 3 "done before, nothing has changed"
says "seen/other+dpi: priors.other.sigma was 1 and is 2: run again"
run 0 a --resume --set inference.exact.limit=4000 --set priors.other.sigma=2.0 --set run.[0].truth.seed=3
says "simulate/seen: simulate.seen.truth.seed was 2 and is 3: run again"
says "seen/field+exact: simulate/seen/measurements.fits has changed: run again"
lines 0 "done before"
run 0 b --quiet --set inference.exact.limit=4000 --set priors.other.sigma=2.0 --set run.[0].truth.seed=3
for c in field+exact field+dpi other+exact other+dpi; do same "$T/a/seen/$c/samples.fits" "$T/b/seen/$c/samples.fits"; done
ls -d "$T"/a/*/*.old 2>/dev/null && { echo "left behind"; bad=1; }

# Another version of a plugin than results were made with: what it had a part in is run again.
cp "$T/b/seen/other+exact/made-from.json" "$T/made"
sed -i 's|\("the version of inference/exact": *\)"[^"]*"|\1"0.0.1"|' "$T/b/seen/other+exact/made-from.json"
cmp -s "$T/made" "$T/b/seen/other+exact/made-from.json" && { echo "made-from.json has no version of the plugin"; cat "$T/made"; bad=1; }
cp "$T/b/seen/other+exact/samples.fits" "$T/kept.fits"
run 0 b --resume --set inference.exact.limit=4000 --set priors.other.sigma=2.0 --set run.[0].truth.seed=3
says "seen/other+exact: the version of inference/exact has changed: run again"
lines 4 "done before, nothing has changed"
same "$T/kept.fits" "$T/b/seen/other+exact/samples.fits"
same "$T/made" "$T/b/seen/other+exact/made-from.json"

# What rests on a fit, here through a prior that it names, follows it.
sed 's/other = { plugin = "gaussian"; };/other = { plugin = "score"; score = "pca"; }; pca = { plugin = "pca"; components = 3; };/;
	s/^run = (/&  { stage = "train"; prior = "pca"; data = { prior = "field"; count = 40; }; },/;
	s/"field", "other"/"other"/; s/"exact", "dpi"/"dps"/; s/dpi = {.*};/dps = { plugin = "dps"; calls = 6; }; };/' "$T/p.cfg" >"$T/fit.cfg"
status 0 "$UMBRA" run "$T/fit.cfg" -o "$T/fit" --quiet
status 0 "$UMBRA" run "$T/fit.cfg" -o "$T/fit" --resume --set run.[0].data.count=50
says "train/pca: train.pca.data.count was 40 and is 50: trained again"
says "simulate/seen: done before, nothing has changed"
says "seen/other+dps: train/pca/pca.safetensors has changed: run again"

# A change that was not finished can be taken back; meanwhile nothing is lost.
cp "$T/b/seen/field+dpi/samples.fits" "$T/kept.fits"
run 0 c --only seen/field+dpi --quiet
"$UMBRA" run "$T/p.cfg" -o "$T/c" --only seen/field+dpi --resume --set inference.dpi.steps=1000000 2>"$T/err" &
pid=$!
await "$T/c/seen/field+dpi.old/samples.fits"
sleep 0.3
kill $pid
wait $pid
[ $? = 75 ] || { echo "not interrupted"; cat "$T/err"; bad=1; }
there "$T/c/seen/field+dpi.old/samples.fits"
cp "$T/c/seen/field+dpi.old/samples.fits" "$T/kept.fits"
run 0 c --only seen/field+dpi --resume
lines 2 "done before, nothing has changed"
same "$T/kept.fits" "$T/c/seen/field+dpi/samples.fits"
[ -e "$T/c/seen/field+dpi.old" ] && { echo "it came back, and stayed"; bad=1; }

# Damaged checkpoints: the one before it, or the beginning, and the same bytes.
slow="--set inference.dpi.steps=3000 --only seen/field+dpi"
run 0 whole $slow --quiet
export UMBRA_CHECKPOINT=0
"$UMBRA" run "$T/p.cfg" -o "$T/d" $slow 2>"$T/err" &
pid=$!
await "$T/d/seen/field+dpi/checkpoint.previous.safetensors"
kill $pid
wait $pid
cp -r "$T/d" "$T/e"
damage() { # FILE: one bit of its last byte
	n=$(($(wc -c <"$1") - 1))
	last=$(tail -c 1 "$1" | od -An -tu1)
	printf "\\$(printf %o $((last ^ 1)))" | dd of="$1" bs=1 seek=$n conv=notrunc 2>/dev/null
}
unset UMBRA_CHECKPOINT
damage "$T/d/seen/field+dpi/checkpoint.safetensors"
run 0 d $slow --resume
lines 1 "checkpoint.safetensors: its checksum is wrong; going on from the checkpoint before it"
same "$T/whole/seen/field+dpi/samples.fits" "$T/d/seen/field+dpi/samples.fits"
same "$T/whole/seen/field+dpi/trace.csv" "$T/d/seen/field+dpi/trace.csv"
head -c 300 "$T/e/seen/field+dpi/checkpoint.safetensors" >"$T/cut"
cp "$T/cut" "$T/e/seen/field+dpi/checkpoint.safetensors"
: >"$T/e/seen/field+dpi/checkpoint.previous.safetensors"
run 0 e $slow --resume
lines 1 "going on from the beginning"
same "$T/whole/seen/field+dpi/samples.fits" "$T/e/seen/field+dpi/samples.fits"
ls "$T"/[de]/seen/field+dpi/checkpoint* 2>/dev/null && { echo "a checkpoint was left"; bad=1; }
exit $bad
