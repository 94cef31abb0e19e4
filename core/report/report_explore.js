// SPDX-License-Identifier: GPL-3.0-or-later
// The explorer of images: one cell at a time, its mean, deviation and samples; a player, blinking
// between cells, the colour scale, and what the posterior says of a pixel.
"use strict";

const SHOWS = { mean: "Mean", sd: "Std. dev.", relative: "Std. / mean", sample: "Samples" };

// The values that are shown of an item: a sample where there are any, else the mean.
function shownValues(item, s) {
	if (s.show === "sample" && item.draws.length > 0)
		return item.draws[s.sample % item.draws.length];
	if (s.show === "sd" && item.sd)
		return item.sd;
	if (s.show === "relative" && item.sd)
		return item.relative || (item.relative = item.sd.map((v, i) => clip(v / Math.max(Math.abs(item.mean[i]), 1e-30) / 2) * 2));
	return item.mean;
}

// The range of the colour scale, of this item or of all that show the same.
function rangeOf(item, items, s) {
	const kind = i => s.show === "sample" && i.draws.length > 0 ? "draws" : (s.show === "sd" || s.show === "relative") && i.sd ? s.show : "mean";
	const wanted = kind(item), same = s.range === "own" ? [item] : items.filter(i => kind(i) === wanted && i.info.unit === item.info.unit);
	let lo = Infinity, hi = -Infinity;
	for (const i of same) {
		const [a, b] = wanted === "draws" ? [i.bottom, i.top] : extent(shownValues(i, s));
		lo = Math.min(lo, a);
		hi = Math.max(hi, b);
	}
	if (s.map === "blue to red" && lo < 0) {
		hi = Math.max(hi, -lo);
		lo = -hi;
	} else if (lo > 0) {
		lo = 0;
	}
	return [lo, hi > lo ? hi : lo + 1];
}

// Where a pixel is, in words; offsets grow to the east and to the north.
function placeOf(item, column, row) {
	const { columns, rows, uas, block } = item.info;
	const signed = v => (v < 0 ? "\u2212" : "+") + Math.abs(v).toFixed(1);
	const pixel = rows === 1 ? `number ${column + 1}` : `column ${column * block + 1}, row ${row * block + 1}`;
	if (!(uas > 0))
		return pixel;
	return `RA ${signed(((columns - 1) / 2 - column) * uas)} \u00b5as, Dec ${signed(((rows - 1) / 2 - row) * uas)} \u00b5as \u00b7 ${pixel}`;
}

// What the page had to leave out of an item.
function thinned(item) {
	const { full, block, samples, shown, planes, rows, columns } = item.info, out = [];
	if (block > 1)
		out.push(`blocks of ${block} \u00d7 ${block} of ${full[1]} \u00d7 ${full[0]} pixels are averaged to ${columns} \u00d7 ${rows}`);
	if (shown < samples)
		out.push(`${shown} of ${samples} samples are here, evenly chosen`);
	if (planes < full[2])
		out.push(`the first ${planes} of ${full[2]} planes are here`);
	return out.length > 0 ? "To keep this page small " + out.join("; ") + "." : "";
}

