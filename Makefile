# kubedl-shipper. `make help` lists the targets.
#
# One run of make builds one variant in $(BUILD)/$(VARIANT)/; variants lie side by side, and two
# runs with different BUILD do not disturb each other. What to compile is found by wildcard:
#
#   lib/ROOM/*.c                 lib.a       pure: no loop, no database, no clock
#   sidecar/ROOM/*.c             sidecar.a   the process, so that tests can link its parts
#   sidecar/main.c               kubedl-shipper
#   test/unit/{lib,sidecar}/ROOM/test_*.c    one cmocka program each
#   test/property/test_*.c                   the same, with random inputs
#   test/fault/test_*.c                      the same, with malloc, calloc and realloc wrapped
#   test/fuzz/fuzz_*.c                       libFuzzer targets; elsewhere they replay their corpus
#   test/integration/check/*_check.c         cmocka programs that need a database; pytest runs them
#   test/bench/*.c               programs that measure
#   test/support/*.c, and other .c files in these directories: what any of them may use

VERSION_BASE := 0.1.0
VERSION ?= $(VERSION_BASE)$(addprefix +g,$(shell GIT_OPTIONAL_LOCKS=0 git describe --always \
	--dirty --exclude='*' 2>/dev/null))

BUILD ?= build
VARIANT ?= release
OUT := $(BUILD)/$(VARIANT)

# ---- compiler and flags ------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := $(CROSS:%=%-)$(if $(filter asan tsan fuzz,$(VARIANT)),clang,gcc)
endif
ifeq ($(origin AR),default)
AR := $(CROSS:%=%-)ar
endif

# What the program is built for, if not for this machine: aarch64-linux-gnu, say. `make arm64` does it in a folder;
# elsewhere, the compiler, the libraries and the emulator that the tests need are there already.
CROSS ?=
PKG_CONFIG ?= $(if $(CROSS),PKG_CONFIG_LIBDIR=/usr/lib/$(CROSS)/pkgconfig )pkg-config

WERROR ?= -Werror
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wformat=2 $(WERROR)

MACHINE := $(or $(firstword $(subst -, ,$(CROSS))),$(shell uname -m))
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fstack-clash-protection \
	$(if $(filter x86_64 i686,$(MACHINE)),-fcf-protection)

CFLAGS_release := -O2 -g $(HARDENING)
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_debug := -O0 -g3
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
LDFLAGS_tsan := -fsanitize=thread
CFLAGS_coverage := -O0 -g --coverage
LDFLAGS_coverage := --coverage
CFLAGS_fuzz := $(CFLAGS_asan) -fsanitize=fuzzer-no-link
LDFLAGS_fuzz := $(LDFLAGS_asan)

ifeq ($(CFLAGS_$(VARIANT)),)
$(error VARIANT is one of release debug asan tsan coverage fuzz, not '$(VARIANT)')
endif

# CFLAGS and LDFLAGS stay the user's. PACKAGES_* come from $(OUT)/packages.mk, below.
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE -I. $(PACKAGES_CFLAGS) $(WARNINGS) -pthread \
	$(CFLAGS_$(VARIANT)) $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) -pthread $(LDFLAGS_$(VARIANT)) $(LDFLAGS) -Wl,--as-needed

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

# ---- what there is -----------------------------------------------------------------------------

objects = $(patsubst %.c,$(OUT)/%.o,$(1))
programs = $(patsubst %.c,$(OUT)/%,$(1))

LIB_OBJECTS := $(call objects,$(wildcard lib/*/*.c))
SIDECAR_OBJECTS := $(call objects,$(wildcard sidecar/*/*.c))
MAIN_OBJECT := $(OUT)/sidecar/main.o

