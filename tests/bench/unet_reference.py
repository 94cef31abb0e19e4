#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""unet_reference.py FILE [--nf N --size N --mult A,B --blocks N --attn SIZE --batch N --seed N]

A U-Net of torch_unet.py with random weights, and what PyTorch computes with it in float64, as
safetensors: weights under umbra's names, input.x (batch, rows, columns, 1), input.t (batch), input.v
and input.e (as x), output.y, output.vjp = v^T J, output.jvp = J e, output.second = the gradient of
e^T J e, training.loss = mean (y + v)^2 and training.KEY, its gradient for a few weights.
tests/unit/test_torch.c reads it; tests/data/unet.safetensors was made without options."""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torch
import torch_peer

LEARNED = ["in.w", "time.0.w", "down.0.res.norm1.gamma", "mid.1.attn.q.b", "mid.1.attn.v.w", "up.0.res.skip.w",
           "out.conv.b"]

ap = argparse.ArgumentParser()
ap.add_argument("file")
for key, value in dict(nf=8, size=16, mult="1,2", blocks=1, attn=8, batch=3, seed=1).items():
    ap.add_argument("--" + key, type=type(value), default=value)
a = ap.parse_args()
shape = ["--%s=%s" % (k, getattr(a, k)) for k in ("nf", "size", "mult", "blocks", "attn", "batch")]
peer = torch_peer.load(*shape, double=True)
torch.manual_seed(a.seed)
net = peer["UNet"]()
with torch.no_grad():
    for p in net.parameters():  # biases and factors that begin at 0 and 1 would hide mistakes
        p += 0.1 * torch.randn_like(p) * (p.dim() == 1)
weights = torch_peer.unet_weights(net)
x = torch.randn(a.batch, 1, a.size, a.size)
v, e = torch.randn_like(x), torch.sign(torch.randn_like(x))
t = torch.rand(a.batch) * 999
net = net.double()
xd = x.double().requires_grad_(True)
y = net(xd, t.double())
vjp, = torch.autograd.grad(y, xd, v.double(), retain_graph=True)
ej, = torch.autograd.grad(y, xd, e.double(), create_graph=True, retain_graph=True)
second, = torch.autograd.grad((ej * e.double()).sum(), xd, retain_graph=True)
jvp = torch.autograd.functional.jvp(lambda z: net(z, t.double()), x.double(), e.double())[1]
loss = ((y + v.double()) ** 2).mean()
params = list(net.parameters())

for p, g in zip(params, torch.autograd.grad(loss, params)):
    p.data = g  # so that names and layouts are found once
learned = torch_peer.unet_weights(net)
out = dict(weights)
nhwc = lambda z: z.permute(0, 2, 3, 1)
out.update({"input.x": nhwc(x), "input.t": t, "input.v": nhwc(v), "input.e": nhwc(e)})
out.update({"output.y": nhwc(y), "output.vjp": nhwc(vjp), "output.jvp": nhwc(jvp), "output.second": nhwc(second),
            "training.loss": loss.reshape(1)})
out.update({"training." + k: learned[k] for k in LEARNED})
torch_peer.safetensors(a.file, out, dict(nf=a.nf, size=a.size, mult=a.mult, blocks=a.blocks, attn=a.attn,
                                         origin="tests/bench/unet_reference.py, PyTorch " + torch.__version__))
