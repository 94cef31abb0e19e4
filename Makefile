# SPDX-License-Identifier: GPL-3.0-or-later
# make help lists the targets. SAN=address,undefined, COV=1, V=1, B=, CC= change any of them.
VERSION = 0.1.0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
B      ?= build$(if $(SAN),/san)$(if $(COV),/cov)
Q       = $(if $(V),,@)

PKGS    = libconfig cfitsio fftw3 openblas jansson cairo nettle
BUILD_DEPS = pkg-config libconfig-dev libcfitsio-dev libfftw3-dev libopenblas-openmp-dev \
	liblapacke-dev liblbfgs-dev librandom123-dev libjansson-dev libcairo2-dev nettle-dev
TEST_DEPS  = libcunit1-dev g++ fitsverify

CFLAGS ?= -O2 -g
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
UM_C    = -std=c11 -D_POSIX_C_SOURCE=200809L $(WARN) -fPIC -fvisibility=hidden -Icore -MMD -MP \
	-ffp-contract=off $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer) $(if $(COV),--coverage) \
	-DUM_VERSION='"$(VERSION)"' $(PKG_C)
UM_LD   = $(if $(SAN),-fsanitize=$(SAN)) $(if $(COV),--coverage)
PKG_C  := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_L  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -llapacke -llbfgs -lm -ldl -lpthread

LIB_C   = $(filter-out core/cli/%,$(wildcard core/*/*.c))
LIB_O   = $(LIB_C:%.c=$B/%.o)
CLI_O   = $(patsubst %.c,$B/%.o,$(wildcard core/cli/*.c))
LIB     = $B/libumbra.so
PLUGS   = $(patsubst %.c,$B/%.so,$(wildcard plugins/*/*.c))
TESTS   = $(patsubst %.c,$B/%,$(wildcard tests/unit/test_*.c))
BADS    = $(patsubst %.c,$B/%.so,$(wildcard tests/plugins/*.c))

all: $B/umbra $(PLUGS)  ## the program, libumbra and every plugin

$B/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(UM_C) $(CPPFLAGS) $(CFLAGS) -c $< -o $@
$(LIB): $(LIB_O)
	$(Q)$(CC) -shared -Wl,-soname,libumbra.so.1 $(UM_LD) $(LDFLAGS) $^ $(PKG_L) -Wl,-z,defs -o $@
	@ln -sf libumbra.so $B/libumbra.so.1
$B/umbra: $(CLI_O) $(LIB)
	$(Q)$(CC) $(UM_LD) $(LDFLAGS) $(CLI_O) -L$B -lumbra -ljansson -lm -Wl,-rpath,'$$ORIGIN:$$ORIGIN/../$(notdir $(LIBDIR))' -o $@
$B/plugins/%.so: $B/plugins/%.o $(LIB)
	$(Q)$(CC) -shared $(UM_LD) $(LDFLAGS) $< -L$B -lumbra -lm $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -o $@
$B/tests/plugins/%.so: $B/tests/plugins/%.o $(LIB)
	$(Q)$(CC) -shared $(UM_LD) $(LDFLAGS) $< -L$B -lumbra -lm -o $@
$B/tests/unit/%: $B/tests/unit/%.o $(LIB)
	$(Q)$(CC) $(UM_LD) $(LDFLAGS) $< -L$B -lumbra -Wl,-rpath,$(abspath $B) -lcunit -ljansson -lm -o $@
comma = ,

unit: all $(TESTS) $(BADS)  ## unit tests alone
	@for t in $(TESTS); do $$t >$$t.log 2>&1 || { cat $$t.log; echo FAIL $$t; exit 1; }; echo ok $$t; done

.SECONDARY:
.PHONY: all unit
-include $(shell find $B -name '*.d' 2>/dev/null)