function explorer(room, items, link) {
	const sky = items.some(i => i.info.uas > 0), coloured = items.every(i => i.info.colours);
	const first = Math.max(0, items.findIndex(i => i.draws.length > 0) >= 0 ? items.findIndex(i => i.draws.length > 0)
		: items.findIndex(i => i.number > 0)), bright = items[first].mean.indexOf(Math.max(...items[first].mean)) % (items[first].info.rows * items[first].info.columns);
	const s = { at: first, other: items.findIndex((i, k) => k !== first && i.number > 0), blinking: false, flipped: false, show: "mean",
		sample: 0, plane: 0, playing: false, rate: 4, map: sky ? "afmhot" : "viridis", stretch: "linear", range: "shared", smooth: sky,
		marker: { column: bright % items[first].info.columns, row: Math.floor(bright / items[first].info.columns) } };
	if (s.other < 0)
		s.other = items.length > 1 ? (first + 1) % items.length : -1;
	const limits = [Math.min(...items.map(i => Math.min(i.bottom, i.info.mean.lo))), Math.max(...items.map(i => Math.max(i.top, i.info.mean.hi)))];
	const off = document.createElement("canvas");
	const thumbs = el("div", { class: "thumbs", role: "radiogroup", "aria-label": "Cell" });
	const canvas = el("canvas", { tabindex: "0", role: "img", id: "image" });
	const tag = el("div", { class: "tag", id: "tag", "aria-live": "polite" });
	const scale = el("canvas", { class: "scale", role: "img" });
	const top = el("div", { class: "bar top" }), hint = el("p", { class: "hint" });
	const where = el("p", { class: "where" }), value = el("p", { class: "value", id: "value", "aria-live": "polite" });
	const pixel = el("canvas", { class: "pixel", role: "img" }), cellsAt = el("canvas", { class: "cellsat", role: "img" });
	const count = el("output", { id: "count", for: "sample" });
	const slider = el("input", { type: "range", id: "sample", min: "1", step: "1", "aria-label": "Sample", oninput: e => {
		s.sample = Number(e.target.value) - 1;
		set({ show: "sample" });
	} });
	const play = el("button", { type: "button", class: "button play", id: "play", onclick: () => set({ playing: !s.playing, show: "sample" }) });
	const step = by => set({ playing: false, show: "sample", sample: (s.sample + by + most()) % most() });
	const player = el("div", { class: "bar player", role: "group", "aria-label": "Samples" }, play,
		el("button", { type: "button", class: "button", "aria-label": "Previous sample", onclick: () => step(-1) }, "\u2039"), slider,
		el("button", { type: "button", class: "button", "aria-label": "Next sample", onclick: () => step(1) }, "\u203a"), count,
		select("rate", [["2", "2 a second"], ["4", "4 a second"], ["8", "8 a second"], ["16", "16 a second"]], "4", v => set({ rate: Number(v) })));
	player.lastChild.setAttribute("aria-label", "Speed");
	const blink = el("button", { type: "button", class: "button", id: "blink", onclick: () => set({ blinking: !s.blinking, flipped: false }) }, "Blink");
	const options = el("div", { class: "options" });
	const add = (id, words, ...parts) => options.append(el("label", { for: id }, words), el("div", { class: "bar" }, ...parts));
	const flat = items.every(i => i.info.rows === 1);
	if (!coloured && !flat)
		add("map", "Colours", select("map", Object.keys(MAPS).map(k => [k, k]), s.map, v => set({ map: v })));
	if (!flat) {
		add("stretch", "Stretch", select("stretch", Object.keys(STRETCHES).map(k => [k, k]), s.stretch, v => set({ stretch: v })));
		add("range", "Range", select("range", [["shared", "shared by all cells"], ["own", "of this cell"]], s.range, v => set({ range: v })));
		add("smooth", "Pixels", select("smooth", [["yes", "smooth"], ["no", "square"]], s.smooth ? "yes" : "no", v => set({ smooth: v === "yes" })));
	}
	if (items.length > 1)
		add("other", "Blink with", select("other", items.map((i, k) => [String(k), i.name]), String(s.other), v => set({ other: Number(v) })), blink);
	items.forEach((item, k) => {
		const c = el("canvas", { width: "96", height: "96" });
		item.thumb = c;
		item.limits = limits;
		thumbs.append(el("button", { type: "button", class: "thumb", role: "radio", onclick: () => set({ at: k, flipped: false }),
			onkeydown: e => {
				const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
				if (by) {
					e.preventDefault();
					set({ at: (s.at + by + items.length) % items.length, flipped: false });
					thumbs.children[s.at].focus();
				}
			} }, c, el("span", {}, item.name.replace(/[/+]/g, "$&\u200b"))));
	});
	room.append(thumbs, el("div", { class: "explorer" },
		el("div", {}, top, el("div", { class: "frame" }, canvas, tag), scale, player),
		el("div", { class: "side" }, el("h3", {}, "At the marker"), where, value, pixel, cellsAt,
			el("h3", {}, "Display"), options, hint,
			el("p", { class: "hint" }, "With the image in focus: ", el("kbd", {}, "arrows"), " move the marker, ", el("kbd", {}, "space"),
				" plays, ", el("kbd", {}, ","), " ", el("kbd", {}, "."), " step, ", el("kbd", {}, "B"), " blinks, ", el("kbd", {}, "1"),
				"\u2013", el("kbd", {}, "9"), " choose a cell."))));
	thumbs.hidden = items.length < 2;

	const current = () => items[s.blinking && s.flipped && s.other >= 0 ? s.other : s.at];
	const most = () => Math.max(1, current().draws.length);
	let timer = 0, blinker = 0, height = 0;

	// Changes the state, then everything that depends on it.
	function set(change) {
		Object.assign(s, change);
		if (current().draws.length === 0)
			s.playing = false;
		clearInterval(timer);
		clearInterval(blinker);
		if (s.playing)
			timer = setInterval(() => {
				s.sample = (s.sample + 1) % most();
				draw();
			}, 1000 / s.rate);
		if (s.blinking) // slower than three flashes a second
			blinker = setInterval(() => {
				s.flipped = !s.flipped;
				draw();
			}, 700);
		controls();
		draw();
		if (change.at !== undefined)
			link.change(link.at = items[s.at].number);
	}

	function controls() {
		const item = items[s.at], n = item.draws.length;
		const choices = Object.keys(SHOWS).map(k => [k, SHOWS[k], k === "sample" ? n === 0 : k !== "mean" && !item.sd]);
		const plane = item.info.planes > 1 && !item.info.colours ? select("plane", Array.from({ length: item.info.planes },
			(_, k) => [String(k), `plane ${k + 1}`]), String(s.plane), v => set({ plane: Number(v) })) : null;
		if (plane)
			plane.setAttribute("aria-label", "Plane");
		top.replaceChildren(...[tabs("What is shown", choices, s.show, v => set({ show: v, playing: s.playing && v === "sample" })), plane].filter(e => e));
		player.hidden = n === 0;
		slider.max = String(n);
		play.textContent = s.playing ? "\u275a\u275a" : "\u25b6";
		play.setAttribute("aria-label", s.playing ? "Pause" : "Play the samples");
		blink.textContent = s.blinking ? "Stop" : "Blink";
		blink.setAttribute("aria-pressed", String(s.blinking));
		blink.disabled = s.other === s.at;
		[...thumbs.children].forEach((b, k) => {
			b.setAttribute("aria-checked", String(k === s.at));
			b.tabIndex = k === s.at ? 0 : -1;
		});
		const colours = palette(s.map), range = i => rangeOf(i, items, { ...s, show: "mean" });
		for (const i of items) {
			if (i.info.rows === 1)
				curve(i.thumb.getContext("2d"), 96, 96, i, i.mean, 0);
			else {
				paint(off, i, i.mean, Math.min(s.plane, i.info.planes - 1), range(i), s.stretch, colours);
				i.thumb.getContext("2d").drawImage(off, 0, 0, 96, 96);
			}
		}
		hint.textContent = thinned(item);
		hint.hidden = hint.textContent === "";
	}

	function draw() {
		const item = current(), { rows, columns } = item.info, line = rows === 1;
		const h = Math.round(canvas.clientWidth * (!line ? Math.min(1.4, rows / columns) : columns === 2 ? 1 : 0.6));
		canvas.parentNode.classList.toggle("plain", line);
		if (h !== height) {
			height = h;
			canvas.style.height = h + "px";
		}
		const { g, w } = pen(canvas), values = shownValues(item, s), range = rangeOf(item, items, s);
		if (line)
			curve(g, w, h, item, values, 24);
		else {
			paint(off, item, values, Math.min(s.plane, item.info.planes - 1), range, s.stretch, palette(s.map));
			g.imageSmoothingEnabled = s.smooth;
			g.imageSmoothingQuality = "high";
			g.drawImage(off, 0, 0, w, h);
			if (item.info.uas > 0)
				compass(g, w, h, item);
		}
		if (s.marker && !(line && columns === 2) && s.marker.column < columns && s.marker.row < rows)
			cross(g, (s.marker.column + 0.5) * w / columns, (s.marker.row + 0.5) * h / rows, h, line);
		const words = s.show === "sample" && item.draws.length > 0 ? `sample ${s.sample % item.draws.length + 1} of ${item.draws.length}`
			: item.sd || s.show === "mean" ? SHOWS[s.show].toLowerCase() : "mean";
		tag.textContent = item.number === 0 ? item.name : `${item.name}, ${words}`;
		canvas.setAttribute("aria-label", tag.textContent);
		count.textContent = item.draws.length > 0 ? `sample ${s.sample % most() + 1} of ${item.draws.length}` : "";
		slider.value = String(s.sample % most() + 1);
		colourBar(item, range);
		readout(item);
	}

	function colourBar(item, range) {
		scale.hidden = item.info.rows === 1 || item.info.colours;
		if (scale.hidden)
			return;
		const { g, w } = pen(scale), colours = palette(s.map), f = STRETCHES[s.stretch];
		const ratio = s.show === "relative" && item.sd;
		const [factor, unit] = ratio ? [1, ""] : unitFor(item.info.unit, Math.max(Math.abs(range[0]), Math.abs(range[1])));
		for (let i = 0; i < w; i++) {
			const at = 4 * Math.round(255 * i / w);
			g.fillStyle = `rgb(${colours[at]},${colours[at + 1]},${colours[at + 2]})`;
			g.fillRect(i, 0, 1.5, 14);
		}
		g.fillStyle = colour("soft");
		const marks = s.stretch === "logarithmic" ? [0, 0.003, 0.01, 0.03, 0.1, 0.3, 1].map(t => range[0] + t * (range[1] - range[0]))
			: ticks(range[0], range[1], w > 420 ? 6 : 4);
		g.textAlign = "right";
		g.fillText(unit, w, 32);
		const room = w - (unit ? g.measureText(unit).width + 16 : 0);
		for (const v of marks) {
			const x = w * f(clip((v - range[0]) / (range[1] - range[0]))), text = number(v * factor, s.stretch === "logarithmic" ? 1 : 3), half = g.measureText(text).width / 2;
			g.fillRect(Math.min(x, w - 1), 14, 1, 4);
			g.textAlign = "center";
			if (Math.max(x, half) + half < room)
				g.fillText(text, Math.max(x, half), 32);
		}
		scale.setAttribute("aria-label", `Colour scale from ${number(range[0] * factor)} to ${number(range[1] * factor)} ${unit}, ${s.stretch}`);
	}

	function readout(item) {
		const { rows, columns, planes } = item.info, m = s.marker;
		const inside = m && m.column < columns && m.row < rows;
		pixel.hidden = cellsAt.hidden = !inside;
		if (!inside) {
			where.textContent = "Point at the image, or focus it and use the arrow keys.";
			value.textContent = "";
			return;
		}
		const of = i => (i.info.colours ? 0 : Math.min(s.plane, planes - 1)) * rows * columns + m.row * columns + m.column;
		const at = of(item), sd = item.sd ? item.sd[at] : 0, [factor, unit] = unitFor(item.info.unit, Math.abs(item.mean[at]) + sd);
		where.textContent = placeOf(item, m.column, m.row);
		value.textContent = number(item.mean[at] * factor) + (item.sd ? " \u00b1 " + number(sd * factor, 2) : "") + " " + unit;
		histogram(item, at);
		compareAt(item, of);
	}

	// How the samples are spread at a pixel: the shown one marked.
	function histogram(item, at) {
		pixel.hidden = item.draws.length < 4;
		if (pixel.hidden)
			return;
		const { g, w, h } = pen(pixel), values = item.draws.map(d => d[at]), [lo, hi] = extent(values);
		const bins = Math.min(24, Math.max(6, Math.round(Math.sqrt(values.length) * 1.6))), n = new Array(bins).fill(0);
		for (const v of values)
			n[Math.min(bins - 1, Math.floor(bins * (v - lo) / (hi - lo || 1)))]++;
		const top = Math.max(...n), x = v => w * (v - lo) / (hi - lo || 1);
		g.globalAlpha = 0.55;
		g.fillStyle = colour("model");
		n.forEach((k, i) => g.fillRect(i * w / bins + 1, h - 16 - (h - 18) * k / top, w / bins - 2, (h - 18) * k / top));
		g.globalAlpha = 1;
		if (s.show === "sample") {
			g.fillStyle = colour("data");
			g.fillRect(Math.min(w - 2, x(values[s.sample % values.length])), 0, 2, h - 16);
		}
		const [factor] = unitFor(item.info.unit, Math.abs(item.mean[at]));
		g.fillStyle = colour("soft");
		g.textAlign = "left";
		g.fillText(number(lo * factor), 0, h - 2);
		g.textAlign = "right";
		g.fillText(number(hi * factor), w, h - 2);
		g.textAlign = "center";
		g.fillText(`${values.length} samples`, w / 2, h - 2);
		pixel.setAttribute("aria-label", `Histogram of ${values.length} samples at the marker`);
	}

	// Mean and deviation of every cell at the same pixel, on one axis.
	function compareAt(item, of) {
		const same = items.filter(i => i.info.columns === item.info.columns && i.info.rows === item.info.rows && i.info.unit === item.info.unit).slice(0, 14);
		cellsAt.hidden = same.length < 2;
		if (cellsAt.hidden)
			return;
		cellsAt.style.height = 20 * same.length + 4 + "px";
		const { g, w } = pen(cellsAt), left = Math.min(170, 0.42 * w);
		let lo = 0, hi = 0;
		for (const i of same) {
			const sd = i.sd ? i.sd[of(i)] : 0;
			lo = Math.min(lo, i.mean[of(i)] - sd);
			hi = Math.max(hi, i.mean[of(i)] + sd);
		}
		const x = v => left + 10 + (w - left - 16) * (v - lo) / (hi - lo || 1);
		same.forEach((i, k) => {
			const y = 20 * k + 12, mean = i.mean[of(i)], sd = i.sd ? i.sd[of(i)] : 0, on = i === item;
			g.font = (on ? "600 " : "") + "12px system-ui, 'DejaVu Sans', sans-serif";
			g.fillStyle = colour(on ? "ink" : "soft");
			g.textAlign = "left";
			g.fillText(i.name, 0, y + 4, left);
			g.fillStyle = colour(i.number === 0 ? "good" : on ? "accent" : "soft");
			g.fillRect(x(mean - sd), y - 1, Math.max(1, x(mean + sd) - x(mean - sd)), 2);
			g.beginPath();
			g.arc(x(mean), y, 4, 0, 7);
			g.fill();
		});
		cellsAt.setAttribute("aria-label", "Mean and deviation of every cell at the marker");
	}

	function point(e) {
		const box = canvas.getBoundingClientRect(), { rows, columns } = current().info;
		s.marker = { column: Math.min(columns - 1, Math.max(0, Math.floor((e.clientX - box.left) / box.width * columns))),
			row: Math.min(rows - 1, Math.max(0, Math.floor((e.clientY - box.top) / box.height * rows))) };
		draw();
	}
	canvas.addEventListener("pointermove", point);
	canvas.addEventListener("pointerdown", point);
	canvas.addEventListener("keydown", e => {
		const { rows, columns } = current().info, move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
		const m = s.marker || { column: Math.floor(columns / 2), row: Math.floor(rows / 2) };
		if (e.ctrlKey || e.metaKey || e.altKey)
			return;
		if (move) {
			s.marker = { column: Math.min(columns - 1, Math.max(0, m.column + move[0])), row: Math.min(rows - 1, Math.max(0, m.row + move[1])) };
			draw();
		} else if (e.key === " " && items[s.at].draws.length > 0) {
			set({ playing: !s.playing, show: "sample" });
		} else if (e.key === "," || e.key === ".") {
			step(e.key === "." ? 1 : -1);
		} else if ((e.key === "b" || e.key === "B") && s.other >= 0 && s.other !== s.at) {
			set({ blinking: !s.blinking, flipped: false });
		} else if (/^[1-9]$/.test(e.key) && Number(e.key) <= items.length) {
			set({ at: Number(e.key) - 1, flipped: false });
		} else {
			return;
		}
		e.preventDefault();
	});
	new ResizeObserver(draw).observe(room);
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => set({}));
	set({ at: s.at });
}
