# pgmesh: everything is built from here, without a configure step. `make help` lists the targets.
#
# What one may set, on the command line or in the environment:
#
#   NEXT=1                  the test build that stands for the next version of the protocol, in build/next/
#   SAN=address,undefined   a flavour of its own, in build/san-address-undefined/; the plain one is build/default/
#   WERROR=0                warnings do not stop the build
#   V=1                     show the commands
#   CC, CFLAGS, LDFLAGS, HARDEN, BUILDDIR, PREFIX, DESTDIR
#   UNITDIR, SYSUSERSDIR, TMPFILESDIR   `make install` puts systemd's files there; empty: nowhere
#   SIM_SECONDS, SIM_SEEDS, FUZZ_SECONDS, CHECK_SECONDS
#
# A new source file in one of the directories below is found by itself. Includes are written from the
# repository's root. A test in tests/unit/ or tests/fuzz/ that needs more than the core says so in a line of
# its own, for example:   // LINK: node/pg_config.c

# The version, here and in packaging/deb/changelog and packaging/rpm/pgmesh.spec; packaging/test-packages.sh compares.
VERSION      := 0.1

BUILDDIR     ?= build
SAN          ?=
NEXT         ?=
WERROR       ?= 1
PREFIX       ?= /usr/local
BINDIR       ?= $(PREFIX)/bin
DOCDIR       ?= $(PREFIX)/share/doc/pgmesh
SHAREDIR     ?= $(PREFIX)/share/pgmesh
MANDIR       ?= $(PREFIX)/share/man
BASHDIR      ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR       ?= $(PREFIX)/share/zsh/site-functions
UNITDIR      ?=
SYSUSERSDIR  ?=
TMPFILESDIR  ?=
SIM_SECONDS  ?= 120
SIM_SEEDS    ?= 1000000
FUZZ_SECONDS ?= 60

comma   := ,
space   := $() $()
FLAVOUR := $(if $(NEXT),next,$(if $(SAN),san-$(subst $(comma),-,$(SAN)),default))
B       := $(BUILDDIR)/$(FLAVOUR)
Q       := $(if $(V),,@)
say      = @printf '  %-5s %s\n' '$(1)' '$(2)'

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# The scripts look for what was built here.
export PGMESH_BUILD := $(B)

# ---- sources, ring by ring ----------------------------------------------------------------------------------

CORE_SRC    := $(wildcard policy/*.c mesh/*.c)
IO_SRC      := $(wildcard mesh/io/*.c)
GUARD_SRC   := $(wildcard node/guard*.c) node/watchdog.c
FENCE_SRC   := $(wildcard node/fence*.c)
NODE_SRC    := $(filter-out $(GUARD_SRC),$(wildcard node/*.c))
WITNESS_SRC := $(wildcard witness/*.c)
INSPECT_SRC := $(wildcard mesh/inspect/*.c)
HTTP_SRC    := $(wildcard mesh/http/*.c)
SIM_SRC     := $(wildcard tests/sim/*.c tests/sim/*/*.c)
SIM_CORE    := $(filter-out mesh/sign.c,$(CORE_SRC))
UNIT_SRC    := $(wildcard tests/unit/test_*.c)
FUZZ_SRC    := $(wildcard tests/fuzz/fuzz_*.c)
LIVE_SRC    := $(wildcard tests/live/writer.c tests/live/checker.c tests/live/flood.c tests/live/wire.c tests/live/pageout.c tests/live/foe.c)

object = $(patsubst %.c,$(B)/obj/%.o,$(1))

# ---- libraries ----------------------------------------------------------------------------------------------

# msgpack-c is called msgpack on Debian 12 and EPEL 9, msgpack-c on later systems.
MSGPACK := $(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)

NEEDED := libzmq libsodium libpq jansson libmicrohttpd gnutls libcurl $(MSGPACK)

cflags_of = $(shell pkg-config --cflags $(1) 2>/dev/null)
libs_of   = $(shell pkg-config --libs $(1) 2>/dev/null)

