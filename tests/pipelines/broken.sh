# SPDX-License-Identifier: GPL-3.0-or-later
# Broken pipelines, command lines and data files: exit status 2 or 3, one line that names the file
# and the cause, nothing half-written.
. tests/pipelines/lib.sh.inc
cat >"$T/good.cfg" <<'C'
title = "a good one";
seed = 3;
image = { pixels = [8, 8]; fov_uas = 100.0; };
forward = {
  seen = { plugin = "denoise"; sigma = 0.3; };
  low = { plugin = "lowfreq"; keep = 2; };
};
priors = {
  field = { plugin = "gaussian"; spectrum = "power"; };
  tv = { plugin = "tv"; weight = 10; };
  entropy = { plugin = "entropy"; };
  both = ( { plugin = "tv"; }, { plugin = "l1"; } );
};
inference = {
  exact = { plugin = "exact"; };
  map = { plugin = "map"; };
};
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["exact"]; samples = 4; }
);
C
status 0 "$UMBRA" check "$T/good.cfg"

# edit STATUS SED-SCRIPT TEXT: the good file, changed, is refused with this text by check and run.
edit() {
	sed "$2" "$T/good.cfg" >"$T/bad.cfg"
	if cmp -s "$T/good.cfg" "$T/bad.cfg"; then
		echo "this edit changes nothing: $2"
		bad=1
	fi
	status "$1" "$UMBRA" check "$T/bad.cfg"
	says "$3"
	grep -q 'bad.cfg' "$T/err" || { echo "no file name in:"; cat "$T/err"; bad=1; }
	[ "$(grep -c . "$T/err")" = "${4:-1}" ] || { echo "wanted ${4:-1} line(s):"; cat "$T/err"; bad=1; }
	status "$1" "$UMBRA" run "$T/bad.cfg" -o "$T/made"
	[ -e "$T/made" ] && { echo "a refused pipeline left a folder: $2"; bad=1; rm -rf "$T/made"; }
}
edit 2 's/title = "a good one";/title = "a good one/' "bad.cfg:"
edit 2 's/seed = 3;/seed = 3; seed = 4;/' "given twice"
edit 2 's/seed = 3;/seed = -3;/' "seed: expected an integer from 0"
edit 2 's/seed = 3;/seed = 30000000000;/' "write 30000000000L"
edit 2 's/^image/imagee/' "did you mean 'image'?" 2
edit 2 's/pixels = \[8, 8\]/pixels = [8, 8.5]/' "write 1.0 for 1"
edit 2 's/pixels = \[8, 8\]/pixels = [8]/' "expected two whole numbers"
edit 2 's/pixels = \[8, 8\]/pixels = [8, 0]/' "lies outside [1, 65536]"
edit 2 's/pixels = \[8, 8\];//' "image needs pixels"
edit 2 's/pixels = \[8, 8\]; fov_uas = 100.0/surface = "icosfere:2"/' "there is no surface 'icosfere:2'" 2
edit 2 's/pixels = \[8, 8\]/surface = "icosphere:2"/' "leave fov_uas out"
edit 2 's/pixels = \[8, 8\]; fov_uas = 100.0/pixels = [3, 1]; surface = "icosphere:2"/' "the mesh has 42 vertices" 2
edit 3 's/pixels = \[8, 8\]/mesh = "nowhere.obj"/' "nowhere.obj: No such file"
edit 2 's/spectrum = "power"/spectrum = "angular"/' "angular is for signals on a mesh"
edit 2 's/fov_uas = 100.0/fov = 100.0/' "did you mean 'fov_uas'?"
edit 2 's/fov_uas = 100.0;//' "set fov_uas in the group image"
edit 2 's/fov_uas = 100.0/transform = "sofplus"/' "none of identity|softplus"
edit 2 's/"denoise"/"denose"/' "did you mean 'denoise'?"
edit 2 's/plugin = "denoise";//' 'it needs plugin = "NAME"'
edit 2 's/plugin = "denoise"/plugin = "tv"/' "no forward plugin is called 'tv'"
edit 2 's/sigma = 0.3/sigm = 0.3/' "did you mean 'sigma'?"
edit 2 's/sigma = 0.3/sigma = "much"/' "forward/denoise: expected a number"
edit 2 's/sigma = 0.3/sigma = -1/' "-1 lies outside"
edit 2 's/keep = 2/keep = 2.0/' "expected an integer"
edit 2 's/keep = 2/keep = 9/' "keep = 9"
edit 2 's/weight = 10;/weight = 10; wieght = 2;/' "priors/tv has no such key; did you mean 'weight'?"
edit 2 's/spectrum = "power"/spectrum = "pink"/' "'pink' is none of white|power"
edit 2 's/{ plugin = "l1"; }/{ plugin = "l7"; }/' "did you mean 'l1'?"
edit 2 's/( { plugin = "tv"; }, { plugin = "l1"; } )/( )/' "a product of priors needs at least one"
edit 2 's/priors = \["field"\]/priors = ["a"]/; s/entropy = { plugin = "entropy"; };/a = { plugin = "score"; };/' "has not been trained"
edit 2 's/entropy = { plugin = "entropy"; };/a = { plugin = "score"; score = "field"; factor = 2.0; };/' "factor"
edit 2 's/entropy = { plugin = "entropy"; };/a = { plugin = "score"; score = "feild"; };/' "did you mean 'field'?"
edit 2 's/entropy = { plugin = "entropy"; };/a = { plugin = "score"; score = "both"; };/' "a product of priors, which has no score"
edit 2 's/entropy = { plugin = "entropy"; };/a = { plugin = "score"; score = "a"; };/' "priors that name each other have no score"
edit 2 's/entropy = { plugin = "entropy"; };/a = { plugin = "score"; score = "tv"; };/' "priors/tv, has no score"
edit 2 's/entropy = { plugin = "entropy"; };/a = { plugin = "score"; score = "field"; solver = "euler"; };/' "euler cannot judge its steps"
edit 2 's/entropy = { plugin = "entropy"; };/a = { plugin = "surrogate"; score = "field"; times = [0.0, 1.0]; };/' "begin later"
edit 2 's/forward = "seen"; priors/forward = "sene"; priors/' "did you mean 'seen'?"
edit 2 's/priors = \["field"\]/priors = ["feild"]/' "did you mean 'field'?"
edit 2 's/inference = \["exact"\]/inference = "exact"/' "expected a list of texts"
edit 2 's/inference = \["exact"\]/inference = ["exact", "exact"]/' "is asked for twice"
edit 2 's/stage = "infer"/stage = "infere"/' "did you mean 'infer'?"
edit 2 's/stage = "infer";//' 'every item of run needs stage'
edit 2 's/samples = 4/samples = 0/' "lies outside [1"
edit 2 's/samples = 4/sample = 4/' "did you mean 'samples'?"
edit 2 's/^  { stage = "simulate".*$//' "there are no measurements for forward.seen"
edit 2 's/truth = { prior = "field"; seed = 2; };//' "simulate needs truth"
edit 2 's/truth = { prior = "field"/truth = { prior = "both"/' "it is a product of priors"
edit 2 's/truth = { prior = "field"/truth = { prior = "tv"/' "its plugin cannot sample"
edit 2 's/truth = { prior = "field"/truth = { prior = "fild"/' "there is no prior 'fild'"
edit 2 's/truth = { prior = "field"; seed = 2; }/truth = { seed = 2; }/' "give prior = a key of the group priors"
edit 2 's/truth = { prior = "field"; seed = 2; }/truth = { prior = "field"; index = 2; }/' "are for files"
edit 2 's/truth = { prior = "field"/truth = { files = "good.cfg"; prior = "field"/' "not both"
edit 2 's/truth = { prior = "field"; seed = 2; }/truth = { files = "good.cfg"; indx = 2; }/' "did you mean 'index'?"
edit 3 's/truth = { prior = "field"; seed = 2; }/truth = { files = "nowhere.idx"; }/' "nowhere.idx: No such file"
edit 2 's/priors = \["field"\]/priors = ["tv"]/' "cannot work: the inference needs a Gaussian or mixture prior"
edit 2 's/priors = \["field"\]; inference = \["exact"\]/priors = ["entropy"]; inference = ["map"]/' 'set transform = "softplus"'
edit 2 's/"exact"; };/"hmc"; };/; s/"entropy"; };/"surrogate"; score = "field"; };/; s/priors = \["field"\]/priors = ["entropy"]/' \
	"estimate by random numbers"
