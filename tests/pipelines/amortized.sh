# SPDX-License-Identifier: GPL-3.0-or-later
# Inferences that learn: a train stage and the cells after it, equal bytes, stopping and resuming, a budget of time,
# measurements from files, a model in another pipeline, and what is refused.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [4, 4]; };
forward = { seen = { plugin = "lowfreq"; keep = 2; sigma = 0.3; }; };
priors = {
  field = { plugin = "gaussian"; spectrum = "power"; mean = 0.5; sigma = 0.2; };
  white = { plugin = "gaussian"; mean = 0.5; sigma = 0.2; };
  pair = ( { plugin = "tv"; }, { plugin = "l1"; } );
  learned = { plugin = "realnvp"; couplings = 2; hidden = 4; steps = 3; };
};
inference = { cnf = { plugin = "cnf"; couplings = 4; hidden = 16; steps = 60; check = 20; refine = 200; }; };
run = (
  { stage = "train"; inference = "cnf"; forward = "seen"; priors = ["field"]; data = { prior = "field"; held_out = 100; }; },
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["cnf"]; samples = 80; }
);
C
status 0 "$UMBRA" check "$T/p.cfg"
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/a" --quiet
there "$T/a/train/cnf/cnf.safetensors" "$T/a/train/cnf/trace.csv" "$T/a/train/cnf/metrics.json" \
	"$T/a/train/cnf/figures/loss.png" "$T/a/seen/field+cnf/samples.fits"
grep -q 'Training: cnf' "$T/a/report.html" || { echo "the report leaves out the training"; bad=1; }
grep -A1 '"train/cnf"' "$T/a/run.json" | grep -q '"done"' || { cat "$T/a/run.json"; bad=1; }
grep -q '"held_out_measurements": 100' "$T/a/train/cnf/metrics.json" || { cat "$T/a/train/cnf/metrics.json"; bad=1; }
for m in alarm condition_distance predictive_chi2 pareto_k importance_ess elbo draws_per_second; do
	grep -q "\"$m\": [-0-9.]" "$T/a/seen/field+cnf/metrics.json" || { echo "no $m"; cat "$T/a/seen/field+cnf/metrics.json"; bad=1; }
done
for word in '"plugin":"inference/cnf' '"problem.forward":"forward/lowfreq"' 'keep = 2;' '"problem.priors":"priors/gaussian"'; do
	grep -aqF "$word" "$T/a/train/cnf/cnf.safetensors" || { echo "the weights lack $word"; bad=1; }
done
grep -aq -e "$T" -e "$(uname -n)" "$T/a/train/cnf/cnf.safetensors" && { echo "the weights name a place"; bad=1; }
grep -aq 'input train.cnf sha256' "$T/a/seen/field+cnf/samples.fits" || { echo "no hash of the weights"; bad=1; }

# Equal runs give equal bytes; a cell alone brings its training with it.
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/b" --quiet --only seen/field+cnf
same "$T/a/train/cnf/cnf.safetensors" "$T/b/train/cnf/cnf.safetensors"
same "$T/a/seen/field+cnf/samples.fits" "$T/b/seen/field+cnf/samples.fits"

# Stopped and resumed; a budget, and more of it.
slow="--only train/cnf --set inference.cnf.steps=400 --set inference.cnf.batch=256 --set inference.cnf.couplings=24"
status 0 "$UMBRA" run "$T/p.cfg" $slow -o "$T/whole" --quiet
"$UMBRA" run "$T/p.cfg" $slow -o "$T/rest" --quiet 2>"$T/err" &
pid=$!
await "$T/rest/run.json"
sleep 0.7
kill -TERM $pid
wait $pid
[ $? = 75 ] || { echo "exit status is not 75"; cat "$T/err"; bad=1; }
there "$T/rest/train/cnf/checkpoint.safetensors"
status 0 "$UMBRA" run "$T/p.cfg" $slow -o "$T/rest" --quiet --resume
same "$T/whole/train/cnf/cnf.safetensors" "$T/rest/train/cnf/cnf.safetensors"
same "$T/whole/train/cnf/trace.csv" "$T/rest/train/cnf/trace.csv"
[ -e "$T/rest/train/cnf/checkpoint.safetensors" ] && { echo "a checkpoint was left"; bad=1; }
long="--set inference.cnf.steps=100000 --set inference.cnf.check=20"
status 0 "$UMBRA" run "$T/p.cfg" $long --set 'run.[0].seconds=0.5' -o "$T/budget" --quiet
cp "$T/budget/train/cnf/cnf.safetensors" "$T/budget/seen/field+cnf/samples.fits" "$T/"
status 0 "$UMBRA" run "$T/p.cfg" $long --set 'run.[0].seconds=1.0' -o "$T/budget" --quiet --resume
cmp -s "$T/cnf.safetensors" "$T/budget/train/cnf/cnf.safetensors" && { echo "more seconds changed nothing"; bad=1; }
cmp -s "$T/samples.fits" "$T/budget/seen/field+cnf/samples.fits" && { echo "the cell did not follow its training"; bad=1; }