MSGPACK_LIBS := $(call libs_of,$(MSGPACK))
MESH_CFLAGS  := $(call cflags_of,libsodium $(MSGPACK))
IO_CFLAGS    := $(call cflags_of,libzmq libsodium jansson)
IO_LIBS      := $(call libs_of,libzmq libsodium jansson $(MSGPACK))
HTTP_CFLAGS  := $(call cflags_of,libmicrohttpd gnutls libcurl)
HTTP_LIBS    := $(call libs_of,libmicrohttpd gnutls libcurl)
PQ_CFLAGS    := $(call cflags_of,libpq)
PQ_LIBS      := $(call libs_of,libpq)
CHECK_CFLAGS := $(call cflags_of,check)
CHECK_LIBS   := $(call libs_of,check)

# ---- flags --------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-format-truncation $(if $(filter-out 0,$(WERROR)),-Werror)
CFLAGS   ?= -O2 -g
HARDEN   ?= $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection)

# clang's libFuzzer brings a main(), so `fuzzer` itself is named only where a fuzz target is linked.
SANITIZERS := $(subst $(space),$(comma),$(patsubst fuzzer,fuzzer-no-link,$(subst $(comma), ,$(SAN))))
SANITIZE   := $(if $(SAN),-fsanitize=$(SANITIZERS) -fno-sanitize-recover=all)

# -I. and nothing but: an include names its ring.
COMPILE = $(CC) -std=gnu11 $(CFLAGS) -fPIE -fno-omit-frame-pointer $(WARNINGS) $(HARDEN) $(SANITIZE) $(CPPFLAGS) $(if $(NEXT),-DPGMESH_PROTOCOL_NEXT) -I. -MMD -MP
LINK    = $(CC) $(CFLAGS) -fPIE -pie $(SANITIZE) -Wl,-z,relro -Wl,-z,now -Wl,--as-needed $(LDFLAGS)

# What a directory's sources may see beyond the root and the system: the core has no threads and no libpq.
FLAGS_policy       :=
FLAGS_mesh         := $(MESH_CFLAGS)
FLAGS_mesh/io      := -pthread $(IO_CFLAGS)
FLAGS_mesh/inspect := -pthread $(IO_CFLAGS)
FLAGS_mesh/http    := -pthread $(IO_CFLAGS) $(HTTP_CFLAGS)
FLAGS_node         := -pthread $(IO_CFLAGS) $(PQ_CFLAGS)
FLAGS_witness      := -pthread $(IO_CFLAGS)
# Their --version.
FLAGS_node         += -DPGMESH_VERSION='"$(VERSION)"'
FLAGS_mesh/http    += -DPGMESH_VERSION='"$(VERSION)"'
FLAGS_mesh/inspect += -DPGMESH_VERSION='"$(VERSION)"'
FLAGS_witness      += -DPGMESH_VERSION='"$(VERSION)"'
FLAGS_tests/unit   := -pthread $(HTTP_CFLAGS) $(MESH_CFLAGS) $(IO_CFLAGS) $(PQ_CFLAGS) $(CHECK_CFLAGS)
FLAGS_tests/fuzz   := -pthread $(MESH_CFLAGS) $(IO_CFLAGS) -DPGMESH_VERSION='"$(VERSION)"'
FLAGS_tests/live   := $(PQ_CFLAGS)
FLAGS_tests/bench  := -pthread $(MESH_CFLAGS) $(IO_CFLAGS)

# ---- programs -----------------------------------------------------------------------------------------------

PROGRAMS := $(if $(NODE_SRC),pgmesh-node) $(if $(GUARD_SRC),pgmesh-guard) \
            $(if $(WITNESS_SRC),pgmesh-witness) $(if $(INSPECT_SRC),pgmesh) \
            $(if $(HTTP_SRC),pgmesh-http)
ABSENT   := $(filter-out $(PROGRAMS),pgmesh-node pgmesh-guard pgmesh-witness pgmesh pgmesh-http)

.PHONY: all
all: $(PROGRAMS:%=$(B)/%) ## the programs, in build/default/
	$(if $(ABSENT),@echo 'note: no sources yet for $(ABSENT)')

LIBCORE := $(B)/libcore.a
LIBIO   := $(B)/libio.a

$(LIBCORE): $(call object,$(CORE_SRC))
$(LIBIO): $(call object,$(IO_SRC))

