# SPDX-License-Identifier: GPL-3.0-or-later
# "make help" lists the targets. SAN=address,undefined, COV=1, V=1, B= and CC= change any of them.
VERSION = 0.1.0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
B      ?= build$(if $(SAN),/san)$(if $(COV),/cov)
# One name for one folder: dependencies are recorded by it.
override B := $(patsubst $(CURDIR)/%,%,$B)
Q       = $(if $(V),,@)
comma   = ,
export PKG_CONFIG_PATH := $(PKG_CONFIG_PATH):$(LIBDIR)/pkgconfig

# Debian packages, for building and for testing; README says what each is for.
PKGS       = libconfig cfitsio erfa fftw3 openblas jansson cairo nettle
BUILD_DEPS = pkg-config libconfig-dev libcfitsio-dev liberfa-dev libfftw3-dev libopenblas-openmp-dev \
	libdnnl-dev zlib1g-dev liblapacke-dev liblbfgs-dev librandom123-dev libjansson-dev libcairo2-dev nettle-dev
TEST_DEPS  = libcunit1-dev g++ fitsverify

CFLAGS ?= -O2 -g
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
PKG_OK := $(shell pkg-config --exists $(PKGS) 2>/dev/null && echo yes)
PKG_C  := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_L  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -llapacke -llbfgs -ldnnl -lz -lm -ldl -lpthread
OTHER  := $(filter-out /usr /usr/local,$(PREFIX))
# One pool of threads with OpenBLAS, which uses gcc's OpenMP; clang builds leave the threads to BLAS.
OMP    := $(if $(findstring clang,$(CC)),,-fopenmp)
SAN_F   = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
# The default build runs on any x86-64; products are not contracted, so that results do not depend on
# the compiler's taste.
UM_C    = -std=c11 -D_POSIX_C_SOURCE=200809L $(WARN) -fPIC -fvisibility=hidden -ffp-contract=off -Icore \
	-MMD -MP $(OMP) $(SAN_F) $(if $(COV),--coverage) -DUM_VERSION='"$(VERSION)"' $(PKG_C) $(OTHER:%=-I%/include)
UM_LD   = $(OMP) $(SAN_F) $(if $(COV),--coverage) $(OTHER:%=-L%/lib)
DEFS    =
# The built program finds libumbra beside it; the installed one is linked for PREFIX and LIBDIR.
RPATH   = -Wl,-rpath,'$$ORIGIN'
TO_LIB  = $(shell realpath -m -s --relative-to=$(PREFIX)/bin $(LIBDIR))