# A model in another pipeline, which need not say what its training was like; or where a fit starts.
kept="$T/a/train/cnf/cnf.safetensors"
sed '/stage = "train"/d; /inference = {/s/.*/inference = { cnf = { plugin = "cnf"; refine = 200; model = "MODEL"; }; };/' "$T/p.cfg" |
	sed "s|MODEL|$kept|" >"$T/q.cfg"
status 0 "$UMBRA" run "$T/q.cfg" -o "$T/model" --quiet
for f in samples.fits; do
	tail -c 5120 "$T/a/seen/field+cnf/$f" >"$T/1"
	tail -c 5120 "$T/model/seen/field+cnf/$f" >"$T/2"
	same "$T/1" "$T/2"
done
status 0 "$UMBRA" run "$T/p.cfg" --set "inference.cnf.model=$kept" -o "$T/warm" --quiet
# Steps for the one measurement before it is sampled.
status 0 "$UMBRA" run "$T/q.cfg" -o "$T/tuned" --quiet --set inference.cnf.tune=40 --set inference.cnf.check=20
cmp -s "$T/model/seen/field+cnf/samples.fits" "$T/tuned/seen/field+cnf/samples.fits" && { echo "tune changed nothing"; bad=1; }
[ "$(head -1 "$T/tuned/seen/field+cnf/trace.csv")" = step,tune_loss,tune_elbo ] || { cat "$T/tuned/seen/field+cnf/trace.csv"; bad=1; }
refused() { # STATUS TEXT SETTINGS...
	want=$1
	text=$2
	shift 2
	status "$want" "$UMBRA" check "$T/q.cfg" "$@"
	says "$text"
	[ "$(grep -c . "$T/err")" = 1 ] || { echo "wanted one line:"; cat "$T/err"; bad=1; }
}
refused 2 "trained for 8 numbers of measurement" --set forward.seen.keep=1
refused 2 "trained for forward/lowfreq, and this is forward/denoise" --set 'forward.seen={plugin="denoise"; sigma=0.3;}'
refused 2 "trained for other settings of priors/gaussian" --set 'run.[1].priors=["white"]'
refused 2 "trained for other settings of priors/gaussian" --set priors.field.mean=0.7
refused 2 "trained for priors/gaussian, and this is priors/tv+l1" --set 'run.[1].priors=["pair"]'
refused 3 "train another" --set 'image.pixels=[8,8]'
refused 2 "scale 1, identity, and this is" --set image.scale=2
status 1 "$UMBRA" run "$T/q.cfg" -o "$T/noise" --set forward.seen.sigma=0.6 --quiet
says "sigma of 8 of 8 numbers is far from all that it saw, the first 0.4243, trained for 0.2121 to 0.2121"

# Measurements from files; what is far from them is said to be.
cat >"$T/line.cfg" <<'C'
image = { pixels = [2, 1]; };
forward = {
  many = { plugin = "linear"; rows = [-2.0, 1.7]; sigma = 0.2; values = [
    -0.9, -0.8, -0.7, -0.6, -0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0 ]; };
  one = { plugin = "linear"; rows = [-2.0, 1.7]; sigma = 0.2; values = [0.3]; };
};
priors = { mixture = { plugin = "gmm"; means = [-0.5, -0.5, 0.5, 0.5]; variances = [0.01]; }; };
inference = { cnf = { plugin = "cnf"; couplings = 4; steps = 50; batch = 8; }; };
run = (
  { stage = "train"; inference = "cnf"; forward = "many"; priors = ["mixture"]; },
  { stage = "infer"; forward = "one"; priors = ["mixture"]; inference = ["cnf"]; samples = 20; }
);
C
status 0 "$UMBRA" run "$T/line.cfg" -o "$T/files" --quiet
grep -q '"train_measurements": 18' "$T/files/train/cnf/metrics.json" || { cat "$T/files/train/cnf/metrics.json"; bad=1; }
grep -q '"condition_distance": 0' "$T/files/one/mixture+cnf/metrics.json" || { cat "$T/files/one/mixture+cnf/metrics.json"; bad=1; }
status 0 "$UMBRA" run "$T/line.cfg" -o "$T/far" --quiet --set 'forward.one.values=[30.0]'
grep -q '"alarm": 1' "$T/far/one/mixture+cnf/metrics.json" || { cat "$T/far/one/mixture+cnf/metrics.json"; bad=1; }
grep -q 'this measurement is unlike those of training' "$T/far/log.txt" || { cat "$T/far/log.txt"; bad=1; }

