# SPDX-License-Identifier: GPL-3.0-or-later
"""k-space of umbra's simulate stages for BART (https://mrirecon.github.io/bart) and back.

bart.py deltas R C FOLDER: images with one bright pixel, whose measurements say which frequency a sample is and with
  which factor, so that no convention of umbra's is repeated here.
bart.py write FOLDER MEASUREMENTS OUT: OUT.cfl, OUT.hdr, the samples of MEASUREMENTS (a FITS file) in a centred k-space
  of a unitary transform about pixel R/2, C/2, zero elsewhere; OUT_one: sensitivities of one. FOLDER has the
  measurements of the deltas, d00.fits, d10.fits, d01.fits.
bart.py figures RESULT TRUTH: of the real part of RESULT.cfl against a FITS image: PSNR in dB as umbra has it, the root mean square
  difference, the largest.
"""
import sys
import numpy as np
from astropy.io import fits

DELTAS = {"d00": (0, 0), "d10": (1, 0), "d01": (0, 1)}


def write_cfl(name, a):
    with open(name + ".hdr", "w") as f:
        f.write("# Dimensions\n" + " ".join(str(n) for n in a.shape) + "\n")
    np.asfortranarray(a, dtype=np.complex64).T.tofile(name + ".cfl")


def read_cfl(name):
    with open(name + ".hdr") as f:
        shape = [int(n) for n in f.read().split("\n")[1].split()]
    a = np.fromfile(name + ".cfl", dtype=np.complex64).reshape(shape[::-1]).T
    return a.reshape(shape[0], shape[1])


def samples(path):
    y = np.squeeze(fits.getdata(path)).astype(float)
    return y[: len(y) // 2] + 1j * y[len(y) // 2:]


def deltas(rows, columns, folder):
    for name, at in DELTAS.items():
        x = np.zeros((rows, columns))
        x[at] = 1
        fits.writeto(f"{folder}/{name}_truth.fits", x, overwrite=True)


def places(folder, shape):
    """The factor of each sample, and its frequency."""
    one = {name: samples(f"{folder}/{name}.fits") for name in DELTAS}
    q = [np.rint(-np.angle(one[name] / one["d00"]) * n / (2 * np.pi)).astype(int) for name, n in zip(["d10", "d01"], shape)]
    return one["d00"], q[0], q[1]


def write(folder, measurements, out):
    shape = fits.getdata(f"{folder}/d00_truth.fits").shape
    factor, q1, q2 = places(folder, shape)
    half = [n // 2 for n in shape]
    k = np.zeros(shape, complex)
    turn = np.exp(2j * np.pi * (q1 * half[0] / shape[0] + q2 * half[1] / shape[1]))
    k[(q1 + half[0]) % shape[0], (q2 + half[1]) % shape[1]] = samples(measurements) / factor / np.sqrt(k.size) * turn
    write_cfl(out, k)
    write_cfl(out + "_one", np.ones(shape))


def figures(result, truth):
    t = np.squeeze(fits.getdata(truth)).astype(float)
    d = read_cfl(result).real - t
    print(f"{10 * np.log10(t.max() ** 2 / np.mean(d ** 2)):.1f} {np.sqrt(np.mean(d ** 2)):.2e} {abs(d).max():.2e}")


if __name__ == "__main__":
    a = sys.argv[2:]
    {"deltas": lambda: deltas(int(a[0]), int(a[1]), a[2]), "write": lambda: write(*a), "figures": lambda: figures(*a)}[sys.argv[1]]()
