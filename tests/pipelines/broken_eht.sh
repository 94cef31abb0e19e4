# SPDX-License-Identifier: GPL-3.0-or-later
# More broken inputs, around the interferometer: parameters that contradict each other, station
# tables, matrices and images that are not what they say. One line with file and cause, status 2 or 3.
. tests/pipelines/lib.sh.inc
cp tests/data/synthetic.uvfits "$T/ok.uvfits"
cp share/arrays/EHT2017.txt "$T/ok.txt"

# eht STATUS PARAMETERS TEXT: a pipeline with these parameters of eht is refused with this text.
eht() {
	cat >"$T/bad.cfg" <<-C
	image = { pixels = [8, 8]; fov_uas = ${fov:-100.0}; };
	forward = { eht = { plugin = "eht"; $2 }; };
	priors = { tv = { plugin = "tv"; }; g = { plugin = "gaussian"; }; };
	inference = { map = { plugin = "map"; }; };
	run = ( ${sim:-} { stage = "infer"; forward = "eht"; priors = ["tv"]; inference = ["map"]; } );
	C
	status "$1" "$UMBRA" check "$T/bad.cfg"
	says "$3"
	says "bad.cfg"
	status "$1" "$UMBRA" run "$T/bad.cfg" -o "$T/made" --quiet
	[ -e "$T/made" ] && { echo "a refused pipeline left a folder: $2"; bad=1; rm -rf "$T/made"; }
}
ok='uvfits = "ok.uvfits";'
eht 2 '' 'neither is given'
eht 2 'uvfits = "ok.uvfits"; array = "ok.txt";' 'uvfits'
eht 2 "$ok products = [];" 'products'
eht 2 "$ok products = [\"vis\", \"vis\"];" 'listed twice'
eht 2 "$ok products = [\"viz\"];" "'viz' is none of"
eht 2 "$ok products = \"vis\";" 'expected a list of texts'
eht 2 "$ok average = \"hour\";" "none of none|scan|time"
eht 2 "$ok seconds = 0.0;" 'lies outside'
eht 2 "$ok uv = [2.0, 1.0];" 'not in rising order'
eht 2 "$ok uv = [1.0];" '[low, high]'
eht 3 "$ok uv = [500.0, 600.0];" 'ok.uvfits'
eht 2 "$ok stations = [\"NOWHERE\", \"AA\"];" 'NOWHERE'
eht 2 "$ok systematic = -0.1;" 'lies outside'
eht 2 "$ok gain_budgets = [\"AA\"];" 'AA'
eht 2 "$ok gain_budgets = [\"AA:x\"];" 'AA:x'
eht 2 "$ok gain_budgets = [\"AA:-1\"];" 'AA:-1'
eht 2 "$ok gain_budgets = [\"ZZ:0.1\"];" 'ZZ'
eht 2 "$ok flux_sigma = 0.0;" 'lies outside'
eht 2 "$ok closures = \"all\";" 'minimal|maximal'
eht 2 "$ok pulse = \"gauss\";" 'triangle|rect|delta'
eht 2 "$ok tolerance = 1.0;" 'lies outside'
eht 2 "$ok trasform = \"nufft\";" "did you mean 'transform'?"
eht 3 'uvfits = "nowhere.uvfits";' 'No such file'
eht 3 'uvfits = "ok.txt";' 'ok.txt'
fov=0.0 eht 2 "$ok" 'set fov_uas'
eht 2 "$ok coverage_only = true;" 'no measurements for forward.eht'
sim='{ stage = "simulate"; forward = "eht"; truth = { prior = "tv"; }; },'
eht 2 "$ok" 'measurements of its own'
sim='{ stage = "simulate"; forward = "eht"; truth = "nowhere.fits"; },'
eht 3 'array = "ok.txt";' 'nowhere.fits'
sim='{ stage = "simulate"; forward = "eht"; truth = { prior = "tv"; }; },'
eht 2 'array = "ok.txt";' 'cannot sample'
sim='{ stage = "simulate"; forward = "eht"; truth = { prior = "g"; }; },'
array='array = "ok.txt";'
eht 2 "$array start = 5.0; stop = 4.0;" 'stop'
eht 2 "$array cadence = 0.0;" 'lies outside'
eht 2 "$array min_elevation = 80.0; max_elevation = 20.0;" 'elevation'
eht 2 "$array dec = 95.0;" 'lies outside'
eht 2 "$array mjd = 57849.5;" 'expected an integer'
eht 2 "$array bandwidth = 0.0;" 'lies outside'
eht 3 "$array stations = [\"AA\"];" 'station'
eht 2 "$array ut1_utc = 3.0;" 'lies outside'

# Station tables.
table() { # CONTENT TEXT
	printf '%b' "$1" >"$T/table.txt"
	eht 3 'array = "table.txt";' "$2"
	says table.txt
}
table '' 'table.txt'
table '# only a comment\n' 'table.txt'
table 'AA 2225060.8 -5440059.5 -2481681.1\n' 'table.txt:1'
table 'AA x -5440059.5 -2481681.1 74\n' 'table.txt:1'
table 'AA 2225060.8 -5440059.5 -2481681.1 -74\nSM -5464523.4 -2493147.0 2150611.7 6200\n' 'table.txt:1'
table 'AA 2225.06 -5440.06 -2481.68 74\nSM -5464523.4 -2493147.0 2150611.7 6200\n' 'table.txt:1'
table 'AA 2225060.8 -5440059.5 -2481681.1 74\nAA 2225060.8 -5440059.5 -2481681.1 74\n' 'table.txt:2'
table 'AA 2225060.8 -5440059.5 -2481681.1 nan\nSM -5464523.4 -2493147.0 2150611.7 6200\n' 'table.txt:1'
printf 'AA\000\001\002' >"$T/table.txt"
eht 3 'array = "table.txt";' 'table.txt'

# Matrices.
matrix() { # FILE TEXT
	cat >"$T/bad.cfg" <<-C
	image = { pixels = [8, 1]; };
	forward = { m = { plugin = "linear"; matrix = "$1"; }; };
	priors = { g = { plugin = "gaussian"; }; };
	inference = { exact = { plugin = "exact"; }; };
	run = ( { stage = "simulate"; forward = "m"; truth = { prior = "g"; }; },
	  { stage = "infer"; forward = "m"; priors = ["g"]; inference = ["exact"]; } );
	C
	"$UMBRA" check "$T/bad.cfg" >"$T/out" 2>"$T/err"
	got=$?
	case $got in 2|3) ;; *) echo "exit status $got for $1"; bad=1 ;; esac
	says "$2"
	says "bad.cfg"
}
head -c 40 tests/data/matrix.npy >"$T/short.npy"
matrix short.npy short.npy
printf '\223NUMPY\001\000\377\377' >"$T/header.npy"
matrix header.npy header.npy
sed "s/'<f8'/'<U8'/; s/'<f4'/'<U8'/" tests/data/matrix.npy >"$T/type.npy"
matrix type.npy type.npy
echo text >"$T/text.npy"
matrix text.npy text.npy
: >"$T/empty.npy"
matrix empty.npy empty.npy
cp tests/data/matrix.npy "$T/other.npy"
matrix other.npy other.npy
exit $bad
