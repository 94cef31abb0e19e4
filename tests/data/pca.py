# SPDX-License-Identifier: GPL-3.0-or-later
# Writes pca.safetensors beside it, a model of the prior pca for images of 6 x 8 pixels with 5
# components: cosines of the pixel number, which are orthogonal (no numpy needed): python3 tests/data/pca.py
import json
import math
import os
import struct

N = 48
mean = [0.5 + 0.3 * math.sin(0.4 * i) for i in range(N)]
components = [math.sqrt(2 / N) * math.cos(math.pi * (i + 0.5) * k / N) for k in (1, 2, 3, 7, 11) for i in range(N)]
tensors = (("mean", [1, 1, 1, 6, 8], mean), ("components", [5, 1, 1, 1, 6, 8], components),
    ("eigenvalues", [5], [9.0, 4.0, 2.5, 1.0, 0.5]), ("noise", [1], [0.04]))
header, data = {}, b""
for name, shape, values in tensors:
    part = struct.pack("<%dd" % len(values), *values)
    header[name] = {"dtype": "F64", "shape": shape, "data_offsets": [len(data), len(data) + len(part)]}
    data += part
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pca.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)