$(B)/pgmesh-node: $(call object,$(NODE_SRC)) $(LIBIO) $(LIBCORE)
$(B)/pgmesh-node: LIBS = $(PQ_LIBS) $(IO_LIBS) -pthread

# The fence must work when nothing else does: no library but libc. From the archive it takes only what it
# names, and whatever wants libsodium or msgpack fails to link here.
$(B)/pgmesh-guard: $(call object,$(GUARD_SRC) $(FENCE_SRC)) $(LIBCORE)
$(B)/pgmesh-guard: LIBS =

$(B)/pgmesh-witness: $(call object,$(WITNESS_SRC)) $(LIBIO) $(LIBCORE)
$(B)/pgmesh-witness: LIBS = $(IO_LIBS) -pthread

$(B)/pgmesh: $(call object,$(INSPECT_SRC)) $(LIBIO) $(LIBCORE)
$(B)/pgmesh: LIBS = $(IO_LIBS) -pthread

$(B)/pgmesh-http: $(call object,$(HTTP_SRC)) $(LIBIO) $(LIBCORE)
$(B)/pgmesh-http: LIBS = $(HTTP_LIBS) $(IO_LIBS) -pthread

$(B)/pgmesh-node $(B)/pgmesh-guard $(B)/pgmesh-witness $(B)/pgmesh $(B)/pgmesh-http: $(B)/sources
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

# Texts that become part of the program.
$(B)/obj/mesh/http/answer.o: mesh/http/page.html mesh/http/openapi.json

# An archive is made anew each time, so that a source that went away leaves nothing behind in it.
$(LIBCORE) $(LIBIO): $(B)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) $(FLAGS_$(patsubst %/,%,$(dir $<))) -c -o $@ $<

# Two stamps, touched only when their text changes: other flags rebuild all, another list of sources links anew.
$(B)/flags: TEXT = $(COMPILE) $(LINK) $(VERSION)
$(B)/sources: TEXT = $(CORE_SRC) $(IO_SRC) $(NODE_SRC) $(GUARD_SRC) $(WITNESS_SRC) $(INSPECT_SRC) $(HTTP_SRC) $(SIM_SRC)
$(B)/flags $(B)/sources: FORCE | libraries
	@mkdir -p $(@D)
	@printf '%s\n' '$(TEXT)' | cmp -s - $@ || printf '%s\n' '$(TEXT)' >$@

.PHONY: FORCE libraries
libraries:
	@pkg-config --exists $(NEEDED) 2>/dev/null || { \
	    echo 'make: ERROR:  a library or pkg-config itself is missing' >&2; \
	    echo 'DETAIL:  Needed are $(NEEDED).' >&2; \
	    echo 'HINT:  Run packaging/install-deps.sh build' >&2; exit 1; }

# ---- simulator: the core once more, with every safety rule removable -----------------------------------------

SIM     := $(B)/sim
SIM_OBJ := $(patsubst %.c,$(B)/sim-objs/%.o,$(SIM_SRC) $(SIM_CORE))

$(B)/sim-objs/%.o: %.c $(B)/flags
	$(call say,CC,$< (sim))
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -O2 -DPGMESH_MUTANTS $(MESH_CFLAGS) -c -o $@ $<

# And once again as the version of the protocol to come, its names prefixed: a simulated cluster may run both.
$(B)/sim-next/%.o: %.c $(B)/flags
	$(call say,CC,$< (sim, next))
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -O2 -DPGMESH_MUTANTS -DPGMESH_PROTOCOL_NEXT $(MESH_CFLAGS) -c -o $@ $<

$(B)/sim-next/core.o: $(SIM_CORE:%.c=$(B)/sim-next/%.o) $(B)/sources
	$(call say,LINK,$@)
	$(Q)ld -r -o $@.parts $(filter %.o,$^)
	$(Q)nm -g --defined-only $@.parts | awk 'NF == 3 && ($$3 !~ /^__/ || $$3 ~ /^__odr_asan/) {print $$3, "next_" $$3}' >$@.names
	$(Q)objcopy --redefine-syms=$@.names $@.parts $@

