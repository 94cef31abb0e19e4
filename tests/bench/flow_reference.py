#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""flow_reference.py FILE

Two couplings of the RealNVP of torch_unet.py (10 numbers, hidden width 6, 3 layers, no shuffling) with
random weights, and what PyTorch computes with it in float64, as safetensors: weights under umbra's
names, input.z, output.x, output.logdet, training.loss = mean (|x|^2 / 2 - logdet), its gradient in z
as output.dz and in the weights as training.KEY. tests/unit/test_torch.c reads tests/data/flow.safetensors."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torch
import torch_peer

DIM = 10
peer = torch_peer.load("--model=realnvp", "--dim=%d" % DIM, "--flows=2", "--hidden=6", "--depth=3")
torch.manual_seed(2)
net = peer["NVP"]().double()
net.perm = [torch.arange(DIM)] * 2
params = list(net.parameters())
for p in params:
    p.data = (0.5 * torch.randn(p.shape)).double()  # float32 numbers


def weights():
    """Under umbra's names: the two halves have scales of their own, s and t layers of their own."""
    out, half = {}, DIM // 2
    for k, c in enumerate(net.f):
        for i, part in enumerate("ab"):
            rows = slice(i * half, (i + 1) * half)
            out["flow.%d.scale_%s" % (k, part)], out["flow.%d.shift_%s" % (k, part)] = c.ls[rows], c.b[rows]
        layers = [m for m in c.net if hasattr(m, "weight")]
        for i, m in enumerate(layers[:-1]):
            out["flow.%d.w%d" % (k, i)], out["flow.%d.b%d" % (k, i)] = m.weight.t(), m.bias
        for i, part in enumerate("st"):
            rows = slice(i * half, (i + 1) * half)
            out["flow.%d.w%s" % (k, part)] = layers[-1].weight[rows].t()
            out["flow.%d.b%s" % (k, part)] = layers[-1].bias[rows]
    return {k: v.detach().clone() for k, v in out.items()}


z = torch.randn(4, DIM).double().requires_grad_(True)
out = {k: v.float() for k, v in weights().items()}
x, logdet = net(z)
loss = (0.5 * (x ** 2).sum(1) - logdet).mean()
dz, *grads = torch.autograd.grad(loss, [z] + params)
for p, g in zip(params, grads):
    p.data = g  # so that names and layouts are found once
out.update({"training." + k: v for k, v in weights().items()})
out.update({"input.z": z, "output.x": x, "output.logdet": logdet, "output.dz": dz, "training.loss": loss.reshape(1)})
torch_peer.safetensors(sys.argv[1], out, dict(origin="tests/bench/flow_reference.py, PyTorch " + torch.__version__))