edit 2 's/"exact"; };/"hmc"; ladder = [3.0]; };/' "ladder begins with 1.0"
edit 2 's/fov_uas = 100.0/transform = "softplus"; fov_uas = 100.0/' 'needs transform = "identity"'
edit 2 's/stage = "infer"; forward = "seen"; priors = \["field"\]; inference = \["exact"\]; samples = 4;/stage = "train"; prior = "tv";/' "cannot be trained"
edit 2 's/"field"; seed = 2; }; }/"field"; seed = 2; }; truth = 3; }/' "given twice"
edit 2 's/seen = { plugin/se+n = { plugin/' "bad.cfg:"
edit 3 's/truth = { prior = "field"; seed = 2; }/truth = "nowhere.fits"/' "nowhere.fits: No such file"
edit 3 's/plugin = "denoise"; sigma = 0.3;/plugin = "linear"; matrix = "nowhere.npy";/' "nowhere.npy: No such file"
edit 2 's/sigma = 0.3/sigm = 0.3; truth = "nowhere.fits"/' "did you mean 'sigma'?" 2

# Data files that are not what they should be.
data() { # FILE TEXT
	sed "s|truth = { prior = \"field\"; seed = 2; }|truth = \"$1\"|" "$T/good.cfg" >"$T/bad.cfg"
	status 3 "$UMBRA" check "$T/bad.cfg"
	says "$1"
	says "$2"
}
echo "hello" >"$T/text.fits"
data text.fits "text.fits"
: >"$T/empty.fits"
data empty.fits "empty.fits"
mkdir "$T/folder.fits"
data folder.fits "is a folder"
status 0 "$UMBRA" run "$T/good.cfg" -o "$T/run" --quiet
head -c 3000 "$T/run/simulate/seen/truth.fits" >"$T/short.fits"
data short.fits "short.fits"
cp "$T/run/seen/field+exact/samples.fits" "$T/cube.fits"
data cube.fits "make pixels agree"

