#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a report in headless Chromium and uses it like a person: report-browser.py CHROMIUM REPORT FOLDER.
Pictures of what it saw go into FOLDER. Talks to the browser over two pipes (Chrome DevTools Protocol); the standard
library is all that it needs."""
import base64, csv, json, os, struct, subprocess, sys, time, zlib


class Browser:
    def __init__(self, program, folder):
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()
        # the browser reads from 3 and writes to 4
        def wire():
            a, b = os.dup(to_read), os.dup(back_write)
            os.dup2(a, 3)
            os.dup2(b, 4)
        self.process = subprocess.Popen([program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage",
            "--user-data-dir=" + os.path.join(folder, "profile"), "--remote-debugging-pipe", "about:blank"],
            preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(back_write)
        self.count, self.rest, self.complaints, self.asked, self.session = 0, b"", [], [], None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(domain + ".enable")

    def message(self):
        while b"\0" not in self.rest:
            piece = os.read(self.back, 1 << 20)
            if not piece:
                sys.exit("the browser is gone")
            self.rest += piece
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def note(self, m):
        p = m.get("params", {})
        if m.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(p["exceptionDetails"].get("exception", {}).get("description", str(p)))
        elif m.get("method") == "Log.entryAdded":
            self.complaints.append(p["entry"]["text"])
        elif m.get("method") == "Runtime.consoleAPICalled":
            self.complaints.append(str(p["args"]))
        elif m.get("method") == "Network.requestWillBeSent":
            self.asked.append(p["request"]["url"][:80])

    def send(self, method, **params):
        self.count += 1
        m = {"id": self.count, "method": method, "params": params}
        if self.session:
            m["sessionId"] = self.session
        os.write(self.to, json.dumps(m).encode() + b"\0")
        while True:
            got = self.message()
            if got.get("id") == self.count:
                if "error" in got:
                    sys.exit("%s: %s" % (method, got["error"]))
                return got["result"]
            self.note(got)

    def value(self, expression):
        """What a line of JavaScript gives; the page's policy does not bind the debugger."""
        r = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in r:
            sys.exit("%s: %s" % (expression, r["exceptionDetails"]))
        return r["result"].get("value")

    def size(self, width, height, dark=False):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        time.sleep(0.3)

    def place(self, query, x=0.5, y=0.5):
        return self.value("(() => { const e = document.querySelector(%s); e.scrollIntoView({ block: 'center' }); const b = "
            "e.getBoundingClientRect(); return [b.left + %g * b.width, b.top + %g * b.height]; })()" % (json.dumps(query), x, y))

    def point(self, query, x=0.5, y=0.5):
        at = self.place(query, x, y)
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
        return at

    def click(self, query):
        x, y = self.point(query)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, name):
        code = {" ": 32, "ArrowRight": 39, "ArrowDown": 40}.get(name, ord(name[0].upper()))
        extra = {"text": name} if len(name) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=name, windowsVirtualKeyCode=code, **extra)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)

    def choose(self, query, value):
        """As a person does in a list: the browser's own list cannot be clicked without a screen."""
        self.value("(() => { const e = document.querySelector(%s); e.value = %s; e.dispatchEvent(new Event('change', "
            "{ bubbles: true })); })()" % (json.dumps(query), json.dumps(value)))

    def picture(self, path, query, scale=1):
        """The colours of an element as it looks, and a PNG file of it."""
        box = self.value("(() => { const b = document.querySelector(%s).getBoundingClientRect(); return [b.left + scrollX, "
            "b.top + scrollY, b.width, b.height]; })()" % json.dumps(query))
        png = base64.b64decode(self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True,
            clip=dict(zip(("x", "y", "width", "height"), box), scale=scale))["data"])
        with open(path, "wb") as f:
            f.write(png)
        return pixels(png)

    def close(self):
        self.send("Browser.close")
        self.process.wait(30)