PLAIN_TESTS := $(call programs,$(wildcard test/unit/*/*/test_*.c test/property/test_*.c))
FAULT_TESTS := $(call programs,$(wildcard test/fault/test_*.c))
FUZZ_TARGETS := $(call programs,$(wildcard test/fuzz/fuzz_*.c))
TESTS := $(PLAIN_TESTS) $(FAULT_TESTS) $(FUZZ_TARGETS)
CHECKS := $(call programs,$(wildcard test/integration/check/*_check.c))

MEASURES := $(call programs,$(wildcard test/bench/*.c))

TEST_OBJECTS := $(call objects,$(wildcard test/*/*.c test/unit/*/*/*.c test/integration/check/*.c))
REPLAY_OBJECT := $(OUT)/test/fuzz/replay.o
HELPER_OBJECTS := $(filter-out $(TESTS:%=%.o) $(CHECKS:%=%.o) $(MEASURES:%=%.o) \
	$(REPLAY_OBJECT),$(TEST_OBJECTS))

OBJECTS := $(LIB_OBJECTS) $(SIDECAR_OBJECTS) $(MAIN_OBJECT) $(TEST_OBJECTS)
ARCHIVES := $(OUT)/helpers.a $(OUT)/sidecar.a $(OUT)/lib.a

SHIPPER ?= $(abspath $(OUT)/kubedl-shipper)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: FORCE

# ---- Debian packages ---------------------------------------------------------------------------

# The groups are listed in .ci/deps. When all is there, a check takes some milliseconds.
DEPS := build test check mysql folder galera image bench

.PHONY: deps $(DEPS:%=deps-%)

deps: deps-build deps-test deps-check ## install what is missing from Debian packages

$(DEPS:%=deps-%): deps-%:
	@$(if $(CROSS),:,.ci/deps $*)

# Included below: make writes it first, and the packages are there before anything is compiled.
# Headers of other projects are system headers, which keeps our warnings out of them.
$(OUT)/packages.mk: Makefile | deps-build $(if $(findstring clang,$(CC)),deps-check)
	@mkdir -p $(@D)
	@cflags=$$($(PKG_CONFIG) --cflags libmariadb libcjson libuv sqlite3 libcurl zlib) && \
	libs=$$($(PKG_CONFIG) --libs libmariadb libcjson libuv sqlite3 libcurl zlib) && \
	printf 'PACKAGES_CFLAGS := %s\nPACKAGES_LIBS := %s\n' \
		"$$(printf '%s' "$$cflags" | sed 's/-I */-isystem /g')" "$$libs -lhttp_parser -lm" >$@

ifneq ($(filter-out help clean distclean deps deps-% format image test-debian13 arm64 test-fresh,$(or $(MAKECMDGOALS),all)),)
include $(OUT)/packages.mk
endif

# ---- build -------------------------------------------------------------------------------------

.PHONY: all tests

all: $(OUT)/kubedl-shipper ## build build/kubedl-shipper (VARIANT=debug, asan, ...: build/VARIANT/)

ifeq ($(VARIANT),release)
all: $(BUILD)/kubedl-shipper
endif

tests: $(TESTS) $(CHECKS) $(MEASURES) ## build the test programs

$(BUILD)/kubedl-shipper: $(BUILD)/release/kubedl-shipper
	$(Q)ln -sfn release/kubedl-shipper $@

$(OUT)/kubedl-shipper: $(MAIN_OBJECT) $(OUT)/sidecar.a $(OUT)/lib.a $(OUT)/flags
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(PACKAGES_LIBS)

$(OUT)/lib.a: $(LIB_OBJECTS)
$(OUT)/sidecar.a: $(SIDECAR_OBJECTS)
$(OUT)/helpers.a: $(HELPER_OBJECTS)
$(OUT)/%.a: $(OUT)/members-%
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) qcs $@ $(filter %.o,$^)

$(OUT)/%.o: %.c $(OUT)/flags
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# Only main.c knows the version, so that a commit does not rebuild the rest.
$(OUT)/sidecar/main.o: private CPPFLAGS += -DSHIPPER_VERSION='"$(VERSION)"'
$(OUT)/sidecar/main.o: $(OUT)/version

$(PLAIN_TESTS) $(CHECKS): %: %.o $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ -lcmocka $(PACKAGES_LIBS)

$(MEASURES): %: %.o $(OUT)/lib.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(PACKAGES_LIBS)

$(FAULT_TESTS): %: %.o $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)$(LINK) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=memory_new -o $@ $^ -lcmocka $(PACKAGES_LIBS)