status 2 "$UMBRA" check "$T/line.cfg" --set 'forward.one.rows=[-2.0, 1.6]'
says "trained for other settings of forward/linear"

# Of a mask that every measurement has of its own neither the seed nor a setting matters; one for all is a part of the model.
cat >"$T/holes.cfg" <<'C'
seed = 3;
image = { pixels = [4, 4]; };
forward = { holes = { plugin = "inpaint"; sigma = 0.1; fractions = [0.3, 0.7]; }; };
priors = { field = { plugin = "gaussian"; spectrum = "power"; mean = 0.5; sigma = 0.2; }; };
inference = { cnf = { plugin = "cnf"; couplings = 4; hidden = 16; steps = 20; check = 20; refine = 0; }; };
run = (
  { stage = "train"; inference = "cnf"; forward = "holes"; priors = ["field"]; data = { prior = "field"; held_out = 100; }; },
  { stage = "simulate"; forward = "holes"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "holes"; priors = ["field"]; inference = ["cnf"]; samples = 80; }
);
C
status 0 "$UMBRA" run "$T/holes.cfg" -o "$T/holes" --quiet --only train/cnf
status 0 "$UMBRA" run "$T/holes.cfg" -o "$T/same" --quiet --only train/cnf --set forward.holes.same=true \
	--set 'forward.holes.fractions=[0.0,0.0]'
sed '/stage = "train"/d; /inference = {/s/.*/inference = { cnf = { plugin = "cnf"; refine = 0; model = "MODEL"; }; };/' \
	"$T/holes.cfg" >"$T/seen.cfg"
seen() { # STATUS MODEL SETTING...
	want=$1
	sed "s|MODEL|$T/$2/train/cnf/cnf.safetensors|" "$T/seen.cfg" >"$T/s.cfg"
	shift 2
	status "$want" "$UMBRA" check "$T/s.cfg" "$@"
}
seen 0 holes
seen 0 holes --set seed=4 --set 'forward.holes.fractions=[0.4,0.4]' --set forward.holes.seen=0.9
seen 0 holes --set forward.holes.same=true --set 'forward.holes.fractions=[0.0,0.0]'
seen 2 holes --set 'forward={holes={plugin="blur"; width=1.0; sigma=0.1;};}'
seen 0 same --set forward.holes.same=true --set 'forward.holes.fractions=[0.0,0.0]'
seen 2 same --set forward.holes.same=true --set 'forward.holes.fractions=[0.0,0.0]' --set seed=4
says "trained for other settings of forward/inpaint"
seen 2 same

# A prior that learned in the same run comes first.
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/chain" --quiet --only seen/learned+cnf --set 'run=(
  { stage = "train"; prior = "learned"; data = { prior = "field"; count = 200; }; },
  { stage = "train"; inference = "cnf"; forward = "seen"; priors = ["learned"]; data = { prior = "learned"; }; },
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["learned"]; inference = ["cnf"]; samples = 8; })'
there "$T/chain/train/learned/learned.safetensors" "$T/chain/seen/learned+cnf/samples.fits"

