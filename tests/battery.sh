# SPDX-License-Identifier: GPL-3.0-or-later
# battery.sh UMBRA KIND/NAME: "umbra test" on a plugin of that build, with the settings that it needs.
umbra=$1 n=$2
set --
if [ -f "tests/conformance/$n.args" ]; then
	while read -r line; do
		case $line in ''|'#'*) ;; *) set -- "$@" --set "$line" ;; esac
	done <"tests/conformance/$n.args"
fi
exec "$umbra" test "$(dirname "$umbra")/plugins/$n.so" "$@"
