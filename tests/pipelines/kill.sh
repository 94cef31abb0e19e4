# SPDX-License-Identifier: GPL-3.0-or-later
# Runs that are killed at random moments, with a checkpoint in every step so that many are inside a write, or
# that find no room on the disk: nothing is half-written, and what is resumed ends with equal bytes.
# KILLS=N kills so many runs.
[ -w /dev/shm ] && export TMPDIR=/dev/shm # a checkpoint a step would wait for the disk
. tests/pipelines/lib.sh.inc
kills=${KILLS:-10}
cat >"$T/p.cfg" <<'C'
seed = 3;
image = { pixels = [4, 4]; };
forward = { seen = { plugin = "lowfreq"; keep = 2; sigma = 0.3; }; };
priors = {
  field = { plugin = "gaussian"; spectrum = "power"; mean = 0.5; sigma = 0.2; };
  flow = { plugin = "realnvp"; couplings = 2; hidden = 4; steps = 20; batch = 8; check = 10; };
};
inference = {
  cnf = { plugin = "cnf"; couplings = 2; hidden = 8; steps = 30; check = 10; refine = 20; batch = 16; };
  dpi = { plugin = "dpi"; steps = 40; batch = 8; };
  map = { plugin = "map"; };
  hmc = { plugin = "hmc"; chains = 2; warmup = 10; draws = 10; depth = 4; };
  dps = { plugin = "dps"; calls = 20; batch = 2; };
};
run = (
  { stage = "train"; prior = "flow"; data = { prior = "field"; count = 60; held_out = 10; }; },
  { stage = "train"; inference = "cnf"; forward = "seen"; priors = ["field"]; data = { prior = "field"; held_out = 20; }; },
  { stage = "simulate"; forward = "seen"; truth = { prior = "field"; seed = 2; }; },
  { stage = "infer"; forward = "seen"; priors = ["field"]; inference = ["cnf", "dpi", "map", "hmc", "dps"]; samples = 8; },
  { stage = "infer"; forward = "seen"; priors = ["flow"]; inference = ["dpi"]; samples = 8; },
  { stage = "compare"; }
);
C
export UMBRA_CHECKPOINT=0
all() { # FOLDER: the files that equal runs have in common
	(cd "$1" && find . -name '*.fits' -o -name '*.safetensors' -o -name '*.png' -o -name trace.csv -o -name distances.csv \
		-o -name agreement.csv -o -name pipeline.cfg) | grep -v checkpoint | sort
}
run() { # DIR OPTION...: the pipeline, on one core
	dir=$1
	shift
	"$UMBRA" run "$T/p.cfg" -o "$dir" --threads 1 --quiet "$@"
}
status 0 run "$T/whole"
[ "$(all "$T/whole" | wc -l)" -ge 40 ] || { echo "few files"; exit 1; }

# whole_files DIR: every file is whole, whatever it is. Traces and pictures grow with the steps, a comparison with the cells.
whole_files() {
	for f in $(all "$1" | grep -v 'trace.csv\|\.png\|compare/'); do
		cmp -s "$1/$f" "$T/whole/$f" || { echo "half-written: $f"; bad=1; }
	done
	for f in $(find "$1" -name '*.png' -o -name '*.csv' -o -name '*.html' -o -path '*/compare/*.fits'); do
		case $f in
		*.png) [ "$(tail -c 12 "$f" | od -An -tx1 | tr -d ' ')" = 0000000049454e44ae426082 ] ;; # the chunk IEND
		*.csv) [ "$(tail -c 1 "$f" | od -An -tx1 | tr -d ' ')" = 0a ] ;;
		*.html) [ "$(tail -n 1 "$f" | tail -c 8)" = '</html>' ] ;;
		*.fits) [ $(($(wc -c <"$f") % 2880)) = 0 ] && [ -s "$f" ] && fitsverify -q "$f" | grep -q 'verification OK' ;;
		esac || { echo "half-written: $f"; bad=1; }
	done
	for f in $(find "$1" -name '*.json'); do
		[ "$(head -c 1 "$f")$(tail -c 2 "$f" | tr -d '\n' | tail -c 1)" = '{}' ] || { echo "half-written: $f"; bad=1; }
	done
	for f in $(find "$1" -name 'checkpoint*.safetensors'); do
		"$UMBRA" info "$f" >/dev/null 2>"$T/err" || { echo "half-written: $f"; cat "$T/err"; bad=1; }
	done
}
# finished DIR: as if nothing had happened.
finished() {
	for f in $(all "$T/whole"); do same "$1/$f" "$T/whole/$f"; done
	left=$(find "$1" -name '*.tmp' -o -name '.page*' -o -name 'checkpoint*' -o -name '*.old')
	[ -z "$left" ] || { echo "left behind: $left"; bad=1; }
}
# kill_run PID: the run and its tasks, at once.
kill_run() {
	kill -STOP "$1" 2>/dev/null || return
	tasks=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
	kill -KILL $tasks "$1" 2>/dev/null
	for p in $tasks; do # which are gone once they let go of the folder
		while kill -0 "$p" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$p/status" 2>/dev/null; do sleep 0.01; done
	done
}
if [ ! -r /proc/self/task/self/children ] && [ ! -r "/proc/$$/task/$$/children" ]; then
	echo "SKIPPED: there is no /proc to find tasks of a run in"
	kills=0