ifeq ($(VARIANT),fuzz)
$(FUZZ_TARGETS): private LINK += -fsanitize=fuzzer
else
$(FUZZ_TARGETS): $(REPLAY_OBJECT)
endif
$(FUZZ_TARGETS): %: %.o $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(ARCHIVES) $(PACKAGES_LIBS)

$(TEST_OBJECTS): | deps-test
# cmocka 2 deprecates names that are the only ones cmocka 1 has, and Debian 13 has cmocka 1.
$(TEST_OBJECTS): private CPPFLAGS += -DCMOCKA_DISABLE_DEPRECATION_WARNINGS

# A file that holds a value and changes only when the value does.
define remember
@mkdir -p $(@D)
@printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) >$@
endef

$(OUT)/flags: FORCE
	$(call remember,'$(COMPILE) $(LDFLAGS_$(VARIANT)) $(LDFLAGS)')

$(OUT)/version: FORCE
	$(call remember,'$(VERSION)')

# So that an archive is made again when a source file is gone.
$(OUT)/members-lib: FORCE
	$(call remember,$(LIB_OBJECTS))
$(OUT)/members-sidecar: FORCE
	$(call remember,$(SIDECAR_OBJECTS))
$(OUT)/members-helpers: FORCE
	$(call remember,$(HELPER_OBJECTS))

-include $(OBJECTS:.o=.d)

# ---- tests -------------------------------------------------------------------------------------

# The python3 that Debian's packages are for; another one may come first in PATH.
PYTHON ?= /usr/bin/python3
# A test that hangs says where.
PYTEST := PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -p no:cacheprovider \
	-o faulthandler_timeout=240
ARGS ?=

.PHONY: test unit test-manifests integration test-mysql test-debian13 arm64 test-fresh test-galera test-asan \
	chaos demo

test: ## everything a change has to pass: quick checks, unit, manifest and integration tests
	$(Q)$(MAKE) --no-print-directory all
	$(Q)$(MAKE) --no-print-directory lint-quick
	$(Q)$(MAKE) --no-print-directory unit
	$(Q)$(MAKE) --no-print-directory test-manifests
	$(Q)$(MAKE) --no-print-directory integration

# TSan looks at threads, and only the sidecar has some.
UNIT := $(if $(filter tsan,$(VARIANT)),$(filter $(OUT)/test/unit/sidecar/%,$(TESTS)),$(TESTS))

ifneq ($(CROSS),)
unit: export WRAPPER := qemu-$(MACHINE)-static
endif

unit: $(UNIT) ## unit, property and fault tests, replay of the fuzz corpora
	@test/run $(UNIT)

test-manifests: all | deps-test ## what manifests/ renders to, in every combination
	SHIPPER='$(SHIPPER)' $(PYTEST) --numprocesses=$(WORKERS) -q test/manifests $(ARGS)

# pytest finds the program in SHIPPER and the *_check programs in CHECKS.
INTEGRATION = SHIPPER='$(SHIPPER)' CHECKS='$(abspath $(OUT)/test/integration/check)' \
	DECODE='$(abspath $(OUT)/test/bench/decode)' $(PYTEST)

# As many tests at a time as there are processors, each worker with a server of its own.
WORKERS ?= $(shell nproc)

integration: all $(CHECKS) $(MEASURES) | deps-test ## the program and a private MariaDB (ARGS='-k name': pytest's)
	$(INTEGRATION) --numprocesses=$(WORKERS) test/integration $(ARGS)

test-mysql: all $(CHECKS) $(MEASURES) | deps-test deps-mysql ## the integration tests against Oracle MySQL
	$(INTEGRATION) --server=mysql test/integration $(ARGS)

# Those of the integration tests that depend most on the libraries; ARGS= runs all.
test-debian13: ARGS := -k 'test_tls or test_spool or test_http or test_stream'
test-debian13: ## the same on Debian 13, in a folder: build, unit and some integration tests
	.ci/folder/run debian13 make -j'$(WORKERS)' BUILD=build/debian13 WORKERS='$(WORKERS)' ARGS="$(ARGS)" \
		all tests unit integration

