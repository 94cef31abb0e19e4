# SPDX-License-Identifier: GPL-3.0-or-later
# Speed of the instrument.
. tests/validate/lib.sh.inc
echo "# Speed of chi-square and gradient"
echo
echo "\`umbra bench eht\` on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores:"
echo
"$B/umbra" bench eht | sed 's/^/    /'
exit $status