$(SIM): $(SIM_OBJ) $(B)/sim-next/core.o $(B)/sources
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(MSGPACK_LIBS) -lm

.PHONY: sim-build sim sim-scenarios sim-replay sim-seeds mutants
sim-build: $(if $(SIM_SRC),$(SIM))

sim: sim-scenarios sim-replay ## simulator: narrated scenarios, then seeds for SIM_SECONDS
	$(Q)$(MAKE) --no-print-directory sim-seeds

sim-scenarios: $(SIM)
	$(SIM) --scenarios tests/sim/scenarios

sim-replay: $(SIM)
	$(SIM) --self-test

sim-seeds: $(SIM)
	$(SIM) --seeds $(SIM_SEEDS) --budget $(SIM_SECONDS) --jobs 0

mutants: $(SIM) ## simulator: each safety rule left out must be noticed
	PGMESH_SIM=$(SIM) tests/sim/mutants.sh $(SIM)

.PHONY: model
model: ## model checker (spin): the protocol in a small scope, exhaustively; and each rule left out
	$(Q)tests/model/run.sh

# ---- unit tests ---------------------------------------------------------------------------------------------

# What a test's LINK lines name, and libio when the test or one of those includes it.
linked   = $(wildcard $(shell sed -n 's,^// LINK:,,p' $(1)))
wants_io = $(shell grep -lsE '^[[:space:]]*\#[[:space:]]*include "(mesh/io|node|witness|mesh/inspect|mesh/http)/' $(1) | head -n 1)

define test_binary # directory, name, more objects
$(B)/$(1)/$(2): $$(call object,tests/$(1)/$(2).c $(call linked,tests/$(1)/$(2).c)) $(3) \
    $(if $(call wants_io,tests/$(1)/$(2).c $(call linked,tests/$(1)/$(2).c)),$(LIBIO)) $(LIBCORE)
endef

UNIT := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))
$(foreach source,$(UNIT_SRC),$(eval $(call test_binary,unit,$(basename $(notdir $(source))))))

$(UNIT): $(B)/unit/%: $(B)/flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(CHECK_LIBS) $(PQ_LIBS) $(HTTP_LIBS) $(IO_LIBS) -pthread -lm

.PHONY: unit unit-build unit-run
unit-build: $(UNIT)
unit: unit-build ## unit tests
	$(Q)tests/run-unit.sh $(UNIT)
unit-run:
	$(Q)tests/run-unit.sh $(UNIT)

.PHONY: next next-test
ifeq ($(NEXT),)
next next-test: ## the members' programs as the next version of the protocol, in build/next/; the tests of two versions
	+$(Q)$(MAKE) --no-print-directory NEXT=1 $@
else
next: $(B)/pgmesh-node $(B)/pgmesh-guard $(B)/pgmesh-witness
next-test: $(B)/unit/test_version
	$(Q)tests/run-unit.sh $(B)/unit/test_version
endif

# ---- fuzzing: the corpus with any compiler, the hunt with clang's libFuzzer ------------------------------------

HUNT := $(findstring fuzzer,$(SAN))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))
$(foreach source,$(FUZZ_SRC),$(eval $(call test_binary,fuzz,$(basename $(notdir $(source))),$(if $(HUNT),,$$(call object,tests/fuzz/replay.c)))))

$(FUZZ): $(B)/fuzz/%: $(B)/flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) $(if $(HUNT),-fsanitize=$(SAN)) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PQ_LIBS) $(HTTP_LIBS) $(IO_LIBS) -pthread

# A target exports nothing but its one function, which no header declares.
$(FUZZ_SRC:%.c=$(B)/obj/%.o): FLAGS_tests/fuzz += -Wno-missing-prototypes

.PHONY: fuzz fuzz-corpus fuzz-build
fuzz-build: $(FUZZ)
ifeq ($(SAN),)
fuzz-corpus: ## fuzz targets over their stored inputs, under the sanitizers
	+$(Q)$(MAKE) --no-print-directory SAN=address,undefined fuzz-corpus
else
fuzz-corpus: $(FUZZ)
	$(Q)tests/run-fuzz.sh corpus $(FUZZ)
