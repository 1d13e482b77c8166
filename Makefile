# Thin front door; the build is meson.build, the package list is tools/deps.
.PHONY: build run test asan tsan bench fuzz crash faults linear abuse planted soak deb image deps clean

build: build/build.ninja
	@ninja -C build caisson

build/build.ninja: | deps
	@meson setup build --buildtype=release

run: build
	@build/caisson serve --data-dir $${CAISSON_DATA_DIR:-run}

deps:
	@tools/deps build

test: | deps
	@tools/test

# The same layers, one sanitizer at a time; bench, crash, faults, linear, abuse and fuzz in their long forms.
asan: | deps
	@tools/test unit wire s3
tsan: | deps
	@tools/test tsan
bench: | deps
	@tools/bench
fuzz: | deps
	@tests/fuzz/run $(SECONDS) --keep --record docs/fuzz-runs.md
crash: | deps
	@tests/crash/run $(if $(CUTS),--cuts $(CUTS))
faults: | deps
	@tests/faults/run
abuse: build
	@tools/deps test
	@tests/abuse/run
linear: build
	@tools/deps test
	@tests/linear/run $(if $(OPS),--ops $(OPS))
# Ten minutes, or make soak SECONDS=3600.
soak: | deps
	@tools/test --list >/dev/null
	@tests/soak/run --seconds $(or $(SECONDS),600)

# Debian package in build-deb/.
deb: build
	@tools/deb

# OCI image archive in build-deb/, of that package and Debian's smallest system; as root.
image: build
	@tools/image

# Plants bugs in a copy of the sources: each must be found by its harness.
planted: | deps
	@tests/planted/run

clean:
	rm -rf build build-* .venv
