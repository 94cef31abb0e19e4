# SPDX-License-Identifier: GPL-3.0-or-later
# Searches and fits begin at an image that a file has, in its own pixels or in others; what is no start is refused.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
image = { pixels = [8, 8]; fov_uas = 80.0; };
forward = { seen = { plugin = "denoise"; sigma = 0.01; }; };
priors = { white = { plugin = "gaussian"; mean = 0.5; sigma = 0.2; }; };
inference = {
  map = { plugin = "map"; };
  dpi = { plugin = "dpi"; warm = "none"; steps = 1; average = 1; rate = 1e-9; sd = 1e-6; elbo_draws = 0; };
};
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "white"; seed = 3; }; },
  { stage = "infer"; forward = "seen"; priors = ["white"]; inference = ["map", "dpi"]; samples = 2; }
);
C
# pixels FILE COUNT: of a FITS image of doubles that ends with its data.
pixels() {
	tail -c 2880 "$1" | od -An -v -tf8 --endian=big -w8 | head -n "$2"
}
sum() {
	awk '{ s += $1 } END { print s }'
}
# near A B LIMIT WHAT
near() {
	echo "$1 $2 $3" | awk '{ d = $1 - $2; exit !(d * d <= $3 * $3) }' || { echo "$4: $1 and $2"; bad=1; }
}
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/a" --quiet --threads 1
start=$T/a/seen/white+map/mean.fits
# Data that say nothing and a start that is kept: a tolerance that every point meets, a law that does not move.
keep="--quiet --threads 1 --set forward.seen.sigma=1e9 --set priors.white.sigma=1e6 --set inference.map.gtol=1.0 --set inference.map.schedule=[1.0]"
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/b" $keep --set "inference.map.image=$start" --set "inference.dpi.image=$start"
for method in map dpi; do
	pixels "$start" 64 >"$T/x"
	pixels "$T/b/seen/white+$method/mean.fits" 64 >"$T/y"
	near "$(paste "$T/x" "$T/y" | awk '{ d = $1 - $2; s += d * d } END { print sqrt(s) }')" 0 1e-4 "$method does not start at the image"
done
# The same within a run; what the start is made of counts for what follows it.
sed 's/inference = \["map", "dpi"\]; samples = 2; }/inference = ["map"]; samples = 2; },\
  { stage = "infer"; forward = "seen"; priors = ["white"]; inference = ["dpi"]; start = "map"; samples = 2; }/' "$T/p.cfg" >"$T/chain.cfg"
chain="$UMBRA run $T/chain.cfg -o $T/chain --threads 1"
status 0 $chain --only seen/white+dpi
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/d" --threads 1 --quiet --set "inference.dpi.image=$T/chain/seen/white+map/mean.fits" --only seen/white+dpi
for run in chain d; do pixels "$T/$run/seen/white+dpi/mean.fits" 64 >"$T/$run.pixels"; done
same "$T/chain.pixels" "$T/d.pixels"
status 0 $chain --resume
says 'seen/white+dpi: done before, nothing has changed'
status 0 $chain --resume --set forward.seen.sigma=0.2
status 0 $chain --resume --set inference.map.gtol=0.1 --set inference.map.schedule=[1.0] --set priors.white.sigma=0.3
status 0 $chain --resume --set inference.map.iterations=1 --set inference.map.schedule=[1.0] --set priors.white.sigma=0.3
says 'seen/white+dpi: seen/white+map/mean.fits has changed: run again'
# Of another prior.
wide='--set priors.wide={plugin="gaussian";mean=0.5;sigma=2.0;}'
other="$wide --set run.[2].priors=[\"wide\"] --set run.[2].start=white+map"
status 0 "$UMBRA" run "$T/chain.cfg" -o "$T/other" --threads 1 --quiet $other
pixels "$T/other/seen/wide+dpi/mean.fits" 64 >"$T/other.pixels"
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/wide" --threads 1 --quiet --set "inference.dpi.image=$T/other/seen/white+map/mean.fits" \
	$wide --set 'run.[1].priors=["wide"]' --only seen/wide+dpi
pixels "$T/wide/seen/wide+dpi/mean.fits" 64 >"$T/wide.pixels"
same "$T/other.pixels" "$T/wide.pixels"
grep -a -q 'start seen/white+map sha256' "$T/other/seen/wide+dpi/mean.fits" || { echo "the start is not in the file"; bad=1; }
status 2 "$UMBRA" check "$T/chain.cfg" --set run.[2].start=wite+map
says "there is no 'wite' in the group priors; did you mean 'white'?"
status 2 "$UMBRA" check "$T/chain.cfg" $other --set run.[2].start=wide+map
says 'seen/wide+dpi cannot start from seen/wide+map: no infer stage before it makes that cell'
# Of a sweep, by its name.
sweep='--set run.[1].sweep=({key="priors.white.sigma";values=[0.1,2000000.0];})'
for from in map@priors.white.sigma=2e+06 white+map@priors.white.sigma=0.1; do
	status 0 "$UMBRA" run "$T/chain.cfg" -o "$T/swept-${from%@*}" --threads 1 --quiet $sweep --set "run.[2].start=$from"
	grep -a -q "start seen/white+${from#white+} sha256" "$T/swept-${from%@*}/seen/white+dpi/mean.fits" || { echo "$from is not in the file"; bad=1; }