endif
ifeq ($(HUNT),)
fuzz: ## libFuzzer on every target, FUZZ_SECONDS each
	$(Q)packaging/install-deps.sh fuzz
	+$(Q)$(MAKE) --no-print-directory CC=clang-14 SAN=fuzzer,address,undefined WERROR=0 fuzz
else
fuzz: $(FUZZ)
	$(Q)tests/run-fuzz.sh hunt $(FUZZ_SECONDS) $(FUZZ)
endif

# ---- the client of the live tests, and what checks its log --------------------------------------------------------

LIVE := $(patsubst tests/live/%.c,$(B)/live/%,$(LIVE_SRC))
$(foreach source,$(LIVE_SRC),$(eval $(call test_binary,live,$(basename $(notdir $(source))))))

$(LIVE): $(B)/live/%: $(B)/flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PQ_LIBS) $(LIVE_LIBS)
$(B)/live/foe: LIVE_LIBS = $(IO_LIBS) -pthread

# Loaded into other programs: position independent, and with no library of its own.
PRELOADED := $(B)/live/wallclock.so $(B)/live/fserror.so
$(PRELOADED): $(B)/live/%.so: tests/live/%.c $(B)/flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(CFLAGS) $(WARNINGS) -fPIC -shared -o $@ $<

# ---- the load that the bench puts on a witness ----------------------------------------------------------------------------

BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH     := $(patsubst tests/bench/%.c,$(B)/bench/%,$(BENCH_SRC))
$(foreach source,$(BENCH_SRC),$(eval $(call test_binary,bench,$(basename $(notdir $(source))))))

$(BENCH): $(B)/bench/%: $(B)/flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(IO_LIBS) -pthread

.PHONY: bench-build
bench-build: $(BENCH)

.PHONY: live-build
live-build: $(LIVE) $(if $(SAN),,$(PRELOADED))

# ---- the whole, and what runs real PostgreSQL -------------------------------------------------------------------

.PHONY: check layers demo live runbooks migrate-test page-test bench soak
check: ## everything: installs what is missing, builds, runs all tests, ends with one line of counts
	+$(Q)MAKE='$(MAKE)' tests/check.sh

layers: ## the rings: who includes whom, and what the core wants from the linker
	+$(Q)MAKE='$(MAKE)' tests/layers.sh

# Build after the installation, in a fresh make: this one asked pkg-config before it.
demo: ## a cluster on this machine, a failover, and the proof that nothing was lost
	$(Q)packaging/install-deps.sh demo
	+$(Q)$(MAKE) --no-print-directory all live-build
	$(Q)tests/live/demo.sh

live: ## tests with real PostgreSQL servers
	$(Q)packaging/install-deps.sh test
	+$(Q)$(MAKE) --no-print-directory all live-build bench-build next
	$(Q)tests/live/run.sh && tests/live/chaos.sh --each

runbooks: ## docs/runbooks as they stand, on real servers
	$(Q)packaging/install-deps.sh test
	+$(Q)$(MAKE) --no-print-directory all live-build
	$(Q)tests/live/runbooks.sh

migrate-test: ## docs/migration.md as it stands, with Debian's Patroni and repmgr
	$(Q)packaging/install-deps.sh peers
	+$(Q)$(MAKE) --no-print-directory all live-build
	$(Q)tests/live/run.sh migrate

page-test: ## the page in a headless browser, in front of a real cluster
	$(Q)packaging/install-deps.sh page
	+$(Q)$(MAKE) --no-print-directory all live-build
	$(Q)tests/page/run.sh

bench: ## measures outages, footprint and price, beside Patroni
	$(Q)packaging/install-deps.sh peers
	+$(Q)$(MAKE) --no-print-directory all live-build bench-build
	$(Q)tests/bench/run.sh

soak: ## faults by the hour
	$(Q)packaging/install-deps.sh demo
	+$(Q)$(MAKE) --no-print-directory all live-build sim-build
	$(Q)tests/soak.sh

# ---- housekeeping -------------------------------------------------------------------------------------------

.PHONY: format install clean help
format: ## clang-format over all C sources
	$(Q)packaging/install-deps.sh format
	$(Q)find policy mesh node witness tests -name '*.[ch]' | xargs -r clang-format -i

