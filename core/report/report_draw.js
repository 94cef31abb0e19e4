// SPDX-License-Identifier: GPL-3.0-or-later
// What is drawn of an image besides its pixels: vectors as curves, scale bar, compass, marker.
"use strict";

// Pairs of numbers as points of a plane, one of them marked; item.limits hold for both axes.
function scatter(g, w, h, item, values, pad) {
	const [lo, hi] = item.limits, place = (v, size) => pad + (size - 2 * pad) * (v - lo) / (hi - lo || 1);
	const dot = (v, size) => {
		g.beginPath();
		g.arc(place(v[0], w), h - place(v[1], h), size, 0, 7);
		g.fill();
	};
	g.fillStyle = colour("model");
	g.globalAlpha = 0.6;
	for (const d of item.draws)
		dot(d, pad > 0 ? 3 : 1.2);
	g.globalAlpha = 1;
	g.fillStyle = colour("data");
	dot(values, pad > 0 ? 5 : 2);
	if (pad < 20)
		return;
	g.fillStyle = colour("soft");
	for (const v of ticks(lo, hi, 6)) {
		g.textAlign = "center";
		g.fillText(number(v), place(v, w), h - 6);
		g.textAlign = "left";
		g.fillText(number(v), 4, h - place(v, h) + 4);
	}
}

// A vector as a curve, with the band of its deviation; two numbers as a point among the samples.
function curve(g, w, h, item, values, pad) {
	const n = item.info.columns, x = i => pad + (w - 2 * pad) * (n > 1 ? i / (n - 1) : 0.5), [lo, hi] = item.limits;
	const y = v => h - pad - (h - 2 * pad) * (v - lo) / (hi - lo || 1);
	g.fillStyle = colour("card");
	g.fillRect(0, 0, w, h);
	if (n === 2) {
		scatter(g, w, h, item, values, pad);
		return;
	}
	if (item.sd) {
		g.beginPath();
		for (let i = 0; i < n; i++)
			g.lineTo(x(i), y(item.mean[i] + item.sd[i]));
		for (let i = n - 1; i >= 0; i--)
			g.lineTo(x(i), y(item.mean[i] - item.sd[i]));
		g.globalAlpha = 0.25;
		g.fillStyle = colour("model");
		g.fill();
		g.globalAlpha = 1;
	}
	g.beginPath();
	for (let i = 0; i < n; i++)
		g.lineTo(x(i), y(values[i]));
	g.strokeStyle = colour("data");
	g.lineWidth = 1.6;
	g.stroke();
}

function shadowed(g, path) {
	for (const [style, width] of [["rgba(0,0,0,.55)", 4], ["#fff", 1.6]]) {
		g.strokeStyle = style;
		g.lineWidth = width;
		g.beginPath();
		path();
		g.stroke();
	}
}

function compass(g, w, h, item) {
	const field = item.info.columns * item.info.uas, steps = ticks(0, 0.42 * field, 3);
	const size = steps[steps.length - 1] || 0.25 * field, long = w * size / field, x = w - 18, y = h - 16;
	g.lineCap = "round";
	shadowed(g, () => {
		g.moveTo(16, y);
		g.lineTo(16 + long, y);
		g.moveTo(x, y - 26);
		g.lineTo(x, y);
		g.lineTo(x - 26, y);
	});
	g.font = "600 12.5px system-ui, 'DejaVu Sans', sans-serif";
	g.textAlign = "center";
	const bar = size >= 1e6 ? number(size / 1e6) + "\u2033" : size >= 1e3 ? number(size / 1e3) + " mas" : number(size) + " \u00b5as";
	for (const [text, tx, ty] of [[bar, 16 + Math.max(long / 2, 24), y - 8], ["N", x, y - 32], ["E", x - 35, y + 4]]) {
		g.lineWidth = 3;
		g.strokeStyle = "rgba(0,0,0,.55)";
		g.strokeText(text, tx, ty);
		g.fillStyle = "#fff";
		g.fillText(text, tx, ty);
	}
}

function cross(g, x, y, h, line) {
	if (line) {
		g.strokeStyle = colour("soft");
		g.beginPath();
		g.moveTo(x, 0);
		g.lineTo(x, h);
		g.stroke();
		return;
	}
	shadowed(g, () => {
		for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
			g.moveTo(x + 5 * dx, y + 5 * dy);
			g.lineTo(x + 13 * dx, y + 13 * dy);
		}
	});
}
