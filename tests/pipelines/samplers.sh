# SPDX-License-Identifier: GPL-3.0-or-later
# Samplers of diffusion priors as cells: evaluations are counted, too much weight is a failed cell with advice, what
# cannot work is refused before anything runs, and what was stopped goes on.
. tests/pipelines/lib.sh.inc
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [8, 8]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; low = { plugin = "lowfreq"; keep = 2; }; };
priors = {
  field = { plugin = "gaussian"; spectrum = "power"; mean = 0.5; sigma = 0.3; floor = 0.1; };
  diffusion = { plugin = "score"; score = "field"; };
  tv = { plugin = "tv"; };
  both = ( { plugin = "gaussian"; }, { plugin = "tv"; } );
};
inference = {
  dps = { plugin = "dps"; calls = 12; };
  dmps = { plugin = "dmps"; calls = 12; };
  flow = { plugin = "dmps"; version = "flow"; calls = 12; };
  pigdm = { plugin = "pigdm"; calls = 12; };
  otode = { plugin = "ot-ode"; calls = 12; };
  mcg = { plugin = "mcg"; calls = 12; };
  proj = { plugin = "sde-proj"; calls = 12; };
  ald = { plugin = "ald"; calls = 16; };
  once = { plugin = "noise2score"; };
  heavy = { plugin = "ald"; calls = 1001; gamma = 0.05; snr = 0.6; };
};
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["field", "diffusion"];
    inference = ["dps", "dmps", "flow", "pigdm", "otode", "mcg", "proj", "ald"]; samples = 3; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["once", "heavy"]; samples = 3; },
  { stage = "compare"; }
);
C
status 1 "$UMBRA" run "$T/p.cfg" -o "$T/run" --quiet
says "seen/field+heavy: failed: "
says "grew without bounds by step"
says "raise gamma"
[ -e "$T/run/seen/field+heavy/samples.fits" ] && { echo "a failed cell left samples"; bad=1; }
calls() { # CELL WANTED
	got=$(sed -n 's/.*"nfe": *\([0-9]*\).*/\1/p' "$T/run/seen/$1/metrics.json")
	[ "$got" = "$2" ] || { echo "$1: nfe is '$got', not $2"; bad=1; }
}
for prior in field diffusion; do
	for c in dps dmps flow pigdm otode mcg proj; do
		there "$T/run/seen/$prior+$c/samples.fits" "$T/run/seen/$prior+$c/trace.csv"
		calls $prior+$c 36
	done
	calls $prior+ald 48
done
calls field+once 1

# refuse PRIOR INFERENCE TEXT [SETTING...]
refuse() {
	cells="[{stage=\"infer\"; forward=\"$1\"; priors=[\"$2\"]; inference=[\"$3\"];}]"
	text=$4
	shift 4
	status 2 "$UMBRA" check "$T/p.cfg" --set "run=($(echo "$cells" | sed 's/^.//; s/.$//'))" "$@"
	says "$text"
}
refuse seen tv dps "the inference needs a score"
refuse seen both dmps "a product of priors"
refuse low field once "sees the image itself"
refuse seen field pigdm 'transform = "identity"' --set image.transform=softplus
refuse seen field ald "calls = 5: a walk takes 6 at least" --set inference.ald.calls=5
refuse seen tv dpi "begins with draws of the prior, which cannot be drawn from" --set 'inference.dpi={plugin="dpi"; warm="moments";}'
refuse seen tv hmc "begins with draws of the prior" --set 'inference.hmc={plugin="hmc"; start="draws";}'
refuse seen field dmps "times: [0.5, 0.5] has no length" --set inference.dmps.times=[0.5,0.5]

# Stopped and resumed: the same bytes.
long="--only seen/field+dmps --set inference.dmps.calls=4000 --set inference.dmps.batch=2 --set run.[1].samples=40"
interrupted 0.3 simulate/seen/measurements.fits "$UMBRA" run "$T/p.cfg" $long
same "$T/whole/seen/field+dmps/samples.fits" "$T/part/seen/field+dmps/samples.fits"
same "$T/whole/seen/field+dmps/trace.csv" "$T/part/seen/field+dmps/trace.csv"
exit $bad
