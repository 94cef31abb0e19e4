# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of torch_unet.py (the PyTorch program that umbra is compared with) as a module, and
their weights under umbra's names and layouts. The program parses its arguments and measures when it
is run, so only its classes are taken, with arguments of our choice."""
import json
import os
import re
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def path():
    """Where the program is: $UMBRA_TORCH_PEER, or beside the project."""
    return os.environ.get("UMBRA_TORCH_PEER") or os.path.join(HERE, "../../../shared/bench/torch_unet.py")


def load(*args, double=False):
    """The names of the program up to its first measurement. double: the time embedding, which it
    always computes in float32, in float64 too."""
    with open(path()) as f:
        text = f.read().split("\nmacs = [0]")[0]
    if double:
        text, n = re.subn(r"dtype=torch\.float32\) /", "dtype=torch.float64) /", text)
        text, m = re.subn(r"t\[:, None\]\.float\(\)", "t[:, None].double()", text)
        if (n, m) != (1, 1):
            sys.exit("torch_unet.py has changed: no float32 time embedding found")
    names = {"__name__": "torch_unet"}
    saved, sys.argv = sys.argv, ["torch_unet.py", *args]
    try:
        exec(compile(text, path(), "exec"), names)
    finally:
        sys.argv = saved
    return names


def conv(w):
    """(out, in, rows, columns) -> (rows, columns, in, out); 1x1 is a dense layer (in, out)."""
    w = w.permute(2, 3, 1, 0)
    return w[0, 0] if w.shape[:2] == (1, 1) else w


def layer(out, name, m):
    """Weights of a convolution, dense layer or normalisation."""
    kind = type(m).__name__
    if kind == "GN":
        out[name + ".gamma"], out[name + ".beta"] = m.weight, m.bias
        return
    out[name + ".w"] = conv(m.weight) if kind == "Conv2d" else m.weight.t()
    out[name + ".b"] = m.bias


def piece(out, name, m):
    """A residual block, an attention layer, or a convolution between levels."""
    kind = type(m).__name__
    if kind == "Res":
        for ours, theirs in dict(norm1=m.n1, conv1=m.c1, time=m.d, norm2=m.n2, conv2=m.c2, skip=m.sk).items():
            if theirs is not None:
                layer(out, name + ".res." + ours, theirs)
    elif kind == "Attn":
        layer(out, name + ".attn.norm", m.n)
        for i, ours in enumerate("qkv"):
            rows = slice(i * m.c, (i + 1) * m.c)
            out["%s.attn.%s.w" % (name, ours)] = conv(m.qkv.weight[rows])
            out["%s.attn.%s.b" % (name, ours)] = m.qkv.bias[rows]
        layer(out, name + ".attn.out", m.o)
    else:
        layer(out, name + ".conv", m)


def unet_weights(net):
    """{name: tensor} of a UNet."""
    out = {}
    for name, m in {"time.0": net.t1, "time.1": net.t2, "in": net.inp, "out.norm": net.no, "out.conv": net.out}.items():
        layer(out, name, m)
    for way in "down", "up":
        for i, pieces in enumerate(getattr(net, way)):
            for m in pieces:
                piece(out, "%s.%d" % (way, i), m)
    for i, m in enumerate(net.mid):
        piece(out, "mid.%d" % i, m)
    return {k: v.detach() for k, v in out.items()}


def safetensors(file, tensors, meta):
    """Writes {name: float32 or float64 tensor}."""
    header, data = {"__metadata__": {k: str(v) for k, v in meta.items()}}, b""
    for name, t in tensors.items():
        a = t.detach().contiguous().numpy()
        raw = a.astype("<f%d" % a.itemsize).tobytes()
        header[name] = {"dtype": "F%d" % (8 * a.itemsize), "shape": list(a.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(file, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