LIB_C   = $(filter-out core/cli/%,$(wildcard core/*/*.c core/nn/ops/*.c))
LIB_O   = $(LIB_C:%.c=$B/%.o) $B/report_css.o $B/report_js.o
CLI_O   = $(patsubst %.c,$B/%.o,$(wildcard core/cli/*.c))
LIB     = $B/libumbra.so
PLUGS   = $(patsubst %.c,$B/%.so,$(wildcard plugins/*/*.c))
TESTS   = $(patsubst %.c,$B/%,$(wildcard tests/unit/test_*.c))
FUZZ    = $(patsubst %.c,$B/%,$(wildcard tests/fuzz/fuzz_*.c))
# What a fuzz target is linked with: its own main, or libFuzzer's.
FUZZ_O  = $B/tests/fuzz/main.o
FUZZ_LD =
SECONDS ?= 600
BADS    = $(patsubst %.c,$B/%.so,$(wildcard tests/plugins/*.c))
SOURCES = $(wildcard core/*/*.c core/nn/ops/*.c plugins/*/*.c tests/*/*.c)

all: need-packages $B/umbra $(PLUGS)  ## the program, libumbra and every plugin

need-packages:
ifneq ($(PKG_OK),yes)
	@echo "umbra needs packages that pkg-config does not find among: $(PKGS)."; \
	 echo "'make deps' installs them; their Debian names are: $(BUILD_DEPS)"; exit 1
endif

# Kernels of networks are loops for the compiler to vectorise, with fused products.
GNU     = $(if $(findstring clang,$(CC)),,yes)
NN_C    = -ffp-contract=fast -fno-math-errno -fno-trapping-math -ftree-vectorize \
	$(if $(GNU),-fvect-cost-model=dynamic) $(if $(findstring x86_64,$(shell uname -m)),-mprefer-vector-width=512)
$B/core/nn/%.o: NN = $(NN_C)

$B/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(UM_C) $(NN) $(CPPFLAGS) $(CFLAGS) -c $< -o $@
# Style and script of the report, as arrays of bytes.
$B/report_%.c:
	@mkdir -p $(@D)
	@{ echo 'extern const unsigned char um_report_$*[]; const unsigned char um_report_$*[] = {'; \
	  cat $^ | od -An -v -tu1 | sed 's/[0-9][0-9]*/&,/g'; echo '0 };'; } >$@
$B/report_css.c: core/report/report.css
$B/report_js.c: $(wildcard core/report/*.js)
$B/report_%.o: $B/report_%.c
	$(Q)$(CC) $(UM_C) $(CPPFLAGS) $(CFLAGS) -c $< -o $@
$(LIB): $(LIB_O)
	$(Q)$(CC) -shared -Wl,-soname,libumbra.so.1 -Wl,--version-script=core/exports.map $(UM_LD) $(LDFLAGS) $^ $(PKG_L) $(DEFS) -o $@
	@ln -sf libumbra.so $B/libumbra.so.1
$B/umbra: $(CLI_O) $(LIB)
	$(Q)$(CC) $(UM_LD) $(LDFLAGS) $(CLI_O) -L$B -lumbra -ljansson -lm $(RPATH) -o $@
$B/plugins/%.so: $B/plugins/%.o $(LIB)
	$(Q)$(CC) -shared $(UM_LD) $(LDFLAGS) $< -L$B -lumbra -lm $(DEFS) -o $@
# The man page says what "umbra help" says.
$B/umbra.1: $B/umbra
	@{ echo '.TH UMBRA 1 "" "umbra $(VERSION)"'; echo '.SH NAME'; \
	  echo 'umbra \- measurements to a posterior over images'; echo '.SH COMMANDS'; echo .nf; \
	  $< help | sed 's/-/\\-/g'; echo .fi; echo '.SH SEE ALSO'; echo '.BR umbra-pipeline (5),'; \
	  echo '.BR umbra-plugin (7)'; } >$@
$B/tests/plugins/%.so: $B/tests/plugins/%.o $(LIB)
	$(Q)$(CC) -shared $(UM_LD) $(LDFLAGS) $< -L$B -lumbra -lm -o $@
$B/tests/unit/%: $B/tests/unit/%.o $(LIB)
	$(Q)$(CC) $(UM_LD) $(LDFLAGS) $< -L$B -lumbra -Wl,-rpath,$(abspath $B) $(PKG_L) -lcunit -o $@
$B/tests/fuzz/fuzz_%: $B/tests/fuzz/fuzz_%.o $(FUZZ_O) $(LIB)
	$(Q)$(CC) $(UM_LD) $(FUZZ_LD) $(LDFLAGS) $< $(FUZZ_O) -L$B -lumbra -Wl,-rpath,$(abspath $B) $(PKG_L) -o $@

# ---- for users ---------------------------------------------------------------------------------

demo: deps-build  ## install what is missing, build, run the quick start
	@$(MAKE) --no-print-directory all
	@rm -rf runs/quickstart
	@$B/umbra run pipelines/quickstart.cfg -o runs/quickstart
	@echo "Open $(CURDIR)/runs/quickstart/report.html in a browser."

deps: deps-build deps-test  ## install the packages for building and testing (nothing else does)
deps-build:
	@sh share/deps.sh $(BUILD_DEPS)
deps-test:
	@sh share/deps.sh $(TEST_DEPS)

check: deps-build deps-test  ## install what is missing, build, run every test
	@$(MAKE) --no-print-directory check-all
check-all: all $(TESTS) $(BADS) $(FUZZ)
	@UMBRA_BUILD=$B CC="$(CC)" SAN="$(SAN)" COV="$(COV)" sh tests/run.sh
ifneq ($(COV),)
	@sh tests/coverage.sh $B
endif

# Guides in share/doc are the man pages, too; keys and plugins come from the program.
GUIDE = awk -v name=$(basename $(@F)) -v section=$(patsubst .%,%,$(suffix $@)) -v version=$(VERSION) -f share/doc/man.awk
$B/umbra-plugin.7: share/doc/plugins.md share/doc/man.awk
	@$(GUIDE) -v about='how to write plugins of umbra' $< >$@
$B/umbra-pipeline.5: share/doc/pipeline.md share/doc/man.awk $B/umbra $(PLUGS)
	@{ $(GUIDE) -v about='what a pipeline file of umbra says' $<; \
	  echo '.SH KEYS'; echo .nf; $B/umbra help pipeline | sed 's/-/\\-/g'; echo .fi; \
	  echo '.SH PLUGINS'; echo .nf; $B/umbra list | sed 's/-/\\-/g'; echo .fi; \
	  echo '.SH SEE ALSO'; echo '.BR umbra (1),'; echo '.BR umbra-plugin (7)'; } >$@

install: all $B/umbra.1 $B/umbra-pipeline.5 $B/umbra-plugin.7  ## under PREFIX (LIBDIR for libraries), below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include/umbra \
	  $(DESTDIR)$(PREFIX)/share/umbra $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 \
	  $(DESTDIR)$(PREFIX)/share/man/man7
	$(Q)$(CC) $(UM_LD) $(LDFLAGS) $(CLI_O) -L$B -lumbra -ljansson -lm -Wl,-rpath,'$$ORIGIN/$(TO_LIB)' \
	  -o $(DESTDIR)$(PREFIX)/bin/umbra
	install -m644 $(LIB) $(DESTDIR)$(LIBDIR)/libumbra.so.1
	ln -sf libumbra.so.1 $(DESTDIR)$(LIBDIR)/libumbra.so
	install -m644 core/umbra/*.h $(DESTDIR)$(PREFIX)/include/umbra
	for p in $(PLUGS:$B/plugins/%=%); do \
	  install -D -m644 $B/plugins/$$p $(DESTDIR)$(LIBDIR)/umbra/$$p || exit 1; done
	for d in arrays weights examples; do test ! -d share/$$d || cp -r share/$$d $(DESTDIR)$(PREFIX)/share/umbra/; done
	install -d $(DESTDIR)$(PREFIX)/share/umbra/pipelines
	install -m644 pipelines/*.cfg $(DESTDIR)$(PREFIX)/share/umbra/pipelines
	install -D -m644 share/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/umbra
	install -m644 $B/umbra.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m644 $B/umbra-pipeline.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m644 $B/umbra-plugin.7 $(DESTDIR)$(PREFIX)/share/man/man7
	sed 's|@PREFIX@|$(PREFIX)|;s|@LIBDIR@|$(LIBDIR)|;s|@VERSION@|$(VERSION)|' share/umbra.pc.in \
	  >$(DESTDIR)$(LIBDIR)/pkgconfig/umbra.pc

# ---- for developers ----------------------------------------------------------------------------

fuzz: all $(FUZZ)  ## broken files for every reader, SECONDS each (needs clang)
	@$(MAKE) --no-print-directory fuzz-build
	@UMBRA_BUILD=$B sh tests/fuzz/run.sh $(SECONDS)
fuzz-build:
	@$(MAKE) --no-print-directory B=$B/fuzz CC=clang SAN=fuzzer-no-link,address,undefined FUZZ_O= \
	  FUZZ_LD=-fsanitize=fuzzer all $(FUZZ:$B/%=$B/fuzz/%)
bench: all  ## speeds on this machine
	@$B/umbra bench
validate: all  ## slow comparisons with references, into share/results; WHAT="NAME..." for some
	@sh tests/validate.sh $B $(WHAT)
tsan:  ## every plugin in two threads under ThreadSanitizer
	@$(MAKE) --no-print-directory B=$B/tsan SAN=thread OMP= all $B/tsan/tests/plugins/writable_static.so
	@sh tests/threads.sh $B/tsan
memcheck: all  ## valgrind on every inference plugin
	@sh tests/memcheck.sh $B
abi:  ## write down the plugin ABI, after a change that old plugins survive
	@UPDATE=1 UMBRA_BUILD=$B sh tests/pipelines/abi.sh
stats:  ## median and longest function and file
	@sh tests/stats.sh
compile_commands.json: Makefile  ## for clang-tidy and editors
	@{ echo '['; s=; for f in $(SOURCES); do printf \
	  '%s{"directory":"%s","file":"%s","arguments":["$(CC)"' "$$s" "$(CURDIR)" $$f; \
	  for a in $(filter-out -MMD -MP,$(UM_C)) $(CFLAGS); do printf ',"%s"' "$$(echo "$$a" | sed 's/"/\\"/g')"; done; \
	  printf ',"-c","%s"]}\n' $$f; s=,; done; echo ']'; } >$@
help:  ## this list
	@sed -n 's/^\([a-z_.-]*\):.*##  *\(.*\)/\1\t\2/p' Makefile | sort | awk -F'\t' '{ printf "  %-22s %s\n", $$1, $$2 }'
	@echo "  SAN=address,undefined, COV=1, V=1, B=, CC=, CFLAGS=, PREFIX=, DESTDIR= change any target."
clean:  ## remove what was built
	rm -rf build compile_commands.json

.SECONDARY:
.PHONY: all need-packages demo deps deps-build deps-test check check-all install fuzz fuzz-build bench validate tsan memcheck abi stats help clean
-include $(shell find $B -name '*.d' 2>/dev/null)