fi
# ended STATUS: after a run that was to be killed.
n=0 inside=0 through=0
if [ -n "$COV" ]; then
	echo "SKIPPED: what is killed would spoil the files that count lines"
	kills=0
fi
ended() {
	if [ "$1" = 0 ]; then
		through=$((through + 1))
		finished "$T/killed"
		rm -rf "$T/killed"
	elif [ "$1" = 137 ] || [ "$1" = 1 ]; then
		n=$((n + 1))
		[ -z "$(find "$T/killed" -name '*.tmp' 2>/dev/null)" ] || inside=$((inside + 1))
		[ ! -d "$T/killed" ] || whole_files "$T/killed"
	else
		echo "exit status $1"
		cat "$T/err"
		bad=1
	fi
}
# numbers LOW HIGH: random ones, the same in every test
numbers() {
	awk -v n="$((2 * kills))" -v a="$1" -v b="$2" 'BEGIN { srand(11); for (i = 0; i < n; i++) printf "%.3f ", a + (b - a) * rand() }'
}
for wait in $(numbers 0.05 0.8); do
	[ $n -lt $((kills / 2)) ] && [ $bad = 0 ] || break
	"$UMBRA" run "$T/p.cfg" -o "$T/killed" --threads 1 --quiet --resume 2>"$T/err" &
	pid=$!
	sleep "$wait"
	kill_run $pid
	wait $pid 2>/dev/null
	ended $?
done
# The rest inside of calls that write; a task that dies alone fails in a run that goes on.
if [ -z "$SAN" ] && ${CC:-cc} -shared -fPIC tests/pipelines/die.c -o "$T/die.so" -ldl; then
	for at in $(numbers 1 150); do
		[ $n -lt "$kills" ] && [ $bad = 0 ] || break
		DIE_AT=${at%.*} LD_PRELOAD="$T/die.so" run "$T/killed" --resume 2>"$T/err"
		ended $?
	done
	[ $inside -gt 0 ] || [ "$kills" = 0 ] || { echo "no kill was inside a write"; bad=1; }
fi
[ ! -d "$T/killed" ] || status 0 run "$T/killed" --resume
[ ! -d "$T/killed" ] || finished "$T/killed"

# Asked to stop in the same way: the step is finished, and what there is stays.
stops=0
for wait in $(numbers 0.2 1.5); do
	[ $stops -lt $((kills / 3)) ] && [ $bad = 0 ] || break
	"$UMBRA" run "$T/p.cfg" -o "$T/stopped" --threads 1 --quiet --resume 2>"$T/err" &
	pid=$!
	sleep "$wait"
	kill -TERM $pid 2>/dev/null
	wait $pid
	got=$?
	[ $got = 75 ] && stops=$((stops + 1))
	[ $got = 75 ] || [ $got = 0 ] || [ $got = 143 ] || { echo "stopped: exit status $got"; cat "$T/err"; bad=1; }
	[ $got != 0 ] || rm -rf "$T/stopped"
done
if [ -d "$T/stopped" ]; then
	status 0 run "$T/stopped" --resume
	finished "$T/stopped"
fi

# Files that cannot grow, as on a full disk: a reason, and on from there once there is room.
for blocks in 6 24 64; do
	(ulimit -f $blocks && run "$T/full$blocks") 2>"$T/err"
	got=$?
	[ $got = 1 ] || { echo "ulimit -f $blocks: exit status $got"; cat "$T/err"; bad=1; }
	grep -qE 'File too large|cannot be written|could not|no room' "$T/err" || { echo "ulimit -f $blocks: no reason in"; cat "$T/err"; bad=1; }
	[ ! -d "$T/full$blocks" ] || whole_files "$T/full$blocks"
	status 0 run "$T/full$blocks" --resume
	finished "$T/full$blocks"
done
full="files that may not grow"
mkdir "$T/small"
if mount -t tmpfs -o size=160k tmpfs "$T/small" 2>/dev/null; then
	trap 'umount "$T/small"; rm -rf "$T"' EXIT
	run "$T/small/run" 2>"$T/err"
	got=$?
	[ $got = 1 ] || { echo "a full disk: exit status $got"; cat "$T/err"; bad=1; }
	grep -qE 'No space left|cannot be written' "$T/err" || { echo "a full disk: no reason in"; cat "$T/err"; bad=1; }
	whole_files "$T/small/run"
	mount -o remount,size=64m "$T/small"
	status 0 run "$T/small/run" --resume
	finished "$T/small/run"
	full="$full, a full disk"
else
	echo "SKIPPED: no right to mount a small disk"
fi
echo "$n kills, $inside inside a write, $stops stops, $full"
exit $bad
