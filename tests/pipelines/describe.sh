# SPDX-License-Identifier: GPL-3.0-or-later
# Plugins describe themselves: help and template for each, and check accepts every template. The guide for plugins has what a
# failure of each check of the battery means, and no check that there is not.
. tests/pipelines/lib.sh.inc
status 0 "$UMBRA" list
cp "$T/out" "$T/list"
[ "$(wc -l <"$T/list")" = "$(ls plugins/*/*.c | wc -l)" ] || { cat "$T/list"; bad=1; }
while read -r name _; do
	status 0 "$UMBRA" help "$name"
	grep -q "^$name " "$T/out" || { echo "help of $name does not begin with its name"; bad=1; }
	status 0 "$UMBRA" template "$name"
	cp "$T/out" "$T/block.cfg"
	status 0 "$UMBRA" check "$T/block.cfg"
done <"$T/list"
status 0 "$UMBRA" help pipeline
status 0 "$UMBRA" help
status 0 "$UMBRA" --version
status 2 "$UMBRA" help priors/tb
says "did you mean 'tv'"
status 2 "$UMBRA" lst
says "did you mean 'list'"
grep -oh '{ "[^"]*", \(check\|conform\)_[a-z_]*\|conform_line([^"]*"[^"]*"' core/host/conform*.c | cut -d '"' -f 2 |
	sort -u >"$T/checks"
sed -n '/^| check |/,/^$/s/^| \([^|]*\) |.*/\1/p' share/doc/plugins.md | sed '1,2d; /^any: /d; s/, /\n/g' | sort >"$T/rows"
[ "$(wc -l <"$T/checks")" -ge 40 ] || { echo "few checks found:"; cat "$T/checks"; bad=1; }
diff "$T/checks" "$T/rows" || { echo "share/doc/plugins.md (>) does not name the checks of the battery (<)"; bad=1; }
exit $bad