def pixels(png):
    """The colours of an 8-bit RGB or RGBA PNG that is not interlaced, row by row."""
    at, data = 8, b""
    while at < len(png):
        n, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + n]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            data += body
        at += 12 + n
    bytes_a_pixel = {2: 3, 6: 4}[colour]
    data, stride, before, rows = zlib.decompress(data), width * bytes_a_pixel, bytearray(width * bytes_a_pixel), []
    assert depth == 8
    for r in range(height):
        how, line = data[r * (stride + 1)], bytearray(data[r * (stride + 1) + 1:(r + 1) * (stride + 1)])
        for i in range(stride):
            a = line[i - bytes_a_pixel] if i >= bytes_a_pixel else 0
            b, c = before[i], before[i - bytes_a_pixel] if i >= bytes_a_pixel else 0
            if how == 1:
                line[i] = (line[i] + a) & 255
            elif how == 2:
                line[i] = (line[i] + b) & 255
            elif how == 3:
                line[i] = (line[i] + (a + b) // 2) & 255
            elif how == 4:
                p = a + b - c
                pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                line[i] = (line[i] + (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255
        before = line
        rows += [tuple(line[i:i + 3]) for i in range(0, stride, bytes_a_pixel)]
    return rows


bad = []


def check(good, words):
    print("ok" if good else "WRONG", words)
    if not good:
        bad.append(words)


def share(colours, test):
    return sum(1 for c in colours if test(*c)) / len(colours)


def afmhot(r, g, b):
    """On the map of the EHT papers, to a few levels: 2t, 2t - 1/2, 2t - 1."""
    t = max(r / 510, (g + 127.5) / 510 if g else 0, (b + 255) / 510 if b else 0)
    want = [min(255, max(0, 510 * t - k)) for k in (0, 127.5, 255)]
    return max(abs(x - y) for x, y in zip((r, g, b), want)) < 8


def read_json(*path):
    with open(os.path.join(*path)) as f:
        return json.load(f)


def number(words):
    """Of a cell of a table."""
    return float(words.replace("\u2212", "-"))


def calibrations(b, run):
    """Each verdict with its reason and the curves of its tables, point by point."""
    found = b.value("""(() => {
        const s = [...document.querySelectorAll('section')].find(s => s.querySelector('h2')?.textContent === 'Calibration');
        return !s ? [] : [...s.querySelectorAll('h3')].map(h => {
            const c = { name: h.firstChild.textContent, verdict: h.querySelector('.badge')?.textContent, reason: '', curves: {} };
            for (let e = h.nextElementSibling; e && e.tagName !== 'H3'; e = e.nextElementSibling) {
                c.reason += e.matches('p.lead') ? e.textContent : '';
                for (const f of e.querySelectorAll('figure.curves'))
                    c.curves[f.querySelector('figcaption b').textContent] = {
                        lines: [...f.querySelectorAll('path.curve, path.dashed')].map(p => [p.querySelector('title').textContent,
                            p.getAttribute('d').match(/[ML]/g).length]),
                        bands: f.querySelectorAll('path.band').length, width: f.querySelector('svg').clientWidth };
            }
            return c;
        });
    })()""")
    names = sorted(os.listdir(os.path.join(run, "calibrate")))
    check([c["name"] for c in found] == names, "calibrations: %s" % ", ".join(names))
    for c in found:
        folder = os.path.join(run, "calibrate", c["name"])
        wanted = read_json(folder, "verdict.json")
        check(c["verdict"] == wanted["verdict"] and c["reason"] == wanted["reason"], "%s is %s: %s" % (c["name"], c["verdict"], c["reason"]))
        check(sorted(c["curves"]) == ["coverage", "ranks", "tarp"], "%s has %d figures" % (c["name"], len(c["curves"])))
        for name, curve in c["curves"].items():
            with open(os.path.join(folder, name + ".csv"), newline="") as f:
                head, *rows = list(csv.reader(f))
            lines = [[h, len(rows)] for h in head[1:] if h not in ("lower", "upper")]
            check(curve["lines"] == lines and curve["bands"] == 1 and curve["width"] > 100, "%s: %d curves of %d points and their band" %
                (name, len(lines), len(rows)))
    check({c["verdict"] for c in found} == {"PASS", "FAIL"}, "a right one and a wrong one")


def sorting(b):
    """The table of metrics by a click on the head of a column of numbers, another, and that of the names."""
    table = "table[aria-describedby=about-metrics]"
    titles = b.value("[...document.querySelectorAll('%s thead th')].map(t => t.textContent)" % table)
    for title in ("Times", titles[2]):
        k = titles.index(title)
        column = "[...document.querySelectorAll('%s tbody tr')].map(r => r.cells[%d].textContent)" % (table, k)
        before = [number(v) for v in b.value(column)]
        b.click("%s thead th:nth-child(%d) button" % (table, k + 1))
        down = [number(v) for v in b.value(column)]
        b.click("%s thead th:nth-child(%d) button" % (table, k + 1))
        up = [number(v) for v in b.value(column)]
        check(len(set(before)) > 1 and down == sorted(before, reverse=True) and up == sorted(before), "metrics by %s: %s" % (title, down))
    names = "[...document.querySelectorAll('%s tbody th')].map(t => t.textContent)" % table
    b.click(table + " thead th:first-child button")
    up = b.value(names)
    b.click(table + " thead th:first-child button")
    check(up == sorted(up) and b.value(names) == up[::-1] and len(set(up)) > 1, "and by name: %s" % ", ".join(up))


def flat(value, name=""):
    """What a nested object holds, by the names on the page."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, name + "." + key if name else key)
    else:
        yield name, value


def provenance(b, run):
    """Opened by a click, it has what run.json has but for the cells."""
    details = "[...document.querySelectorAll('details')].find(d => d.querySelector('summary').textContent === 'Provenance')"
    check(b.value("%s.open" % details) is False, "provenance is folded")
    b.value("%s.querySelector('summary').id = 'provenance'" % details)
    b.click("#provenance")
    check(b.value("%s.open" % details) is True, "and opens")
    rows = dict(b.value("[...%s.querySelectorAll('tr')].map(r => [r.cells[0].innerText, r.cells[1].innerText])" % details))
    wanted = read_json(run, "run.json")
    del wanted["cells"]
    wanted = dict(flat(wanted))
    check(rows.keys() == wanted.keys(), "provenance has the %d entries of run.json" % len(wanted))
    texts = {k: v for k, v in wanted.items() if isinstance(v, str) and v}
    check(all(rows.get(k, "").split() == v.split() for k, v in texts.items()), "and what they say")
    check(any(k.startswith("inputs.") and len(v) == 64 for k, v in rows.items()), "such as the hash of an input")
    b.click("#provenance")


def main(program, report, folder):
    b = Browser(program, folder)
    b.size(1300, 1000)
    b.send("Page.navigate", url="file://" + os.path.abspath(report))
    for _ in range(100):
        time.sleep(0.1)
        if b.value("document.readyState") == "complete":
            break
    check(b.value("document.getElementById('explore').hidden") is False, "the explorer opens")
    check(b.value("[...document.querySelectorAll('details.pictures')].every(d => !d.open)"), "pictures are folded")
    cells = b.value("document.querySelectorAll('.thumb').length")
    check(cells >= 3, "a truth and two cells: %d images" % cells)

    seen = b.picture(os.path.join(folder, "image.png"), "#image")
    check(len(set(seen)) > 200, "the image has %d colours" % len(set(seen)))
    check(share(seen, afmhot) > 0.9, "they are those of afmhot")
    check(max(r + g + bl for r, g, bl in seen) > 500, "it is bright somewhere")

    first = b.value("document.getElementById('count').textContent")
    b.click("#play")
    time.sleep(1.0)
    moved = b.value("document.getElementById('count').textContent")
    b.click("#play")
    check(first != moved and " of " in moved, "the player moves: '%s' to '%s'" % (first, moved))
    stopped = b.value("document.getElementById('count').textContent")
    one = b.picture(os.path.join(folder, "sample.png"), "#image")
    time.sleep(0.6)
    check(stopped == b.value("document.getElementById('count').textContent"), "and stops")
    check(one != seen, "a sample is not the mean")

    b.point("#image", 0.5, 0.5)
    middle = b.value("document.getElementById('value').textContent")
    check("\u00b1" in middle and "Jy/pixel" in middle, "a pixel says '%s'" % middle)
    where = b.value("document.querySelector('.where').textContent")
    check("RA " in where and "\u00b5as" in where, "and where it is: '%s'" % where)
    b.value("document.getElementById('image').focus()")
    b.key("ArrowRight")
    check(where != b.value("document.querySelector('.where').textContent"), "arrow keys move the marker")
    before = b.value("document.getElementById('count').textContent")
    b.key(".")
    check(before != b.value("document.getElementById('count').textContent"), "a key steps")

    b.key("b")
    tags = set()
    for _ in range(20):
        time.sleep(0.1)
        tags.add(b.value("document.getElementById('tag').textContent").split(",")[0])
    check(len(tags) == 2, "blinking shows %s" % " and ".join(sorted(tags)))
    b.key("b")

    b.choose("#map", "viridis")
    b.choose("#stretch", "logarithmic")
    green = b.picture(os.path.join(folder, "viridis.png"), "#image")
    check(share(green, afmhot) < 0.5 and len(set(green)) > 200, "another colour map and stretch")
    b.choose("#range", "own")
    b.choose("#map", "afmhot")

    for p in ("amplitude", "closure_phase"):
        b.choose("#plotname", p)
        plot = b.picture(os.path.join(folder, p + ".png"), "#plot")
        check(share(plot, lambda r, g, bl: bl > 140 and r < 90) > 0.0005, p + ": data are drawn")
        check(share(plot, lambda r, g, bl: r > 200 and bl < 180 and r - bl > 50) > 0.0005, p + ": the bands are drawn")
    b.value("document.getElementById('plot').focus()")
    b.key("ArrowRight")
    said = b.value("document.getElementById('point').textContent")
    check("model" in said and "68 %" in said, "a datum says '%s'" % said)

    column = "[...document.querySelectorAll('.worst tbody tr')].map(r => Number(r.cells[2].textContent))"
    worst = b.value(column)
    check(len(worst) > 1 and worst == sorted(worst, reverse=True), "triangles, the worst first")
    b.click(".worst thead th:nth-child(3) button")
    b.click(".worst thead th:nth-child(3) button")
    check(b.value(column) == sorted(worst), "a click on the head turns the order")
    b.click(".worst tbody tr")
    check(b.value("document.querySelector('.worst tr[aria-selected=true] th').textContent")
        in b.value("document.querySelector('.data').textContent"), "a row marks its data")

    sorting(b)
    calibrations(b, os.path.dirname(report))
    provenance(b, os.path.dirname(report))

    check(not [u for u in b.asked if not u.startswith(("file:", "data:", "about:"))], "no network: %s" % set(u[:5] for u in b.asked))
    b.value("void fetch('https://example.org/').catch(() => 0)")
    time.sleep(0.5)
    refused = [c for c in b.complaints if "Content Security Policy" in c]
    others = [c for c in b.complaints if "Content Security Policy" not in c and "example.org" not in c and "Failed to fetch" not in c]
    check(refused, "the page's policy refuses it")
    check(not others, "nothing in the console but that: %s" % others)

    for width, dark in ((1300, False), (420, False), (1300, True)):
        b.size(width, 1000, dark)
        page = b.picture(os.path.join(folder, "page-%d%s.png" % (width, "-dark" if dark else "")), "body", 0.25)
        check(b.value("document.documentElement.scrollWidth") <= width, "%d pixels are wide enough" % width)
        check(len(set(page)) > 300, "%d pixels wide%s: not blank" % (width, ", dark" if dark else ""))
        check((share(page, lambda r, g, bl: r + g + bl > 600) < 0.3) == dark, "dark" if dark else "light")
    b.size(1300, 1000)
    b.send("Emulation.setScriptExecutionDisabled", value=True)
    b.send("Page.reload")
    time.sleep(1.5)
    check(b.value("document.getElementById('explore').hidden"), "without a script the explorer stays away")
    check(b.value("[...document.querySelectorAll('.pictures img')].filter(i => i.naturalWidth > 0 && i.clientWidth > 0).length") > 3,
        "and pictures are there")
    b.close()
    sys.exit(bool(bad))


main(*sys.argv[1:])
