# SPDX-License-Identifier: GPL-3.0-or-later
# All priors with all inference plugins that are built, a linear and a nonlinear forward model: "umbra check" has one line with a reason
# for each cell that cannot work, and every other cell runs to its end.
. tests/pipelines/lib.sh.inc

# quick PLUGIN: settings that make it fast, and those without which it makes no sense here.
quick() {
	case $1 in
	gmm) echo "variances = [0.05]; means = [$(awk 'BEGIN { for (i = 0; i < 127; i++) printf "%g, ", i < 64 ? 0.2 : 0.8; print 0.8 }')];" ;;
	pca) echo 'components = 4; floor = 0.1;' ;;
	realnvp) echo 'couplings = 2; hidden = 8; steps = 5; batch = 8;' ;;
	score) echo 'score = "gaussian"; probes = 1; steps = 2; solver = "heun"; sample_steps = 4;' ;;
	surrogate) echo 'score = "gaussian"; sample_steps = 4;' ;;
	ald) echo 'calls = 11; gamma = 2.0;' ;;
	cnf) echo 'couplings = 2; hidden = 8; steps = 5; batch = 8; prior_draws = 16; refine = 8;' ;;
	dpi) echo 'steps = 6; batch = 2; average = 2; elbo_draws = 4; warm_draws = 16; warm_iterations = 5;' ;;
	hmc) echo 'chains = 2; warmup = 6; draws = 6; depth = 3;' ;;
	map) echo 'iterations = 10;' ;;
	dps|dmps|mcg|ot-ode|pigdm|sde-proj) echo 'calls = 6;' ;;
	esac
}
plugins() { "$UMBRA" list "$1" | sed -n "s|^$1/\([^ ]*\).*|\1|p"; }
learns() { "$UMBRA" list "$1" | sed -n "s|^$1/\([^ ]*\).* It learns\.\$|\1|p"; }
group() { # KIND
	echo "$1 = {"
	for p in $(plugins "$1"); do echo "  $p = { plugin = \"$p\"; $(quick "$p") };"; done
	echo "};"
}
quoted() { printf '"%s"\n' "$@" | paste -sd, -; }
# pipeline TRANSFORM SKIP FORWARD...: everything with everything.
pipeline() {
	with=$1 skip=$2
	shift 2
	echo "image = { pixels = [8, 8]; fov_uas = 100.0; transform = \"$with\"; };"
	echo 'forward = { whole = { plugin = "denoise"; sigma = 0.3; }; bent = { plugin = "phase"; sigma = 0.3; }; };'
	group priors
	group inference
	echo 'run = ('
	for p in $(learns priors); do
		quick "$p" | grep -q 'score =' || echo "{ stage = \"train\"; prior = \"$p\"; data = { prior = \"gaussian\"; count = 32; held_out = 8; }; },"
	done
	for i in $(learns inference); do
		echo "{ stage = \"train\"; inference = \"$i\"; forward = \"whole\"; priors = [\"gaussian\"]; data = { prior = \"gaussian\"; count = 32; held_out = 8; }; },"
	done
	for f; do
		echo "{ stage = \"simulate\"; forward = \"$f\"; truth = { prior = \"gaussian\"; }; },"
		echo "{ stage = \"infer\"; forward = \"$f\"; priors = [$(quoted $(plugins priors))]; inference = [$(quoted $(plugins inference))];"
		echo "  samples = 1; skip_impossible = $skip; },"
	done
	echo '{ stage = "compare"; } );'
}
# cells TRANSFORM FORWARD...
cells() {
	transform=$1
	shift
	pipeline $transform false "$@" >"$T/all.cfg"
	status 2 "$UMBRA" check "$T/all.cfg"
	grep -v ': the cell [a-z]*/[^ ]*+[^ ]* cannot work: ...........' "$T/err" && { echo "no reason for a cell"; bad=1; }
	sed -n 's/.*: the cell \([^ ]*\) cannot work: .*/\1/p' "$T/err" | sort >"$T/refused"
	pipeline $transform true "$@" >"$T/some.cfg"
	status 0 "$UMBRA" check "$T/some.cfg"
	status 0 "$UMBRA" run "$T/some.cfg" -o "$T/$transform" --quiet
	all=$(($(plugins priors | wc -l) * $(plugins inference | wc -l) * $#))
	(cd "$T/$transform" && ls -d */*+* | sort) >"$T/made"
	while read -r cell; do there "$T/$transform/$cell/samples.fits" "$T/$transform/$cell/metrics.json"; done <"$T/made"
	comm -12 "$T/refused" "$T/made" | grep . && { echo "refused, yet there"; bad=1; }
	if [ $(($(wc -l <"$T/refused") + $(wc -l <"$T/made"))) != $all ] || [ ! -s "$T/refused" ] || [ ! -s "$T/made" ]; then
		echo "$transform: of $all cells $(wc -l <"$T/refused") are refused and $(wc -l <"$T/made") made"
		bad=1
	fi
}
cells identity whole bent
cells softplus whole

# What is too large for a method: 4160 numbers, of which exact and moments take 4096.
cat >"$T/large.cfg" <<'E'
image = { pixels = [65, 64]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; };
priors = { field = { plugin = "gaussian"; }; };
inference = { exact = { plugin = "exact"; }; moments = { plugin = "dpi"; warm = "moments"; }; map = { plugin = "map"; iterations = 2; }; };
run = (
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["exact", "moments", "map"]; samples = 1; skip_impossible = false; } );
E
status 2 "$UMBRA" check "$T/large.cfg"
says 'the cell seen/field+exact cannot work: exact: 4160 pixels and 4160 measurements need dense matrices of 4160 rows; allow them with limit = 4160'
says 'the cell seen/field+moments cannot work: warm: moments of 4160 numbers with 4160 measurements are too many'
[ "$(grep -c 'cannot work' "$T/err")" = 2 ] || { echo "another cell is refused"; cat "$T/err"; bad=1; }
sed 's/skip_impossible = false/skip_impossible = true/' "$T/large.cfg" >"$T/left.cfg"
status 0 "$UMBRA" run "$T/left.cfg" -o "$T/left" --quiet
there "$T/left/seen/field+map/samples.fits"
[ ! -e "$T/left/seen/field+exact" ] && [ ! -e "$T/left/seen/field+moments" ] || { echo "an impossible cell ran"; bad=1; }
sed 's/"exact"; }/"exact"; limit = 5000; }/; s/, "moments"//' "$T/large.cfg" >"$T/allowed.cfg"
status 0 "$UMBRA" check "$T/allowed.cfg"

# What an inference cannot learn.
sed 's/plugin = "denoise"/plugin = "phase"/; s/plugin = "exact"; }/plugin = "cnf"; summary = "pseudoinverse"; }/
	s/^run = (/&\n  { stage = "train"; inference = "exact"; forward = "seen"; priors = ["field"]; data = { prior = "field"; count = 32; held_out = 8; }; },/
	' "$T/large.cfg" >"$T/learn.cfg"
status 2 "$UMBRA" check "$T/learn.cfg"
says 'inference.exact cannot be trained: summary: only linear forward models have a pseudo-inverse'
says 'the cell seen/field+exact cannot work: summary: only linear'
exit $bad
