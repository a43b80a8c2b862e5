# The C side of Apus: the shared library, the C hosts that test it, fuzzing, gates, installation.
#   make            libapus.so and the C hosts, in build/
#   make check      runs the C hosts
#   make gates      exported symbols, weak symbols, machine code of the register tiles
#   make fuzz       FAMILY=gemm SECONDS=60
#   make emulated   a part of the suite on emulated old CPUs
#   make docs       the documentation of the Swift library, in build/docs
#   make gallery    every example of the gallery in full, with figures, in build/gallery; about 20 minutes
#   make install    PREFIX=/usr/local

SWIFT = swift
CLANG = clang
PREFIX = /usr/local
FAMILY = gemm
SECONDS = 60

warnings = -Wall -Wextra -Wpedantic -Werror
cflags = -O2 -g -pthread -D_GNU_SOURCE -Iinclude $(warnings)
c99 = gcc -std=c99 $(cflags)
cxx = g++ -x c++ -std=c++11 $(cflags)
# -lapus alone: the library brings everything that it needs. $ORIGIN: hosts find it beside their own folder.
link = -Lbuild -lapus -lm -Wl,-rpath,'$$ORIGIN/..'
headers = include/apus.h $(wildcard Tests/CHosts/*.h)

# Hosts that need nothing special, as C and as C++.
plain = all_symbols default_isa gemm conv pooling rnn layers errors threads fork host_backend dlclose allocations
hosts = $(plain:%=build/hosts/%.c99) $(plain:%=build/hosts/%.cxx) build/hosts/openmp.gomp build/hosts/openmp.omp

# Debian keeps LLVM's omp.h and libomp.so in the folders of its own clang; any clang can use them from there.
omp_header = $(lastword $(sort $(wildcard /usr/lib/llvm-*/lib/clang/*/include/omp.h)))
omp_library = $(lastword $(sort $(wildcard /usr/lib/llvm-*/lib/libomp.so)))

# SwiftPM knows what has changed, so it is always asked; the hosts are made after that.
all: library
	@$(MAKE) --no-print-directory hosts
hosts: $(hosts) build/counting_malloc.so

library build/libapus.so: | build/hosts
	$(SWIFT) build -c release --product apus
	strip --strip-unneeded -o build/libapus.so.new "$$($(SWIFT) build -c release --show-bin-path)/libapus.so"
	@# Only what has changed is newer than the hosts.
	@cmp -s build/libapus.so.new build/libapus.so && rm build/libapus.so.new || mv build/libapus.so.new build/libapus.so

build/hosts/%.c99: Tests/CHosts/%.c $(headers) | build/libapus.so build/hosts
	$(c99) $< -o $@ $(link)
build/hosts/%.cxx: Tests/CHosts/%.c $(headers) | build/libapus.so build/hosts
	$(cxx) $< -x none -o $@ $(link)

# This one does not link libapus: it opens and closes it.
build/hosts/dlclose.c99: Tests/CHosts/dlclose.c include/apus.h | build/libapus.so build/hosts
	$(c99) $< -o $@
build/hosts/dlclose.cxx: Tests/CHosts/dlclose.c include/apus.h | build/libapus.so build/hosts
	$(cxx) $< -x none -o $@

build/all_symbols.c: include/apus.h Tests/Gates/declared-functions | build/hosts
	Tests/Gates/declared-functions > build/declared
	sed 's/.*/  {"&", (any_function)&},/' build/declared > build/declared.inc
	printf '%s\n' '#include <apus.h>' '#include <stdio.h>' 'typedef void (*any_function)(void);' \
	  'static const struct { const char *name; any_function address; } all[] = {' '#include "declared.inc"' '};' \
	  'int main(void) {' '  for (unsigned i = 0; i < sizeof all / sizeof *all; i++)' \
	  '    if (!all[i].address) return puts(all[i].name);' '  return 0;' '}' > $@
build/hosts/all_symbols.c99: build/all_symbols.c $(headers) | build/libapus.so build/hosts
	$(c99) $< -o $@ $(link)
build/hosts/all_symbols.cxx: build/all_symbols.c $(headers) | build/libapus.so build/hosts
	$(cxx) $< -x none -o $@ $(link)

build/hosts/openmp.gomp: Tests/CHosts/openmp.c $(headers) | build/libapus.so build/hosts
	$(c99) -fopenmp $< -o $@ $(link)
