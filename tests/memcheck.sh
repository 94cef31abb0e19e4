# SPDX-License-Identifier: GPL-3.0-or-later
# memcheck.sh BUILD [KEY...]: valgrind's memcheck on a small pipeline of every inference plugin, trainings and report
# included; some of the keys below alone.
UMBRA_BUILD=$1
shift
. tests/pipelines/lib.sh.inc
command -v valgrind >/dev/null || { echo "SKIPPED: there is no valgrind"; exit 77; }
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [4, 4]; };
forward = { seen = { plugin = "denoise"; sigma = 0.3; }; };
priors = {
  field = { plugin = "gaussian"; spectrum = "power"; mean = 0.5; sigma = 0.2; };
  learned = { plugin = "realnvp"; couplings = 2; hidden = 4; steps = 3; batch = 4; };
  pca = { plugin = "pca"; components = 3; };
};
inference = {
  ald = { plugin = "ald"; calls = 8; };
  cnf = { plugin = "cnf"; couplings = 2; hidden = 4; steps = 3; check = 2; refine = 2; batch = 4; };
  dmps = { plugin = "dmps"; calls = 6; };
  dpi = { plugin = "dpi"; steps = 3; batch = 4; elbo_draws = 8; warm_draws = 8; };
  dps = { plugin = "dps"; calls = 6; };
  exact = { plugin = "exact"; };
  hmc = { plugin = "hmc"; chains = 2; warmup = 4; draws = 4; depth = 2; };
  map = { plugin = "map"; iterations = 5; };
  mcg = { plugin = "mcg"; calls = 6; };
  noise2score = { plugin = "noise2score"; };
  ot-ode = { plugin = "ot-ode"; calls = 6; };
  pigdm = { plugin = "pigdm"; calls = 6; };
  sde-proj = { plugin = "sde-proj"; calls = 6; };
};
run = (
  { stage = "train"; prior = "learned"; data = { prior = "field"; count = 20; held_out = 4; }; },
  { stage = "train"; prior = "pca"; data = { prior = "field"; count = 20; held_out = 4; }; },
  { stage = "train"; inference = "cnf"; forward = "seen"; priors = ["field"]; data = { prior = "field"; held_out = 8; }; },
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; samples = 2; inference = KEYS; },
  { stage = "infer"; forward = "seen"; priors = ["learned"]; inference = ["map"]; samples = 2; },
  { stage = "compare"; }
);
C
[ $# -gt 0 ] || { set -- $(cd plugins/inference && ls -- *.c | sed 's/\.c$//'); all=yes; }
keys=$(printf '"%s", ' "$@")
sed -i "s/KEYS/[ ${keys%, } ]/" "$T/p.cfg"
[ "$all" ] || sed -i '/stage = "train"; prior\|"learned"\]/d' "$T/p.cfg"
case $keys in *'"cnf"'*) ;; *) sed -i '/stage = "train"; inference/d' "$T/p.cfg" ;; esac
mkdir "$T/log"
# The processor that valgrind shows has no AVX-512.
UMBRA_ISA=avx2 valgrind --quiet --trace-children=yes --error-exitcode=9 \
	--log-file="$T/log/%p" "$UMBRA" run "$T/p.cfg" -o "$T/run" --threads 1 >"$T/out" 2>"$T/err"
got=$?
[ $got = 0 ] || { echo "exit status $got"; cat "$T/err"; bad=1; }
for f in "$T"/log/*; do
	[ -s "$f" ] || continue
	head -60 "$f"
	bad=1
done
echo "$(ls "$T/log" | wc -l) processes, $(grep -c 'done in' "$T/err") tasks, $# inference plugins"
exit $bad
