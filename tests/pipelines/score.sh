# SPDX-License-Identifier: GPL-3.0-or-later
# Score networks: trained, stopped and resumed, described by info, used as density, bound and sampler; weight
# files that are damaged; every architecture passes umbra test.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
title = "A tiny score";
seed = 3;
image = { pixels = [8, 8]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; };
priors = {
  shapes = { plugin = "geometric"; value = 64.0; };
  learned = { plugin = "surrogate"; width = 8; multipliers = [1.0, 2.0]; attention = [4.0]; blocks = 1; train_steps = 40;
    batch = 8; check = 10; sheet = 20; warmup = 5; };
  exact = { plugin = "score"; model = "w.safetensors"; probes = 1; steps = 3; solver = "heun"; sample_steps = 5; };
};
inference = { dpi = { plugin = "dpi"; family = "gaussian"; steps = 10; batch = 4; }; };
run = (
  { stage = "train"; prior = "learned"; data = { prior = "shapes"; count = 200; }; storage = "float16"; },
  { stage = "simulate"; forward = "seen"; truth = { prior = "shapes"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["learned"]; inference = ["dpi"]; samples = 4; }
);
C
# the score prior needs the file: first without it
grep -v '  exact = ' "$T/p.cfg" >"$T/q.cfg"
status 0 "$UMBRA" run "$T/q.cfg" -o "$T/a" --quiet
there "$T/a/train/learned/learned.safetensors" "$T/a/train/learned/figures/samples.png" \
	"$T/a/train/learned/figures/gallery.png" "$T/a/train/learned/figures/loss.png" "$T/a/seen/learned+dpi/samples.fits"
grep -q '"held_out_loss": [0-9]' "$T/a/train/learned/metrics.json" || { cat "$T/a/train/learned/metrics.json"; bad=1; }
cp "$T/a/train/learned/learned.safetensors" "$T/w.safetensors"
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/e" --quiet --set 'run=({stage="simulate"; forward="seen"; truth={prior="exact"; seed=1;};},
	{stage="infer"; forward="seen"; priors=["exact"]; inference=["dpi"]; samples=4;})'
there "$T/e/seen/exact+dpi/samples.fits"

# What the file says.
"$UMBRA" info "$T/w.safetensors" >"$T/info" 2>&1 || bad=1
for word in 'net *unet' 'net.size *8 8 1' 'net.width *8' 'net.multipliers *1 2' 'sde *vp' 'range' 'steps *40' \
	'held_out_loss' 'title *A tiny score' 'data *draws of priors.shapes' 'train_steps = 40;' 'value = 64.0;'; do
	grep -q "$word" "$T/info" || { echo "info does not say '$word'"; cat "$T/info"; bad=1; }
done
hash=$(sha256sum <"$T/w.safetensors" | cut -c1-64)
"$UMBRA" info "$T/w.safetensors" --json | grep -q "\"sha256\": \"$hash\"" || { echo "info --json lacks the hash"; bad=1; }

# Stopped and resumed: the same bytes.
long="--only train/learned --set priors.learned.train_steps=400 --set priors.learned.sheet=0"
interrupted 0.5 run.json "$UMBRA" run "$T/q.cfg" $long
same "$T/whole/train/learned/learned.safetensors" "$T/part/train/learned/learned.safetensors"
same "$T/whole/train/learned/trace.csv" "$T/part/train/learned/trace.csv"

# A budget of time, and more of it later.
brief="--only train/learned --set priors.learned.train_steps=100000 --set priors.learned.sheet=0"
status 0 "$UMBRA" run "$T/q.cfg" $brief -o "$T/brief" --quiet --set run.[0].seconds=0.3
before=$(sed -n 's/ *"steps": \([0-9]*\).*/\1/p' "$T/brief/train/learned/metrics.json")
status 0 "$UMBRA" run "$T/q.cfg" $brief -o "$T/brief" --quiet --set run.[0].seconds=0.3 --resume
[ "$before" = "$(sed -n 's/ *"steps": \([0-9]*\).*/\1/p' "$T/brief/train/learned/metrics.json")" ] || { echo "went on without time"; bad=1; }
status 0 "$UMBRA" run "$T/q.cfg" $brief -o "$T/brief" --quiet --set run.[0].seconds=1.0 --resume
[ "$before" -lt "$(sed -n 's/ *"steps": \([0-9]*\).*/\1/p' "$T/brief/train/learned/metrics.json")" ] || { echo "did not go on"; bad=1; }

# What rests on a fit that went on is done again; a limit of time changes nothing.
whole="--set priors.learned.train_steps=100000 --set priors.learned.sheet=0 --set inference.dpi.steps=4"
status 0 "$UMBRA" run "$T/q.cfg" $whole -o "$T/on" --quiet --set run.[0].seconds=0.3
cp "$T/on/seen/learned+dpi/samples.fits" "$T/before.fits"
status 0 "$UMBRA" run "$T/q.cfg" $whole -o "$T/on" --quiet --set run.[0].seconds=0.8 --resume
cmp -s "$T/on/seen/learned+dpi/samples.fits" "$T/before.fits" && { echo "a cell rests on old weights"; bad=1; }
sed 's/stage = "infer";/stage = "infer"; time_limit = 100.0;/' "$T/q.cfg" >"$T/r.cfg"
status 0 "$UMBRA" run "$T/r.cfg" $whole -o "$T/on" --set run.[0].seconds=0.8 --resume
says 'seen/learned+dpi: done before, nothing has changed'

# Going on from a file.
status 0 "$UMBRA" run "$T/q.cfg" --only train/learned -o "$T/more" --quiet --set "priors.learned.model=$T/w.safetensors" \
	--set 'run.[0].seconds=0.2' --set priors.learned.train_steps=100000
status 2 "$UMBRA" check "$T/p.cfg" --set priors.exact.factor=-1
status 2 "$UMBRA" check "$T/q.cfg" --set priors.learned.score=shapes
head -c 3000 "$T/w.safetensors" >"$T/cut.safetensors"
status 3 "$UMBRA" check "$T/p.cfg" --set "priors.exact.model=$T/cut.safetensors"
grep -q 'cut.safetensors' "$T/err" || { cat "$T/err"; bad=1; }
status 3 "$UMBRA" info "$T/cut.safetensors"

# Architectures.
for how in '--set resample=fir --set pyramid=true --set dropout=0.1' '--set resample=mean --set rescale=false' \
	'--set network=mlp' '--set patch=2' '--set sde=ve' '--set sde=subvp' '--set sde=flow --set times=[1e-3,0.999]'; do
	status 0 "$UMBRA" test priors/surrogate --set width=8 --set multipliers=[1.0,2.0] --set blocks=1 $how
done
status 0 "$UMBRA" test priors/surrogate --set score=gaussian
exit $bad
