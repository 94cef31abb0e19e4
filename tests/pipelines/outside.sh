# SPDX-License-Identifier: GPL-3.0-or-later
# After installation into an empty folder the program runs from there, and a plugin builds against
# the installed files alone and passes the battery.
. tests/pipelines/lib.sh.inc
if [ -n "$SAN$COV" ]; then
	echo "SKIPPED: instrumented builds are not installed"
	exit 0
fi
make -s --no-print-directory B="$UMBRA_BUILD" PREFIX=/opt/umbra DESTDIR="$T/stage" install >"$T/out" 2>&1 ||
	{ cat "$T/out"; exit 1; }
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
there "$root/include/umbra/plugin.h" "$root/share/man/man1/umbra.1"
exit $bad
