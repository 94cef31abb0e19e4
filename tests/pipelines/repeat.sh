# SPDX-License-Identifier: GPL-3.0-or-later
# Equal runs give equal bytes; other jobs, other cells or --only change nothing; a run that was
# stopped and resumed gives the bytes of one that was not.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [8, 8]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; };
priors = { field = { plugin = "gaussian"; spectrum = "power"; }; };
inference = {
  exact = { plugin = "exact"; };
  dpi = { plugin = "dpi"; steps = 40000; batch = 32; };
};
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["exact", "dpi"]; samples = 16; },
  { stage = "compare"; }
);
C
few="inference.dpi.steps=400"
status 0 "$UMBRA" run "$T/p.cfg" --set $few -o "$T/a" --quiet
status 0 "$UMBRA" run "$T/p.cfg" --set $few -o "$T/b" --quiet --jobs 2 --threads 2
status 0 "$UMBRA" run "$T/p.cfg" --set $few -o "$T/c" --quiet --only seen/field+dpi
for c in seen/field+exact seen/field+dpi; do
	for f in samples mean std; do
		same "$T/a/$c/$f.fits" "$T/b/$c/$f.fits"
	done
done
same "$T/a/seen/field+dpi/samples.fits" "$T/c/seen/field+dpi/samples.fits"
same "$T/a/simulate/seen/measurements.fits" "$T/c/simulate/seen/measurements.fits"
[ -e "$T/c/seen/field+exact" ] && { echo "--only ran another cell"; bad=1; }

# A folder that is not empty is left alone.
status 2 "$UMBRA" run "$T/p.cfg" --set $few -o "$T/a"
says "not empty"

# Stopped and resumed.
for sig in TERM INT USR1; do
	"$UMBRA" run "$T/p.cfg" --only seen/field+dpi -o "$T/r$sig" --quiet 2>"$T/err" &
	pid=$!
	await "$T/r$sig/simulate/seen/measurements.fits"
	sleep 0.5
	kill -$sig $pid
	wait $pid
	[ $? = 75 ] || { echo "SIG$sig: exit status is not 75"; cat "$T/err"; bad=1; }
	grep -q '"interrupted"' "$T/r$sig/run.json" || { echo "SIG$sig: run.json says nothing of it"; bad=1; }
	there "$T/r$sig/seen/field+dpi/samples.fits"
done
status 0 "$UMBRA" run "$T/p.cfg" --only seen/field+dpi -o "$T/rTERM" --resume --quiet
status 0 "$UMBRA" run "$T/p.cfg" --only seen/field+dpi -o "$T/whole" --quiet
same "$T/rTERM/seen/field+dpi/samples.fits" "$T/whole/seen/field+dpi/samples.fits"
same "$T/rTERM/seen/field+dpi/trace.csv" "$T/whole/seen/field+dpi/trace.csv"
grep -q '"resumed"' "$T/rTERM/run.json" || { echo "run.json says nothing of the resumption"; bad=1; }
nfe() { sed -n 's/.*"nfe": *\([0-9.]*\).*/\1/p' "$1/seen/field+dpi/metrics.json"; }
[ "$(nfe "$T/rTERM")" = "$(nfe "$T/whole")" ] || { echo "calls counted: $(nfe "$T/rTERM"), $(nfe "$T/whole")"; bad=1; }

