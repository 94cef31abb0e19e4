# SPDX-License-Identifier: GPL-3.0-or-later
# Writes the small .npy files beside it (no numpy needed): python3 tests/data/matrix.py
import math
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))


def npy(name, shape, values):
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }" % "".join("%d, " % n for n in shape)
    text += " " * (-(len(text) + 11) % 64) + "\n"
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
        f.write(struct.pack("<%dd" % len(values), *values))


# 5 measurements of a 6 x 8 image; the last row is the sum of the first two (rank 4).
A = [[math.sin(1.0 + 0.7 * i * (j + 1)) / 7 for i in range(48)] for j in range(4)]
A.append([a + b for a, b in zip(A[0], A[1])])
npy("matrix.npy", (5, 48), [v for row in A for v in row])
npy("matrix_y.npy", (2, 5), [math.cos(i) for i in range(10)])

# The two-dimensional toy of Feng et al. 2023: y = a.x, two measurements.
npy("toy_matrix.npy", (1, 2), [-2.0, 1.7])
npy("toy_y.npy", (2, 1), [0.3, -0.1])

# A covariance of 4 pixels, AR(1) with rho = 0.5, and one of 2 for a mixture (K = 2).
npy("ar1.npy", (4, 4), [0.5 ** abs(i - j) for i in range(4) for j in range(4)])
npy("mixture_means.npy", (2, 2), [0.0, 1.0, -1.0, 0.5])
npy("mixture_covariances.npy", (2, 2, 2), [0.5, 0.2, 0.2, 0.4, 0.3, -0.1, -0.1, 0.2])
npy("six_pixels.npy", (2, 3), [0.5, 1.0, 2.0, 0.25, 0.125, 4.0])
