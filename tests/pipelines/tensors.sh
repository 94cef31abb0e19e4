# SPDX-License-Identifier: GPL-3.0-or-later
# Weight files as another reader sees them: the rules of the safetensors format and the numbers, by
# Python's json and struct, on the files that the fuzz target makes to begin with.
. tests/pipelines/lib.sh.inc
command -v python3 >/dev/null || { echo "SKIPPED: no python3 to read weight files with"; exit 0; }
"$UMBRA_BUILD/tests/fuzz/fuzz_tensors" --seeds "$T" || exit 1
cat >"$T/read.py" <<'END'
import json, math, struct, sys

def bf16(data):
    return [struct.unpack('<f', b'\0\0' + data[i:i + 2])[0] for i in range(0, len(data), 2)]

def plain(code, size):
    return lambda data: list(struct.unpack('<%d%s' % (len(data) // size, code), data))

types = {'F64': (8, plain('d', 8)), 'I64': (8, plain('q', 8)), 'F32': (4, plain('f', 4)),
         'F16': (2, plain('e', 2)), 'BF16': (2, bf16)}

def read(path):
    raw = open(path, 'rb').read()
    n, = struct.unpack('<Q', raw[:8])
    assert n <= 100000000 and n % 8 == 0 and raw[8:9] == b'{', 'header'
    header = json.loads(raw[8:8 + n].decode('utf-8'))
    notes = header.pop('__metadata__', {})
    assert all(isinstance(v, str) for v in notes.values()), 'notes'
    data, at, found = raw[8 + n:], 0, {}
    for name, e in sorted(header.items(), key=lambda x: x[1]['data_offsets']):
        size, get = types[e['dtype']]
        begin, end = e['data_offsets']
        assert begin == at and end - begin == size * math.prod(e['shape']), 'places'
        assert begin % size == 0, 'alignment'
        found[name] = (e['dtype'], e['shape'], get(data[begin:end]))
        at = end
    assert at == len(data), 'end'
    return found, notes

def expect(name, floats, step, none=False):
    want = {'layer.0.weight': (floats, [2, 3], [1, 2, 3, 4, 5, 6]), 'layer.0.bias': ('F64', [2], [0.5, -0.25])}
    if step:
        want['step'] = ('I64', [1], [7])
    if none:
        want = {'none': ('F32', [2, 0], [])}
    found, notes = read(sys.argv[1] + '/' + name)
    assert found == want, (name, found)
    assert none or notes == {'seconds': '1.5', 'made by': 'a "test"'}, notes

expect('two', 'F32', False)
expect('three', 'F32', True)
expect('f16', 'F16', True)
expect('bf16', 'BF16', True)
expect('none', 'F32', False, True)
END
status 0 python3 "$T/read.py" "$T"
exit $bad
