# SPDX-License-Identifier: GPL-3.0-or-later
# Markdown of the simple kind in share/doc into a man page: headings, paragraphs, lists, tables and code.
function text(s) {
	gsub(/\\/, "\\e", s)
	gsub(/-/, "\\-", s)
	while (match(s, /\*\*[^*]*\*\*/))
		s = substr(s, 1, RSTART - 1) "\\fB" substr(s, RSTART + 2, RLENGTH - 4) "\\fR" substr(s, RSTART + RLENGTH)
	while (match(s, /`[^`]*`/))
		s = substr(s, 1, RSTART - 1) "\\fB" substr(s, RSTART + 1, RLENGTH - 2) "\\fR" substr(s, RSTART + RLENGTH)
	if (s ~ /^[.']/)
		s = "\\&" s
	return s
}
function code(on) {
	if (on != incode)
		print on ? ".PP\n.nf" : ".fi"
	incode = on
}
NR == 1 { print ".TH " toupper(name) " " section " \"\" \"umbra " version "\"\n.SH NAME\n" name " \\- " about; next }
/^    / { code(1); print text($0); next }
{ code(0) }
/^## / { print ".SH " toupper(substr($0, 4)); next }
/^- / { print ".IP \\(bu 2\n" text(substr($0, 3)); next }
/^\| --- / || /^\| check \|/ { next }
/^\|/ { split($0, cell, / *\| */); print ".TP\n\\fB" text(cell[2]) "\\fR\n" text(cell[3]); next }
/^$/ { print ".PP"; next }
/^  / { sub(/^ */, "") }
{ print text($0) }
END { code(0) }
