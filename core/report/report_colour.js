// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers into colours, and the numbers of images out of the page.
"use strict";

const clip = t => Math.min(1, Math.max(0, t));

function knots(list) {
	return t => {
		const i = Math.min(list.length - 2, Math.floor(t * (list.length - 1))), f = t * (list.length - 1) - i;
		return [0, 1, 2].map(k => (1 - f) * list[i][k] + f * list[i + 1][k]);
	};
}

// Each gives red, green and blue in 0..1 of t in 0..1.
const MAPS = {
	// the map of the EHT papers, as matplotlib defines it
	afmhot: t => [clip(2 * t), clip(2 * t - 0.5), clip(2 * t - 1)],
	// matplotlib's viridis (van der Walt and Smith 2015, CC0) at every eighth
	viridis: knots([[68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140], [40, 174, 128],
		[93, 200, 99], [170, 220, 50], [253, 231, 37]].map(c => c.map(v => v / 255))),
	// Green 2011, Bull. Astr. Soc. India 39, 289: start 0.5, -1.5 rotations, hue 1, gamma 1
	cubehelix: t => {
		const a = 2 * Math.PI * (0.5 / 3 + 1 - 1.5 * t), m = t * (1 - t) / 2, c = Math.cos(a), s = Math.sin(a);
		return [t + m * (-0.14861 * c + 1.78277 * s), t + m * (-0.29227 * c - 0.90649 * s), t + m * 1.97294 * c].map(clip);
	},
	grey: t => [t, t, t],
	"grey, inverted": t => [1 - t, 1 - t, 1 - t],
	// the diverging map of the figures: the middle is zero where the range is symmetric
	"blue to red": knots([[0.08, 0.16, 0.42], [0.16, 0.41, 0.71], [0.58, 0.76, 0.89], [0.97, 0.97, 0.97],
		[0.96, 0.7, 0.56], [0.8, 0.28, 0.24], [0.44, 0.05, 0.13]]),
};

// Each maps 0..1 to 0..1.
const STRETCHES = {
	linear: t => t,
	"square root": t => Math.sqrt(t),
	logarithmic: t => Math.log10(1 + 999 * t) / 3,
};

// 256 colours as the bytes of pixels.
function palette(name) {
	const out = new Uint8ClampedArray(1024);
	for (let i = 0; i < 256; i++)
		out.set([...MAPS[name](i / 255).map(v => 255 * v), 255], 4 * i);
	return out;
}

// Numbers of an image set, { lo, hi, data }: see viewer.h.
function decode(set, bytes) {
	const raw = atob(set.data), max = bytes === 1 ? 255 : 65535, n = raw.length / bytes;
	const out = new Float32Array(n);
	for (let i = 0; i < n; i++) {
		const q = (bytes === 1 ? raw.charCodeAt(i) : raw.charCodeAt(2 * i) + 256 * raw.charCodeAt(2 * i + 1)) / max;
		out[i] = set.lo + (set.hi - set.lo) * q * q;
	}
	return out;
}

// A cell's block of the page with its images as arrays: mean, sd or null, draws: one array a sample.
function unpack(cell) {
	const im = cell.images, n = im.rows * im.columns * im.planes, draws = [];
	const all = im.draws ? decode(im.draws, 1) : [];
	for (let i = 0; i < all.length; i += n)
		draws.push(all.subarray(i, i + n));
	return { name: cell.name, number: cell.number, info: im, mean: decode(im.mean, 2), draws,
		sd: im.sd ? decode(im.sd, 2) : null, top: im.draws ? im.draws.hi : im.mean.hi, bottom: im.draws ? im.draws.lo : im.mean.lo };
}

function extent(values) {
	let lo = Infinity, hi = -Infinity;
	for (const v of values) {
		lo = Math.min(lo, v);
		hi = Math.max(hi, v);
	}
	return [lo, hi];
}

// The factor and the words of a unit that make a number of that size readable.
function unitFor(unit, size) {
	if (!/^jy\b/i.test(unit))
		return [1, unit];
	const [factor, prefix] = size < 1e-4 ? [1e6, "\u00b5"] : size < 0.1 ? [1e3, "m"] : [1, ""];
	return [factor, prefix + "Jy" + unit.slice(2).toLowerCase()];
}

// Fills an off-screen canvas of one pixel a pixel.
function paint(canvas, item, values, plane, range, stretch, colours) {
	const { rows, columns } = item.info, n = rows * columns;
	canvas.width = columns;
	canvas.height = rows;
	const g = canvas.getContext("2d"), image = g.createImageData(columns, rows), f = STRETCHES[stretch];
	const level = v => f(clip((v - range[0]) / (range[1] - range[0] || 1)));
	for (let i = 0; i < n; i++) {
		if (item.info.colours) {
			for (let k = 0; k < 3; k++)
				image.data[4 * i + k] = 255 * level(values[k * n + i]);
			image.data[4 * i + 3] = 255;
		} else {
			const at = 4 * Math.round(255 * level(values[plane * n + i]));
			image.data.set(colours.subarray(at, at + 4), 4 * i);
		}
	}
	g.putImageData(image, 0, 0);
}
