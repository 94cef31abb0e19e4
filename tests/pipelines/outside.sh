# SPDX-License-Identifier: GPL-3.0-or-later
# After installation into an empty folder the program runs from there, and plugins build against the installed files
# alone and pass the battery: two of umbra's own, what "umbra new" begins, with its pipeline, and the example in C++, in one.
. tests/pipelines/lib.sh.inc
if [ -n "$SAN$COV" ]; then
	echo "SKIPPED: instrumented builds are not installed"
	exit 0
fi
make -s --no-print-directory B="$UMBRA_BUILD" PREFIX=/opt/umbra DESTDIR="$T/stage" install >"$T/out" 2>&1 ||
	{ cat "$T/out"; exit 1; }
here=$PWD
root=$T/stage/opt/umbra
sed 's/"denoise"/"mine"/' plugins/forward/denoise.c >"$T/mine.c"
cp tests/plugins/netprior.c "$T/"
sed 's/"dps"/"walker"/' plugins/inference/dps.c >"$T/walker.c"
export PKG_CONFIG_PATH="$root/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$T/stage"
unset UMBRA_BUILD
cd "$T" || exit 1
for plugin in mine netprior walker; do
	${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -fPIC -shared -fvisibility=hidden -Wl,-z,defs $plugin.c \
		$(pkg-config --cflags --libs umbra) -lm -o $plugin.so || exit 1
done
status 0 "$root/bin/umbra" test ./mine.so
status 0 "$root/bin/umbra" test ./netprior.so
status 0 "$root/bin/umbra" test ./walker.so
status 0 "$root/bin/umbra" help ./mine.so
plugindir=$T/stage$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=plugindir umbra)
install -D mine.so "$plugindir/forward/mine.so"
status 0 "$root/bin/umbra" list forward
grep -q forward/mine "$T/out" || { cat "$T/out"; bad=1; }
sed 's/lowfreq"; keep = 4;/mine";/; s/, "dpi"\]/]/' "$root/share/umbra/pipelines/lowfreq.cfg" >p.cfg
status 0 "$root/bin/umbra" run p.cfg -o run --quiet
there run/blurred/field+exact/samples.fits
for kind in forward priors inference; do
	name=my_$kind
	status 0 "$root/bin/umbra" new $kind $name
	status 0 make -s -C $name UMBRA="$root/bin/umbra" CC="${CC:-cc}" CFLAGS="-Wall -Wextra -Wconversion -Werror" check
	grep -q "$kind/$name: 0 checks failed" "$T/out" || { cat "$T/out"; bad=1; }
	there $name/run/report.html $name/run/compare/metrics.csv
	status 0 make -s -C $name DESTDIR="$T/stage" PKG_CONFIG_SYSROOT_DIR= install
	status 0 "$root/bin/umbra" help $kind/$name
	status 1 "$root/bin/umbra" new $kind $name
	says "there already"
done
status 2 "$root/bin/umbra" new prior mine
says "did you mean 'priors'?"
status 2 "$root/bin/umbra" new priors My-prior
says "no name for a plugin"
if command -v "${CXX:-c++}" >/dev/null; then
	mkdir cc
	"${CXX:-c++}" -std=c++11 -Wall -fPIC -shared -fvisibility=hidden -Wl,-z,defs "$root/share/umbra/examples/priors.cc" \
		$(pkg-config --cflags --libs umbra) -o cc/example.so || exit 1
	status 0 "$root/bin/umbra" test cc/example.so
	mkdir -p cc/plugins/priors
	ln -s ../../example.so cc/plugins/priors/
	sed 's/truth = { prior = "mine"; }/truth = { prior = "gaussian"; }/' "$root/share/umbra/examples/priors.cfg" >cc/example.cfg
	status 0 env UMBRA_PLUGIN_PATH=cc/plugins "$root/bin/umbra" run cc/example.cfg -o cc/run --quiet --set inference.dpi.steps=200
	there cc/run/noisy/mine+dpi/samples.fits cc/run/compare/metrics.csv
	grep -q '^noisy/mine+dpi,' cc/run/compare/metrics.csv || { echo "the comparison lacks the prior in C++"; bad=1; }
else
	echo "SKIPPED: there is no C++ compiler for share/examples/priors.cc"
fi
cat >complete.bash <<'C'
source "$1/share/bash-completion/completions/umbra"
compopt() { :; }
PATH=$1/bin:$PATH
for words in 'umbra te' 'umbra help priors/t' 'umbra help inference/o' 'umbra run --res' 'umbra new f'; do
	COMP_WORDS=($words)
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_umbra
	printf '%s;' "${COMPREPLY[*]}"
done
C
[ "$(bash complete.bash "$root")" = 'template test;priors/tsv priors/tv;inference/ot-ode;--resume;forward;' ] ||
	{ echo "completion offers: $(bash complete.bash "$root")"; bad=1; }
cd "$here" || exit 1
sed -n '/^## An example/,/^## Language/s/^    //p' share/doc/pipeline.md >"$T/example.cfg"
status 0 "$root/bin/umbra" check "$T/example.cfg"
there "$root/include/umbra/plugin.h" "$root/share/man/man1/umbra.1" "$root/share/man/man5/umbra-pipeline.5" \
	"$root/share/man/man7/umbra-plugin.7"
grep -q memory_limit "$root/share/man/man5/umbra-pipeline.5" || { echo "umbra-pipeline(5) has no keys"; bad=1; }
exit $bad
