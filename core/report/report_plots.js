// SPDX-License-Identifier: GPL-3.0-or-later
// Data with error bars against the bands of the posterior; tables of what fits worst, whose rows
// point at the data that they are made of.
"use strict";

const FIRST = ["amplitude", "closure_phase", "log_closure_amplitude", "closure_amplitude"];

// "AA-LM-SM" belongs to a choice of one station, or of all stations of a row.
function chosen(label, choice) {
	if (!choice)
		return true;
	if (!label)
		return false;
	return label === choice || (!choice.includes("-") && label.split("-").includes(choice));
}

function plots(room, cells, link) {
	const s = { cell: cells.find(c => c.number === link.at) || cells[0], name: "", choice: "", near: -1 };
	const canvas = el("canvas", { tabindex: "0", role: "img", id: "plot" });
	const top = el("div", { class: "bar top" }), head = el("h3", {}), legend = el("div", { class: "legend" });
	const said = el("p", { class: "where", id: "point", "aria-live": "polite" }), note = el("p", { class: "hint" }), worst = el("div", {});
	room.append(el("div", { class: "data" }, head, top, legend, el("div", { class: "plotframe" }, canvas), said, note, worst));
	let frame = null;

	const order = p => (FIRST.indexOf(p.name) + 1 || 9);
	const list = () => [...s.cell.plots].sort((a, b) => order(a) - order(b));
	const plot = () => s.cell.plots.find(p => p.name === s.name) || list()[0];

	function controls() {
		const p = plot();
		s.name = p.name;
		head.textContent = `Data and model: ${s.cell.name}`;
		const stations = [...new Set((p.label || []).flatMap(l => (l || "").split("-")))].filter(n => n).sort();
		const which = stations.length > 1 ? select("choice", [["", "all stations"], ...stations.map(n => [n, n])], s.choice, v => set({ choice: v })) : null;
		const cell = cells.length > 1 ? select("plotcell", cells.map((c, k) => [String(k), c.name]), String(cells.indexOf(s.cell)), v => set({ cell: cells[Number(v)] })) : null;
		const what = select("plotname", list().map(q => [q.name, q.title || q.name]), p.name, v => set({ name: v, near: -1 }));
		for (const [e, words] of [[what, "Plot"], [cell, "Cell"], [which, "Station"]])
			if (e)
				e.setAttribute("aria-label", words);
		const clear = s.choice.includes("-") ? el("button", { type: "button", class: "button", onclick: () => set({ choice: "" }) }, `${s.choice} \u00d7`) : null;
		top.replaceChildren(el("div", { class: "bar" }, what, cell, which, clear));
		const items = [["round", "data"]];
		if (p.q50)
			items.push(["inner", "68 % of samples"], ["outer", "95 % of samples"]);
		legend.replaceChildren(...(p.q50 ? items.map(([c, words]) => el("span", {}, el("i", { class: c }), words)) : []));
		note.textContent = p.of > p.x.length ? `To keep this page small ${p.x.length} of ${p.of} points are here.` : "";
	}

	function set(change) {
		Object.assign(s, change);
		controls();
		draw();
		if (change.cell)
			tables();
	}

	// Axes that hold data and model; error bars stretch them by a quarter at most.
	function axes(p, w, h) {
		const good = v => v !== null && (!p.log_y || v > 0), ys = [...p.y];
		for (const k of ["q50", "q975", ...(p.log_y ? [] : ["q025"])])
			if (p[k])
				ys.push(...p[k]);
		let [x0, x1] = extent(p.x.filter(v => v !== null)), [y0, y1] = extent(ys.filter(good));
		if (p.sigma && p.log_y) {
			y1 = Math.max(y1, Math.min(2 * y1, extent(p.y.map((v, i) => v + p.sigma[i]))[1]));
		} else if (p.sigma) {
			const more = (y1 - y0) / 4, [low] = extent(p.y.map((v, i) => v - p.sigma[i])), [, high] = extent(p.y.map((v, i) => v + p.sigma[i]));
			[y0, y1] = [Math.max(Math.min(y0, low), y0 - more), Math.min(Math.max(y1, high), y1 + more)];
		}
		const left = 62, right = 12, top = 10, bottom = 44, room = v => v || 1;
		if (p.log_y) {
			y0 = Math.log10(Math.max(y0, y1 * 1e-6)) - 0.05;
			y1 = Math.log10(y1) + 0.05;
		} else {
			[y0, y1] = [y0 - 0.05 * room(y1 - y0), y1 + 0.05 * room(y1 - y0)];
		}
		[x0, x1] = [x0 - 0.025 * room(x1 - x0), x1 + 0.025 * room(x1 - x0)];
		let width = w - left - right;
		if (p.square) {
			const half = Math.max(x1 - x0, y1 - y0) / 2, cx = (x0 + x1) / 2, cy = (y0 + y1) / 2;
			[x0, x1, y0, y1] = [cx - half, cx + half, cy - half, cy + half];
			width = Math.min(width, h - top - bottom);
		}
		const bottomY = h - bottom;
		return { x0, x1, y0, y1, left, right: left + width, top, bottom: bottomY,
			x: v => left + width * (v - x0) / (x1 - x0),
			y: v => {
				const t = p.log_y ? Math.log10(Math.max(v, 1e-300)) : v;
				return Math.min(bottomY + 400, Math.max(-400, bottomY - (bottomY - top) * (t - y0) / (y1 - y0)));
			} };
	}

	function grid(g, p, a) {
		g.lineWidth = 1;
		g.strokeStyle = colour("line");
		g.fillStyle = colour("soft");
		const across = ticks(a.x0, a.x1, Math.max(5, (a.right - a.left) / 110));
		const up = !p.log_y ? ticks(a.y0, a.y1, 6) : ticks(a.y0, a.y1, 5).filter(v => Number.isInteger(v)).map(v => 10 ** v);
		if (p.log_y && up.length < 3)
			for (let d = Math.floor(a.y0); d <= a.y1; d++)
				up.push(2 * 10 ** d, 5 * 10 ** d, 10 ** d);
		const line = (x0, y0, x1, y1) => {
			g.beginPath();
			g.moveTo(x0, y0);
			g.lineTo(x1, y1);
			g.stroke();
		};
		g.textAlign = "center";
		for (const v of across) {
			line(a.x(v), a.top, a.x(v), a.bottom);
			g.fillText(number(v), a.x(v), a.bottom + 16);
		}
		g.textAlign = "right";
		for (const v of [...new Set(up)]) {
			const y = a.y(v);
			if (y < a.top - 1 || y > a.bottom + 1)
				continue;
			line(a.left, y, a.right, y);
			g.fillText(number(v), a.left - 7, y + 4);
		}
		g.fillStyle = colour("ink");
		g.textAlign = "center";
		g.fillText(p.xlabel || "", (a.left + a.right) / 2, a.bottom + 36);
		g.save();
		g.translate(13, (a.top + a.bottom) / 2);
		g.rotate(-Math.PI / 2);
		g.fillText(p.ylabel || "", 0, 0);
		g.restore();
	}

	function draw() {
		const p = plot(), { g, w, h } = pen(canvas);
		if (w === 0 || p.x.length === 0)
			return;
		const a = axes(p, w, h), n = p.x.length, size = n <= 60 ? 3.6 : n <= 500 ? 2.8 : 1.8, half = 1.5 * size;
		frame = a;
		grid(g, p, a);
		g.save();
		g.beginPath();
		g.rect(a.left, a.top, a.right - a.left, a.bottom - a.top);
		g.clip();
		const faint = i => s.choice && !chosen(p.label && p.label[i], s.choice);
		const band = (lo, hi, alpha) => {
			g.fillStyle = colour("model");
			for (let i = 0; lo && hi && i < n; i++) {
				g.globalAlpha = faint(i) ? alpha / 6 : alpha;
				g.fillRect(a.x(p.x[i]) - half, a.y(hi[i]), 2 * half, Math.max(1.5, a.y(lo[i]) - a.y(hi[i])));
			}
		};
		band(p.q025, p.q975, 0.28);
		band(p.q16, p.q84, 0.42);
		for (let i = 0; p.q50 && i < n; i++) {
			g.globalAlpha = faint(i) ? 0.12 : 1;
			g.fillStyle = colour("model");
			g.fillRect(a.x(p.x[i]) - half - 0.5, a.y(p.q50[i]) - 0.8, 2 * half + 1, 1.6);
		}
		g.strokeStyle = g.fillStyle = colour("data");
		for (let i = 0; i < n; i++) {
			const x = a.x(p.x[i]), y = a.y(p.y[i]);
			if (p.y[i] === null || (p.log_y && p.y[i] <= 0))
				continue;
			g.globalAlpha = faint(i) ? 0.1 : 0.7;
			if (p.sigma) {
				g.beginPath();
				g.moveTo(x, a.y(p.y[i] - p.sigma[i]));
				g.lineTo(x, a.y(p.y[i] + p.sigma[i]));
				g.stroke();
			}
			g.globalAlpha = faint(i) ? 0.1 : 1;
			g.beginPath();
			g.arc(x, y, s.choice && !faint(i) ? size + 0.8 : size, 0, 7);
			g.fill();
		}
		g.globalAlpha = 1;
		if (s.near >= 0 && s.near < n) {
			g.strokeStyle = colour("ink");
			g.lineWidth = 1.6;
			g.beginPath();
			g.arc(a.x(p.x[s.near]), a.y(p.y[s.near]), size + 4, 0, 7);
			g.stroke();
		}
		g.restore();
		canvas.setAttribute("aria-label", `${p.title || p.name} of ${s.cell.name}: ${n} points. Arrow keys go from point to point.`);
		say(p);
	}

	function say(p) {
		const i = s.near;
		if (i < 0 || i >= p.x.length) {
			said.textContent = "Point at a datum, or focus the plot and use the arrow keys.";
			return;
		}
		const parts = [p.label && p.label[i], `${p.xlabel || "x"} ${number(p.x[i], 4)}`,
			(p.q50 ? "data " : "") + number(p.y[i], 4) + (p.sigma ? " \u00b1 " + number(p.sigma[i], 2) : "")];
		if (p.q50)
			parts.push(`model ${number(p.q50[i], 4)}` + (p.q16 ? `, 68 % within ${number(p.q16[i])} \u2026 ${number(p.q84[i])}` : ""));
		if (p.q50 && p.sigma && p.sigma[i] > 0)
			parts.push(`${number((p.y[i] - p.q50[i]) / p.sigma[i], 2)} \u03c3 off`);
		said.textContent = parts.filter(t => t).join(" \u00b7 ");
	}

	// The tables of the cell's section again, with rows that choose data.
	function tables() {
		const sheets = s.cell.number > 0 ? [...document.querySelectorAll(`#cell-${s.cell.number} .sheet`)] : [];
		const wanted = sheets.filter(d => /^(triangles|quadrangles|stations)\.csv$/.test(d.querySelector("summary").textContent));
		worst.replaceChildren();
		if (wanted.length === 0)
			return;
		const names = wanted.map(d => d.querySelector("summary").textContent.replace(".csv", "")).sort((x, y) => (x === "triangles" ? -1 : y === "triangles" ? 1 : x < y ? -1 : 1));
		const box = el("div", { class: "worst", tabindex: "0", role: "region", "aria-label": "What fits worst" });
		const show = name => {
			const table = wanted.find(d => d.querySelector("summary").textContent === name + ".csv").querySelector("table").cloneNode(true);
			for (const b of table.querySelectorAll("button.sort"))
				b.replaceWith(...b.childNodes);
			for (const th of table.tHead.rows[0].cells)
				th.textContent = th.textContent.replace(/^chi2_?/, "\u03c7\u00b2 ");
			sortable(table);
			for (const row of table.tBodies[0].rows) {
				const pick = () => {
					const label = row.cells[0].textContent, again = label === s.choice;
					for (const r of table.tBodies[0].rows)
						r.setAttribute("aria-selected", String(r === row && !again));
					const has = q => q.label && q.label.some(l => chosen(l, label));
					const p = plot(), better = has(p) ? p : list().find(has);
					set({ choice: again ? "" : label, name: better ? better.name : p.name, near: -1 });
				};
				row.tabIndex = 0;
				row.addEventListener("click", pick);
				row.addEventListener("keydown", e => {
					if (e.key === "Enter" || e.key === " ") {
						e.preventDefault();
						pick();
					}
				});
			}
			box.replaceChildren(table);
			bar.replaceChildren(tabs("Table", names.map(n => [n, n[0].toUpperCase() + n.slice(1)]), name, show));
		};
		const bar = el("div", {});
		worst.append(el("h3", {}, "What fits worst"), bar, box, el("p", { class: "hint" }, "\u03c7\u00b2 per datum, averaged over the samples. A row marks its data above; a head sorts."));
		show(names[0]);
	}

	function nearest(e) {
		const p = plot(), box = canvas.getBoundingClientRect(), x = e.clientX - box.left, y = e.clientY - box.top;
		let best = 30 * 30, near = -1;
		p.x.forEach((v, i) => {
			if (p.y[i] === null || (s.choice && !chosen(p.label && p.label[i], s.choice)))
				return;
			const d = (frame.x(v) - x) ** 2 + (frame.y(p.y[i]) - y) ** 2;
			if (d < best)
				[best, near] = [d, i];
		});
		if (near !== s.near) {
			s.near = near;
			draw();
		}
	}
	canvas.addEventListener("pointermove", nearest);
	canvas.addEventListener("pointerdown", nearest);
	canvas.addEventListener("keydown", e => {
		const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key], p = plot();
		if (!by)
			return;
		e.preventDefault();
		const order = p.x.map((v, i) => i).filter(i => !s.choice || chosen(p.label && p.label[i], s.choice)).sort((i, k) => p.x[i] - p.x[k]);
		s.near = order[(order.indexOf(s.near) + by + order.length) % order.length];
		draw();
	});
	link.change = n => {
		const cell = cells.find(c => c.number === n);
		if (cell && cell !== s.cell)
			set({ cell });
	};
	new ResizeObserver(draw).observe(room);
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
	set({ cell: s.cell });
}
