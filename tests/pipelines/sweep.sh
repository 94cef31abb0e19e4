# SPDX-License-Identifier: GPL-3.0-or-later
# A sweep makes ordinary cells: each is what a file with that value written into it would make.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
image = { pixels = [2, 2]; };
forward = { noisy = { plugin = "denoise"; sigma = 0.1; }; };
priors = {
  white = { plugin = "gaussian"; mean = 0.5; sigma = 0.2; };
  tv = { plugin = "tv"; weight = 3.0; };
  both = ( { plugin = "tv"; weight = 1.0; }, { plugin = "l1"; weight = 1.0; } );
  diffusion = { plugin = "score"; score = "white"; probes = 0; };
};
inference = { map = { plugin = "map"; iterations = 20; }; exact = { plugin = "exact"; }; dps = { plugin = "dps"; calls = 4; }; };
run = (
  { stage = "simulate"; forward = "noisy"; truth = { prior = "white"; seed = 3; }; },
  { stage = "infer"; forward = "noisy"; priors = ["white", "tv"]; inference = ["map"];
    sweep = ( { key = "priors.tv.weight"; values = [10.0, 1e-7]; }, { key = "inference.map.starts"; values = [1, 2]; } ); },
  { stage = "infer"; forward = "noisy"; priors = ["both"]; inference = ["map"];
    sweep = ( { key = "priors.both.[1].weight"; values = [2.5]; }, { key = "forward.noisy.sigma"; values = [0.1, 0.2]; } ); },
  { stage = "infer"; forward = "noisy"; priors = ["diffusion"]; inference = ["dps"]; samples = 3;
    sweep = ( { key = "priors.white.sigma"; values = [0.1, 0.4]; }, { key = "inference.dps.calls"; values = [4, 6]; } ); },
  { stage = "compare"; }
);
C
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/run" --quiet --threads 1
cat >"$T/wanted" <<'C'
both+map@priors.both.1.weight=2.5,forward.noisy.sigma=0.1
both+map@priors.both.1.weight=2.5,forward.noisy.sigma=0.2
diffusion+dps@priors.white.sigma=0.1,inference.dps.calls=4
diffusion+dps@priors.white.sigma=0.1,inference.dps.calls=6
diffusion+dps@priors.white.sigma=0.4,inference.dps.calls=4
diffusion+dps@priors.white.sigma=0.4,inference.dps.calls=6
tv+map@priors.tv.weight=10,inference.map.starts=1
tv+map@priors.tv.weight=10,inference.map.starts=2
tv+map@priors.tv.weight=1e-07,inference.map.starts=1
tv+map@priors.tv.weight=1e-07,inference.map.starts=2
white+map@inference.map.starts=1
white+map@inference.map.starts=2
C
ls "$T/run/noisy" | LC_ALL=C sort >"$T/got"
LC_ALL=C sort "$T/wanted" | diff - "$T/got" || { echo "other cells than wanted"; bad=1; }
[ "$(grep -c '^"\?noisy/' "$T/run/compare/metrics.csv")" = 12 ] || { echo "metrics.csv lacks cells"; bad=1; }
grep -q 'priors.tv.weight=1e-07' "$T/run/report.html" || { echo "the report lacks a cell"; bad=1; }
grep -qF '<td class="text">noisy/tv+map@priors.tv.weight=10,inference.map.starts=1</td>' "$T/run/report.html" ||
	{ echo "the report cuts the name of a cell at its comma"; bad=1; }
grep -q '"noisy/tv+map@priors.tv.weight=10,inference.map.starts=2": {' "$T/run/run.json" || { echo "run.json lacks a cell"; bad=1; }

# image CELL: the samples without their header, which names the cell.
image() {
	tail -c 2880 "$1/samples.fits"
}
# equals SWEPT PLAIN SETTINGS...: the cell of the sweep is that of a file with these settings.
equals() {
	swept=$1 plain=$2
	shift 2
	rm -rf "$T/plain"
	status 0 "$UMBRA" run "$T/plain.cfg" -o "$T/plain" --quiet --threads 1 "$@"
	image "$T/run/noisy/$swept" >"$T/x"
	image "$T/plain/noisy/$plain" >"$T/y"
	cmp "$T/x" "$T/y" || { echo "$swept differs from $*"; bad=1; }
}
sed '/^ *sweep/s/.*/    },/' "$T/p.cfg" >"$T/plain.cfg"
equals tv+map@priors.tv.weight=10,inference.map.starts=1 tv+map --only noisy/tv+map --set priors.tv.weight=10.0 --set inference.map.starts=1
equals tv+map@priors.tv.weight=1e-07,inference.map.starts=1 tv+map --only noisy/tv+map --set priors.tv.weight=1e-7
equals both+map@priors.both.1.weight=2.5,forward.noisy.sigma=0.1 both+map --only noisy/both+map --set 'priors.both.[1].weight=2.5'
image "$T/run/noisy/tv+map@priors.tv.weight=10,inference.map.starts=1" >"$T/x"
image "$T/run/noisy/tv+map@priors.tv.weight=1e-07,inference.map.starts=1" >"$T/y"
cmp -s "$T/x" "$T/y" && { echo "the weight changes nothing"; bad=1; }
for s in 1 4; do
	image "$T/run/noisy/diffusion+dps@priors.white.sigma=0.$s,inference.dps.calls=4" >"$T/sigma$s"
done
cmp -s "$T/sigma1" "$T/sigma4" && { echo "the prior that is named does not change"; bad=1; }

# Swept priors are compared with each other, apart for each value of another parameter.
grep -v ,map "$T/run/compare/agreement.csv" | cut -d , -f 1-3 >"$T/x"
cat >"$T/y" <<'C'
forward,inference,priors
noisy,dps@inference.dps.calls=4,diffusion@priors.white.sigma=0.1 diffusion@priors.white.sigma=0.4
noisy,dps@inference.dps.calls=6,diffusion@priors.white.sigma=0.1 diffusion@priors.white.sigma=0.4
C
diff "$T/y" "$T/x" || { echo "other groups of priors"; bad=1; }
there "$T/run/compare/agreement-noisy.dps@inference.dps.calls=4.fits" "$T/run/compare/agreement-noisy.dps@inference.dps.calls=6.fits"

# Resume, one cell alone, files as values.
rm "$T/run/noisy/white+map@inference.map.starts=2/samples.fits"
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/run" --threads 1 --resume
says "white+map@inference.map.starts=2: done"
grep -q 'starts=1: done in' "$T/err" && { echo "a finished cell was run again"; bad=1; }
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/one" --quiet --only noisy/tv+map@priors.tv.weight=10,inference.map.starts=2
[ "$(ls "$T/one/noisy")" = tv+map@priors.tv.weight=10,inference.map.starts=2 ] || bad=1
status 2 "$UMBRA" run "$T/p.cfg" -o "$T/two" --only noisy/tv+map@priors.tv.weight=11,inference.map.starts=2
says "there is no such cell; did you mean"
mkdir "$T/means"
cp tests/data/six_pixels.npy "$T/means/a.npy"
sed 's/2, 2/3, 2/; 13s/{ key[^}]*}/{ key = "priors.white.mean_file"; values = ["means\/a.npy", ""]; }/' "$T/p.cfg" >"$T/files.cfg"
(cd / && "$UMBRA" run "$T/files.cfg" -o "$T/files" --quiet --only "noisy/white+map@priors.white.mean_file=a.npy,inference.map.starts=1") ||
	{ echo "a file as a value"; bad=1; }
grep -q '"priors.white@priors.white.mean_file=a.npy.mean_file"' "$T/files/run.json" || { echo "no hash of a file that is a value"; bad=1; }

# What is wrong is refused, at its line of the file.
for try in \
	'key = "priors.tv.weigth"; values = [1.0];|p.cfg:13: key: priors/tv has no parameter '"'weigth'; did you mean 'weight'?" \
	'key = "priors.tw.weight"; values = [1.0];|there is no '"'tw' in the group priors; did you mean 'tv'?" \
	'key = "image.scale"; values = [1.0];|a sweep changes parameters of the groups' \
	'key = "weight"; values = [1.0];|a sweep changes parameters of the groups' \
	'key = "priors.tv"; values = [1.0];|expected a parameter with its group and key' \
	'key = "priors.both.weight"; values = [1.0];|both is a product of priors: write priors.both.[0].NAME' \
	'key = "priors.both.[0].weight"; values = [1.0];|p.cfg:13: no cell of this stage uses priors.both.[0].weight' \
	'key = "inference.exact.limit"; values = [9];|no cell of this stage uses inference.exact.limit' \
	'key = "priors.tv.weight"; values = [];|expected a list of values' \
	'key = "priors.tv.weight"; values = 3.0;|expected a list of values' \
	'key = "priors.tv.weight"; values = [1.0, 1.0];|is asked for twice' \
	'key = "priors.tv.weight"; values = [-1.0];|p.cfg:13: weight: priors/tv: -1 lies outside' \
	'key = "priors.tv.weight"; value = [-1.0];|an item of sweep is'
do
	sed "13s/( {[^}]*}/( { ${try%%|*} }/" "$T/p.cfg" >"$T/r.cfg"
	status 2 "$UMBRA" check "$T/r.cfg"
	says "$(echo "${try#*|}" | sed 's/^p\.cfg/'"$(echo "$T/r.cfg" | sed 's/[\/&]/\\&/g')"'/')"
done
sed '13s/priors.tv.weight/priors.white.sigma/; s/{ plugin = "score"; score = "white"; probes = 0; }/{ plugin = "score"; score = "diffusion"; }/' \
	"$T/p.cfg" >"$T/r.cfg"
status 2 "$UMBRA" check "$T/r.cfg"
says "priors that name each other have no score"
exit $bad
