# SPDX-License-Identifier: GPL-3.0-or-later
# Writes chains.safetensors beside it: draws of chains, x0, x1, ... [chains][draws], and figures0, ...
# [4], what Vehtari et al. 2021, doi:10.1214/20-BA1221, make of them (R-hat, bulk and tail effective
# size, that of the mean): python3 tests/data/chains.py (numpy)
import json
import os
import struct
from statistics import NormalDist

import numpy as np


def split(x):
    n = x.shape[1] // 2
    return np.concatenate([x[:, :n], x[:, -n:]])


def ranks(x):
    _, which, many = np.unique(x, return_inverse=True, return_counts=True)
    rank = (np.cumsum(many) - (many - 1) / 2)[which]
    p = (rank - 3 / 8) / (x.size + 1 / 4)
    return np.array([NormalDist().inv_cdf(v) for v in p]).reshape(x.shape)


def rhat(x):
    n = x.shape[1]
    w = x.var(axis=1, ddof=1).mean()
    return np.sqrt(((n - 1) / n * w + x.mean(axis=1).var(ddof=1)) / w)


def ess(x):
    m, n = x.shape
    d = x - x.mean(axis=1, keepdims=True)
    f = np.fft.rfft(d, 2 * n)
    acov = np.fft.irfft(f * f.conj())[:, :n] / n
    w = x.var(axis=1, ddof=1).mean()
    v = (n - 1) / n * w + x.mean(axis=1).var(ddof=1)
    rho = 1 - (w - (n / (n - 1) * acov).mean(axis=0)) / v  # s_m^2 rho_mt = n / (n - 1) acov
    pairs = rho[0 : n - n % 2 : 2] + rho[1::2][: n // 2]
    end = np.argmax(pairs <= 0) if (pairs <= 0).any() else len(pairs)
    tau = -1 + 2 * np.minimum.accumulate(pairs[:end]).sum()
    return m * n / max(tau, 1 / np.log10(m * n))


def figures(draws):
    x = split(draws)
    tails = [ess((x <= np.quantile(x, q)).astype(float)) for q in (0.05, 0.95)]
    return [max(rhat(ranks(x)), rhat(ranks(abs(x - np.median(x))))), ess(ranks(x)), min(tails), ess(x)]


def ar1(rng, chains, draws, phi):
    x = np.empty((chains, draws))
    x[:, 0] = rng.normal(size=chains) / np.sqrt(1 - phi * phi)
    for i in range(1, draws):
        x[:, i] = phi * x[:, i - 1] + rng.normal(size=chains)
    return x


rng = np.random.default_rng(5)
cases = [
    rng.normal(size=(4, 100)),
    ar1(rng, 4, 120, 0.9),
    ar1(rng, 2, 100, -0.6),
    rng.standard_cauchy(size=(3, 101)),
    rng.normal(size=(4, 80)) + [[0], [0], [0], [2]],
    rng.normal(size=(4, 80)) * [[1], [1], [1], [4]],
    np.floor(ar1(rng, 4, 90, 0.5)),
    ar1(rng, 1, 200, 0.7),
]
header, data = {}, b""
for i, x in enumerate(cases):
    for name, v in (("x%d" % i, x), ("figures%d" % i, np.array(figures(x)))):
        part = v.astype("<f8").tobytes()
        header[name] = {"dtype": "F64", "shape": v.shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "chains.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)