arm64: ## build for arm64 and run the unit tests under an emulator, in a folder
	.ci/folder/run arm64 make -j'$(WORKERS)' BUILD=build/arm64 CROSS=aarch64-linux-gnu all unit

COMMAND ?= make demo test
FRESH_USER ?= root

test-fresh: ## a clone on a bare Debian 12 in a folder (COMMAND='bash .ci/run', FRESH_USER=user: with sudo)
	.ci/folder/fresh '$(FRESH_USER)' $(COMMAND)

test-galera: all | deps-test deps-galera ## a cluster of three nodes loses its writer, then its quorum
	$(INTEGRATION) test/integration/galera $(ARGS)

test-asan: ## the integration tests with the program built with ASan and UBSan
	$(Q)$(MAKE) --no-print-directory VARIANT=asan integration

ROUNDS ?= 300
SEED ?=
CHAOS_DB ?= mariadb

chaos: all | deps-test ## ROUNDS (300) of kills, stops and outages with snapshots (SEED=, CHAOS_DB=mysql)
	SHIPPER='$(SHIPPER)' PYTHONDONTWRITEBYTECODE=1 $(PYTHON) test/chaos/chaos.py \
		--rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) --server $(CHAOS_DB)

demo: all deps-test ## a recorded stream, through the socket, into a throwaway MariaDB
	@SHIPPER='$(SHIPPER)' test/demo/demo

# ---- closer looks ------------------------------------------------------------------------------

FUZZ_SECONDS ?= 30

.PHONY: asan tsan valgrind coverage fuzz fuzz-run

# Where the kernel spreads addresses wider than an older sanitizer knows, it needs them in order.
asan tsan: ## unit tests under ASan and UBSan, or those of the sidecar under TSan
	$(Q)WRAPPER="$$(setarch --addr-no-randomize echo setarch --addr-no-randomize 2>/dev/null)" \
		$(MAKE) --no-print-directory VARIANT=$@ unit

valgrind: deps-check ## unit tests under valgrind
	$(Q)WRAPPER='valgrind --quiet --error-exitcode=99 --leak-check=full' \
		$(MAKE) --no-print-directory unit

coverage: deps-check ## line coverage of unit and integration tests: build/coverage/html
	$(Q)find $(BUILD)/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(Q)$(MAKE) --no-print-directory VARIANT=coverage unit integration
	$(Q)lcov --quiet --capture --no-external --directory $(BUILD)/coverage --base-directory . \
		--output-file $(BUILD)/coverage/all.info
	$(Q)lcov --quiet --extract $(BUILD)/coverage/all.info '$(CURDIR)/lib/*' '$(CURDIR)/sidecar/*' \
		--output-file $(BUILD)/coverage/ours.info
	$(Q)genhtml --quiet --output-directory $(BUILD)/coverage/html $(BUILD)/coverage/ours.info
	$(Q)lcov --list $(BUILD)/coverage/ours.info

fuzz: ## each fuzz target for FUZZ_SECONDS (30)
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz fuzz-run

