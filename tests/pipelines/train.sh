# SPDX-License-Identifier: GPL-3.0-or-later
# Priors that learn: a train stage and the stages after it, equal bytes, stopping and resuming, a
# budget of time, data sets of every kind, and what is refused.
. tests/pipelines/lib.sh.inc
mkdir -p "$T/plugins/priors"
case $UMBRA_BUILD in /*) built=$UMBRA_BUILD ;; *) built=$PWD/$UMBRA_BUILD ;; esac
ln -s "$built/tests/plugins/meanfit.so" "$T/plugins/priors/"
export UMBRA_PLUGIN_PATH="$T/plugins:"
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [8, 8]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; };
priors = {
  field = { plugin = "gaussian"; spectrum = "power"; mean = 2.0; };
  tv = { plugin = "tv"; };
  learned = { plugin = "meanfit"; };
  pair = ( { plugin = "tv"; }, { plugin = "l1"; } );
  both = ( { plugin = "meanfit"; }, { plugin = "tv"; } );
};
inference = { dpi = { plugin = "dpi"; steps = 50; }; };
run = (
  { stage = "train"; prior = "learned"; data = { prior = "field"; count = 500; augment = "dihedral"; }; },
  { stage = "simulate"; forward = "seen"; truth = { prior = "learned"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["learned"]; inference = ["dpi"]; samples = 8; }
);
C
status 0 "$UMBRA" check "$T/p.cfg"
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/a" --quiet
there "$T/a/train/learned/learned.safetensors" "$T/a/train/learned/trace.csv" "$T/a/train/learned/metrics.json" \
	"$T/a/train/learned/figures/gallery.png" "$T/a/train/learned/figures/loss.png" "$T/a/seen/learned+dpi/samples.fits"
grep -q 'Training: learned' "$T/a/report.html" || { echo "the report leaves out the training"; bad=1; }
grep -A1 '"train/learned"' "$T/a/run.json" | grep -q '"done"' || { cat "$T/a/run.json"; bad=1; }
grep -q '"held_out_images": 50' "$T/a/train/learned/metrics.json" || { cat "$T/a/train/learned/metrics.json"; bad=1; }

# Equal runs give equal bytes; a cell alone brings its training with it; other data, other bytes.
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/b" --quiet --only seen/learned+dpi
same "$T/a/train/learned/learned.safetensors" "$T/b/train/learned/learned.safetensors"
same "$T/a/seen/learned+dpi/samples.fits" "$T/b/seen/learned+dpi/samples.fits"
same "$T/a/simulate/seen/truth.fits" "$T/b/simulate/seen/truth.fits"
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/c" --quiet --only train/learned --set 'run.[0].data.seed=1'
cmp -s "$T/a/train/learned/learned.safetensors" "$T/c/train/learned/learned.safetensors" &&
	{ echo "another seed of the data gave the same weights"; bad=1; }
[ -e "$T/c/seen" ] && { echo "--only train/learned ran a cell"; bad=1; }
for word in '"umbra":' '"plugin":"priors/meanfit 1.0"' '"seed":"3"' '"shape":"1 1 1 8 8"'; do
	grep -aqF "$word" "$T/a/train/learned/learned.safetensors" || { echo "the weights lack $word"; bad=1; }
done
grep -aq -e "$T" -e "$(uname -n)" "$T/a/train/learned/learned.safetensors" && { echo "the weights name a place"; bad=1; }
grep -aq 'input train.learned sha256' "$T/a/seen/learned+dpi/samples.fits" || { echo "no hash of the weights"; bad=1; }

# Stopped and resumed.
slow="--only train/learned --set priors.learned.steps=200 --set priors.learned.nap=0.01"
status 0 "$UMBRA" run "$T/p.cfg" $slow -o "$T/whole" --quiet
for sig in TERM INT; do
	"$UMBRA" run "$T/p.cfg" $slow -o "$T/r$sig" --quiet 2>"$T/err" &
	pid=$!
	await "$T/r$sig/run.json"
	sleep 0.7
	kill -$sig $pid
	wait $pid
	[ $? = 75 ] || { echo "SIG$sig: exit status is not 75"; cat "$T/err"; bad=1; }
	there "$T/r$sig/train/learned/checkpoint.safetensors"
	grep -A1 '"train/learned"' "$T/r$sig/run.json" | grep -q '"interrupted"' || { cat "$T/r$sig/run.json"; bad=1; }
	[ -e "$T/r$sig/train/learned/learned.safetensors" ] && { echo "half a fit left weights"; bad=1; }
	status 0 "$UMBRA" run "$T/p.cfg" $slow -o "$T/r$sig" --quiet --resume
	same "$T/whole/train/learned/learned.safetensors" "$T/r$sig/train/learned/learned.safetensors"
	same "$T/whole/train/learned/trace.csv" "$T/r$sig/train/learned/trace.csv"
	[ -e "$T/r$sig/train/learned/checkpoint.safetensors" ] && { echo "a checkpoint was left"; bad=1; }
done
cp "$T/rTERM/train/learned/learned.safetensors" "$T/kept.safetensors"
touch -d '2001-01-01' "$T/rTERM/train/learned/learned.safetensors"
status 0 "$UMBRA" run "$T/p.cfg" $slow -o "$T/rTERM" --quiet --resume
[ "$T/rTERM/train/learned/learned.safetensors" -ot "$T/kept.safetensors" ] || { echo "a finished fit was repeated"; bad=1; }

# A budget of time ends a fit, which is then done; a fit may start from weights.
status 0 "$UMBRA" run "$T/p.cfg" --only train/learned --set priors.learned.steps=100000 --set priors.learned.nap=0.01 \
	--set 'run.[0].seconds=0.5' -o "$T/budget" --quiet
n=$(wc -l <"$T/budget/train/learned/trace.csv")
[ "$n" -gt 2 ] && [ "$n" -lt 100 ] || { echo "a budget of 0.5 s gave $n steps"; bad=1; }
status 0 "$UMBRA" run "$T/p.cfg" --set "priors.learned.model=$T/kept.safetensors" -o "$T/warm" --quiet
grep -q '"priors.learned.model"' "$T/warm/run.json" || { echo "run.json leaves out where the fit started"; bad=1; }

# A flow says where its settings cannot work: noise beyond the images, a rate that diverges.
sed 's/plugin = "meanfit"; }/plugin = "realnvp"; couplings = 2; noise = 900.0; steps = 20; batch = 16; }/' "$T/p.cfg" >"$T/flow.cfg"
status 0 "$UMBRA" run "$T/flow.cfg" --only train/learned -o "$T/noise" --quiet
grep -q 'noise = 900 hides the images' "$T/noise/log.txt" || { cat "$T/noise/log.txt"; bad=1; }
status 0 "$UMBRA" run "$T/flow.cfg" --only train/learned -o "$T/wild" --quiet \
	--set priors.learned.noise=0.01 --set priors.learned.rate=1.0 --set priors.learned.warmup=0
grep -q 'the fit failed: .* bits a pixel' "$T/wild/log.txt" || { cat "$T/wild/log.txt"; bad=1; }
there "$T/wild/train/learned/figures/gallery.png"

# Files: an earlier run's cube, a folder of FITS, idx; their hashes are in run.json.
{ printf '\0\0\10\3\0\0\0\14\0\0\0\6\0\0\0\6'; i=0; while [ $i -lt 432 ]; do printf "\\$(printf %o $((i * 7 % 128)))"; i=$((i + 1)); done; } >"$T/twelve.idx"
gzip -kn "$T/twelve.idx"
mkdir "$T/images"
cp "$T/a/simulate/seen/truth.fits" "$T/images/1.fits"
cp "$T/a/seen/learned+dpi/samples.fits" "$T/images/2.fits"
files() { # DIR SETTINGS
	d=$1
	shift
	status 0 "$UMBRA" run "$T/p.cfg" --only train/learned --set "run.[0].data={$*}" -o "$T/$d" --quiet
	grep -A2 '"train.learned.data' "$T/$d/run.json" | grep -q sha256 || { echo "$d: no hash"; bad=1; }
}
files cube "files = \"$T/a/seen/learned+dpi/samples.fits\"; held_out = 2;"
grep -q '"train_images": 6' "$T/cube/train/learned/metrics.json" || { echo "cube: not 6 images"; bad=1; }
files folder "files = [\"$T/images\"]; held_out = 1; augment = \"flips\";"
grep -q '"train_images": 8' "$T/folder/train/learned/metrics.json" || { echo "folder: not 8 images"; bad=1; }
files idx "files = \"$T/twelve.idx\"; size = \"centre\"; values = \"unit\"; noise = 1.0; held_out = 0.25;"
files gz "files = \"$T/twelve.idx.gz\"; size = \"centre\"; values = \"unit\"; noise = 1.0; held_out = 0.25;"
# Equal numbers in other files: equal tensors under another hash.
for d in idx gz; do tail -c 1024 "$T/$d/train/learned/learned.safetensors" >"$T/$d.tail"; done
same "$T/idx.tail" "$T/gz.tail"
rm "$T/images/1.fits"
status 0 "$UMBRA" run "$T/p.cfg" --only train/learned -o "$T/folder" --resume \
	--set "run.[0].data={files = [\"$T/images\"]; held_out = 1; augment = \"flips\";}"
says "the file train.learned.data has changed: trained again"
grep -q '"train_images": 7' "$T/folder/train/learned/metrics.json" || { echo "folder: not 7 images"; bad=1; }

# A fit that fails takes with it what needs it.
ln -s "$built/tests/plugins/nan_draw.so" "$T/plugins/priors/"
status 1 "$UMBRA" run "$T/p.cfg" --set 'priors.field={plugin = "nan_draw";}' -o "$T/nan"
says "train/learned: failed: priors/nan_draw: sample returned a number that is not finite"
says "simulate/seen: failed: priors.learned could not be trained"
grep -A1 '"train/learned"' "$T/nan/run.json" | grep -q '"failed"' || { cat "$T/nan/run.json"; bad=1; }

# Refused before anything runs: STATUS SED-SCRIPT TEXT, one line each.
edit() {
	sed "$2" "$T/p.cfg" >"$T/bad.cfg"
	cmp -s "$T/p.cfg" "$T/bad.cfg" && { echo "this edit changes nothing: $2"; bad=1; }
	status "$1" "$UMBRA" check "$T/bad.cfg"
	says "$3"
	[ "$(grep -c . "$T/err")" = "${4:-1}" ] || { echo "wanted one line:"; cat "$T/err"; bad=1; }
}
data() { # STATUS SETTINGS TEXT
	edit "$1" "s|data = {[^}]*}|data = { $2 }|" "$3"
}
edit 2 's/^  { stage = "train".*$//' "priors/meanfit has not been trained: give model"
edit 2 's/priors = \["learned"\]/priors = ["both"]/' "priors/meanfit has not been trained"
edit 2 's/stage = "train"; prior = "learned"/stage = "train"; prior = "both"/; s/truth = { prior = "learned"/truth = { prior = "field"/; s/priors = \["learned"\]/priors = ["tv"]/' "is a product of priors"
edit 2 's/stage = "train"; prior = "learned"/stage = "train"; prior = "tv"/; s/truth = { prior = "learned"/truth = { prior = "field"/; s/priors = \["learned"\]/priors = ["tv"]/' "cannot be trained: it has no fit function"
edit 2 's/stage = "train"; prior = "learned"/stage = "train"; inference = "dpi"/' "inference/dpi cannot be trained: it has no fit function" 2
edit 2 's/data = {[^}]*};//' "train needs data"
edit 2 's/^  { stage = "train".*$//; s/samples = 8; }/samples = 8; }, { stage = "train"; prior = "learned"; data = { prior = "field"; }; }/' "comes after its use, in simulate/seen"
edit 2 's/prior = "learned"; data/prior = "learned"; seconds = -1.0; data/' "seconds: train: -1 lies outside"
edit 2 's/learned = { plugin = "meanfit"; }/learned = { plugin = "realnvp"; couplings_of = "images"; }/; s/pixels = \[8, 8\]/pixels = [64, 1]/; s/dihedral/flips/' "use dense ones"
edit 2 's/"dpi"; steps = 50;/"dpi"; family = "realnvp"; couplings_of = "images"; /; s/pixels = \[8, 8\]/pixels = [64, 1]/; s/dihedral/flips/' "use dense ones"
data 2 'files = "";' "the name of a file is empty"
data 2 '' "give files"
data 2 "files = \"$T/twelve.idx\"; prior = \"field\";" "not both"
data 2 'prior = "feild";' "there is no 'feild'"
data 2 'prior = "learned";' "does not learn from itself"
data 2 'prior = "tv";' "its plugin cannot sample"
data 2 'prior = "pair";' "it is a product of priors"
data 2 'prior = "field"; factor = 2.0;' "are for files"
data 2 'prior = "field"; count = 10; held_out = 10;' "all 10 draws would be held out"
data 2 'prior = "field"; held_out = 2.5;' "a fraction below 1 or a whole number"
data 2 'prior = "field"; augmnt = "flips";' "did you mean 'augment'?"
data 2 "files = \"$T/images\"; held_out = 8;" "there are 8 images, and all would be held out"
edit 2 's/pixels = \[8, 8\]/pixels = [8, 4]/' "use \"flips\""
data 3 'files = "nowhere.idx";' "nowhere.idx: No such file"
data 3 "files = \"$T/twelve.idx\";" 'has 8 x 8: set size = "centre"'
data 3 "files = \"$T/plugins\";" "no images in this folder"
head -c 100 "$T/twelve.idx" >"$T/cut.idx"
data 3 "files = \"$T/cut.idx\";" "truncated: the idx header promises"
head -c 60 "$T/twelve.idx.gz" >"$T/cut.gz"
data 3 "files = \"$T/cut.gz\";" "cut.gz: truncated"
printf '\0\0\15\3\0\0\0\1\0\0\0\1\0\0\0\1\177\300\0\0' >"$T/nan.idx"
data 3 "files = \"$T/nan.idx\"; size = \"centre\";" "image 1, pixel 1 is not a finite number"
echo "hello" >"$T/text.png"
data 3 "files = \"$T/text.png\";" "neither idx, npy, FITS nor PNG"
head -c 3000 "$T/a/simulate/seen/truth.fits" >"$T/short.fits"
data 3 "files = \"$T/short.fits\";" "short.fits"
data 3 "files = \"$T/a/simulate/seen/truth.fits\"; values = \"unit\";" 'values = "unit" is for integers'
edit 3 's/plugin = "meanfit"; }/plugin = "meanfit"; model = "p.cfg"; }/' "not a safetensors file" 2

mnist=${UMBRA_TEST_DATA:-../shared/data}/mnist/t10k-images-idx3-ubyte.gz
if [ -r "$mnist" ]; then
	status 0 "$UMBRA" run "$T/p.cfg" --only train/learned -o "$T/digits" --quiet \
		--set "run.[0].data={files = \"$mnist\"; values = \"unit\"; noise = 1; size = \"average\"; held_out = 1000;}"
	grep -q '"train_images": 9000' "$T/digits/train/learned/metrics.json" || { echo "not 9000 digits"; bad=1; }
else
	echo "SKIPPED: no $mnist"
fi
exit $bad