# What others read: Prometheus, Grafana, HAProxy, PgBouncer.
SHARED = $(patsubst packaging/%,%,$(wildcard packaging/prometheus/*.yml packaging/grafana/*.json packaging/haproxy/* packaging/pgbouncer/*))
install: all man ## into DESTDIR, below PREFIX
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(DOCDIR)
	install -m 755 $(PROGRAMS:%=$(B)/%) packaging/pgmesh-member $(DESTDIR)$(BINDIR)
	install -m 644 LICENSE $(DESTDIR)$(DOCDIR)
	for page in $(B)/man/*.[1-8]; do install -D -m 644 "$$page" "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}"; done
	for file in $(SHARED); do install -D -m 644 packaging/$$file $(DESTDIR)$(SHAREDIR)/$$file || exit 1; done
	install -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	$(B)/pgmesh completion bash >$(DESTDIR)$(BASHDIR)/pgmesh
	$(B)/pgmesh completion zsh >$(DESTDIR)$(ZSHDIR)/_pgmesh
	$(if $(UNITDIR),packaging/systemd/install.sh '$(DESTDIR)$(UNITDIR)' '$(BINDIR)')
	$(if $(SYSUSERSDIR),install -D -m 644 packaging/systemd/pgmesh.sysusers $(DESTDIR)$(SYSUSERSDIR)/pgmesh.conf)
	$(if $(TMPFILESDIR),install -D -m 644 packaging/systemd/pgmesh.tmpfiles $(DESTDIR)$(TMPFILESDIR)/pgmesh.conf)

.PHONY: man
man: $(B)/man/made ## manual pages, from the programs' own help, in build/default/man/
$(B)/man/made: $(PROGRAMS:%=$(B)/%) $(wildcard packaging/man/*) packaging/deb/changelog Makefile
	$(call say,MAN,$(B)/man)
	$(Q)rm -rf $(B)/man && packaging/man/make.sh $(B) $(B)/man && touch $@

# ---- packages -------------------------------------------------------------------------------------------------

.PHONY: deb rpm packages-check packages-test
deb: ## Debian packages, in build/deb/
	$(Q)packaging/install-deps.sh package
	$(Q)packaging/deb/build.sh $(BUILDDIR)/deb
rpm: ## rpm packages for EL 9 and Fedora, and a source rpm, in build/rpm/
	$(Q)packaging/install-deps.sh package
	$(Q)packaging/rpm/build.sh $(BUILDDIR)/rpm
packages-check: ## builds the packages, reads and installs them in a clean root
	$(Q)packaging/install-deps.sh package
	$(Q)packaging/test-packages.sh
packages-test: ## boots three hosts with systemd: install, upgrade under writes, purge; and the rpm as far as Debian can
	$(Q)packaging/install-deps.sh package
	+$(Q)$(MAKE) --no-print-directory live-build
	$(Q)packaging/test-booted.sh
	$(Q)packaging/test-rpm.sh

.PHONY: appliance appliance-test
appliance: ## the witness as a bootable image and an OCI image, in build/appliance/
	$(Q)packaging/install-deps.sh appliance
	+$(Q)$(MAKE) --no-print-directory $(B)/pgmesh-witness $(B)/pgmesh
	$(Q)packaging/appliance/build.sh $(BUILDDIR)/appliance
appliance-test: appliance ## boots it (software emulation) as a voter of a real mesh, and cuts its power
	+$(Q)$(MAKE) --no-print-directory all live-build
	$(Q)tests/appliance.sh

clean: ## removes what was built
	rm -rf $(BUILDDIR)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

-include $(patsubst %.o,%.d,$(call object,$(CORE_SRC) $(IO_SRC) $(NODE_SRC) $(GUARD_SRC) $(WITNESS_SRC) \
    $(INSPECT_SRC) $(HTTP_SRC) $(wildcard tests/unit/*.c) $(FUZZ_SRC) tests/fuzz/replay.c $(LIVE_SRC) tests/live/acklog.c $(BENCH_SRC)) $(SIM_OBJ) $(SIM_CORE:%.c=$(B)/sim-next/%.o))
