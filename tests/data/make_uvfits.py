# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes synthetic.uvfits and synthetic.json: a small invented observation, written with astropy,
and what a reader must find in it. Run in this folder: python3 make_uvfits.py

Six stations, ten integrations, a source of two Gaussians. Peculiarities on purpose: UU, VV, WW
stored as wavelengths with PSCAL = 1/FREQ; axis 5 without a name; baselines in both directions;
one flagged group; one group with the right hand only; infinite weights of the cross hands; two
IFs of different weight.
"""
import json
import numpy as np
from astropy.io import fits

FREQ, WIDTH, MJD = 230.0e9, 1.0e9, 57850
RA, DEC = 187.70593075, 12.39112323
SECONDS = 10.0
STATIONS = [("AA", 2225061.2, -5440057.4, -2481681.2), ("AZ", -1828796.2, -5054406.8, 3427865.2),
            ("LM", -768715.6, -5988507.1, 2063354.9), ("PV", 5088967.7, -301681.2, 3825012.2),
            ("SM", -5464555.5, -2492928.0, 2150797.2), ("SP", 0.0, 0.0, -6359609.7)]
UAS = np.pi / 180 / 3600e6


def model(u, v):
    """Two circular Gaussians: flux (Jy), east and north (uas), width (uas, standard deviation)."""
    vis = 0
    for flux, east, north, width in [(0.6, 0.0, 0.0, 15.0), (0.3, 20.0, -10.0, 8.0)]:
        vis = vis + flux * np.exp(2j * np.pi * (u * east + v * north) * UAS
                                  - 2 * (np.pi * width * UAS) ** 2 * (u * u + v * v))
    return vis


def baseline(i, j, gmst):
    h = gmst - np.radians(RA)
    d = np.radians(DEC)
    b = (np.array(STATIONS[i][1:]) - np.array(STATIONS[j][1:])) * FREQ / 299792458.0
    u = np.sin(h) * b[0] + np.cos(h) * b[1]
    v = -np.sin(d) * np.cos(h) * b[0] + np.sin(d) * np.sin(h) * b[1] + np.cos(d) * b[2]
    return u, v


rng = np.random.default_rng(20170405)
groups, truth = [], []
for k in range(10):
    gmst = 2.0 + 0.01 * k + 0.3 * (k >= 5)
    day = np.float32(0.05 + SECONDS * k / 86400 + 0.02 * (k >= 5))
    n = 0
    for i in range(6):
        for j in range(i + 1, 6):
            if k == 3 and (i, j) == (0, 2):
                continue                         # a baseline that is missing at one time
            turned = (i + j + k) % 3 == 0
            u, v = baseline(i, j, gmst)
            a, b, sign = (j, i, -1) if turned else (i, j, 1)
            u, v = np.float32(sign * u), np.float32(sign * v)
            weights = np.zeros((2, 4), np.float32)
            vis = np.zeros((2, 4), np.complex64)
            sigma = 0.004 * (1 + (i + j) % 3)
            for q in range(2):
                weights[q, :2] = [1 / sigma**2 / (1 + q), 0.5 / sigma**2 / (1 + q)]
                noise = rng.normal(size=4) * sigma
                vis[q, 0] = model(u, v) + noise[0] + 1j * noise[1]
                vis[q, 1] = model(u, v) + noise[2] + 1j * noise[3]
            weights[:, 2:] = np.inf
            if k == 1 and n == 4:
                weights[:, :2] *= -1             # flagged
            if k == 2 and n == 0:
                weights[:, 1] = 0                # the right hand only
            groups.append((u, v, 256 * (a + 1) + b + 1, day, SECONDS - n % 4, vis, weights))
            n += 1
            w = weights[:, :2].astype(float)
            if (w < 0).any():
                continue
            hand = (w * vis[:, :2].astype(complex)).sum(0) / np.where(w.sum(0) > 0, w.sum(0), 1)
            s = [1 / np.sqrt(x) if x > 0 else 0 for x in w.sum(0)]
            both = w[0, 1] > 0
            value = hand.mean() if both else hand[0]
            error = 0.5 * np.hypot(*s) if both else s[0]
            f = float(sign)
            truth.append((24 * float(day), STATIONS[i][0], float(SECONDS - (n - 1) % 4), STATIONS[j][0],
                          f * float(u), f * float(v), value.real, f * value.imag, error, len(groups) - 1))

data = np.zeros((len(groups), 1, 1, 2, 1, 4, 3), np.float32)
for g, (_, _, _, _, _, vis, weights) in enumerate(groups):
    data[g, 0, 0, :, 0, :, 0], data[g, 0, 0, :, 0, :, 1] = vis.real, vis.imag
    data[g, 0, 0, :, 0, :, 2] = weights
column = [np.array([g[i] for g in groups], np.float32) for i in range(5)]
zero = np.zeros(len(groups), np.float32)
names = ["UU---SIN", "VV---SIN", "WW---SIN", "BASELINE", "DATE", "DATE", "INTTIM"]
values = [column[0], column[1], zero, column[2], zero + np.float32(MJD + 2400000.5), column[3], column[4]]
primary = fits.GroupsHDU(fits.GroupData(data, bitpix=-32, parnames=names, pardata=values))
h = primary.header
for i in range(3):
    h[f"PSCAL{i + 1}"] = 1 / FREQ
for i, (name, value, step) in enumerate([("COMPLEX", 1, 1), ("STOKES", -1, -1), ("FREQ", FREQ, WIDTH),
                                         (None, 1, 1), ("RA", RA, 1), ("DEC", DEC, 1)], 2):
    if name:
        h[f"CTYPE{i}"] = name
        h[f"CRVAL{i}"], h[f"CDELT{i}"], h[f"CRPIX{i}"] = float(value), float(step), 1.0
h["OBJECT"], h["OBSRA"], h["OBSDEC"], h["BUNIT"] = "INVENTED", RA, DEC, "JY"
an = fits.BinTableHDU.from_columns([
    fits.Column("ANNAME", "8A", array=[s[0] for s in STATIONS]),
    fits.Column("STABXYZ", "3D", unit="METERS", array=[s[1:] for s in STATIONS]),
    fits.Column("NOSTA", "1J", array=np.arange(1, 7)),
    fits.Column("MNTSTA", "1J", array=np.zeros(6)),
])
an.header["EXTNAME"], an.header["EXTVER"], an.header["FREQ"] = "AIPS AN", 1, FREQ
fits.HDUList([primary, an]).writeto("synthetic.uvfits", overwrite=True)

keys = ["time_h", "t1", "tint_s", "t2", "u", "v", "re", "im", "sigma", "file_group"]
rows = [dict(zip(keys, t)) for t in sorted(truth)]
json.dump({"rows": rows}, open("synthetic.json", "w"), indent=0)