# Where there is no libomp the host is a script that skips.
build/hosts/openmp.omp: Tests/CHosts/openmp.c $(headers) | build/libapus.so build/hosts
ifneq ($(and $(omp_header),$(omp_library)),)
	$(CLANG) -std=c99 $(cflags) -fopenmp=libomp -idirafter $(dir $(omp_header)) $< -o $@ $(link) \
	  -L$(dir $(omp_library)) -Wl,-rpath,$(dir $(omp_library))
else
	printf '#!/bin/sh\necho "skipped: libomp-dev is not installed"\nexit 77\n' > $@ && chmod +x $@
endif

build/counting_malloc.so: Tests/CHosts/counting_malloc.c | build/hosts
	gcc -O1 -fPIC -shared -fno-builtin -D_GNU_SOURCE -Wall -Wextra -Werror $< -o $@

build/hosts:
	mkdir -p $@

both = build/hosts/$(1).c99$(2) build/hosts/$(1).cxx$(2)
counted = env LD_PRELOAD=build/counting_malloc.so build/hosts/allocations
check: all
	Tests/CHosts/run $(foreach host,all_symbols default_isa gemm conv pooling rnn layers errors threads host_backend fork,$(call both,$(host))) \
	  "build/hosts/dlclose.c99 build/libapus.so" "build/hosts/dlclose.cxx build/libapus.so" \
	  "build/hosts/fork.c99 libgomp.so.1" "build/hosts/fork.c99 libomp.so.5" \
	  build/hosts/openmp.gomp build/hosts/openmp.omp "$(counted).c99" "$(counted).cxx"

# Both configurations: the debug build's kernels are optimised too, with other flags.
gates: library
	$(SWIFT) build
	Tests/Gates/run build/libapus.so .build/release .build/debug

fuzz: library
	Tests/Fuzz/run $(FAMILY) $(SECONDS)

emulated: all
	Tests/Gates/emulated

install: library
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 include/apus.h $(DESTDIR)$(PREFIX)/include
	install -m 644 build/libapus.so $(DESTDIR)$(PREFIX)/lib
	sed -n 's/#define APUS_VERSION_\(MAJOR\|MINOR\|PATCH\) //p' include/apus.h | paste -sd. | \
	  sed 's|.*|prefix=$(PREFIX)\nName: apus\nDescription: multithreaded SIMD kernels for deep learning on CPUs\nVersion: &\nLibs: -L$${prefix}/lib -lapus\nCflags: -I$${prefix}/include|' \
	  > $(DESTDIR)$(PREFIX)/lib/pkgconfig/apus.pc

# Symbols as the compiler writes them down, and DocC, which comes with Swift. A link that leads nowhere is an error.
docs: | build/hosts
	$(SWIFT) build -c release --target Apus
	rm -rf build/symbols build/docs && mkdir -p build/symbols
	$(SWIFT) symbolgraph-extract -module-name Apus -minimum-access-level public -output-dir build/symbols \
	  -I "$$($(SWIFT) build -c release --show-bin-path)/Modules" \
	  -Xcc -fmodule-map-file=Sources/ApusShims/include/module.modulemap -Xcc -fmodule-map-file=Sources/CZlib/module.modulemap \
	  -target "$$($(SWIFT)c -print-target-info | sed -n 's/.*"triple": "\(.*\)",/\1/p' | head -n 1)"
	docc convert Sources/Apus/Apus.docc --fallback-display-name Apus --fallback-bundle-identifier apus \
	  --additional-symbol-graph-dir build/symbols --warnings-as-errors --output-path build/docs

examples = descent activations convolution features nin googlenet architectures series \
  dates recall gradients classify tagging frames captions generate speech
gallery: | build/hosts
	$(SWIFT) build -c release --product gallery
	mkdir -p build/gallery
	code=0; for example in $(examples) "dates --attention off"; do \
	  name=$$(echo "$$example" | tr -s ' -' -); echo "== $$example"; \
	  "$$($(SWIFT) build -c release --show-bin-path)/gallery" $$example --figure build/gallery/gallery-$$name.svg \
	    >build/gallery/$$name.txt 2>&1 || code=1; tail -n 12 build/gallery/$$name.txt; done; exit $$code

clean:
	rm -rf build

.PHONY: all hosts library check gates fuzz emulated docs gallery install clean
