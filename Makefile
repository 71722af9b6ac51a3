# make demo · test · bench · soak · install · uninstall. Each line calls cargo or a script.
#
# PREFIX (/usr/local), LIBDIR, INCLUDEDIR say where the library will be used from, DESTDIR where it is put for now.
# BENCH is handed on to the measurement: --quick, --only MECHANISM, --write-docs.

CARGO ?= cargo
export PREFIX LIBDIR INCLUDEDIR DESTDIR

.PHONY: all demo test bench soak install uninstall setup

all:
	$(CARGO) build --release --package unipc-capi --package unipc-cli

setup:
	scripts/setup

demo: setup all
	scripts/demo

test: setup
	scripts/test

bench: setup
	scripts/bench $(BENCH)

soak: setup
	scripts/soak

install: all
	scripts/install install

uninstall:
	scripts/install uninstall