obs() { # FILE TEXT
	cat >"$T/obs.cfg" <<-C
	image = { pixels = [8, 8]; fov_uas = 100.0; };
	forward = { eht = { plugin = "eht"; uvfits = "$1"; }; };
	priors = { tv = { plugin = "tv"; }; };
	inference = { map = { plugin = "map"; }; };
	run = ( { stage = "infer"; forward = "eht"; priors = ["tv"]; inference = ["map"]; } );
	C
	status 3 "$UMBRA" check "$T/obs.cfg"
	says "$1"
	status 3 "$UMBRA" chi2 "$T/run/simulate/seen/truth.fits" "$T/$1"
	says "$1"
	status 3 "$UMBRA" info "$T/$1"
}
cp tests/data/synthetic.uvfits "$T/ok.uvfits"
head -c 20000 tests/data/synthetic.uvfits >"$T/short.uvfits"
obs short.uvfits
head -c 2000 tests/data/synthetic.uvfits >"$T/header.uvfits"
obs header.uvfits
sed 's/GROUPS  =                    T/GROUPS  =                    F/' tests/data/synthetic.uvfits >"$T/groups.uvfits"
obs groups.uvfits
sed 's/GCOUNT  =/GCOUNT  = 9999999999 \/ /' tests/data/synthetic.uvfits | head -c "$(wc -c <tests/data/synthetic.uvfits)" >"$T/many.uvfits"
obs many.uvfits
sed 's/UU---SIN/XX---SIN/' tests/data/synthetic.uvfits >"$T/nouu.uvfits"
obs nouu.uvfits
echo x >"$T/x.uvfits"
obs x.uvfits
status 3 "$UMBRA" info "$T/nowhere"
says "$T/nowhere"
status 3 "$UMBRA" report "$T"
says "run.json"

# Command lines.
status 2 "$UMBRA" run
status 2 "$UMBRA" run "$T/nowhere.cfg"
says "nowhere.cfg: No such file"
status 2 "$UMBRA" run "$T/good.cfg" --jbos 2
says "did you mean --jobs?"
status 2 "$UMBRA" run "$T/good.cfg" --jobs zero
says "expected a whole number"
status 2 "$UMBRA" run "$T/good.cfg" --set forward.sen.sigma=2
says "did you mean 'seen'?"
status 2 "$UMBRA" run "$T/good.cfg" --set forward.seen.sigma=[1,2.0]
says "--set forward.seen.sigma:"
status 2 "$UMBRA" run "$T/good.cfg" --set forward.seen.sigma=low
says "--set forward.seen.sigma: forward/denoise: expected a number"
status 2 "$UMBRA" run "$T/good.cfg" --only seen/field+exakt -o "$T/made"
says "did you mean 'seen/field+exact'?"
status 2 "$UMBRA" chi2 "$T/run/simulate/seen/truth.fits"
status 2 "$UMBRA" chi2 a.fits b.uvfits --pulse square
exit $bad
