# SPDX-License-Identifier: GPL-3.0-or-later
# Speed of networks, beside PyTorch where it is.
. tests/validate/lib.sh.inc
UMBRA_BUILD=$B tests/bench/compare_torch --rounds 3 --seconds 1 >"$T/table"
grep -q ratio "$T/table" || skip "no comparison with PyTorch: $(head -1 "$T/table")"
echo "# Speed of networks"
echo
echo "\`tests/bench/compare_torch\` on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores:"
echo "the network of torch_unet.py in PyTorch and in umbra, in turn (width 32 is the network of ring-32 and digits-32), milliseconds."
echo
sed 's/^/    /' "$T/table"
exit $status
