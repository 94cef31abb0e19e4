#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""flow_reference.py FOLDER

Two flows as core/umbra/flow.h describes them, computed by PyTorch in float64 from the formulas alone:
flow_dense.safetensors (9 numbers, 4 couplings with their shuffles) and flow_images.safetensors (2 x 14
x 16 numbers, two couplings on checkerboards, two on channels of squeezed images, frozen BatchNorm).
Each has the weights (float32, as umbra keeps them) and the spec under umbra's names, and in float64
input.z, output.x, output.logdet, the loss mean (|x|^2 / 2 - logdet) as training.loss, and its
gradient in z as output.dz and in each weight as training.NAME."""
import os
import sys

import torch
from torch.nn.functional import conv2d, leaky_relu

import torch_peer

BATCH = 2
WORD = (1 << 64) - 1


def philox(key, counter):
    """Philox 4x64 of 10 rounds, Salmon et al. 2011."""
    (a, b), (x, y, z, w) = key, counter
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * x, 0xCA5A826395121157 * z
        x, y, z, w = (right >> 64) ^ y ^ a, right & WORD, (left >> 64) ^ w ^ b, left & WORD
        a, b = (a + 0x9E3779B97F4A7C15) & WORD, (b + 0xBB67AE8584CAA73B) & WORD
    return x, y, z, w


def shuffle(seed, stream, n):
    """Where the numbers after a shuffle come from: Fisher and Yates from the end, uniform numbers of
    the stream "order of a flow", whose name is hashed by FNV-1a."""
    name, order = 14695981039346656037, list(range(n))
    for byte in b"order of a flow":
        name = (name ^ byte) * 1099511628211 & WORD
    for draw, i in enumerate(range(n - 1, 0, -1)):
        word = philox((seed, name), (draw // 4, stream, 0, 0))[draw % 4]
        j = int(((word >> 11) + 0.5) * 2.0 ** -53 * (i + 1))
        order[i], order[j] = order[j], order[i]
    return order


class Flow:
    """Weights are drawn when they are asked for. Images are (batch, channels, rows, columns)."""

    def __init__(self, **spec):
        self.weights, self.logdet = {}, torch.zeros(BATCH, dtype=torch.float64)
        for key, value in spec.items():
            setattr(self, key, value)

    def weight(self, name, *shape, about=0.0, spread=0.3):
        if name not in self.weights:
            drawn = (about + spread * torch.randn(shape)).float()
            self.weights[name] = drawn.double().requires_grad_(True)
        return self.weights[name]

    def over(self, v, x):
        """A number a unit or channel, as axis 1 of x."""
        return v.reshape([1, -1] + [1] * (x.dim() - 2))

    def count(self, s):
        self.logdet = self.logdet + s.flatten(1).sum(1)

    def scale(self, name, x):
        s = self.over(self.weight(name % "scale", x.shape[1]), x)
        self.count(s.expand_as(x))
        return x * s.exp() + self.over(self.weight(name % "shift", x.shape[1]), x)

    def layer(self, k, w, b, x, n):
        bias = self.weight("flow.%d.%s" % (k, b), n)
        if self.images:
            kernel = self.weight("flow.%d.%s" % (k, w), 3, 3, x.shape[1], n, spread=0.15)
            return conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1)
        return x @ self.weight("flow.%d.%s" % (k, w), x.shape[1], n) + bias

    def normal(self, k, i, x):
        """BatchNorm with what it remembers: one vector for all layers of all couplings."""
        total, first = self.couplings * (self.depth - 1) * self.hidden, (k * (self.depth - 1) + i) * self.hidden
        mean, var = (self.over(self.weight("flow.running_" + name, total, about=about, spread=0.1)
                     [first:first + self.hidden], x) for name, about in (("mean", 0.0), ("var", 1.0)))
        gain, offset = (self.over(self.weight("flow.%d.%s%d" % (k, name, i), self.hidden, about=about), x)
                        for name, about in (("gain", 1.0), ("offset", 0.0)))
        return gain * (x - mean) / torch.sqrt(var + 1e-2) + offset

    def couple(self, k, a, b, mask=1.0):
        h, n = a, b.shape[1]
        for i in range(self.depth - 1):
            h = leaky_relu(self.layer(k, "w%d" % i, "b%d" % i, h, self.hidden), 0.01)
            if self.batchnorm:
                h = self.normal(k, i, h)
        s = self.bound * torch.tanh(self.layer(k, "ws", "bs", h, n) / self.bound) * mask
        self.count(s)
        return b * s.exp() + self.layer(k, "wt", "bt", h, n) * mask

    def dense(self, z):
        half = (z.shape[1] + 1) // 2
        for k in range(self.couplings):
            if k % 2 == 0:
                z = z[:, shuffle(self.seed, k // 2, z.shape[1])]
            a, b = (self.scale("flow.%d.%%s_%s" % (k, c), z[:, p]) for c, p in
                    (("a", slice(0, half)), ("b", slice(half, None))))
            a, b = (a, self.couple(k, a, b)) if k % 2 == 0 else (self.couple(k, b, a), b)
            z = torch.cat([a, b], 1)
        return z

    def pixels(self, k, x):
        i, j = torch.meshgrid(torch.arange(x.shape[2]), torch.arange(x.shape[3]), indexing="ij")
        change = ((i + j) % 2 == k % 2).double()
        x = self.scale("flow.%d.%%s" % k, x)
        return self.couple(k, x * (1 - change), x, change)

    def channels_of(self, k, x):
        if k % 2 == 0:
            x = x[:, shuffle(self.seed, k, x.shape[1])]
        a, b = self.scale("flow.%d.%%s" % k, x).chunk(2, 1)
        a, b = (a, self.couple(k, a, b)) if k % 2 == 0 else (self.couple(k, b, a), b)
        return torch.cat([a, b], 1)

    def image(self, z):
        """One squeeze halfway: a square of 2 x 2 pixels becomes 4 channels, row by row."""
        c, r, w = self.channels, self.rows // 2, self.columns // 2
        x = z.reshape(-1, c, self.rows, self.columns)
        for k in range(self.couplings // 2):
            x = self.pixels(k, x)
        x = x.reshape(-1, c, r, 2, w, 2).permute(0, 3, 5, 1, 2, 4).reshape(-1, 4 * c, r, w)
        for k in range(self.couplings // 2, self.couplings):
            x = self.channels_of(k, x)
        return x.reshape(-1, 2, 2, c, r, w).permute(0, 3, 4, 1, 5, 2).flatten(1)


def make(path, **spec):
    torch.manual_seed(spec["seed"])
    flow = Flow(**spec)
    n = flow.rows * flow.columns * flow.channels
    z = torch.randn(BATCH, n, dtype=torch.float64).requires_grad_(True)
    x = flow.image(z) if flow.images else flow.dense(z)
    loss = (0.5 * (x ** 2).sum(1) - flow.logdet).mean()
    dz, *grads = torch.autograd.grad(loss, [z] + list(flow.weights.values()))
    out = {name: w.float() for name, w in flow.weights.items()}
    out.update({"training." + name: g for name, g in zip(flow.weights, grads)})
    out.update({"input.z": z, "output.x": x, "output.logdet": flow.logdet, "output.dz": dz,
                "training.loss": loss.reshape(1)})
    meta = {"flow." + k: str(v).lower() for k, v in spec.items() if k != "images"}
    meta["flow.couplings_of"] = "images" if flow.images else "vectors"
    torch_peer.safetensors(path, out, dict(meta, origin="tests/bench/flow_reference.py, PyTorch " + torch.__version__))


make(os.path.join(sys.argv[1], "flow_dense.safetensors"), images=False, rows=1, columns=9, channels=1,
     couplings=4, hidden=8, depth=3, batchnorm=False, bound=2, seed=3)
make(os.path.join(sys.argv[1], "flow_images.safetensors"), images=True, rows=14, columns=16, channels=2,
     couplings=4, hidden=3, depth=3, batchnorm=True, bound=1.5, seed=4)