fuzz-run: $(FUZZ_TARGETS)
	$(Q)set -e; for target in $(FUZZ_TARGETS); do \
		name=$${target##*/fuzz_}; found=$(BUILD)/fuzz/corpus/$$name; \
		mkdir -p $$found test/fuzz/corpus/$$name; \
		$$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/fuzz/$$name- $$found test/fuzz/corpus/$$name; \
	done

# ---- speed -------------------------------------------------------------------------------------

# One run says what the machine gives just now: let it have nothing else to do.
MEASURE = SHIPPER='$(SHIPPER)' DECODE='$(abspath $(OUT)/test/bench/decode)' \
	PYTHONDONTWRITEBYTECODE=1 $(PYTHON) test/bench

.PHONY: bench bench-instructions bench-baseline

bench: all $(MEASURES) | deps-test deps-check deps-bench ## speed, with a report in docs/ (BENCH_QUICK=1, BENCH_DB=mysql)
	$(MEASURE)/bench.py '$(BUILD)/bench'

bench-instructions: $(MEASURES) | deps-test deps-check ## instructions per event, against test/bench/baseline
	$(MEASURE)/instructions.py $(MEASURES)

bench-baseline: $(MEASURES) | deps-test deps-check ## write test/bench/baseline
	$(MEASURE)/instructions.py $(MEASURES) write

# ---- source checks -----------------------------------------------------------------------------

# Each gate is a script in test/lint; test/lint/test_gates.py shows that each can fail.
QUICK_GATES := words docs rooms includes functions layers globals manifests
GATES := format $(QUICK_GATES) headers tidy

export LINT_LIB = $(OUT)/lib.a
export LINT_SIDECAR = $(OUT)/sidecar.a
export LINT_CFLAGS = -std=c11 -D_GNU_SOURCE -I. $(PACKAGES_CFLAGS) $(WARNINGS)

.PHONY: lint lint-quick format docs $(GATES:%=lint-%)

lint: $(GATES:%=lint-%) ## all source checks, and the proof that each can fail
	$(PYTEST) -q test/lint

lint-quick: $(QUICK_GATES:%=lint-%) ## the source checks that need no further tools

lint-format lint-headers lint-tidy: deps-check
lint-layers lint-globals: $(OUT)/lib.a $(OUT)/sidecar.a

docs: all ## write what the program makes of docs/ (tables, helps of commands)
	test/docs '$(SHIPPER)'

$(GATES:%=lint-%): lint-%:
	$(call say,LINT,$*)
	$(Q)test/lint/$*

format: deps-check ## clang-format all C files in place
	clang-format -i $$(find lib sidecar test -name '*.[ch]')

# ---- the rest ----------------------------------------------------------------------------------

IMAGE ?= kubedl-shipper:$(VERSION_BASE)

.PHONY: image image-test image-test-mysql help clean distclean

REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
# The clone's origin, as a person's browser would take it, and without what may be secret in it.
SOURCE ?= $(shell git config --get remote.origin.url 2>/dev/null | \
	sed -n -e 's,^https://\([^@/]*@\)*,https://,p' -e 's,^\(ssh://\)\?git@\([^:/]*\)[:/],https://\2/,p')
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)
ARCHIVE ?= $(BUILD)/image.tar
SBOM ?= $(BUILD)/image.spdx.json

image: ## build the container image with docker or buildah (IMAGE=name PLATFORM=linux/arm64 ...)
	$(Q)IMAGE='$(IMAGE)' ARCHIVE='$(ARCHIVE)' SBOM='$(SBOM)' VERSION='$(VERSION)' REVISION='$(REVISION)' \
		SOURCE='$(SOURCE)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' .ci/image/build

# The tests ask no registry, and see the image that buildah makes.
image-test image-test-mysql: export BUILDER := buildah
image-test image-test-mysql: export BASE ?= debootstrap
image-test image-test-mysql: SOURCE := $(or $(SOURCE),https://kubedl-shipper.example)
# Containers are made by root, and what root's tests leave in build/ would be in the way of others.
IMAGE_TEST = $(if $(filter-out 0,$(shell id -u)),sudo env) XDG_CACHE_HOME='$(CACHE)' IMAGE_ARCHIVE='$(abspath $(ARCHIVE))' \
	IMAGE_SBOM='$(abspath $(SBOM))' IMAGE_VERSION='$(VERSION)' IMAGE_REVISION='$(REVISION)' \
	IMAGE_SOURCE='$(SOURCE)' IMAGE_DATE='$(SOURCE_DATE_EPOCH)' $(INTEGRATION)

image-test: all image | deps-test deps-image ## the image, run as Kubernetes would, with MariaDB
	$(IMAGE_TEST) test/integration/image $(ARGS)

image-test-mysql: all image | deps-test deps-image deps-mysql ## the same with Oracle MySQL
	$(IMAGE_TEST) --server=mysql test/integration/image $(ARGS)

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z -]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

clean: ## remove build/
	rm -rf $(BUILD)

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)

distclean: clean ## remove what was downloaded outside of the clone, too: ~/.cache/kubedl-shipper
	.ci/distclean '$(CACHE)/kubedl-shipper'