# Chains, an optimum from many starts and an amortized law: what there was when they were told to stop, and the rest.
cat >"$T/others.cfg" <<'C'
seed = 3;
image = { pixels = [16, 16]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; };
priors = { field = { plugin = "gaussian"; spectrum = "power"; }; edges = { plugin = "tv"; weight = 3.0; epsilon = 0.001; }; };
inference = {
  hmc = { plugin = "hmc"; chains = 2; warmup = 4; draws = 1000; depth = 3; trace = 1; };
  map = { plugin = "map"; starts = 50; };
  cnf = { plugin = "cnf"; couplings = 2; hidden = 8; steps = 20; check = 10; batch = 16; start = "prior"; refine = 150000; };
};
run = (
  { stage = "train"; inference = "cnf"; forward = "seen"; priors = ["field"]; data = { prior = "field"; held_out = 20; }; },
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["hmc", "cnf"]; samples = 16; },
  { stage = "infer"; forward = "seen"; priors = ["edges"]; inference = ["map"]; samples = 16; }
);
C
status 0 "$UMBRA" run "$T/others.cfg" -o "$T/others" --quiet --threads 1
for try in INT:field+hmc TERM:edges+map USR1:field+cnf; do
	sig=${try%%:*} c=seen/${try#*:} d=$T/o${try%%:*}
	UMBRA_CHECKPOINT=0 "$UMBRA" run "$T/others.cfg" --only $c -o "$d" --quiet --threads 1 2>"$T/err" &
	pid=$!
	case $c in
	*cnf) await "$d/$c" && sleep 0.3 ;; # which draws so fast that it saves nothing
	*)
		await "$d/$c/trace.csv"
		n=0
		while [ "$(wc -l <"$d/$c/trace.csv")" -lt 9 ] && [ $n -lt 400 ]; do
			sleep 0.05
			n=$((n + 1))
		done ;;
	esac
	kill -$sig $pid
	wait $pid
	[ $? = 75 ] || { echo "SIG$sig: exit status of $c is not 75"; cat "$T/err"; bad=1; }
	grep -A1 "\"$c\"" "$d/run.json" | grep -q '"interrupted"' || { echo "SIG$sig: run.json says nothing of $c"; bad=1; }
	there "$d/$c/samples.fits" "$d/$c/mean.fits" "$d/$c/metrics.json"
	fitsverify -q "$d/$c/samples.fits" | grep -q 'verification OK' || { fitsverify "$d/$c/samples.fits"; bad=1; }
	# chains and starts that are not finished make other samples; the law has drawn its own first
	[ $c = seen/field+cnf ] || ! cmp -s "$d/$c/samples.fits" "$T/others/$c/samples.fits" || { echo "$c was finished"; bad=1; }
	status 0 "$UMBRA" run "$T/others.cfg" --only $c -o "$d" --quiet --threads 1 --resume
	for f in samples mean std; do same "$d/$c/$f.fits" "$T/others/$c/$f.fits"; done
	[ ! -e "$T/others/$c/trace.csv" ] || same "$d/$c/trace.csv" "$T/others/$c/trace.csv"
	[ -z "$(ls "$d/$c" | grep checkpoint)" ] || { echo "a checkpoint of $c was left"; bad=1; }
done

# Results that are gone are made again; a folder is worked on by one run at a time.
rm -r "$T/whole/seen/field+dpi"
status 0 "$UMBRA" run "$T/p.cfg" --set $few -o "$T/lock" --only seen/field+exact --quiet
rm -r "$T/lock/seen/field+exact" "$T/lock/run.json"
status 0 "$UMBRA" run "$T/p.cfg" --set $few -o "$T/lock" --only seen/field+exact --resume --quiet
there "$T/lock/seen/field+exact/samples.fits"
"$UMBRA" run "$T/p.cfg" --only seen/field+dpi -o "$T/hup" --quiet 2>"$T/err" &
pid=$!
await "$T/hup/simulate/seen/measurements.fits"
status 2 "$UMBRA" run "$T/p.cfg" --only seen/field+dpi -o "$T/hup" --resume
says "another run is at work"
kill -HUP $pid
wait $pid
[ $? = 75 ] || { echo "SIGHUP: exit status is not 75"; bad=1; }

# Text that is not UTF-8, and an input that changes: what rests on it is made again.
cp "$T/a/simulate/seen/truth.fits" "$T/t.fits"
sed 's/truth = {.*}; }/truth = "t.fits"; }/; 1i title = "caf\xe9";' "$T/p.cfg" >"$T/q.cfg"
status 0 "$UMBRA" run "$T/q.cfg" --set $few -o "$T/input" --only seen/field+exact --quiet
cp "$T/a/seen/field+exact/mean.fits" "$T/t.fits"
status 0 "$UMBRA" run "$T/q.cfg" --set $few -o "$T/input" --only seen/field+exact --resume
says "simulate/seen: the file simulate.seen.truth has changed: run again"
says "seen/field+exact: the file simulate.seen.truth has changed: run again"
[ -e "$T/rTERM/seen/field+dpi/checkpoint.safetensors" ] && { echo "a checkpoint was left"; bad=1; }
exit $bad
