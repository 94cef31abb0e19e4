// SPDX-License-Identifier: GPL-3.0-or-later
// The report's script: what its parts share, and where it begins. The files report*.js are one
// script in the page; it asks nothing of a network and writes text from files as text only.
"use strict";

// An element with attributes, listeners (on...) and children.
function el(tag, attributes, ...children) {
	const e = document.createElement(tag);
	for (const [k, v] of Object.entries(attributes || {})) {
		if (k.startsWith("on"))
			e.addEventListener(k.slice(2), v);
		else if (v === true)
			e.setAttribute(k, "");
		else if (v !== false && v !== null && v !== undefined)
			e.setAttribute(k, v);
	}
	e.append(...children.filter(c => c !== null && c !== undefined));
	return e;
}

// A row of buttons of which one is pressed; choices are [value, words, disabled].
function tabs(label, choices, chosen, onchange) {
	const box = el("div", { class: "tabs", role: "group", "aria-label": label });
	for (const [value, words, disabled] of choices)
		box.append(el("button", { type: "button", "aria-pressed": String(value === chosen), disabled: !!disabled,
			"data-value": value, onclick: () => onchange(value) }, words));
	return box;
}

// A drop-down list; choices are [value, words].
function select(id, choices, chosen, onchange) {
	const s = el("select", { id, onchange: e => onchange(e.target.value) });
	for (const [value, words] of choices)
		s.append(el("option", { value, selected: value === chosen }, words));
	return s;
}

// A canvas whose pixels are those of the screen, ready to be drawn in units of the page.
function pen(canvas) {
	const w = canvas.clientWidth, h = canvas.clientHeight, scale = window.devicePixelRatio || 1;
	const W = Math.round(w * scale), H = Math.round(h * scale);
	if (canvas.width !== W || canvas.height !== H) {
		canvas.width = W;
		canvas.height = H;
	}
	const g = canvas.getContext("2d");
	g.setTransform(scale, 0, 0, scale, 0, 0);
	g.clearRect(0, 0, w, h);
	g.font = "12px system-ui, 'DejaVu Sans', sans-serif";
	return { g, w, h };
}

// A colour of the style sheet.
function colour(name) {
	return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// A number as people read it, with so many significant digits.
function number(v, digits = 3) {
	if (v === null || !Number.isFinite(v))
		return "\u2013";
	const a = Math.abs(v);
	const s = a !== 0 && (a >= 1e5 || a < 1e-3) ? v.toExponential(digits - 1)
		: String(Number(v.toPrecision(a >= 10 ** digits ? String(Math.floor(a)).length : digits)));
	return s.replace(/-/g, "\u2212");
}

// Round values within lo..hi, about n of them.
function ticks(lo, hi, n) {
	const raw = (hi - lo) / n, power = 10 ** Math.floor(Math.log10(raw));
	const step = [1, 2, 5, 10].map(k => k * power).find(s => s >= raw) || raw;
	const out = [];
	for (let v = Math.ceil(lo / step - 1e-9) * step; v <= hi + 1e-9 * step && out.length < 50; v += step)
		out.push(Math.abs(v) < 1e-9 * step ? 0 : v);
	return out;
}

// Without truths that were shown before: several forward models may look at the same one.
function different(cells) {
	const truths = cells.filter(c => c.number === 0), kept = [];
	for (const t of truths)
		if (!kept.some(k => k.images.mean.data === t.images.mean.data && k.images.mean.hi === t.images.mean.hi))
			kept.push(t);
	if (kept.length === 1)
		kept[0].name = "truth";
	return [...kept, ...cells.filter(c => c.number > 0)];
}

function start() {
	const cells = [];
	for (const block of document.querySelectorAll("script.data"))
		cells.push(JSON.parse(block.textContent));
	for (const plot of cells.flatMap(c => c.plots || []))
		if (plot.label)
			plot.label = plot.label.map(i => plot.names[i]);
	for (const table of document.querySelectorAll("main table"))
		if (table.tHead)
			sortable(table);
	if (cells.length === 0)
		return;
	const room = document.getElementById("explore");
	room.hidden = false;
	room.append(el("h2", {}, "Explore"));
	const link = { at: 0, change: () => {} };
	if (cells.some(c => c.images))
		explorer(room, different(cells.filter(c => c.images)).map(unpack), link);
	if (cells.some(c => c.plots && c.plots.length > 0))
		plots(room, cells.filter(c => c.plots && c.plots.length > 0), link);
	// The pictures say the same without a script: they are folded.
	for (const d of document.querySelectorAll("details.pictures"))
		d.open = false;
}
document.addEventListener("DOMContentLoaded", start);