done
# Of other data.
sed 's/^forward = {/& blurred = { plugin = "lowfreq"; keep = 3; sigma = 0.01; };/; s/^  { stage = "infer"; forward = "seen"; priors = \["white"\]; inference = \["map"\].*/&\
  { stage = "simulate"; forward = "blurred"; truth = { prior = "white"; seed = 5; }; },\
  { stage = "infer"; forward = "blurred"; priors = ["white"]; inference = ["map"]; samples = 2; },/; s/start = "map"/start = "blurred\/white+map"/' \
	"$T/chain.cfg" >"$T/data.cfg"
status 0 "$UMBRA" run "$T/data.cfg" -o "$T/data" --threads 1 --quiet --only seen/white+dpi
there "$T/data/blurred/white+map/mean.fits"
[ ! -e "$T/data/seen/white+map" ] || { echo "--only made more than was needed"; bad=1; }
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/file" --threads 1 --quiet --set "inference.dpi.image=$T/data/blurred/white+map/mean.fits" --only seen/white+dpi
for run in data file; do pixels "$T/$run/seen/white+dpi/mean.fits" 64 >"$T/$run.pixels"; done
same "$T/data.pixels" "$T/file.pixels"
status 2 "$UMBRA" check "$T/data.cfg" --set run.[4].start=blured/white+map
says "there is no 'blured' in the group forward; did you mean 'blurred'?"
status 2 "$UMBRA" check "$T/data.cfg" --set run.[2].count=2
says 'seen/white+dpi cannot start from one image: forward.blurred has 2 measurements'
status 2 "$UMBRA" check "$T/chain.cfg" --set run.[2].start=mop
says "there is no 'mop' in the group inference; did you mean 'map'?"
status 2 "$UMBRA" check "$T/chain.cfg" --set run.[2].start=dpi
says 'seen/white+dpi cannot start from seen/white+dpi: no infer stage before it makes that cell'
status 2 "$UMBRA" check "$T/chain.cfg" --set 'run.[2].inference=["exact"]' --set 'inference.exact={ plugin = "exact"; }'
says 'inference/exact cannot start from an image: it has no parameter image'
status 2 "$UMBRA" check "$T/chain.cfg" --set run.[0].count=2
says 'seen/white+dpi cannot start from one image: forward.seen has 2 measurements'
status 2 "$UMBRA" check "$T/chain.cfg" --set "inference.dpi.image=$start"
says 'there are two images to start from: leave start or inference.dpi.image out'
status 1 $chain --resume --set forward.seen.sigma=0.3 --set run.[1].time_limit=1e-9
says 'seen/white+dpi: failed: seen/white+map, from which it starts, has no mean image'
sed 's/inference = \["map"\]; samples = 2; }/inference = ["exact"]; samples = 2; skip_impossible = true; }/; s/"map"; samples/"exact"; samples/
	s/map = { plugin = "map"; };/exact = { plugin = "exact"; };/; s/plugin = "gaussian"; mean = 0.5; sigma = 0.2;/plugin = "tv";/; s/prior = "white"; seed = 3;/prior = "shape";/
	s/^priors = {/& shape = { plugin = "geometric"; };/' "$T/chain.cfg" >"$T/none.cfg"
status 1 "$UMBRA" run "$T/none.cfg" -o "$T/none"
says 'seen/white+dpi: failed: seen/white+exact, from which it starts, has no mean image'
# Half of the field in pixels half as large: the middle of the image, its brightness shared out smoothly.
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/c" $keep --set "inference.map.image=$start" --set image.fov_uas=40.0 --only seen/white+map
near "$(pixels "$T/c/seen/white+map/mean.fits" 64 | sum)" \
	"$(pixels "$start" 64 | awk '{ r = int((NR - 1) / 8); c = (NR - 1) % 8; if (r > 1 && r < 6 && c > 1 && c < 6) s += $1 } END { print s }')" \
	0.6 "brightness of the middle"
# An old pixel is no square of equal new ones.
near "$(pixels "$T/c/seen/white+map/mean.fits" 64 | awk '{ v[NR - 1] = $1 } END { for (i = 0; i < 64; i += 2) n += v[i] == v[i + 1]; print n + 0 }')" \
	0 2 "equal neighbours"
status 3 "$UMBRA" check "$T/p.cfg" --set "inference.map.image=$T/a/seen/white+dpi/samples.fits"
says 'samples.fits: it has 2 images; a start is one'
status 3 "$UMBRA" check "$T/p.cfg" --set "inference.map.image=$T/none.fits"
says 'none.fits'
status 3 "$UMBRA" check "$T/p.cfg" --set "inference.dpi.image=$start" --set image.fov_uas=0.0 --set "image.pixels=[9,9]"
says 'it can only be regridded where both have a size on the sky'
exit $bad