# Refused before anything runs: STATUS SED-SCRIPT TEXT, one line each.
edit() {
	sed "$2" "$T/p.cfg" >"$T/bad.cfg"
	cmp -s "$T/p.cfg" "$T/bad.cfg" && { echo "this edit changes nothing: $2"; bad=1; }
	status "$1" "$UMBRA" check "$T/bad.cfg"
	says "$3"
	[ "$(grep -c . "$T/err")" = "${4:-1}" ] || { echo "wanted one line:"; cat "$T/err"; bad=1; }
}
edit 2 '/stage = "train"/d' "inference/cnf has not been trained: give model"
edit 2 's/stage = "train"; inference = "cnf"/stage = "train"; inference = "cmf"/' "there is no 'cmf' in the group inference" 2
edit 2 's/stage = "train"; inference = "cnf"; forward = "seen"/stage = "train"; inference = "cnf"/' "train needs forward = a key"
edit 2 's/inference = "cnf"; forward = "seen"; priors = \["field"\]; data/inference = "cnf"; forward = "seen"; data/' "train needs priors = [ one key"
edit 2 's/priors = \["field"\]; data/priors = ["feild"]; data/' "there is no 'feild' in the group priors"
edit 2 's/data = { prior = "field"; held_out = 100; };//' "forward.seen has no measurements to learn from"
edit 2 's/data = { prior = "field"/data = { prior = "pair"/' "it is a product of priors"
edit 2 's/stage = "train"; inference/stage = "train"; prior = "learned"; inference/' "prior or inference, not both"
edit 2 's/stage = "train"; inference = "cnf"/stage = "train"; prior = "learned"/' "are for the training of an inference" 2
edit 2 's/couplings = 4;/couplings = 0;/' "couplings"
edit 2 's/refine = 200;/balance = 1.0;/' "set draws to more than 1"
edit 2 's/hidden = 16;/couplings_of = "images"; /; s/pixels = \[4, 4\]/pixels = [16, 1]/' "use dense ones" 2
edit 3 's/refine = 200;/model = "p.cfg";/' "not a safetensors file"
printf '%s\n' '  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["cnf"]; },' >"$T/early"
edit 2 "/^run = (/r $T/early" "the train stage of inference.cnf comes after its use" 2
# Told what the prior's denoiser makes of it: the regression on that is the posterior, where the prior is Gaussian.
told="--quiet --set inference.cnf.summary=restored --set inference.cnf.prior_draws=8192 --set inference.cnf.steps=1 --set inference.cnf.rate=1e-9
	--set inference.cnf.refine=0"
# posterior RUN SETTINGS...
posterior() {
	run=$T/$1
	shift
	status 0 "$UMBRA" run "$T/p.cfg" -o "$run" $told "$@" --set 'inference.exact={plugin="exact";}' \
		--set 'run.[2].inference=["cnf","exact"]' --set run.[2].samples=2000
	awk -F'[:,]' '/"(psnr_mean|psnr_samples)"/ { v[++n] = $2 } END { exit !(n == 4 && (v[1] - v[3]) ^ 2 < 0.04 && (v[2] - v[4]) ^ 2 < 0.04) }' \
		"$run/seen/field+cnf/metrics.json" "$run/seen/field+exact/metrics.json" || {
		grep psnr "$run/seen/field+cnf/metrics.json" "$run/seen/field+exact/metrics.json"; bad=1; }
}
posterior restored
# Whatever the measurements of training are of.
posterior shifted --set inference.cnf.summary=raw --set 'priors.far={plugin="gaussian";mean=1.5;sigma=0.2;}' --set run.[0].data.prior=far
# As narrow as is said.
widths() {
	tail -c 2880 "$1" | od -An -v -tf8 --endian=big -w8 | head -16 | awk '{ s += $1 } END { print s }'
}
for start in regression prior; do
	for spread in 1 0.1; do
		status 0 "$UMBRA" run "$T/p.cfg" -o "$T/$start-$spread" $told --set inference.cnf.start=$start --set inference.cnf.spread=$spread
	done
	echo "$(widths "$T/$start-1/seen/field+cnf/std.fits") $(widths "$T/$start-0.1/seen/field+cnf/std.fits")" |
		awk '{ exit !($2 > 0.099 * $1 && $2 < 0.101 * $1) }' || { echo "a law that starts at the $start is not as narrow as is said"; bad=1; }
done
status 2 "$UMBRA" check "$T/p.cfg" --set inference.cnf.summary=restored --set inference.cnf.blind=true
says 'restored takes the operator and the noise, which are not known blind'
status 2 "$UMBRA" check "$T/p.cfg" --set inference.cnf.summary=restored --set image.transform=softplus
says 'transform'
status 2 "$UMBRA" check "$T/p.cfg" --set inference.cnf.summary=restored --set 'run.[0].priors=["pair"]'
says 'score'
# A model says how what it was told was restored.
LC_ALL=C sed 's/4 rounds, 2 to/5 rounds, 2 to/' "$T/restored/train/cnf/cnf.safetensors" >"$T/other.safetensors"
status 0 "$UMBRA" check "$T/q.cfg" --set "inference.cnf.model=$T/restored/train/cnf/cnf.safetensors"
status 3 "$UMBRA" check "$T/q.cfg" --set "inference.cnf.model=$T/other.safetensors"
says 'were restored otherwise (5 rounds, 2 to 0.2 sd, 0.23)'
exit $bad
