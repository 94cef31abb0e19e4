// SPDX-License-Identifier: GPL-3.0-or-later
// Tables that are sorted by a click on a column's head.
"use strict";

function key(row, column) {
	const text = row.cells[column] ? row.cells[column].textContent.trim() : "";
	const value = Number(text.replace(/\u2212/g, "-"));
	return { text, value: text === "" || Number.isNaN(value) ? null : value };
}

// Numbers by size, then text by letters; what is missing stays at the end either way.
function sortBy(table, column, descending) {
	const body = table.tBodies[0], sign = descending ? -1 : 1;
	const rows = [...body.rows].map(row => ({ row, k: key(row, column) }));
	rows.sort((a, b) => {
		if (a.k.value !== null && b.k.value !== null)
			return sign * (a.k.value - b.k.value);
		if (a.k.value !== null || b.k.value !== null)
			return a.k.value !== null ? -1 : 1;
		return sign * a.k.text.localeCompare(b.k.text);
	});
	body.append(...rows.map(r => r.row));
	[...table.tHead.rows[0].cells].forEach((th, i) => {
		if (i === column)
			th.setAttribute("aria-sort", descending ? "descending" : "ascending");
		else
			th.removeAttribute("aria-sort");
	});
}

// The first click on a column of numbers puts the largest first.
function sortable(table) {
	[...table.tHead.rows[0].cells].forEach((th, i) => {
		const button = el("button", { type: "button", class: "sort", title: "Sort by this column" }, ...th.childNodes);
		button.addEventListener("click", () => {
			const now = th.getAttribute("aria-sort"), first = table.tBodies[0].rows[0];
			sortBy(table, i, now ? now === "ascending" : !!first && key(first, i).value !== null);
		});
		th.append(button);
	});
}
