# SPDX-License-Identifier: GPL-3.0-or-later
# What pca learns from draws of the sampler of shapes, against eigenvalues that numpy computes.
. tests/pipelines/lib.sh.inc
python=
for p in python3 /usr/bin/python3; do
	[ -z "$python" ] && $p -c 'import numpy' 2>/dev/null && python=$p
done
if [ -z "$python" ]; then
	echo "SKIPPED: numpy is not there to compute eigenvalues"
	exit 0
fi
if [ -n "$SAN$COV" ]; then
	echo "SKIPPED: no other program is linked with an instrumented build"
	exit 0
fi
lib=$(cd "$UMBRA_BUILD" && pwd)
${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Icore tests/pipelines/draws.c -L"$lib" -lumbra \
	-Wl,-rpath,"$lib" -o "$T/draws" || exit 1
status 0 "$T/draws" geometric 16 16 3000 "$T/shapes.npy"
cat >"$T/p.cfg" <<'P'
seed = 3;
image = { pixels = [16, 16]; };
forward = { blurred = { plugin = "lowfreq"; keep = 3; sigma = 0.01; }; };
priors = {
  shapes = { plugin = "geometric"; };
  learned = { plugin = "pca"; components = 40; floor = 1e-5; };
  sharp = { plugin = "pca"; components = 40; power = 12; floor = 1e-5; };
  whole = { plugin = "pca"; components = 256; floor = 1e-5; };
};
inference = { exact = { plugin = "exact"; }; };
run = (
  { stage = "train"; prior = "learned"; data = { files = "shapes.npy"; held_out = 0; }; },
  { stage = "train"; prior = "sharp"; data = { files = "shapes.npy"; held_out = 0; }; },
  { stage = "train"; prior = "whole"; data = { files = "shapes.npy"; held_out = 0; }; },
  { stage = "simulate"; forward = "blurred"; truth = { prior = "shapes"; seed = 4; }; },
  { stage = "infer"; forward = "blurred"; priors = ["learned", "whole"]; inference = ["exact"]; samples = 8; }
);
P
status 0 "$UMBRA" run "$T/p.cfg" -o "$T/run" --quiet
there "$T/run/blurred/learned+exact/samples.fits" "$T/run/blurred/whole+exact/samples.fits"
$python - "$T" <<'P' || bad=1
import json, struct, sys
import numpy as np
x = np.load(sys.argv[1] + "/shapes.npy").astype(float).reshape(3000, 256)
w, v = np.linalg.eigh(np.cov(x, rowvar=False))
w, v = w[::-1], v[:, ::-1].T
def weights(name):
    with open("%s/run/train/%s/%s.safetensors" % (sys.argv[1], name, name), "rb") as f:
        n, = struct.unpack("<Q", f.read(8))
        head = json.loads(f.read(n))
        data = f.read()
    return {k: np.frombuffer(data[slice(*h["data_offsets"])], {"F64": "<f8"}[h["dtype"]]).reshape(h["shape"])
            for k, h in head.items() if k != "__metadata__"}
# The largest relative error of an eigenvalue: of all, and of the upper half.
for name, all_of_them, upper in (("learned", 1e-3, 1e-6), ("sharp", 1e-10, 1e-10), ("whole", None, 1e-9)):
    t = weights(name)
    k = len(t["eigenvalues"])
    error = np.abs(t["eigenvalues"] - w[:k])
    relative = error / w[:k]
    noise = w[k:].mean() if k < 256 else 0
    print(name, "eigenvalues: relative error", relative[:20].max(), "in the upper half,", relative[:40].max(), "to 40;",
          error.max() / w[0], "of the largest at most; noise", t["noise"][0], "against", noise)
    assert relative[:20].max() < upper and (all_of_them is None or relative.max() < all_of_them)
    assert error.max() < 1e-4 * w[0] and abs(t["noise"][0] - noise) <= 1e-2 * noise + 1e-15 * w[0]
    assert np.abs(t["mean"].ravel() - x.mean(0)).max() < 1e-12
    c = t["components"].reshape(k, 256)
    assert np.abs(c @ c.T - np.eye(k)).max() < 1e-12
    # The leading directions, whose eigenvalues are well apart.
    assert np.abs(np.abs((c[:8] * v[:8]).sum(1)) - 1).max() < 1e-6, (c[:8] * v[:8]).sum(1)
P
exit $bad
