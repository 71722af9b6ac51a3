# make demo · test · soak · install · uninstall. Each line calls cargo or a script.
#
# PREFIX (/usr/local), LIBDIR, INCLUDEDIR say where the library will be used from, DESTDIR where it is put for now.

CARGO ?= cargo
export PREFIX LIBDIR INCLUDEDIR DESTDIR

.PHONY: all demo test soak install uninstall setup

all:
	$(CARGO) build --release --package unipc-capi --package unipc-cli

setup:
	scripts/setup

demo: setup all
	scripts/demo

test: setup
	scripts/test

soak: setup
	scripts/soak

install: all
	scripts/install install

uninstall:
	scripts/install uninstall
